"""Reading events of a chain that changes meanwhile, or of nodes that are not equally far."""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from proml.core.call import BatchCall, Founder, StepCall
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import ZERO
from proml.core.proposal import Governance
from proml.errors import LedgerProblem
from proml.ledger import logs
from proml.ledger.evm import EvmLedger
from proml.ledger.memory import MemoryLedger
from proml.lifecycles import shipped
from proml.signing import throwaway_key
from tests.unit.ledger.node import Node

RUN = 2
SIGNER = throwaway_key()


def grown(ledger: MemoryLedger, blocks: int) -> MemoryLedger:
    """A copy with so many more blocks, each with a step of its own."""
    ledger = copy.deepcopy(ledger)
    for _ in range(blocks):
        step = StepCall(os.urandom(32), RUN, 1, 1, os.urandom(32), ZERO)
        call = ledger.prepare(BatchCall((), (step,)), ledger.nonce(SIGNER.address))
        ledger.send(SIGNER.sign_transaction(call))
    return ledger


@pytest.fixture(scope="module")
def trunk() -> MemoryLedger:
    founder = Founder(SIGNER.address, role_mask(ROLES), b"\x01" * 32)
    return grown(MemoryLedger([founder], Governance(1), [lifecycle.table for lifecycle in shipped()]), 2)


class Moving(Node):
    """Goes over to another chain after so many answers."""

    def __init__(self, before: MemoryLedger, after: MemoryLedger, answers: int) -> None:
        super().__init__(before)
        self.after, self.answers = after, answers

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        if self.answers == 0:
            self.ledger = self.after
        self.answers -= 1
        return super().call(method, params)


@pytest.mark.parametrize("ranges", [2, 2_000])
@pytest.mark.parametrize("exchanged", [1, 3, 6, 9])
def test_a_reorganisation_at_any_moment_never_gives_a_mixture(
    trunk: MemoryLedger, exchanged: int, ranges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "RANGE", ranges)
    common = grown(trunk, 9 - exchanged)
    one, other = grown(common, exchanged), grown(common, exchanged)
    last = one.head().number
    chains = [list(each.events(0, last)) for each in (one, other)]
    told, refusals = [], []
    for answers in range(50):
        node = Moving(one, other, answers)
        try:
            told.append(list(EvmLedger(node, one.terms).events(0, last)))
        except LedgerProblem as problem:
            refusals.append(problem.hint)
    assert all(each in chains for each in told)
    assert chains[0] in told
    assert chains[1] in told
    assert refusals
    assert all("try again" in hint for hint in refusals)


class Balancer:
    """Sends each request to one of two nodes, in a given order and then to the first."""

    def __init__(self, nodes: tuple[Node, Node], order: Sequence[int]) -> None:
        self.nodes, self.order = nodes, iter(order)

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        return self.nodes[next(self.order, 0)].call(method, params)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return self.nodes[next(self.order, 0)].batch(calls)


@pytest.mark.parametrize("behind", [1, 4, 8])
def test_a_node_that_lags_behind_a_balancer_hides_no_event(trunk: MemoryLedger, behind: int) -> None:
    lagging = grown(trunk, 9 - behind)
    newest = grown(lagging, behind)
    events = list(newest.events(0, newest.head().number))
    whole, refusals = 0, []
    for order in itertools.product((0, 1), repeat=8):
        ledger = EvmLedger(Balancer((Node(newest), Node(lagging)), (0, *order)), newest.terms)
        head = ledger.head()
        try:
            told = list(ledger.events(0, head.number))
        except LedgerProblem as problem:
            refusals.append(problem.hint)
            continue
        assert told == events
        whole += 1
    assert whole
    assert refusals
    assert all("try again" in hint for hint in refusals)


@pytest.mark.parametrize(("finality", "near"), [(1, 3), (10, 12), (1_000, 64)])
def test_blocks_near_the_head_are_asked_for_by_hash_at_once(
    trunk: MemoryLedger, finality: int, near: int
) -> None:
    class Counting(Node):
        def __init__(self, ledger: MemoryLedger) -> None:
            super().__init__(ledger)
            self.requests: list[list[Any]] = []

        def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
            self.requests.append([params[0] for method, params in calls if method == "eth_getLogs"])
            return super().batch(calls)

    chain = grown(trunk, 70)
    last = chain.head().number
    node = Counting(chain)
    ledger = EvmLedger(node, replace(chain.terms, finality=finality))
    assert list(ledger.events(0, last)) == list(chain.events(0, last))
    by_range, by_hash = [asked for asked in node.requests if asked]
    assert [(asked["fromBlock"], asked["toBlock"]) for asked in by_range] == [("0x0", hex(last - near))]
    assert len(by_hash) == near
    assert all(set(asked) == {"address", "blockHash"} for asked in by_hash)


def test_part_of_a_chain_is_read_as_part(trunk: MemoryLedger) -> None:
    chain = grown(trunk, 6)
    ledger = EvmLedger(Node(chain), chain.terms)
    top = chain.head().number
    for first, last in itertools.product(range(top + 3), repeat=2):
        assert list(ledger.events(first, last)) == list(chain.events(first, last))


def test_blocks_that_do_not_follow_on_each_other_are_refused(trunk: MemoryLedger) -> None:
    class Unlinked(Node):
        def _block(self, block: Any) -> dict[str, Any]:
            return super()._block(block) | {"parentHash": "0x" + "09" * 32}

    with pytest.raises(LedgerProblem, match="reorganised"):
        list(EvmLedger(Unlinked(trunk), trunk.terms).events(0, 10))
