"""A timeline as SVG swim lanes: one lane per organisation, one row per step, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from markupsafe import Markup

from proml.export.canvas import Drawing
from proml.export.markup import element, group
from proml.export.palette import kind_class
from proml.export.signs import SIGNS, fitted, kind_sign, sign, width
from proml.export.view import Timeline, TimelineStep
from proml.export.visible import short_id
from proml.export.wording import counted, date_of, duration, moment, time_of

# More rows than this fit no printed page.
MOST_ROWS = 32
_ROW, _DAY, _HEADER = 44, 34, 62
_MARGIN = 20
_LEFT = 128
_RIGHT = 84
_LANES_WIDTH = 740
_LEAST_LANE, _MOST_LANE = 92, 150
_LABEL = 230
_MARK = 11
_CORNER = 8


def render(timeline: Timeline) -> str:
    """A complete SVG file of all steps."""
    return _drawing(timeline, timeline.steps, 0).document()


def drawings(timeline: Timeline, most: int = MOST_ROWS) -> list[Drawing]:
    """The timeline in pieces of at most `most` steps, each with its own header."""
    starts = range(0, len(timeline.steps), most)
    return [_drawing(timeline, timeline.steps[first : first + most], first) for first in starts]


class _Grid:
    """Where lanes and rows are; days that begin take a row of their own."""

    def __init__(self, organisations: Sequence[str], steps: Sequence[TimelineStep]) -> None:
        lane = min(_MOST_LANE, max(_LEAST_LANE, _LANES_WIDTH // max(1, len(organisations))))
        self.lane_width = lane
        self.lanes = {name: _LEFT + lane * place + 26.0 for place, name in enumerate(organisations)}
        self.label_end = _LEFT + lane * max(0, len(organisations) - 1) + 26 + _LABEL
        self.width = self.label_end + _RIGHT
        self.rows: list[float] = []
        self.days: list[tuple[float, str]] = []
        y = float(_HEADER)
        for step in steps:
            day = date_of(step.time)
            if not self.days or self.days[-1][1] != day:
                self.days.append((y + _DAY / 2, day))
                y += _DAY
            self.rows.append(y + _ROW / 2)
            y += _ROW
        self.height = y


def _drawing(timeline: Timeline, steps: Sequence[TimelineStep], first: int) -> Drawing:
    # A step of an organisation without a lane gets one at the end.
    organisations = list(dict.fromkeys([*timeline.organisations, *(step.organisation for step in steps)]))
    grid = _Grid(organisations, steps)
    parts = [
        group(_background(grid)),
        element("path", d=_flow(grid, steps), class_="pm-flow"),
        *(_row(step, first + place + 1, grid, grid.rows[place]) for place, step in enumerate(steps)),
    ]
    title = f"Timeline, steps {first + 1} to {first + len(steps)}"
    description = (
        f"{counted(len(steps), 'step')} of {counted(len(organisations), 'organisation')}, oldest first; "
        "every step is also in the table of steps."
    )
    backdrop = element("rect", width="100%", height="100%", rx=10, class_="pm-backdrop")
    inner = group(parts, transform=f"translate({_MARGIN} 0)")
    return Drawing(title, description, (grid.width + 2 * _MARGIN, grid.height + 14), [backdrop, inner])


def _background(grid: _Grid) -> Iterator[Markup]:
    for name, x in grid.lanes.items():
        head = [
            element("text", line, x=x - _MARK, y=28 + 15 * place, class_="pm-strong")
            for place, line in enumerate(_two_lines(name, grid.lane_width - 8))
        ]
        lane = element("path", d=f"M{x:g} {_HEADER - 8}V{grid.height:g}", class_="pm-lane")
        yield group([element("title", name), lane, *head])
    yield element("text", "time, block", x=34, y=28, class_="pm-small pm-muted")
    yield element("text", "gas", x=grid.width, y=28, text_anchor="end", class_="pm-small pm-muted")
    yield element("text", "to final", x=grid.width, y=43, text_anchor="end", class_="pm-small pm-muted")
    for y, day in grid.days:
        yield element("path", d=f"M0 {y:g}H{grid.width:g}", class_="pm-lane")
        yield element("text", day, x=0, y=y + 4, class_="pm-small pm-strong pm-halo")


def _flow(grid: _Grid, steps: Sequence[TimelineStep]) -> str:
    """From mark to mark: how the work went from one organisation to the next, between the rows."""
    spots = [(grid.lanes[step.organisation], row) for row, step in zip(grid.rows, steps, strict=True)]
    return "".join(_turn(here, there) for here, there in pairwise(spots))


def _turn(here: tuple[float, float], there: tuple[float, float]) -> str:
    """Down, across half-way, down; with round corners."""
    (x, y), (to_x, to_y) = here, there
    if x == to_x:
        return f"M{x:g} {y:g}V{to_y:g}"
    middle, corner = (y + to_y) / 2 + 2, _CORNER if to_x > x else -_CORNER
    return (
        f"M{x:g} {y:g}V{middle - _CORNER:g}Q{x:g} {middle:g} {x + corner:g} {middle:g}"
        f"H{to_x - corner:g}Q{to_x:g} {middle:g} {to_x:g} {middle + _CORNER:g}V{to_y:g}"
    )


def _row(step: TimelineStep, number: int, grid: _Grid, y: float) -> Markup:
    lane = grid.lanes[step.organisation]
    start = lane + _MARK + 8
    room = grid.label_end - start - 4
    action = fitted(step.action.replace("_", " "), room / 2, 13.5)
    name = fitted(step.name or short_id(step.artefact), room - width(action, 13.5) - 6, 12)
    below = fitted(f"{step.kind} → {step.state.replace('_', ' ')}", room, 11)
    label = element(
        "text",
        element("tspan", action, class_="pm-name"),
        element("tspan", name, dx=6),
        x=start,
        y=y - 1,
        class_="pm-halo",
    )
    parts = [
        element("title", _summary(step)),
        element("text", str(number), x=22, y=y + 4, text_anchor="end", class_="pm-muted"),
        element("text", time_of(step.time), x=34, y=y - 1, class_="pm-figures"),
        element("text", f"block {step.block:,}", x=34, y=y + 14, class_="pm-small pm-muted"),
        *_mark(step, lane, y),
        label,
        element("text", below, x=start, y=y + 14, class_="pm-small pm-muted pm-halo"),
        *_cost(step, grid.width, y),
    ]
    return group(parts, class_=kind_class(step.kind))


def _mark(step: TimelineStep, x: float, y: float) -> Iterator[Markup]:
    yield element("circle", cx=x, cy=y, r=_MARK, class_="pm-mark-bad" if step.is_recall else "pm-mark")
    if step.is_recall:
        yield sign(SIGNS["recalled"], x - 6.5, y - 6.5, 13, "pm-bad")
    else:
        yield sign(kind_sign(step.kind), x - 6, y - 6, 12, "")


def _cost(step: TimelineStep, x: float, y: float) -> Iterator[Markup]:
    if step.gas is not None:
        yield element("text", f"{step.gas:,}", x=x, y=y - 1, text_anchor="end", class_="pm-figures")
    if step.final is not None:
        words = duration(step.final)
        yield element("text", words, x=x, y=y + 14, text_anchor="end", class_="pm-small pm-muted")


def _two_lines(name: str, room: float) -> list[str]:
    """A name on one line, or broken at the space that lets the first line be longest."""
    words = fitted(name, 2 * room, 12).split(" ")
    for count in range(len(words), 0, -1):
        first = " ".join(words[:count])
        if width(first, 12) <= room:
            rest = " ".join(words[count:])
            return [first, fitted(rest, room, 12)] if rest else [first]
    return [fitted(name, room, 12)]


def _summary(step: TimelineStep) -> str:
    gas = "" if step.gas is None else f", {step.gas:,} gas"
    return (
        f"{step.action}: {step.kind} {step.name or '(name not at hand)'} is now {step.state}; "
        f"by {step.organisation}, block {step.block:,}, {moment(step.time)}{gas}; "
        f"artefact {step.artefact}, step {step.sequence}, transaction {step.transaction}"
    )
