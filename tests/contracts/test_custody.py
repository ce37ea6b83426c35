"""Custody handed over, artefacts contested, and what becomes of those whose custodian is gone."""

from dataclasses import replace

import pytest

from proml.core.call import BatchCall, LeaveCall, ProposeCall, StepCall
from proml.core.consortium import Actor
from proml.core.digest import ZERO, word
from proml.core.event import Acted, Approval, Input, OrganisationRemoved, Step, SuccessorNamed, spoken_of
from proml.core.lifecycle import Alike
from proml.core.proposal import Change, ChangeKind
from proml.core.refusal import Reason
from tests.contracts.cast import (
    APPROVER,
    AUDITOR,
    CONGLOMERATE,
    DATA,
    DEVELOPER,
    GUEST,
    LABELLER,
    OPERATOR,
    ORGANISATION,
    VERIFIER,
    act,
    fresh,
)
from tests.contracts.decisions import give_narrow_key
from tests.contracts.side_by_side import SideBySide
from tests.contracts.stories import approved, candidate, collected, finished


def alike(action: Alike, after: Step, subject: bytes = ZERO) -> StepCall:
    """The step that follows `after`, of those that every lifecycle has."""
    return StepCall(after.artefact, 0, action, after.sequence + 1, fresh(), subject)


def offer(after: Step, key: bytes) -> StepCall:
    return alike(Alike.OFFER_CUSTODY, after, word(ORGANISATION[key]))


def handed_over(side: SideBySide, after: Step, giver: bytes, taker: bytes) -> Step:
    return side.make(taker, alike(Alike.ACCEPT_CUSTODY, side.make(giver, offer(after, taker))))


# --- custody ----------------------------------------------------------------------------------


def test_custody_passes_when_both_sides_have_signed(side: SideBySide) -> None:
    dataset = approved(side)
    offered = side.make(DATA, offer(dataset, CONGLOMERATE))
    assert isinstance(offered, Acted)
    assert offered.state == dataset.state
    # Until it is accepted, the giver stays the custodian.
    assert side.refusal(CONGLOMERATE, act("dataset", "amend", offered)) is Reason.NOT_CUSTODIAN
    accepted = side.make(CONGLOMERATE, alike(Alike.ACCEPT_CUSTODY, offered))
    assert side.refusal(DATA, act("dataset", "amend", accepted)) is Reason.NOT_CUSTODIAN
    side.make(CONGLOMERATE, act("dataset", "amend", accepted))


def test_handing_over_keeps_what_an_artefact_is_usable_for(side: SideBySide) -> None:
    dataset = approved(side)
    accepted = handed_over(side, dataset, DATA, LABELLER)
    run = side.make(
        DEVELOPER, replace(act("run", "start", dataset), artefact=fresh(), lifecycle=2, sequence=1)
    )
    # At the sequence before the hand-over as at the one after it.
    inputs = [Input(dataset.artefact, dataset.sequence), Input(dataset.artefact, accepted.sequence)]
    side.make(DEVELOPER, act("run", "finish", run, inputs))


@pytest.mark.parametrize("key", [DATA, LABELLER, GUEST], ids=["the custodian", "another member", "a third"])
def test_only_whom_it_was_offered_to_accepts(side: SideBySide, key: bytes) -> None:
    offered = side.make(DATA, offer(approved(side), DEVELOPER))
    assert side.refusal(key, alike(Alike.ACCEPT_CUSTODY, offered)) is Reason.NOT_OFFERED


def test_an_organisation_without_any_role_can_keep_an_artefact(side: SideBySide) -> None:
    handed_over(side, approved(side), DATA, GUEST)


def test_nothing_is_accepted_that_was_not_offered(side: SideBySide) -> None:
    assert side.refusal(DEVELOPER, alike(Alike.ACCEPT_CUSTODY, approved(side))) is Reason.NOT_OFFERED


def test_an_offer_is_accepted_once(side: SideBySide) -> None:
    accepted = handed_over(side, approved(side), DATA, DEVELOPER)
    assert side.refusal(DEVELOPER, alike(Alike.ACCEPT_CUSTODY, accepted)) is Reason.NOT_OFFERED


