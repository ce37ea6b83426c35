"""Attacks on what a key signed for others to send: the statements that a laptop gives to its node."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from proml.contracts.typed import sign_approval, sign_step
from proml.core.call import ActForCall, ApproveForCall, BatchForCall, SignedStep
from proml.core.event import ActedApproved, Approval, Refused, Registered
from proml.core.refusal import Reason
from proml.signing import throwaway_key
from tests.attacks.conftest import Leaves
from tests.attacks.ring import NAMES, Ring
from tests.attacks.test_spoofing import ORDER, released

pytestmark = pytest.mark.attack


def deadline(ledger: Ring, seconds: int = 10_000) -> int:
    return ledger.ledger.head().time + seconds


def signed_beginning(ledger: Ring, who: str, **changes: object) -> SignedStep:
    asked = replace(ledger.begin(os.urandom(32)), **changes)
    return sign_step(ledger.keys[who], ledger.terms, asked, deadline(ledger))


def test_attack_17_a_signed_approval_is_sent_for_something_else(ledger: Ring, leaves: Leaves) -> None:
    artefact, other, approved = ledger.begun("owner"), ledger.begun("owner"), os.urandom(32)
    relay, end = ledger.keys["clinic"], deadline(ledger)
    given = sign_approval(ledger.keys["lab"], ledger.terms, ledger.approval(artefact, 2, approved), end)
    altered = {
        "another artefact": replace(given.asked, artefact=other),
        "other bytes": replace(given.asked, subject=os.urandom(32)),
        "another action": replace(given.asked, action=1),
        "another record": replace(given.asked, record=os.urandom(32)),
    }
    reasons = {
        what: ledger.refused(relay, ApproveForCall(asked, given.by)) for what, asked in altered.items()
    }
    later = replace(given.by, deadline=end + 1)
    reasons["a later deadline"] = ledger.refused(relay, ApproveForCall(given.asked, later))
    assert set(reasons.values()) == {Reason.SIGNATURE_INVALID}
    ledger.does("clinic", given)
    reasons["sent twice"] = ledger.refused(relay, given)
    assert reasons["sent twice"] == Reason.APPROVED_ALREADY
    leaves(refused={what: reason.name for what, reason in reasons.items()}, relay=relay.address)


def test_attack_18_a_signed_step_is_sent_again_and_elsewhere(ledger: Ring, leaves: Leaves) -> None:
    relay = ledger.keys["clinic"]
    signed = signed_beginning(ledger, "maker")
    second = ledger.deploy(throwaway_key())
    there = ledger.send(relay, ActForCall(signed), second)
    assert (there.succeeded, there.reason) == (False, Reason.SIGNATURE_INVALID)
    (made,) = ledger.does("clinic", ActForCall(signed))
    assert isinstance(made, Registered)
    # The relay pays, and it is the maker's; a second time there is nothing left to do.
    assert made.actor.key == ledger.keys["maker"].address
    again = ledger.refused(relay, ActForCall(signed))
    assert again is Reason.EXISTS
    (batched,) = ledger.send(relay, BatchForCall((signed,))).events
    assert isinstance(batched.event, Refused)
    assert (batched.event.actor, batched.event.reason) == (made.actor, Reason.EXISTS)
    over = sign_step(ledger.keys["maker"], ledger.terms, ledger.begin(os.urandom(32)), deadline(ledger, -1))
    late = ledger.refused(relay, ActForCall(over))
    assert late is Reason.DEADLINE_PASSED
    leaves(second=there.reason.name, again=again.name, late=late.name)


def test_attack_19_a_signed_step_is_altered_or_its_signature_bent(ledger: Ring, leaves: Leaves) -> None:
    relay = ledger.keys["clinic"]
    good = signed_beginning(ledger, "maker")
    signature = good.by.signature
    s = int.from_bytes(signature[32:64], "big")
    forms = {
        "high s": signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([55 - signature[64]]),
        "v from 0": signature[:64] + bytes([signature[64] - 27]),
        "zero": bytes(64) + b"\x1b",
    }
    reasons = {
        name: ledger.refused(relay, ActForCall(replace(good, by=replace(good.by, signature=form))))
        for name, form in forms.items()
    }
    assert set(reasons.values()) == {Reason.SIGNATURE_MALFORMED}
    other = replace(good, by=replace(good.by, signer=ledger.keys["lab"].address))
    record = replace(good, step=replace(good.step, record=os.urandom(32)))
    bent = [ledger.refused(relay, BatchForCall((each,))) for each in (other, record)]
    assert bent == [Reason.SIGNATURE_INVALID] * 2
    leaves(refused={name: reason.name for name, reason in reasons.items()}, altered=[r.name for r in bent])


def test_attack_17_a_relay_drops_or_swaps_an_approval(ledger: Ring, leaves: Leaves) -> None:
    """Which approvals a step rests on is signed with it: a relay can drop or swap none."""
    artefact, subject = ledger.begun("owner"), os.urandom(32)
    approvals = []
    for who in ("maker", "lab", "audit"):
        (given,) = ledger.does(who, ledger.approval(artefact, 2, subject))
        approvals.append(Approval(given.actor, given.record))
    step = released(ledger, artefact, subject, *approvals[:2])
    signed = sign_step(ledger.keys["owner"], ledger.terms, step, deadline(ledger))
    swapped = replace(signed, step=replace(step, approvals=(approvals[0], approvals[2])))
    reason = ledger.refused(ledger.keys["clinic"], ActForCall(swapped))
    assert reason is Reason.SIGNATURE_INVALID
    (made,) = ledger.does("clinic", ActForCall(signed))
    assert isinstance(made, ActedApproved)
    assert made.actor.organisation == NAMES.index("owner") + 1
    leaves(refused=reason.name, taken=made)
