"""Decisions the contracts cannot have taken: a reader of events refuses each, and nothing changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proml.core.consortium import SCOPES, Actor
from proml.core.event import (
    Event,
    GovernanceSet,
    KeyAdded,
    LifecycleAdmitted,
    OrganisationAdmitted,
    OrganisationRemoved,
    ProposalCancelled,
    ProposalExecuted,
    ProposalMade,
    RolesSet,
    ThresholdSet,
    VoteCast,
)
from proml.core.proposal import Change, ChangeKind
from proml.core.refusal import Reason
from tests.unit.core.forging import (
    ADMIN,
    DEVELOPER,
    FOUNDING,
    LABELLER,
    LAX,
    NOW,
    NUMBER,
    SPARE,
    STORY,
    STRANGER,
    VERIFIER,
    admitted,
    after,
    founded,
    refused,
)

ROLES = Change(ChangeKind.SET_ROLES, 2, 127)
ADMIT = Change(ChangeKind.ADMIT, 0, 1, SPARE, bytes(32))
MADE = ProposalMade(1, ADMIN, ROLES)
VOTED = VoteCast(1, LABELLER)
EXECUTED = ProposalExecuted(1, DEVELOPER)
CHANGED = RolesSet(2, 127)


@pytest.mark.parametrize(
    ("story", "event", "words"),
    [
        ((), replace(MADE, number=2), "does not say what the decision was"),
        ((), replace(MADE, number=0), "does not say what the decision was"),
        ((), replace(MADE, actor=Actor(1, STRANGER)), Reason.UNKNOWN_KEY.text),
        ((), replace(MADE, actor=Actor(2, ADMIN.key)), "does not say what the decision was"),
        ((), replace(MADE, change=replace(ROLES, kind=9)), Reason.OUT_OF_RANGE.text),
        ((MADE,), replace(MADE, number=2), Reason.PROPOSAL_OPEN.text),
        ((), VOTED, Reason.UNKNOWN_PROPOSAL.text),
        ((MADE,), replace(VOTED, actor=ADMIN), Reason.VOTED_ALREADY.text),
        ((MADE, VOTED), VOTED, Reason.VOTED_ALREADY.text),
        ((MADE,), EXECUTED, Reason.VOTES_MISSING.text),
        ((MADE,), replace(VOTED, actor=Actor(3, LABELLER.key)), "does not say what the decision was"),
        ((MADE, VOTED), replace(EXECUTED, actor=Actor(2, STRANGER)), Reason.UNKNOWN_KEY.text),
        ((MADE, VOTED, EXECUTED, CHANGED), EXECUTED, Reason.PROPOSAL_CLOSED.text),
        ((MADE,), ProposalCancelled(1, LABELLER), Reason.NOT_YOUR_PROPOSAL.text),
        ((), CHANGED, "by vote only"),
        ((MADE, VOTED), CHANGED, "by vote only"),
        ((), ThresholdSet(1), "by vote only"),
        ((), OrganisationRemoved(2, ADMIN), "does not say what the decision was"),
        ((), GovernanceSet(1, 0, 0), "by the founding only"),
    ],
)
def test_a_decision_that_was_not_taken_is_refused(story: tuple[Event, ...], event: Event, words: str) -> None:
    refused(after(*story), event, words)


def test_the_vote_of_a_key_that_may_not_govern_is_refused() -> None:
    history = after(MADE, KeyAdded(3, SPARE, SCOPES["record"] | SCOPES["approve"], 0))
    refused(history, VoteCast(1, Actor(3, SPARE)), Reason.SCOPE_MISSING.text)


@pytest.mark.parametrize(
    "event",
    [
        RolesSet(2, 126),
        RolesSet(3, 127),
        ThresholdSet(1),
        OrganisationRemoved(2, DEVELOPER),
        KeyAdded(1, SPARE, 7, 0),
        EXECUTED,
        *STORY[:1],
    ],
)
def test_an_execution_says_what_was_voted_for_and_at_once(event: Event) -> None:
    history = after(MADE, VOTED, EXECUTED)
    refused(history, event, "must emit RolesSet next")
    assert history.accept(CHANGED, NOW) is None
    assert history.organisations[2].roles == 127


def test_an_admission_brings_the_number_and_the_key_that_were_voted_for() -> None:
    history = after(replace(MADE, change=ADMIT), VOTED, EXECUTED)
    number = len(history.organisations) + 1
    for event in (
        OrganisationAdmitted(number + 1, 1, bytes(32)),
        OrganisationAdmitted(number, 3, bytes(32)),
        KeyAdded(number, SPARE, 7, 0),
    ):
        refused(history, event, "must emit OrganisationAdmitted next")
    assert history.accept(OrganisationAdmitted(number, 1, bytes(32)), NOW) is None
    for key in (KeyAdded(number, STRANGER, 7, 0), KeyAdded(number, SPARE, 1, 0), KeyAdded(1, SPARE, 7, 0)):
        refused(history, key, "must emit KeyAdded next")
    assert history.accept(KeyAdded(number, SPARE, 7, 0), NOW) is None
    assert history.awaited == ()


def test_a_lifecycle_that_was_voted_for_is_the_one_that_is_admitted() -> None:
    change = Change(ChangeKind.ADMIT_LIFECYCLE, profile=LAX.id)
    history = after(replace(MADE, change=change), VOTED, EXECUTED)
    number = len(NUMBER) + 1
    other = replace(LAX, usable=0, rules=tuple(replace(rule, usable=False) for rule in LAX.rules))
    good = admitted(number, LAX)
    refused(history, admitted(number, other), "must emit LifecycleAdmitted next")
    refused(history, admitted(number + 1, LAX), "out of turn")
    refused(history, replace(good, rules=()), "1 to 128 transitions")
    assert isinstance(good, LifecycleAdmitted)
    assert history.accept(good, NOW) is None
    assert history.tables[number] == LAX


def test_what_was_proposed_before_somebody_left_lapses() -> None:
    history = after(MADE, OrganisationRemoved(4, VERIFIER))
    refused(history, VOTED, Reason.PROPOSAL_LAPSED.text)
    again = replace(MADE, number=2)
    assert history.accept(again, NOW) is None


def test_nobody_leaves_who_is_needed_for_the_threshold() -> None:
    history = after(OrganisationRemoved(4, VERIFIER), OrganisationRemoved(3, DEVELOPER))
    refused(history, OrganisationRemoved(2, LABELLER), Reason.TOO_FEW_MEMBERS.text)


def test_a_recovery_waits_for_its_delay_and_for_an_objection() -> None:
    change = Change(ChangeKind.RECOVER_KEY, 3, key=SPARE)
    history = after(replace(MADE, change=change), VOTED)
    refused(history, EXECUTED, Reason.TOO_EARLY.text, NOW + 99)
    assert history.accept(ProposalCancelled(1, DEVELOPER), NOW + 99) is None
    refused(history, replace(EXECUTED, actor=ADMIN), Reason.PROPOSAL_CLOSED.text, NOW + 100)


@pytest.mark.parametrize("pace", [(0, 0, 0), (2**32, 0, 0), (1, 2**32, 0), (1, 0, 2**32)])
def test_a_founding_with_a_pace_out_of_range_is_refused(pace: tuple[int, int, int]) -> None:
    _, events = founded()
    history = founded()[0]
    at = next(index for index, event in enumerate(events) if isinstance(event, GovernanceSet))
    history = type(history)(1337, b"\xc0" * 20)
    refused(history, events[at], "by the founding only", FOUNDING)
    for event in events[:at]:
        assert history.accept(event, FOUNDING) is None
    refused(history, GovernanceSet(*pace), "out of range", FOUNDING)
    refused(history, events[at], "by the founding only", FOUNDING + 1)
    refused(history, events[-1], "before the founding is complete", FOUNDING)