def test_an_offer_can_be_withdrawn_and_replaced(side: SideBySide) -> None:
    offered = side.make(DATA, offer(approved(side), DEVELOPER))
    withdrawn = side.make(DATA, alike(Alike.OFFER_CUSTODY, offered, ZERO))
    assert side.refusal(DEVELOPER, alike(Alike.ACCEPT_CUSTODY, withdrawn)) is Reason.NOT_OFFERED
    again = side.make(DATA, offer(side.make(DATA, offer(withdrawn, DEVELOPER)), VERIFIER))
    assert side.refusal(DEVELOPER, alike(Alike.ACCEPT_CUSTODY, again)) is Reason.NOT_OFFERED
    side.make(VERIFIER, alike(Alike.ACCEPT_CUSTODY, again))


def test_only_the_custodian_offers(side: SideBySide) -> None:
    assert side.refusal(LABELLER, offer(approved(side), LABELLER)) is Reason.NOT_CUSTODIAN


@pytest.mark.parametrize("number", [10, 99, 2**16, 2**16 + 1, 2**160, 2**256 - 1])
def test_nothing_is_offered_to_who_is_no_member(side: SideBySide, number: int) -> None:
    asked = alike(Alike.OFFER_CUSTODY, approved(side), word(number))
    assert side.refusal(DATA, asked) is Reason.NOT_A_MEMBER


def test_whoever_went_is_offered_nothing_and_accepts_nothing(side: SideBySide) -> None:
    offered = side.make(DATA, offer(approved(side), GUEST))
    side.accepted(GUEST, LeaveCall())
    assert side.refusal(GUEST, alike(Alike.ACCEPT_CUSTODY, offered)) is Reason.ORGANISATION_REMOVED
    assert side.refusal(DATA, offer(offered, GUEST)) is Reason.NOT_A_MEMBER


def test_an_offer_outlives_whoever_made_it(side: SideBySide) -> None:
    offered = side.make(DATA, offer(approved(side), DEVELOPER))
    side.accepted(DATA, LeaveCall())
    side.make(DEVELOPER, alike(Alike.ACCEPT_CUSTODY, offered))


# --- disputes ---------------------------------------------------------------------------------


def contested(side: SideBySide, by: bytes = GUEST) -> Step:
    return side.make(by, alike(Alike.CONTEST, approved(side)))


def test_any_member_contests_the_custodian_answers_and_it_is_settled(side: SideBySide) -> None:
    step = contested(side)
    assert side.history.artefacts[step.artefact].contester == ORGANISATION[GUEST]
    answered = side.make(DATA, alike(Alike.ANSWER, step))
    again = side.make(DATA, alike(Alike.ANSWER, answered))
    settled = side.make(GUEST, alike(Alike.SETTLE, again))
    assert side.history.artefacts[step.artefact].contester == 0
    side.make(LABELLER, alike(Alike.CONTEST, settled))


def test_a_dispute_stops_nothing(side: SideBySide) -> None:
    side.make(DATA, act("dataset", "amend", contested(side)))


def test_one_dispute_at_a_time(side: SideBySide) -> None:
    step = contested(side)
    for key in (GUEST, LABELLER):
        assert side.refusal(key, alike(Alike.CONTEST, step)) is Reason.DISPUTED_ALREADY


@pytest.mark.parametrize("action", [Alike.ANSWER, Alike.SETTLE])
def test_what_nobody_contests_is_neither_answered_nor_settled(side: SideBySide, action: Alike) -> None:
    step = approved(side)
    assert side.refusal(DATA, alike(action, step)) is Reason.NOT_DISPUTED


def test_only_the_custodian_answers(side: SideBySide) -> None:
    step = contested(side)
    for key in (GUEST, AUDITOR, LABELLER):
        assert side.refusal(key, alike(Alike.ANSWER, step)) is Reason.NOT_CUSTODIAN


