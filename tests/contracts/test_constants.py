"""Every constant of the sources, against the Python side and against the deployed code itself.

Vyper 0.4.3 can compile a constant to another value than a reader of the source sees, so reading the
source is not enough: getters are called, 32-byte literals are looked for in the deployed code, and the
words that offsets and masks make are compared by every other test in this folder
(`expected_storage`).
"""

import json

import pytest
from vyper import ast as vy
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.phases import CompilerData

from proml.contracts import abi, batches, build
from proml.contracts.forms import selector
from proml.contracts.shipped import artefacts_contract
from proml.core import changes, lifecycle, membership
from proml.core.artefact import Artefact
from proml.core.call import AddKeyCall
from proml.core.consortium import ALL_SCOPES, SCOPES, Key, Organisation, role_mask
from proml.core.digest import keccak256, word
from proml.core.lifecycle import Rule, Table
from proml.core.proposal import MAX_BLOCKS, Change, ChangeKind, Proposal, ProposalState
from proml.core.refusal import Reason
from tests.contracts.cast import DEVELOPER, SPARE, Consent, address
from tests.contracts.deployed import signature
from tests.contracts.side_by_side import SideBySide

DOMAIN = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
CONSENT = keccak256(b"KeyConsent(uint256 organisation,address key,uint256 scope,uint256 expires)")
STEP = keccak256(
    b"Step(bytes32 artefact,uint256 lifecycle,uint256 action,uint256 sequence,bytes32 record,bytes32 subject,"
    b"bytes32 inputs,uint256 deadline)"
)
APPROVAL = keccak256(
    b"Approval(bytes32 artefact,uint256 action,uint256 sequence,bytes32 subject,bytes32 record,"
    b"uint256 deadline)"
)
# secp256k1 (SEC 2, section 2.4.1), half of its order, rounded down.
HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2


def offset(value: int) -> int:
    """The lowest bit that is set."""
    return (value & -value).bit_length() - 1


def artefact(**fields: int | tuple[int, ...]) -> int:
    nothing = dict.fromkeys(
        ("lifecycle", "state", "sequence", "usable_from", "custodian", "creator", "several"), 0
    )
    values = {**nothing, "performers": (0,) * 6, **fields}
    return Artefact(id=bytes(32), head=bytes(32), **values).word


def key(**fields: int) -> int:
    return Key(**{"organisation": 0, "scope": 0, "start": 0, **fields}).word


def organisation(**fields: int) -> int:
    return Organisation(**{"number": 0, "roles": 0, "profile": b"", "admitted": 0, **fields}).word


def rule(**fields: int) -> int:
    return Rule(**{"state": 0, "action": 0, "following": 0, "roles": 0, **fields}).word


def table(**fields: int) -> int:
    nothing = dict.fromkeys(("kind", "usable", "terminal", "recalled"), 0)
    return Table(**{**nothing, "document": b"", "rules": (), **fields}).properties


def proposal(**fields: object) -> int:
    nothing = {"change": Change(0), "proposer": 0, "created": 0, "epoch": 0, "state": 0}
    return Proposal(**{**nothing, **fields}).word


