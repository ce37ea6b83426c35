"""The contracts over JSON-RPC, asked of a node that lies, lags or speaks nonsense."""

# ruff: noqa: N802 -- the methods are called what JSON-RPC calls them
from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from proml.core.call import AnchorCall, BatchCall, Founder, StepCall
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import ZERO, hexed, keccak256
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from proml.errors import LedgerProblem
from proml.interfaces import SignedTransaction
from proml.ledger.evm import EvmLedger, gas_bound
from proml.ledger.memory import MemoryLedger
from proml.ledger.rpc import RpcError
from proml.lifecycles import shipped
from proml.signing import LocalSigner, throwaway_key
from tests.unit.ledger.node import CODE, Node

RUN = 2
JUNK: list[Any] = [
    None,
    "",
    "0x",
    "0xzz",
    "latest",
    5,
    -1,
    True,
    1.5,
    [],
    [None],
    {},
    {"number": "0x1"},
    "0x" + "f" * 65,
]


class Fixture:
    """A small history under some blocks without events, and the honest node that serves it."""

    def __init__(self, above: int = 0) -> None:
        self.signer = throwaway_key()
        founder = Founder(self.signer.address, role_mask(ROLES), b"\x01" * 32)
        self.memory = MemoryLedger([founder], Governance(1), [lifecycle.table for lifecycle in shipped()])
        self.salt = os.urandom(32)
        start = StepCall(self.salt, RUN, 1, 1, os.urandom(32), ZERO)
        self.sent = self.send(BatchCall((AnchorCall(b"\x05" * 32, 3),), (start, start)), self.signer)
        self.failed = self.send(BatchCall(), throwaway_key())
        for _ in range(above):
            self.send(BatchCall(), self.signer)
        self.node = Node(self.memory)
        self.terms = replace(self.memory.terms, code=keccak256(CODE))
        placed = next(iter(self.memory.receipt(self.sent).events[1:2]))
        self.artefact = placed.event.artefact

    def send(self, call: BatchCall, signer: LocalSigner) -> bytes:
        transaction = self.memory.prepare(call, self.memory.nonce(signer.address))
        signed = signer.sign_transaction(transaction)
        self.memory.send(signed)
        return signed.hash

    def ledger(self, node: Any = None) -> EvmLedger:
        return EvmLedger(node or self.node, self.terms, lambda raw: None)


@pytest.fixture(scope="module", params=[0, 5], ids=["near the head", "deep"])
def small(request: pytest.FixtureRequest) -> Fixture:
    return Fixture(request.param)


ASKED: dict[str, Callable[[Fixture, EvmLedger], Any]] = {
    "check": lambda small, ledger: ledger.check(),
    "head": lambda small, ledger: ledger.head(),
    "block": lambda small, ledger: ledger.block(1),
    "events": lambda small, ledger: list(ledger.events(0, 10)),
    "standing": lambda small, ledger: ledger.standing(small.artefact),
    "nonce": lambda small, ledger: ledger.nonce(small.signer.address),
    "prepare": lambda small, ledger: ledger.prepare(BatchCall(), 1),
    "receipt": lambda small, ledger: ledger.receipt(small.sent),
    "failed receipt": lambda small, ledger: ledger.receipt(small.failed),
}


def test_an_honest_node_says_what_the_ledger_in_memory_says(small):
    ledger = small.ledger()
    ledger.check()
    assert list(ledger.events(0, 10)) == list(small.memory.events(0, 10))
    assert ledger.standing(small.artefact) == small.memory.standing(small.artefact)
    assert ledger.receipt(small.sent) == small.memory.receipt(small.sent)
    assert ledger.receipt(small.failed).reason is Reason.UNKNOWN_KEY
    assert ledger.head() == small.memory.head()


class Liar:
    """Changes the answers to one method and is honest otherwise."""

    def __init__(self, node: Node, method: str, lie: Callable[[Any], Any]) -> None:
        self.node, self.method, self.lie = node, method, lie

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        answer = self.node.call(method, params)
        return self.lie(copy.deepcopy(answer)) if method == self.method else answer

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self.call(method, params) for method, params in calls]


