"""Every reason for which a step or an anchor is refused, alone and in a batch, and that nothing changes."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from proml.core.call import AnchorCall, LeaveCall, RevokeKeyCall, StepCall
from proml.core.digest import ZERO
from proml.core.event import Input
from proml.core.refusal import Reason
from tests.contracts.cast import (
    CONGLOMERATE,
    DATA,
    DEVELOPER,
    GUEST,
    KEYS,
    LABELLER,
    ORGANISATION,
    SPARE,
    STRANGER,
    VERIFIER,
    Consent,
    act,
    address,
    fresh,
    named,
    register,
)
from tests.contracts.side_by_side import SideBySide
from tests.contracts.stories import approved, candidate, collected, finished

Add = Callable[..., bytes]


@pytest.fixture
def add_spare(side: SideBySide) -> Add:
    """Adds the spare key to the organisation of `key`."""

    def add(scope: int = 7, expires: int = 0, key: bytes = DEVELOPER) -> bytes:
        consent = Consent(
            side.contract.chain_id, side.contract.address, ORGANISATION[key], address(SPARE), scope, expires
        )
        side.call(key, consent.call(SPARE))
        return consent.key

    return add


# --- who may write at all ---------------------------------------------------------------------


def test_a_stranger_may_write_nothing(side: SideBySide) -> None:
    assert side.refusal(STRANGER, register("run", "start")) is Reason.UNKNOWN_KEY
    assert side.refusal(STRANGER, AnchorCall(fresh(), 1)) is Reason.UNKNOWN_KEY


def test_a_revoked_key_is_refused_from_the_block_of_its_revocation_on(
    side: SideBySide, add_spare: Add
) -> None:
    key = add_spare()
    side.make(key, register("run", "start"))
    side.advance()
    side.make(key, register("run", "start"))
    side.call(DEVELOPER, RevokeKeyCall(key, side.contract.block))
    assert side.refusal(key, register("run", "start")) is Reason.KEY_REVOKED
    side.advance(100)
    assert side.refusal(key, register("run", "start")) is Reason.KEY_REVOKED
    assert side.refusal(key, AnchorCall(fresh(), 1)) is Reason.KEY_REVOKED


def test_an_expired_key_is_refused_from_the_block_of_its_end_on(side: SideBySide, add_spare: Add) -> None:
    key = add_spare(expires=side.contract.block + 2)
    side.advance()
    side.make(key, register("run", "start"))
    side.advance()
    assert side.refusal(key, register("run", "start")) is Reason.KEY_EXPIRED


def test_a_key_without_the_scope_to_record_is_refused(side: SideBySide, add_spare: Add) -> None:
    key = add_spare(scope=2 | 4)
    assert side.refusal(key, register("run", "start")) is Reason.SCOPE_MISSING
    assert side.refusal(key, AnchorCall(fresh(), 1)) is Reason.SCOPE_MISSING


def test_a_removed_organisation_may_write_nothing(side: SideBySide) -> None:
    side.make(DEVELOPER, register("run", "start"))
    side.accepted(DEVELOPER, LeaveCall())
    assert side.refusal(DEVELOPER, register("run", "start")) is Reason.ORGANISATION_REMOVED
    assert side.refusal(DEVELOPER, AnchorCall(fresh(), 1)) is Reason.ORGANISATION_REMOVED


# --- which step -------------------------------------------------------------------------------


def test_the_same_salt_of_the_same_key_registers_once(side: SideBySide) -> None:
    start = register("run", "start")
    side.make(DEVELOPER, start)
    assert side.refusal(DEVELOPER, start) is Reason.EXISTS


def test_the_same_salt_of_another_key_is_another_artefact(side: SideBySide) -> None:
    listed = register("dependency", "list")
    first = side.make(DEVELOPER, listed)
    second = side.make(VERIFIER, listed)
    assert first.artefact != second.artefact


def test_an_artefact_that_was_never_registered_cannot_act(side: SideBySide) -> None:
    run = side.make(DEVELOPER, register("run", "start"))
    finish = act("run", "finish", run)
    assert side.refusal(DEVELOPER, replace(finish, artefact=fresh())) is Reason.UNKNOWN_ARTEFACT
    assert side.refusal(DEVELOPER, replace(finish, artefact=ZERO)) is Reason.UNKNOWN_ARTEFACT


@pytest.mark.parametrize("sequence", [0, 1, 3, 2**40, 2**256 - 1])
def test_a_step_made_from_an_older_or_imagined_view_is_refused(side: SideBySide, sequence: int) -> None:
    run = side.make(DEVELOPER, register("run", "start"))
    assert side.refusal(DEVELOPER, replace(act("run", "finish", run), sequence=sequence)) is (
        Reason.WRONG_SEQUENCE
    )


def test_the_second_of_two_steps_from_one_view_is_refused(side: SideBySide) -> None:
    dataset = collected(side)
    side.make(LABELLER, act("dataset", "label", dataset))
    assert side.refusal(LABELLER, act("dataset", "label", dataset)) is Reason.WRONG_SEQUENCE


def test_an_action_the_state_does_not_allow_is_refused(side: SideBySide) -> None:
    run = finished(side)
    assert side.refusal(DEVELOPER, act("run", "fail", run)) is Reason.NO_TRANSITION
    for number in (0, 77, 255):
        assert side.refusal(DEVELOPER, replace(act("run", "recall", run), action=number)) is (
            Reason.NO_TRANSITION
        )


def test_nothing_leaves_a_terminal_state(side: SideBySide) -> None:
    recalled = side.make(DEVELOPER, act("run", "recall", finished(side)))
    for action in ("start", "finish", "fail", "abandon", "recall"):
        assert side.refusal(DEVELOPER, act("run", action, recalled)) is Reason.NO_TRANSITION


def test_a_lifecycle_that_was_not_admitted_registers_nothing(side: SideBySide) -> None:
    for number in (6, 65_535):
        assert side.refusal(DEVELOPER, replace(register("run", "start"), lifecycle=number)) is (
            Reason.NO_TRANSITION
        )


def test_an_artefact_is_registered_by_a_registering_action_only(side: SideBySide) -> None:
    assert side.refusal(DEVELOPER, replace(register("run", "start"), action=2)) is Reason.NO_TRANSITION


# --- by whom ----------------------------------------------------------------------------------


def test_an_organisation_without_the_role_is_refused(side: SideBySide) -> None:
    run = side.make(DEVELOPER, register("run", "start"))
    for key in KEYS:
        if key not in (DEVELOPER, CONGLOMERATE):
            assert side.refusal(key, register("run", "start")) is Reason.ROLE_MISSING
            assert side.refusal(key, act("run", "finish", run)) is Reason.ROLE_MISSING


def test_an_organisation_without_any_role_may_anchor_and_nothing_else(side: SideBySide) -> None:
    side.single(GUEST, AnchorCall(fresh(), 1))
    assert side.refusal(GUEST, register("dependency", "list")) is Reason.ROLE_MISSING


def test_approving_needs_a_key_with_the_scope_to_approve(side: SideBySide, add_spare: Add) -> None:
    key = add_spare(scope=1, key=DATA)
    dataset = side.make(key, register("dataset", "collect"))
    assert side.refusal(key, act("dataset", "approve", dataset)) is Reason.SCOPE_MISSING
    side.make(DATA, act("dataset", "approve", dataset))


def test_only_the_custodian_takes_a_custodians_step(side: SideBySide) -> None:
    dataset = collected(side)
    assert side.refusal(CONGLOMERATE, act("dataset", "amend", dataset)) is Reason.NOT_CUSTODIAN
    assert side.refusal(CONGLOMERATE, act("dataset", "recall", dataset)) is Reason.NOT_CUSTODIAN
    # The creator stays the custodian whoever acts in between.
    labelled = side.make(CONGLOMERATE, act("dataset", "label", dataset))
    assert side.refusal(CONGLOMERATE, act("dataset", "amend", labelled)) is Reason.NOT_CUSTODIAN
    side.make(DATA, act("dataset", "amend", labelled))


def test_another_key_of_the_custodian_is_as_good(side: SideBySide, add_spare: Add) -> None:
    key = add_spare()
    run = side.make(DEVELOPER, register("run", "start"))
    side.make(key, act("run", "finish", run))


# --- what -------------------------------------------------------------------------------------


def test_a_step_without_a_record_is_refused(side: SideBySide) -> None:
    start = register("run", "start")
    assert side.refusal(DEVELOPER, replace(start, record=ZERO)) is Reason.RECORD_MISSING
    run = side.make(DEVELOPER, start)
    assert side.refusal(DEVELOPER, replace(act("run", "finish", run), record=ZERO)) is Reason.RECORD_MISSING


def test_a_subject_is_needed_where_the_lifecycle_asks_and_only_there(side: SideBySide) -> None:
    assert side.refusal(DATA, register("dataset", "collect", subject=ZERO)) is Reason.SUBJECT_MISSING
    side.make(DEVELOPER, register("run", "start", subject=ZERO))


@pytest.mark.parametrize(("root", "count"), [(ZERO, 1), (fresh(), 0), (ZERO, 0)])
def test_an_anchor_of_nothing_is_refused(side: SideBySide, root: bytes, count: int) -> None:
    assert side.refusal(GUEST, AnchorCall(root, count)) is Reason.EMPTY_ANCHOR
    side.single(GUEST, AnchorCall(fresh(), 2**256 - 1))
    assert side.refusal(GUEST, AnchorCall(root, count)) is Reason.EMPTY_ANCHOR


# --- which one when there are several ---------------------------------------------------------


def test_the_first_reason_in_the_documented_order_is_given(side: SideBySide) -> None:
    """One thing after another is put right; the reason moves down the list of docs/contracts.md."""
    dataset = approved(side)
    side.make(DATA, act("dataset", "recall", dataset))
    model = StepCall(fresh(), 0, 99, 7, ZERO, ZERO, (Input(fresh(), 1),))
    expected = []

    def refused(key: bytes, **changes: object) -> None:
        nonlocal model
        model = replace(model, **changes)
        expected.append(side.refusal(key, model))

    refused(STRANGER)
    refused(GUEST)
    refused(GUEST, artefact=candidate(side).artefact)
    refused(GUEST, sequence=2)
    refused(GUEST, action=2)
    refused(VERIFIER)
    refused(VERIFIER, record=fresh())
    refused(VERIFIER, subject=fresh(), inputs=())
    refused(VERIFIER, inputs=(Input(fresh(), 1),))
    refused(VERIFIER, inputs=(Input(dataset.artefact, 4),))
    refused(VERIFIER, inputs=(Input(dataset.artefact, 2),))
    refused(VERIFIER, inputs=named([finished(side)]))
    assert expected == [
        Reason.UNKNOWN_KEY,
        Reason.UNKNOWN_ARTEFACT,
        Reason.WRONG_SEQUENCE,
        Reason.NO_TRANSITION,
        Reason.ROLE_MISSING,
        Reason.RECORD_MISSING,
        Reason.SUBJECT_MISSING,
        Reason.INPUTS_MISSING,
        Reason.INPUT_UNKNOWN,
        Reason.INPUT_AHEAD,
        Reason.INPUT_UNUSABLE,
        Reason.INPUT_KIND,
    ]


def test_who_acts_is_judged_before_what_is_said(side: SideBySide, add_spare: Add) -> None:
    empty = replace(act("dataset", "amend", collected(side)), record=ZERO, subject=ZERO)
    assert side.refusal(CONGLOMERATE, empty) is Reason.NOT_CUSTODIAN
    labelled = side.make(CONGLOMERATE, act("dataset", "label", collected(side)))
    recording = add_spare(scope=1, key=CONGLOMERATE)
    approve = replace(act("dataset", "approve", labelled), record=ZERO)
    assert side.refusal(recording, approve) is Reason.SCOPE_MISSING
    assert side.refusal(CONGLOMERATE, approve) is Reason.DUTY_CONFLICT
