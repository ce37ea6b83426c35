"""Records this node holds, in the index: for showing them, and for searching by name, parameter and metric.

Only what the ledger has a commitment to is taken in, and only if it fits that commitment. None of it is in
the index's
digest: two nodes hold different records and still agree on what the chain says.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, union_all

from proml.core.digest import unhexed
from proml.core.record import open_sealed, read_disclosure
from proml.errors import NotFound, RecordInvalid, StorageProblem
from proml.interfaces import Storage
from proml.node.index import schema
from proml.node.index.rows import DocumentRow

# Bounds on what one record puts into the tables for searching; shown it is whole.
MOST_FACTS = 256
MOST_WORDS = 16
LONGEST = 200
SEARCHED = ("parameters", "metrics", "claims", "activity")
PIECE = 500
_WORD = re.compile(r"\w+")


def take_from(connection: Connection, storage: Storage, records: Iterable[bytes]) -> int:
    """Take in the records of steps and approvals in the index, by commitment, that storage holds whole.

    Records taken in before are left alone. Returns how many are new.
    """
    new = 0
    for piece in _pieces(list(records)):
        for place, artefact, record in _wanting(connection, piece):
            try:
                held = open_sealed(storage.get(record)).record
            except (NotFound, StorageProblem, RecordInvalid):
                # Not here, or altered: whoever looks at the record itself is told so.
                continue
            _keep(connection, place, artefact, DocumentRow("", False, held), record)
            new += 1
    return new


def take_disclosure(connection: Connection, content: Mapping[str, Any]) -> int:
    """Take in fields that were disclosed of a record; returns for how many steps and approvals.

    A record that is here whole stays; of another disclosure of the same record, this one takes the place.

    Raises:
        RecordInvalid: when it is no disclosure, or does not fit the commitment it names.
    """
    commitment = unhexed(str(content.get("commitment", "")))
    disclosure = read_disclosure(content, commitment)
    table, taken = schema.document, 0
    wanting = _bearers(connection, [commitment])
    for place, artefact, record in wanting:
        known = connection.execute(select(table.c.disclosed).where(table.c.place == place)).scalar()
        if known is False:
            continue
        _forget(connection, [place])
        shown = DocumentRow("", True, disclosure.shown, tuple(sorted(disclosure.absent)))
        _keep(connection, place, artefact, shown, record)
        taken += 1
    return taken


def forget(connection: Connection, record: bytes) -> int:
    """Remove whatever is held of a record; returns of how many steps and approvals."""
    table = schema.document
    places = list(connection.execute(select(table.c.place).where(table.c.record == record)).scalars())
    _forget(connection, places)
    return len(places)


def forget_above(connection: Connection, limit: int) -> None:
    """Remove the records of steps and approvals from a place on; they come again with those."""
    for table in (schema.document, schema.fact, schema.word):
        connection.execute(delete(table).where(table.c.place >= limit))


def _forget(connection: Connection, places: Sequence[int]) -> None:
    for table in (schema.document, schema.fact, schema.word):
        connection.execute(delete(table).where(table.c.place.in_(places)))


def _bearers(connection: Connection, records: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
    """Place, artefact and record of the steps and approvals that carry these commitments."""
    asked = union_all(
        *(
            select(table.c.place, table.c.artefact, table.c.record).where(table.c.record.in_(records))
            for table in (schema.step, schema.approval)
        )
    )
    return [(place, artefact, record) for place, artefact, record in connection.execute(asked)]


def _wanting(connection: Connection, records: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
    """Those of which nothing, or only a disclosure, is in the index."""
    table = schema.document
    whole = select(table.c.place).where(table.c.record.in_(records), table.c.disclosed.is_(False))
    known = set(connection.execute(whole).scalars())
    return [bearer for bearer in _bearers(connection, records) if bearer[0] not in known]


def _keep(connection: Connection, place: int, artefact: int, held: DocumentRow, record: bytes) -> None:
    _forget(connection, [place])
    subject = held.fields.get("subject") or {}
    name = _plain(str(held.fields.get("name") or "")) or None
    content = json.dumps({"fields": held.fields, "absent": held.absent})
    row = {
        "place": place,
        "artefact": artefact,
        "record": record,
        "name": name,
        "subject": unhexed(subject["sha256"]) if "sha256" in subject else None,
        "disclosed": held.disclosed,
        "content": content,
    }
    connection.execute(insert(schema.document).values(row))
    facts = [
        {"artefact": artefact, "place": place, "path": path, **_column(value)}
        for path, value in facts_of(held.fields).items()
    ]
    if facts:
        connection.execute(insert(schema.fact), facts)
    words = [{"text": text, "artefact": artefact, "place": place} for text in words_of(name or "")]
    if words:
        connection.execute(insert(schema.word), words)


def facts_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Single values by path, as `metrics.accuracy` or `parameters.layers.0`; the first 256."""
    found: dict[str, Any] = {}
    for name in SEARCHED:
        for path, value in _leaves(fields.get(name), name):
            if len(found) == MOST_FACTS:
                return found
            found.setdefault(_plain(path)[:LONGEST], value)
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    match value:
        case Mapping():
            for name, each in value.items():
                yield from _leaves(each, f"{path}.{name}")
        case list() | tuple():
            for number, each in enumerate(value):
                yield from _leaves(each, f"{path}.{number}")
        case None:
            pass
        case _:
            yield path, value


def _column(value: Any) -> dict[str, Any]:
    """A number as a number, anything else as a text: true and false as JSON writes them."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"number": float(value), "text": None}
    return {"number": None, "text": searched(json.dumps(value) if isinstance(value, bool) else str(value))}


def searched(text: str) -> str:
    """A text as it is compared when searching: its first 200 characters."""
    return _plain(text)[:LONGEST]


def words_of(name: str) -> list[str]:
    """The words of a name, the whole first: `Set_2.csv` gives `set_2.csv`, `set_2`, `set`, `2`, `csv`."""
    folded = folded_text(name)
    parts = (part for word in _WORD.findall(folded) for part in (word, *word.split("_")))
    return [word for word in dict.fromkeys((folded, *parts)) if word][:MOST_WORDS]


def folded_text(text: str) -> str:
    """A text as names are compared: without regard to case or to how an accent is written."""
    return unicodedata.normalize("NFKC", searched(text)).casefold()[:LONGEST]


def _plain(text: str) -> str:
    """PostgreSQL has no NUL in a text."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _pieces(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (values[start : start + PIECE] for start in range(0, len(values), PIECE))
