"""Layered layout of a directed graph: boxes in columns, links from earlier columns to later ones.

The usual four steps (Sugiyama, Tagawa, Toda 1981): turn round what closes a cycle, assign layers,
reduce crossings by barycentres, set positions. Positions are the least-squares answer under the rule
that neighbours keep their distance: isotonic regression by pooling. No chance and no clock: the same
graph gives the same layout everywhere.

*Along* is the direction in which links run, *across* the other one; a caller that draws from top to
bottom swaps them. All lengths are in the caller's unit.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from proml.export.cycles import components

_SWEEPS = 24
_SETTLING = 16
# How hard a piece of a link pulls at its ends: between boxes, box and waypoint, waypoints.
_PULLS = (3.0, 1.0, 8.0)
# How hard a vertex without neighbours on that side stays where it is.
_STAY = 0.1
_WAYPOINT_BREADTH = 4.0


@dataclass(frozen=True, slots=True)
class Box:
    """Something to place: its extent along and across."""

    key: str
    length: float
    breadth: float


@dataclass(frozen=True, slots=True)
class Spacing:
    """Least distances: between layers, between boxes of a layer, beside the waypoint of a long link."""

    layers: float
    boxes: float
    waypoints: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a box came to lie: its near corner, its extent, its layer from 0."""

    key: str
    along: float
    across: float
    length: float
    breadth: float
    layer: int


@dataclass(frozen=True, slots=True)
class Route:
    """How one link runs: (along, across) points in pairs, a straight stretch through a layer each.

    A link that closes a cycle (`is_back`) runs from a later layer to an earlier one. The ends are not
    in `points`: they are the middle of the boxes' sides.
    """

    source: str
    target: str
    is_back: bool
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """All places and routes, and the extent of the whole; every coordinate is 0 or more."""

    places: dict[str, Place]
    routes: tuple[Route, ...]
    length: float
    breadth: float


@dataclass(slots=True)
class _Graph:
    """Vertices are numbers: boxes in the caller's order first, then the waypoints of long links."""

    layers: list[int]
    breadths: list[float]
    ways: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    before: list[list[int]] = field(default_factory=list)
    after: list[list[int]] = field(default_factory=list)
    columns: list[list[int]] = field(default_factory=list)


def layered(boxes: Sequence[Box], links: Iterable[tuple[str, str]], spacing: Spacing) -> Layout:
    """Place boxes and route links; several links between the same two count once, links to itself not.

    The order of `boxes` decides which link of a cycle runs back: the one from a later to an earlier box.
    KeyError for a link to a box that is not there.
    """
    numbers = {box.key: number for number, box in enumerate(boxes)}
    pairs = list(dict.fromkeys((numbers[source], numbers[target]) for source, target in links))
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    if not boxes:
        return Layout({}, (), 0, 0)
    component = components(len(boxes), pairs)
    back = {pair for pair in pairs if component[pair[0]] == component[pair[1]] and pair[0] > pair[1]}
    forward = list(dict.fromkeys((b, a) if (a, b) in back else (a, b) for a, b in pairs))
    graph = _Graph(_layers(len(boxes), forward), [box.breadth for box in boxes])
    _add_waypoints(graph, pairs, back)
    _reduce_crossings(graph)
    centres = _centres(graph, len(boxes), spacing)
    return _layout(boxes, graph, centres, (pairs, back), spacing)


