"""Lineage as SVG: artefacts in columns from sources to what was made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from markupsafe import Markup

from proml.export.canvas import Drawing
from proml.export.curves import Pen, Point
from proml.export.layering import Box, Layout, Place, Route, Spacing, layered
from proml.export.markup import element, group
from proml.export.palette import kind_class
from proml.export.signs import SIGNS, fitted, kind_sign, sign, width
from proml.export.view import ArtefactView, DerivationView, LineageView
from proml.export.visible import short_id

WIDTH, HEIGHT = 208, 78
_SPACING = Spacing(layers=50, boxes=30, waypoints=16)
_MARGIN = 22
_LEGEND = 44
_LEAST_WIDTH = 560
# Of several derivations between the same two artefacts, so many are told.
_MOST_TOLD = 10
# Links that close a cycle meet a box that far from its middle, to keep apart from the others.
_BACK_PORT = 18.0
# How far the ring round the artefact asked for stands off its box.
_RING = 5


def render(view: LineageView) -> str:
    """A complete SVG file of the drawing."""
    return drawing(view).document()


def drawing(view: LineageView) -> Drawing:
    """The drawing, for a file or a page. An artefact that names itself gets no link for that."""
    layout = layered(
        [Box(each.id, WIDTH, HEIGHT) for each in view.artefacts],
        [(each.source, each.target) for each in view.derivations],
        _SPACING,
    )
    extent = (max(layout.length, _LEAST_WIDTH) + 2 * _MARGIN, layout.breadth + 2 * _MARGIN + _LEGEND)
    inner = group(
        [
            group(_links(view, layout)),
            group(_box(view, each, layout.places[each.id]) for each in view.artefacts),
        ],
        transform=f"translate({_MARGIN} {_MARGIN})",
    )
    backdrop = element("rect", width="100%", height="100%", rx=10, class_="pm-backdrop")
    legend = _legend(view, extent[1] - _LEGEND + 12)
    return Drawing(_title(view), _description(view), extent, [backdrop, inner, legend])


def _links(view: LineageView, layout: Layout) -> Iterator[Markup]:
    between: dict[tuple[str, str], list[DerivationView]] = {}
    for each in view.derivations:
        between.setdefault((each.source, each.target), []).append(each)
    pen = Pen(downwards=False)
    on_path = view.path_links
    # What matters most is drawn last, on top.
    rank = {
        pair: (pair in on_path, any(each.carries_taint for each in found)) for pair, found in between.items()
    }
    for route in sorted(layout.routes, key=lambda each: rank[each.source, each.target]):
        pair = (route.source, route.target)
        style = "pm-link" + (" pm-back" if route.is_back else "")
        style += (" pm-path" if rank[pair][0] else "") or (" pm-carries" if rank[pair][1] else "")
        head = "pm-head-bad" if any(rank[pair]) else "pm-head"
        ends = _ends(route, layout, view.focus)
        yield group(
            [
                element("title", _derivations(view, between[pair])),
                *pen.arrow(route, ends, (style, head)),
            ]
        )


def _ends(route: Route, layout: Layout, focus: str) -> tuple[Point, Point]:
    """Where a link leaves its source and where its head touches its target."""
    source, target = layout.places[route.source], layout.places[route.target]
    start = source.along if route.is_back else source.along + WIDTH
    reach = _RING if route.target == focus else 0
    end = target.along + WIDTH + reach if route.is_back else target.along - reach
    port = HEIGHT / 2 + (_BACK_PORT if route.is_back else 0)
    return (start, source.across + port), (end, target.across + port)


def _box(view: LineageView, artefact: ArtefactView, place: Place) -> Markup:
    style = [kind_class(artefact.kind)]
    style += ["pm-recalled"] if artefact.is_recalled else []
    style += ["pm-tainted"] if artefact.is_tainted and not artefact.is_recalled else []
    parts = [element("title", _summary(artefact))]
    if artefact.id == view.focus:
        parts.append(
            element(
                "rect",
                x=-_RING,
                y=-_RING,
                width=WIDTH + 2 * _RING,
                height=HEIGHT + 2 * _RING,
                rx=10 + _RING,
                class_="pm-ring",
            )
        )
    parts += [
        element("rect", width=WIDTH, height=HEIGHT, rx=10, class_="pm-box"),
        element("rect", x=8, y=13, width=4, height=HEIGHT - 26, rx=2, class_="pm-bar"),
        *_rows(artefact),
    ]
    if artefact.is_recalled or artefact.is_tainted:
        parts.append(_tab("recalled" if artefact.is_recalled else "tainted"))
    elif artefact.is_abandoned:
        parts.append(_tab("abandoned"))
    return group(parts, class_=" ".join(style), transform=f"translate({place.along:g} {place.across:g})")


def _rows(artefact: ArtefactView) -> Iterator[Markup]:
    state = fitted(artefact.state, 92, 11)
    badge = width(state, 11) + 14
    yield sign(kind_sign(artefact.kind), 20, 13, 14, "")
    kind = fitted(artefact.kind, WIDTH - 40 - badge - 16, 11)
    yield element("text", kind, x=39, y=24, class_="pm-kind")
    yield element("rect", x=WIDTH - 10 - badge, y=11, width=badge, height=19, rx=9.5, class_="pm-badge")
    middle = WIDTH - 10 - badge / 2
    yield element("text", state, x=middle, y=24, text_anchor="middle", class_="pm-small pm-state")
    if artefact.name:
        yield element("text", fitted(artefact.name, WIDTH - 32, 13.5), x=20, y=47, class_="pm-name")
    else:
        yield element("text", "name not at hand", x=20, y=47, class_="pm-muted")
    organisation = fitted(artefact.organisation, WIDTH - 98, 11)
    yield element("text", organisation, x=20, y=65, class_="pm-small pm-muted")
    yield element(
        "text",
        short_id(artefact.id),
        x=WIDTH - 12,
        y=65,
        text_anchor="end",
        class_="pm-small pm-muted pm-mono",
    )


def _tab(word: str) -> Markup:
    wide = width(word, 11) + 32
    outline = SIGNS["recalled" if word == "recalled" else "warning"]
    return group(
        [
            element("rect", width=wide, height=18, rx=9, class_="pm-tab"),
            sign(outline, 8, 3, 12, "pm-bad"),
            element("text", word, x=25, y=13, class_="pm-tab-text"),
        ],
        transform="translate(14 -11)",
    )


def _legend(view: LineageView, y: float) -> Markup:
    x = float(_MARGIN)
    parts = []
    for style, word in _line_styles(view):
        parts.append(element("path", d=f"M{x:g} {y:g}h30", class_=style))
        parts.append(element("text", word, x=x + 38, y=y + 4, class_="pm-small pm-muted"))
        x += 38 + width(word, 11) + 22
    if view.left_out:
        words = f"{view.left_out:,} further artefacts are not drawn"
        parts.append(element("text", words, x=x, y=y + 4, class_="pm-small pm-strong"))
    return group(parts)


def _line_styles(view: LineageView) -> Iterator[tuple[str, str]]:
    yield "pm-link", "used by"
    if any(each.carries_taint for each in view.derivations):
        yield "pm-link pm-carries", "carries a recall on"
    if view.path_links:
        yield "pm-link pm-path", "the way to the artefact asked for"


def _title(view: LineageView) -> str:
    focus = view.artefact(view.focus)
    return f"Lineage of the {focus.kind} {focus.name or focus.id}"


def _description(view: LineageView) -> str:
    def listed(artefacts: Iterable[ArtefactView]) -> str:
        return ", ".join(f"{each.kind} {each.name or short_id(each.id)}" for each in artefacts) or "none"

    return (
        f"{len(view.artefacts)} artefacts and {len(view.derivations)} derivations, sources on the left. "
        f"Recalled: {listed(each for each in view.artefacts if each.is_recalled)}. "
        f"Tainted: {listed(each for each in view.artefacts if each.is_tainted)}."
    )


def _summary(artefact: ArtefactView) -> str:
    words = f"{artefact.kind} {artefact.name or '(name not at hand)'}, {artefact.state}"
    words += ", recalled" if artefact.is_recalled else ""
    words += ", tainted: made from something recalled" if artefact.is_tainted else ""
    words += ", abandoned: open beyond its deadline" if artefact.is_abandoned else ""
    return f"{words}; registered by {artefact.organisation}; {artefact.id}"


def _derivations(view: LineageView, derivations: list[DerivationView]) -> str:
    words = [_derivation(view, each) for each in derivations[:_MOST_TOLD]]
    more = len(derivations) - _MOST_TOLD
    return "; ".join(words) + (f"; and {more:,} more" if more > 0 else "")


def _derivation(view: LineageView, derivation: DerivationView) -> str:
    source, target = view.artefact(derivation.source), view.artefact(derivation.target)
    return (
        f"{target.kind} {target.name or short_id(target.id)}, step {derivation.sequence} "
        f"({derivation.action}), used {source.kind} {source.name or short_id(source.id)} "
        f"as it stood at step {derivation.source_sequence}"
    )