def test_neither_the_custodian_nor_a_third_member_settles(side: SideBySide) -> None:
    step = contested(side)
    for key in (DATA, LABELLER, APPROVER):
        assert side.refusal(key, alike(Alike.SETTLE, step)) is Reason.NOT_YOUR_DISPUTE


def test_an_auditor_settles_unless_it_is_the_custodian(side: SideBySide) -> None:
    side.make(AUDITOR, alike(Alike.SETTLE, contested(side)))
    step = handed_over(side, contested(side), DATA, AUDITOR)
    assert side.refusal(AUDITOR, alike(Alike.SETTLE, step)) is Reason.NOT_YOUR_DISPUTE
    side.make(GUEST, alike(Alike.SETTLE, step))


def test_whoever_contested_settles_even_as_the_custodian(side: SideBySide) -> None:
    step = handed_over(side, contested(side), DATA, GUEST)
    side.make(GUEST, alike(Alike.SETTLE, step))


def test_what_is_recalled_can_still_be_contested_and_handed_over(side: SideBySide) -> None:
    recalled = side.make(DATA, act("dataset", "recall", approved(side)))
    handed_over(side, side.make(GUEST, alike(Alike.CONTEST, recalled)), DATA, OPERATOR)


# --- what they have in common -----------------------------------------------------------------

SPOILED = {
    "no record": ({"record": ZERO}, Reason.RECORD_MISSING),
    "an input": ({"inputs": (Input(fresh(), 1),)}, Reason.INPUTS_NOT_ASKED),
    "an older view": ({"sequence": 2}, Reason.WRONG_SEQUENCE),
    "an imagined view": ({"sequence": 4}, Reason.WRONG_SEQUENCE),
    "no such step": ({"action": 245}, Reason.NO_TRANSITION),
    "the last number": ({"action": 255}, Reason.NO_TRANSITION),
    "an unknown artefact": ({"artefact": fresh()}, Reason.UNKNOWN_ARTEFACT),
    "a registration": ({"lifecycle": 1, "sequence": 1}, Reason.NO_TRANSITION),
}


@pytest.mark.parametrize("action", Alike, ids=lambda action: action.name)
@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_step_is_refused(side: SideBySide, action: Alike, case: str) -> None:
    change, reason = SPOILED[case]
    asked = replace(alike(action, approved(side), word(ORGANISATION[GUEST])), **change)
    assert side.refusal(DATA, asked) is reason


@pytest.mark.parametrize("action", Alike, ids=lambda action: action.name)
def test_no_approval_goes_with_such_a_step(side: SideBySide, action: Alike) -> None:
    stray = Approval(Actor(ORGANISATION[APPROVER], APPROVER), fresh())
    asked = replace(alike(action, approved(side)), approvals=(stray,))
    (event,) = side.accepted(DATA, BatchCall(steps=(asked,)))
    assert event.reason == Reason.APPROVAL_INVALID


@pytest.mark.parametrize("action", Alike, ids=lambda action: action.name)
def test_such_a_step_needs_a_key_that_records(side: SideBySide, action: Alike) -> None:
    narrow = give_narrow_key(side, 6)
    assert side.refusal(narrow, alike(action, approved(side))) is Reason.SCOPE_MISSING


def test_any_such_step_makes_other_views_stale(side: SideBySide) -> None:
    dataset = approved(side)
    side.make(GUEST, alike(Alike.CONTEST, dataset))
    assert side.refusal(DATA, act("dataset", "amend", dataset)) is Reason.WRONG_SEQUENCE


def test_a_number_is_no_digest(side: SideBySide) -> None:
    offered = side.make(DATA, offer(approved(side), GUEST))
    assert spoken_of(offered) == ZERO
    named = side.make(DATA, act("dataset", "amend", offered))
    assert spoken_of(named) == named.subject != ZERO


# --- who stands in for a custodian that went -----------------------------------------------------


def gone(side: SideBySide, step: Step, custodian: bytes = DATA) -> Step:
    side.accepted(custodian, LeaveCall())
    return step


