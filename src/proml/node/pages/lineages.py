"""The lineage of an artefact: a graph laid out here, a drawing of it, and a table that says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from proml.core.digest import unhexed
from proml.errors import NotFound
from proml.export import mermaid, svg, text
from proml.export.layering import Box, Spacing, layered
from proml.export.view import ArtefactView, DerivationView, LineageView
from proml.node.index import Reach, View, lineage, what_taints
from proml.node.index import tainted as tainted_artefacts
from proml.node.index.rows import LineageRows
from proml.node.pages.shown import PageRoute, Shown, answer
from proml.node.server.callers import Reader, node_of

ROUTER = APIRouter(route_class=PageRoute)
# More boxes say nothing to anybody; a click shows what lies beyond.
MOST_DRAWN = 120
MOST_STEPS = 12
FILES: Mapping[str, tuple[str, Callable[[LineageView], str]]] = {
    "svg": ("image/svg+xml", svg.render),
    "mmd": ("text/vnd.mermaid", mermaid.render),
    "txt": ("text/plain; charset=utf-8", text.render),
}
_BOX = (168.0, 50.0)
_SPACING = Spacing(layers=70.0, boxes=26.0, waypoints=12.0)


@dataclass(frozen=True, slots=True)
class Node:
    """An artefact in the graph: as in a drawing, with its distance from the focus and its place in pixels.

    Attributes:
        depth: steps from the focus; negative for what it was made from.
        x, y: of its middle.
        custodian: who has it.
    """

    id: str
    kind: str
    name: str
    state: str
    organisation: str
    custodian: str
    is_recalled: bool
    is_tainted: bool
    depth: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Graph:
    """A part of a lineage that is complete, or not; see `LineageRows`."""

    focus: str
    artefacts: tuple[Node, ...]
    derivations: tuple[DerivationView, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class LineagePage:
    """What the page shows; `steps` is how far it goes from the focus."""

    lineage: Graph
    steps: int


@ROUTER.get("/artefacts/{identifier}/lineage")
def lineage_page(
    request: Request,
    identifier: str,
    _: Reader,
    steps: Annotated[int, Query(ge=1, le=MOST_STEPS)] = 4,
) -> Response:
    """What an artefact was made from, and what was made from it."""
    artefact_id = unhexed(identifier)
    with node_of(request).index.reading() as view:
        rows = lineage(view, artefact_id, Reach(most=MOST_DRAWN, depth=steps))
        seen = _view(view, rows)
        content = LineagePage(_graph(rows, seen), steps)
        focus = rows.artefacts[0].artefact
        title = f"Lineage of {focus.kind} {focus.name or focus.id[2:10]}"
        drawings = {"lineage": svg.drawing(seen)}
        return answer(request, view, Shown("lineage.html", title, content, "/artefacts", drawings))


@ROUTER.get("/artefacts/{identifier}/lineage.{ending}")
def lineage_file(
    request: Request,
    identifier: str,
    ending: str,
    _: Reader,
    steps: Annotated[int, Query(ge=1, le=MOST_STEPS)] = 4,
) -> Response:
    """The drawing of a lineage as a file: SVG, Mermaid or text.

    Raises:
        NotFound: for another ending.
    """
    if ending not in FILES:
        raise NotFound(f"lineages come as {', '.join(FILES)}, not as {ending!r}")
    media, render = FILES[ending]
    artefact_id = unhexed(identifier)
    with node_of(request).index.reading() as view:
        seen = _view(view, lineage(view, artefact_id, Reach(most=MOST_DRAWN, depth=steps)))
    headers = {"content-disposition": f'attachment; filename="lineage-{identifier[2:10]}.{ending}"'}
    return Response(render(seen), headers=headers, media_type=media)


def _view(view: View, rows: LineageRows) -> LineageView:
    """The rows as a drawing takes them; taint is asked of the whole history, not only of what is shown."""
    by_id = {each.artefact.id: each.artefact for each in rows.artefacts}
    reached, complete = tainted_artefacts(view)
    tainted = {each.id for each in reached}
    if not complete:
        tainted |= {name for name in by_id if name not in tainted and what_taints(view, unhexed(name), 1)}
    paths = [each.path for each in what_taints(view, unhexed(rows.focus), 5)]
    return LineageView(
        focus=rows.focus,
        artefacts=tuple(
            ArtefactView(
                row.id, row.kind, row.name, row.state, row.creator.name, row.recalled, name in tainted
            )
            for name, row in by_id.items()
        ),
        derivations=tuple(
            DerivationView(
                each.source,
                each.artefact,
                each.source_sequence,
                each.sequence,
                each.action,
                by_id[each.source].recalled or each.source in tainted,
            )
            for each in rows.derivations
        ),
        taint_paths=tuple(path for path in paths if set(path) <= by_id.keys()),
    )


def _graph(rows: LineageRows, seen: LineageView) -> Graph:
    boxes = [Box(each.id, *_BOX) for each in seen.artefacts]
    links = [(each.source, each.target) for each in seen.derivations]
    places = layered(boxes, links, _SPACING).places
    nodes = []
    for each, node in zip(seen.artefacts, rows.artefacts, strict=True):
        place = places[each.id]
        nodes.append(
            Node(
                id=each.id,
                kind=each.kind,
                name=each.name,
                state=each.state,
                organisation=each.organisation,
                custodian=node.artefact.custodian.name,
                is_recalled=each.is_recalled,
                is_tainted=each.is_tainted,
                depth=node.depth,
                x=round(place.along + place.length / 2, 1),
                y=round(place.across + place.breadth / 2, 1),
            )
        )
    return Graph(rows.focus, tuple(nodes), seen.derivations, rows.complete)
