"""What a staged attack came to, and the little that all attacks share."""

from __future__ import annotations

from dataclasses import dataclass

from stage import Stage, Surprise

from proml.core.digest import hexed
from proml.core.event import Refused
from proml.core.refusal import Reason
from proml.core.verdict import Deed, Outcome, Verdict
from proml.export.report_view import AttackOutcome, AttackResult
from proml.node.outbox import Intent

FOUND, REFUSED, MISSED = AttackResult.FOUND, AttackResult.REFUSED, AttackResult.MISSED


@dataclass(frozen=True, slots=True)
class Attack:
    """One staged attack, for the report and for tests.

    Attributes:
        outcome: how it ended.
        reasons: names of the reasons for which the contracts refused something in it.
        checks: numbers of the checks that a verification called invalid.
    """

    outcome: AttackOutcome
    reasons: tuple[str, ...] = ()
    checks: tuple[int, ...] = ()


def missed(name: str, tried: str, surprise: Surprise) -> Attack:
    """An attack that neither was refused nor found."""
    return Attack(AttackOutcome(name, tried, MISSED, "nothing", "", str(surprise)))


def invalid_checks(verdict: Verdict) -> tuple[int, ...]:
    """The numbers of the checks that are invalid."""
    return tuple(check.number for check in verdict.checks if check.outcome is Outcome.INVALID)


def with_bytes(verdict: Verdict) -> Deed:
    """The newest step that names the bytes in hand: who signed that it was these."""
    deeds = [deed for deed in verdict.deeds if deed.bytes_match]
    if not deeds:
        raise Surprise("no step names these bytes")
    return deeds[-1]


def signed(deed: Deed) -> str:
    """A step as evidence: who, what, by which key, in which block."""
    return (
        f"step {deed.sequence} ({deed.action}) by {deed.organisation_name}, key {hexed(deed.key)[:12]}…, "
        f"block {deed.block.number}"
    )


def refused(stage: Stage, event: Refused, intent: Intent) -> str:
    """A refusal as evidence: the event of the contracts that names organisation and reason."""
    reason = Reason(event.reason)
    return (
        f"Refused event for {stage.action_of(intent)!r}: {reason.name} ({reason.text}), "
        f"{stage.name_of(event.actor.organisation)}, key {hexed(event.actor.key)[:12]}…"
    )
