"""Many blocks asked for at once, of nodes that take batches of some size only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from proml.core.digest import hexed, keccak256, word
from proml.errors import LedgerProblem
from proml.ledger import blocks
from proml.ledger.blocks import Blocks, ask_in_pieces
from proml.ledger.rpc import RpcError, Unanswered

HEIGHT = 2_000


def name(number: int) -> bytes:
    return keccak256(word(number))


class Node:
    """A chain of blocks without anything in them; keeps count of what it was asked at once."""

    def __init__(self, largest: int = HEIGHT, refusal: Exception | None = None) -> None:
        self.largest, self.refusal = largest, refusal
        self.sizes: list[int] = []

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        self.sizes.append(1)
        return self._answer(params)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self.sizes.append(len(calls))
        if len(calls) > self.largest and self.refusal:
            raise self.refusal
        answers = [self._answer(params) for _, params in calls]
        return [each if n < self.largest else too_much() for n, each in enumerate(answers)]

    def _answer(self, params: Sequence[Any]) -> Any:
        number = int(params[0], 16)
        if number > HEIGHT:
            return None
        parent = name(number - 1) if number else bytes(32)
        return {
            "number": hex(number),
            "hash": hexed(name(number)),
            "parentHash": hexed(parent),
            "timestamp": "0x1",
        }


def too_much() -> RpcError:
    return RpcError("eth_getBlockByNumber", -32003, "response too large")


REFUSALS = {
    "the whole refused": RpcError("a batch", -32600, "batch too large"),
    "answers missing": Unanswered("left without an answer"),
    "some refused": None,
}


def test_two_thousand_blocks_are_asked_for_in_hundreds() -> None:
    node = Node()
    assert [each.block.number for each in Blocks(node).read(range(HEIGHT))] == list(range(HEIGHT))
    assert node.sizes == [100] * 20


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("largest", [1, 3, 50, 99])
def test_a_node_that_takes_small_batches_is_asked_in_small_ones(largest: int, refusal: str) -> None:
    node = Node(largest, REFUSALS[refusal])
    read = Blocks(node).read(range(230))
    assert [each.block.hash for each in read] == [name(number) for number in range(230)]
    assert [each.parent for each in read[1:]] == [each.block.hash for each in read[:-1]]
    # The size that went through is kept: it is not found out anew for every piece.
    assert len([size for size in node.sizes if size > largest]) <= 7


def test_one_call_that_is_refused_even_alone_is_told_of() -> None:
    class Refusing(Node):
        def call(self, method: str, params: Sequence[Any] = ()) -> Any:
            raise too_much()

    with pytest.raises(RpcError, match="too large"):
        Blocks(Refusing(1, REFUSALS["answers missing"])).read(range(5))


def test_a_node_that_is_away_is_not_asked_again_and_again() -> None:
    class Away(Node):
        def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
            self.sizes.append(len(calls))
            raise LedgerProblem("did not answer in time")

    node = Away()
    with pytest.raises(LedgerProblem, match="in time"):
        Blocks(node).read(range(500))
    assert node.sizes == [100]


def test_nothing_asked_is_no_request() -> None:
    node = Node()
    assert ask_in_pieces(node, []) == []
    assert node.sizes == []


def test_a_block_that_the_node_does_not_have_is_told_of() -> None:
    with pytest.raises(LedgerProblem, match=f"does not have block {HEIGHT + 1}") as caught:
        Blocks(Node()).read([HEIGHT, HEIGHT + 1])
    assert "try again" in caught.value.hint


def test_blocks_are_remembered_by_their_hash_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "KEPT", 10)
    node = Node()
    known = Blocks(node)
    for first in (0, 0, 5, 8):
        wanted = [(number, name(number)) for number in range(first, first + 5)]
        assert sorted(known.named(wanted)) == [number for number, _ in wanted]
        assert len(known._kept) <= 10
    # The second time nothing was asked; the fourth asked for what the third had not.
    assert node.sizes == [5, 5, 3]
    with pytest.raises(LedgerProblem, match="another block 12"):
        known.named([(12, bytes(32))])
