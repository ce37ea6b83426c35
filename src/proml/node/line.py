"""The line to the ledger: one question at a time, asked in the background while the next is got ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Self

from proml.core.event import Block
from proml.errors import LedgerProblem
from proml.interfaces import Ledger, Receipt, SignedTransaction


@dataclass(frozen=True, slots=True)
class Look:
    """What one exchange with the ledger came to.

    Attributes:
        problem: the first that sending met; what it says of the bytes is unknown, not failed.
        receipts: of the transactions that are in blocks, by hash.
        final: hashes of the blocks of those receipts that are final.
        head: the newest block, None when every transaction has its receipt.
        mined: how many transactions of each key are in blocks up to `head`.
        settled: the same up to the newest block that is final.
    """

    problem: LedgerProblem | None
    receipts: dict[bytes, Receipt]
    final: frozenset[bytes]
    head: Block | None = None
    mined: dict[bytes, int] = field(default_factory=dict)
    settled: dict[bytes, int] = field(default_factory=dict)


def look(
    ledger: Ledger, sending: Sequence[SignedTransaction], about: Sequence[Sequence[bytes]], keys: set[bytes]
) -> Look:
    """Send what is to be sent, and see what became of it and of others.

    Args:
        ledger: asked for everything.
        sending: signed bytes, in the order of their nonces.
        about: for each transaction of interest the hashes of all that was signed for its nonce.
        keys: the addresses that signed those.

    Raises:
        LedgerProblem: when it does not answer; what was sent may have arrived all the same.
    """
    problem = next((problem for problem in ledger.send_all(sending) if problem is not None), None)
    hashes = [each for hashes in about for each in hashes]
    receipts = {each.transaction: each for each in ledger.receipts(hashes) if each is not None}
    blocks = list({receipt.block.hash: receipt.block for receipt in receipts.values()}.values())
    finals = zip(blocks, ledger.final(blocks), strict=True) if blocks else ()
    final = frozenset(block.hash for block, is_final in finals if is_final)
    if all(any(each in receipts for each in hashes) for hashes in about):
        return Look(problem, receipts, final)
    head = ledger.head()
    deep = ledger.block(max(0, head.number - ledger.terms.finality + 1))
    if deep is None:
        raise LedgerProblem(f"the ledger has block {head.number} and not those before it", "try again")
    return Look(
        problem,
        receipts,
        final,
        head,
        # By block, so that count and height are those of one chain, whichever node answers.
        {key: ledger.nonce(key, head) for key in keys},
        {key: ledger.nonce(key, deep) for key in keys},
    )


class Line:
    """Does one piece of work at a time in a thread of its own, which never keeps a process from ending."""

    def __init__(self) -> None:
        """Nothing runs before the `with` block."""
        self._jobs: SimpleQueue[tuple[Callable[[], Look], Future[Look]] | None] = SimpleQueue()

    def ask(self, work: Callable[[], Look]) -> Future[Look]:
        """Begin a piece of work."""
        future: Future[Look] = Future()
        self._jobs.put((work, future))
        return future

    def _run(self) -> None:
        while job := self._jobs.get():
            work, future = job
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 -- raised where the answer is waited for
                future.set_exception(error)
            del job, work, future

    def __enter__(self) -> Self:
        Thread(target=self._run, name="proml-line", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._jobs.put(None)
