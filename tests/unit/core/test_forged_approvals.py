"""Approvals, and steps relying on them, which the contracts cannot have emitted: nothing changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proml.core.consortium import Actor, role_mask
from proml.core.digest import ZERO, keccak256
from proml.core.event import ActedApproved, Approval, Approved, Event, KeyAdded, KeyRevoked, Registered
from proml.core.history import SharedHistory
from proml.core.lifecycle import Rule, Table
from proml.core.refusal import Reason
from tests.unit.core.forging import (
    ADMIN,
    DEVELOPER,
    FOUNDING,
    LABELLER,
    NOW,
    SPARE,
    STRANGER,
    VERIFIER,
    admitted,
    founded,
    refused,
)

JUDGES = role_mask(["labeller", "verifier"])
RELEASE = Rule(
    1, 2, 1, role_mask(["developer"]), subject=True, approvals=2, approver_roles=JUDGES, approver_differs=1
)
TABLE = Table(9, 0, 0, 0, bytes(32), (Rule(0, 1, 1, role_mask(["developer"])), RELEASE))
ARTEFACT, SUBJECT = keccak256(b"draft"), keccak256(b"bytes")


def approved(actor: Actor, **changes: object) -> Approved:
    return replace(Approved(ARTEFACT, SUBJECT, actor, 2, 2, keccak256(actor.key)), **changes)


ONE, OTHER = approved(LABELLER), approved(VERIFIER)
RELIED = (Approval(LABELLER, ONE.record), Approval(VERIFIER, OTHER.record))


def released(**changes: object) -> ActedApproved:
    step = ActedApproved(ARTEFACT, SUBJECT, DEVELOPER, 2, 2, 1, keccak256(b"release"), (), RELIED)
    return replace(step, **changes)


def after(*events: Event) -> SharedHistory:
    history, founding = founded()
    number = len(history.tables) + 1
    assert founding
    assert history.accept(admitted(number, TABLE), FOUNDING) is None
    draft = Registered(ARTEFACT, SUBJECT, DEVELOPER, number, 1, 1, keccak256(b"draft record"))
    for event in (draft, *events):
        assert history.accept(event, NOW) is None
    return history


def test_the_real_story_is_accepted() -> None:
    history = after(ONE, OTHER, released())
    assert history.artefacts[ARTEFACT].sequence == 2


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (approved(Actor(2, STRANGER)), Reason.UNKNOWN_KEY.text),
        (approved(Actor(3, LABELLER.key)), "whose approval"),
        (approved(DEVELOPER), Reason.ROLE_MISSING.text),
        (approved(ADMIN), Reason.ROLE_MISSING.text),
        (approved(LABELLER, sequence=3), Reason.WRONG_SEQUENCE.text),
        (approved(LABELLER, action=1), Reason.NO_TRANSITION.text),
        (approved(LABELLER, artefact=SUBJECT), Reason.UNKNOWN_ARTEFACT.text),
        (approved(LABELLER, record=ZERO), Reason.RECORD_MISSING.text),
        (approved(LABELLER, subject=ZERO), Reason.SUBJECT_MISSING.text),
        (ONE, Reason.APPROVED_ALREADY.text),
    ],
)
def test_an_approval_nobody_can_have_given_is_refused(event: Event, words: str) -> None:
    refused(after(ONE), event, words)


def test_the_approval_of_a_key_without_the_scope_is_refused() -> None:
    history = after(KeyAdded(2, SPARE, 1 | 4, 0))
    refused(history, approved(Actor(2, SPARE)), Reason.SCOPE_MISSING.text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"approvals": ()}, "names 1 to 8"),
        ({"approvals": RELIED * 5}, "names 1 to 8"),
        ({"approvals": RELIED[:1]}, Reason.APPROVALS_MISSING.text),
        ({"approvals": RELIED[::-1]}, Reason.APPROVAL_INVALID.text),
        ({"approvals": RELIED[:1] * 2}, Reason.APPROVAL_INVALID.text),
        ({"approvals": (replace(RELIED[0], record=ZERO), RELIED[1])}, Reason.APPROVAL_INVALID.text),
        ({"subject": keccak256(b"other bytes")}, Reason.APPROVAL_INVALID.text),
        ({"sequence": 3}, Reason.WRONG_SEQUENCE.text),
        ({"state": 2}, "does not say what the step did"),
    ],
)
def test_a_step_whose_approvals_do_not_stand_is_refused(changes: dict[str, object], words: str) -> None:
    refused(after(ONE, OTHER), released(**changes), words)


def test_a_step_after_the_revocation_of_an_approver_is_refused() -> None:
    history = after(ONE, OTHER, KeyRevoked(4, VERIFIER.key, FOUNDING))
    refused(history, released(), Reason.APPROVAL_INVALID.text)
