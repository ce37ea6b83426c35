"""Batching: which intents go into one transaction, the call they make, and how a block tells of each."""

from __future__ import annotations

import itertools

from proml.contracts.batches import MAX_ANCHORS, MAX_BATCH_APPROVALS, MAX_BATCH_INPUTS, MAX_STEPS
from proml.core.call import AnchorCall, BatchCall, ContractCall, StepCall
from proml.core.chronicle import Chronicle
from proml.core.digest import hexed, unhexed
from proml.core.event import Acted, Anchored, Placed, Refused, Registered
from proml.core.refusal import Reason
from proml.errors import LedgerProblem
from proml.interfaces import Receipt
from proml.ledger.evm import gas_bound, gas_of_item
from proml.node.outbox import DONE, REFUSED, Intent
from proml.node.sealing import read_anchor, read_step
from proml.node.single_calls import is_lot, name_in, read_call

CALL, ANCHOR, STEP = "call", "anchor", "step"


def next_call(waiting: list[Intent], gas: int) -> tuple[list[Intent], ContractCall]:
    """The next transaction's intents, in their order of items, and its call.

    A single call goes alone; the rest go together, anchors first, as many as the contract takes and as
    stay within `gas`; one goes in any case.
    """
    if waiting[0].what == CALL:
        return waiting[:1], read_call(waiting[0].call)
    anchors: list[tuple[Intent, AnchorCall]] = []
    steps: list[tuple[Intent, StepCall]] = []
    inputs, approvals, needed = 0, 0, gas_bound(BatchCall())
    for intent in itertools.takewhile(lambda intent: intent.what != CALL, waiting):
        item = _read(intent)
        needed += gas_of_item(item)
        if isinstance(item, StepCall):
            inputs, approvals = inputs + len(item.inputs), approvals + len(item.approvals)
        full = len(anchors) == MAX_ANCHORS if isinstance(item, AnchorCall) else len(steps) == MAX_STEPS
        full = full or inputs > MAX_BATCH_INPUTS or approvals > MAX_BATCH_APPROVALS
        if full or (needed > gas and (anchors or steps)):
            break
        if isinstance(item, AnchorCall):
            anchors.append((intent, item))
        else:
            steps.append((intent, item))
    call = BatchCall(tuple(anchor for _, anchor in anchors), tuple(step for _, step in steps))
    return [intent for intent, _ in [*anchors, *steps]], call


def call_of(intents: list[Intent]) -> ContractCall:
    """The call that a transaction with these intents makes; one with none does nothing."""
    if intents and intents[0].what == CALL:
        return read_call(intents[0].call)
    items = [_read(intent) for intent in sorted(intents, key=lambda intent: intent.item or 0)]
    return BatchCall(
        tuple(item for item in items if isinstance(item, AnchorCall)),
        tuple(item for item in items if isinstance(item, StepCall)),
    )


def _read(intent: Intent) -> AnchorCall | StepCall:
    return read_anchor(intent.call) if intent.what == ANCHOR else read_step(intent.call)


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
        if intent.what == CALL and is_lot(intent.call):
            found[intent.id] = DONE, None  # as a whole; its receipt tells of each step
        elif intent.item in refusals:
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
    """What tells an intent from every other: its record, its root, or what names its call."""
    if intent.what == STEP:
        return unhexed(intent.call["record"])
    return intent.artefact


def _name_in(placed: Placed) -> bytes | None:
    match placed.event:
        case Registered() | Acted():
            return placed.event.record
        case Anchored():
            return placed.event.root
        case _:
            return name_in(placed.event)


def _reason_text(number: int) -> str:
    try:
        reason = Reason(number)
    except ValueError:
        return f"reason {number}"
    return f"{reason.text}; {reason.hint}"