# What the Python side says of every constant. Offsets are taken from the words it packs.
EXPECTED: dict[str, dict[str, int | bytes]] = {
    "artefacts": {
        "MAX_INPUTS": lifecycle.MAX_INPUTS,
        "MAX_STEPS": batches.MAX_STEPS,
        "MAX_ANCHORS": batches.MAX_ANCHORS,
        "MAX_BATCH_INPUTS": batches.MAX_BATCH_INPUTS,
        "MAX_BATCH_APPROVALS": batches.MAX_BATCH_APPROVALS,
        "MAX_SIGNED_STEPS": batches.MAX_SIGNED_STEPS,
        "MAX_SIGNED_INPUTS": batches.MAX_SIGNED_INPUTS,
        "VERSION": 1,
        **{reason.name: reason.value for reason in Reason if 20 <= reason < 40},
        "STATE_MASK": 2**8 - 1,
        "BYTE": 2**8 - 1,
        "ORG_MASK": 2**16 - 1,
        "SEQ_MASK": 2**40 - 1,
        "LIFECYCLE": offset(artefact(lifecycle=1)),
        "SEQUENCE": offset(artefact(sequence=1)),
        "USABLE_FROM": offset(artefact(usable_from=1)),
        "CREATOR": offset(artefact(creator=1)),
        "PERFORMERS": offset(artefact(performers=(1, 0, 0, 0, 0, 0))),
        "SEVERAL": offset(artefact(several=1)),
    },
    "consortium": {
        "MAX_FOUNDERS": membership.MAX_FOUNDERS,
        **{f"SCOPE_{name.upper()}": bit for name, bit in SCOPES.items()},
        "SCOPE_ALL": ALL_SCOPES,
        "ORGANISATION_MASK": 2**16 - 1,
        "ROLES_MASK": 2**64 - 1,
        "BLOCK_MASK": 2**40 - 1,
        "KEY_SCOPE": offset(key(scope=1)),
        "KEY_START": offset(key(start=1)),
        "KEY_EXPIRES": offset(key(expires=1)),
        "KEY_REVOKED": offset(key(revoked=1)),
        "KEY_COMPROMISED": offset(key(compromised_since=1)),
        "ORG_ADMITTED": offset(organisation(admitted=1)),
        "ORG_REMOVED": offset(organisation(removed=1)),
        "ORG_KEYS": offset(organisation(keys=1)),
        "ORG_ANCHORS": offset(organisation(anchors=1)),
        # The name KEY_REVOKED is taken by the bit offset.
        **{reason.name: reason.value for reason in Reason if reason < 20 and reason != Reason.KEY_REVOKED},
        "KEY_REVOKED_REASON": Reason.KEY_REVOKED,
    },
    "custody": {
        **{step.name.removesuffix("_CUSTODY"): step.value for step in lifecycle.Alike},
        "CUSTODIAN": offset(artefact(custodian=1)),
        "OFFERED": offset(artefact(offered=1)),
        "DISPUTED": offset(artefact(contester=1)),
        "ORG_MASK": 2**16 - 1,
        "AUDITOR": role_mask(["auditor"]),
        # Those of other modules, too.
        "NOT_CUSTODIAN": Reason.NOT_CUSTODIAN,
        "NO_MEMBER": Reason.NOT_A_MEMBER,
        **{reason.name: reason.value for reason in Reason if 60 <= reason < 70},
    },
    "governance": {
        **{kind.name: kind.value for kind in ChangeKind},
        **{state.name: state.value for state in ProposalState},
        **{reason.name: reason.value for reason in Reason if 40 <= reason < 60},
        "MAX_BLOCKS": MAX_BLOCKS,
        "BLOCK_MASK": 2**40 - 1,
        "ORG_MASK": 2**16 - 1,
        "BYTE": 2**8 - 1,
        "PROPOSER": offset(proposal(proposer=1) ^ proposal()),
        "CREATED": offset(proposal(created=1) ^ proposal()),
        "PASSED": offset(proposal(passed=1) ^ proposal()),
        "VOTES": offset(proposal()),  # the proposer's own
        "PROPOSAL_EPOCH": offset(proposal(epoch=1) ^ proposal()),
        "PROPOSAL_STATE": offset(proposal(state=1) ^ proposal()),
        "CONCERNED": offset(proposal(change=Change(0, organisation=1)) ^ proposal()),
        # Written out in side_by_side.py, too.
        "DELAY": 40,
        "RECOVERY_DELAY": 80,
        "EPOCH": 120,
    },
    "statements": {
        **{reason.name: reason.value for reason in Reason if reason >= 70},
        "STEP_TYPE": STEP,
        "APPROVAL_TYPE": APPROVAL,
        "DOMAIN_TYPE": DOMAIN,
        "CONSENT_TYPE": CONSENT,
        "NAME_HASH": keccak256(b"ProML"),
        "VERSION_HASH": keccak256(b"1"),
        "HALF_ORDER": HALF_ORDER,
    },
    "lifecycles": {
        "MAX_RULES": lifecycle.MAX_RULES,
        "MAX_TABLES": changes.MAX_TABLES,
        "MAX_ALL_RULES": 512,
        "MAX_STATE": lifecycle.MAX_STATES - 1,
        "MAX_ACTION": lifecycle.MAX_ACTIONS,
        "STATES_MASK": 2**64 - 1,
        "KIND_MASK": 2**32 - 1,
        "BYTE": 2**8 - 1,
        "TABLE_USABLE": offset(table(usable=1)),
        "TABLE_TERMINAL": offset(table(terminal=1)),
        "TABLE_RECALLED": offset(table(recalled=1)),
        "TABLE_END": table(recalled=2**63).bit_length(),
        "RULE_FLAGS": offset(rule(usable=1)),
        "RULE_LEAST_INPUTS": offset(rule(least_inputs=1)),
        "RULE_INPUT_KIND": offset(rule(input_kind=1)),
        "RULE_DUTY": offset(rule(duty=1)),
        "RULE_DIFFERS": offset(rule(differs=1)),
        "RULE_APPROVALS": offset(rule(approvals=1)),
        "RULE_APPROVER_DIFFERS": offset(rule(approver_differs=1)),
        "RULE_ROLES": offset(rule(roles=1)),
        "RULE_APPROVER_ROLES": offset(rule(approver_roles=1)),
        "RULE_STATE": offset(rule(state=1)),
        "RULE_ACTION": offset(rule(action=1)),
        "RULE_END": rule(action=2**7).bit_length(),
        "FLAG_USABLE": rule(usable=1) >> 8,
        "FLAG_INPUTS_USABLE": rule(inputs_usable=1) >> 8,
        "FLAG_CUSTODIAN": rule(custodian=1) >> 8,
        "FLAG_SUBJECT": rule(subject=1) >> 8,
        "FLAG_APPROVE": rule(approve=1) >> 8,
        "FLAG_RECALL": rule(recall=1) >> 8,
        "FLAG_END": (rule(recall=1) >> 8).bit_length(),
        "MAX_DUTY": lifecycle.MAX_DUTIES,
        "MAX_APPROVALS": lifecycle.MAX_APPROVALS,
    },
}


