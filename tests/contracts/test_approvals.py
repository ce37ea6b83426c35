"""Approvals by several organisations before a step: whose count, for what, and what makes them stale."""

from __future__ import annotations

from dataclasses import replace

import pytest
from boa.environment import Env

from proml.core.call import ApproveCall, BatchCall, ContractCall, LeaveCall, RevokeKeyCall, StepCall
from proml.core.consortium import Actor, role_mask
from proml.core.digest import ZERO, keccak256
from proml.core.event import Acted, ActedApproved, Approval, Approved, Refused, Step, next_head
from proml.core.lifecycle import Rule, Table
from proml.core.proposal import Change, ChangeKind, Governance
from proml.core.refusal import Reason
from tests.contracts.cast import (
    APPROVER,
    AUDITOR,
    CONGLOMERATE,
    DATA,
    DEVELOPER,
    FOUNDERS,
    GUEST,
    KEYS,
    LABELLER,
    ORGANISATION,
    SPARE,
    STRANGER,
    VERIFIER,
    Consent,
    account,
    address,
    fresh,
)
from tests.contracts.side_by_side import SideBySide

DRAFT, RELEASE, TRAIN, UNGUARDED = 1, 2, 3, 4
MAKERS = role_mask(["developer"])
JUDGES = role_mask(["approver", "auditor", "verifier"])
# Drafts are trained (duty 1) and released with two approvals by others than their creator and trainers.
TABLE = Table(
    kind=7,
    usable=0,
    terminal=0,
    recalled=0,
    document=bytes(32),
    rules=(
        Rule(0, DRAFT, 1, MAKERS),
        Rule(1, TRAIN, 1, MAKERS | JUDGES, duty=1),
        Rule(1, UNGUARDED, 1, MAKERS),
        Rule(1, RELEASE, 1, MAKERS, subject=True, approvals=2, approver_roles=JUDGES, approver_differs=3),
    ),
)


@pytest.fixture
def world(env: Env) -> SideBySide:
    return SideBySide(env, FOUNDERS, Governance(1, 50, 0, 0), (TABLE,))


@pytest.fixture
def draft(world: SideBySide) -> Step:
    return world.make(DEVELOPER, StepCall(fresh(), 1, DRAFT, 1, fresh(), fresh()))


def release(after: Step, *approvals: Approval, **changed: object) -> StepCall:
    subject = keccak256(b"what is released")
    asked = StepCall(after.artefact, 0, RELEASE, after.sequence + 1, fresh(), subject, (), approvals)
    return replace(asked, **changed)


def asked(after: Step, **changed: object) -> ApproveCall:
    """An approval of that release."""
    subject = keccak256(b"what is released")
    call = ApproveCall(after.artefact, RELEASE, after.sequence + 1, subject, fresh())
    return replace(call, **changed)


def given(world: SideBySide, key: bytes, after: Step, **changed: object) -> Approval:
    """An approval by a key that may give it."""
    call = asked(after, **changed)
    (event,) = world.accepted(key, call)
    actor = Actor(world.history.keys[key].organisation, key)
    assert event == Approved(call.artefact, call.subject, actor, call.action, call.sequence, call.record)
    return Approval(actor, call.record)


def refused(world: SideBySide, step: StepCall, key: bytes = DEVELOPER) -> Reason:
    before = world.contract.storage()
    outcome = world.accepted(key, BatchCall(steps=(step,)))
    (event,) = outcome
    assert isinstance(event, Refused)
    assert world.contract.storage() == before
    return Reason(event.reason)


# --- enough of them ---------------------------------------------------------------------------


def test_a_step_with_its_approvals_is_taken_and_its_head_covers_them(world: SideBySide, draft: Step) -> None:
    approvals = (given(world, VERIFIER, draft), given(world, APPROVER, draft))
    event = world.make(DEVELOPER, release(draft, *approvals))
    assert isinstance(event, ActedApproved)
    assert event.approvals == approvals
    head = world.history.artefacts[draft.artefact].head
    before = next_head(draft.artefact, draft)
    assert head == next_head(before, event)
    plain = Acted(*(getattr(event, name) for name in Acted.__dataclass_fields__))
    assert head != next_head(before, plain)
    world.compare_reader()


def test_more_approvals_than_needed_do_no_harm(world: SideBySide, draft: Step) -> None:
    approvals = [given(world, key, draft) for key in (VERIFIER, APPROVER, AUDITOR)]
    assert isinstance(world.make(DEVELOPER, release(draft, *approvals)), ActedApproved)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_needed_are_not_enough(world: SideBySide, draft: Step, count: int) -> None:
    approvals = [given(world, key, draft) for key in (VERIFIER, APPROVER)]
    assert refused(world, release(draft, *approvals[:count])) is Reason.APPROVALS_MISSING
    # The call for one step alone has no place for approvals.
    assert world.single(DEVELOPER, release(draft)) is Reason.APPROVALS_MISSING


