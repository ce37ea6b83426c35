"""Events the contracts cannot have emitted: each is refused with a reason, and changes nothing.

Legal streams are the business of the state machine in tests/contracts; here somebody who controls the
answers of a node, or wrote an evidence file, invents, alters, drops or reorders events.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest

from proml.core.call import AnchorCall, Call, StepCall
from proml.core.consortium import Actor, role_mask
from proml.core.digest import ZERO, keccak256
from proml.core.event import Acted, Anchored, Event, Input, Refused, Registered
from proml.core.refusal import Reason
from tests.unit.core.forging import (
    ADMIN,
    ANCHORED,
    APPROVED,
    COLLECTED,
    DEVELOPER,
    FINISHED,
    LABELLED,
    LABELLER,
    NOW,
    NUMBER,
    PROPOSED,
    STARTED,
    STORY,
    STRANGER,
    VERIFIER,
    acted,
    after,
    founded,
    record,
    refused,
)


def test_the_story_itself_is_accepted() -> None:
    history = after(*STORY)
    assert [history.artefacts[event.artefact].sequence for event in (COLLECTED, STARTED, PROPOSED)] == [
        3,
        2,
        1,
    ]
    assert history.organisations[3].anchors == 1
    assert history.latest == NOW


def test_every_event_is_refused_the_second_time() -> None:
    for number, event in enumerate(STORY, start=1):
        history = after(*STORY[:number])
        before = deepcopy(history)
        assert history.accept(event, NOW) is not None
        assert history == before


@pytest.mark.parametrize("dropped", [0, 1, 2, 3, 4])
def test_without_one_event_a_later_one_is_refused(dropped: int) -> None:
    history, _ = founded()
    problems = [history.accept(event, NOW) for number, event in enumerate(STORY) if number != dropped]
    assert any(problems)


# --- steps ------------------------------------------------------------------------------------

ALTERED: list[tuple[tuple[Event, ...], Event, str]] = [
    # Who.
    ((COLLECTED,), replace(LABELLED, actor=Actor(2, STRANGER)), Reason.UNKNOWN_KEY.text),
    ((COLLECTED,), replace(LABELLED, actor=Actor(1, LABELLER.key)), "does not say what the step did"),
    ((COLLECTED,), replace(LABELLED, actor=Actor(9, LABELLER.key)), "does not say what the step did"),
    ((COLLECTED,), replace(LABELLED, actor=DEVELOPER), Reason.ROLE_MISSING.text),
    ((), replace(COLLECTED, actor=DEVELOPER), Reason.ROLE_MISSING.text),
    # Which artefact, in which order.
    ((), LABELLED, Reason.UNKNOWN_ARTEFACT.text),
    ((COLLECTED,), COLLECTED, Reason.EXISTS.text),
    ((COLLECTED,), replace(LABELLED, sequence=3), Reason.WRONG_SEQUENCE.text),
    ((COLLECTED,), replace(LABELLED, sequence=1), Reason.WRONG_SEQUENCE.text),
    ((COLLECTED,), replace(LABELLED, sequence=0), Reason.WRONG_SEQUENCE.text),
    ((COLLECTED,), replace(LABELLED, sequence=2**40 + 2), Reason.WRONG_SEQUENCE.text),
    # Which move.
    ((), replace(COLLECTED, lifecycle=0), "names no lifecycle"),
    ((), replace(COLLECTED, lifecycle=99), Reason.NO_TRANSITION.text),
    ((), replace(COLLECTED, lifecycle=NUMBER["run"]), Reason.ROLE_MISSING.text),
    ((), replace(COLLECTED, action=2), Reason.NO_TRANSITION.text),
    ((), replace(COLLECTED, action=0), Reason.NO_TRANSITION.text),
    ((), replace(COLLECTED, state=3), "does not say what the step did"),
    ((COLLECTED,), replace(LABELLED, state=3), "does not say what the step did"),
    ((COLLECTED,), replace(LABELLED, state=0), "does not say what the step did"),
    ((COLLECTED,), replace(LABELLED, action=99), Reason.NO_TRANSITION.text),
    (
        (STARTED, FINISHED),
        acted("run", "fail", DEVELOPER, b"training", sequence=3),
        Reason.NO_TRANSITION.text,
    ),
    # What it carries.
    ((), replace(COLLECTED, record=ZERO), Reason.RECORD_MISSING.text),
    ((), replace(COLLECTED, subject=ZERO), Reason.SUBJECT_MISSING.text),
    ((COLLECTED,), replace(LABELLED, record=ZERO), Reason.RECORD_MISSING.text),
    # What it derives from.
    ((STARTED, FINISHED), replace(PROPOSED, inputs=()), Reason.INPUTS_MISSING.text),
    ((STARTED,), replace(FINISHED, inputs=(Input(b"\x01" * 32, 1),)), Reason.INPUT_UNKNOWN.text),
    ((STARTED,), replace(FINISHED, inputs=(Input(STARTED.artefact, 2),)), Reason.INPUT_AHEAD.text),
    ((STARTED,), replace(FINISHED, inputs=(Input(STARTED.artefact, 0),)), Reason.INPUT_AHEAD.text),
    (
        (COLLECTED, STARTED),
        replace(FINISHED, inputs=(Input(COLLECTED.artefact, 1),)),
        Reason.INPUT_UNUSABLE.text,
    ),
    ((STARTED,), PROPOSED, Reason.INPUT_AHEAD.text),
    ((STARTED,), replace(PROPOSED, inputs=(Input(STARTED.artefact, 1),)), Reason.INPUT_UNUSABLE.text),
    (
        (COLLECTED, LABELLED, APPROVED),
        replace(PROPOSED, inputs=(Input(COLLECTED.artefact, 3),)),
        Reason.INPUT_KIND.text,
    ),
    ((COLLECTED,), replace(LABELLED, inputs=(Input(COLLECTED.artefact, 1),) * 33), "32 inputs at most"),
]


@pytest.mark.parametrize(("story", "event", "words"), ALTERED)
def test_a_step_no_contract_took_is_refused(story: tuple[Event, ...], event: Event, words: str) -> None:
    if any(isinstance(each, Acted) and each.inputs for each in story):
        story = (COLLECTED, LABELLED, APPROVED, *story)
    refused(after(*story), event, words)


def test_only_the_custodian_ends_a_run() -> None:
    history, _ = founded()
    history.organisations[4] = replace(history.organisations[4], roles=role_mask(["developer"]))
    assert history.accept(STARTED, NOW) is None
    refused(history, replace(FINISHED, actor=VERIFIER, inputs=()), Reason.NOT_CUSTODIAN.text)


def test_whoever_labelled_does_not_approve() -> None:
    history, _ = founded()
    history.organisations[2] = replace(history.organisations[2], roles=role_mask(["labeller", "data_admin"]))
    for event in (COLLECTED, LABELLED):
        assert history.accept(event, NOW) is None
    refused(history, replace(APPROVED, actor=LABELLER), Reason.DUTY_CONFLICT.text)


def test_a_recalled_dataset_is_no_input_any_more() -> None:
    recall = acted("dataset", "recall", ADMIN, b"digits", sequence=4)
    refused(after(COLLECTED, LABELLED, APPROVED, recall, STARTED), FINISHED, Reason.INPUT_UNUSABLE.text)


def test_what_was_approved_before_it_was_amended_is_no_input_any_more() -> None:
    amend = acted("dataset", "amend", ADMIN, b"digits", sequence=4)
    approve = replace(APPROVED, sequence=5)
    history = after(COLLECTED, LABELLED, APPROVED, amend, approve, STARTED)
    refused(history, FINISHED, Reason.INPUT_UNUSABLE.text)
    assert history.accept(replace(FINISHED, inputs=(Input(COLLECTED.artefact, 5),)), NOW) is None


# --- anchors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (replace(ANCHORED, number=1), "out of turn"),
        (replace(ANCHORED, number=3), "out of turn"),
        (replace(ANCHORED, number=0), "out of turn"),
        (replace(ANCHORED, number=2, actor=Actor(4, DEVELOPER.key)), "out of turn"),
        (replace(ANCHORED, number=2, actor=VERIFIER), "out of turn"),
        (replace(ANCHORED, number=2, actor=Actor(3, STRANGER)), Reason.UNKNOWN_KEY.text),
        (replace(ANCHORED, number=2, root=ZERO), Reason.EMPTY_ANCHOR.text),
        (replace(ANCHORED, number=2, count=0), Reason.EMPTY_ANCHOR.text),
    ],
)
def test_an_anchor_out_of_turn_is_refused(event: Anchored, words: str) -> None:
    refused(after(*STORY), event, words)


def test_a_changed_anchor_leads_to_another_head() -> None:
    heads = {
        after(anchor).anchor_heads[3]
        for anchor in (ANCHORED, replace(ANCHORED, count=8), replace(ANCHORED, root=keccak256(b"other")))
    }
    assert len(heads) == 3


# --- order and refusals -----------------------------------------------------------------------


def test_events_do_not_go_back_in_time() -> None:
    history = after(COLLECTED)
    refused(history, LABELLED, f"block {NOW - 1} came after one of block {NOW}", NOW - 1)
    assert history.accept(LABELLED, NOW + 5) is None
    refused(history, APPROVED, "came after", NOW + 4)


def test_a_refusal_changes_nothing_whatever_it_says() -> None:
    history = after(*STORY)
    before = deepcopy(history)
    assert history.accept(Refused(STRANGER, Actor(99, STRANGER), 2**200, 2**200), NOW) is None
    assert history == before


def test_what_a_call_gives_is_accepted_and_what_it_refuses_changes_nothing() -> None:
    history, _ = founded()
    reader, _ = founded()
    call = Call(DEVELOPER.key, NOW)
    step = history.step(call, StepCall(b"\x07" * 32, NUMBER["run"], 1, 1, record(1), ZERO))
    assert isinstance(step, Registered)
    anchor = history.anchor(call, AnchorCall(record(9), 3))
    assert isinstance(anchor, Anchored)
    for event in (step, anchor):
        assert reader.accept(event, NOW) is None
    assert reader == history
    before = deepcopy(history)
    assert history.step(call, StepCall(step.artefact, 0, 2, 3, record(2), ZERO)) == Reason.WRONG_SEQUENCE
    assert history.anchor(call, AnchorCall(ZERO, 3)) == Reason.EMPTY_ANCHOR
    assert history == before
