"""Separation of duties: who did one step may not do another, however many did it in between."""

from proml.core.refusal import Reason
from tests.contracts.cast import (
    APPROVER,
    AUDITOR,
    CONGLOMERATE,
    DATA,
    DEVELOPER,
    LABELLER,
    OPERATOR,
    ORGANISATION,
    VERIFIER,
    act,
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
