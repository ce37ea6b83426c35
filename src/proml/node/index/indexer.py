"""The indexer: reads the chain into the index, block after block, and takes back what the chain takes back.

The index is a pure function of the chain up to its cursor. Each lot of blocks is written with the rows that
follow from it, and the cursor, in one transaction: killed anywhere, the index stands at one block exactly.
Blocks that may still be exchanged are asked for by hash and must follow on each other; when the chain
exchanged some, they are taken back first, in a transaction of their own. A final block that was exchanged
stops the indexer: that breaks what the chain promised, and people have to know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice, pairwise
from operator import attrgetter
from threading import Event as Flag
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from proml.core.event import Acted, Approved, Block, Header, Placed, Registered
from proml.errors import Busy, IndexProblem, LedgerProblem, WrongLedger
from proml.interfaces import Ledger, Storage
from proml.node.index import schema
from proml.node.index.applying import apply
from proml.node.index.consortium import Consortium, resume
from proml.node.index.documents import forget, take_disclosure, take_from
from proml.node.index.healing import take_back
from proml.node.index.making import empty, make_ready
from proml.node.index.opening import plainly, set_aside_if_damaged, shown, writing_engine

# Events in one transaction, at least, if there are as many; more only where one block has more.
LOT = 2_000
# Storage is searched for records that came late: at most so often, and in one part in so many of the time.
LATE_SECONDS = 10.0
LATE_SHARE = 20
# Blocks next to the head that are read by hash: so many more than may be exchanged.
NEAR_MORE = 2


@dataclass(frozen=True, slots=True)
class Advanced:
    """What one advance did.

    Attributes:
        head: number of the newest block in the index now.
        events: how many it took in.
        taken_back: how many blocks it took back before.
    """

    head: int
    events: int
    taken_back: int


class Indexer:
    """Writes the index of a ledger. One at a time: a second one finds the index moved, and reads it anew.

    Args:
        url: see `Index`.
        ledger: checked against its terms when it was opened.
        storage: where this node's records are; without it the index knows digests only.

    Raises:
        IndexProblem, Busy: when the database cannot be written, see `plainly`; one of another version, or
            another ledger's, is emptied first.
    """

    def __init__(self, url: str, ledger: Ledger, storage: Storage | None = None) -> None:
        self._ledger = ledger
        self._storage = storage
        self._terms = ledger.terms
        self._url = url
        self._shown = shown(url)
        self._engine = writing_engine(url)
        self._near = self._terms.finality + NEAR_MORE
        # Where the index stands, and the consortium there; None when it must be read from the database.
        self._at: tuple[Block, Consortium] | None = None

    def advance(self, until: int | None = None) -> Advanced:
        """Read everything the ledger has, or up to a block; what was committed stays when this raises.

        Raises:
            WrongLedger: final blocks were exchanged: this ledger is not the one that the index was made from.
            LedgerProblem: the ledger is away, moved while it was read, or leaves something out: try again.
            IndexProblem, Busy: the index cannot be written.
        """
        try:
            with plainly(self._shown):
                return self._advance(until)
        except BaseException:
            self._at = None
            raise

    def run(
        self, stop: Flag, pause: float = 1.0, told: Callable[[Advanced | Exception], None] = lambda _: None
    ) -> None:
        """Advance until `stop` is set, every `pause` seconds; tell each advance, and each trouble.

        Now and then it looks for records that reached storage late.
        Trouble that may pass is written to the index for everybody to see, and tried again, ever more seldom.

        Raises:
            WrongLedger: as `advance`: trying again is of no use.
        """
        waits, look_at = pause, 0.0
        while not stop.is_set():
            try:
                told(self.advance())
                waits = pause
                if time.monotonic() >= look_at:
                    began = time.monotonic()
                    self.take_documents()
                    ended = time.monotonic()
                    look_at = ended + max(LATE_SECONDS, LATE_SHARE * (ended - began))
            except WrongLedger:
                raise
            except (LedgerProblem, IndexProblem, Busy) as problem:
                told(problem)
                waits = min(2 * waits, 60 * pause)
            stop.wait(waits)

    def rebuild(self) -> Advanced:
        """Empty the index and read everything again; readers see it grow.

        Raises:
            LedgerProblem, IndexProblem, Busy: as `advance`, which goes on from there.
        """
        self._at = None
        set_aside_if_damaged(self._url)
        with plainly(self._shown), self._engine.begin() as connection:
            empty(connection)
        advanced = self.advance()
        self.take_documents()
        return advanced

    def take_documents(self) -> int:
        """Take in records that reached storage after their steps reached the ledger; returns how many.

        Raises:
            IndexProblem, Busy: the index cannot be written.
        """
        if self._storage is None:
            return 0
        taken = 0
        with plainly(self._shown):
            for digests in _batched(self._storage.digests(), LOT):
                with self._engine.begin() as connection:
                    taken += take_from(connection, self._storage, digests)
        return taken

    def take_disclosure(self, content: Mapping[str, Any]) -> int:
        """Take in fields that were disclosed of a record; returns for how many steps and approvals.

        Raises:
            RecordInvalid: when it is no disclosure, or does not fit the commitment it names.
            IndexProblem, Busy: the index cannot be written.
        """
        with plainly(self._shown), self._engine.begin() as connection:
            return take_disclosure(connection, content)

    def forget(self, record: bytes) -> int:
        """Remove whatever is held of a record from the index and its file; returns from how many places.

        Raises:
            IndexProblem, Busy: the index cannot be written.
        """
        with plainly(self._shown):
            with self._engine.begin() as connection:
                places = forget(connection, record)
            if self._engine.dialect.name == "sqlite":
                # What was deleted is overwritten (`secure_delete`), also in the log beside the file.
                with closing(self._engine.raw_connection()) as connection:
                    connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return places

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def _advance(self, until: int | None) -> Advanced:
        problem = ""
        head: Block | None = None
        try:
            head = self._ledger.head()
            last = head.number if until is None else min(until, head.number)
            cursor = self._ready()
            taken_back = self._heal(cursor, head)
            events = self._read(head.number - self._near, last)
        except LedgerProblem as error:
            problem = error.message
            raise
        finally:
            self._report(head, problem)
        return Advanced(self._standing().number, events, taken_back)

    # --- where the index stands -------------------------------------------------------------------

    def _ready(self) -> Block:
        """The newest block of the index; makes an empty one where there is none for this ledger."""
        if self._at is None:
            with self._engine.begin() as connection:
                make_ready(connection, self._terms, self._ledger)
                self._load(connection)
        return self._standing()

    def _load(self, connection: Connection) -> None:
        self._at = _cursor(connection), resume(connection, self._terms)

    def _standing(self) -> Block:
        assert self._at is not None
        return self._at[0]

    def _report(self, head: Block | None, problem: str) -> None:
        """Leave word of how it went, for `status`."""
        if self._at is None:
            return
        number = head.number if head else self._at[0].number
        with self._engine.begin() as connection:
            connection.execute(delete(schema.progress))
            connection.execute(
                insert(schema.progress).values(one=1, checked=time.time(), chain_head=number, problem=problem)
            )

    # --- reorganisations --------------------------------------------------------------------------

    def _heal(self, cursor: Block, head: Block) -> int:
        """Take back blocks that the chain does not have any more; returns how many."""
        with self._engine.connect() as connection:
            kept = {row.number: row.hash for row in connection.execute(select(schema.header))}
        reach = [number for number in sorted(kept) if number <= head.number]
        if not reach:
            raise LedgerProblem(
                f"the ledger's newest block is {head.number}, and the index reads to {cursor.number}: "
                "the node lags far behind",
                "wait for it, or ask another node",
            )
        found = self._ledger.headers(reach[0], reach[-1])
        same = [each.block.number for each in found if kept.get(each.block.number) == each.block.hash]
        if same and same[-1] == reach[-1]:
            return 0
        final = cursor.number - self._terms.finality + 1
        if not same or same[-1] < min(final, cursor.number):
            raise WrongLedger(
                f"the ledger has another block {reach[0] if not same else same[-1] + 1} than the index, "
                "and that block was final",
                "compare with another member (`proml ledger status`): this node was given a false chain, or "
                "the chain broke its promise; `proml node rebuild-index` accepts the present one",
            )
        with self._engine.begin() as connection:
            self._check_unmoved(connection)
            assert self._at is not None
            take_back(connection, self._at[1], same[-1])
            self._load(connection)
        return cursor.number - same[-1]

    # --- reading on -------------------------------------------------------------------------------

    def _read(self, deep: int, last: int) -> int:
        """Blocks up to `deep` in ranges, those after it by hash."""
        count, deep = 0, min(deep, last)
        if self._standing().number < deep:
            for lot in _lots(self._ledger.events(self._standing().number + 1, deep)):
                self._write(lot, [lot[-1].block])
                count += len(lot)
            (end,) = self._ledger.headers(deep, deep)
            self._write([], [end.block])
        first = self._standing().number + 1
        if first > last:
            return count
        headers = self._ledger.headers(first, last)
        linked = all(after.parent == before.block.hash for before, after in pairwise(headers))
        if not linked or headers[0].parent != self._standing().hash:
            raise LedgerProblem("the chain was reorganised while it was read", "try again")
        events = list(self._ledger.events_of([header.block for header in headers]))
        for blocks, lot in _near_lots(headers, events):
            self._write(lot, blocks)
            count += len(lot)
        return count

    def _write(self, events: Sequence[Placed], blocks: Sequence[Block]) -> None:
        """Events, what follows from them and the cursor, in one transaction."""
        assert self._at is not None
        newest, consortium = blocks[-1], self._at[1]
        with self._engine.begin() as connection:
            self._check_unmoved(connection)
            apply(connection, consortium, events)
            if self._storage is not None:
                take_from(connection, self._storage, _records(events))
            table = schema.header
            connection.execute(
                delete(table).where(
                    (table.c.number <= newest.number - self._near) | (table.c.number >= blocks[0].number)
                )
            )
            rows = [{"number": b.number, "hash": b.hash, "time": b.time} for b in blocks]
            connection.execute(insert(table), rows)
            connection.execute(
                update(schema.cursor).values(number=newest.number, hash=newest.hash, time=newest.time)
            )
        self._at = newest, consortium

    def _check_unmoved(self, connection: Connection) -> None:
        """Another indexer may be at it: whatever this one knows must still be so."""
        if _cursor(connection, lock=True) != self._standing():
            raise Busy("another indexer writes this index", "let one of them be enough")


def _cursor(connection: Connection, lock: bool = False) -> Block:
    asked = select(schema.cursor)
    row = connection.execute(asked.with_for_update() if lock else asked).one()
    return Block(row.number, row.hash, row.time)


def _records(events: Iterable[Placed]) -> list[bytes]:
    return [each.event.record for each in events if isinstance(each.event, Registered | Acted | Approved)]


def _lots(events: Iterable[Placed]) -> Iterator[list[Placed]]:
    """Events in lots that end where a block ends."""
    lot: list[Placed] = []
    for _, of_block in groupby(events, key=attrgetter("block")):
        lot += of_block
        if len(lot) >= LOT:
            yield lot
            lot = []
    if lot:
        yield lot


def _near_lots(
    headers: Sequence[Header], events: Sequence[Placed]
) -> Iterator[tuple[list[Block], list[Placed]]]:
    """The same with the blocks, those without an event too."""
    of_block = {number: list(group) for number, group in groupby(events, key=lambda each: each.block.number)}
    blocks: list[Block] = []
    lot: list[Placed] = []
    for header in headers:
        blocks.append(header.block)
        lot += of_block.get(header.block.number, [])
        if len(lot) >= LOT:
            yield blocks, lot
            blocks, lot = [], []
    if blocks:
        yield blocks, lot


def _batched(values: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Lists of at most `size`, in order; `itertools.batched` of later Python versions."""
    rest = iter(values)
    while lot := list(islice(rest, size)):
        yield lot
