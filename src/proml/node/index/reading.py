"""Rows of the database turned into what the index answers with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, select, tuple_

from proml.core.digest import hexed
from proml.node.index import schema
from proml.node.index.applying import standing_of
from proml.node.index.opening import View
from proml.node.index.rows import (
    ApprovalRow,
    ArtefactRow,
    Certainty,
    DocumentRow,
    InputRow,
    Member,
    Place,
    RelianceRow,
    StepRow,
)
from proml.node.index.schema import BLOCK_SHIFT, PLACE_BITS

_POSITION = (1 << PLACE_BITS) - 1
# Keys that one question looks up at once; databases limit the values in a statement.
PIECE = 500


def member(view: View, number: int) -> Member:
    """An organisation by its number."""
    return Member(number, view.names.name_of(number))


def _somebody(view: View, number: int) -> Member | None:
    return member(view, number) if number else None


def place(view: View, where: int, time: int, transaction: bytes) -> Place:
    """A place in the chain, and how certain it is as seen from the view's head."""
    number = where >> PLACE_BITS
    certainty = Certainty.FINAL if number <= view.head.final else Certainty.CONFIRMED
    return Place(
        number, where & _POSITION, time, hexed(transaction), certainty, view.head.number - number + 1
    )


def logged(view: View, table: Table, condition: ColumnElement[bool], limit: int) -> Iterable[Any]:
    """At most `limit` rows of a table with a row per event, newest first, each with the time of its block."""
    asked = (
        select(table, schema.block.c.time)
        .join(schema.block, schema.block.c.number == table.c.place.op(">>")(BLOCK_SHIFT))
        .where(condition)
        .order_by(table.c.place.desc())
        .limit(limit)
    )
    return view.connection.execute(asked)


def artefacts(view: View, places: Sequence[int]) -> dict[int, ArtefactRow]:
    """Artefacts by the places of their registration, in the order given; unknown ones are left out."""
    found: dict[int, Any] = {}
    for start in range(0, len(places), PIECE):
        piece = places[start : start + PIECE]
        for row in view.connection.execute(_ARTEFACT.where(schema.artefact.c.place.in_(piece))):
            found[row.place] = row
    called = names(view, [where for where in places if where in found])
    return {where: _artefact(view, found[where], called.get(where, "")) for where in places if where in found}


def names(view: View, places: Sequence[int]) -> dict[int, str]:
    """Names of artefacts by place, as far as records here tell; the newest counts."""
    found: dict[int, str] = {}
    for start in range(0, len(places), PIECE):
        table = schema.document
        piece = places[start : start + PIECE]
        asked = (
            select(table.c.artefact, table.c.name)
            .where(table.c.artefact.in_(piece), table.c.name.is_not(None))
            .order_by(table.c.place)
        )
        found.update((where, name) for where, name in view.connection.execute(asked))
    return found


_first_step, _last_step = schema.step.alias(), schema.step.alias()
_first_block, _last_block = schema.block.alias(), schema.block.alias()
_ARTEFACT = (
    select(
        schema.artefact,
        _first_step.c.transaction.label("first_transaction"),
        _first_block.c.time.label("first_time"),
        _last_step.c.transaction.label("last_transaction"),
        _last_block.c.time.label("last_time"),
    )
    .join(_first_step, _first_step.c.place == schema.artefact.c.place)
    .join(_last_step, _last_step.c.place == schema.artefact.c.changed)
    .join(_first_block, _first_block.c.number == schema.artefact.c.place.op(">>")(BLOCK_SHIFT))
    .join(_last_block, _last_block.c.number == schema.artefact.c.changed.op(">>")(BLOCK_SHIFT))
)


def _artefact(view: View, row: Any, name: str) -> ArtefactRow:
    return ArtefactRow(
        id=hexed(row.id),
        kind=view.names.kind(row.lifecycle),
        name=name,
        lifecycle=row.lifecycle,
        state=view.names.state(row.lifecycle, row.state),
        sequence=row.sequence,
        usable=row.usable,
        recalled=row.recalled,
        terminal=row.terminal,
        creator=member(view, row.creator),
        custodian=member(view, row.custodian),
        head=hexed(row.head),
        registered=place(view, row.place, row.first_time, row.first_transaction),
        changed=place(view, row.changed, row.last_time, row.last_transaction),
        offered=_somebody(view, standing_of(row.id, row).offered),
        contester=_somebody(view, row.contester),
    )


_STEP = (
    select(
        schema.step,
        schema.block.c.time,
        schema.artefact.c.id,
        schema.document.c.content,
        schema.document.c.disclosed,
    )
    .join(schema.block, schema.block.c.number == schema.step.c.place.op(">>")(BLOCK_SHIFT))
    .join(schema.artefact, schema.artefact.c.place == schema.step.c.artefact)
    .join(schema.document, schema.document.c.place == schema.step.c.place, isouter=True)
)


