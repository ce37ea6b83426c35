"""Calls and events as bytes: against an independent encoder, and nothing but the canonical form is read."""

import json

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from proml.contracts import abi, batches
from proml.contracts.abi import (
    SIGNATURES,
    decode_call,
    decode_event,
    decode_refusal,
    deployment,
    encode_call,
    encode_event,
)
from proml.contracts.build import COMPILED
from proml.contracts.forms import selector
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
from proml.core.consortium import Actor
from proml.core.digest import keccak256, word
from proml.core.event import (
    Acted,
    ActedApproved,
    Anchored,
    Approval,
    Approved,
    Event,
    GovernanceSet,
    Input,
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
    ThresholdSet,
    VoteCast,
)
from proml.core.proposal import Change, Governance
from proml.core.refusal import Reason
from proml.errors import LedgerProblem, RecordInvalid
from tests.contracts.cast import FOUNDERS, TABLES, fresh
from tests.contracts.deployed import signature

digests = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20)
words = st.one_of(st.integers(0, 5), st.integers(0, 2**256 - 1))
inputs = st.lists(st.builds(Input, digests, words), max_size=3).map(tuple)
actors = st.builds(Actor, st.integers(0, 2**96 - 1), addresses)
approvals = st.lists(st.builds(Approval, actors, digests), max_size=3).map(tuple)
steps = st.builds(
    StepCall,
    digests,
    st.integers(0, 2**16 - 1),
    st.integers(0, 255),
    words,
    digests,
    digests,
    inputs,
    approvals,
)
changes = st.builds(Change, words, words, words, addresses, digests)
anchors = st.builds(AnchorCall, digests, words)
calls = st.one_of(
    st.builds(BatchCall, st.lists(anchors, max_size=3).map(tuple), st.lists(steps, max_size=4).map(tuple)),
    st.builds(AddKeyCall, addresses, words, words, st.binary(min_size=65, max_size=65)),
    st.builds(RevokeKeyCall, addresses, words),
    st.builds(ApproveCall, digests, st.integers(0, 255), words, digests, digests),
    st.builds(ProposeCall, changes),
    st.builds(VoteCall, words),
    st.builds(ExecuteCall, words, changes, st.binary(min_size=65, max_size=65)),
    st.builds(ExecuteLifecycleCall, words, words, digests, st.lists(words, max_size=4).map(tuple)),
    st.builds(CancelCall, words),
    st.just(LeaveCall()),
)
events = st.one_of(
    st.builds(OrganisationAdmitted, words, words, digests),
    st.builds(ThresholdSet, words),
    st.builds(GovernanceSet, words, words, words),
    st.builds(ProposalMade, words, actors, changes),
    st.builds(VoteCast, words, actors),
    st.builds(ProposalExecuted, words, actors),
    st.builds(ProposalCancelled, words, actors),
    st.builds(OrganisationRemoved, words, actors),
    st.builds(RolesSet, words, words),
    st.builds(KeyAdded, words, addresses, words, words),
    st.builds(KeyRevoked, words, addresses, words),
    st.builds(LifecycleAdmitted, words, digests, words, digests, st.lists(words, max_size=4).map(tuple)),
    st.builds(Registered, digests, digests, actors, words, words, words, digests, inputs),
    st.builds(Acted, digests, digests, actors, words, words, words, digests, inputs),
    st.builds(ActedApproved, digests, digests, actors, words, words, words, digests, inputs, approvals),
    st.builds(Approved, digests, digests, actors, words, words, digests),
    st.builds(Anchored, actors, digests, words, words),
    st.builds(Refused, digests, actors, words, words),
)


