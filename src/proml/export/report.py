"""A report: one self-contained HTML file that shows a history, its verdicts and what was tried against it.

    page = render(Report(title="…", lead="…", made=1_796_032_804, …))

No script, nothing from outside: the page forbids both to itself, and its style sheet is named by digest.
Every text may come from another organisation, so everything a template prints is made visible and
escaped unless this program made it as markup.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from jinja2 import PackageLoader
from markupsafe import Markup

from proml.core.digest import hexed, sha256
from proml.core.verdict import Check, Verdict
from proml.export import lanes, lifecycle_diagram, svg
from proml.export.canvas import Drawing
from proml.export.markup import own
from proml.export.report_view import CheckView, LifecycleFigure, Report, VerdictView
from proml.export.templating import environment, page_rules
from proml.export.view import TimelineStep
from proml.export.wording import counted

# What the paper measured on Ropsten (arXiv 2206.10110): seconds to one block and to twelve.
PAPER_FIRST_BLOCK, PAPER_FINAL = 16.0, 150.0
# Wider drawings are scrolled rather than shrunk.
_WIDEST_SHRUNK = 1600


def render(report: Report) -> str:
    """The page, UTF-8 text."""
    return (
        environment(PackageLoader("proml.export"))
        .get_template("report.html")
        .render(
            report=report,
            rules=page_rules(),
            policy=own(policy()),
            timeline=[_placed(each, "timeline", place) for place, each in enumerate(_lanes(report))],
            lineages=[
                (figure, _placed(svg.drawing(figure.view), "lineage", place))
                for place, figure in enumerate(report.lineages)
            ],
            lifecycles=[
                (figure, _placed(_diagram(figure), "lifecycle", place))
                for place, figure in enumerate(report.lifecycles)
            ],
            gas=gas_by_action(report.timeline.steps),
            latency=latencies(report.timeline.steps),
            check_names=_check_names(report.verdicts),
        )
    )


def policy() -> str:
    """The content security policy of the page: its own style sheet, named by digest, and nothing else."""
    digest = base64.b64encode(sha256(page_rules().encode())).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def verdict_view(title: str, verdict: Verdict, name_of: Callable[[int], str]) -> VerdictView:
    """The view of a verdict; findings name the organisation whose act they are."""
    return VerdictView(
        title=title,
        conclusion=verdict.conclusion.value,
        question=verdict.question,
        grounds=f"{verdict.grounds}, up to block {verdict.tip.number:,}",
        kind=verdict.stand.kind,
        name=verdict.stand.name or "",
        artefact=hexed(verdict.stand.artefact),
        checks=tuple(_check_view(check, name_of) for check in verdict.checks),
        notes=verdict.notes,
    )


def _check_view(check: Check, name_of: Callable[[int], str]) -> CheckView:
    findings = []
    reason = check.reason
    for finding in check.findings:
        named = f" ({name_of(finding.organisation)})" if finding.organisation else ""
        if finding.text == check.reason:  # the first finding is the reason: said once
            reason += named
        else:
            findings.append(finding.text + named)
    if check.more:
        findings.append(f"and {counted(check.more, 'further finding')}")
    return CheckView(check.number, check.name, check.outcome.value, reason, tuple(findings))


@dataclass(frozen=True, slots=True)
class GasRow:
    """Gas of one action of one kind; `share` is its median in percent of the largest median."""

    kind: str
    action: str
    times: int
    median: int
    largest: int
    share: int


def gas_by_action(steps: Iterable[TimelineStep]) -> list[GasRow]:
    """What each action cost, the dearest first; steps without a figure are left out."""
    found: dict[tuple[str, str], list[int]] = {}
    for step in steps:
        if step.gas is not None:
            found.setdefault((step.kind, step.action), []).append(step.gas)
    medians = {key: round(median(gas)) for key, gas in found.items()}
    highest = max(medians.values(), default=0) or 1
    rows = [
        GasRow(*key, len(gas), medians[key], max(gas), round(100 * medians[key] / highest))
        for key, gas in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.median, row.kind, row.action))


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """Seconds from sending: median and largest here, and what the paper reports of its chain."""

    name: str
    median: float
    largest: float
    paper: float
    paper_blocks: str


def latencies(steps: Iterable[TimelineStep]) -> list[LatencyRow]:
    """To the first block and to finality, as far as measured."""
    known = list(steps)
    first = [step.first_block for step in known if step.first_block is not None]
    final = [step.final for step in known if step.final is not None]
    rows = []
    if first:
        words = ("to the first block", median(first), max(first))
        rows.append(LatencyRow(*words, PAPER_FIRST_BLOCK, "one block"))
    if final:
        rows.append(LatencyRow("to final", median(final), max(final), PAPER_FINAL, "twelve blocks"))
    return rows


def _lanes(report: Report) -> list[Drawing]:
    return lanes.drawings(report.timeline)


def _diagram(figure: LifecycleFigure) -> Drawing:
    return lifecycle_diagram.drawing(figure.lifecycle, figure.present or None)


def _placed(drawing: Drawing, word: str, place: int) -> tuple[Markup, str]:
    """The drawing as an element with an id of its own, and the class for its frame."""
    frame = "picture shrunk" if drawing.width <= _WIDEST_SHRUNK else "picture"
    return drawing.figure(f"{word}-{place + 1}"), frame


def _check_names(verdicts: Iterable[VerdictView]) -> list[tuple[int, str]]:
    """The columns of the table of verdicts: every check that occurs, by number."""
    names = {check.number: check.name for verdict in verdicts for check in verdict.checks}
    return sorted(names.items())
