"""Questions about what happened: one artefact, its history, who approved what, the consortium, lately."""

from __future__ import annotations

from collections.abc import Callable
from heapq import merge
from itertools import islice

from sqlalchemy import ColumnElement, Table, func, select, true

from proml.core.digest import hexed
from proml.core.refusal import Reason
from proml.errors import NotFound
from proml.node.index import schema
from proml.node.index.deciding import decisions
from proml.node.index.opening import View
from proml.node.index.paging import FIRST, MOST, Ask, page
from proml.node.index.reading import approvals as approvals_where
from proml.node.index.reading import artefacts, logged, member, opened, pending, place, steps
from proml.node.index.rows import (
    AnchorRow,
    ApprovalRow,
    ArtefactRow,
    DocumentRow,
    Happening,
    IndexStatus,
    Page,
    RefusalRow,
    StepRow,
)
from proml.node.index.schema import PLACE_BITS


def status(view: View) -> IndexStatus:
    """How far the index is, and whether it is well."""
    told = view.connection.execute(select(schema.progress)).first()
    counts = [
        view.connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (schema.artefact, schema.step, schema.document)
    ]
    return IndexStatus(
        head=view.head,
        chain_head=told.chain_head if told else None,
        behind=max(0, told.chain_head - view.head.number) if told else 0,
        problem=told.problem if told else "",
        checked=told.checked if told else None,
        artefacts=counts[0],
        steps=counts[1],
        documents=counts[2],
    )


def artefact(view: View, identifier: bytes) -> ArtefactRow:
    """One artefact by its id, 32 bytes.

    Raises:
        NotFound: when it is not in the index.
    """
    where = place_of(view, identifier)
    return artefacts(view, [where])[where]


def place_of(view: View, identifier: bytes) -> int:
    """Where an artefact was registered; NotFound when it is not in the index."""
    table = schema.artefact
    where = view.connection.execute(select(table.c.place).where(table.c.id == identifier)).scalar()
    if where is None:
        raise NotFound(
            f"no artefact {hexed(identifier)} in the index, which reads to block {view.head.number}",
            "`proml find` lists what there is",
        )
    return int(where)


def history(view: View, identifier: bytes, ask: Ask = FIRST, newest_first: bool = False) -> Page[StepRow]:
    """The steps of one artefact, from its registration on, or from its newest back.

    Raises:
        NotFound: when it is not in the index.
    """
    where, table = place_of(view, identifier), schema.step
    condition = table.c.artefact == where
    if newest_first:
        condition &= table.c.place < ask.below
    elif ask.after is not None:
        condition &= table.c.place > ask.below
    rows = steps(view, condition, ask.limit + 1, newest_first)
    return page(rows, [_position(row) for row in rows], ask)


def step_with_record(view: View, record: bytes) -> StepRow:
    """The newest step that carries this record commitment, 32 bytes; NotFound when none does."""
    found = steps(view, schema.step.c.record == record, 1)
    if not found:
        raise NotFound(f"no step in the index carries the record {hexed(record)}")
    return found[0]


def document(view: View, record: bytes) -> DocumentRow:
    """What this node holds of a record, by its commitment; NotFound when it holds nothing of it."""
    table = schema.document
    row = view.connection.execute(select(table).where(table.c.record == record).limit(1)).first()
    if row is None:
        raise NotFound(f"this node holds nothing of the record {hexed(record)}")
    return opened(row.record, row.disclosed, row.content)


def approvals(
    view: View, identifier: bytes | None = None, organisation: int | None = None, ask: Ask = FIRST
) -> Page[ApprovalRow]:
    """Who approved what, newest first: of one artefact, by one organisation, or all."""
    table = schema.approval
    condition = table.c.place < ask.below
    if identifier is not None:
        condition &= table.c.artefact == place_of(view, identifier)
    if organisation is not None:
        condition &= table.c.organisation == organisation
    rows = approvals_where(view, condition, ask.limit + 1)
    return page(rows, [_position(row) for row in rows], ask)


def displaced(view: View, identifier: bytes | None = None) -> list[StepRow]:
    """Steps, of one artefact or all, that a reorganisation took out of the chain and that did not come back.

    They are pending: who made them sends them again, or the contracts refuse them now. At most 500.
    """
    table = schema.displaced
    asked = select(table).order_by(table.c.place).limit(MOST)
    if identifier is not None:
        asked = asked.where(table.c.artefact == identifier)
    return [pending(view, row) for row in view.connection.execute(asked)]


def anchors(view: View, organisation: int | None = None, ask: Ask = FIRST) -> Page[AnchorRow]:
    """Anchored batches of observations, newest first."""
    condition = schema.anchor.c.place < ask.below
    if organisation is not None:
        condition &= schema.anchor.c.organisation == organisation
    rows = _anchors(view, condition, ask.limit + 1)
    return page(rows, [_position(row) for row in rows], ask)


def refusals(view: View, organisation: int | None = None, ask: Ask = FIRST) -> Page[RefusalRow]:
    """Items of batches that the contracts refused, newest first."""
    condition = schema.refusal.c.place < ask.below
    if organisation is not None:
        condition &= schema.refusal.c.organisation == organisation
    rows = _refusals(view, condition, ask.limit + 1)
    return page(rows, [_position(row) for row in rows], ask)


def lately(view: View, ask: Ask = FIRST, organisation: int | None = None) -> Page[Happening]:
    """Whatever happened, newest first: steps, approvals, anchors, refusals, and decisions on the consortium.

    With `organisation` what it did itself; decisions are then left out, as some name nobody.
    """
    limit = ask.limit + 1
    of: list[tuple[Table, Callable[[ColumnElement[bool]], list[Happening]]]] = [
        (schema.step, lambda condition: [*steps(view, condition, limit)]),
        (schema.approval, lambda condition: [*approvals_where(view, condition, limit)]),
        (schema.anchor, lambda condition: [*_anchors(view, condition, limit)]),
        (schema.refusal, lambda condition: [*_refusals(view, condition, limit)]),
    ]
    found: list[list[Happening]] = []
    for table, asked in of:
        own = table.c.organisation == organisation if organisation is not None else true()
        found.append(asked((table.c.place < ask.below) & own))
    if organisation is None:
        found.append([*decisions(view, schema.decision.c.place < ask.below, limit)])
    newest = list(islice(merge(*found, key=lambda row: -_position(row)), limit))
    return page(newest, [_position(row) for row in newest], ask)


def _position(row: Happening) -> int:
    return row.place.block << PLACE_BITS | row.place.position


def _anchors(view: View, condition: ColumnElement[bool], limit: int) -> list[AnchorRow]:
    return [
        AnchorRow(
            organisation=member(view, row.organisation),
            number=row.number,
            root=hexed(row.root),
            count=int(row.leaves),
            key=hexed(row.key),
            head=hexed(row.head),
            place=place(view, row.place, row.time, row.transaction),
        )
        for row in logged(view, schema.anchor, condition, limit)
    ]


def _refusals(view: View, condition: ColumnElement[bool], limit: int) -> list[RefusalRow]:
    return [
        RefusalRow(
            name=hexed(row.name),
            organisation=member(view, row.organisation),
            key=hexed(row.key),
            item=row.item,
            reason=_reason(row.reason),
            place=place(view, row.place, row.time, row.transaction),
        )
        for row in logged(view, schema.refusal, condition, limit)
    ]


def _reason(number: int) -> str:
    known = number in Reason.__members__.values()
    return Reason(number).text if known else f"reason {number}, which this program does not know"