def test_an_organisation_counts_once_however_often_it_approves(world: SideBySide, draft: Step) -> None:
    spare = Consent(world.contract.chain_id, world.contract.address, ORGANISATION[VERIFIER], address(SPARE))
    world.accepted(VERIFIER, spare.call(SPARE))
    one, again = given(world, VERIFIER, draft), given(world, VERIFIER, draft)
    other_key = given(world, address(SPARE), draft)
    for pair in ((one, one), (one, again), (one, other_key), (other_key, one)):
        assert refused(world, release(draft, *pair)) is Reason.APPROVAL_INVALID
    other = given(world, APPROVER, draft)
    assert refused(world, release(draft, other, one)) is Reason.APPROVAL_INVALID
    world.make(DEVELOPER, release(draft, other_key, other))


# --- stale ------------------------------------------------------------------------------------


def test_another_digest_makes_approvals_stale(world: SideBySide, draft: Step) -> None:
    approvals = [given(world, key, draft) for key in (VERIFIER, APPROVER)]
    assert refused(world, release(draft, *approvals, subject=fresh())) is Reason.APPROVAL_INVALID
    world.make(DEVELOPER, release(draft, *approvals))


@pytest.mark.parametrize("action", [TRAIN, UNGUARDED])
def test_any_other_step_makes_approvals_stale(world: SideBySide, draft: Step, action: int) -> None:
    approvals = [given(world, key, draft) for key in (VERIFIER, APPROVER)]
    step = StepCall(draft.artefact, 0, action, 2, fresh(), fresh())
    after = world.make(DEVELOPER, step)
    assert refused(world, release(after, *approvals)) is Reason.APPROVAL_INVALID
    assert refused(world, release(draft, *approvals)) is Reason.WRONG_SEQUENCE


def test_approvals_serve_one_step_of_one_artefact(world: SideBySide, draft: Step) -> None:
    twin = world.make(DEVELOPER, StepCall(fresh(), 1, DRAFT, 1, fresh(), fresh()))
    approvals = [given(world, key, draft) for key in (VERIFIER, APPROVER)]
    assert refused(world, release(twin, *approvals)) is Reason.APPROVAL_INVALID
    after = world.make(DEVELOPER, release(draft, *approvals))
    assert refused(world, release(after, *approvals)) is Reason.APPROVAL_INVALID


def test_a_revoked_key_takes_its_approval_with_it(world: SideBySide, draft: Step) -> None:
    approvals = [given(world, key, draft) for key in (VERIFIER, APPROVER)]
    world.accepted(VERIFIER, RevokeKeyCall(VERIFIER, 1))
    assert refused(world, release(draft, *approvals)) is Reason.APPROVAL_INVALID


def test_a_member_that_left_takes_its_approval_with_it(world: SideBySide, draft: Step) -> None:
    approvals = [given(world, key, draft) for key in (VERIFIER, APPROVER)]
    world.accepted(APPROVER, LeaveCall())
    assert refused(world, release(draft, *approvals)) is Reason.APPROVAL_INVALID


def test_a_role_that_was_taken_away_takes_the_approval_with_it(world: SideBySide, draft: Step) -> None:
    approvals = [given(world, key, draft) for key in (VERIFIER, APPROVER)]
    world.decide(Change(ChangeKind.SET_ROLES, ORGANISATION[VERIFIER], MAKERS), DATA)
    assert refused(world, release(draft, *approvals)) is Reason.APPROVAL_INVALID


def test_a_key_that_expired_since_has_still_approved(world: SideBySide, draft: Step) -> None:
    spare = Consent(
        world.contract.chain_id, world.contract.address, ORGANISATION[VERIFIER], address(SPARE), 2, 5
    )
    world.accepted(VERIFIER, spare.call(SPARE))
    approvals = [given(world, key, draft) for key in (address(SPARE), APPROVER)]
    world.advance(10)
    world.make(DEVELOPER, release(draft, *approvals))


@pytest.mark.parametrize("changed", ["organisation", "key", "record"])
def test_an_approval_that_was_not_given_is_none(world: SideBySide, draft: Step, changed: str) -> None:
    real, other = given(world, VERIFIER, draft), given(world, APPROVER, draft)
    forged = {
        "organisation": replace(real, actor=Actor(1, real.actor.key)),
        "key": replace(real, actor=Actor(real.actor.organisation, DATA)),
        "record": replace(real, record=fresh()),
    }[changed]
    assert refused(world, release(draft, forged, other)) is Reason.APPROVAL_INVALID
    nobody = Approval(Actor(0, bytes(20)), ZERO)
    assert refused(world, release(draft, nobody, real, other)) is Reason.APPROVAL_INVALID


