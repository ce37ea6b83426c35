"""Separation of duties: who did one step may not do another, however many did it in between."""

import pytest
from boa.environment import Env

from proml.core.call import StepCall
from proml.core.event import Step
from proml.core.lifecycle import Rule, Table
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from tests.contracts.cast import (
    APPROVER,
    AUDITOR,
    CONGLOMERATE,
    DATA,
    DEVELOPER,
    FOUNDERS,
    LABELLER,
    OPERATOR,
    ORGANISATION,
    VERIFIER,
    act,
    fresh,
    register,
)
from tests.contracts.deployed import place
from tests.contracts.side_by_side import SideBySide
from tests.contracts.stories import candidate, collected, evaluated, passed


def test_the_labeller_may_not_approve_its_own_labels(side: SideBySide) -> None:
    labelled = side.make(CONGLOMERATE, act("dataset", "label", collected(side)))
    approve = act("dataset", "approve", labelled)
    assert side.refusal(CONGLOMERATE, approve) is Reason.DUTY_CONFLICT
    side.make(DATA, approve)


def test_a_second_labeller_may_not_approve_either(side: SideBySide) -> None:
    first = side.make(LABELLER, act("dataset", "label", collected(side)))
    second = side.make(CONGLOMERATE, act("dataset", "label", first))
    # The first performer stands in the artefact's word; only the second needs a slot of its own.
    at = place(10, first.artefact, ORGANISATION[CONGLOMERATE])
    assert side.contract.slot(at) == 1 << 1
    assert side.contract.slot(place(10, first.artefact, ORGANISATION[LABELLER])) == 0
    approve = act("dataset", "approve", second)
    assert side.refusal(CONGLOMERATE, approve) is Reason.DUTY_CONFLICT
    side.make(DATA, approve)


def test_the_first_labeller_may_not_approve_after_a_second_one(side: SideBySide) -> None:
    first = side.make(CONGLOMERATE, act("dataset", "label", collected(side)))
    second = side.make(LABELLER, act("dataset", "label", first))
    again = side.make(LABELLER, act("dataset", "label", second))
    assert side.refusal(CONGLOMERATE, act("dataset", "approve", again)) is Reason.DUTY_CONFLICT
    side.make(DATA, act("dataset", "approve", again))


def test_having_labelled_once_is_remembered_through_every_later_state(side: SideBySide) -> None:
    step = side.make(CONGLOMERATE, act("dataset", "label", collected(side)))
    for action in ("approve", "amend"):
        step = side.make(DATA, act("dataset", action, step))
    assert side.refusal(CONGLOMERATE, act("dataset", "approve", step)) is Reason.DUTY_CONFLICT


def test_a_duty_on_one_artefact_does_not_count_on_another(side: SideBySide) -> None:
    side.make(CONGLOMERATE, act("dataset", "label", collected(side)))
    other = side.make(LABELLER, act("dataset", "label", collected(side)))
    side.make(CONGLOMERATE, act("dataset", "approve", other))


def test_who_made_a_model_may_not_evaluate_it(side: SideBySide) -> None:
    run = side.make(CONGLOMERATE, register("run", "start"))
    run = side.make(CONGLOMERATE, act("run", "finish", run))
    model = side.make(CONGLOMERATE, register("model", "propose", [run]))
    evaluate = act("model", "evaluate", model, [passed(side, model)])
    assert side.refusal(CONGLOMERATE, evaluate) is Reason.DUTY_CONFLICT
    side.make(VERIFIER, evaluate)


def test_who_evaluated_may_not_approve(side: SideBySide) -> None:
    model = evaluated(side, CONGLOMERATE)
    assert side.refusal(CONGLOMERATE, act("model", "approve", model)) is Reason.DUTY_CONFLICT
    side.make(APPROVER, act("model", "approve", model))


