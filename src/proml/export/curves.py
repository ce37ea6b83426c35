"""Links as SVG paths: curved between layers, straight through them, with a head at the end.

Points are (along, across), as the layout has them; `downwards` draws along the page's y axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from proml.export.layering import Route
from proml.export.markup import element

Point = tuple[float, float]
_HEAD_LENGTH, _HEAD_BREADTH = 8.0, 10.0


class Pen:
    """Draws links; a stretch that several links from one box share is drawn once in each style."""

    __slots__ = ("_downwards", "_drawn")

    def __init__(self, downwards: bool) -> None:
        self._downwards = downwards
        self._drawn: set[tuple[str, bool, str, Point]] = set()

    def arrow(self, route: Route, ends: tuple[Point, Point], styles: tuple[str, str]) -> list[Markup]:
        """A link between two points by way of its route, and its head; `styles` are theirs."""
        start, tip = ends
        points = list(route.points)
        while points and (route.source, route.is_back, styles[0], points[0]) in self._drawn:
            start = points.pop(0)
        self._drawn.update((route.source, route.is_back, styles[0], point) for point in points)
        backwards = -1.0 if route.is_back else 1.0
        neck = (tip[0] - backwards * (_HEAD_LENGTH - 1), tip[1])
        wings = tip[0] - backwards * _HEAD_LENGTH
        corners = [tip, (wings, tip[1] - _HEAD_BREADTH / 2), (wings, tip[1] + _HEAD_BREADTH / 2)]
        head = "M" + "L".join(_at(corner, self._downwards) for corner in corners) + "z"
        return [
            element("path", d=curve([start, *points, neck], self._downwards), class_=styles[0]),
            element("path", d=head, class_=styles[1]),
        ]


def curve(points: Sequence[Point], downwards: bool) -> str:
    """The `d` of a path: from the first point, each odd stretch curved and each even one straight."""
    words = ["M" + _at(points[0], downwards)]
    for number, (here, there) in enumerate(pairwise(points)):
        if number % 2:
            words.append("L" + _at(there, downwards))
        else:
            bend = (here[0] + there[0]) / 2
            turns = [_at((bend, here[1]), downwards), _at((bend, there[1]), downwards)]
            words.append("C" + " ".join([*turns, _at(there, downwards)]))
    return "".join(words)


def _at(point: Point, downwards: bool) -> str:
    x, y = (point[1], point[0]) if downwards else point
    return f"{x:g} {y:g}"
