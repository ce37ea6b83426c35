"""Attacks by somebody who pretends to be somebody else, or to have been told yes."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from boa.environment import Env

from proml.contracts.abi import encode_call
from proml.contracts.shipped import artefacts_contract
from proml.core.artefact import artefact_id
from proml.core.call import AddKeyCall, BatchCall, StepCall
from proml.core.consortium import Actor
from proml.core.digest import hexed
from proml.core.event import Approval, Refused
from proml.core.refusal import Reason
from proml.errors import RecordInvalid
from proml.signing import throwaway_key
from tests.attacks.conftest import Leaves
from tests.attacks.ring import NAMES, RELEASE, Ring
from tests.contracts.cast import FOUNDERS, RULES, SPARE, TABLES, Consent, address
from tests.contracts.deployed import Deployed

pytestmark = pytest.mark.attack
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_attack_15_a_registration_is_copied_and_sent_first(ledger: Ring, leaves: Leaves) -> None:
    salt = os.urandom(32)
    asked = ledger.begin(salt)
    # The lab saw it on its way, and is first.
    (copied,) = ledger.does("lab", BatchCall(steps=(asked,)))
    (real,) = ledger.does("maker", BatchCall(steps=(asked,)))
    assert copied.artefact != real.artefact
    terms = ledger.terms
    assert real.artefact == artefact_id(terms.chain_id, terms.contract, ledger.keys["maker"].address, salt)
    custodians = {
        each: ledger.chronicle().shared.artefacts[each].custodian for each in (copied.artefact, real.artefact)
    }
    assert custodians == {copied.artefact: 3, real.artefact: 2}
    leaves(copy=copied.artefact, of=NAMES[2], real=real.artefact, maker=NAMES[1])


def released(ledger: Ring, artefact: bytes, subject: bytes, *approvals: Approval) -> StepCall:
    sequence = ledger.chronicle().shared.artefacts[artefact].sequence + 1
    return StepCall(artefact, 0, RELEASE, sequence, os.urandom(32), subject, (), approvals)


def test_attack_17_an_approval_is_used_for_another_version(ledger: Ring, leaves: Leaves) -> None:
    artefact, other = ledger.begun("owner"), ledger.begun("owner")
    approved, altered = os.urandom(32), os.urandom(32)
    approvals = []
    for who in ("maker", "lab"):
        asked = ledger.approval(artefact, 2, approved)
        ledger.does(who, asked)
        actor = Actor(NAMES.index(who) + 1, ledger.keys[who].address)
        approvals.append(Approval(actor, asked.record))
    owner, head = ledger.keys["owner"], ledger.head(artefact)
    tried = {
        "other bytes": released(ledger, artefact, altered, *approvals),
        "another artefact": released(ledger, other, approved, *approvals),
        "one of them twice": released(ledger, artefact, approved, approvals[0], approvals[0]),
        "one of them made up": released(
            ledger, artefact, approved, approvals[0], replace(approvals[1], record=altered)
        ),
    }
    reasons = {what: ledger.refused(owner, BatchCall(steps=(step,))) for what, step in tried.items()}
    assert set(reasons.values()) == {Reason.APPROVAL_INVALID}
    assert ledger.head(artefact) == head
    # What was approved is taken once; the same approvals are worth nothing for the version after.
    ledger.does("owner", BatchCall(steps=(released(ledger, artefact, approved, *approvals),)))
    again = released(ledger, artefact, approved, *approvals)
    reasons["the version after"] = ledger.refused(owner, BatchCall(steps=(again,)))
    assert reasons["the version after"] == Reason.APPROVAL_INVALID
    leaves(refused={what: reason.name for what, reason in reasons.items()}, head=head)


def test_attack_18_a_consent_is_replayed_on_another_deployment_and_a_fork(
    ledger: Ring, leaves: Leaves
) -> None:
    key, scope = throwaway_key(), 7
    call = AddKeyCall(key.address, scope, 0, ledger.consent(key, 1))
    second = ledger.deploy(throwaway_key())
    there = ledger.send(ledger.keys["owner"], call, second)
    assert (there.succeeded, there.reason) == (False, Reason.CONSENT_INVALID)
    # Where it was meant, it works: nothing else was wrong with it.
    ledger.does("owner", call)
    reasons = {"second deployment": there.reason.name, "fork": replayed_on_a_fork().name}
    leaves(refused=reasons, contract=second.terms.contract)


def replayed_on_a_fork() -> Reason:
    """The same history under another chain id, as after a split: the consent was signed before."""
    machine = Env()
    contract = Deployed.found(machine, FOUNDERS, RULES, TABLES)
    assert isinstance(contract, Deployed)
    consent = Consent(contract.chain_id, contract.address, 1, address(SPARE)).call(SPARE)
    with machine.anchor():
        assert isinstance(contract.send(FOUNDERS[0].key, encode_call(consent)), list)
    machine.evm.patch.chain_id = contract.chain_id + 1
    before = contract.storage()
    outcome = contract.send(FOUNDERS[0].key, encode_call(consent))
    assert contract.storage() == before
    assert isinstance(outcome, Reason)
    return outcome


def test_attack_19_a_signature_is_sent_in_another_form(ledger: Ring, leaves: Leaves) -> None:
    key = throwaway_key()
    good = ledger.consent(key, 1)
    s = int.from_bytes(good[32:64], "big")
    forms = {
        "high s": good[:32] + (ORDER - s).to_bytes(32, "big") + bytes([55 - good[64]]),
        "v from 0": good[:64] + bytes([good[64] - 27]),
        "other v": good[:64] + bytes([55 - good[64]]),
        "zero": bytes(64) + b"\x1b",
    }
    reasons = {
        name: ledger.refused(ledger.keys["owner"], AddKeyCall(key.address, 7, 0, form))
        for name, form in forms.items()
    }
    assert set(reasons.values()) == {Reason.CONSENT_INVALID}
    with pytest.raises(RecordInvalid, match="a signature has 65 bytes, not 64"):
        ledger.send(ledger.keys["owner"], AddKeyCall(key.address, 7, 0, good[:64]))
    leaves(refused={name: reason.name for name, reason in reasons.items()}, forms=forms)


def test_attack_20_a_wallet_that_says_yes_to_all_is_to_become_a_key(ledger: Ring, leaves: Leaves) -> None:
    wallet = os.urandom(20)
    # Returns the magic value of ERC-1271 whatever it is asked.
    yes = bytes.fromhex("7f1626ba7e" + "00" * 28 + "60005260206000f3")
    ledger.rpc.call("anvil_setCode", [hexed(wallet), hexed(yes)])
    assert ledger.rpc.call("eth_call", [{"to": hexed(wallet)}, "latest"]).startswith("0x1626ba7e")
    reasons = {
        name: ledger.refused(ledger.keys["owner"], AddKeyCall(wallet, 7, 0, signature))
        for name, signature in {
            "nothing": bytes(64) + b"\x1b",
            "somebody's": ledger.consent(throwaway_key(), 1),
        }.items()
    }
    assert set(reasons.values()) == {Reason.CONSENT_INVALID}
    assert wallet not in ledger.chronicle().shared.keys
    leaves(wallet=wallet, refused={name: reason.name for name, reason in reasons.items()})


def test_attack_21_a_look_alike_emits_the_same_events(ledger: Ring, leaves: Leaves) -> None:
    artefact = ledger.begun("owner")
    before = (ledger.everything(), ledger.chronicle().shared)
    # The same code with the same members, so with the same events; what it says it says of itself.
    double = ledger.deploy(throwaway_key())
    assert double.terms.code == ledger.terms.code
    receipt = ledger.send(ledger.keys["lab"], BatchCall(steps=(ledger.begin(os.urandom(32)),)), double)
    assert receipt.succeeded
    assert not [each for each in receipt.events if isinstance(each.event, Refused)]
    assert (ledger.everything(), ledger.chronicle().shared) == before
    assert ledger.chronicle().shared.artefacts.keys() >= {artefact}
    assert len(artefacts_contract().runtime) > 0
    leaves(double=double.terms.contract, pinned=ledger.terms.contract, block=receipt.block.number)
