"""Two artefacts side by side: where their histories part, and which values in their records differ."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from proml.errors import UsageProblem
from proml.node.index.documents import facts_of
from proml.node.index.looking import artefact, history
from proml.node.index.opening import View
from proml.node.index.paging import MOST, Ask
from proml.node.index.rows import ArtefactRow, StepRow

# Histories of more steps than this are not compared.
LONGEST = 4 * MOST


@dataclass(frozen=True, slots=True)
class Difference:
    """A value in the records of two artefacts, by its path; None where the one has none."""

    path: str
    first: Any
    second: Any


@dataclass(frozen=True, slots=True)
class Matching:
    """Two artefacts side by side.

    Attributes:
        alike: steps by the same action between the same states, in pairs, in their order.
        only_first, only_second: steps that have no such partner.
        values: what their records say differently, as far as they are here.
    """

    first: ArtefactRow
    second: ArtefactRow
    alike: tuple[tuple[StepRow, StepRow], ...]
    only_first: tuple[StepRow, ...]
    only_second: tuple[StepRow, ...]
    values: tuple[Difference, ...]


def match(view: View, first: bytes, second: bytes) -> Matching:
    """How the histories of two artefacts differ, step by step and value by value.

    Raises:
        NotFound: when one of them is not in the index.
        UsageProblem: when one has more than 2,000 steps.
    """
    rows = artefact(view, first), artefact(view, second)
    left, right = _whole(view, first), _whole(view, second)
    matcher = SequenceMatcher(
        None, [_kind(step) for step in left], [_kind(step) for step in right], autojunk=False
    )
    alike: list[tuple[StepRow, StepRow]] = []
    for here, there, size in matcher.get_matching_blocks():
        alike += zip(left[here : here + size], right[there : there + size], strict=True)
    matched = {each.place for pair in alike for each in pair}
    return Matching(
        first=rows[0],
        second=rows[1],
        alike=tuple(alike),
        only_first=tuple(step for step in left if step.place not in matched),
        only_second=tuple(step for step in right if step.place not in matched),
        values=_values(left, right),
    )


def _whole(view: View, identifier: bytes) -> list[StepRow]:
    steps: list[StepRow] = []
    ask = Ask(MOST)
    while True:
        page = history(view, identifier, ask)
        steps += page.rows
        if page.next is None:
            return steps
        if len(steps) >= LONGEST:
            raise UsageProblem(f"a history of more than {LONGEST:,} steps is not compared")
        ask = Ask(MOST, page.next)


def _kind(step: StepRow) -> tuple[str, str, str]:
    return step.action, step.before, step.state


def _values(left: list[StepRow], right: list[StepRow]) -> tuple[Difference, ...]:
    """Values that the newest record to have them gives differently, or that only one of them has."""
    here, there = _facts(left), _facts(right)
    return tuple(
        Difference(path, here.get(path), there.get(path))
        for path in sorted({*here, *there})
        if here.get(path) != there.get(path)
    )


def _facts(steps: list[StepRow]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for step in steps:
        found |= facts_of(step.document or {})
    return found
