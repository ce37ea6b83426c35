"""A lifecycle as a state diagram, in SVG and in Mermaid, with the present state marked.

In the SVG every action is a label of its own on the way from state to state, so that labels never lie
on each other; actions that may be taken now are outlined.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from proml.core.consortium import role_names
from proml.core.lifecycle import Lifecycle, Rule
from proml.export.canvas import Drawing
from proml.export.curves import Pen, Point
from proml.export.layering import Box, Layout, Place, Route, Spacing, layered
from proml.export.markup import element, group
from proml.export.mermaid import label
from proml.export.palette import COLOURS
from proml.export.signs import fitted, width

_SPACING = Spacing(layers=24, boxes=26, waypoints=14)
_MARGIN = 24
_HEADING = 34
_START = 18
_STATE_HEIGHT, _ACTION_HEIGHT = 46, 38
_MOST_ROOM = 220
_BACK_PORT = 18.0
# Beside the box, where the mark of the present state is.
_TAB_RISE = 10


@dataclass(frozen=True, slots=True)
class _Move:
    """All rules of one action that lead to the same state."""

    action: int
    following: int
    rules: tuple[Rule, ...]

    @property
    def key(self) -> str:
        return f"action-{self.action}-{self.following}"

    @property
    def sources(self) -> list[int]:
        return sorted(rule.state for rule in self.rules)

    @property
    def rank(self) -> tuple[int, int]:
        """Its place among states, so that only a move that leads back draws a link back."""
        if self.following > self.sources[0]:
            return self.sources[0], 1
        return self.sources[-1], 2


def render(lifecycle: Lifecycle, present: int | None = None) -> str:
    """A complete SVG file; `present` is the number of the state to mark."""
    return drawing(lifecycle, present).document()


def render_mermaid(lifecycle: Lifecycle, present: int | None = None) -> str:
    """Mermaid source of the state diagram."""
    table = lifecycle.table
    lines = [
        "stateDiagram-v2",
        f"  classDef present fill:{COLOURS['accent'][0]},color:#ffffff",
        f"  classDef recalled stroke:{COLOURS['bad'][0]},stroke-width:3px",
    ]
    states = _states(lifecycle)
    lines += [f'  state "{label(lifecycle.state_name(each))}" as s{each}' for each in states if each]
    words: dict[tuple[int, int], list[str]] = {}
    for rule in table.rules:
        words.setdefault((rule.state, rule.following), []).append(label(lifecycle.action_name(rule.action)))
    for (state, following), actions in words.items():
        start = f"s{state}" if state else "[*]"
        lines.append(f"  {start} --> s{following} : {' / '.join(actions)}")
    lines += [f"  s{each} --> [*]" for each in states if table.terminal >> each & 1]
    lines += [f"  class s{each} recalled" for each in states if table.recalled >> each & 1]
    if present:
        lines.append(f"  class s{present} present")
    return "\n".join(lines) + "\n"


def drawing(lifecycle: Lifecycle, present: int | None = None) -> Drawing:
    """The drawing from top to bottom; the start is the dot."""
    moves = _moves(lifecycle)
    layout = layered(_boxes(lifecycle, moves), _links(moves), _SPACING)
    parts = [group(_arrows(layout))]
    parts += [_state(lifecycle, each, present, layout.places[f"state-{each}"]) for each in _states(lifecycle)]
    parts += [_action(lifecycle, move, present, layout.places[move.key]) for move in moves]
    title = f"Lifecycle: {lifecycle.kind}"
    heading = element("text", title, x=_MARGIN, y=_MARGIN + 4, class_="pm-name")
    backdrop = element("rect", width="100%", height="100%", rx=10, class_="pm-backdrop")
    inner = group(parts, transform=f"translate({_MARGIN} {_MARGIN + _HEADING})")
    across = max(layout.breadth, width(title, 13.5))
    extent = (across + 2 * _MARGIN, layout.length + 2 * _MARGIN + _HEADING)
    return Drawing(title, _description(lifecycle, present), extent, [backdrop, heading, inner])


def _states(lifecycle: Lifecycle) -> list[int]:
    used = {0} | {number for rule in lifecycle.table.rules for number in (rule.state, rule.following)}
    return sorted(used)


def _moves(lifecycle: Lifecycle) -> list[_Move]:
    found: dict[tuple[int, int], list[Rule]] = {}
    for rule in lifecycle.table.rules:
        found.setdefault((rule.action, rule.following), []).append(rule)
    return [_Move(action, following, tuple(rules)) for (action, following), rules in found.items()]


def _boxes(lifecycle: Lifecycle, moves: list[_Move]) -> list[Box]:
    ranked = [((each, 0), _state_box(lifecycle, each)) for each in _states(lifecycle)]
    for move in moves:
        room = max(width(_action_name(lifecycle, move), 12), width(_roles(move), 11)) + 22
        ranked.append((move.rank, Box(move.key, _ACTION_HEIGHT, round(room))))
    return [box for _, box in sorted(ranked, key=lambda each: each[0])]


def _state_box(lifecycle: Lifecycle, state: int) -> Box:
    if state == 0:
        return Box("state-0", _START, _START)
    room = max(width(_state_name(lifecycle, state), 13.5), width(_remark(lifecycle, state), 11), 84) + 30
    return Box(f"state-{state}", _STATE_HEIGHT, round(room))


def _links(moves: list[_Move]) -> Iterator[tuple[str, str]]:
    for move in moves:
        for state in move.sources:
            yield f"state-{state}", move.key
        yield move.key, f"state-{move.following}"


def _arrows(layout: Layout) -> Iterator[Markup]:
    pen = Pen(downwards=True)
    for route in layout.routes:
        style = "pm-link pm-back" if route.is_back else "pm-link"
        yield from pen.arrow(route, _ends(route, layout), (style, "pm-head"))


def _ends(route: Route, layout: Layout) -> tuple[Point, Point]:
    source, target = layout.places[route.source], layout.places[route.target]
    start, end = [
        place.across + place.breadth / 2 + (_BACK_PORT if route.is_back else 0) for place in (source, target)
    ]
    if route.is_back:
        return (source.along, start), (target.along + target.length, end)
    return (source.along + source.length, start), (target.along, end)


def _state(lifecycle: Lifecycle, state: int, present: int | None, place: Place) -> Markup:
    spot = f"translate({place.across:g} {place.along:g})"
    if state == 0:
        dot = element("circle", cx=_START / 2, cy=_START / 2, r=_START / 2, class_="pm-start")
        return group([element("title", "start: not registered yet"), dot], transform=spot)
    table = lifecycle.table
    styles = ["pm-recalled"] if table.recalled >> state & 1 else []
    styles += ["pm-present"] if state == present else []
    remark = _remark(lifecycle, state)
    middle = place.breadth / 2
    parts = [
        element("title", f"{lifecycle.state_name(state)}: {remark or 'a step on the way'}"),
        element("rect", width=place.breadth, height=_STATE_HEIGHT, rx=12, class_="pm-box"),
    ]
    if table.terminal >> state & 1:
        inner = element(
            "rect", x=4, y=4, width=place.breadth - 8, height=_STATE_HEIGHT - 8, rx=9, class_="pm-inner"
        )
        parts.append(inner)
    parts.append(_line(_state_name(lifecycle, state), (middle, 21 if remark else 28), "pm-name"))
    if remark:
        parts.append(_line(remark, (middle, 36), "pm-small pm-muted"))
    if state == present:
        parts.append(_now(place.breadth))
    return group(parts, class_=" ".join(styles) or None, transform=spot)


def _now(breadth: float) -> Markup:
    wide = width("now", 11) + 18
    return group(
        [
            element("rect", width=wide, height=18, rx=9, class_="pm-now"),
            _line("now", (wide / 2, 13), "pm-now-text"),
        ],
        transform=f"translate({breadth - wide + 6:g} {-_TAB_RISE})",
    )


def _action(lifecycle: Lifecycle, move: _Move, present: int | None, place: Place) -> Markup:
    offered = present is not None and present in move.sources
    middle = place.breadth / 2
    pill = element(
        "rect",
        width=place.breadth,
        height=_ACTION_HEIGHT,
        rx=_ACTION_HEIGHT / 2,
        class_="pm-offered" if offered else "pm-action",
    )
    parts = [
        element("title", _conditions(lifecycle, move)),
        pill,
        _line(_action_name(lifecycle, move), (middle, 17), "pm-strong"),
        _line(_roles(move), (middle, 30), "pm-small pm-muted"),
    ]
    return group(parts, transform=f"translate({place.across:g} {place.along:g})")


def _line(words: str, at: Point, style: str) -> Markup:
    return element("text", words, x=float(at[0]), y=float(at[1]), text_anchor="middle", class_=style)


def _state_name(lifecycle: Lifecycle, state: int) -> str:
    return fitted(lifecycle.state_name(state).replace("_", " "), _MOST_ROOM, 13.5)


def _action_name(lifecycle: Lifecycle, move: _Move) -> str:
    return fitted(lifecycle.action_name(move.action).replace("_", " "), _MOST_ROOM, 12)


def _roles(move: _Move) -> str:
    roles = role_names(move.rules[0].roles)
    return fitted(", ".join(role.replace("_", " ") for role in roles), _MOST_ROOM, 11)


def _remark(lifecycle: Lifecycle, state: int) -> str:
    table = lifecycle.table
    if table.recalled >> state & 1:
        return "taints what uses it"
    if table.usable >> state & 1:
        return "may be used"
    return "the end" if table.terminal >> state & 1 else ""


def _conditions(lifecycle: Lifecycle, move: _Move) -> str:
    rule = move.rules[0]
    words = [f"{lifecycle.action_name(move.action)}: by {_roles(move)}"]
    performers = ("the creator", *(f"whoever did the {duty}" for duty in lifecycle.duties))
    differs = [who for bit, who in enumerate(performers) if rule.differs >> bit & 1]
    words += [f"not by {' or '.join(differs)}"] if differs else []
    words += ["only by the custodian"] if rule.custodian else []
    words += [f"at least {rule.least_inputs} inputs"] if rule.least_inputs > 1 else []
    words += ["at least one input"] if rule.least_inputs == 1 else []
    words += ["inputs must be usable"] if rule.inputs_usable else []
    words += ["needs a key with the scope to approve"] if rule.approve else []
    if rule.approvals:
        words.append(f"needs {rule.approvals} approvals by {', '.join(role_names(rule.approver_roles))}")
    return "; ".join(words)


def _description(lifecycle: Lifecycle, present: int | None) -> str:
    moves = [
        f"{lifecycle.action_name(rule.action)} leads from {lifecycle.state_name(rule.state)} "
        f"to {lifecycle.state_name(rule.following)}"
        for rule in lifecycle.table.rules
    ]
    now = f" The present state is {lifecycle.state_name(present)}." if present else ""
    return f"{lifecycle.about} {'; '.join(moves)}.{now}"
