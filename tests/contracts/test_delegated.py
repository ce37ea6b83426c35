"""Steps and approvals that one key signs and another sends: what counts, once, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from boa.environment import Env
from eth_account.messages import encode_typed_data

from proml.contracts.typed import typed_approval, typed_step
from proml.core.artefact import artefact_id
from proml.core.call import (
    ActForCall,
    ApproveCall,
    BatchForCall,
    LeaveCall,
    RevokeKeyCall,
    SignedStep,
    StepCall,
)
from proml.core.consortium import Actor
from proml.core.digest import ZERO, word
from proml.core.event import Acted, ActedApproved, Approval, Approved, Input, Refused, Registered
from proml.core.lifecycle import Alike, Rule, Table
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from tests.contracts.cast import (
    APPROVER,
    AUDITOR,
    CONGLOMERATE,
    DATA,
    DEVELOPER,
    FOUNDERS,
    GUEST,
    LABELLER,
    ORGANISATION,
    RULES,
    SPARE,
    STRANGER,
    TABLES,
    Consent,
    act,
    address,
    fresh,
    register,
)
from tests.contracts.side_by_side import SideBySide
from tests.contracts.signing import (
    account_of,
    approval_over,
    by,
    foreign,
    in_an_hour,
    made_for,
    malformed,
    over,
    refusal_for,
    signed,
    signed_approval,
)
from tests.contracts.stories import approved, collected, finished

ANYBODY = 2**64 - 1
# Something is drafted, then released with one approval by an approver or auditor.
TABLE = Table(
    7, 0, 0, 0, bytes(32), (Rule(0, 1, 1, ANYBODY), Rule(1, 2, 1, ANYBODY, approvals=1, approver_roles=96))
)


@pytest.fixture
def world(env: Env) -> SideBySide:
    return SideBySide(env, FOUNDERS, Governance(1), (TABLE,))


# --- what is signed -----------------------------------------------------------------------------


def test_other_signers_make_the_same_digests(side: SideBySide) -> None:
    step = replace(act("dataset", "amend", collected(side), [Input(fresh(), 3)]), sequence=2**200)
    approval = ApproveCall(fresh(), 2, 2, fresh(), fresh())
    for statement in (typed_step(step, 2**64), typed_approval(approval, 17)):
        document = statement.document(side.terms)
        theirs = account_of(DATA).sign_message(encode_typed_data(full_message=document))
        assert bytes(theirs.signature) == by(DATA, statement, 0, side).signature


# --- steps ----------------------------------------------------------------------------------------


def test_whoever_signs_takes_the_step_whoever_sends_it(side: SideBySide) -> None:
    dataset = collected(side)
    for sender in (GUEST, STRANGER):
        event = made_for(side, signed(side, DATA, act("dataset", "amend", dataset)), sender)
        assert event.actor == Actor(ORGANISATION[DATA], DATA)
        dataset = event


def test_a_registration_is_its_signers_whoever_sends_it(side: SideBySide) -> None:
    asked = register("run", "start")
    event = made_for(side, signed(side, DEVELOPER, asked), STRANGER)
    assert isinstance(event, Registered)
    assert event.artefact == artefact_id(
        side.contract.chain_id, side.contract.address, DEVELOPER, asked.artefact
    )
    assert side.history.artefacts[event.artefact].creator == ORGANISATION[DEVELOPER]
    side.make(DEVELOPER, act("run", "finish", event))


def test_steps_of_several_signers_go_in_one_batch(side: SideBySide) -> None:
    first, second = collected(side), collected(side)
    run = register("run", "start", [Input(first.artefact, 1)])
    steps = (
        signed(side, LABELLER, act("dataset", "label", first)),
        signed(side, DATA, act("dataset", "amend", second)),
        signed(side, DEVELOPER, run),
        signed(side, DATA, replace(act("dataset", "approve", first), sequence=3)),
        signed(side, GUEST, act("dataset", "amend", second)),
        signed(side, LABELLER, replace(act("dataset", "label", second), sequence=3)),
    )
    events = side.accepted(STRANGER, BatchForCall(steps))
    kinds = [type(event) for event in events]
    assert kinds == [Acted, Acted, Registered, Acted, Refused, Acted]
    assert events[4] == Refused(second.artefact, Actor(8, GUEST), 4, Reason.WRONG_SEQUENCE)


def test_a_full_batch_is_taken(side: SideBySide) -> None:
    steps = tuple(signed(side, DEVELOPER, register("run", "start")) for _ in range(50))
    assert len(side.accepted(GUEST, BatchForCall(steps))) == 50


def test_custody_passes_by_two_signatures_of_which_neither_sends(side: SideBySide) -> None:
    dataset = approved(side)
    offer = StepCall(dataset.artefact, 0, Alike.OFFER_CUSTODY, 3, fresh(), word(ORGANISATION[LABELLER]))
    accept = StepCall(dataset.artefact, 0, Alike.ACCEPT_CUSTODY, 4, fresh(), ZERO)
    side.accepted(STRANGER, BatchForCall((signed(side, DATA, offer), signed(side, LABELLER, accept))))
    assert side.history.artefacts[dataset.artefact].custodian == ORGANISATION[LABELLER]


@pytest.mark.parametrize("form", malformed(bytes(64) + b"\x1b"))
def test_a_malformed_signature_is_refused_by_name(side: SideBySide, form: str) -> None:
    good = signed(side, DATA, act("dataset", "amend", collected(side)))
    bad = replace(good, by=replace(good.by, signature=malformed(good.by.signature)[form]))
    assert refusal_for(side, bad) is Reason.SIGNATURE_MALFORMED
    made_for(side, good)


@pytest.mark.parametrize("form", foreign(bytes(64) + b"\x1b"))
def test_a_signature_of_nobody_or_of_somebody_else_is_refused(side: SideBySide, form: str) -> None:
    good = signed(side, DATA, act("dataset", "amend", collected(side)))
    bad = replace(good, by=replace(good.by, signature=foreign(good.by.signature)[form]))
    assert refusal_for(side, bad) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("signer", [bytes(20), LABELLER, STRANGER, CONGLOMERATE])
def test_nobody_can_be_named_who_did_not_sign(side: SideBySide, signer: bytes) -> None:
    good = signed(side, DATA, act("dataset", "amend", collected(side)))
    assert refusal_for(side, replace(good, by=replace(good.by, signer=signer))) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "change",
    [
        {"artefact": fresh()},
        {"lifecycle": 1},
        {"action": 5},
        {"sequence": 3},
        {"record": fresh()},
        {"subject": ZERO},
        {"inputs": (Input(fresh(), 1),)},
        {"approvals": (Approval(Actor(5, APPROVER), fresh()),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_signature_is_over_exactly_this_step(side: SideBySide, change: dict[str, object]) -> None:
    asked = act("dataset", "amend", collected(side))
    assert refusal_for(side, over(side, replace(asked, **change), DATA, asked)) is Reason.SIGNATURE_INVALID


def test_whoever_sends_it_cannot_reorder_its_inputs(side: SideBySide) -> None:
    runs = [finished(side), finished(side)]
    asked = register("model", "propose", runs)
    turned = replace(asked, inputs=asked.inputs[::-1])
    assert refusal_for(side, over(side, turned, DEVELOPER, asked)) is Reason.SIGNATURE_INVALID
    made_for(side, signed(side, DEVELOPER, asked))


def test_a_signed_step_counts_once(side: SideBySide) -> None:
    for key, asked in (
        (DATA, act("dataset", "amend", collected(side))),
        (DEVELOPER, register("run", "start")),
    ):
        good = signed(side, key, asked)
        made_for(side, good)
        assert refusal_for(side, good) in (Reason.WRONG_SEQUENCE, Reason.EXISTS)
    events = side.accepted(GUEST, BatchForCall((signed(side, DEVELOPER, register("run", "start")),) * 2))
    assert isinstance(events[1], Refused)


@pytest.mark.parametrize(
    "other", [{"chain_id": 999}, {"contract": bytes(19) + b"\1"}], ids=["chain", "contract"]
)
def test_a_signature_is_worth_nothing_on_another_ledger(side: SideBySide, other: dict[str, object]) -> None:
    asked, until = act("dataset", "amend", collected(side)), in_an_hour(side)
    elsewhere = by(DATA, typed_step(asked, until), until, side, **other)
    assert refusal_for(side, SignedStep(asked, elsewhere)) is Reason.SIGNATURE_INVALID


def test_a_signature_made_before_a_fork_counts_on_one_side_of_it(side: SideBySide) -> None:
    good = signed(side, DATA, act("dataset", "amend", collected(side)))
    here = side.contract.chain_id
    side.contract.env.evm.patch.chain_id = here + 1
    try:
        assert side.refused(GUEST, ActForCall(good)) is Reason.SIGNATURE_INVALID
    finally:
        side.contract.env.evm.patch.chain_id = here
    made_for(side, good)


def test_a_signature_for_one_deployment_is_worth_nothing_at_a_second(side: SideBySide, env: Env) -> None:
    second = SideBySide(env, FOUNDERS, RULES, TABLES)
    asked = register("run", "start")
    here = signed(side, DEVELOPER, asked)
    assert refusal_for(second, here) is Reason.SIGNATURE_INVALID
    made_for(second, signed(second, DEVELOPER, asked))
    made_for(side, here)


def test_a_deadline_is_the_last_second_that_counts(side: SideBySide) -> None:
    dataset = collected(side)
    now = side.contract.time
    assert refusal_for(side, signed(side, DATA, act("dataset", "amend", dataset), now - 1)) is (
        Reason.DEADLINE_PASSED
    )
    dataset = made_for(side, signed(side, DATA, act("dataset", "amend", dataset), now))
    late = signed(side, DATA, act("dataset", "amend", dataset), now + 9)
    side.contract.time = now + 10
    assert refusal_for(side, late) is Reason.DEADLINE_PASSED
    side.contract.time = now + 9
    made_for(side, late)


def test_a_signer_needs_all_that_it_would_need_itself(side: SideBySide) -> None:
    dataset = approved(side)
    assert refusal_for(side, signed(side, LABELLER, act("dataset", "amend", dataset))) is Reason.ROLE_MISSING
    assert refusal_for(side, signed(side, CONGLOMERATE, act("dataset", "amend", dataset))) is (
        Reason.NOT_CUSTODIAN
    )
    side.accepted(DATA, RevokeKeyCall(DATA, side.contract.block))
    assert refusal_for(side, signed(side, DATA, act("dataset", "amend", dataset))) is Reason.KEY_REVOKED
    side.accepted(LABELLER, LeaveCall())
    asked = act("dataset", "label", dataset)
    assert refusal_for(side, signed(side, LABELLER, asked)) is Reason.ORGANISATION_REMOVED


@pytest.mark.parametrize(("scope", "expires"), [(6, 0), (7, 3)])
def test_a_narrow_or_expired_key_signs_for_nothing(side: SideBySide, scope: int, expires: int) -> None:
    end = side.contract.block + expires if expires else 0
    consent = Consent(side.contract.chain_id, side.contract.address, 3, address(SPARE), scope, end)
    side.accepted(DEVELOPER, consent.call(SPARE))
    side.advance(5)
    asked, until = register("run", "start"), in_an_hour(side)
    digest = typed_step(asked, until).statement(side.terms).digest
    signature = bytes(SPARE.unsafe_sign_hash(digest).signature)
    made = SignedStep(
        asked, replace(signed(side, DATA, asked).by, signer=address(SPARE), signature=signature)
    )
    assert refusal_for(side, made) is (Reason.KEY_EXPIRED if expires else Reason.SCOPE_MISSING)


def test_the_reasons_come_in_the_documented_order(side: SideBySide) -> None:
    """One thing after another is put right."""
    asked = act("dataset", "amend", collected(side))
    good = signed(side, GUEST, asked, side.contract.time - 1)
    bad = replace(good, by=replace(good.by, signature=bytes(65)))
    assert refusal_for(side, bad) is Reason.SIGNATURE_MALFORMED
    other = replace(good, by=replace(good.by, signer=DATA))
    assert refusal_for(side, other) is Reason.SIGNATURE_INVALID
    side.accepted(GUEST, RevokeKeyCall(GUEST, side.contract.block))
    assert refusal_for(side, good) is Reason.DEADLINE_PASSED
    assert refusal_for(side, signed(side, GUEST, asked)) is Reason.KEY_REVOKED
    assert refusal_for(side, signed(side, LABELLER, replace(asked, sequence=7))) is Reason.WRONG_SEQUENCE


def test_a_refusal_names_the_signer_once_it_is_proven_and_the_sender_before(side: SideBySide) -> None:
    good = signed(side, LABELLER, act("dataset", "amend", collected(side)))
    bad = replace(good, by=replace(good.by, signer=DATA))
    proven, unproven = side.accepted(GUEST, BatchForCall((good, bad)))
    assert isinstance(proven, Refused)
    assert isinstance(unproven, Refused)
    assert proven.actor == Actor(ORGANISATION[LABELLER], LABELLER)
    assert unproven.actor == Actor(0, GUEST)


# --- approvals ------------------------------------------------------------------------------------


def drafted(world: SideBySide) -> StepCall:
    """The release of a draft."""
    draft = world.make(DEVELOPER, StepCall(fresh(), 1, 1, 1, fresh(), fresh()))
    return StepCall(draft.artefact, 0, 2, 2, fresh(), fresh())


def approval_of(release: StepCall) -> ApproveCall:
    return ApproveCall(release.artefact, release.action, release.sequence, release.subject, fresh())


def test_an_approval_and_the_step_that_relies_on_it_are_signed_and_sent_by_others(world: SideBySide) -> None:
    release = drafted(world)
    (given,) = world.accepted(STRANGER, signed_approval(world, APPROVER, approval_of(release)))
    assert isinstance(given, Approved)
    assert given.actor == Actor(ORGANISATION[APPROVER], APPROVER)
    relying = replace(release, approvals=(Approval(given.actor, given.record),))
    assert refusal_for(world, signed(world, DEVELOPER, release)) is Reason.APPROVALS_MISSING
    event = made_for(world, signed(world, DEVELOPER, relying), STRANGER)
    assert isinstance(event, ActedApproved)


def test_an_approval_that_does_not_stand_helps_no_signed_step(world: SideBySide) -> None:
    release = drafted(world)
    stray = Approval(Actor(ORGANISATION[APPROVER], APPROVER), fresh())
    asked = signed(world, DEVELOPER, replace(release, approvals=(stray,)))
    assert refusal_for(world, asked) is Reason.APPROVAL_INVALID


def test_a_signed_approval_goes_stale_with_the_step_it_is_for(world: SideBySide) -> None:
    release = drafted(world)
    approval = signed_approval(world, APPROVER, approval_of(release))
    world.make(GUEST, StepCall(release.artefact, 0, Alike.CONTEST, 2, fresh(), ZERO))
    assert world.refused(STRANGER, approval) is Reason.WRONG_SEQUENCE


def test_a_signed_approval_counts_once(world: SideBySide) -> None:
    approval = signed_approval(world, APPROVER, approval_of(drafted(world)))
    world.accepted(STRANGER, approval)
    assert world.refused(STRANGER, approval) is Reason.APPROVED_ALREADY


@pytest.mark.parametrize("form", malformed(bytes(64) + b"\x1b"))
def test_an_approval_with_a_malformed_signature_is_refused_by_name(world: SideBySide, form: str) -> None:
    good = signed_approval(world, APPROVER, approval_of(drafted(world)))
    bad = replace(good, by=replace(good.by, signature=malformed(good.by.signature)[form]))
    assert world.refused(GUEST, bad) is Reason.SIGNATURE_MALFORMED


@pytest.mark.parametrize(
    "change",
    [{"artefact": fresh()}, {"action": 1}, {"sequence": 3}, {"subject": fresh()}, {"record": fresh()}],
    ids=lambda change: next(iter(change)),
)
def test_a_signature_is_over_exactly_this_approval(world: SideBySide, change: dict[str, object]) -> None:
    asked = approval_of(drafted(world))
    other = approval_over(world, replace(asked, **change), APPROVER, asked)
    assert world.refused(GUEST, other) is Reason.SIGNATURE_INVALID


def test_an_approval_is_bound_to_its_signer_its_ledger_and_its_deadline(world: SideBySide) -> None:
    asked = approval_of(drafted(world))
    good = signed_approval(world, APPROVER, asked)
    assert world.refused(GUEST, replace(good, by=replace(good.by, signer=AUDITOR))) is (
        Reason.SIGNATURE_INVALID
    )
    until = in_an_hour(world)
    for terms in ({"chain_id": 999}, {"contract": bytes(19) + b"\1"}):
        elsewhere = by(APPROVER, typed_approval(asked, until), until, world, **terms)
        assert world.refused(GUEST, replace(good, by=elsewhere)) is Reason.SIGNATURE_INVALID
    world.contract.time += 10_000
    assert world.refused(GUEST, good) is Reason.DEADLINE_PASSED


def test_who_may_not_approve_may_not_sign_an_approval(world: SideBySide) -> None:
    asked = approval_of(drafted(world))
    assert world.refused(APPROVER, signed_approval(world, DEVELOPER, asked)) is Reason.ROLE_MISSING
    world.accepted(APPROVER, RevokeKeyCall(APPROVER, world.contract.block))
    assert world.refused(GUEST, signed_approval(world, APPROVER, asked)) is Reason.KEY_REVOKED


# --- what the encoder never makes -------------------------------------------------------------------


def test_a_step_is_no_approval_and_an_approval_no_step(world: SideBySide) -> None:
    """The types differ, so one signature never stands for the other."""
    release, until = drafted(world), in_an_hour(world)
    asked = approval_of(release)
    as_step = SignedStep(release, by(DEVELOPER, typed_approval(asked, until), until, world))
    assert refusal_for(world, as_step) is Reason.SIGNATURE_INVALID
