"""The contract's logs over JSON-RPC, so that what comes back is of one chain and whole.

A node may lag, may stand behind a balancer together with others, and may exchange its newest blocks while
it is read; each way `eth_getLogs` answers a range with too little and says nothing. So:

- blocks that may still be exchanged are asked for one by one, by hash (EIP-234): a node that does not have
  the block says so in place of an empty list; their headers must follow on each other;
- deeper ones are asked for in ranges. The last block of each must be the same before and after, the node
  that gives the logs must have it too, and it must still be there when the next has been read.

Anything else is a LedgerProblem to try again. Not seen: a node that leaves out logs of blocks it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

from proml.contracts.abi import decode_event
from proml.core.digest import hexed, unhexed
from proml.core.event import Block, Placed
from proml.errors import LedgerProblem
from proml.interfaces import Terms
from proml.ledger.answers import content, quantity, strictly
from proml.ledger.blocks import GET_BLOCK, Blocks, ask_in_pieces, read_block
from proml.ledger.rpc import Questions, RpcError

GET_LOGS = "eth_getLogs"
# Nodes differ in how many blocks they search at once, so a refusal halves the range.
RANGE = 2_000
# Blocks next to the head that are asked for by hash: some more than finality, at most so many.
NEAR_MORE = 2
NEAR_MOST = 64


class Logs:
    """The logs of the pinned contract behind one connection."""

    def __init__(self, rpc: Questions, blocks: Blocks, terms: Terms) -> None:
        self._rpc = rpc
        self._blocks = blocks
        self._contract = hexed(terms.contract)
        self._near_blocks = min(terms.finality + NEAR_MORE, NEAR_MOST)

    def between(self, first: int, last: int) -> Iterator[Placed]:
        """Those in blocks first..last, as far as the chain goes, in its order.

        Raises:
            LedgerProblem: the chain changed while it was read, the node has less of it than it had, or it
                gives what cannot be read.
        """
        highest, head = self._blocks.highest, self._blocks.newest().number
        if head < min(last, highest):
            raise LedgerProblem(
                f"the ledger's newest block was {highest} and now is {head}: the node lags behind",
                "try again",
            )
        last = min(last, head)
        deep = min(last, head - self._near_blocks)
        step, below = RANGE, None
        while first <= deep:
            until = min(first + step - 1, deep)
            try:
                placed, below = self._range(first, until, below)
            except RpcError:
                if first == until:
                    raise
                step = max(1, step // 2)
                continue
            yield from placed
            first = until + 1
        if first <= last:
            yield from self._near(first, last, below)

    def placed(self, logs: Any, block: Block) -> list[Placed]:
        """The logs of one block, decoded, in their order."""
        return self._decoded(logs, self._places(logs, block.number, block.number), {block.number: block})

    def _range(self, first: int, until: int, below: Block | None) -> tuple[list[Placed], Block]:
        """The logs of a range, and its last block; `below` is what was the last block before it."""
        (end,) = (header.block for header in self._blocks.read([until]))
        asked = {"address": self._contract, "fromBlock": hex(first), "toBlock": hex(until)}
        # In one request: whoever gives the logs shows that it has the last of the blocks.
        logs, witness = ask_in_pieces(self._rpc, [(GET_LOGS, [asked]), (GET_BLOCK, [hex(until), False])])
        if witness is None or read_block(witness, until) != end:
            raise _moved(until)
        places = self._places(logs, first, until)
        with strictly("a log"):
            names = [
                (number, unhexed(log["blockHash"])) for (number, _), log in zip(places, logs, strict=True)
            ]
        blocks = self._blocks.named(names)
        # Only now: what is read before `end` may be of another chain than `end`.
        expected = [end] if below is None else [below, end]
        read = self._blocks.read([block.number for block in expected])
        if [header.block for header in read] != expected:
            raise _moved(until)
        return self._decoded(logs, places, blocks), end

    def _near(self, first: int, last: int, below: Block | None) -> Iterator[Placed]:
        """The logs of blocks that may still be exchanged; `below` is the block before them."""
        headers = self._blocks.read(range(first if below is None else below.number, last + 1))
        linked = all(after.parent == before.block.hash for before, after in pairwise(headers))
        if not linked or (below is not None and headers[0].block != below):
            raise _moved(last)
        yield from self.of([header.block for header in headers if header.block.number >= first])

    def of(self, blocks: Sequence[Block]) -> Iterator[Placed]:
        """The logs of exactly these blocks, each asked for by its hash.

        Raises:
            LedgerProblem: the node does not have one of them, or not any more.
        """
        calls = [(GET_LOGS, [{"address": self._contract, "blockHash": hexed(b.hash)}]) for b in blocks]
        try:
            answers = ask_in_pieces(self._rpc, calls)
        except RpcError as error:
            raise LedgerProblem(
                f"the ledger does not give the logs of each of the blocks {_span(blocks)}: {error.text}",
                "the chain may have changed while it was read, or the node lags behind: try again",
            ) from error
        for block, logs in zip(blocks, answers, strict=True):
            yield from self.placed(logs, block)

    def _places(self, logs: Any, first: int, last: int) -> list[tuple[int, int]]:
        """Block number and index of each log."""
        if not isinstance(logs, list):
            raise LedgerProblem(f"the ledger answered {GET_LOGS} with something else than a list")
        with strictly("a log"):
            places = [(quantity(log["blockNumber"]), quantity(log["logIndex"])) for log in logs]
        if len(set(places)) != len(places) or any(not first <= number <= last for number, _ in places):
            raise LedgerProblem(
                "the ledger answered with a log twice, or of a block not asked for", "try again"
            )
        return places

    def _decoded(
        self, logs: list[Any], places: list[tuple[int, int]], blocks: dict[int, Block]
    ) -> list[Placed]:
        with strictly("a log"):
            return [
                self._place(log, blocks[number], index)
                for (number, index), log in sorted(zip(places, logs, strict=True), key=itemgetter(0))
            ]

    def _place(self, log: dict[str, Any], block: Block, index: int) -> Placed:
        if log["address"].lower() != self._contract or log.get("removed"):
            raise LedgerProblem("the ledger answered with a log of another contract, or a removed one")
        if unhexed(log["blockHash"]) != block.hash:
            raise LedgerProblem(f"a log names another block {block.number} than the chain has", "try again")
        event = decode_event([unhexed(topic) for topic in log["topics"]], content(log["data"]))
        return Placed(event, block, unhexed(log["transactionHash"]), index)


def _span(blocks: Sequence[Block]) -> str:
    return f"{blocks[0].number} to {blocks[-1].number}"


def _moved(number: int) -> LedgerProblem:
    return LedgerProblem(
        f"the chain was reorganised while its blocks up to {number} were read, or the node lags behind",
        "try again",
    )
