"""What was measured inside a run: read from the batches of observations that this node holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from proml.core.digest import hexed, unhexed
from proml.core.proof import open_batch
from proml.errors import NotFound, RecordInvalid, StorageProblem
from proml.interfaces import Storage

# A page shows no more; `proml prove` and the API reach every observation.
MOST_BATCHES = 20
MOST_METRICS = 24


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a run.

    Attributes:
        points: (step, value) in rising order of step; where none was given, the place counts.
        last: the value at the highest step.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    last: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All metrics of a run, by name.

    Attributes:
        count: how many observations they come from.
        absent: batches that the run's record names and that are not here, or are not what it names.
        left_out: whether there are more batches or metrics than are shown.
    """

    metrics: tuple[Metric, ...]
    count: int
    absent: int
    left_out: bool


def measured(storage: Storage, documents: Iterable[Mapping[str, Any]]) -> Measured:
    """The metrics in the batches that a run's records name; each batch is checked against its root."""
    entries = [entry for document in documents for entry in _batches(document)]
    series: dict[str, list[tuple[float, float]]] = {}
    count = absent = 0
    for entry in entries[:MOST_BATCHES]:
        try:
            batch = open_batch(storage.get(unhexed(str(entry.get("batch")))))
        except (NotFound, RecordInvalid, StorageProblem):
            batch = None
        if batch is None or hexed(batch.root) != entry.get("root"):
            absent += 1
            continue
        for observation in batch.observations:
            _take(series, observation, count)
            count += 1
    named = sorted(series)[:MOST_METRICS]
    shown = tuple(_metric(name, series[name]) for name in named)
    return Measured(shown, count, absent, len(entries) > MOST_BATCHES or len(series) > len(named))


def _batches(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = document.get("observations")
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def _take(series: dict[str, list[tuple[float, float]]], observation: Mapping[str, Any], place: int) -> None:
    step, metrics = observation.get("step"), observation.get("metrics")
    at = float(step) if isinstance(step, int | float) and math.isfinite(step) else float(place)
    for name, value in metrics.items() if isinstance(metrics, Mapping) else ():
        if isinstance(value, int | float) and not isinstance(value, bool):
            series.setdefault(name, []).append((at, float(value)))


def _metric(name: str, points: list[tuple[float, float]]) -> Metric:
    points.sort(key=lambda point: point[0])
    return Metric(name, tuple(points), points[-1][1])
