"""The tables of the index: what the chain says, what follows from it, and what only this node knows.

A *place* is one number: block << 20 | position of the log in its block. It orders everything, and names the
artefact registered there.

1. Said by the chain, a row per event, never changed: `step`, `derivation`, `reliance`, `approval`, `anchor`,
   `refusal`, `decision`, `block`. The index's digest covers exactly these.
2. Following from those: `artefact`. Made again from the first kind when blocks are taken back, compared with
   it by `proml node fsck`. Members, keys, lifecycles and proposals have no table: `consortium.py` replays the
   decisions.
3. Of this node only: `document`, `fact`, `displaced`, `progress`.

A change of these tables is a change of VERSION: an index of another version is made anew, never converted.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    literal,
)

VERSION = 3
PLACE_BITS = 20
# For `>>`, written out: PostgreSQL shifts a bigint by an integer only, and parameters are bigints.
BLOCK_SHIFT = literal(PLACE_BITS, Integer, literal_execute=True)

# SQLite makes a column of exactly this type the key of the table itself.
_PLACE = BigInteger().with_variant(Integer(), "sqlite")

# Compared byte by byte whatever the database's language, so that both databases find the same.
_BYTEWISE = Text().with_variant(Text(collation="C"), "postgresql")

tables = MetaData()


def _where_told(column: Column[Any]) -> None:
    """An index on a column that is mostly empty, without the rows where it is."""
    told = column.is_not(None)
    name = f"{column.table.name}_by_{column.name}"
    Index(name, column, sqlite_where=told, postgresql_where=told)


pin = Table(
    "pin",
    tables,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
cursor = Table(
    "cursor",
    tables,
    Column("one", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
)
# The newest blocks, all of them, as far down as they may still be exchanged and one further.
header = Table(
    "header",
    tables,
    Column("number", _PLACE, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
)

# --- said by the chain ----------------------------------------------------------------------------

# Blocks that hold an event.
block = Table(
    "block",
    tables,
    Column("number", _PLACE, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
)
step = Table(
    "step",
    tables,
    Column("place", _PLACE, primary_key=True, autoincrement=False),
    Column("artefact", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("action", Integer, nullable=False),
    Column("before", Integer, nullable=False),
    Column("state", Integer, nullable=False),
    Column("lifecycle", Integer, nullable=False),
    Column("organisation", Integer, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("subject", LargeBinary),
    Column("word", LargeBinary, nullable=False),
    Column("head", LargeBinary, nullable=False),
    # Who contests the artefact after it; the word only says whether somebody does.
    Column("contester", Integer, nullable=False),
    Column("transaction", LargeBinary, nullable=False),
    Index("step_of_artefact", "artefact", "sequence", unique=True),
    Index("step_by_record", "record"),
    Index("step_by_organisation", "organisation", "place"),
)
_where_told(step.c.subject)
derivation = Table(
    "derivation",
    tables,
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("artefact", BigInteger, nullable=False),
    Column("source", BigInteger, nullable=False),
    Column("source_sequence", BigInteger, nullable=False),
    Index("derivation_of_artefact", "artefact", "source"),
    Index("derivation_by_source", "source", "artefact"),
    sqlite_with_rowid=False,
)
reliance = Table(
    "reliance",
    tables,
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("organisation", Integer, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
approval = Table(
    "approval",
    tables,
    Column("place", _PLACE, primary_key=True, autoincrement=False),
    Column("artefact", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("action", Integer, nullable=False),
    Column("subject", LargeBinary),
    Column("organisation", Integer, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("transaction", LargeBinary, nullable=False),
    Index("approval_of_artefact", "artefact", "sequence"),
    Index("approval_by_organisation", "organisation", "place"),
    Index("approval_by_record", "record"),
)
anchor = Table(
    "anchor",
    tables,
    Column("place", _PLACE, primary_key=True, autoincrement=False),
    Column("organisation", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    # In decimal: the contract takes 256 bits.
    Column("leaves", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("transaction", LargeBinary, nullable=False),
    Index("anchor_of_organisation", "organisation", "number", unique=True),
    Index("anchor_by_root", "root"),
)
refusal = Table(
    "refusal",
    tables,
    Column("place", _PLACE, primary_key=True, autoincrement=False),
    Column("name", LargeBinary, nullable=False),
    Column("organisation", Integer, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("item", Integer, nullable=False),
    Column("reason", Integer, nullable=False),
    Column("transaction", LargeBinary, nullable=False),
    Index("refusal_by_name", "name"),
    Index("refusal_by_organisation", "organisation", "place"),
)
# Everything about members, keys, lifecycles and proposals, as it was logged.
decision = Table(
    "decision",
    tables,
    Column("place", _PLACE, primary_key=True, autoincrement=False),
    Column("event", Text, nullable=False),
    Column("topics", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("transaction", LargeBinary, nullable=False),
)

# --- following from that --------------------------------------------------------------------------

artefact = Table(
    "artefact",
    tables,
    Column("place", _PLACE, primary_key=True, autoincrement=False),
    Column("id", LargeBinary, nullable=False, unique=True),
    Column("lifecycle", Integer, nullable=False),
    Column("state", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("usable", Boolean, nullable=False),
    Column("recalled", Boolean, nullable=False),
    Column("terminal", Boolean, nullable=False),
    Column("creator", Integer, nullable=False),
    Column("custodian", Integer, nullable=False),
    Column("contester", Integer, nullable=False),
    Column("word", LargeBinary, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("changed", BigInteger, nullable=False, index=True),
    Index("artefact_by_state", "lifecycle", "state", "changed"),
    Index("artefact_by_creator", "creator", "changed"),
    Index("artefact_by_custodian", "custodian", "changed"),
    Index("artefact_recalled", "recalled", "changed"),
)
# --- of this node only ----------------------------------------------------------------------------

# What is held of the record of a step or an approval: whole, or the fields that were disclosed; checked
# against its commitment when taken in.
document = Table(
    "document",
    tables,
    Column("place", _PLACE, primary_key=True, autoincrement=False),
    Column("artefact", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("name", Text),
    Column("subject", LargeBinary),
    Column("disclosed", Boolean, nullable=False),
    Column("content", Text, nullable=False),
    Index("document_of_artefact", "artefact", "place"),
    Index("document_of_record", "record"),
)
_where_told(document.c.subject)
# The words of names, folded, for searching by how they begin.
word = Table(
    "word",
    tables,
    Column("artefact", BigInteger, primary_key=True, autoincrement=False),
    Column("text", _BYTEWISE, primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Index("word_by_text", "text", "artefact"),
    Index("word_of_place", "place"),
    sqlite_with_rowid=False,
)
# One value in a record, by its path, for searching: `metrics.accuracy`, `parameters.optimiser.name`.
fact = Table(
    "fact",
    tables,
    Column("artefact", BigInteger, primary_key=True, autoincrement=False),
    Column("path", _BYTEWISE, primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Float),
    Column("text", _BYTEWISE),
    Index("fact_by_number", "path", "number", "artefact"),
    Index("fact_by_text", "path", "text", "artefact"),
    Index("fact_of_place", "place"),
    sqlite_with_rowid=False,
)
# Steps that stood in a block which was exchanged, until the chain has them again.
displaced = Table(
    "displaced",
    tables,
    Column("record", LargeBinary, primary_key=True),
    Column("place", BigInteger, nullable=False),
    Column("artefact", LargeBinary, nullable=False, index=True),
    Column("content", Text, nullable=False),
)
progress = Table(
    "progress",
    tables,
    Column("one", Integer, primary_key=True),
    Column("checked", Float, nullable=False),
    Column("chain_head", BigInteger, nullable=False),
    Column("problem", Text, nullable=False),
)
