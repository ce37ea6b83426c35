"""Taking blocks back that the chain exchanged for others: the index as it was, exactly."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from proml.core.digest import hexed
from proml.node.index import schema
from proml.node.index.applying import standing_columns, standing_of, store_standings
from proml.node.index.consortium import Consortium
from proml.node.index.documents import forget_above
from proml.node.index.schema import BLOCK_SHIFT, PLACE_BITS

# Tables with a row per event, and the column with its place.
LOGGED = (
    schema.derivation.c.step,
    schema.reliance.c.step,
    schema.step.c.place,
    schema.approval.c.place,
    schema.anchor.c.place,
    schema.refusal.c.place,
    schema.decision.c.place,
)


def take_back(connection: Connection, consortium: Consortium, number: int) -> None:
    """Make the index what it was when `number`, whose header it still has, was its newest block.

    Steps in the blocks above are kept aside as displaced until the chain has them again. `consortium` gives
    the lifecycles, and is out of date afterwards.
    """
    limit = (number + 1) << PLACE_BITS
    _keep_displaced(connection, limit)
    forget_above(connection, limit)
    _restore_artefacts(connection, consortium, limit)
    for column in LOGGED:
        connection.execute(delete(column.table).where(column >= limit))
    connection.execute(delete(schema.block).where(schema.block.c.number > number))
    connection.execute(delete(schema.header).where(schema.header.c.number > number))
    base = connection.execute(select(schema.header).where(schema.header.c.number == number)).one()
    connection.execute(update(schema.cursor).values(number=number, hash=base.hash, time=base.time))


def _restore_artefacts(connection: Connection, consortium: Consortium, limit: int) -> None:
    table, step = schema.artefact, schema.step
    connection.execute(delete(table).where(table.c.place >= limit))
    last = (
        select(func.max(step.c.place).label("place"))
        .join(table, table.c.place == step.c.artefact)
        .where(table.c.changed >= limit, step.c.place < limit)
        .group_by(step.c.artefact)
        .subquery()
    )
    asked = (
        select(table.c.id, step)
        .join(last, last.c.place == step.c.place)
        .join(table, table.c.place == step.c.artefact)
    )
    changes: list[dict[str, Any]] = []
    for row in connection.execute(asked):
        standing = standing_of(row.id, row)
        columns = standing_columns(standing, consortium.shared.tables[standing.lifecycle])
        changes.append({**columns, "at": row.artefact, "changed": row.place})
    store_standings(connection, changes)


def _keep_displaced(connection: Connection, limit: int) -> None:
    step, table, artefact = schema.step, schema.displaced, schema.artefact
    asked = (
        select(step, artefact.c.id, schema.block.c.time)
        .join(artefact, artefact.c.place == step.c.artefact)
        .join(schema.block, schema.block.c.number == step.c.place.op(">>")(BLOCK_SHIFT))
        .where(step.c.place >= limit)
    )
    rows = {
        row.record: {
            "record": row.record,
            "place": row.place,
            "artefact": row.id,
            "content": json.dumps(
                {
                    "sequence": row.sequence,
                    "action": row.action,
                    "before": row.before,
                    "state": row.state,
                    "lifecycle": row.lifecycle,
                    "organisation": row.organisation,
                    "key": hexed(row.key),
                    "subject": None if row.subject is None else hexed(row.subject),
                    "head": hexed(row.head),
                    "transaction": hexed(row.transaction),
                    "time": row.time,
                }
            ),
        }
        for row in connection.execute(asked)
    }
    if rows:
        connection.execute(delete(table).where(table.c.record.in_(list(rows))))
        connection.execute(insert(table), list(rows.values()))
