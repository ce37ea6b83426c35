"""Every call by every kind of key, and every action by every organisation in every state of every lifecycle.

What must come of each is read from the lifecycle files and from one small table here, not from the
specification. Every refusal must leave the whole storage as it was.
"""

import json
from collections.abc import Iterator
from importlib.resources import files

import pytest
from boa.environment import Env

from proml.contracts.abi import encode_call
from proml.core.artefact import Artefact
from proml.core.call import (
    AddKeyCall,
    AnchorCall,
    ApproveCall,
    BatchCall,
    CancelCall,
    ContractCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    LeaveCall,
    ProposeCall,
    RevokeKeyCall,
    StepCall,
    VoteCall,
)
from proml.core.consortium import role_names
from proml.core.digest import ZERO
from proml.core.lifecycle import Alike
from proml.core.proposal import Change, ChangeKind
from proml.core.refusal import Reason
from tests.contracts.cast import (
    AUDITOR,
    CONGLOMERATE,
    DATA,
    FOUNDERS,
    GUEST,
    KEYS,
    LIFECYCLES,
    NUMBERS,
    ORGANISATION,
    STRANGER,
    Consent,
    account,
    address,
    fresh,
)
from tests.contracts.deployed import place
from tests.contracts.side_by_side import SideBySide, single_form
from tests.contracts.test_doors import WRITING

ROLES = {founder.key: set(role_names(founder.roles)) for founder in FOUNDERS}
# The custodian and creator of everything here; it holds several roles, and others hold the same.
OWNER = CONGLOMERATE
OFFERED_TO, CONTESTER = GUEST, DATA


def expected(kind: str, state: str, action: str, key: bytes) -> Reason | None:
    """What a lifecycle's file says of an action without inputs and approvals; None: it is taken."""
    file = json.loads((files("proml.lifecycles") / f"{kind}.json").read_text())
    rule = next((t for t in file["transitions"] if t["action"] == action and state in t["from"]), None)
    if rule is None:
        return Reason.NO_TRANSITION
    if not ROLES[key] & set(rule["roles"]):
        return Reason.ROLE_MISSING
    if rule.get("custodian") and key != OWNER:
        return Reason.NOT_CUSTODIAN
    if "creator" in rule.get("differs", ()) and key == OWNER:
        return Reason.DUTY_CONFLICT
    return Reason.INPUTS_MISSING if rule.get("inputs", {}).get("least") else None


def expected_alike(action: Alike, key: bytes) -> Reason | None:
    """Of something offered to one organisation and contested by another."""
    allowed = {
        Alike.OFFER_CUSTODY: ({OWNER}, Reason.NOT_CUSTODIAN),
        Alike.ACCEPT_CUSTODY: ({OFFERED_TO}, Reason.NOT_OFFERED),
        Alike.CONTEST: (set(), Reason.DISPUTED_ALREADY),
        Alike.ANSWER: ({OWNER}, Reason.NOT_CUSTODIAN),
        Alike.SETTLE: ({CONTESTER, AUDITOR}, Reason.NOT_YOUR_DISPUTE),
    }
    who, reason = allowed[action]
    return None if key in who else reason


def put(side: SideBySide, kind: str, state: int) -> bytes:
    """An artefact in a state, written into the storage, since not every state can be reached by everybody."""
    artefact = fresh()
    owner = ORGANISATION[OWNER]
    standing = Artefact(artefact, NUMBERS[kind], state, 7, 0, owner, owner, (0,) * 6, 0, ZERO)
    word = standing.word | ORGANISATION[OFFERED_TO] << 120 | 1 << 254
    side.contract.overwrite(place(8, artefact), word)
    side.contract.overwrite(place(20, artefact), ORGANISATION[CONTESTER])
    return artefact


def actions(kind: str) -> Iterator[tuple[int, str]]:
    """Every action of a lifecycle, one that it has not, and those that all have."""
    lifecycle = LIFECYCLES[kind]
    numbers = (*range(1, len(lifecycle.actions) + 2), *Alike, 245)
    return ((number, lifecycle.action_name(number)) for number in numbers)