def _layers(count: int, forward: Iterable[tuple[int, int]]) -> list[int]:
    """Longest path from the left; then sources and other early boxes move up to what they feed."""
    after: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in forward:
        after[source].append(target)
        waiting[target] += 1
    entering = list(waiting)
    order = [vertex for vertex in range(count) if not waiting[vertex]]
    layers = [0] * count
    for vertex in order:  # grows while it is walked
        for target in after[vertex]:
            layers[target] = max(layers[target], layers[vertex] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    for vertex in reversed(order):
        if len(after[vertex]) > entering[vertex]:
            layers[vertex] = min(layers[target] for target in after[vertex]) - 1
    first = min(layers)
    return [layer - first for layer in layers]


def _add_waypoints(graph: _Graph, pairs: Iterable[tuple[int, int]], back: set[tuple[int, int]]) -> None:
    """Break links over several layers into pieces; those that leave one box together share their way."""
    count = len(graph.layers)
    shared: dict[tuple[int, bool, int], int] = {}
    segments: dict[tuple[int, int], None] = {}
    for source, target in pairs:
        turned = (source, target) in back
        start, end = (target, source) if turned else (source, target)
        previous, way = start, []
        for layer in range(graph.layers[start] + 1, graph.layers[end]):
            key = (source if turned else start, turned, layer)
            if key not in shared:
                shared[key] = len(graph.layers)
                graph.layers.append(layer)
                graph.breadths.append(_WAYPOINT_BREADTH)
            segments[previous, shared[key]] = None
            previous = shared[key]
            way.append(previous)
        segments[previous, end] = None
        graph.ways[source, target] = way
    graph.before = [[] for _ in graph.layers]
    graph.after = [[] for _ in graph.layers]
    for start, end in segments:
        graph.after[start].append(end)
        graph.before[end].append(start)
    graph.columns = [[] for _ in range(max(graph.layers[:count]) + 1)]
    for vertex, layer in enumerate(graph.layers):
        graph.columns[layer].append(vertex)


def _reduce_crossings(graph: _Graph) -> None:
    """Sort each column by the mean position of neighbours, to and fro; keep the best order seen."""
    best = [list(column) for column in graph.columns]
    fewest = _crossings(graph)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        rightwards = sweep % 2 == 0
        columns = graph.columns if rightwards else graph.columns[::-1]
        neighbours = graph.before if rightwards else graph.after
        for fixed, moved in pairwise(columns):
            position = {vertex: place for place, vertex in enumerate(fixed)}
            wishes = {
                vertex: _barycentre(neighbours[vertex], position, place) for place, vertex in enumerate(moved)
            }
            moved.sort(key=wishes.__getitem__)
        crossings = _crossings(graph)
        if crossings < fewest:
            fewest, best = crossings, [list(column) for column in graph.columns]
    graph.columns = best


def _barycentre(neighbours: list[int], position: dict[int, int], own: int) -> float:
    if not neighbours:
        return own
    return sum(position[each] for each in neighbours) / len(neighbours)


def _crossings(graph: _Graph) -> int:
    """How many pairs of link pieces cross."""
    crossings = 0
    for left, right in pairwise(graph.columns):
        position = {vertex: place for place, vertex in enumerate(right)}
        seen: list[int] = []
        for vertex in left:
            ends = sorted(position[each] for each in graph.after[vertex])
            crossings += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return crossings


def _centres(graph: _Graph, count: int, spacing: Spacing) -> list[float]:
    """The across position of every vertex's centre."""
    centres = [0.0] * len(graph.layers)
    for column in graph.columns:
        offset = 0.0
        for place, vertex in enumerate(column):
            offset += _distance(graph, column[place - 1], vertex, (count, spacing)) if place else 0.0
            centres[vertex] = offset
    for sweep in range(_SETTLING):
        columns = graph.columns if sweep % 2 == 0 else graph.columns[::-1]
        sides = (graph.before, graph.after) if sweep % 2 == 0 else (graph.after, graph.before)
        if sweep >= _SETTLING - 6:  # at last both sides count
            sides = ([a + b for a, b in zip(*sides, strict=True)],) * 2
        for column in columns:
            _settle(graph, column, sides[0], centres, (count, spacing))
    lowest = min(centres[each] - graph.breadths[each] / 2 for each in range(len(centres)))
    return [centre - lowest for centre in centres]


def _settle(
    graph: _Graph,
    column: list[int],
    neighbours: list[list[int]],
    centres: list[float],
    rule: tuple[int, Spacing],
) -> None:
    """Move a column's vertices to where neighbours want them, in order and at their distances."""
    offsets, offset = [], 0.0
    for place, vertex in enumerate(column):
        offset += _distance(graph, column[place - 1], vertex, rule) if place else 0.0
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []  # mean wish, weight, how many
    for vertex, own in zip(column, offsets, strict=True):
        pulls = [
            (_PULLS[(vertex >= rule[0]) + (each >= rule[0])], centres[each]) for each in neighbours[vertex]
        ]
        weight = sum(pull for pull, _ in pulls)
        wish = sum(pull * centre for pull, centre in pulls) / weight if pulls else centres[vertex]
        pool = (wish - own, weight or _STAY, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, heavy, size = pools.pop()
            total = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / total, total, size + pool[2])
        pools.append(pool)
    places = iter(zip(column, offsets, strict=True))
    for mean, _, size in pools:
        for _ in range(size):
            vertex, own = next(places)
            centres[vertex] = mean + own


def _distance(graph: _Graph, upper: int, lower: int, rule: tuple[int, Spacing]) -> float:
    count, spacing = rule
    gap = spacing.boxes if upper < count and lower < count else spacing.waypoints
    return (graph.breadths[upper] + graph.breadths[lower]) / 2 + gap


def _layout(
    boxes: Sequence[Box],
    graph: _Graph,
    centres: list[float],
    links: tuple[list[tuple[int, int]], set[tuple[int, int]]],
    spacing: Spacing,
) -> Layout:
    lengths = [0.0] * len(graph.columns)
    for number, box in enumerate(boxes):
        lengths[graph.layers[number]] = max(lengths[graph.layers[number]], box.length)
    starts, along = [], 0.0
    for layer, length in enumerate(lengths):
        starts.append(along)
        along += length + (_gap(graph, layer, centres, spacing) if layer + 1 < len(lengths) else 0.0)
    places = {
        box.key: Place(
            box.key,
            round(starts[graph.layers[number]] + (lengths[graph.layers[number]] - box.length) / 2),
            round(centres[number] - box.breadth / 2),
            box.length,
            box.breadth,
            graph.layers[number],
        )
        for number, box in enumerate(boxes)
    }
    pairs, back = links
    routes = []
    for source, target in pairs:
        points: list[tuple[float, float]] = []
        for vertex in graph.ways[source, target]:
            layer = graph.layers[vertex]
            across = float(round(centres[vertex]))
            points += [(round(starts[layer]), across), (round(starts[layer] + lengths[layer]), across)]
        turned = (source, target) in back
        routes.append(
            Route(boxes[source].key, boxes[target].key, turned, tuple(reversed(points) if turned else points))
        )
    ends = [place.across + place.breadth for place in places.values()]
    ends += [across for route in routes for _, across in route.points]
    return Layout(places, tuple(routes), round(along), max(ends))


def _gap(graph: _Graph, layer: int, centres: list[float], spacing: Spacing) -> float:
    """Wider where links are steep, so that curves stay readable; at most three times the least."""
    rises = [abs(centres[a] - centres[b]) for a in graph.columns[layer] for b in graph.after[a]]
    return spacing.layers + min(2 * spacing.layers, max(rises, default=0.0) / 6)