def independently(call: ContractCall) -> bytes:
    """The same call data by eth_abi and the compiled ABI."""
    match call:
        case AddKeyCall():
            signed = _three(call.consent)
            return _encoded("add_key", ("0x" + call.key.hex(), call.scope, call.expires, *signed))
        case RevokeKeyCall():
            return _encoded("revoke_key", ("0x" + call.key.hex(), call.compromised_since))
        case ApproveCall():
            words = (call.artefact, call.action, call.sequence, call.subject, call.record)
            return _encoded("approve", words)
        case ProposeCall():
            return _encoded("propose", _five(call.change))
        case ExecuteCall():
            return _encoded("execute", (call.number, *_five(call.change), *_three(call.consent)))
        case ExecuteLifecycleCall():
            words = (call.number, call.properties, call.document, call.rules)
            return _encoded("execute_lifecycle", words)
        case VoteCall():
            return _encoded("vote", (call.number,))
        case CancelCall():
            return _encoded("cancel", (call.number,))
        case LeaveCall():
            return _encoded("leave", ())
    rows = [
        (
            *(s.artefact, s.lifecycle, s.action, s.sequence, s.record, s.subject),
            len(s.inputs) + 256 * len(s.approvals),
        )
        for s in call.steps
    ]
    relied = [(each.actor.word, each.record) for step in call.steps for each in step.approvals]
    every = [(entry.artefact, entry.sequence) for step in call.steps for entry in step.inputs]
    return _encoded("batch", ([(anchor.root, anchor.count) for anchor in call.anchors], rows, every, relied))


def _three(signature: bytes) -> tuple[int, int, int]:
    r, s, v = signature[:32], signature[32:64], signature[64]
    return v, int.from_bytes(r, "big"), int.from_bytes(s, "big")


def _five(change: Change) -> tuple[object, ...]:
    return change.kind, change.organisation, change.setting, "0x" + change.key.hex(), change.profile


def _encoded(name: str, arguments: tuple[object, ...]) -> bytes:
    compiled = json.loads(COMPILED.read_text())["abi"]
    (entry,) = [each for each in compiled if each.get("name") == name and each["type"] == "function"]
    full = signature(entry)
    types = _top_level(full[len(name) + 1 : -1]) if arguments else []
    return selector(full) + encode(types, arguments)


def _top_level(types: str) -> list[str]:
    """Split at the commas outside brackets."""
    parts, depth = [""], 0
    for character in types:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


@given(calls)
def test_a_call_is_encoded_as_another_library_does_and_read_back(call: ContractCall) -> None:
    data = encode_call(call)
    assert data == independently(call)
    assert decode_call(data) == call


@given(events)
def test_an_event_survives_its_log(event: Event) -> None:
    topics, data = encode_event(event)
    assert topics[0] == keccak256(SIGNATURES[type(event)].encode())
    assert decode_event(topics, data) == event


@given(events.map(encode_event), st.data())
def test_a_log_that_differs_in_one_bit_is_another_event_or_none(
    log: tuple[tuple[bytes, ...], bytes], data: st.DataObject
) -> None:
    """No two logs read as the same event: whoever forges one cannot hide behind a lenient reader."""
    topics, content = log
    whole = b"".join(topics) + content
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    forged = [bytes(changed[32 * i : 32 * i + 32]) for i in range(len(topics))]
    try:
        read = decode_event(forged, bytes(changed[32 * len(topics) :]))
    except LedgerProblem:
        return
    assert read != decode_event(topics, content)


@given(events.map(encode_event), st.binary(min_size=1, max_size=40))
def test_a_log_with_bytes_or_topics_to_spare_is_refused(
    log: tuple[tuple[bytes, ...], bytes], extra: bytes
) -> None:
    topics, data = log
    for wrong in (
        (topics, data + extra),
        (topics, data[: -len(extra)] if data else extra),
        ((*topics, word(0)), data),
        (topics[:-1], data),
    ):
        with pytest.raises(LedgerProblem):
            decode_event(*wrong)


def test_a_log_of_somebody_elses_event_is_refused() -> None:
    for topics in ((), (keccak256(b"Transfer(address,address,uint256)"),)):
        with pytest.raises(LedgerProblem, match="does not know"):
            decode_event(topics, b"")


