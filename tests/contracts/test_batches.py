"""A batch: its order, its items' numbers, its caps, and when it is refused as a whole."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from proml.contracts.abi import encode_call
from proml.contracts.batches import BATCH
from proml.contracts.forms import arrays
from proml.core.call import AnchorCall, BatchCall, Call, StepCall
from proml.core.digest import ZERO
from proml.core.event import Acted, Anchored, Input, Refused, Registered, next_anchor_head
from proml.core.refusal import Reason
from proml.errors import RecordInvalid
from tests.contracts.cast import (
    DATA,
    DEVELOPER,
    GUEST,
    NUMBERS,
    ORGANISATION,
    STRANGER,
    act,
    fresh,
    register,
)
from tests.contracts.deployed import Reverted, place
from tests.contracts.side_by_side import SideBySide
from tests.contracts.stories import approved

Row = tuple[int | bytes, ...]


def rows(steps: tuple[StepCall, ...]) -> list[Row]:
    return [
        (s.artefact, s.lifecycle, s.action, s.sequence, s.record, s.subject, len(s.inputs)) for s in steps
    ]


def batch(anchors: list[Row], steps: list[Row], inputs: list[Row], approvals: Sequence[Row] = ()) -> bytes:
    """Call data of a batch that the product's own encoder would refuse to make."""
    return BATCH + arrays([], anchors, steps, inputs, approvals)


def test_a_refused_item_is_named_and_the_rest_goes_on(side: SideBySide) -> None:
    start = register("run", "start")
    missing = act("run", "finish", side.make(DEVELOPER, register("run", "start")))
    events = side.call(
        DEVELOPER,
        BatchCall(
            anchors=(AnchorCall(ZERO, 3), AnchorCall(fresh(), 3)),
            steps=(start, start, replace(missing, record=ZERO), missing),
        ),
    )
    assert isinstance(events, list)
    assert [type(event) for event in events] == [Refused, Anchored, Registered, Refused, Refused, Acted]
    refused = [event for event in events if isinstance(event, Refused)]
    assert [(event.item, Reason(event.reason)) for event in refused] == [
        (0, Reason.EMPTY_ANCHOR),
        (3, Reason.EXISTS),
        (4, Reason.RECORD_MISSING),
    ]
    # A refusal names the id the step speaks of, or the root where it was an anchor.
    assert [event.artefact for event in refused] == [ZERO, events[2].artefact, missing.artefact]


def test_a_later_step_sees_what_an_earlier_one_did(side: SideBySide) -> None:
    start = register("run", "start")
    call = Call(DEVELOPER, side.contract.block)
    identity = side.history.id_of(call, start)
    finish = StepCall(identity, 0, 2, 2, fresh(), fresh())
    propose = register("model", "propose", [Input(identity, 2)])
    early, *rest = side.call(DEVELOPER, BatchCall(steps=(finish, start, finish, propose)))
    assert isinstance(early, Refused)
    assert [type(event) for event in rest] == [Registered, Acted, Registered]


def test_an_empty_batch_does_nothing(side: SideBySide) -> None:
    before = side.contract.storage()
    assert side.call(GUEST, BatchCall()) == []
    assert side.contract.storage() == before


def test_a_batch_of_a_stranger_is_refused_as_a_whole(side: SideBySide) -> None:
    assert side.call(STRANGER, BatchCall()) is Reason.UNKNOWN_KEY
    assert side.call(STRANGER, BatchCall((AnchorCall(fresh(), 1),), (register("run", "start"),))) is (
        Reason.UNKNOWN_KEY
    )


def test_anchors_are_numbered_and_chained_per_organisation(side: SideBySide) -> None:
    head = ZERO
    for number in range(1, 4):
        (event,) = side.single(DEVELOPER, AnchorCall(fresh(), number))
        assert isinstance(event, Anchored)
        assert event.number == number
        head = next_anchor_head(head, event)
    at = place(11, ORGANISATION[DEVELOPER])
    assert side.contract.slot(at) == int.from_bytes(head, "big")
    (event,) = side.single(DATA, AnchorCall(fresh(), 1))
    assert event.number == 1
    assert side.contract.slot(at) == int.from_bytes(head, "big")


def test_a_full_batch_fits(side: SideBySide) -> None:
    dataset = approved(side)
    anchors = tuple(AnchorCall(fresh(), 1) for _ in range(32))
    steps = tuple(register("run", "start", [dataset] * 2) for _ in range(64))
    events = side.call(DEVELOPER, BatchCall(anchors, steps))
    assert isinstance(events, list)
    assert [type(event) for event in events] == [Anchored] * 32 + [Registered] * 64


