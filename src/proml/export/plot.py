"""Plot one metric over its steps, of one run or of several side by side, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from proml.export.canvas import Drawing
from proml.export.markup import element, group
from proml.export.palette import KINDS, kind_class
from proml.export.signs import fitted
from proml.export.wording import counted

_WIDTH, _HEIGHT = 460.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 14.0, 34.0, 30.0
_LEGEND_LINE = 18.0
_MOST_BUCKETS = 300
_DASHES = (None, "7 3", "2 3")


@dataclass(frozen=True, slots=True)
class Series:
    """One line: `points` are (step, value) in rising order of step; values that are not finite are gaps."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Frame:
    """From figures to pixels."""

    low: tuple[float, float]
    high: tuple[float, float]

    def x(self, step: float) -> float:
        return _LEFT + _part(step, self.low[0], self.high[0]) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - _part(value, self.low[1], self.high[1]) * (_HEIGHT - _BOTTOM - _TOP)


def drawing(metric: str, series: Sequence[Series]) -> Drawing:
    """The plot of one metric; series beyond colour are told apart by their dashes.

    A series of more than 600 points is thinned to the extremes of equal ranges, so that no peak is lost.
    """
    shown = [_thinned(line) for line in series]
    finite = [point for line in shown for point in line.points if math.isfinite(point[1])]
    named = len(series) > 1
    height = _HEIGHT + (_LEGEND_LINE * len(series) + 6 if named else 0)
    parts = [
        element("rect", width="100%", height="100%", rx=10, class_="pm-backdrop"),
        element("text", fitted(metric, _WIDTH - 24, 13.5), x=12, y=21, class_="pm-name"),
    ]
    if finite:
        frame = _frame(finite)
        parts.append(group(_axes(frame)))
        parts.extend(_line(line, place, frame) for place, line in enumerate(shown))
    else:
        parts.append(element("text", "no finite value", x=12, y=_HEIGHT / 2, class_="pm-muted"))
    if named:
        parts.extend(_legend(series))
    return Drawing(f"Plot of {metric}", _description(series), (_WIDTH, height), parts)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round figures from `low` to `high`, at most `most` + 1: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [place * step for place in range(first, last + 1)]


def _part(figure: float, low: float, high: float) -> float:
    """Where a figure lies between two, 0 to 1; halves keep the difference of huge figures finite."""
    return (figure / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5


def _frame(points: Sequence[tuple[float, float]]) -> _Frame:
    steps, values = [step for step, _ in points], [value for _, value in points]
    return _Frame((min(steps), min(values)), (max(steps), max(values)))


def _thinned(series: Series) -> Series:
    points = series.points
    if len(points) <= 2 * _MOST_BUCKETS:
        return series
    size = -(-len(points) // _MOST_BUCKETS)
    kept: dict[tuple[float, float], None] = {}
    for start in range(0, len(points), size):
        bucket = sorted(points[start : start + size], key=lambda point: point[1])
        kept |= dict.fromkeys(sorted((bucket[0], bucket[-1])))
    return Series(series.name, tuple(kept))


def _axes(frame: _Frame) -> Iterator[Markup]:
    for value in ticks(frame.low[1], frame.high[1], 4):
        y = frame.y(value)
        yield element("path", d=f"M{_LEFT:g} {y:.1f}H{_WIDTH - _RIGHT:g}", class_="pm-lane")
        yield element(
            "text", f"{value:.4g}", x=_LEFT - 6, y=y + 4, text_anchor="end", class_="pm-small pm-muted"
        )
    for step in ticks(frame.low[0], frame.high[0], 5):
        yield element(
            "text",
            f"{step:.6g}",
            x=frame.x(step),
            y=_HEIGHT - _BOTTOM + 17,
            text_anchor="middle",
            class_="pm-small pm-muted",
        )


def _line(series: Series, place: int, frame: _Frame) -> Markup:
    """The line itself; a point with a gap on both sides, or alone, is a dot."""
    strokes, dots = [], []
    for part in _unbroken(series.points):
        spots = [f"{frame.x(step):.1f} {frame.y(value):.1f}" for step, value in part]
        if len(spots) > 1:
            strokes.append("M" + "L".join(spots))
        else:
            x, y = spots[0].split()
            dots.append(element("circle", cx=x, cy=y, r=3, class_="pm-bar"))
    return group([_curve("".join(strokes), place), *dots], class_=_colour(place))


def _curve(outline: str, place: int) -> Markup:
    return element(
        "path",
        d=outline,
        class_="pm-curve",
        fill="none",
        stroke="currentColor",
        stroke_width=2,
        stroke_dasharray=_dashes(place),
    )


def _unbroken(points: Iterable[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    parts: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if math.isfinite(point[1]):
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _legend(series: Sequence[Series]) -> Iterator[Markup]:
    for place, line in enumerate(series):
        y = _HEIGHT + _LEGEND_LINE * (place + 0.5)
        name = element("text", fitted(line.name, _WIDTH - 64, 12), x=50, y=y + 4)
        yield group([_curve(f"M14 {y:g}H42", place), name], class_=_colour(place))


def _colour(place: int) -> str:
    return kind_class(KINDS[place % len(KINDS)])


def _dashes(place: int) -> str | None:
    return _DASHES[place // len(KINDS) % len(_DASHES)]


def _description(series: Sequence[Series]) -> str:
    return "; ".join(_summary(line) for line in series)


def _summary(line: Series) -> str:
    values = [value for _, value in line.points if math.isfinite(value)]
    if not values:
        return f"{line.name}: no finite value"
    return (
        f"{line.name}: {counted(len(values), 'value')}, from {values[0]:.6g} to {values[-1]:.6g}, "
        f"lowest {min(values):.6g}, highest {max(values):.6g}"
    )
