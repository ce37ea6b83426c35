"""Short stories that end with an artefact in a certain state; each returns its last step."""

from __future__ import annotations

from proml.core.event import Step
from tests.contracts.cast import DATA, DEVELOPER, VERIFIER, act, register
from tests.contracts.side_by_side import SideBySide


def collected(side: SideBySide) -> Step:
    """A dataset that is not usable yet, at sequence 1."""
    return side.make(DATA, register("dataset", "collect"))


def approved(side: SideBySide) -> Step:
    """A dataset that is usable from sequence 2 on."""
    return side.make(DATA, act("dataset", "approve", collected(side)))


def finished(side: SideBySide) -> Step:
    """A run that is usable from sequence 2 on."""
    return side.make(DEVELOPER, act("run", "finish", side.make(DEVELOPER, register("run", "start"))))


def candidate(side: SideBySide) -> Step:
    """A model made by a finished run, usable from sequence 1 on."""
    return side.make(DEVELOPER, register("model", "propose", [finished(side)]))


def passed(side: SideBySide, model: Step, verifier: bytes = VERIFIER) -> Step:
    """A passed evaluation of a model."""
    plan = side.make(verifier, register("evaluation", "plan", [model]))
    return side.make(verifier, act("evaluation", "pass", plan))


def evaluated(side: SideBySide, verifier: bytes = VERIFIER) -> Step:
    """A model that an evaluation speaks for, at sequence 2."""
    model = candidate(side)
    return side.make(verifier, act("model", "evaluate", model, [passed(side, model, verifier)]))
