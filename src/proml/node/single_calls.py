"""Calls that go in a transaction of their own: their JSON form, what names them, and what to call them.

Keys, decisions of the consortium and approvals are such calls; steps and anchors go in batches
(`batching.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, get_args

from proml.core.call import (
    AddKeyCall,
    ApproveCall,
    CancelCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    GovernanceCall,
    KeyCall,
    LeaveCall,
    ProposeCall,
    RevokeKeyCall,
    VoteCall,
)
from proml.core.digest import ZERO, hexed, word
from proml.core.event import (
    Approved,
    Event,
    KeyAdded,
    KeyRevoked,
    OrganisationRemoved,
    ProposalCancelled,
    ProposalExecuted,
    ProposalMade,
    VoteCast,
)
from proml.core.proposal import Change

SingleCall = KeyCall | GovernanceCall | ApproveCall
_CLASSES = {each.__name__: each for each in get_args(SingleCall)}


def call_document(call: SingleCall) -> dict[str, Any]:
    """The JSON form of a call, as an intent keeps it: its class and its fields, bytes as 0x digits."""
    return {"call": type(call).__name__} | {
        field.name: _plain(getattr(call, field.name)) for field in fields(call)
    }


def read_call(document: Mapping[str, Any]) -> SingleCall:
    """The call behind its JSON form."""
    content = {name: _read(value) for name, value in document.items() if name != "call"}
    call: SingleCall = _CLASSES[document["call"]](**content)
    return call


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return hexed(value)
        case tuple():
            return list(value)
        case Change():
            return {name: _plain(each) for name, each in asdict(value).items()}
    return value


def _read(value: Any) -> Any:
    match value:
        case str():
            return bytes.fromhex(value.removeprefix("0x"))
        case list():
            return tuple(value)
        case dict():
            return Change(**{name: _read(each) for name, each in value.items()})
    return value


def name_of_call(call: SingleCall) -> bytes:
    """32 bytes that the event of an accepted call tells, too."""
    match call:
        case AddKeyCall() | RevokeKeyCall():
            return _padded(call.key)
        case ApproveCall():
            return call.record
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


def label_of(call: SingleCall) -> str:
    """What the call is to do, as one says it to people after `to`."""
    match call:
        case AddKeyCall():
            return f"add the key {hexed(call.key)}"
        case RevokeKeyCall():
            return f"revoke the key {hexed(call.key)}"
        case ApproveCall():
            return f"approve step {call.sequence} of {hexed(call.artefact)[:12]}"
        case ProposeCall():
            return "propose a change"
        case VoteCall():
            return f"vote for proposal {call.number}"
        case ExecuteCall() | ExecuteLifecycleCall():
            return f"execute proposal {call.number}"
        case CancelCall():
            return f"cancel proposal {call.number}"
        case LeaveCall():
            return "leave the consortium"
