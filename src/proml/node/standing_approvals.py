"""Which approvals of a step stand at this moment, and with which subject the step can rely on them."""

from __future__ import annotations

from collections.abc import Mapping

from proml.core.digest import ZERO
from proml.core.event import Approval
from proml.core.history import SharedHistory
from proml.core.lifecycle import MAX_APPROVALS, Rule


def next_rule(shared: SharedHistory, artefact: bytes, action: int) -> Rule | None:
    """The rule of an action in the artefact's present state, None where there is none."""
    present = shared.artefacts.get(artefact)
    table = shared.tables.get(present.lifecycle) if present else None
    return table.rule(present.state, action) if present and table else None


def standing_approvals(
    shared: SharedHistory, artefact: bytes, action: int
) -> Mapping[bytes, tuple[Approval, ...]]:
    """The approvals an artefact's next step could name, by the subject they were given for.

    In ascending order of organisations, one of each, and 8 at most; without those whose giver was removed, or
    lost the role or the key.
    """
    rule = next_rule(shared, artefact, action)
    if rule is None or not rule.approvals:
        return {}
    sequence = shared.artefacts[artefact].sequence + 1
    found: dict[bytes, dict[int, Approval]] = {}
    for about, verb, at, subject, actor, record in shared.approved:
        giver = shared.organisations[actor.organisation]
        fits = (about, verb, at) == (artefact, action, sequence)
        if (
            fits
            and not (shared.keys[actor.key].revoked or giver.removed)
            and giver.roles & rule.approver_roles
        ):
            of = found.setdefault(subject, {})
            # Of several by one organisation any will do; always the same one, so that tests can tell.
            if actor.organisation not in of or record < of[actor.organisation].record:
                of[actor.organisation] = Approval(actor, record)
    return {
        subject: tuple(by[number] for number in sorted(by))[:MAX_APPROVALS] for subject, by in found.items()
    }


def agreed_subject(
    given: Mapping[bytes, tuple[Approval, ...]], rule: Rule, digest: bytes | None, is_public: bool
) -> bytes:
    """The subject of a step that needs approvals: the one that most approvals were given for.

    A salted commitment would be another one in each record, so nobody could approve it: it is the digest
    itself (32 bytes), or zero, which stands for the bytes the artefact has.

    Args:
        given: approvals by subject.
        rule: of the step.
        digest: of the bytes the step speaks of, if it does.
        is_public: whether such digests go out where nobody approved anything yet.
    """
    fits = [each for each in (digest, None if rule.subject else ZERO) if each is not None]
    usual = digest if digest is not None and (is_public or rule.subject) else ZERO
    return max(fits or [ZERO], key=lambda each: (len(given.get(each, ())), each == usual))
