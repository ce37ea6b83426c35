"""What a step may derive from: how many inputs, which, at which sequence, in which state."""

from dataclasses import replace

import pytest

from proml.core.event import Input, inputs_digest
from proml.core.refusal import Reason
from tests.contracts.cast import DATA, DEVELOPER, LABELLER, VERIFIER, act, fresh, named, register
from tests.contracts.deployed import Reverted
from tests.contracts.side_by_side import SideBySide, single_form
from tests.contracts.stories import approved, candidate, collected, finished, passed


def started(side: SideBySide):
    return side.make(DEVELOPER, register("run", "start"))


def test_a_model_needs_a_run_it_came_from(side: SideBySide) -> None:
    assert side.refusal(DEVELOPER, register("model", "propose")) is Reason.INPUTS_MISSING


def test_one_input_of_the_asked_kind_is_enough_wherever_it_stands(side: SideBySide) -> None:
    dataset, run = approved(side), finished(side)
    assert side.refusal(DEVELOPER, register("model", "propose", [dataset])) is Reason.INPUT_KIND
    assert side.refusal(DEVELOPER, register("model", "propose", [dataset, dataset])) is Reason.INPUT_KIND
    side.make(DEVELOPER, register("model", "propose", [dataset, run]))
    side.make(DEVELOPER, register("model", "propose", [run, dataset]))


def test_an_input_nobody_registered_is_refused(side: SideBySide) -> None:
    run = started(side)
    for unknown in (fresh(), bytes(32)):
        step = act("run", "finish", run, [approved(side), Input(unknown, 1)])
        assert side.refusal(DEVELOPER, step) is Reason.INPUT_UNKNOWN


@pytest.mark.parametrize("sequence", [0, 3, 2**40, 2**256 - 1])
def test_an_input_at_a_sequence_it_never_had_is_refused(side: SideBySide, sequence: int) -> None:
    dataset = approved(side)
    step = act("run", "finish", started(side), [Input(dataset.artefact, sequence)])
    assert side.refusal(DEVELOPER, step) is Reason.INPUT_AHEAD
    start = register("run", "start", [Input(dataset.artefact, sequence)])
    assert side.refusal(DEVELOPER, start) is Reason.INPUT_AHEAD


def test_a_run_may_start_from_anything_that_exists_and_finish_from_usable_things_only(
    side: SideBySide,
) -> None:
    raw = collected(side)
    run = side.make(DEVELOPER, register("run", "start", [raw]))
    assert side.refusal(DEVELOPER, act("run", "finish", run, [raw])) is Reason.INPUT_UNUSABLE
    side.make(DATA, act("dataset", "approve", raw))
    # Approved now, but what the run read was sequence 1.
    assert side.refusal(DEVELOPER, act("run", "finish", run, [raw])) is Reason.INPUT_UNUSABLE


def test_usable_then_amended_then_usable_again(side: SideBySide) -> None:
    first = approved(side)
    side.make(DEVELOPER, act("run", "finish", started(side), [first]))
    amended = side.make(DATA, act("dataset", "amend", first))
    for seen in (first, amended):
        assert side.refusal(DEVELOPER, act("run", "finish", started(side), [seen])) is (Reason.INPUT_UNUSABLE)
    second = side.make(DATA, act("dataset", "approve", amended))
    # What was approved before the amendment stays unusable: its approval spoke of other labels.
    assert side.refusal(DEVELOPER, act("run", "finish", started(side), [first])) is Reason.INPUT_UNUSABLE
    side.make(DEVELOPER, act("run", "finish", started(side), [second]))
    side.compare_reader()


def test_a_model_that_moves_between_usable_states_is_usable_at_each_of_them(side: SideBySide) -> None:
    model = candidate(side)
    later = side.make(VERIFIER, act("model", "evaluate", model, [passed(side, model)]))
    for seen in (model, later):
        side.make(DEVELOPER, act("run", "finish", started(side), [seen]))


def test_nothing_new_derives_from_what_was_recalled(side: SideBySide) -> None:
    dataset = approved(side)
    side.make(DATA, act("dataset", "recall", dataset))
    step = act("run", "finish", started(side), [dataset])
    assert side.refusal(DEVELOPER, step) is Reason.INPUT_UNUSABLE


def test_inputs_are_taken_in_order_and_the_digest_shows_it(side: SideBySide) -> None:
    one, two = approved(side), approved(side)
    there = side.make(DEVELOPER, act("run", "finish", started(side), [one, two]))
    back = side.make(DEVELOPER, act("run", "finish", started(side), [two, one]))
    assert there.inputs == tuple(reversed(back.inputs))
    assert inputs_digest(there.inputs) != inputs_digest(back.inputs)


def test_the_same_input_may_be_named_twice(side: SideBySide) -> None:
    dataset = approved(side)
    step = side.make(DEVELOPER, act("run", "finish", started(side), [dataset, dataset]))
    assert step.inputs == named([dataset, dataset])


def test_an_artefact_may_name_its_own_past_but_not_its_future(side: SideBySide) -> None:
    raw = collected(side)
    label = act("dataset", "label", raw, [raw])
    ahead = replace(label, inputs=(Input(raw.artefact, 2),))
    assert side.refusal(LABELLER, ahead) is Reason.INPUT_AHEAD
    side.make(LABELLER, label)


def test_thirty_two_inputs_are_taken_and_thirty_three_are_not(side: SideBySide) -> None:
    dataset = approved(side)
    run = started(side)
    full = act("run", "finish", run, [dataset] * 32)
    over = replace(full, inputs=full.inputs + full.inputs[:1])
    before = side.contract.storage()
    # Beyond what the arguments' type can hold, so there is no reason to give.
    assert side.contract.send(DEVELOPER, single_form(over)) == Reverted(b"")
    assert side.contract.storage() == before
    side.make(DEVELOPER, full)
