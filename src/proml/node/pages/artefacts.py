"""Artefacts: the list with search and facets, and the page of one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from proml.core.digest import unhexed
from proml.core.lifecycle import Lifecycle
from proml.errors import UsageProblem
from proml.export import lifecycle_diagram, plot
from proml.export.canvas import Drawing
from proml.node.index import (
    Ask,
    View,
    Wanted,
    approvals,
    artefact,
    find,
    history,
    organisations,
    what_taints,
    who_used,
)
from proml.node.index.rows import ApprovalRow, ArtefactRow, Member, Page, StepRow, TaintRow
from proml.node.pages.measured import Measured, measured
from proml.node.pages.shown import PageRoute, Shown, answer, with_query
from proml.node.server.callers import Reader, node_of

ROUTER = APIRouter(route_class=PageRoute)
MOST_STEPS = 100
MOST_USES = 20
MOST_SOURCES = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a facet: its words, whether it is chosen, the address that chooses it or takes it back."""

    words: str
    address: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A way to narrow the list."""

    name: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """How the list is narrowed, as the query says it."""

    q: Annotated[str, Query(max_length=200)] = ""
    kind: Annotated[str, Query(max_length=64)] = ""
    state: Annotated[str, Query(max_length=64)] = ""
    organisation: Annotated[int | None, Query(ge=0, lt=1 << 16)] = None
    recalled: Annotated[bool | None, Query()] = None
    unfinished: Annotated[bool, Query()] = False
    after: Annotated[str | None, Query(max_length=32)] = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of artefacts.

    Attributes:
        sought: what was typed.
        following: address of the rows that follow, None when there are none.
    """

    sought: str
    facets: tuple[Facet, ...]
    page: Page[ArtefactRow]
    following: str | None


@dataclass(frozen=True, slots=True)
class TaintPath:
    """A recalled ancestor and the artefacts on a shortest way from it, which it is the first of."""

    source: ArtefactRow
    path: tuple[ArtefactRow, ...]


@dataclass(frozen=True, slots=True)
class Possible:
    """What may be done next, and the roles that may."""

    action: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArtefactPage:
    """Everything about one artefact.

    Attributes:
        steps: newest first.
        sources: the artefacts that these steps named as inputs, by id.
        uses: steps of other artefacts that named this one as an input, newest first.
        possible: empty where its lifecycle's file is not here.
    """

    artefact: ArtefactRow
    about: str
    steps: Page[StepRow]
    sources: Mapping[str, ArtefactRow]
    taints: tuple[TaintPath, ...]
    approvals: Page[ApprovalRow]
    uses: Page[StepRow]
    possible: tuple[Possible, ...]
    measured: Measured


@ROUTER.get("/artefacts")
def listing(
    request: Request,
    asked: Annotated[Asked, Depends()],
    _: Reader,
) -> Response:
    """Artefacts, the one that changed last first, narrowed by words and facets."""
    digest, name = _sought(asked.q)
    wanted = Wanted(
        digest=digest,
        name=name,
        kind=asked.kind or None,
        state=asked.state or None,
        organisation=asked.organisation,
        recalled=asked.recalled,
        unfinished=asked.unfinished,
    )
    with node_of(request).index.reading() as view:
        page = find(view, wanted, Ask(50, asked.after))
        following = with_query(request, after=page.next) if page.next else None
        content = Listing(asked.q, tuple(_facets(request, view, asked.kind)), page, following)
        return answer(request, view, Shown("artefacts.html", "Artefacts", content, "/artefacts"))


