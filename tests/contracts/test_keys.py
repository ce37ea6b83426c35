"""Keys: who adds and revokes them, what a new key must sign, from which block on a key is refused."""

from dataclasses import replace

import pytest

from proml.contracts.abi import encode_call
from proml.core.call import AddKeyCall, LeaveCall, RevokeKeyCall
from proml.core.event import KeyAdded, KeyRevoked
from proml.core.refusal import Reason
from tests.contracts.cast import (
    ACCOUNTS,
    DATA,
    DEVELOPER,
    FOUNDERS,
    GUEST,
    ORGANISATION,
    RULES,
    SPARE,
    STRANGER,
    Consent,
    account,
    address,
    register,
)
from tests.contracts.deployed import Deployed, place
from tests.contracts.side_by_side import SideBySide

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = address(SPARE)


@pytest.fixture
def consent(side: SideBySide) -> Consent:
    return Consent(side.contract.chain_id, side.contract.address, ORGANISATION[DEVELOPER], KEY)


def refused(
    side: SideBySide, caller: bytes, call: AddKeyCall | RevokeKeyCall, consented: bool = True
) -> Reason:
    before = side.contract.storage()
    outcome = side.call(caller, call, consented)
    assert side.contract.storage() == before
    assert isinstance(outcome, Reason), outcome
    return outcome


def resigned(
    call: AddKeyCall, v: int | None = None, s: int | None = None, r: int | None = None
) -> AddKeyCall:
    old_r, old_s, old_v = call.consent[:32], call.consent[32:64], call.consent[64]
    signature = (
        (old_r if r is None else r.to_bytes(32, "big"))
        + (old_s if s is None else s.to_bytes(32, "big"))
        + bytes([old_v if v is None else v])
    )
    return replace(call, consent=signature)


# --- adding -----------------------------------------------------------------------------------


def test_a_key_that_consents_is_added_and_may_act_at_once(side: SideBySide, consent: Consent) -> None:
    side.advance(7)
    (event,) = side.call(DEVELOPER, consent.call(SPARE))
    assert event == KeyAdded(ORGANISATION[DEVELOPER], KEY, 7, 0)
    side.make(KEY, register("run", "start"))
    side.compare_reader()


@pytest.mark.parametrize("expires", [0, 2, 2**40 - 1])
@pytest.mark.parametrize("scope", [1, 2, 4, 5, 7])
def test_scope_and_end_are_kept_as_they_were_asked_for(
    side: SideBySide, consent: Consent, scope: int, expires: int
) -> None:
    wanted = replace(consent, scope=scope, expires=expires)
    assert side.call(DEVELOPER, wanted.call(SPARE)) == [KeyAdded(3, KEY, scope, expires)]


@pytest.mark.parametrize(
    ("scope", "expires"), [(0, 0), (8, 0), (2**256 - 1, 0), (7, 1), (7, 2**40), (7, 2**256 - 1)]
)
def test_a_scope_or_end_out_of_range_is_refused(
    side: SideBySide, consent: Consent, scope: int, expires: int
) -> None:
    assert side.contract.block == 1
    wanted = replace(consent, scope=scope, expires=expires)
    assert refused(side, DEVELOPER, wanted.call(SPARE)) is Reason.OUT_OF_RANGE


def test_adding_keys_needs_the_scope_to_govern(side: SideBySide, consent: Consent) -> None:
    limited = replace(consent, scope=1 | 2)
    side.call(DEVELOPER, limited.call(SPARE))
    third = account(101)
    another = replace(consent, key=address(third))
    assert refused(side, KEY, another.call(third)) is Reason.SCOPE_MISSING
    assert refused(side, STRANGER, another.call(third)) is Reason.UNKNOWN_KEY


def test_a_key_belongs_to_one_organisation_for_ever(side: SideBySide, consent: Consent) -> None:
    for key, who in zip((DATA, DEVELOPER), ACCOUNTS[::2], strict=False):
        assert refused(side, DEVELOPER, replace(consent, key=key).call(who)) is Reason.KEY_IN_USE
    side.call(DEVELOPER, consent.call(SPARE))
    assert refused(side, DEVELOPER, consent.call(SPARE)) is Reason.KEY_IN_USE
    side.call(KEY, RevokeKeyCall(KEY, 1))
    # Neither its own organisation nor another one can revive it.
    assert refused(side, DEVELOPER, consent.call(SPARE)) is Reason.KEY_IN_USE
    theirs = replace(consent, organisation=ORGANISATION[DATA])
    assert refused(side, DATA, theirs.call(SPARE)) is Reason.KEY_IN_USE