def test_a_second_evaluator_may_not_approve_and_may_evaluate_again(side: SideBySide) -> None:
    model = evaluated(side)
    again = act("model", "evaluate", model, [passed(side, model)])
    model = side.make(CONGLOMERATE, again)
    assert side.refusal(CONGLOMERATE, act("model", "approve", model)) is Reason.DUTY_CONFLICT
    model = side.make(CONGLOMERATE, act("model", "evaluate", model, [passed(side, model)]))
    side.make(APPROVER, act("model", "approve", model))


def test_the_whole_way_of_a_model_by_organisations_that_differ(side: SideBySide) -> None:
    model = evaluated(side)
    for key, action in (
        (APPROVER, "approve"),
        (DEVELOPER, "hand_over"),
        (OPERATOR, "deploy"),
        (AUDITOR, "audit"),
        (AUDITOR, "audit"),
        (OPERATOR, "retire"),
    ):
        model = side.make(key, act("model", action, model))
    side.compare_reader()
    assert model.sequence == 8


def test_the_creator_of_something_else_is_not_the_creator_of_this(side: SideBySide) -> None:
    candidate(side)
    model = candidate(side)
    side.make(CONGLOMERATE, act("model", "evaluate", model, [passed(side, model)]))


# Action d performs duty d, action 10 + d may only be done by who never performed it.
SIX_DUTIES = Table(
    kind=1,
    usable=0,
    terminal=0,
    recalled=0,
    document=bytes(32),
    rules=(
        Rule(state=0, action=1, following=1, roles=2**64 - 1),
        *(Rule(state=1, action=duty, following=1, roles=2**64 - 1, duty=duty) for duty in range(1, 7)),
        *(Rule(state=1, action=10 + d, following=1, roles=2**64 - 1, differs=1 << d) for d in range(7)),
    ),
)


def next_step(after: Step, action: int) -> StepCall:
    return StepCall(after.artefact, 0, action, after.sequence + 1, fresh(), fresh())


@pytest.mark.parametrize("first", [True, False], ids=["first performer", "second performer"])
@pytest.mark.parametrize("duty", range(1, 7))
def test_every_duty_has_a_place_of_its_own(env: Env, duty: int, first: bool) -> None:
    side = SideBySide(env, FOUNDERS, Governance(1), (SIX_DUTIES,))
    step = side.make(OPERATOR, StepCall(fresh(), 1, 1, 1, fresh(), fresh()))
    performers = (LABELLER, VERIFIER) if first else (VERIFIER, LABELLER)
    for key in performers:
        step = side.make(key, next_step(step, duty))
    for other in range(1, 7):
        asked = next_step(step, 10 + other)
        if other == duty:
            assert side.refusal(LABELLER, asked) is Reason.DUTY_CONFLICT
            assert side.refusal(VERIFIER, asked) is Reason.DUTY_CONFLICT
            step = side.make(OPERATOR, asked)
        else:
            step = side.make(LABELLER, asked)
    assert side.refusal(OPERATOR, next_step(step, 10)) is Reason.DUTY_CONFLICT


def test_one_organisation_may_perform_every_duty_and_then_none_of_the_others(env: Env) -> None:
    side = SideBySide(env, FOUNDERS, Governance(1), (SIX_DUTIES,))
    step = side.make(OPERATOR, StepCall(fresh(), 1, 1, 1, fresh(), fresh()))
    for key in (DATA, LABELLER, LABELLER, DATA):
        for duty in range(1, 7):
            step = side.make(key, next_step(step, duty))
    for duty in range(1, 7):
        for key in (DATA, LABELLER):
            assert side.refusal(key, next_step(step, 10 + duty)) is Reason.DUTY_CONFLICT
        step = side.make(VERIFIER, next_step(step, 10 + duty))
    word = side.history.artefacts[step.artefact].word
    assert word >> 248 == 0b111111
    assert (word >> 152) % 2**96 == sum(ORGANISATION[DATA] << 16 * place for place in range(6))