# --- who may approve what ---------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_only_holders_of_the_approvers_roles_approve(world: SideBySide, draft: Step, key: bytes) -> None:
    if key in (VERIFIER, APPROVER, AUDITOR, CONGLOMERATE):
        given(world, key, draft)
    else:
        reason = world.refused(key, asked(draft))
        # The creator lacks the role as well, which is asked first.
        assert reason is Reason.ROLE_MISSING


@pytest.mark.parametrize("scope", [1, 4, 5])
def test_approving_needs_a_key_of_that_scope(world: SideBySide, draft: Step, scope: int) -> None:
    narrow = account(101)
    organisation = ORGANISATION[VERIFIER]
    consent = Consent(world.contract.chain_id, world.contract.address, organisation, address(narrow), scope)
    world.accepted(VERIFIER, consent.call(narrow))
    assert world.refused(address(narrow), asked(draft)) is Reason.SCOPE_MISSING


def test_a_stranger_and_a_member_that_left_approve_nothing(world: SideBySide, draft: Step) -> None:
    world.accepted(VERIFIER, LeaveCall())
    assert world.refused(STRANGER, asked(draft)) is Reason.UNKNOWN_KEY
    assert world.refused(VERIFIER, asked(draft)) is Reason.ORGANISATION_REMOVED


def test_whoever_trained_or_made_it_does_not_approve_it(world: SideBySide) -> None:
    made = world.make(CONGLOMERATE, StepCall(fresh(), 1, DRAFT, 1, fresh(), fresh()))
    assert world.refused(CONGLOMERATE, asked(made)) is Reason.DUTY_CONFLICT
    trained = world.make(VERIFIER, StepCall(made.artefact, 0, TRAIN, 2, fresh(), fresh()))
    trained = world.make(AUDITOR, StepCall(made.artefact, 0, TRAIN, 3, fresh(), fresh()))
    assert world.refused(VERIFIER, asked(trained)) is Reason.DUTY_CONFLICT
    assert world.refused(AUDITOR, asked(trained)) is Reason.DUTY_CONFLICT
    given(world, APPROVER, trained)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"artefact": keccak256(b"?")}, Reason.UNKNOWN_ARTEFACT),
        ({"sequence": 1}, Reason.WRONG_SEQUENCE),
        ({"sequence": 3}, Reason.WRONG_SEQUENCE),
        ({"sequence": 2**256 - 1}, Reason.WRONG_SEQUENCE),
        ({"action": 77}, Reason.NO_TRANSITION),
        ({"action": DRAFT}, Reason.NO_TRANSITION),
        ({"action": UNGUARDED}, Reason.APPROVAL_NOT_ASKED),
        ({"record": ZERO}, Reason.RECORD_MISSING),
        ({"subject": ZERO}, Reason.SUBJECT_MISSING),
    ],
)
def test_what_cannot_be_the_next_step_is_not_approved(
    world: SideBySide, draft: Step, changed: dict[str, object], reason: Reason
) -> None:
    assert world.refused(APPROVER, asked(draft, **changed)) is reason


def test_the_same_approval_is_given_once(world: SideBySide, draft: Step) -> None:
    call: ContractCall = asked(draft)
    world.accepted(APPROVER, call)
    assert world.refused(APPROVER, call) is Reason.APPROVED_ALREADY


def test_a_step_that_needs_none_names_none(world: SideBySide, draft: Step) -> None:
    approval = given(world, APPROVER, draft)
    plain = StepCall(draft.artefact, 0, UNGUARDED, 2, fresh(), fresh(), (), (approval,))
    assert refused(world, plain) is Reason.APPROVAL_INVALID
    new = StepCall(fresh(), 1, DRAFT, 1, fresh(), fresh(), (), (approval,))
    assert refused(world, new) is Reason.APPROVAL_INVALID


def test_the_reasons_against_the_step_itself_come_first(world: SideBySide, draft: Step) -> None:
    stray = Approval(Actor(1, DATA), fresh())
    assert refused(world, release(draft, stray, record=ZERO)) is Reason.RECORD_MISSING
    assert refused(world, release(draft, stray), GUEST) is Reason.ROLE_MISSING
    assert refused(world, release(draft, stray), LABELLER) is Reason.ROLE_MISSING