def test_the_zero_address_is_nobodys_key(side: SideBySide, consent: Consent) -> None:
    nobody = replace(consent, key=bytes(20)).call(SPARE)
    assert refused(side, DEVELOPER, nobody) is Reason.KEY_IN_USE
    # ecrecover answers zero for nonsense: it must not pass for the zero address's consent.
    assert refused(side, DEVELOPER, resigned(nobody, r=0, s=0)) is Reason.KEY_IN_USE


def test_an_organisation_has_room_for_65535_keys(side: SideBySide, consent: Consent) -> None:
    for history in (side.history, side.reader):
        history.organisations[3] = replace(history.organisations[3], keys=2**16 - 1)
    side.contract.overwrite(place(0, 3), side.history.organisations[3].word)
    before = side.contract.storage()
    outcome = side.contract.send(DEVELOPER, encode_call(consent.call(SPARE)))
    assert outcome is Reason.OUT_OF_RANGE
    assert side.contract.storage() == before


# --- the new key's own signature --------------------------------------------------------------


@pytest.mark.parametrize(
    "signed",
    [
        {"organisation": ORGANISATION[DATA]},
        {"key": DATA},
        {"scope": 1},
        {"expires": 99},
        {"chain_id": 31_337},
        {"contract": bytes(19) + b"\1"},
    ],
    ids=lambda signed: next(iter(signed)),
)
def test_a_consent_to_something_else_is_no_consent(
    side: SideBySide, consent: Consent, signed: dict[str, object]
) -> None:
    other = replace(consent, **signed).signature(SPARE)
    call = replace(consent.call(SPARE), consent=other)
    assert refused(side, DEVELOPER, call, consented=False) is Reason.CONSENT_INVALID


def test_somebody_elses_signature_is_no_consent(side: SideBySide, consent: Consent) -> None:
    for who in (ACCOUNTS[2], account(999)):
        assert refused(side, DEVELOPER, consent.call(who), consented=False) is Reason.CONSENT_INVALID


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 255])
def test_a_recovery_number_other_than_27_and_28_is_refused(
    side: SideBySide, consent: Consent, v: int
) -> None:
    call = resigned(consent.call(SPARE), v=v)
    assert refused(side, DEVELOPER, call, consented=False) is Reason.CONSENT_INVALID


def test_the_other_recovery_number_is_refused(side: SideBySide, consent: Consent) -> None:
    call = consent.call(SPARE)
    other = resigned(call, v=55 - call.consent[64])
    assert refused(side, DEVELOPER, other, consented=False) is Reason.CONSENT_INVALID


def test_the_malleable_twin_of_a_good_signature_is_refused(side: SideBySide, consent: Consent) -> None:
    call = consent.call(SPARE)
    s, v = int.from_bytes(call.consent[32:64], "big"), call.consent[64]
    twin = resigned(call, s=N - s, v=55 - v)
    assert refused(side, DEVELOPER, twin, consented=False) is Reason.CONSENT_INVALID
    side.call(DEVELOPER, call)


