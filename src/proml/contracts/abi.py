"""Contract calls and events as bytes, and back: the part of the Ethereum ABI that ProML's contracts use.

Hand-made because decoding must be strict: a log with one topic or one byte more or less than its event
has, an offset that is not the canonical one, or a number out of range is refused rather than read
somehow (a look-alike contract may have emitted it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from proml.contracts.batches import ACT_FOR, BATCH, BATCH_FOR, decode_steps, encode_steps
from proml.contracts.forms import (
    ACTOR,
    ADDRESS,
    APPROVALS,
    APPROVING,
    BYTES32,
    CHANGE,
    INPUTS,
    SIGNATURE,
    SIGNED,
    UINT,
    UINT8,
    WORDS,
    Form,
    Row,
    address_number,
    arrays,
    read,
    selector,
    signature_of,
    write,
)
from proml.core.call import (
    ActForCall,
    AddKeyCall,
    ApproveCall,
    ApproveForCall,
    BatchCall,
    BatchForCall,
    CancelCall,
    ContractCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    Founder,
    LeaveCall,
    ProposeCall,
    RevokeKeyCall,
    VoteCall,
)
from proml.core.digest import keccak256, word
from proml.core.event import (
    Acted,
    ActedApproved,
    Anchored,
    Approved,
    Event,
    GovernanceSet,
    KeyAdded,
    KeyRevoked,
    LifecycleAdmitted,
    OrganisationAdmitted,
    OrganisationRemoved,
    ProposalCancelled,
    ProposalExecuted,
    ProposalMade,
    Refused,
    Registered,
    RolesSet,
    SuccessorNamed,
    ThresholdSet,
    VoteCast,
)
from proml.core.lifecycle import MAX_RULES, Table
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from proml.errors import LedgerProblem, RecordInvalid

_STEP = (UINT, UINT, UINT, BYTES32, INPUTS)
# Of each event: how many of its fields are indexed, and the forms of all of them in their order.
_EVENTS: dict[type[Event], tuple[int, tuple[Form, ...]]] = {
    OrganisationAdmitted: (1, (UINT, UINT, BYTES32)),
    ThresholdSet: (0, (UINT,)),
    GovernanceSet: (0, (UINT, UINT, UINT)),
    ProposalMade: (2, (UINT, ACTOR, CHANGE)),
    VoteCast: (2, (UINT, ACTOR)),
    ProposalExecuted: (2, (UINT, ACTOR)),
    ProposalCancelled: (2, (UINT, ACTOR)),
    OrganisationRemoved: (2, (UINT, ACTOR)),
    RolesSet: (1, (UINT, UINT)),
    SuccessorNamed: (2, (UINT, UINT)),
    KeyAdded: (2, (UINT, ADDRESS, UINT, UINT)),
    KeyRevoked: (2, (UINT, ADDRESS, UINT)),
    LifecycleAdmitted: (2, (UINT, BYTES32, UINT, BYTES32, WORDS)),
    Registered: (3, (BYTES32, BYTES32, ACTOR, *_STEP)),
    Acted: (3, (BYTES32, BYTES32, ACTOR, *_STEP)),
    ActedApproved: (3, (BYTES32, BYTES32, ACTOR, *_STEP, APPROVALS)),
    Approved: (3, (BYTES32, BYTES32, ACTOR, UINT, UINT, BYTES32)),
    Anchored: (2, (ACTOR, BYTES32, UINT, UINT)),
    Refused: (2, (BYTES32, ACTOR, UINT, UINT)),
}
SIGNATURES: dict[type[Event], str] = {
    kind: signature_of(kind.__name__, forms) for kind, (_, forms) in _EVENTS.items()
}
TOPICS = {keccak256(signature.encode()): kind for kind, signature in SIGNATURES.items()}


# Of each call but those with steps (batches.py): its name, and the forms of its fields in their order.
_CALLS: dict[type[ContractCall], tuple[str, tuple[Form, ...]]] = {
    AddKeyCall: ("add_key", (ADDRESS, UINT, UINT, SIGNATURE)),
    RevokeKeyCall: ("revoke_key", (ADDRESS, UINT)),
    ApproveCall: ("approve", (BYTES32, UINT8, UINT, BYTES32, BYTES32)),
    ApproveForCall: ("approve_for", (APPROVING, SIGNED)),
    ProposeCall: ("propose", (CHANGE,)),
    VoteCall: ("vote", (UINT,)),
    ExecuteCall: ("execute", (UINT, CHANGE, SIGNATURE)),
    ExecuteLifecycleCall: ("execute_lifecycle", (UINT, UINT, BYTES32, WORDS)),
    CancelCall: ("cancel", (UINT,)),
    LeaveCall: ("leave", ()),
}
_SELECTORS = {kind: selector(signature_of(name, forms)) for kind, (name, forms) in _CALLS.items()}
_KINDS = {start: kind for kind, start in _SELECTORS.items()}
# The first 4 bytes of every call there is.
CALLS = frozenset((*_KINDS, BATCH, ACT_FOR, BATCH_FOR))
ADD_KEY = _SELECTORS[AddKeyCall]
REVOKE_KEY = _SELECTORS[RevokeKeyCall]
ARTEFACT = selector("artefact(bytes32)")
REFUSED_ERROR = selector("Refused(uint256)")
TEXT_ERROR = selector("Error(string)")
# The texts with which tables are refused begin so; the constructor and execute_lifecycle share them.
LIFECYCLE_TEXT = b"lifecycles: "


def encode_call(call: ContractCall) -> bytes:
    """The transaction data of a call.

    Raises:
        RecordInvalid: when it exceeds what the contract takes at once, a number does not fit its
            place, or a signature is not 65 bytes: the contract would revert without a reason.
    """
    if isinstance(call, BatchCall | ActForCall | BatchForCall):
        return encode_steps(call)
    if isinstance(call, ExecuteLifecycleCall) and len(call.rules) > MAX_RULES:
        raise RecordInvalid(f"a lifecycle has {MAX_RULES} rules at most")
    _, forms = _CALLS[type(call)]
    return _SELECTORS[type(call)] + write(forms, _values(call))


def _values(content: ContractCall | Event) -> list[Any]:
    return [getattr(content, field.name) for field in fields(content)]


def decode_call(data: bytes) -> ContractCall:
    """The call behind transaction data.

    Raises:
        LedgerProblem: when it is no call of these contracts, or not in canonical form.
    """
    kind = _KINDS.get(data[:4])
    call: ContractCall
    if kind is not None:
        call = kind(*read(_CALLS[kind][1], data[4:], "call data"))
    elif (steps := decode_steps(data)) is not None:
        call = steps
    else:
        raise LedgerProblem(f"0x{data[:4].hex()} is no call of the ProML contracts")
    try:
        canonical = encode_call(call) == data
    except RecordInvalid:
        canonical = False
    if not canonical:
        raise LedgerProblem("the call data is not in canonical form")
    return call


def encode_event(event: Event) -> tuple[tuple[bytes, ...], bytes]:
    """Topics (32 bytes each, the signature's first) and data of the log that carries an event."""
    indexed, forms = _EVENTS[type(event)]
    values = _values(event)
    topics = [
        word(form.write(value)[0]) for form, value in zip(forms[:indexed], values[:indexed], strict=True)
    ]
    first = keccak256(SIGNATURES[type(event)].encode())
    return (first, *topics), write(forms[indexed:], values[indexed:])


def decode_event(topics: Sequence[bytes], data: bytes) -> Event:
    """The event a log of the contract carries.

    Raises:
        LedgerProblem: for an unknown signature, a wrong number of topics, or data that is not exactly
            the canonical encoding.
    """
    kind = TOPICS.get(topics[0]) if topics else None
    if kind is None:
        raise LedgerProblem("the contract emitted an event this program does not know")
    indexed, forms = _EVENTS[kind]
    if len(topics) != indexed + 1:
        raise LedgerProblem(f"a {kind.__name__} log has {len(topics) - 1} indexed words")
    first = [
        form.read([int.from_bytes(topic, "big")])
        for form, topic in zip(forms[:indexed], topics[1:], strict=True)
    ]
    event = kind(*first, *read(forms[indexed:], data, kind.__name__))
    # Strictness in one line: whatever was read must encode to the very same log.
    if encode_event(event) != (tuple(topics), data):
        raise LedgerProblem(f"a {kind.__name__} log is not in canonical form")
    return event


def decode_refusal(data: bytes) -> Reason | None:
    """The reason in the revert data of a refused call, None when it is not one of the contracts'."""
    if len(data) == 36 and data[:4] == REFUSED_ERROR:
        number = int.from_bytes(data[4:], "big")
        if number in Reason.__members__.values():
            return Reason(number)
    if data[:4] == TEXT_ERROR and data[68:].startswith(LIFECYCLE_TEXT):
        return Reason.LIFECYCLE_INVALID
    return None


def deployment(
    bytecode: bytes, founders: Sequence[Founder], rules: Governance, tables: Sequence[Table]
) -> bytes:
    """Creation data: the bytecode and the encoded constructor arguments."""
    founder_rows: list[Row] = [
        (address_number(founder.key), founder.roles, founder.profile) for founder in founders
    ]
    table_rows: list[Row] = [(table.properties, table.document, len(table.rules)) for table in tables]
    rule_rows: list[Row] = [(rule.word,) for table in tables for rule in table.rules]
    pace = [rules.threshold, rules.lifetime, rules.delay, rules.recovery_delay]
    # Order of the constructor: founders, governance, tables, rules; offsets stand among the words.
    sizes = [32 * (1 + 3 * len(founder_rows)), 32 * (1 + 3 * len(table_rows))]
    start = 32 * (3 + len(pace))
    head = [start, *pace, start + sizes[0], start + sum(sizes)]
    bodies = [arrays([], rows)[32:] for rows in (founder_rows, table_rows, rule_rows)]
    return bytecode + b"".join([word(value) for value in head] + bodies)
