"""Batching: which intents go into one transaction, the call they make, and how a block tells of each."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from proml.contracts.abi import MAX_ANCHORS, MAX_BATCH_INPUTS, MAX_STEPS
from proml.contracts.forms import SIGNATURE_BYTES
from proml.core.call import AddKeyCall, AnchorCall, BatchCall, ContractCall, RevokeKeyCall, StepCall
from proml.core.chronicle import Chronicle
from proml.core.digest import hexed, unhexed
from proml.core.event import Acted, Anchored, KeyAdded, KeyRevoked, Placed, Refused, Registered
from proml.core.refusal import Reason
from proml.errors import LedgerProblem
from proml.interfaces import Receipt
from proml.node.outbox import DONE, REFUSED, Intent
from proml.node.sealing import read_anchor, read_step

KEY, ANCHOR, STEP = "key", "anchor", "step"


def next_call(waiting: list[Intent]) -> tuple[list[Intent], ContractCall]:
    """The next transaction's intents, in their order of items, and its call.

    A call about keys goes alone; the rest go together, anchors first, as many as the contract takes.
    """
    if waiting[0].what == KEY:
        return waiting[:1], read_key_call(waiting[0].call)
    anchors: list[tuple[Intent, AnchorCall]] = []
    steps: list[tuple[Intent, StepCall]] = []
    inputs = 0
    for intent in itertools.takewhile(lambda intent: intent.what != KEY, waiting):
        if intent.what == ANCHOR:
            if len(anchors) == MAX_ANCHORS:
                break
            anchors.append((intent, read_anchor(intent.call)))
        else:
            step = read_step(intent.call)
            inputs += len(step.inputs)
            if inputs > MAX_BATCH_INPUTS or len(steps) == MAX_STEPS:
                break
            steps.append((intent, step))
    call = BatchCall(tuple(anchor for _, anchor in anchors), tuple(step for _, step in steps))
    return [intent for intent, _ in [*anchors, *steps]], call


def outcomes(intents: list[Intent], receipt: Receipt) -> dict[int, tuple[str, str | None]]:
    """State and reason of each intent of a final transaction, by its number.

    Raises:
        LedgerProblem: when the receipt says nothing of one of them: no such receipt can be, so it is not
            believed.
    """
    if not receipt.succeeded:
        reason = _reason_text(receipt.reason) if receipt.reason else "the transaction failed as a whole"
        return {intent.id: (REFUSED, reason) for intent in intents}
    refusals = {p.event.item: p.event.reason for p in receipt.events if isinstance(p.event, Refused)}
    accepted = {_name_in(placed) for placed in receipt.events}
    found: dict[int, tuple[str, str | None]] = {}
    for intent in intents:
        if intent.item in refusals:
            found[intent.id] = REFUSED, _reason_text(refusals[intent.item])
        elif name_of(intent) in accepted:
            found[intent.id] = DONE, None
        else:
            raise LedgerProblem(
                f"the receipt of transaction {hexed(receipt.transaction)} says nothing of {intent.label!r}",
                "nothing is lost; ask another node of this chain",
            )
    return found


def is_on(intent: Intent, chronicle: Chronicle, organisation: int) -> bool:
    """Whether the step or anchor that an intent asks for is on the ledger."""
    if intent.what == ANCHOR:
        return chronicle.anchor(name_of(intent), organisation) is not None
    return is_on_step(intent, chronicle)


def is_on_step(intent: Intent, chronicle: Chronicle) -> bool:
    """Whether the very step that an intent asks for is on the ledger."""
    return intent.what == STEP and chronicle.with_record(name_of(intent)) is not None


def name_of(intent: Intent) -> bytes:
    """What tells an intent from every other: its record, its root, or its key."""
    if intent.what == STEP:
        return unhexed(intent.call["record"])
    return intent.artefact


def _name_in(placed: Placed) -> bytes:
    match placed.event:
        case Registered() | Acted():
            return placed.event.record
        case Anchored():
            return placed.event.root
        case KeyAdded() | KeyRevoked():
            return name_of_key(placed.event.key)
    return b""


def name_of_key(key: bytes) -> bytes:
    """A key's 20-byte address as the 32 bytes an intent is named by."""
    return bytes(12) + key


def key_document(call: AddKeyCall | RevokeKeyCall) -> dict[str, Any]:
    """The JSON form of a call about keys, as an intent keeps it."""
    if isinstance(call, RevokeKeyCall):
        return {"revoke": hexed(call.key), "since": call.compromised_since}
    return {
        "add": hexed(call.key),
        "scope": call.scope,
        "expires": call.expires,
        "consent": hexed(call.consent),
    }


def read_key_call(document: Mapping[str, Any]) -> AddKeyCall | RevokeKeyCall:
    """The call about keys behind its JSON form."""
    if "revoke" in document:
        return RevokeKeyCall(unhexed(document["revoke"], 20), document["since"])
    consent = unhexed(document["consent"], SIGNATURE_BYTES)
    return AddKeyCall(unhexed(document["add"], 20), document["scope"], document["expires"], consent)


def _reason_text(number: int) -> str:
    try:
        reason = Reason(number)
    except ValueError:
        return f"reason {number}"
    return f"{reason.text}; {reason.hint}"
