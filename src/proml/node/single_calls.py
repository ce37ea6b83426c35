"""Calls that go in a transaction of their own: their JSON form, what names them, and what to call them.

Keys, decisions of the consortium and approvals are such calls; steps and anchors go in batches
(`batching.py`), those that others signed in lots of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from proml.core.call import (
    AddKeyCall,
    ApproveCall,
    ApproveForCall,
    BatchForCall,
    CancelCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    GovernanceCall,
    KeyCall,
    LeaveCall,
    ProposeCall,
    RevokeKeyCall,
    Signed,
    SignedStep,
    StepCall,
    VoteCall,
)
from proml.core.consortium import Actor
from proml.core.digest import ZERO, hexed, word
from proml.core.event import (
    Approval,
    Approved,
    Event,
    Input,
    KeyAdded,
    KeyRevoked,
    OrganisationRemoved,
    ProposalCancelled,
    ProposalExecuted,
    ProposalMade,
    VoteCast,
)
from proml.core.proposal import Change

SingleCall = KeyCall | GovernanceCall | ApproveCall | ApproveForCall | BatchForCall
_CLASSES: dict[str, type[Any]] = {
    each.__name__: each
    for each in (*get_args(SingleCall), Change, Signed, SignedStep, StepCall, Input, Approval, Actor)
}
_CLASS = "call"


def call_document(call: SingleCall) -> dict[str, Any]:
    """The JSON form of a call, as an intent keeps it: its class and its fields, bytes as 0x digits."""
    document: dict[str, Any] = _plain(call)
    return document


def read_call(document: Mapping[str, Any]) -> SingleCall:
    """The call behind its JSON form."""
    call: SingleCall = _read(dict(document))
    return call


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return hexed(value)
        case tuple():
            return [_plain(each) for each in value]
        case int():
            return value
    names = (field.name for field in fields(value))
    return {_CLASS: type(value).__name__} | {name: _plain(getattr(value, name)) for name in names}


def _read(value: Any) -> Any:
    match value:
        case str():
            return bytes.fromhex(value.removeprefix("0x"))
        case list():
            return tuple(_read(each) for each in value)
        case dict():
            made = _CLASSES[value[_CLASS]]
            return made(**{name: _read(each) for name, each in value.items() if name != _CLASS})
    return value


def is_lot(document: Mapping[str, Any]) -> bool:
    """Whether a call carries steps of several signers, of which each may be refused by itself."""
    return document.get(_CLASS) == BatchForCall.__name__


def name_of_call(call: SingleCall) -> bytes:
    """32 bytes that the event of an accepted call tells, too."""
    match call:
        case AddKeyCall() | RevokeKeyCall():
            return _padded(call.key)
        case ApproveCall():
            return call.record
        case ApproveForCall():
            return call.asked.record
        case BatchForCall():
            return call.steps[0].step.record
        case ProposeCall():
            return call.change.digest
        case VoteCall() | ExecuteCall() | ExecuteLifecycleCall() | CancelCall():
            return word(call.number)
        case LeaveCall():
            return ZERO


def name_in(event: Event) -> bytes | None:
    """What names the call behind an event; None where it was none of these calls."""
    match event:
        case KeyAdded() | KeyRevoked():
            return _padded(event.key)
        case Approved():
            return event.record
        case ProposalMade():
            return event.change.digest
        case VoteCast() | ProposalExecuted() | ProposalCancelled():
            return word(event.number)
        case OrganisationRemoved():
            return ZERO
    return None


def _padded(key: bytes) -> bytes:
    return bytes(12) + key


_VERBS: dict[type[SingleCall], str] = {
    VoteCall: "vote for",
    CancelCall: "cancel",
    ExecuteCall: "execute",
    ExecuteLifecycleCall: "execute",
}


def label_of(call: SingleCall) -> str:
    """What the call is to do, as one says it to people after `to`."""
    match call:
        case AddKeyCall():
            return f"add the key {hexed(call.key)}"
        case RevokeKeyCall():
            return f"revoke the key {hexed(call.key)}"
        case ApproveCall():
            return f"approve step {call.sequence} of {hexed(call.artefact)[:12]}"
        case ApproveForCall():
            return f"relay an approval by {hexed(call.by.signer)}"
        case BatchForCall():
            return f"relay {len(call.steps)} step(s)"
        case ProposeCall():
            return "propose a change"
        case VoteCall() | CancelCall() | ExecuteCall() | ExecuteLifecycleCall():
            return f"{_VERBS[type(call)]} proposal {call.number}"
        case LeaveCall():
            return "leave the consortium"
