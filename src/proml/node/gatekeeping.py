"""The gate: whether an artefact may go on, by a policy that a pipeline states and a verdict answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proml.core.verdict import ACTORS, BYTES, FINAL, HEAD, LEGAL, RECALL, Outcome, Verdict

# What can be known of every artefact by whoever reaches the ledger; records may be elsewhere.
NEEDED = (BYTES, HEAD, LEGAL, ACTORS, RECALL, FINAL)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a pipeline asks for.

    Attributes:
        states: the states it may be in; empty for any.
        performed: actions that must have been made since the present bytes were named, and by how many
            different organisations.
        complete: whether every check must be valid; otherwise records that are elsewhere do not matter.
    """

    states: tuple[str, ...] = ()
    performed: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """One demand of a policy, whether it is met, and what was found."""

    text: str
    met: bool
    found: str

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"demand": self.text, "met": self.met, "found": self.found}


def decide(policy: Policy, verdict: Verdict) -> list[Demand]:
    """Every demand of a policy against a verdict, met or not. The gate opens when all are met.

    A check that came out invalid is never let pass; one of `NEEDED` must be valid, bytes only where there
    are any in hand.
    """
    demands = []
    for check in verdict.checks:
        needed = policy.complete or check.number in NEEDED
        absent = check.outcome is Outcome.NOT_APPLICABLE
        if needed or check.outcome is Outcome.INVALID:
            met = check.outcome is Outcome.VALID or (absent and check.number == BYTES)
            demands.append(Demand(f"{check.number}. {check.name}", met, check.reason))
    if policy.states:
        text = f"state is {' or '.join(policy.states)}"
        demands.append(Demand(text, verdict.stand.state in policy.states, f"it is {verdict.stand.state}"))
    for action, least in policy.performed.items():
        who = _performers(action, verdict)
        demands.append(
            Demand(f"{action} by at least {least} organisation(s)", len(who) >= least, f"by {len(who)}")
        )
    return demands


def _performers(action: str, verdict: Verdict) -> set[int]:
    """Organisations that made an action since the artefact last became what it now is.

    A step back to the state in which it was registered (an amendment) makes earlier approvals stale.
    """
    found: set[int] = set()
    for deed in verdict.deeds:
        if deed.state == verdict.deeds[0].state:
            found.clear()
        elif deed.action == action:
            found.add(deed.organisation)
    return found