@pytest.fixture(scope="module")
def declared() -> dict[str, dict[str, int | bytes]]:
    """Every constant in the sources, as the compiler folds it."""
    bundle = FilesystemInputBundle([build.HERE])
    main = CompilerData(bundle.load_file("artefacts.vy"), bundle).annotated_vyper_module
    modules = {"artefacts": main}
    for statement in main.get_children(vy.Import):
        entry = statement._metadata["import_info"]
        modules[entry.alias] = entry.typ.module_t._module
    found: dict[str, dict[str, int | bytes]] = {}
    for name, module in modules.items():
        found[name] = {}
        for constant in module.get_children(vy.VariableDecl, filters={"is_constant": True}):
            value = constant.value.get_folded_value().value
            hexadecimal = isinstance(value, str)
            found[name][constant.target.id] = bytes.fromhex(value[2:]) if hexadecimal else value
    return found


@pytest.mark.parametrize("module", EXPECTED)
def test_every_constant_is_what_the_python_side_says(
    declared: dict[str, dict[str, int | bytes]], module: str
) -> None:
    assert declared[module] == EXPECTED[module]


def test_no_module_is_forgotten(declared: dict[str, dict[str, int | bytes]]) -> None:
    assert {f"{name}.vy" for name in declared} == set(build.SOURCES)
    assert {path.name for path in build.HERE.glob("*.vy")} == set(build.SOURCES)


@pytest.mark.parametrize(
    "name",
    [
        *("MAX_INPUTS", "MAX_STEPS", "MAX_ANCHORS", "MAX_BATCH_INPUTS", "MAX_BATCH_APPROVALS", "VERSION"),
        *("MAX_SIGNED_STEPS", "MAX_SIGNED_INPUTS"),
        *("SCOPE_RECORD", "SCOPE_APPROVE", "SCOPE_GOVERN"),
    ],
)
def test_public_constants_read_back_from_the_deployed_contract(side: SideBySide, name: str) -> None:
    expected = EXPECTED["consortium" if name.startswith("SCOPE") else "artefacts"][name]
    assert isinstance(expected, int)
    assert side.contract.view(selector(f"{name}()")) == word(expected)


@pytest.mark.parametrize(
    "name",
    ["DOMAIN_TYPE", "CONSENT_TYPE", "STEP_TYPE", "APPROVAL_TYPE", "NAME_HASH", "VERSION_HASH", "HALF_ORDER"],
)
def test_long_constants_stand_in_the_deployed_code(side: SideBySide, name: str) -> None:
    value = EXPECTED["statements"][name]
    if value == HALF_ORDER:
        value = HALF_ORDER + 1  # compiled as "not below the next number"
    assert b"\x7f" + word(value) in side.contract.code  # 0x7f: PUSH32


def test_the_half_order_is_where_consent_signatures_end(side: SideBySide) -> None:
    consent = Consent(side.contract.chain_id, side.contract.address, 3, address(SPARE)).call(SPARE)
    for s in (HALF_ORDER, HALF_ORDER + 1):
        signature = consent.consent[:32] + word(s) + consent.consent[64:]
        asked = AddKeyCall(consent.key, consent.scope, consent.expires, signature)
        # Either is refused, the one because it recovers another signer; both for the same reason.
        assert side.call(DEVELOPER, asked, consented=False) is Reason.CONSENT_INVALID


def test_every_reason_has_a_text_and_a_hint() -> None:
    for reason in Reason:
        assert reason.text
        assert reason.hint


def test_the_abi_of_the_compiled_contract_is_the_one_the_client_speaks() -> None:
    compiled = json.loads(build.COMPILED.read_text())
    events = {signature(entry) for entry in compiled["abi"] if entry["type"] == "event"}
    assert events == set(abi.SIGNATURES.values())
    calls = {selector(signature(entry)) for entry in compiled["abi"] if entry["type"] == "function"}
    assert {batches.BATCH, abi.ADD_KEY, abi.REVOKE_KEY, abi.ARTEFACT} <= calls
    assert selector("Refused(uint256)") == abi.REFUSED_ERROR
    assert word(abi.REFUSED_ERROR.ljust(32, b"\0"))[:4] in artefacts_contract().runtime
