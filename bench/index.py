"""Measures the index: reading events into it, a lineage of 10,000 artefacts, and searching 1,000,000 records.

python bench/index.py
"""

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Table, insert

from proml.contracts.abi import decode_event, encode_event
from proml.core.artefact import Artefact
from proml.core.call import Call, Founder, StepCall
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import ZERO, sha256, word
from proml.core.event import Block, Event, Header, Input, Placed
from proml.core.history import SharedHistory
from proml.core.proposal import Governance
from proml.interfaces import Terms
from proml.lifecycles import shipped
from proml.node.index import FieldTest, Index, Indexer, Reach, Wanted, find, lineage, schema
from proml.node.index.applying import standing_columns
from proml.node.index.documents import words_of
from proml.node.index.opening import writing_engine
from proml.node.index.schema import PLACE_BITS

RUNS = 10_000
IN_BLOCK = 100
RECORDS = 1_000_000
SEARCHES = 600
ALIVE, RUN = 3, 2
KEY = sha256(b"key")[:20]
TERMS = Terms(31337, sha256(b"genesis"), sha256(b"contract")[:20], 1, sha256(b"code"), 1)
START, FINISH, RECALL = 1, 2, 5


def measure() -> dict[str, float]:
    """Events a second, decoded and with their rows; seconds of one lineage; p50 and p99 of mixed searches."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/events.sqlite"
        rate = events_per_second(url)
        seconds = lineage_seconds(url)
        url = f"sqlite:///{folder}/records.sqlite"
        fill(url, RECORDS)
        times = sorted(search_times(url, SEARCHES))
    return {
        "index_events_per_s": rate,
        "lineage_10000_nodes_seconds": seconds,
        "search_1M_records_p50_ms": 1_000 * times[len(times) // 2],
        "search_1M_records_p99_ms": 1_000 * times[int(0.99 * len(times))],
    }


class Told:
    """A ledger that gives what it was told, as a node would: encoded logs, decoded when they are read."""

    terms = TERMS

    def __init__(self) -> None:
        self.shared = SharedHistory(TERMS.chain_id, TERMS.contract)
        self._blocks = [Header(Block(0, TERMS.genesis, 0), ZERO)]
        self._logs: list[list[tuple[tuple[bytes, ...], bytes]]] = [[]]
        founder = Founder(KEY, role_mask(ROLES), sha256(b"profile"))
        self._mine(self.shared.found([founder], Governance(1), [each.table for each in shipped()], 1))

    def take(self, *steps: StepCall) -> None:
        """One block with a batch."""
        events = self.shared.batch(Call(KEY, len(self._blocks)), (), steps)
        assert isinstance(events, list)
        self._mine(events)

    def _mine(self, events: Sequence[Event]) -> None:
        before = self._blocks[-1].block
        number = before.number + 1
        self._blocks.append(Header(Block(number, sha256(before.hash), number), before.hash))
        self._logs.append([encode_event(event) for event in events])

    def head(self) -> Block:
        """The newest block."""
        return self._blocks[-1].block

    def block(self, number: int) -> Block | None:
        """A block by number."""
        return self._blocks[number].block if number < len(self._blocks) else None

    def headers(self, first: int, last: int) -> Sequence[Header]:
        """Blocks with their parents."""
        return self._blocks[first : last + 1]

    def events(self, first: int, last: int) -> Iterator[Placed]:
        """Events of blocks first..last."""
        for header in self._blocks[first : last + 1]:
            for index, (topics, content) in enumerate(self._logs[header.block.number]):
                yield Placed(decode_event(topics, content), header.block, header.block.hash, index)

    def events_of(self, blocks: Sequence[Block]) -> Iterator[Placed]:
        """Events of these blocks."""
        for block in blocks:
            yield from self.events(block.number, block.number)


def events_per_second(url: str) -> float:
    """Of 10,000 runs, each started, and finished from the one before and one much before: 20,000 events."""
    ledger = Told()
    starts = [StepCall(word(n), RUN, START, 1, sha256(word(n)), ZERO) for n in range(RUNS)]
    ids = [ledger.shared.id_of(Call(KEY, 1), start) for start in starts]
    for first in range(0, RUNS, IN_BLOCK):
        numbers = range(first, first + IN_BLOCK)
        ledger.take(*(starts[n] for n in numbers))
        ledger.take(*(finished(ids, n) for n in numbers))
    assert all(each.sequence == 2 for each in ledger.shared.artefacts.values())
    with closing(Indexer(url, ledger)) as indexer:
        began = time.perf_counter()
        events = indexer.advance().events
        seconds = time.perf_counter() - began
    assert events > 2 * RUNS
    return events / seconds


def finished(ids: list[bytes], number: int) -> StepCall:
    inputs = tuple(Input(ids[other], 2) for other in sorted({number - 1, number // 2}) if 0 <= other < number)
    return StepCall(ids[number], 0, FINISH, 2, sha256(ids[number]), ZERO, inputs)


def lineage_seconds(url: str) -> float:
    """One question for all ancestors of the last run, opened index, rows made."""
    last = SharedHistory(TERMS.chain_id, TERMS.contract).id_of(
        Call(KEY, 1), StepCall(word(RUNS - 1), RUN, START, 1, ZERO, ZERO)
    )
    with closing(opened(url)) as index:
        began = time.perf_counter()
        with index.reading() as view:
            found = lineage(view, last, Reach(down=False, most=RUNS))
        seconds = time.perf_counter() - began
    assert len(found.artefacts) == RUNS
    return seconds


def opened(url: str) -> Index:
    return Index(url, TERMS, shipped(), lambda number: f"organisation {number}")


# --- a million records --------------------------------------------------------------------------


def fill(url: str, records: int) -> None:
    """An index with so many steps, each with its record: two of three are registrations or ends of runs."""
    ledger = Told()
    with closing(Indexer(url, ledger)) as indexer:
        indexer.advance()
    engine = writing_engine(url)
    lot = 60_000
    for first in range(0, records, lot):
        rows: dict[Table, list[dict[str, Any]]] = {}
        for number in range(first, min(first + lot, records), ALIVE):
            write_artefact(rows, number, min(ALIVE, records - number))
        with engine.begin() as connection:
            # Nobody minds if this file is lost.
            connection.exec_driver_sql("PRAGMA secure_delete = OFF")
            for table, of_table in rows.items():
                connection.execute(insert(table), of_table)
            last = place(min(first + lot, records) - 1) >> PLACE_BITS
            blocks = range(place(first) >> PLACE_BITS, last + 1)
            made = [{"number": each, "hash": word(each), "time": 12 * each} for each in blocks]
            connection.execute(insert(schema.block), made)
            connection.execute(schema.cursor.update().values(number=last))
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


def write_artefact(rows: dict[Table, list[dict[str, Any]]], number: int, steps: int) -> None:
    """A run that was started, and perhaps finished, and perhaps recalled; each step with a record."""
    chance = random.Random(number)
    taken = steps if chance.random() < 0.9 else 1
    identifier = sha256(b"%d" % number)
    where = place(number)
    for step in range(taken):
        at, state = place(number + step), (1, 2, 5)[step]
        record = sha256(b"record %d" % (number + step))
        standing = Artefact(identifier, RUN, state, step + 1, 2 * (step == 1), 1, 1, (0,) * 6, 0, identifier)
        rows.setdefault(schema.step, []).append({
            "place": at, "artefact": where, "sequence": step + 1, "action": (START, FINISH, RECALL)[step],
            "before": (0, 1, 2)[step], "state": state, "lifecycle": RUN, "organisation": 1 + number % 7,
            "key": KEY, "record": record, "subject": None, "word": word(standing.word),
            "head": identifier, "contester": 0, "transaction": record,
        })  # fmt: skip
        write_record(rows, chance, (number, step, at, where, record))
    columns = standing_columns(standing, TABLE)
    rows.setdefault(schema.artefact, []).append(
        {**columns, "place": where, "changed": place(number + taken - 1)}
    )


TABLE = shipped()[1].table


def place(number: int) -> int:
    return 3 + number // IN_BLOCK << PLACE_BITS | number % IN_BLOCK


def write_record(
    rows: dict[Table, list[dict[str, Any]]], chance: random.Random, about: tuple[int, int, int, int, bytes]
) -> None:
    number, step, at, where, record = about
    name = (
        f"{chance.choice(('digits', 'faces', 'prices'))}-{number} night.{number % 9}" if step == 0 else None
    )
    facts: dict[str, Any] = {
        0: {"parameters.rate": chance.random() / 10, "parameters.optimiser": chance.choice("abcde"),
            "parameters.seed": float(number)},
        1: {"metrics.accuracy": chance.random(), "metrics.loss": chance.expovariate(1)},
        2: {"claims.reason": "licence"},
    }[step]  # fmt: skip
    content = json.dumps({"fields": {"name": name, "values": facts}, "absent": []})
    rows.setdefault(schema.document, []).append({
        "place": at, "artefact": where, "record": record, "name": name, "subject": None, "disclosed": False,
        "content": content,
    })  # fmt: skip
    for path, value in facts.items():
        number_, text = (value, None) if isinstance(value, float) else (None, value)
        fact = {"artefact": where, "path": path, "place": at, "number": number_, "text": text}
        rows.setdefault(schema.fact, []).append(fact)
    for text in words_of(name or ""):
        rows.setdefault(schema.word, []).append({"text": text, "artefact": where, "place": at})


def search_times(url: str, count: int) -> Iterator[float]:
    """Seconds of each of so many searches, of every kind in turn, a page of 20 rows each."""
    chance = random.Random(1)
    kinds: list[Callable[[], Wanted]] = [
        lambda: Wanted(name=f"digits-{ALIVE * chance.randrange(RECORDS // ALIVE)}"),
        lambda: Wanted(name=chance.choice(("digits", "night", "zebra"))),
        lambda: Wanted(digest=sha256(b"record %d" % chance.randrange(RECORDS))),
        lambda: Wanted(digest=sha256(b"%d" % (ALIVE * chance.randrange(RECORDS // ALIVE)))[:3]),
        lambda: Wanted(kind="run", state=chance.choice(("started", "finished", "recalled"))),
        lambda: Wanted(fields=(FieldTest("metrics.accuracy", ">=", chance.choice((0.5, 0.99, 0.99999))),)),
        lambda: Wanted(fields=(FieldTest("metrics.accuracy", "<", 0.1), FieldTest("metrics.loss", ">", 3.0))),
        lambda: Wanted(
            state="recalled",
            fields=(FieldTest("parameters.optimiser", "=", "c"), FieldTest("metrics.accuracy", ">", 0.9)),
        ),
        lambda: Wanted(organisation=chance.randrange(1, 8), name="faces", unfinished=True),
        lambda: Wanted(since=12 * chance.randrange(RECORDS // IN_BLOCK), organisation=9),
        lambda: Wanted(fields=(FieldTest("parameters.seed", "=", float(ALIVE * chance.randrange(300_000))),)),
        lambda: Wanted(until=12 * chance.randrange(RECORDS // IN_BLOCK), unfinished=True),
    ]
    with closing(opened(url)) as index:
        for number in range(count):
            wanted = kinds[number % len(kinds)]()
            began = time.perf_counter()
            with index.reading() as view:
                find(view, wanted)
            yield time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