@ROUTER.get("/artefacts/{identifier}")
def one(
    request: Request,
    identifier: str,
    _: Reader,
    after: Annotated[str | None, Query(max_length=32)] = None,
) -> Response:
    """One artefact: where it stands, how it came there, who approved, what was measured."""
    node = node_of(request)
    artefact_id = unhexed(identifier)
    with node.index.reading() as view:
        row = artefact(view, artefact_id)
        steps = history(view, artefact_id, Ask(MOST_STEPS, after), newest_first=True)
        lifecycle = view.names.lifecycles.get(row.lifecycle)
        found = measured(node.me.storage, [step.document for step in steps.rows if step.document])
        content = ArtefactPage(
            artefact=row,
            about=lifecycle.about if lifecycle else "",
            steps=steps,
            sources=_sources(view, steps.rows),
            taints=tuple(with_rows(view, each) for each in what_taints(view, artefact_id, 10)),
            approvals=approvals(view, artefact_id, ask=Ask(50)),
            uses=who_used(view, artefact_id, Ask(MOST_USES)),
            possible=tuple(_possible(lifecycle, row)),
            measured=found,
        )
        title = f"{row.kind} {row.name or row.id[2:10]}"
        drawings = dict(_drawings(lifecycle, row, found))
        return answer(request, view, Shown("artefact.html", title, content, "/artefacts", drawings))


def _sources(view: View, steps: Sequence[StepRow]) -> dict[str, ArtefactRow]:
    named = dict.fromkeys(each.artefact for step in steps for each in step.inputs)
    return {each: artefact(view, unhexed(each)) for each in list(named)[:MOST_SOURCES]}


def with_rows(view: View, taint: TaintRow) -> TaintPath:
    """A taint with the rows of the artefacts on its path."""
    return TaintPath(taint.source, tuple(artefact(view, unhexed(each)) for each in taint.path))


def _sought(text: str) -> tuple[bytes | None, str | None]:
    """What was typed: a digest or the beginning of an id, or else a name."""
    text = text.strip()
    digits = text.removeprefix("0x")
    if text.startswith("0x") or (len(digits) == 64 and _is_hex(digits)):
        if not _is_hex(digits) or not 2 <= len(digits) <= 64:
            raise UsageProblem("after 0x come 2 to 64 hexadecimal digits")
        return bytes.fromhex(digits[: len(digits) // 2 * 2]), None
    return None, text or None


def _is_hex(text: str) -> bool:
    return bool(text) and all(letter in "0123456789abcdefABCDEF" for letter in text)


def _facets(request: Request, view: View, kind: str) -> list[Facet]:
    lifecycles = view.names.lifecycles.values()
    kinds = sorted({each.kind for each in lifecycles})
    states = sorted(
        {state for each in lifecycles if kind in ("", each.kind) for state in each.states if state != "none"}
    )
    members: list[Member] = [Member(each.number, each.name) for each in organisations(view)]
    return [
        Facet("Kind", _choices(request, "kind", {each: each for each in kinds}, state=None)),
        Facet("State", _choices(request, "state", {each: each.replace("_", " ") for each in states})),
        Facet(
            "Took part", _choices(request, "organisation", {str(each.number): each.name for each in members})
        ),
        Facet(
            "Special",
            (
                *_choices(request, "recalled", {"true": "recalled"}),
                *_choices(request, "unfinished", {"true": "never ended"}),
            ),
        ),
    ]


def _choices(
    request: Request, name: str, values: Mapping[str, str], **cleared: str | None
) -> tuple[Choice, ...]:
    chosen = request.query_params.get(name)
    return tuple(
        Choice(
            words,
            with_query(
                request, **{name: None if chosen == value else value}, after=None, format=None, **cleared
            ),
            chosen == value,
        )
        for value, words in values.items()
    )


def _possible(lifecycle: Lifecycle | None, row: ArtefactRow) -> list[Possible]:
    if lifecycle is None or row.state not in lifecycle.states:
        return []
    opened = lifecycle.open_actions(lifecycle.states.index(row.state))
    return [Possible(action, roles) for action, roles in opened.items()]


def _drawings(lifecycle: Lifecycle | None, row: ArtefactRow, found: Measured) -> list[tuple[str, Drawing]]:
    drawings = [
        (f"metric-{place}", plot.drawing(each.name, [plot.Series(row.name or "run", each.points)]))
        for place, each in enumerate(found.metrics)
    ]
    if lifecycle is not None and row.state in lifecycle.states:
        present = lifecycle.states.index(row.state)
        drawings.append(("lifecycle", lifecycle_diagram.drawing(lifecycle, present)))
    return drawings