def places(answer: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in an answer, the answer itself first."""
    yield way
    inner = (
        answer.items() if isinstance(answer, dict) else enumerate(answer) if isinstance(answer, list) else ()
    )
    for key, value in inner:
        yield from places(value, (*way, key))


def changed(answer: Any, way: tuple[Any, ...], value: Any) -> Any:
    if not way:
        return value
    answer[way[0]] = changed(answer[way[0]], way[1:], value)
    return answer


class Recorder(Node):
    """Remembers one answer to each method."""

    def __init__(self, ledger: MemoryLedger) -> None:
        super().__init__(ledger)
        self.answers: dict[str, Any] = {}

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        answer = super().call(method, params)
        self.answers.setdefault(method, answer)
        return answer


@pytest.mark.parametrize("asked", ASKED)
def test_nonsense_anywhere_in_any_answer_is_a_ledger_problem_and_nothing_else(small, asked):
    recorder = Recorder(small.memory)
    truth = ASKED[asked](small, small.ledger(recorder))
    tried = 0
    for method, answer in recorder.answers.items():
        for way in places(answer):
            for junk in JUNK:
                ledger = small.ledger(
                    Liar(small.node, method, lambda a, w=way, j=junk: changed(a, w, j) if a else j)
                )
                tried += 1
                try:
                    said = ASKED[asked](small, ledger)
                except LedgerProblem:
                    continue
                # What was believed is well formed, and events are never other than the true ones.
                if asked in ("events", "receipt") and said:
                    assert_no_other_events(truth, said)
    assert tried >= len(JUNK)


def assert_no_other_events(truth: Any, said: Any) -> None:
    told = said if isinstance(said, list) else list(said.events)
    true = truth if isinstance(truth, list) else list(truth.events)
    assert all(type(placed.event) is type(other.event) for placed, other in zip(told, true, strict=False))


LIES = {
    "one log twice": ("eth_getLogs", lambda logs: [*logs, logs[-1]]),
    "a log of another contract": (
        "eth_getLogs",
        lambda logs: [{**logs[0], "address": hexed(b"\x09" * 20)}, *logs[1:]],
    ),
    "a log of a block beyond the range": (
        "eth_getLogs",
        lambda logs: [*logs, {**logs[-1], "blockNumber": "0x63"}],
    ),
    "a log of a fork": (
        "eth_getLogs",
        lambda logs: [*logs[:-1], {**logs[-1], "blockHash": hexed(b"\x09" * 32)}],
    ),
    "a log that was removed": ("eth_getLogs", lambda logs: [*logs[:-1], {**logs[-1], "removed": True}]),
    "an event nobody knows": (
        "eth_getLogs",
        lambda logs: [*logs[:-1], {**logs[-1], "topics": [hexed(b"\x09" * 32)]}],
    ),
    "a byte too many": (
        "eth_getLogs",
        lambda logs: [*logs[:-1], {**logs[-1], "data": logs[-1]["data"] + "00"}],
    ),
    "another block than asked for": ("eth_getBlockByNumber", lambda block: {**block, "number": "0x63"}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_about_events_is_refused(small, lie):
    method, change = LIES[lie]
    liar = Liar(small.node, method, lambda answer: answer and change(answer))
    with pytest.raises(LedgerProblem):
        list(small.ledger(liar).events(0, 10))


def test_logs_in_any_order_come_in_the_order_of_the_chain(small):
    ledger = small.ledger(Liar(small.node, "eth_getLogs", lambda logs: logs[::-1]))
    assert list(ledger.events(0, 10)) == list(small.memory.events(0, 10))


def test_a_node_that_takes_small_ranges_only_is_asked_in_small_ranges(small):
    class Narrow(Node):
        def eth_getLogs(self, asked: dict[str, str]) -> list[Any]:
            if "toBlock" in asked and int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) > 1:
                raise RpcError("eth_getLogs", -32005, "query returned more than 10000 results")
            return super().eth_getLogs(asked)

    assert list(small.ledger(Narrow(small.memory)).events(0, 10)) == list(small.memory.events(0, 10))


def test_a_node_that_refuses_even_one_block_is_told_of(small):
    class Refusing(Node):
        def eth_getLogs(self, asked: dict[str, str]) -> list[Any]:
            raise RpcError("eth_getLogs", -32005, "no")

    with pytest.raises(LedgerProblem, match=": no"):
        list(small.ledger(Refusing(small.memory)).events(0, 10))


def test_the_receipt_of_another_transaction_is_refused(small):
    lie = Liar(
        small.node, "eth_getTransactionReceipt", lambda r: {**r, "transactionHash": hexed(b"\x09" * 32)}
    )
    with pytest.raises(LedgerProblem, match="another transaction"):
        small.ledger(lie).receipt(small.sent)


@pytest.mark.parametrize(
    "change", [{"blockNumber": None}, {"blockHash": hexed(b"\x09" * 32)}], ids=["waiting", "moved"]
)
def test_a_receipt_without_its_block_is_no_receipt_yet(small, change):
    lie = Liar(small.node, "eth_getTransactionReceipt", lambda receipt: {**receipt, **change})
    assert small.ledger(lie).receipt(small.sent) is None


@pytest.mark.parametrize(
    "text",
    [
        "already known",
        "transaction already imported",
        "Transaction with the same hash was already imported.",
        "ALREADY_EXISTS: already known",
        "ALREADY_EXISTS",
        "Known transaction",
        "known transaction: 0x12ab",
        "TRANSACTION_ALREADY_KNOWN",
        "AlreadyKnown",
        "Already Known",
        "nonce too low: next nonce 6, tx nonce 5",
        "NONCE_TOO_LOW",
        "Transaction nonce is too low. Try incrementing the nonce.",
        "OldNonce, Current nonce: 6, nonce of rejected tx: 5",
    ],
)
def test_bytes_the_node_has_or_has_mined_are_no_error_in_whatever_words(small, text):
    class Has(Node):
        def eth_sendRawTransaction(self, raw: str) -> str:
            raise RpcError("eth_sendRawTransaction", -32000, text)

    EvmLedger(Has(small.memory), small.terms).send(SignedTransaction(b"\x02", bytes(32)))


@pytest.mark.parametrize(
    "text",
    [
        "insufficient funds for gas * price + value",
        "nonce too high",
        "unknown transaction type",
        "Unknown transaction",
        "replacement transaction underpriced",
        "",
    ],
)
def test_a_refused_send_says_so(small, text):
    class Refuses(Node):
        def eth_sendRawTransaction(self, raw: str) -> str:
            raise RpcError("eth_sendRawTransaction", -32000, text)

    with pytest.raises(LedgerProblem, match=re.escape(f"eth_sendRawTransaction: {text} (")):
        EvmLedger(Refuses(small.memory), small.terms).send(SignedTransaction(b"\x02", bytes(32)))


def test_the_bound_on_gas_grows_with_what_a_call_does():
    step = StepCall(bytes(32), 0, 1, 2, bytes(32), ZERO)
    registration = replace(step, lifecycle=1)
    sizes = [
        BatchCall(),
        BatchCall((AnchorCall(b"\x01" * 32, 1),)),
        BatchCall((AnchorCall(b"\x01" * 32, 1),), (step,)),
        BatchCall((AnchorCall(b"\x01" * 32, 1),), (registration,)),
    ]
    bounds = [gas_bound(call) for call in sizes]
    assert bounds == sorted(set(bounds))
    # The largest batch must fit a block of 30 million, the smallest limit still in use.
    largest = BatchCall((AnchorCall(b"\x01" * 32, 1),) * 32, (registration,) * 64)
    assert gas_bound(largest) <= 30_000_000
