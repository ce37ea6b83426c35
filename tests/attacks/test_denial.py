"""Attacks that shall keep others from working."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from proml.contracts.abi import BATCH
from proml.contracts.forms import arrays
from proml.core.call import BatchCall, ExecuteCall, ProposeCall, RevokeKeyCall, VoteCall
from proml.core.event import Refused
from proml.core.proposal import Change, ChangeKind
from proml.core.refusal import Reason
from tests.attacks.conftest import Leaves
from tests.attacks.ring import NAMES, Ring

pytestmark = pytest.mark.attack


def test_attack_38_the_chain_is_flooded_with_nonsense(ledger: Ring, leaves: Leaves) -> None:
    attacker, before = ledger.keys["clinic"], ledger.everything()

    def gas_of_a_step() -> int:
        return ledger.send(ledger.keys["maker"], BatchCall(steps=(ledger.begin(os.urandom(32)),))).gas_used

    gas_of_a_step()
    alone = gas_of_a_step()
    nonsense = tuple(replace(ledger.begin(os.urandom(32)), action=99) for _ in range(64))
    refused = []
    for _ in range(5):
        receipt = ledger.send(attacker, BatchCall(steps=nonsense))
        refused += [placed.event for placed in receipt.events if isinstance(placed.event, Refused)]
    assert len(refused) == 5 * 64
    assert {(event.actor.key, Reason(event.reason)) for event in refused} == {
        (attacker.address, Reason.NO_TRANSITION)
    }
    flooded = gas_of_a_step()
    assert abs(flooded - alone) <= alone / 100
    assert len(ledger.everything()) == len(before) + 3
    leaves(refused=len(refused), key=attacker.address, gas_before=alone, gas_after=flooded)


def test_attack_39_arguments_are_enormous(ledger: Ring, leaves: Leaves) -> None:
    word = os.urandom(32)
    step = (word, 1, 1, 1, word, word, 0)
    tried = {
        "65 steps": ([], [step] * 65, [], []),
        "33 anchors": ([(word, 1)] * 33, [], [], []),
        "129 inputs": ([], [step], [(word, 1)] * 129, []),
        "33 approvals": ([], [step], [], [(1, word)] * 33),
        "33 inputs of one step": ([], [(*step[:6], 33)], [(word, 1)] * 33, []),
        "9 approvals of one step": ([], [(*step[:6], 9 << 8)], [], [(1, word)] * 9),
    }
    before, spent = ledger.everything(), {}
    for name, lists in tried.items():
        receipt = ledger.send_bytes(ledger.keys["clinic"], BATCH + arrays([], *lists))
        assert not receipt.succeeded, name
        spent[name] = receipt.gas_used
    assert ledger.everything() == before
    # Refused by their length alone, before anything of them is looked at.
    assert max(spent.values()) < 500_000
    leaves(gas=spent)


def test_attack_40_one_member_revokes_removes_and_proposes(ledger: Ring, leaves: Leaves) -> None:
    attacker, victim = ledger.keys["clinic"], ledger.keys["owner"]
    reasons = {"revoke the key of another": ledger.refused(attacker, RevokeKeyCall(victim.address, 1))}
    removal = Change(ChangeKind.REMOVE, NAMES.index("owner") + 1)
    number = ledger.proposed("clinic", removal)
    reasons["carry out alone"] = ledger.refused(attacker, ExecuteCall(number, removal))
    reasons["vote for one's own"] = ledger.refused(attacker, VoteCall(number))
    for organisation in (2, 3, 5):
        again = ProposeCall(Change(ChangeKind.REMOVE, organisation))
        reasons[f"a further proposal, against {NAMES[organisation - 1]}"] = ledger.refused(attacker, again)
    second = ledger.narrow_key("clinic", 7)
    reasons["vote by another key of one's own"] = ledger.refused(second, VoteCall(number))
    assert set(reasons.values()) == {
        *(Reason.NOT_YOUR_KEY, Reason.VOTES_MISSING, Reason.VOTED_ALREADY, Reason.PROPOSAL_OPEN),
    }
    shared = ledger.chronicle().shared
    assert not shared.organisations[1].removed
    assert not shared.keys[victim.address].revoked
    leaves(refused={what: reason.name for what, reason in reasons.items()}, proposal=number)
