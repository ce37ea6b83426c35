"""Finding artefacts: by digest, name, kind, state, participant, time, parameter or metric."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select

from proml.errors import UsageProblem
from proml.node.index import schema
from proml.node.index.documents import folded_text, searched
from proml.node.index.opening import View
from proml.node.index.paging import FIRST, Ask, page
from proml.node.index.reading import artefacts
from proml.node.index.rows import ArtefactRow, Page
from proml.node.index.schema import PLACE_BITS

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class FieldTest:
    """That a record of the artefact has a value at `path` which compares so with `value`.

    Attributes:
        path: names joined by dots, as `metrics.accuracy` or `parameters.optimiser.name`.
        comparison: out of =, !=, <, <=, >, >=. A number compares with numbers only, a text with texts only.
    """

    path: str
    comparison: str
    value: float | str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the artefacts must meet, all of it; whatever is None, or empty, is not asked.

    Attributes:
        digest: 1 to 32 bytes. All 32: the artefact's id, a record, or a subject, its own digest where this
            node's records tell it. Fewer: the beginning of an id.
        name: the beginning of its name or of a word in it, whatever the case.
        organisation: number of one that made a step of it.
        creator, custodian: numbers.
        since, until: seconds since 1970 UTC, between which its latest step was made.
        unfinished: registered, and in a state that is neither usable, terminal nor recalled: a run that never
            ended.
        fields: tests on records this node holds.
    """

    digest: bytes | None = None
    name: str | None = None
    kind: str | None = None
    state: str | None = None
    organisation: int | None = None
    creator: int | None = None
    custodian: int | None = None
    since: int | None = None
    until: int | None = None
    usable: bool | None = None
    recalled: bool | None = None
    unfinished: bool = False
    fields: tuple[FieldTest, ...] = field(default=())


def find(view: View, wanted: Wanted, ask: Ask = FIRST) -> Page[ArtefactRow]:
    """Artefacts that meet everything wanted, the one that changed last first.

    Raises:
        UsageProblem: for a kind or state that no lifecycle here has, or a comparison that does not exist.
    """
    table = schema.artefact
    conditions = [table.c.changed < ask.below, *_standing(view, wanted), *_times(view, wanted)]
    if wanted.digest is not None:
        conditions.append(_digest(wanted.digest))
    if wanted.name:
        conditions.append(_named(wanted.name))
    conditions += [_holds(test) for test in wanted.fields]
    asked = (
        select(table.c.place, table.c.changed)
        .where(and_(*conditions))
        .order_by(table.c.changed.desc())
        .limit(ask.limit + 1)
    )
    found = view.connection.execute(asked).all()
    rows = artefacts(view, [row.place for row in found])
    return page([rows[row.place] for row in found], [row.changed for row in found], ask)


def _standing(view: View, wanted: Wanted) -> list[ColumnElement[bool]]:
    table, conditions = schema.artefact, list[ColumnElement[bool]]()
    if wanted.kind is not None or wanted.state is not None:
        conditions.append(_kind_and_state(view, wanted))
    if wanted.creator is not None:
        conditions.append(table.c.creator == wanted.creator)
    if wanted.custodian is not None:
        conditions.append(table.c.custodian == wanted.custodian)
    if wanted.organisation is not None:
        step = schema.step
        acted = exists().where(step.c.artefact == table.c.place, step.c.organisation == wanted.organisation)
        conditions.append(acted)
    if wanted.usable is not None:
        conditions.append(table.c.usable.is_(wanted.usable))
    if wanted.recalled is not None:
        conditions.append(table.c.recalled.is_(wanted.recalled))
    if wanted.unfinished:
        conditions += [table.c.usable.is_(False), table.c.terminal.is_(False), table.c.recalled.is_(False)]
    return conditions


def _kind_and_state(view: View, wanted: Wanted) -> ColumnElement[bool]:
    known = view.names.lifecycles
    of_kind = {n: each for n, each in known.items() if wanted.kind in (None, each.kind)}
    if not of_kind:
        kinds = ", ".join(sorted({each.kind for each in known.values()}))
        raise UsageProblem(f"there is no kind {wanted.kind!r} on this ledger", f"kinds are {kinds}")
    if wanted.state is None:
        return schema.artefact.c.lifecycle.in_(of_kind)
    places = [
        and_(
            schema.artefact.c.lifecycle == number, schema.artefact.c.state == each.states.index(wanted.state)
        )
        for number, each in of_kind.items()
        if wanted.state in each.states[1:]
    ]
    if not places:
        states = ", ".join(sorted({state for each in of_kind.values() for state in each.states[1:]}))
        raise UsageProblem(f"there is no state {wanted.state!r}", f"states are {states}")
    return or_(*places)


def _times(view: View, wanted: Wanted) -> list[ColumnElement[bool]]:
    """Blocks come in the order of their numbers and their times never fall, so a time is a place."""
    table, conditions = schema.block, list[ColumnElement[bool]]()
    if wanted.since is not None:
        first = (
            select(table.c.number)
            .where(table.c.time >= _second(wanted.since))
            .order_by(table.c.number)
            .limit(1)
        )
        number = view.connection.execute(first).scalar()
        conditions.append(schema.artefact.c.changed >= (_NEVER if number is None else number << PLACE_BITS))
    if wanted.until is not None:
        last = select(table.c.number).where(table.c.time <= _second(wanted.until))
        number = view.connection.execute(last.order_by(table.c.number.desc()).limit(1)).scalar()
        conditions.append(schema.artefact.c.changed < (0 if number is None else (number + 1) << PLACE_BITS))
    return conditions


_NEVER = (1 << 63) - 1
_LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


def _second(time: int) -> int:
    if not 0 <= time <= _LAST_SECOND:
        raise UsageProblem(f"{time} is no time: seconds since 1970 are asked for")
    return time


def _digest(digest: bytes) -> ColumnElement[bool]:
    table, step, document = schema.artefact, schema.step, schema.document
    if not 1 <= len(digest) <= DIGEST_BYTES:
        raise UsageProblem("a digest has 32 bytes, and at least the first of them must be given")
    if len(digest) < DIGEST_BYTES:
        return and_(table.c.id >= digest, table.c.id <= digest.ljust(DIGEST_BYTES, b"\xff"))
    by_record = select(step.c.artefact).where(step.c.record == digest)
    by_subject = select(step.c.artefact).where(step.c.subject == digest)
    told = select(document.c.artefact).where(document.c.subject == digest)
    return or_(table.c.id == digest, table.c.place.in_(by_record.union(by_subject, told)))


def _named(text: str) -> ColumnElement[bool]:
    table, start = schema.word, folded_text(text)
    if not start.strip():
        raise UsageProblem("the name to look for is empty")
    # No text that begins so sorts after this one: the last character there is ends it.
    beginning = and_(table.c.text >= start, table.c.text < start + "\U0010ffff")
    return schema.artefact.c.place.in_(select(table.c.artefact).where(beginning))


def _holds(test: FieldTest) -> ColumnElement[bool]:
    if test.comparison not in COMPARISONS:
        raise UsageProblem(
            f"there is no comparison {test.comparison!r}", f"comparisons are {' '.join(COMPARISONS)}"
        )
    table, value = schema.fact, test.value
    column: ColumnElement[Any] = table.c.text if isinstance(value, str) else table.c.number
    compared = column.op("<>" if test.comparison == "!=" else test.comparison, is_comparison=True)
    held = compared(searched(value) if isinstance(value, str) else float(value))
    return schema.artefact.c.place.in_(select(table.c.artefact).where(table.c.path == test.path, held))
