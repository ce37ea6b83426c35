"""Delegating: a key signs, and another node takes it to the ledger and pays.

    file = sign_waiting(laptop, hours=24)           # the laptop's key, which has no coins
    Path("steps.json").write_bytes(file.written())
    for each in relay(node, read_signed_file(Path("steps.json"))):
        print(each.what, each.outcome, each.reason)

A signature is good for one step of one artefact, at one sequence, on one ledger, until a deadline, and once.
Who relays can hold it back, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from proml.contracts.batches import MAX_BATCH_APPROVALS, MAX_SIGNED_INPUTS, MAX_SIGNED_STEPS
from proml.contracts.typed import sign_step
from proml.core.call import ApproveForCall, BatchForCall, Call, SignedStep
from proml.core.chronicle import Chronicle
from proml.core.digest import ZERO, hexed
from proml.core.event import Refused
from proml.core.refusal import Reason
from proml.errors import LedgerProblem, StepRefused, UsageProblem
from proml.interfaces import Terms
from proml.ledger.flaws import flaws_of
from proml.node.batching import STEP
from proml.node.foresight import caller_now
from proml.node.outbox import Intent
from proml.node.participant import Participant
from proml.node.sealing import read_step
from proml.node.signed_file import SignedFile

DONE, REFUSED, KNOWN = "done", "refused", "known"
MOST_HOURS = 24 * 365


@dataclass(frozen=True, slots=True)
class Relayed:
    """What became of one step or approval.

    Attributes:
        what: in words.
        artefact: id of the artefact, or the salt of one to be registered, 32 bytes.
        signer: whose key signed, 20 bytes.
        outcome: done, refused (nothing happened), or known (it had happened before).
        reason: why it was refused, empty otherwise.
    """

    what: str
    artefact: bytes
    signer: bytes
    outcome: str
    reason: str = ""


def deadline_in(hours: float) -> int:
    """The second since 1970 that is so many hours from now.

    Raises:
        UsageProblem: unless it is in the future, and within a year.
    """
    if not 0 < hours <= MOST_HOURS:
        raise UsageProblem(f"{hours:g} hours is no deadline", f"it is more than 0, and up to {MOST_HOURS}")
    return int(time.time() + 3600 * hours)


def sign_waiting(
    me: Participant, hours: float = 24, told: Callable[[Intent], None] = lambda _: None
) -> SignedFile:
    """Seal what is in the journal, and sign every step that waits, for others to send.

    The steps go on waiting here until they are seen on the ledger; signing again signs those that are not.
    Anchors of observations are not among them: they need a `push` of one's own. `told` hears of what is
    settled meanwhile: seen on the ledger, out of turn, or impossible to seal.

    Raises:
        UsageProblem: for a deadline that makes no sense.
        LedgerProblem, KeyProblem: when the ledger is away, or the key may not write to it.
    """
    deadline, terms = deadline_in(hours), me.ledger.terms
    steps = [read_step(intent.call) for intent in me.seal(told) if intent.what == STEP]
    signed = tuple(sign_step(me.signer, terms, step, deadline) for step in steps)
    return SignedFile(terms.chain_id, terms.contract, signed)


def relay(me: Participant, file: SignedFile) -> list[Relayed]:
    """Take signed steps and approvals to the ledger, with our key and at our cost.

    What the ledger would refuse is not sent: a wrong signature, a deadline that passed, a step out of turn.
    Relaying the same file again does nothing twice.

    Raises:
        ConfigInvalid: when it was signed for another ledger.
        LedgerProblem, KeyProblem, Busy: as `Participant.make`.
    """
    terms = me.ledger.terms
    file.check(terms)
    told = [_relay_approval(me, each) for each in file.approvals]
    chronicle, caller = me.chronicle(), caller_now(me.ledger, me.address)
    ends = [_foreseen(terms, chronicle, caller, each) for each in file.steps]
    for lot in _lots([number for number, (outcome, _) in enumerate(ends) if outcome == DONE], file.steps):
        for item, reason in _sent(me, [file.steps[number] for number in lot]):
            ends[lot[item]] = REFUSED, reason
    return told + [_told(signed, *end) for signed, end in zip(file.steps, ends, strict=True)]


def _relay_approval(me: Participant, call: ApproveForCall) -> Relayed:
    outcome, reason = DONE, ""
    try:
        me.make(call)
    except StepRefused as refused:
        known = refused.reason == Reason.APPROVED_ALREADY.text
        outcome, reason = (KNOWN, "") if known else (REFUSED, refused.reason)
    what = f"approval of step {call.asked.sequence} of {hexed(call.asked.artefact)[:12]}"
    return Relayed(what, call.asked.artefact, call.by.signer, outcome, reason)


def _foreseen(terms: Terms, chronicle: Chronicle, caller: Call, signed: SignedStep) -> tuple[str, str]:
    """How a step would end after those that were foreseen before it, and why."""
    if chronicle.with_record(signed.step.record) is not None:
        return KNOWN, ""
    flaws = flaws_of(terms, BatchForCall((signed,)))
    ended = chronicle.shared.batch_for(caller, (signed,), flaws)
    if isinstance(ended, Reason):
        return REFUSED, ended.text
    event = ended[0]
    return (REFUSED, _text(event.reason)) if isinstance(event, Refused) else (DONE, "")


def _lots(numbers: Iterable[int], steps: tuple[SignedStep, ...]) -> Iterator[list[int]]:
    """The numbers of steps, as many together as one transaction takes."""
    lot: list[int] = []
    inputs = approvals = 0
    for number in numbers:
        step = steps[number].step
        inputs, approvals = inputs + len(step.inputs), approvals + len(step.approvals)
        full = len(lot) == MAX_SIGNED_STEPS or inputs > MAX_SIGNED_INPUTS or approvals > MAX_BATCH_APPROVALS
        if lot and full:
            yield lot
            lot, inputs, approvals = [], len(step.inputs), len(step.approvals)
        lot.append(number)
    if lot:
        yield lot


def _sent(me: Participant, lot: list[SignedStep]) -> Iterator[tuple[int, str]]:
    """Send a lot; the items that were refused all the same, and why."""
    intent = me.make(BatchForCall(tuple(lot)))
    receipt = me.ledger.receipt(intent.tx or ZERO)
    if receipt is None:
        raise LedgerProblem(
            f"the receipt of transaction {hexed(intent.tx or ZERO)} is gone", "relay it again"
        )
    for placed in receipt.events:
        if isinstance(placed.event, Refused):
            yield placed.event.item, _text(placed.event.reason)


def _text(number: int) -> str:
    return Reason(number).text if number in Reason.__members__.values() else f"reason {number}"


def _told(signed: SignedStep, outcome: str, reason: str) -> Relayed:
    step = signed.step
    what = "registration" if step.lifecycle else f"step {step.sequence}"
    return Relayed(f"{what} of {hexed(step.artefact)[:12]}", step.artefact, signed.by.signer, outcome, reason)