def steps(view: View, condition: ColumnElement[bool], limit: int, newest_first: bool = True) -> list[StepRow]:
    """At most `limit` of the steps that meet a condition on `schema.step`, in the order of their places."""
    where = schema.step.c.place
    asked: Select[Any] = _STEP.where(condition).order_by(where.desc() if newest_first else where).limit(limit)
    rows = view.connection.execute(asked).all()
    called = names(view, list({row.artefact for row in rows}))
    inputs, relied = _inputs(view, [row.place for row in rows]), _reliances(view, [row.place for row in rows])
    return [
        StepRow(
            artefact=hexed(row.id),
            kind=view.names.kind(row.lifecycle),
            name=called.get(row.artefact, ""),
            sequence=row.sequence,
            action=view.names.action(row.lifecycle, row.action),
            before=view.names.state(row.lifecycle, row.before),
            state=view.names.state(row.lifecycle, row.state),
            organisation=member(view, row.organisation),
            key=hexed(row.key),
            record=hexed(row.record),
            subject=None if row.subject is None else hexed(row.subject),
            head=hexed(row.head),
            inputs=inputs.get(row.place, ()),
            approvals=relied.get(row.place, ()),
            place=place(view, row.place, row.time, row.transaction),
            document=None if row.content is None else opened(row.record, row.disclosed, row.content).fields,
        )
        for row in rows
    ]


def pending(view: View, row: Any) -> StepRow:
    """A step that stands in no block at the moment, as it was."""
    held, number = json.loads(row.content), row.place >> PLACE_BITS
    where = Place(number, row.place & _POSITION, held["time"], held["transaction"], Certainty.PENDING, 0)
    return StepRow(
        artefact=hexed(row.artefact),
        kind=view.names.kind(held["lifecycle"]),
        name="",
        sequence=held["sequence"],
        action=view.names.action(held["lifecycle"], held["action"]),
        before=view.names.state(held["lifecycle"], held["before"]),
        state=view.names.state(held["lifecycle"], held["state"]),
        organisation=member(view, held["organisation"]),
        key=held["key"],
        record=hexed(row.record),
        subject=held["subject"],
        head=held["head"],
        inputs=(),
        approvals=(),
        place=where,
    )


def opened(record: bytes, disclosed: bool, content: str) -> DocumentRow:
    """What is held of a record, from its text in the index."""
    held = json.loads(content)
    return DocumentRow(hexed(record), disclosed, held["fields"], tuple(held["absent"]))


def _inputs(view: View, places: Sequence[int]) -> dict[int, tuple[InputRow, ...]]:
    table = schema.derivation
    asked = (
        select(table.c.step, table.c.source_sequence, schema.artefact.c.id)
        .join(schema.artefact, schema.artefact.c.place == table.c.source)
        .where(table.c.step.in_(places))
        .order_by(table.c.step, table.c.ordinal)
    )
    return {
        step: tuple(InputRow(hexed(row.id), row.source_sequence) for row in rows)
        for step, rows in _grouped(view.connection.execute(asked))
    }


def _reliances(view: View, places: Sequence[int]) -> dict[int, tuple[RelianceRow, ...]]:
    table = schema.reliance
    asked = select(table).where(table.c.step.in_(places)).order_by(table.c.step, table.c.organisation)
    return {
        step: tuple(RelianceRow(member(view, r.organisation), hexed(r.key), hexed(r.record)) for r in rows)
        for step, rows in _grouped(view.connection.execute(asked))
    }


def _grouped(rows: Iterable[Any]) -> Iterable[tuple[int, Iterable[Any]]]:
    return groupby(rows, key=attrgetter("step"))


_APPROVAL = (
    select(schema.approval, schema.block.c.time, schema.artefact.c.id, schema.artefact.c.lifecycle)
    .join(schema.block, schema.block.c.number == schema.approval.c.place.op(">>")(BLOCK_SHIFT))
    .join(schema.artefact, schema.artefact.c.place == schema.approval.c.artefact)
)


def approvals(view: View, condition: ColumnElement[bool], limit: int) -> list[ApprovalRow]:
    """At most `limit` of the approvals that meet a condition on `schema.approval`, newest first."""
    asked = _APPROVAL.where(condition).order_by(schema.approval.c.place.desc()).limit(limit)
    rows = view.connection.execute(asked).all()
    called = names(view, list({row.artefact for row in rows}))
    relied = _relied(view, [(row.artefact, row.sequence) for row in rows])
    return [
        ApprovalRow(
            artefact=hexed(row.id),
            kind=view.names.kind(row.lifecycle),
            name=called.get(row.artefact, ""),
            sequence=row.sequence,
            action=view.names.action(row.lifecycle, row.action),
            organisation=member(view, row.organisation),
            key=hexed(row.key),
            subject=None if row.subject is None else hexed(row.subject),
            record=hexed(row.record),
            relied=(row.artefact, row.sequence, row.organisation, row.record) in relied,
            place=place(view, row.place, row.time, row.transaction),
        )
        for row in rows
    ]


def _relied(view: View, given: Sequence[tuple[int, int]]) -> set[tuple[int, int, int, bytes]]:
    """Artefact, sequence, organisation and record of the approvals that steps named."""
    step, table = schema.step, schema.reliance
    asked = (
        select(step.c.artefact, step.c.sequence, table.c.organisation, table.c.record)
        .join(table, table.c.step == step.c.place)
        .where(tuple_(step.c.artefact, step.c.sequence).in_(given))
    )
    return {(a, s, o, bytes(r)) for a, s, o, r in view.connection.execute(asked)} if given else set()
