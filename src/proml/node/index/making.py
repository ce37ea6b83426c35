"""Making an index: its tables, what pins it, and the block before the contract's first."""

from __future__ import annotations

from sqlalchemy import Connection, MetaData, insert, inspect, select, text

from proml.errors import IndexProblem
from proml.interfaces import Ledger, Terms
from proml.node.index import schema
from proml.node.index.opening import KIND, SCHEMA, pins


def make_ready(connection: Connection, terms: Terms, ledger: Ledger) -> None:
    """See to it that the database holds an index of this version and ledger: as it is, or made anew, empty.

    Raises:
        IndexProblem: when the database holds something that no ProML made.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    names = _names(connection)
    if names:
        found = _pins(connection, names)
        if found == pins(terms):
            return
        _check_ours(found)
        _drop(connection, names)
    schema.tables.create_all(connection)
    connection.execute(insert(schema.pin), [{"name": n, "value": v} for n, v in pins(terms).items()])
    (first,) = ledger.headers(terms.deployed, terms.deployed)
    before = {"number": terms.deployed - 1, "hash": first.parent, "time": 0}
    connection.execute(insert(schema.cursor).values(one=1, **before))
    connection.execute(insert(schema.header).values(**before))


def empty(connection: Connection) -> None:
    """Remove an index, whatever is in it; nothing happens where there is none.

    Raises:
        IndexProblem: when the database holds something that no ProML made.
    """
    names = _names(connection)
    if names:
        _check_ours(_pins(connection, names))
        _drop(connection, names)


def _names(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names(SCHEMA if connection.dialect.name == "postgresql" else None)


def _pins(connection: Connection, names: list[str]) -> dict[str, str]:
    if schema.pin.name not in names:
        return {}
    return {row.name: row.value for row in connection.execute(select(schema.pin))}


def _check_ours(found: dict[str, str]) -> None:
    if found.get("kind") != KIND:
        raise IndexProblem(
            "the database that shall hold the index holds something else",
            "give the index a database of its own",
        )


def _drop(connection: Connection, names: list[str]) -> None:
    """Remove the tables of another version or ledger: everything in them can be read from the chain again."""
    old = MetaData()
    old.reflect(connection, only=names)
    old.drop_all(connection)
