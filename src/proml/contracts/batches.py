"""Calls that carry steps as bytes, and back: a batch of one's own, and steps that others signed.

The inputs and approvals of all steps stand in flat arrays behind them; each step says how many are its own.
Everything else of the ABI is in abi.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from proml.contracts.forms import (
    APPROVALS,
    INPUTS,
    SIGNED,
    Form,
    Row,
    arrays,
    read,
    selector,
    write_approvals,
    write_inputs,
)
from proml.core.call import (
    ActForCall,
    AnchorCall,
    BatchCall,
    BatchForCall,
    SignedStep,
    StepCall,
)
from proml.core.digest import word
from proml.core.event import Approval, Input
from proml.core.lifecycle import MAX_APPROVALS, MAX_INPUTS
from proml.errors import LedgerProblem, RecordInvalid

MAX_ANCHORS = 32
MAX_STEPS = 64
MAX_BATCH_INPUTS = 128
MAX_BATCH_APPROVALS = 32
MAX_SIGNED_STEPS = 50
MAX_SIGNED_INPUTS = 64
MAX_LIFECYCLE = 2**16 - 1
# What fits the uint8 of a step; lifecycles use less of it (core.lifecycle.MAX_ACTIONS).
MAX_ACTION_WORD = 255

_STEP = "(bytes32,uint16,uint8,uint256,bytes32,bytes32,uint256)"
_SIGNED_STEP = (
    "(bytes32,uint256,uint256,uint256,bytes32,bytes32,uint256,uint256,uint256,uint256,uint256,uint256)"
)
_BEHIND = "(bytes32,uint256)[],(uint256,bytes32)[]"
BATCH = selector(f"batch((bytes32,uint256)[],{_STEP}[],{_BEHIND})")
ACT_FOR = selector(f"act_for({_SIGNED_STEP},{_BEHIND})")
BATCH_FOR = selector(f"batch_for({_SIGNED_STEP}[],{_BEHIND})")

_WORDS_OF_A_STEP = 7
_WORDS_OF_A_SIGNED_STEP = _WORDS_OF_A_STEP + len(SIGNED.types)
_ANCHOR_ROWS = Form(("bytes32", "uint256"), list, list, is_array=True)
_STEP_ROWS = Form(("uint256",) * _WORDS_OF_A_STEP, list, list, is_array=True)
_SIGNED_ROW = Form(("uint256",) * _WORDS_OF_A_SIGNED_STEP, list, list)
_SIGNED_ROWS = Form(_SIGNED_ROW.types, list, list, is_array=True)

StepsCall = BatchCall | ActForCall | BatchForCall


def encode_steps(call: StepsCall) -> bytes:
    """The transaction data of a call with steps.

    Raises:
        RecordInvalid: when it exceeds what the contract takes at once, a number does not fit its
            place, or a signature is not 65 bytes.
    """
    match call:
        case BatchCall():
            _check(call.steps, MAX_STEPS, MAX_BATCH_INPUTS, len(call.anchors))
            anchors = [(anchor.root, anchor.count) for anchor in call.anchors]
            rows = [_row(step) for step in call.steps]
            return BATCH + arrays([], anchors, rows, *_behind(call.steps))
        case ActForCall():
            _check((call.signed.step,), 1, MAX_INPUTS)
            return ACT_FOR + arrays(_signed_row(call.signed), *_behind((call.signed.step,)))
        case BatchForCall():
            steps = [signed.step for signed in call.steps]
            _check(steps, MAX_SIGNED_STEPS, MAX_SIGNED_INPUTS)
            return BATCH_FOR + arrays([], [_signed_row(signed) for signed in call.steps], *_behind(steps))


def _check(steps: Sequence[StepCall], most: int, inputs: int, anchors: int = 0) -> None:
    if any(len(step.approvals) > MAX_APPROVALS for step in steps) or (
        sum(len(step.approvals) for step in steps) > MAX_BATCH_APPROVALS
    ):
        raise RecordInvalid(
            f"a step names {MAX_APPROVALS} approvals at most, a batch {MAX_BATCH_APPROVALS} in all"
        )
    if anchors > MAX_ANCHORS or len(steps) > most or sum(len(step.inputs) for step in steps) > inputs:
        raise RecordInvalid(f"a batch takes {MAX_ANCHORS} anchors, {most} steps and {inputs} inputs at most")
    for step in steps:
        if len(step.inputs) > MAX_INPUTS or step.action > MAX_ACTION_WORD or step.lifecycle > MAX_LIFECYCLE:
            raise RecordInvalid(
                f"a step takes {MAX_INPUTS} inputs, actions <= {MAX_ACTION_WORD}, "
                f"lifecycles <= {MAX_LIFECYCLE}"
            )


def _row(step: StepCall) -> Row:
    where = step.artefact, step.lifecycle, step.action, step.sequence
    return *where, step.record, step.subject, counts(step)


def _signed_row(signed: SignedStep) -> Row:
    return *_row(signed.step), *SIGNED.write(signed.by)


def _behind(steps: Iterable[StepCall]) -> tuple[list[Row], list[Row]]:
    inputs = [row for step in steps for row in write_inputs(step.inputs)]
    return inputs, [row for step in steps for row in write_approvals(step.approvals)]


def counts(step: StepCall) -> int:
    """How many inputs of a batch are a step's, and 256 times how many of its approvals."""
    return len(step.inputs) | len(step.approvals) << 8


def decode_steps(data: bytes) -> StepsCall | None:
    """The call with steps behind transaction data, which need not be canonical; None for another call.

    Raises:
        LedgerProblem: when it ends too early, or its inputs do not add up.
    """
    content = data[4:]
    if data[:4] == BATCH:
        anchors, rows, *behind = read((_ANCHOR_ROWS, _STEP_ROWS, INPUTS, APPROVALS), content, "call data")
        made = tuple(AnchorCall(word(root), count) for root, count in anchors)
        return BatchCall(made, tuple(_steps(rows, *behind)))
    if data[:4] == ACT_FOR:
        row, *behind = read((_SIGNED_ROW, INPUTS, APPROVALS), content, "call data")
        (signed,) = _signed_steps([row], *behind)
        return ActForCall(signed)
    if data[:4] == BATCH_FOR:
        rows, *behind = read((_SIGNED_ROWS, INPUTS, APPROVALS), content, "call data")
        return BatchForCall(tuple(_signed_steps(rows, *behind)))
    return None


def _steps(
    rows: Iterable[Sequence[int]], inputs: tuple[Input, ...], approvals: tuple[Approval, ...]
) -> list[StepCall]:
    taken = relied = 0
    made = []
    for artefact, lifecycle, action, sequence, record, subject, count in rows:
        own = inputs[taken : taken + (count & 255)], approvals[relied : relied + (count >> 8)]
        taken, relied = taken + (count & 255), relied + (count >> 8)
        made.append(StepCall(word(artefact), lifecycle, action, sequence, word(record), word(subject), *own))
    if taken != len(inputs) or relied != len(approvals):
        raise LedgerProblem("the inputs of a batch do not add up")
    return made


def _signed_steps(
    rows: Sequence[Sequence[int]], inputs: tuple[Input, ...], approvals: tuple[Approval, ...]
) -> list[SignedStep]:
    steps = _steps([row[:_WORDS_OF_A_STEP] for row in rows], inputs, approvals)
    by = [SIGNED.read(row[_WORDS_OF_A_STEP:]) for row in rows]
    return [SignedStep(step, signed) for step, signed in zip(steps, by, strict=True)]