@pytest.mark.parametrize(("r", "s"), [(0, 0), (0, 1), (1, 0), (N, 1), (1, N // 2 + 1), (2**256 - 1, 1)])
def test_a_signature_of_nobody_is_refused(side: SideBySide, consent: Consent, r: int, s: int) -> None:
    for v in (27, 28):
        call = resigned(consent.call(SPARE), r=r, s=s, v=v)
        assert refused(side, DEVELOPER, call, consented=False) is Reason.CONSENT_INVALID


def test_a_consent_is_worth_nothing_on_a_fork_of_the_chain(side: SideBySide, consent: Consent) -> None:
    call = consent.call(SPARE)
    side.contract.env.evm.patch.chain_id = 2
    assert refused(side, DEVELOPER, call, consented=False) is Reason.CONSENT_INVALID
    side.call(DEVELOPER, replace(consent, chain_id=2).call(SPARE))


def test_a_consent_is_worth_nothing_at_a_second_deployment(side: SideBySide, consent: Consent) -> None:
    twin = Deployed.found(side.contract.env, FOUNDERS, RULES, ())
    assert isinstance(twin, Deployed)
    call = consent.call(SPARE)
    assert twin.send(DEVELOPER, encode_call(call)) is Reason.CONSENT_INVALID
    there = replace(consent, contract=twin.address)
    assert twin.send(DEVELOPER, encode_call(there.call(SPARE))) == [KeyAdded(3, KEY, 7, 0)]


# --- revoking ---------------------------------------------------------------------------------


def test_a_key_revokes_itself_whatever_its_scope(side: SideBySide, consent: Consent) -> None:
    side.call(DEVELOPER, replace(consent, scope=1).call(SPARE))
    side.advance(5)
    assert side.call(KEY, RevokeKeyCall(KEY, 3)) == [KeyRevoked(3, KEY, 3)]
    side.compare_reader()


def test_an_expired_key_can_still_revoke_itself(side: SideBySide, consent: Consent) -> None:
    side.call(DEVELOPER, replace(consent, expires=3).call(SPARE))
    side.advance(10)
    assert side.call(KEY, RevokeKeyCall(KEY, 1)) == [KeyRevoked(3, KEY, 1)]


def test_an_organisation_revokes_its_own_keys_and_no_others(side: SideBySide, consent: Consent) -> None:
    side.call(DEVELOPER, replace(consent, scope=1).call(SPARE))
    assert refused(side, DATA, RevokeKeyCall(KEY, 1)) is Reason.NOT_YOUR_KEY
    assert refused(side, STRANGER, RevokeKeyCall(KEY, 1)) is Reason.UNKNOWN_KEY
    assert refused(side, KEY, RevokeKeyCall(DEVELOPER, 1)) is Reason.SCOPE_MISSING
    assert side.call(DEVELOPER, RevokeKeyCall(KEY, 1)) == [KeyRevoked(3, KEY, 1)]


def test_a_key_is_revoked_once(side: SideBySide) -> None:
    side.call(DEVELOPER, RevokeKeyCall(DEVELOPER, 1))
    side.advance()
    # Not even its owner can move the boundary afterwards.
    assert refused(side, DEVELOPER, RevokeKeyCall(DEVELOPER, 1)) is Reason.KEY_REVOKED
    assert refused(side, DATA, RevokeKeyCall(DEVELOPER, 2)) is Reason.KEY_REVOKED


def test_what_never_was_a_key_cannot_be_revoked(side: SideBySide) -> None:
    for key in (STRANGER, bytes(20)):
        assert refused(side, DEVELOPER, RevokeKeyCall(key, 1)) is Reason.UNKNOWN_KEY


def test_a_revoked_key_governs_no_more(side: SideBySide, consent: Consent) -> None:
    side.call(DEVELOPER, consent.call(SPARE))
    side.call(DEVELOPER, RevokeKeyCall(DEVELOPER, 1))
    third = account(101)
    another = replace(consent, key=address(third))
    assert refused(side, DEVELOPER, another.call(third)) is Reason.KEY_REVOKED
    assert refused(side, DEVELOPER, RevokeKeyCall(KEY, 1)) is Reason.KEY_REVOKED
    side.call(KEY, another.call(third))


def test_the_compromise_lies_between_the_keys_start_and_now(side: SideBySide, consent: Consent) -> None:
    side.advance(9)
    start = side.contract.block
    side.call(DEVELOPER, consent.call(SPARE))
    side.advance(5)
    for since in (0, start - 1, start + 6, 2**40, 2**256 - 1):
        assert refused(side, DEVELOPER, RevokeKeyCall(KEY, since)) is Reason.OUT_OF_RANGE
    side.call(DEVELOPER, RevokeKeyCall(KEY, start))


def test_the_suspect_time_ends_with_the_revocation(side: SideBySide) -> None:
    side.advance(9)
    side.call(DEVELOPER, RevokeKeyCall(DEVELOPER, 4))
    key = side.history.keys[DEVELOPER]
    assert [key.is_suspect(block) for block in (3, 4, 9, 10)] == [False, True, True, False]
    assert key.refusal(9) is None
    assert key.refusal(10) is Reason.KEY_REVOKED


def test_the_last_key_may_go_and_others_write_on(side: SideBySide) -> None:
    side.call(GUEST, RevokeKeyCall(GUEST, 1))
    assert side.history.organisations[ORGANISATION[GUEST]].keys == 0
    side.make(DEVELOPER, register("run", "start"))


def test_a_removed_organisation_governs_no_more_but_may_still_revoke_itself(
    side: SideBySide, consent: Consent
) -> None:
    side.call(DEVELOPER, consent.call(SPARE))
    side.accepted(DEVELOPER, LeaveCall())
    third = account(101)
    call = replace(consent, key=address(third)).call(third)
    assert refused(side, DEVELOPER, call) is Reason.ORGANISATION_REMOVED
    assert refused(side, DEVELOPER, RevokeKeyCall(KEY, 1)) is Reason.ORGANISATION_REMOVED
    side.call(DEVELOPER, RevokeKeyCall(DEVELOPER, 1))
