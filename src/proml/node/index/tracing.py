"""Questions about derivation: what something was made from, what was made from it, what a recall reaches.

Every question is bounded: at most so many artefacts, nearest first, and it says when there are more. Cycles
of artefacts (an evaluation and its model may point at each other) cost nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select

from proml.core.digest import hexed
from proml.errors import UsageProblem
from proml.node.index import schema
from proml.node.index.looking import place_of
from proml.node.index.opening import View
from proml.node.index.paging import FIRST, Ask, page
from proml.node.index.reading import PIECE, artefacts, steps
from proml.node.index.rows import (
    ArtefactRow,
    DerivationRow,
    LineageNode,
    LineageRows,
    Page,
    StepRow,
    TaintRow,
)
from proml.node.index.schema import PLACE_BITS

MOST_ARTEFACTS = 10_000
# A derivation is a link between two artefacts; one artefact can have very many.
MOST_LINKS = 5 * MOST_ARTEFACTS


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a question about lineage goes.

    Attributes:
        up: towards what the artefact was made from.
        down: towards what was made from it.
        most: artefacts, 1 to 10,000.
        depth: links from the artefact; None for all.
    """

    up: bool = True
    down: bool = True
    most: int = 1_000
    depth: int | None = None


WHOLE = Reach(most=MOST_ARTEFACTS)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Artefacts by place with their distance from the start, nearest first; and whether there were more."""

    depths: Mapping[int, int]
    came_from: Mapping[int, int]
    complete: bool


def lineage(view: View, identifier: bytes, reach: Reach = WHOLE) -> LineageRows:
    """The derivations around an artefact, with its ancestors, its descendants, or both.

    Raises:
        NotFound: when it is not in the index.
        UsageProblem: when more than 10,000 artefacts are asked for.
    """
    if not 1 <= reach.most <= MOST_ARTEFACTS or (reach.depth is not None and reach.depth < 0):
        raise UsageProblem(f"a lineage shows 1 to {MOST_ARTEFACTS:,} artefacts, at a depth of 0 or more")
    focus = place_of(view, identifier)
    depths, complete = {focus: 0}, True
    for wanted, upwards in ((reach.up, True), (reach.down, False)):
        if wanted:
            walk = _walk(view, [focus], upwards, reach.most, reach.depth)
            complete = complete and walk.complete
            for where, depth in walk.depths.items():
                depths.setdefault(where, -depth if upwards else depth)
    nearest = sorted(depths, key=lambda where: abs(depths[where]))
    shown = nearest[: reach.most]
    rows = artefacts(view, shown)
    links = _derivations(view, rows)
    return LineageRows(
        focus=hexed(identifier),
        artefacts=tuple(LineageNode(rows[where], depths[where]) for where in shown),
        derivations=tuple(links[:MOST_LINKS]),
        complete=complete and len(nearest) == len(shown) and len(links) <= MOST_LINKS,
    )


def who_used(view: View, identifier: bytes, ask: Ask = FIRST) -> Page[StepRow]:
    """Steps that named an artefact as an input, newest first.

    Raises:
        NotFound: when it is not in the index.
    """
    table = schema.derivation
    using = select(table.c.step).where(table.c.source == place_of(view, identifier))
    rows = steps(view, (schema.step.c.place < ask.below) & schema.step.c.place.in_(using), ask.limit + 1)
    return page(rows, [row.place.block << PLACE_BITS | row.place.position for row in rows], ask)


def what_taints(view: View, identifier: bytes, most: int = 100) -> list[TaintRow]:
    """The recalled ancestors of an artefact, nearest first, each with a shortest path; none when it is clean.

    Among its nearest 10,000 ancestors; its own recall is not a taint.

    Raises:
        NotFound: when it is not in the index.
    """
    focus = place_of(view, identifier)
    walk = _walk(view, [focus], True, MOST_ARTEFACTS)
    recalled = [where for where in _recalled(view, list(walk.depths)) if where != focus]
    nearest = sorted(recalled, key=walk.depths.__getitem__)[:most]
    paths: list[list[int]] = []
    for where in nearest:
        path = [where]
        while path[-1] != focus:
            path.append(walk.came_from[path[-1]])
        paths.append(path)
    rows = artefacts(view, list({where for path in paths for where in path}))
    return [TaintRow(rows[path[0]], tuple(rows[where].id for where in path)) for path in paths]


def tainted(view: View, most: int = 1_000) -> tuple[list[ArtefactRow], bool]:
    """Every artefact with a recalled ancestor, and whether that is all of them."""
    table = schema.artefact
    newest = select(table.c.place).where(table.c.recalled).order_by(table.c.changed.desc()).limit(most + 1)
    sources = list(view.connection.execute(newest).scalars())
    walk = _walk(view, sources, False, MOST_ARTEFACTS)
    starts = set(sources)
    found = [where for where in walk.depths if where not in starts]
    rows = artefacts(view, found[:most])
    return list(rows.values()), walk.complete and len(found) <= most and len(sources) <= most


def _recalled(view: View, places: Sequence[int]) -> list[int]:
    table, found = schema.artefact, list[int]()
    for piece in _pieces(places):
        asked = select(table.c.place).where(table.c.place.in_(piece), table.c.recalled)
        found += view.connection.execute(asked).scalars()
    return found


def _walk(view: View, starts: Sequence[int], upwards: bool, most: int, depth: int | None = None) -> _Walk:
    """Breadth first from `starts`, which are at depth 0: which artefacts, how far, and by which way."""
    table = schema.derivation
    here, there = (table.c.artefact, table.c.source) if upwards else (table.c.source, table.c.artefact)
    found = _reached(view, starts, here, there, len(starts) + most)
    links: dict[int, list[int]] = {}
    for piece in _pieces(found):
        asked = select(here, there).where(here.in_(piece)).distinct()
        for near, far in view.connection.execute(asked):
            links.setdefault(near, []).append(far)
    depths, came_from, complete = dict.fromkeys(starts, 0), dict[int, int](), True
    known, frontier = set(found), deque(starts)
    while frontier:
        near = frontier.popleft()
        for far in links.get(near, ()):
            if far in depths:
                continue
            if far not in known or (depth is not None and depths[near] == depth):
                complete = False
                continue
            depths[far], came_from[far] = depths[near] + 1, near
            frontier.append(far)
    return _Walk(depths, came_from, complete)


def _reached(
    view: View, starts: Sequence[int], here: ColumnElement[int], there: ColumnElement[int], most: int
) -> list[int]:
    """At most `most` artefacts that can be reached, the starts first.

    By a recursive query, since a chain of 10,000 would otherwise take as many questions. It forgets
    distances, which keeps it linear: both databases work through it breadth first and stop at the limit.
    """
    walk = (
        select(schema.artefact.c.place).where(schema.artefact.c.place.in_(starts)).cte("walk", recursive=True)
    )
    walk = walk.union(select(there).join(walk, here == walk.c.place))
    return list(view.connection.execute(select(walk.c.place).limit(most)).scalars())


def _derivations(view: View, rows: Mapping[int, ArtefactRow]) -> list[DerivationRow]:
    """Derivations among these artefacts, one more than may be shown at most."""
    table, step, found = schema.derivation, schema.step, list[DerivationRow]()
    for piece in _pieces(list(rows)):
        asked = (
            select(table, step.c.sequence, step.c.action, step.c.lifecycle)
            .join(step, step.c.place == table.c.step)
            .where(table.c.artefact.in_(piece))
            .order_by(table.c.step, table.c.ordinal)
            .limit(MOST_LINKS + 1 - len(found))
        )
        found += [
            DerivationRow(
                source=rows[row.source].id,
                source_sequence=row.source_sequence,
                artefact=rows[row.artefact].id,
                sequence=row.sequence,
                action=view.names.action(row.lifecycle, row.action),
            )
            for row in view.connection.execute(asked)
            if row.source in rows
        ]
    return found


def _pieces(places: Sequence[int]) -> Iterable[Sequence[int]]:
    return (places[start : start + PIECE] for start in range(0, len(places), PIECE))