@pytest.mark.parametrize(("anchors", "steps", "inputs"), [(33, 0, 0), (0, 65, 0), (0, 64, 129)])
def test_a_batch_beyond_its_caps_is_refused_here_and_there(
    side: SideBySide, anchors: int, steps: int, inputs: int
) -> None:
    dataset = approved(side)
    before = side.contract.storage()
    least, extra = divmod(inputs, steps or 1)
    asked = BatchCall(
        tuple(AnchorCall(fresh(), 1) for _ in range(anchors)),
        tuple(register("run", "start", [dataset] * (least + (i < extra))) for i in range(steps)),
    )
    with pytest.raises(RecordInvalid, match="a batch takes 32 anchors, 64 steps and 128 inputs at most"):
        encode_call(asked)
    inputs_rows = [(entry.artefact, entry.sequence) for step in asked.steps for entry in step.inputs]
    data = batch([(a.root, a.count) for a in asked.anchors], rows(asked.steps), inputs_rows)
    assert side.contract.send(DEVELOPER, data) == Reverted(b"")
    assert side.contract.storage() == before


@pytest.mark.parametrize("claimed", [[0, 0], [2, 0], [1, 1], [3, 0], [0, 33], [2**255, 0], [2**256 - 1, 2]])
def test_inputs_that_do_not_add_up_refuse_the_whole_batch(side: SideBySide, claimed: list[int]) -> None:
    dataset = approved(side)
    steps = tuple(register("run", "start") for _ in claimed)
    inputs: list[Row] = [(dataset.artefact, 2)]
    made = [(*row[:6], count) for row, count in zip(rows(steps), claimed, strict=True)]
    before = side.contract.storage()
    assert side.contract.send(DEVELOPER, batch([(fresh(), 1)], made, inputs)) is Reason.INPUTS_UNBALANCED
    assert side.contract.storage() == before


def test_a_step_of_a_batch_with_more_than_32_inputs_is_unbalanced(side: SideBySide) -> None:
    dataset = approved(side)
    step = register("run", "start", [dataset] * 33)
    with pytest.raises(RecordInvalid, match="32 inputs"):
        encode_call(BatchCall(steps=(step,)))
    data = batch([], rows((step,)), [(dataset.artefact, 2)] * 33)
    before = side.contract.storage()
    assert side.contract.send(DEVELOPER, data) is Reason.INPUTS_UNBALANCED
    assert side.history.batch(Call(DEVELOPER, side.contract.block), [], [step]) is (Reason.INPUTS_UNBALANCED)
    assert side.contract.storage() == before


def test_steps_take_their_own_inputs_and_nobody_elses(side: SideBySide) -> None:
    one, two, three = (approved(side) for _ in range(3))
    asked = (
        register("run", "start", [one]),
        register("run", "start"),
        register("run", "start", [two, three]),
    )
    events = side.call(DEVELOPER, BatchCall(steps=asked))
    assert [event.inputs for event in events] == [step.inputs for step in asked]


def test_a_refused_step_does_not_shift_the_inputs_of_the_next(side: SideBySide) -> None:
    one, two = approved(side), approved(side)
    refused = replace(register("run", "start", [one]), record=ZERO)
    asked = (refused, register("run", "start", [two]))
    first, second = side.call(DEVELOPER, BatchCall(steps=asked))
    assert isinstance(first, Refused)
    assert second.inputs == asked[1].inputs


@pytest.mark.parametrize("column", [(1, 2**16), (2, 2**8), (1, 2**255), (2, 2**256 - 1)])
def test_a_number_that_does_not_fit_its_type_reverts(side: SideBySide, column: tuple[int, int]) -> None:
    at, value = column
    step = register("run", "start")
    row = list(rows((step,))[0])
    row[at] = value
    before = side.contract.storage()
    assert side.contract.send(DEVELOPER, batch([], [tuple(row)], [])) == Reverted(b"")
    assert side.contract.storage() == before
    changed = replace(step, **{("lifecycle", "action")[at - 1]: value})
    with pytest.raises(RecordInvalid, match="actions <= 255, lifecycles <= 65535"):
        encode_call(BatchCall(steps=(changed,)))


def test_call_data_that_ends_too_early_reads_as_zeros(side: SideBySide) -> None:
    """Vyper does not compare offsets with the size of the call data, as docs/contracts.md admits.

    Only whoever signed the call can shorten it, and what it then asks for is judged like anything else.
    """
    data = encode_call(BatchCall((AnchorCall(fresh(), 1),), (register("run", "start", [approved(side)]),)))
    for length in range(4, len(data), 7):
        outcomes = []
        for sent in (data[:length], data[:length].ljust(len(data), b"\0")):
            with side.contract.env.anchor():
                outcomes.append(side.contract.send(DEVELOPER, sent))
        if length < 100:
            assert outcomes[0] == Reverted(b"")
        else:
            assert outcomes[0] == outcomes[1]


def test_the_same_key_cannot_register_under_a_lifecycle_of_number_0(side: SideBySide) -> None:
    # 0 makes it an act on the salt itself, which nobody registered.
    step = replace(register("run", "start"), lifecycle=0)
    assert side.refusal(DEVELOPER, step) is Reason.UNKNOWN_ARTEFACT
    assert NUMBERS["run"] != 0
