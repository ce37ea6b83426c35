"""Attacks by somebody who has some right and wants more of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from vyper.compiler import compile_code

from proml.contracts import build
from proml.core.call import (
    AddKeyCall,
    AnchorCall,
    BatchCall,
    CancelCall,
    ContractCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    LeaveCall,
    ProposeCall,
    RevokeKeyCall,
    VoteCall,
)
from proml.core.consortium import SCOPES
from proml.core.event import ThresholdSet
from proml.core.proposal import Change, ChangeKind
from proml.core.refusal import Reason
from proml.signing import LocalSigner, throwaway_key
from tests.attacks.conftest import Leaves
from tests.attacks.ring import TABLES, Ring

pytestmark = pytest.mark.attack
ROLES = Change(ChangeKind.SET_ROLES, 5, 1)


def everything_there_is(ledger: Ring, artefact: bytes, key: LocalSigner) -> dict[str, ContractCall]:
    """One call of each kind, none of them wrong but for who makes it."""
    new = throwaway_key()
    rules = tuple(rule.word for rule in TABLES[0].rules)
    table = TABLES[0]
    return {
        "record": BatchCall(steps=(ledger.begin(os.urandom(32)),)),
        "anchor": BatchCall(anchors=(AnchorCall(os.urandom(32), 1),)),
        "approve": ledger.approval(artefact, 2, os.urandom(32)),
        "add a key": AddKeyCall(new.address, 7, 0, ledger.consent(new, 1)),
        "revoke a key": RevokeKeyCall(ledger.keys["owner"].address, ledger.terms.deployed),
        "propose": ProposeCall(ROLES),
        "vote": VoteCall(1),
        "execute": ExecuteCall(1, ROLES),
        "execute a lifecycle": ExecuteLifecycleCall(1, table.properties, table.document, rules),
        "cancel": CancelCall(1),
        "leave": LeaveCall(),
    }


# Which scope each call asks for; the others must not do.
NEEDS = {
    "record": "record",
    "anchor": "record",
    "approve": "approve",
    "add a key": "govern",
    "revoke a key": "govern",
    "propose": "govern",
    "vote": "govern",
    "execute": "govern",
    "execute a lifecycle": "govern",
    "leave": "govern",
}


def test_attack_52_a_key_does_what_its_scope_does_not_cover(ledger: Ring, leaves: Leaves) -> None:
    artefact = ledger.begun("owner")
    refused = []
    for name, scope in SCOPES.items():
        key = ledger.narrow_key("maker", scope)
        for what, call in everything_there_is(ledger, artefact, key).items():
            if NEEDS.get(what, name) != name:
                assert ledger.refused(key, call) is Reason.SCOPE_MISSING, (name, what)
                refused.append(f"{name}: {what}")
    assert len(refused) == 20
    leaves(refused=refused)


def test_attack_53_deployer_and_former_member_use_what_is_left_of_their_rights(
    ledger: Ring, leaves: Leaves
) -> None:
    artefact = ledger.begun("owner")
    former = throwaway_key()
    deployer = {
        what: ledger.refused(ledger.deployer, call)
        for what, call in everything_there_is(ledger, artefact, ledger.deployer).items()
    }
    assert set(deployer.values()) == {Reason.UNKNOWN_KEY}

    profile = os.urandom(32)
    admission = Change(ChangeKind.ADMIT, setting=127, key=former.address, profile=profile)
    number = ledger.proposed("owner", admission)
    ledger.does("lab", VoteCall(number))
    consent = ledger.consent(former, 0)
    events = ledger.does("owner", ExecuteCall(number, admission, consent))
    organisation = next(event.organisation for event in events if hasattr(event, "profile"))
    call = BatchCall(steps=(ledger.begin(os.urandom(32)),))
    assert ledger.send(former, call).succeeded
    ledger.decided(Change(ChangeKind.REMOVE, organisation), "owner", "lab")
    removed = {
        what: ledger.refused(former, call)
        for what, call in everything_there_is(ledger, artefact, former).items()
    }
    assert set(removed.values()) == {Reason.ORGANISATION_REMOVED}
    leaves(deployer=sorted(deployer), former_member=sorted(removed), removed=organisation)


def test_attack_54_two_proposals_lower_the_threshold_by_steps(ledger: Ring, leaves: Leaves) -> None:
    """Of two votes: one makes one vote enough, the other then needs but the attacker's own."""
    lower = Change(ChangeKind.SET_THRESHOLD, setting=1)
    first, second = ledger.proposed("owner", lower), ledger.proposed("audit", ROLES)
    ledger.does("lab", VoteCall(first))
    events = ledger.does("owner", ExecuteCall(first, lower))
    assert ThresholdSet(1) in events
    reasons = [
        ledger.refused(ledger.keys["audit"], ExecuteCall(second, ROLES)),
        ledger.refused(ledger.keys["lab"], VoteCall(second)),
    ]
    assert reasons == [Reason.PROPOSAL_LAPSED] * 2
    back = Change(ChangeKind.SET_THRESHOLD, setting=2)
    ledger.does("owner", ExecuteCall(ledger.proposed("owner", back), back))
    leaves(events=events, refused=[reason.name for reason in reasons])


# The comments stand where the compiler looks for literals once it has lost count of the lines.
SOURCE = """# pragma version 0.4.3
# a comment{}
@external
def who() -> address:
    # before was 0x1111111111111111111111111111111111111111
    b: address = 0x2222222222222222222222222222222222222222
    return b
"""


def test_attack_56_an_invisible_character_changes_a_constant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, leaves: Leaves
) -> None:
    # The attack works on the compiler: nobody sees a difference, and other code comes out.
    honest, altered = (
        compile_code(SOURCE.format(hidden), output_formats=["bytecode_runtime"], no_bytecode_metadata=True)
        for hidden in ("", "\f")
    )
    assert ("22" * 20 in honest["bytecode_runtime"], "22" * 20 in altered["bytecode_runtime"]) == (
        True,
        False,
    )
    assert "11" * 20 in altered["bytecode_runtime"]
    for name in build.SOURCES:
        shutil.copy(build.HERE / name, tmp_path / name)
    source = tmp_path / "consortium.vy"
    source.write_text(source.read_text().replace("Apache-2.0\n", "Apache-2.0\f\n", 1))
    assert "\f" in source.read_text()
    monkeypatch.setattr(build, "HERE", tmp_path)
    with pytest.raises(SystemExit, match=r"consortium\.vy:\d+: byte 0x0c") as stopped:
        build.compile_contracts()
    leaves(said=str(stopped.value), compiled_otherwise=altered["bytecode_runtime"][:20])
