"""Finding artefacts: by digest, name, kind, state, participant, time, parameter or metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, exists, false, func, or_, select, union_all

from proml.core.lifecycle import Table as Lifecycle
from proml.errors import UsageProblem
from proml.node.index import schema
from proml.node.index.documents import folded_text, searched
from proml.node.index.opening import View
from proml.node.index.paging import FIRST, Ask, page
from proml.node.index.reading import artefacts
from proml.node.index.rows import ArtefactRow, Page
from proml.node.index.schema import PLACE_BITS

# Of a condition met by no more than so many all are looked at; else artefacts are gone through in windows.
FEW = 2_000
WINDOW = 4_000
MOST_LOOKED_AT = 20_000
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


@dataclass(frozen=True, slots=True)
class _Mark:
    """A condition that is looked up elsewhere than in the table of artefacts.

    Attributes:
        bearers: places of the artefacts that meet it, some perhaps twice; from an index, in no order.
        holds: the same as a condition on one artefact.
    """

    bearers: Select[Any]
    holds: ColumnElement[bool]


def find(view: View, wanted: Wanted, ask: Ask = FIRST) -> Page[ArtefactRow]:
    """Artefacts that meet everything wanted, the one that changed last first.

    Where one of the conditions is met by few, those few are looked at; else the artefacts are gone through
    from the one that changed last, 20,000 of them at most: then the page may be short, or empty, and still
    have a next one.

    Raises:
        UsageProblem: for a kind or state that no lifecycle here has, or a comparison that does not exist.
    """
    bounds, states = _bounds(view, wanted, ask), _states(view, wanted)
    few, holds = _sorted_out(view, _marks(wanted))
    if few is not None:
        found = _among(view, few, [bounds, *_in_states(states), *holds], ask)
    else:
        found, passed = _passing_by(view, bounds, states, holds, ask.limit + 1)
        if len(found) <= ask.limit and passed is not None:
            return Page(_rows(view, found), str(passed))
    return page(_rows(view, found), [row.changed for row in found], ask)


def _rows(view: View, found: Sequence[Any]) -> tuple[ArtefactRow, ...]:
    rows = artefacts(view, [row.place for row in found])
    return tuple(rows[row.place] for row in found)


def _sorted_out(view: View, marks: Sequence[_Mark]) -> tuple[set[int] | None, list[ColumnElement[bool]]]:
    """The artefacts that bear every rare mark, None when none is rare; and the other marks as conditions."""
    few: set[int] | None = None
    holds: list[ColumnElement[bool]] = []
    for mark in marks:
        bearers = list(view.connection.scalars(mark.bearers.limit(FEW + 1)))
        if len(bearers) > FEW:
            holds.append(mark.holds)
        else:
            few = set(bearers) if few is None else few.intersection(bearers)
    return few, holds


def _among(
    view: View, places: set[int], conditions: Sequence[ColumnElement[bool]], ask: Ask
) -> Sequence[Any]:
    table = schema.artefact
    asked = (
        select(table.c.place, table.c.changed)
        .where(table.c.place.in_(places), *conditions)
        .order_by(table.c.changed.desc())
        .limit(ask.limit + 1)
    )
    return view.connection.execute(asked).all() if places else ()


def _passing_by(
    view: View,
    bounds: ColumnElement[bool],
    states: Sequence[tuple[int, int]] | None,
    holds: Sequence[ColumnElement[bool]],
    limit: int,
) -> tuple[list[Any], int | None]:
    """Artefacts in these states that meet the conditions, from the one that changed last.

    Also where the search broke off because enough were looked at, None when all were.
    """
    found, looked, passed = list[Any](), 0, None
    while len(found) < limit and looked < MOST_LOOKED_AT:
        below = bounds if passed is None else and_(bounds, schema.artefact.c.changed < passed)
        window = _window(below, states, WINDOW if holds else limit)
        met = select(window).where(*(hold for hold in holds)) if holds else select(window)
        if holds:
            met = met.join(schema.artefact, schema.artefact.c.place == window.c.place)
        rows = view.connection.execute(met.order_by(window.c.changed.desc()).limit(limit - len(found))).all()
        found += rows
        if not holds or len(found) >= limit:
            return found, None
        count, last = view.connection.execute(select(func.count(), func.min(window.c.changed))).one()
        if count < WINDOW:
            return found, None
        looked, passed = looked + count, last
    return found, passed


def _window(bounds: ColumnElement[bool], states: Sequence[tuple[int, int]] | None, size: int) -> Subquery:
    """The `size` artefacts in these states that changed last; each state has its own order in the index."""
    table = schema.artefact

    def newest(*conditions: ColumnElement[bool]) -> Select[Any]:
        asked = select(table.c.place, table.c.changed).where(bounds, *conditions)
        return asked.order_by(table.c.changed.desc()).limit(size)

    if states is None:
        return newest().subquery()
    lots = [
        select(newest(table.c.lifecycle == number, table.c.state == state).subquery())
        for number, state in states or [(0, 0)]
    ]
    together = union_all(*lots).subquery()
    return select(together).order_by(together.c.changed.desc()).limit(size).subquery()


def _bounds(view: View, wanted: Wanted, ask: Ask) -> ColumnElement[bool]:
    return and_(schema.artefact.c.changed < ask.below, *_times(view, wanted))


# --- conditions -------------------------------------------------------------------------------------


def _states(view: View, wanted: Wanted) -> list[tuple[int, int]] | None:
    """Lifecycle and state of whatever can meet kind, state, usable, recalled and unfinished; None for all."""
    asked = (wanted.kind, wanted.state, wanted.usable, wanted.recalled, wanted.unfinished or None)
    if all(each is None for each in asked):
        return None
    names, tables = view.names, view.consortium.shared.tables
    kinds = {number: names.kind(number) for number in tables}
    if wanted.kind is not None and wanted.kind not in kinds.values():
        raise UsageProblem(
            f"there is no kind {wanted.kind!r} on this ledger",
            f"kinds are {', '.join(sorted(kinds.values()))}",
        )
    of_kind = {number: tables[number] for number, kind in kinds.items() if wanted.kind in (None, kind)}
    every = [
        (number, state)
        for number, each in of_kind.items()
        for state in sorted({rule.following for rule in each.rules})
    ]
    called = {names.state(number, state) for number, state in every}
    if wanted.state is not None and wanted.state not in called:
        raise UsageProblem(f"there is no state {wanted.state!r}", f"states are {', '.join(sorted(called))}")
    return [
        (number, state)
        for number, state in every
        if wanted.state in (None, names.state(number, state)) and _fits(of_kind[number], state, wanted)
    ]


def _fits(lifecycle: Lifecycle, state: int, wanted: Wanted) -> bool:
    usable, terminal, recalled = (
        bool(mask >> state & 1) for mask in (lifecycle.usable, lifecycle.terminal, lifecycle.recalled)
    )
    if wanted.unfinished and (usable or terminal or recalled):
        return False
    return wanted.usable in (None, usable) and wanted.recalled in (None, recalled)


def _in_states(states: Sequence[tuple[int, int]] | None) -> list[ColumnElement[bool]]:
    table = schema.artefact
    if states is None:
        return []
    return [or_(false(), *(and_(table.c.lifecycle == n, table.c.state == state) for n, state in states))]


def _marks(wanted: Wanted) -> list[_Mark]:
    table, step, marks = schema.artefact, schema.step, list[_Mark]()
    if wanted.digest is not None:
        marks.append(_digest(wanted.digest))
    if wanted.name:
        marks.append(_named(wanted.name))
    marks += [_holding(test) for test in wanted.fields]
    for column, number in ((table.c.creator, wanted.creator), (table.c.custodian, wanted.custodian)):
        if number is not None:
            marks.append(_Mark(select(table.c.place).where(column == number), column == number))
    if wanted.organisation is not None:
        acted = step.c.organisation == wanted.organisation
        marks.append(
            _Mark(
                select(step.c.artefact).where(acted),
                exists().where(step.c.artefact == table.c.place, acted),
            )
        )
    return marks


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


def _digest(digest: bytes) -> _Mark:
    table, step, document = schema.artefact, schema.step, schema.document
    if not 1 <= len(digest) <= DIGEST_BYTES:
        raise UsageProblem("a digest has 32 bytes, and at least the first of them must be given")
    if len(digest) < DIGEST_BYTES:
        begins = and_(table.c.id >= digest, table.c.id <= digest.ljust(DIGEST_BYTES, b"\xff"))
        return _Mark(select(table.c.place).where(begins), begins)
    every = union_all(
        select(table.c.place).where(table.c.id == digest),
        select(step.c.artefact).where(step.c.record == digest),
        select(step.c.artefact).where(step.c.subject == digest),
        select(document.c.artefact).where(document.c.subject == digest),
    ).subquery()
    bearers = select(every.c.place)
    return _Mark(bearers, table.c.place.in_(bearers))


def _named(text: str) -> _Mark:
    table, start = schema.word, folded_text(text)
    if not start.strip():
        raise UsageProblem("the name to look for is empty")
    # No text that begins so sorts after this one: the last character there is ends it.
    begins = and_(table.c.text >= start, table.c.text < start + "\U0010ffff")
    borne = table.c.artefact == schema.artefact.c.place
    return _Mark(select(table.c.artefact).where(begins), exists().where(borne, begins))


def _holding(test: FieldTest) -> _Mark:
    if test.comparison not in COMPARISONS:
        raise UsageProblem(
            f"there is no comparison {test.comparison!r}", f"comparisons are {' '.join(COMPARISONS)}"
        )
    table, value = schema.fact, test.value
    column: ColumnElement[Any] = table.c.text if isinstance(value, str) else table.c.number
    compared = column.op("<>" if test.comparison == "!=" else test.comparison, is_comparison=True)
    holds = compared(searched(value) if isinstance(value, str) else float(value))
    told = and_(table.c.path == searched(test.path), holds)
    borne = table.c.artefact == schema.artefact.c.place
    return _Mark(select(table.c.artefact).where(told), exists().where(borne, told))