def named(side: SideBySide, went: bytes, successor: bytes) -> None:
    change = Change(ChangeKind.NAME_SUCCESSOR, ORGANISATION[went], ORGANISATION[successor])
    effects = side.decide(change, LABELLER, VERIFIER)
    assert SuccessorNamed(ORGANISATION[went], ORGANISATION[successor]) in effects


def test_what_a_departed_custodian_kept_is_out_of_reach_until_a_successor_is_named(side: SideBySide) -> None:
    dataset = gone(side, approved(side))
    recall = act("dataset", "recall", dataset)
    assert side.refusal(CONGLOMERATE, recall) is Reason.NOT_CUSTODIAN
    named(side, DATA, CONGLOMERATE)
    side.make(CONGLOMERATE, recall)


def test_a_removed_custodian_leaves_all_it_kept_to_one_successor(side: SideBySide) -> None:
    steps = [approved(side), collected(side), approved(side)]
    removal = Change(ChangeKind.REMOVE, ORGANISATION[DATA])
    assert any(isinstance(event, OrganisationRemoved) for event in side.decide(removal, LABELLER, VERIFIER))
    named(side, DATA, CONGLOMERATE)
    for step in steps:
        side.make(CONGLOMERATE, act("dataset", "recall", step))


def test_a_successor_still_needs_the_role(side: SideBySide) -> None:
    model = gone(side, candidate(side), DEVELOPER)
    named(side, DEVELOPER, GUEST)
    assert side.refusal(GUEST, act("model", "drop", model)) is Reason.ROLE_MISSING


def test_a_successor_hands_custody_on_and_answers(side: SideBySide) -> None:
    step = gone(side, contested(side))
    named(side, DATA, OPERATOR)
    answered = side.make(OPERATOR, alike(Alike.ANSWER, step))
    handed_over(side, answered, OPERATOR, CONGLOMERATE)


def test_another_successor_takes_the_place_of_one_that_went_too(side: SideBySide) -> None:
    dataset = gone(side, approved(side))
    named(side, DATA, GUEST)
    side.accepted(GUEST, LeaveCall())
    assert side.refusal(CONGLOMERATE, act("dataset", "recall", dataset)) is Reason.NOT_CUSTODIAN
    named(side, DATA, CONGLOMERATE)
    side.make(CONGLOMERATE, act("dataset", "recall", dataset))


def test_a_successor_stands_in_for_nobody_else(side: SideBySide) -> None:
    run = finished(side)
    gone(side, approved(side))
    named(side, DATA, CONGLOMERATE)
    assert side.refusal(CONGLOMERATE, act("run", "recall", run)) is Reason.NOT_CUSTODIAN


def test_no_vote_takes_custody_from_a_member(side: SideBySide) -> None:
    change = Change(ChangeKind.NAME_SUCCESSOR, ORGANISATION[DATA], ORGANISATION[CONGLOMERATE])
    assert side.refused(LABELLER, ProposeCall(change)) is Reason.STILL_A_MEMBER


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"organisation": 0}, Reason.NOT_A_MEMBER),
        ({"organisation": 99}, Reason.NOT_A_MEMBER),
        ({"organisation": 2**16 + 8}, Reason.NOT_A_MEMBER),
        ({"setting": 0}, Reason.NOT_A_MEMBER),
        ({"setting": 99}, Reason.NOT_A_MEMBER),
        ({"setting": ORGANISATION[GUEST]}, Reason.NOT_A_MEMBER),
        ({"setting": 2**16 + 1}, Reason.NOT_A_MEMBER),
        ({"key": OPERATOR}, Reason.OUT_OF_RANGE),
        ({"profile": fresh()}, Reason.OUT_OF_RANGE),
    ],
)
def test_a_successor_is_a_member_of_one_that_went(
    side: SideBySide, changed: dict[str, object], reason: Reason
) -> None:
    side.accepted(GUEST, LeaveCall())
    change = Change(ChangeKind.NAME_SUCCESSOR, ORGANISATION[GUEST], ORGANISATION[CONGLOMERATE])
    assert side.refused(LABELLER, ProposeCall(replace(change, **changed))) is reason
