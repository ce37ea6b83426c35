"""Blocks of a chain over JSON-RPC: one, or many in batches as small as the node will have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proml.core.digest import unhexed
from proml.core.event import Block, Header
from proml.errors import LedgerProblem
from proml.ledger.answers import quantity, strictly
from proml.ledger.rpc import Questions, RpcError, Unanswered

GET_BLOCK = "eth_getBlockByNumber"
# Nodes limit batches: geth to 1,000 calls, many providers to 100, some to fewer.
PIECE = 100
# Some 300 bytes each.
KEPT = 10_000

Call = tuple[str, Sequence[Any]]


def ask_in_pieces(rpc: Questions, calls: Sequence[Call]) -> list[Any]:
    """The results of many calls, in their order: at most 100 at once, fewer where the node refuses so many.

    For calls that change nothing: some are made more than once.

    Raises:
        RpcError: the node refused one of them even when asked alone.
        LedgerProblem: as for `Rpc.call`.
    """
    answers: list[Any] = []
    size = PIECE
    while len(answers) < len(calls):
        piece = calls[len(answers) : len(answers) + size]
        if len(piece) == 1:
            answers.append(rpc.call(*piece[0]))
            continue
        try:
            got = rpc.batch(piece)
            for answer in got:
                if isinstance(answer, RpcError):
                    raise answer
        except (RpcError, Unanswered):
            size = len(piece) // 2
            continue
        answers += got
    return answers


class Blocks:
    """The blocks behind one connection; remembers some of those it has read.

    Attributes:
        highest: the largest number that the newest block ever had.
    """

    def __init__(self, rpc: Questions) -> None:
        self._rpc = rpc
        self.highest = 0
        self._kept: dict[int, Block] = {}

    def newest(self) -> Block:
        """The newest block; LedgerProblem when there is none at all."""
        answer = self._rpc.call(GET_BLOCK, ["latest", False])
        if answer is None:
            raise LedgerProblem("the chain has no block at all")
        block = read_block(answer)
        self.highest = max(self.highest, block.number)
        return block

    def at(self, number: int) -> Block | None:
        """A block by number, None beyond the head."""
        answer = self._rpc.call(GET_BLOCK, [hex(number), False])
        return None if answer is None else read_block(answer, number)

    def read(self, numbers: Sequence[int]) -> list[Header]:
        """The blocks of those numbers as the chain has them now; LedgerProblem when it lacks one."""
        answers = ask_in_pieces(self._rpc, [(GET_BLOCK, [hex(number), False]) for number in numbers])
        return [read_header(answer, number) for number, answer in zip(numbers, answers, strict=True)]

    def present(self, numbers: Sequence[int]) -> dict[int, Block | None]:
        """The blocks of those numbers as the chain has them now, by number; None where it has none."""
        answers = ask_in_pieces(self._rpc, [(GET_BLOCK, [hex(number), False]) for number in numbers])
        return {
            number: None if answer is None else read_block(answer, number)
            for number, answer in zip(numbers, answers, strict=True)
        }

    def named(self, names: Iterable[tuple[int, bytes]]) -> dict[int, Block]:
        """The blocks of those numbers and hashes, by number.

        Raises:
            LedgerProblem: the chain has another block in the place of one of them, or none.
        """
        wanted = dict(names)
        kept = self._kept
        blocks = {n: kept[n] for n, hash_ in wanted.items() if n in kept and kept[n].hash == hash_}
        for header in self.read(sorted(wanted.keys() - blocks.keys())):
            blocks[header.block.number] = header.block
        for number, hash_ in wanted.items():
            if blocks[number].hash != hash_:
                raise LedgerProblem(f"a log names another block {number} than the chain has", "try again")
        # Another thread may be at it: what is kept is exchanged as a whole.
        self._kept = kept | blocks if len(kept) + len(blocks) <= KEPT else blocks
        return blocks


def read_header(answer: Any, asked: int) -> Header:
    """An answer to `eth_getBlockByNumber`; LedgerProblem when it holds no block, or not the one asked for."""
    if answer is None:
        raise LedgerProblem(
            f"the ledger does not have block {asked}, or not any more", "the node may lag behind: try again"
        )
    block = read_block(answer, asked)
    with strictly(GET_BLOCK):
        return Header(block, unhexed(answer["parentHash"]))


def read_block(answer: Any, asked: int | None = None) -> Block:
    """The same for a block alone; None asks for no number in particular."""
    with strictly(GET_BLOCK):
        block = Block(quantity(answer["number"]), unhexed(answer["hash"]), quantity(answer["timestamp"]))
    if asked is not None and block.number != asked:
        raise LedgerProblem(f"the ledger answered with block {block.number} in place of {asked}", "try again")
    return block
