"""Founding a consortium on a chain that reorganises, or behind a node that speaks nonsense."""

# ruff: noqa: N802 -- the methods are called what JSON-RPC calls them
from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest

from proml.contracts.shipped import artefacts_contract
from proml.core.call import Founder
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import hexed, keccak256, unhexed, word
from proml.core.proposal import Governance
from proml.errors import LedgerProblem
from proml.interfaces import Terms
from proml.ledger import founding
from proml.ledger.founding import Founding, found
from proml.lifecycles import shipped
from proml.signing import throwaway_key
from tests.unit.ledger.test_evm import JUNK, Liar, changed, places

CONTRACT = b"\x0c" * 20
KEY = throwaway_key()
FOUNDERS = Founding(
    [Founder(KEY.address, role_mask(ROLES), b"\x01" * 32)], Governance(1), [shipped()[0].table]
)


class Chain:
    """Makes one block each time it is asked for the newest; the deployment is in block 5.

    When block `fork` has been made, another takes the place of block 5 and its followers, and the deployment
    is in block 7.
    """

    def __init__(self, fork: int = 1_000, status: str = "0x1", stuck: int = 1_000) -> None:
        self.fork, self.status, self.stuck = fork, status, stuck
        self.head = 5
        self.transaction = ""

    def send(self, raw: bytes) -> None:
        self.transaction = hexed(keccak256(raw))

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        return getattr(self, method)(*params)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self.call(*each) for each in calls]

    def name(self, number: int) -> str:
        return hexed(keccak256(word(number) + word(number >= 5 and self.head >= self.fork)))

    def eth_chainId(self) -> str:
        return "0x539"

    def eth_getTransactionCount(self, key: str, which: str) -> str:
        return "0x0"

    def eth_maxPriorityFeePerGas(self) -> str:
        return "0x3"

    def eth_getCode(self, contract: str, which: str) -> str:
        return hexed(artefacts_contract().runtime)

    def eth_getBlockByNumber(self, which: str, whole: bool) -> Any:
        if which == "latest" and self.transaction:
            self.head = min(self.head + 1, self.stuck)
        number = self.head if which == "latest" else int(which, 16)
        return {
            "number": hex(number),
            "hash": self.name(number),
            "timestamp": "0x1",
            "baseFeePerGas": "0x7",
        }

    def eth_getTransactionReceipt(self, transaction: str) -> Any:
        number = 7 if self.head >= self.fork else 5
        return {
            "transactionHash": transaction,
            "blockNumber": hex(number),
            "blockHash": self.name(number),
            "status": self.status,
            "contractAddress": "0x" + CONTRACT.hex().upper(),
        }


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(founding, "FIRST_POLL_SECONDS", 0.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(founding, "PATIENCE_SECONDS", 0.05)


def founded(rpc: Any, chain: Chain, finality: int = 4) -> Terms:
    return found(rpc, chain.send, KEY, FOUNDERS, finality)


def test_nothing_is_pinned_before_the_deployment_is_final() -> None:
    chain = Chain()
    terms = founded(chain, chain)
    assert chain.head == 8
    assert terms == Terms(
        0x539, unhexed(chain.name(0)), CONTRACT, 5, keccak256(artefacts_contract().runtime), 4
    )


@pytest.mark.parametrize("fork", [6, 7, 8])
def test_a_deployment_that_was_moved_is_pinned_where_it_came_to_lie(fork: int) -> None:
    chain = Chain(fork)
    assert founded(chain, chain).deployed == 7
    assert chain.head == 10


@pytest.mark.usefixtures("impatient")
def test_a_chain_that_stands_still_is_told_of() -> None:
    chain = Chain(stuck=6)
    with pytest.raises(LedgerProblem, match=r"not final \(block 5, newest block 6\)") as caught:
        founded(chain, chain)
    assert "nothing was pinned" in caught.value.hint


@pytest.mark.usefixtures("impatient")
def test_a_deployment_that_is_in_no_block_is_told_of() -> None:
    chain = Chain()
    for waits in (lambda receipt: None, lambda receipt: receipt | {"blockNumber": None}):
        with pytest.raises(LedgerProblem, match="not mined"):
            founded(Liar(chain, "eth_getTransactionReceipt", waits), chain)


def test_a_deployment_that_failed_is_told_of() -> None:
    chain = Chain(status="0x0")
    with pytest.raises(LedgerProblem, match="refused to deploy"):
        founded(chain, chain)


def test_other_code_than_was_deployed_is_refused() -> None:
    chain = Chain()
    with pytest.raises(LedgerProblem, match="other code"):
        founded(Liar(chain, "eth_getCode", lambda code: code + "00"), chain)


def test_nonsense_in_any_answer_is_a_ledger_problem_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(founding, "PATIENCE_SECONDS", 0.002)
    asked = [
        ("eth_chainId", ()),
        ("eth_getTransactionCount", ("", "")),
        ("eth_maxPriorityFeePerGas", ()),
        ("eth_getCode", ("", "")),
        ("eth_getBlockByNumber", ("0x0", False)),
        ("eth_getTransactionReceipt", (hexed(bytes(32)),)),
    ]
    refused = 0
    for method, params in asked:
        for way in places(Chain().call(method, params)):
            for junk in JUNK:
                chain = Chain()
                liar = Liar(chain, method, lambda a, w=way, j=junk: changed(copy.deepcopy(a), w, j))
                try:
                    founded(liar, chain, finality=1)
                except LedgerProblem:
                    refused += 1
    assert refused > len(asked) * len(JUNK) / 2