def test_an_array_that_starts_somewhere_else_is_refused() -> None:
    """The usual readers follow the offset; then two different logs say the same."""
    event = Registered(fresh(), fresh(), Actor(1, bytes(20)), 1, 1, 1, fresh(), (Input(fresh(), 1),))
    topics, data = encode_event(event)
    moved = data[:128] + word(192) + bytes(32) + data[160:]
    with pytest.raises(LedgerProblem, match="canonical"):
        decode_event(topics, moved)


@pytest.mark.parametrize("offset", [0, 2**255, 2**256 - 32])
@pytest.mark.parametrize("length", [2**255, 2**256 - 1, 10**6])
def test_an_absurd_offset_or_length_costs_nothing(offset: int, length: int) -> None:
    event = Registered(fresh(), fresh(), Actor(1, bytes(20)), 1, 1, 1, fresh())
    topics, data = encode_event(event)
    for content in (data[:128] + word(offset) + data[160:], data[:160] + word(length)):
        with pytest.raises(LedgerProblem):
            decode_event(topics, content)


@given(calls.map(encode_call), st.data())
def test_call_data_that_is_not_canonical_is_refused(data: bytes, draw: st.DataObject) -> None:
    with pytest.raises(LedgerProblem):
        decode_call(data + draw.draw(st.binary(min_size=1, max_size=64)))
    with pytest.raises(LedgerProblem):
        decode_call(data[: draw.draw(st.integers(0, len(data) - 1))])


@given(st.binary(max_size=200))
def test_no_bytes_make_the_readers_stumble(data: bytes) -> None:
    for start in (b"", batches.BATCH, abi.ADD_KEY, abi.REVOKE_KEY):
        with pytest.raises(LedgerProblem):
            decode_call(start + data)
    for topic in abi.TOPICS:
        with pytest.raises(LedgerProblem):
            decode_event([topic, data[:32].ljust(32, b"\0")], data)
    assert decode_refusal(data) is None


def test_inputs_that_do_not_add_up_are_refused_when_read() -> None:
    step = StepCall(fresh(), 1, 1, 1, fresh(), fresh(), (Input(fresh(), 1),))
    data = bytearray(encode_call(BatchCall(steps=(step,))))
    at = data.index(word(1) + step.record) + 32 * 3
    assert data[at : at + 32] == word(1)
    for count in (0, 2, 2**255):
        data[at : at + 32] = word(count)
        with pytest.raises(LedgerProblem):
            decode_call(bytes(data))


@pytest.mark.parametrize("length", [0, 64, 66])
def test_a_consent_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(RecordInvalid, match="65 bytes"):
        encode_call(AddKeyCall(bytes(20), 7, 0, bytes(length)))


def test_only_the_contracts_own_error_carries_a_reason() -> None:
    for reason in Reason:
        assert decode_refusal(abi.REFUSED_ERROR + word(reason)) is reason
    for data in (
        b"",
        abi.REFUSED_ERROR,
        abi.REFUSED_ERROR + word(0),
        abi.REFUSED_ERROR + word(200),
        abi.REFUSED_ERROR + word(1) + b"\0",
        selector("Error(string)") + word(1),
    ):
        assert decode_refusal(data) is None


def test_constructor_arguments_are_encoded_as_another_library_does() -> None:
    founders = [("0x" + each.key.hex(), each.roles, each.profile) for each in FOUNDERS]
    rows = [(table.properties, table.document, len(table.rules)) for table in TABLES]
    rules = [rule.word for table in TABLES for rule in table.rules]
    types = [
        "(address,uint256,bytes32)[]",
        "(uint256,uint256,uint256,uint256)",
        "(uint256,bytes32,uint256)[]",
        "uint256[]",
    ]
    expected = encode(types, (founders, (3, 4, 5, 6), rows, rules))
    assert deployment(b"code", FOUNDERS, Governance(3, 4, 5, 6), TABLES) == b"code" + expected
