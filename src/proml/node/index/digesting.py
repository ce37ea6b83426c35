"""The digest of an index: what two nodes compare, and what shows that somebody changed an index by hand.

SHA-256 over every row that the chain says (`schema.py`, first kind) up to a block, table after table, in the
order of their places. It does not depend on the database, on the way the index was made, or on which records
a node holds: two honest nodes have the same digest at the same block.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, select

from proml.core.digest import hexed, sha256
from proml.errors import UsageProblem
from proml.node.index import schema
from proml.node.index.opening import View, pins
from proml.node.index.schema import PLACE_BITS

# Each table, and the column that says from which block a row is, as a place or as a number.
_TABLES: tuple[Column[Any], ...] = (
    schema.block.c.number,
    schema.step.c.place,
    schema.derivation.c.step,
    schema.reliance.c.step,
    schema.approval.c.place,
    schema.anchor.c.place,
    schema.refusal.c.place,
    schema.decision.c.place,
)
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class IndexDigest:
    """What an index says of the chain up to a block, in 32 bytes.

    Attributes:
        block: up to which block, that one included.
        digest: over the digests of all tables; `0x` and 64 digits, as those are.
        tables: the digest of each table, by its name, so that a difference has a place.
        rows: how many rows it covers.
    """

    block: int
    digest: str
    tables: dict[str, str]
    rows: int


def index_digest(view: View, until: int | None = None) -> IndexDigest:
    """The digest of the index up to block `until`, or to its head.

    Raises:
        UsageProblem: when the index does not reach that block.
    """
    until = view.head.number if until is None else until
    if not 0 <= until <= view.head.number:
        raise UsageProblem(f"the index reads to block {view.head.number}, not to {until}")
    found, rows = dict[str, str](), 0
    for column in _TABLES:
        last = until if column is schema.block.c.number else ((until + 1) << PLACE_BITS) - 1
        key = column.table.primary_key.columns
        asked = select(column.table).where(column <= last).order_by(*key)
        made = hashlib.sha256()
        for lot in view.connection.execute(asked).partitions(_AT_ONCE):
            for row in lot:
                made.update(_written(row))
            rows += len(lot)
        found[column.table.name] = hexed(made.digest())
    pinned = "".join(f"{name}={value};" for name, value in sorted(pins(view.terms).items()))
    whole = sha256(pinned.encode() + str(until).encode() + "".join(found.values()).encode())
    return IndexDigest(until, hexed(whole), found, rows)


def _written(row: Iterable[Any]) -> bytes:
    """A row as bytes, each value with its type and length, so that no two rows are written alike."""
    parts = []
    for value in row:
        if value is None:
            parts.append(b"n")
        elif isinstance(value, int):
            parts.append(b"i%d;" % value)
        else:
            content = value.encode() if isinstance(value, str) else bytes(value)
            parts.append(b"b%d:" % len(content) + content)
    return b"".join(parts) + b"\n"
