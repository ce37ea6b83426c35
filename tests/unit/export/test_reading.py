"""Views made from a chronicle."""

from proml.core.chronicle import Chronicle
from proml.core.event import Input
from proml.core.lineage import Derivation, Lineage, lineage
from proml.export import reading
from proml.export.reading import Names, lineage_view, timeline_view
from proml.export.view import ArtefactView, LineageView
from tests.unit.export.story import LIFECYCLES, VERIFIER, Story, nine_steps


def view_of(story: Story, name: str, most: int = reading.MOST_ARTEFACTS) -> LineageView:
    chronicle = story.chronicle()
    return lineage_view(chronicle, lineage(chronicle, story.ids[name]), story.names(), most)


def by_name(view: LineageView) -> dict[str, ArtefactView]:
    return {each.name: each for each in view.artefacts}


def test_the_story_is_one_that_the_contracts_could_have_told() -> None:
    assert not nine_steps().chronicle().illegal


def test_a_lineage_names_kinds_states_and_who_registered() -> None:
    model = by_name(view_of(nine_steps(), "triage-svc"))["triage-svc"]
    assert (model.kind, model.state, model.organisation) == ("model", "deployed", "Northwind Models")


def test_artefacts_come_in_the_order_of_their_registration() -> None:
    names = [each.name for each in view_of(nine_steps(), "triage-svc").artefacts]
    assert names == [
        "scikit-learn 1.7.2", "scans-2026-train", "scans-2026-test", "train svc #14", "triage-svc",
        "evaluate svc",
    ]  # fmt: skip


def test_a_recall_taints_what_was_made_from_it_and_nothing_else() -> None:
    seen = by_name(view_of(nine_steps(), "triage-svc"))
    assert {name for name, each in seen.items() if each.is_tainted} == {
        "train svc #14",
        "triage-svc",
        "evaluate svc",
    }
    assert {name for name, each in seen.items() if each.is_recalled} == {"scans-2026-train"}


def test_the_way_from_the_recall_to_the_artefact_is_given() -> None:
    view = view_of(nine_steps(), "triage-svc")
    names = [[view.artefact(each).name for each in path] for path in view.taint_paths]
    assert names == [["scans-2026-train", "train svc #14", "triage-svc"]]
    assert len(view.path_links) == 2


def test_only_links_from_recalled_or_tainted_artefacts_carry_the_taint() -> None:
    view = view_of(nine_steps(), "triage-svc")
    for each in view.derivations:
        source = view.artefact(each.source)
        assert each.carries_taint == (source.is_recalled or source.is_tainted)


def test_of_a_large_lineage_the_nearest_are_shown_and_none_dangles() -> None:
    view = view_of(nine_steps(), "triage-svc", most=3)
    assert len(view.artefacts) == 3
    assert view.left_out == 3
    shown = {each.id for each in view.artefacts}
    assert view.focus in shown
    assert all({each.source, each.target} <= shown for each in view.derivations)
    assert all(shown.issuperset(path) for path in view.taint_paths)
    assert view.artefact(view.focus).is_tainted


def test_a_lineage_in_which_everything_names_everything_is_cut_before_it_is_too_dense() -> None:
    ids = [bytes([number]) * 32 for number in range(1, 101)]
    everything = tuple(Derivation(a, 1, b, 1) for a in ids for b in ids)
    shown = reading._nearest(Lineage(ids[0], tuple(ids), everything), 300)
    assert 30 < len(shown) < 40
    assert len(shown) * (len(shown) - 1) <= reading.MOST_LINKS


def test_without_their_files_states_and_actions_are_numbered() -> None:
    story = nine_steps()
    names = Names({}, lambda number: f"organisation {number}", {})
    step = timeline_view(story.chronicle(), names).steps[0]
    assert (step.kind, step.action, step.state, step.name) == ("lifecycle-5", "action-1", "state-1", "")


def test_a_timeline_has_every_step_in_chain_order_and_a_lane_for_each_actor() -> None:
    story = nine_steps()
    timeline = timeline_view(story.chronicle(), story.names(), story.costs())
    assert len(timeline.steps) == 26
    assert [each.block for each in timeline.steps] == sorted(each.block for each in timeline.steps)
    assert timeline.organisations[0] == "Harbour Clinics"
    assert [each.action for each in timeline.steps if each.is_recall] == ["recall", "recall"]
    assert all(each.gas and each.final for each in timeline.steps)


def test_steps_of_one_transaction_share_its_gas() -> None:
    story = nine_steps()
    first = next(iter(story.chronicle().histories.values()))
    transaction = first[0].placed.transaction
    placed = [_in(each, transaction) for each in story.placed]
    chronicle = Chronicle(type(story.rules)(story.rules.chain_id, story.rules.contract)).take(placed)
    timeline = timeline_view(chronicle, story.names(), {transaction: reading.Cost(gas=26_000)})
    assert [each.gas for each in timeline.steps] == [1_000] * 26


def test_an_evaluation_and_its_model_name_each_other() -> None:
    view = view_of(nine_steps(), "triage-svc")
    seen = by_name(view)
    pairs = {(each.source, each.target) for each in view.derivations}
    model, evaluation = seen["triage-svc"].id, seen["evaluate svc"].id
    assert {(model, evaluation), (evaluation, model)} <= pairs


def test_a_derivation_tells_the_step_and_what_it_was() -> None:
    story = Story()
    story.register(2, "dataset", "collect", "d")
    story.act(2, "approve", "d")
    story.register(4, "run", "start", "r")
    story.act(4, "finish", "r", "d")
    story.register(4, "model", "propose", "m", "r")
    story.register(VERIFIER, "evaluation", "plan", "e", "m")
    first = view_of(story, "m").derivations[-1]
    assert LIFECYCLES[4].kind == "evaluation"
    assert {
        (each.action, each.sequence, each.source_sequence) for each in view_of(story, "m").derivations
    } == {
        ("finish", 2, 2),
        ("propose", 1, 2),
        ("plan", 1, 1),
    }
    assert not first.carries_taint
    assert Input(story.ids["m"], 1) in story.chronicle().histories[story.ids["e"]][0].step.inputs


def _in(placed, transaction):
    return type(placed)(placed.event, placed.block, transaction, placed.index)
