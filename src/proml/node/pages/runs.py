"""Runs: the list of them, and several compared side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from proml.core.digest import unhexed
from proml.errors import UsageProblem
from proml.export import plot
from proml.export.canvas import Drawing
from proml.node.index import Ask, View, Wanted, artefact, find, history
from proml.node.index.rows import ArtefactRow, InputRow, Page
from proml.node.pages.measured import Measured, measured
from proml.node.pages.shown import PageRoute, Shown, answer, with_query
from proml.node.server.callers import Reader, node_of
from proml.node.server.node import Node

ROUTER = APIRouter(route_class=PageRoute)
MOST_COMPARED = 8
MOST_STEPS = 50
# What of a run's record is worth a row each.
_COMPARED = ("parameters", "metrics", "activity")
_MOST_ROWS = 300


@dataclass(frozen=True, slots=True)
class RunList:
    """The list of runs; `following` is the address of those that follow."""

    page: Page[ArtefactRow]
    following: str | None


@dataclass(frozen=True, slots=True)
class Compared:
    """One run of a comparison: what its records say, flattened to `parameters.depth` and the like."""

    run: ArtefactRow
    facts: Mapping[str, str]
    inputs: tuple[InputRow, ...]
    measured: Measured


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of the comparison: a value per run, None where its records do not say."""

    name: str
    values: tuple[str | None, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side."""

    runs: tuple[Compared, ...]
    differences: tuple[Difference, ...]
    metrics: tuple[str, ...]


@ROUTER.get("/runs")
def runs(
    request: Request,
    _: Reader,
    after: Annotated[str | None, Query(max_length=32)] = None,
) -> Response:
    """Runs, the one that changed last first."""
    with node_of(request).index.reading() as view:
        page = find(view, Wanted(kind="run"), Ask(50, after))
        content = RunList(page, with_query(request, after=page.next) if page.next else None)
        return answer(request, view, Shown("runs.html", "Runs", content, "/runs"))


@ROUTER.get("/runs/compare")
def compare(
    request: Request,
    _: Reader,
    run: Annotated[list[str], Query(max_length=MOST_COMPARED)] = [],  # noqa: B006 -- FastAPI copies it
) -> Response:
    """Up to eight runs side by side: parameters, metrics, inputs."""
    if not run:
        raise UsageProblem("choose the runs to compare", "tick some in the list of runs")
    node = node_of(request)
    with node.index.reading() as view:
        compared = tuple(_compared(node, view, each) for each in dict.fromkeys(run))
        names = sorted({metric.name for each in compared for metric in each.measured.metrics})
        content = Comparison(compared, tuple(_differences(compared)), tuple(names))
        drawings = {f"metric-{place}": _overlaid(name, compared) for place, name in enumerate(names)}
        return answer(request, view, Shown("compare.html", "Runs side by side", content, "/runs", drawings))


def _compared(node: Node, view: View, identifier: str) -> Compared:
    artefact_id = unhexed(identifier)
    row = artefact(view, artefact_id)
    steps = history(view, artefact_id, Ask(MOST_STEPS)).rows
    documents = [step.document for step in steps if step.document]
    facts: dict[str, str] = {"state": row.state, "by": row.creator.name}
    for document in documents:
        for name in _COMPARED:
            facts |= dict(_flat(name, document.get(name)))
    inputs = tuple(each for step in steps for each in step.inputs)
    return Compared(row, facts, inputs, measured(node.me.storage, documents))


def _flat(name: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif value is not None:
        yield name, value if isinstance(value, str) else orjson.dumps(value).decode()


def _differences(compared: tuple[Compared, ...]) -> list[Difference]:
    """One row per fact, in the order in which the runs tell them; what differs comes first."""
    names = list(dict.fromkeys(name for each in compared for name in each.facts))[:_MOST_ROWS]
    rows = []
    for name in names:
        values = tuple(each.facts.get(name) for each in compared)
        rows.append(Difference(name, values, len(set(values)) > 1))
    return sorted(rows, key=lambda row: not row.differs)


def _overlaid(name: str, compared: tuple[Compared, ...]) -> Drawing:
    series = [
        plot.Series(each.run.name or each.run.id[2:10], metric.points)
        for each in compared
        for metric in each.measured.metrics
        if metric.name == name
    ]
    return plot.drawing(name, series)