@pytest.mark.parametrize("kind", LIFECYCLES)
def test_every_action_in_every_state_by_everybody(side: SideBySide, env: Env, kind: str) -> None:
    taken = refused = 0
    for state in range(1, len(LIFECYCLES[kind].states)):
        artefact = put(side, kind, state)
        before = side.contract.storage()
        for number, name in actions(kind):
            subject = ZERO if number == Alike.OFFER_CUSTODY else fresh()
            data = single_form(StepCall(artefact, 0, number, 8, fresh(), subject))
            for key in KEYS:
                alike = number in Alike.__members__.values()
                reason = (
                    expected_alike(Alike(number), key)
                    if alike
                    else expected(kind, LIFECYCLES[kind].states[state], name, key)
                )
                with env.anchor():
                    outcome = side.contract.send(key, data)
                    if reason is None:
                        assert isinstance(outcome, list), (state, name, outcome)
                        taken += 1
                        continue
                assert outcome is reason, (state, name, outcome)
                assert side.contract.storage() == before
                refused += 1
    assert taken > 0
    assert refused > taken


# --- every call by every kind of key ----------------------------------------------------------

CHANGE = Change(ChangeKind.SET_THRESHOLD, setting=2)
CALLS: dict[str, tuple[ContractCall | StepCall | AnchorCall, str]] = {
    "register": (StepCall(fresh(), 2, 1, 1, fresh(), fresh()), "record"),
    "act": (StepCall(fresh(), 0, 1, 2, fresh(), fresh()), "record"),
    "anchor": (AnchorCall(fresh(), 1), "record"),
    "batch": (BatchCall(), "record"),
    "approve": (ApproveCall(fresh(), 1, 2, fresh(), fresh()), "approve"),
    "add_key": (AddKeyCall(address(account(555)), 7, 0, bytes(65)), "govern"),
    "revoke_key": (RevokeKeyCall(GUEST, 1), "govern"),
    "propose": (ProposeCall(CHANGE), "govern"),
    "vote": (VoteCall(9), "govern"),
    "execute": (ExecuteCall(9, CHANGE), "govern"),
    "execute_lifecycle": (ExecuteLifecycleCall(9, 1, ZERO, (1,)), "govern"),
    "cancel": (CancelCall(9), "any"),
    "leave": (LeaveCall(), "govern"),
}
SCOPES = {"record": 1, "approve": 2, "govern": 4, "any": 7}


def key_of_scope(side: SideBySide, number: int, scope: int, expires: int = 0) -> bytes:
    who = account(number)
    consent = Consent(side.contract.chain_id, side.contract.address, 1, address(who), scope, expires)
    side.accepted(DATA, consent.call(who))
    return address(who)


@pytest.mark.parametrize("name", CALLS)
def test_every_call_by_every_kind_of_key(side: SideBySide, name: str) -> None:
    asked, scope = CALLS[name]
    data = single_form(asked) if isinstance(asked, StepCall | AnchorCall) else encode_call(asked)
    block = side.contract.block
    keys = {
        STRANGER: Reason.UNKNOWN_KEY,
        key_of_scope(side, 601, 7): Reason.KEY_REVOKED,
        key_of_scope(side, 602, 7, block + 2): Reason.KEY_EXPIRED,
        KEYS[1]: Reason.ORGANISATION_REMOVED,
        # Every scope but the one that it needs; there is none that `cancel` needs.
        key_of_scope(side, 603, 7 - SCOPES[scope] or 1): Reason.SCOPE_MISSING,
    }
    side.accepted(address(account(601)), RevokeKeyCall(address(account(601)), block))
    side.accepted(KEYS[1], LeaveCall())
    side.advance(2)
    before = side.contract.storage()
    for key, reason in keys.items():
        # A recovery may be stopped by any key, so `cancel` looks at the proposal first.
        any_key = name == "cancel" and reason is Reason.SCOPE_MISSING
        assert side.contract.send(key, data) is (Reason.UNKNOWN_PROPOSAL if any_key else reason)
        assert side.contract.storage() == before


def test_no_call_that_writes_is_left_out() -> None:
    assert set(CALLS) | {"act_for", "batch_for", "approve_for"} == WRITING
