"""Who has to acknowledge a recall, and what counts as having done so."""

import itertools

import pytest

from proml.core.call import AnchorCall, Call
from proml.core.event import Event
from proml.core.lineage import tainted_by, taints
from proml.core.recall import acknowledgement, due, dues, dues_after
from proml.core.refusal import Reason
from tests.unit.export.story import DATA, DEVELOPER, OPERATOR, Story, key_of, nine_steps

DATASET, LIBRARY = "scans-2026-train", "fastboost 0.4.0"


@pytest.fixture
def story() -> Story:
    """Two recalls: a library that reached the dropped model, and the dataset that reached both."""
    return nine_steps()


def anchored(story: Story, organisation: int, root: bytes) -> None:
    event = story.rules.batch(Call(key_of(organisation), story.block), [AnchorCall(root, 1)], [])
    assert not isinstance(event, Reason)
    events: list[Event] = list(event)
    story._place(events)


def test_each_descendant_is_owed_for_by_its_custodian_once_for_each_recall(story: Story) -> None:
    chronicle = story.chronicle()
    owed = dues_after(chronicle, story.ids[DATASET])
    assert {each.artefact for each in owed} == set(tainted_by(chronicle, story.ids[DATASET]))
    assert {each.given for each in owed} == {None}
    for each in owed:
        assert each.organisation == chronicle.shared.artefacts[each.artefact].custodian
    both = dues(chronicle, story.ids["triage-boosted"])
    assert {each.source for each in both} == {story.ids[DATASET], story.ids[LIBRARY]}
    assert len({each.root for each in (*owed, *both)}) == len(owed) + 1


def test_what_is_recalled_itself_owes_nothing_more(story: Story) -> None:
    model = story.ids["triage-svc"]
    assert [each.source for each in dues(story.chronicle(), model)] == [story.ids[DATASET]]
    story.act(OPERATOR, "recall", "triage-svc")
    chronicle = story.chronicle()
    assert taints(chronicle, model), "it is tainted all the same"
    assert dues(chronicle, model) == []


def test_nothing_is_owed_for_what_was_not_recalled(story: Story) -> None:
    chronicle = story.chronicle()
    assert dues_after(chronicle, story.ids["scans-2026-test"]) == []
    assert due(chronicle, story.ids["scans-2026-test"], story.ids["evaluate svc"]) is None


def test_only_the_custodians_own_anchor_counts(story: Story) -> None:
    model = story.ids["triage-svc"]
    (owed,) = dues(story.chronicle(), model)
    assert owed.organisation == DEVELOPER
    anchored(story, DATA, owed.root)
    (still,) = dues(story.chronicle(), model)
    assert still.given is None
    anchored(story, DEVELOPER, owed.root)
    (done,) = dues(story.chronicle(), model)
    assert done.given is not None
    assert done.given.block.number == story.block - 1


def test_every_step_of_the_recalled_artefact_and_every_descendant_has_a_root_of_its_own(story: Story) -> None:
    heads = [each.head for history in story.chronicle().histories.values() for each in history]
    roots = [
        acknowledgement(head, artefact) for head, artefact in itertools.product(heads, story.ids.values())
    ]
    assert len(set(roots)) == len(roots)


def test_a_recall_is_the_step_into_the_recalled_state(story: Story) -> None:
    chronicle = story.chronicle()
    recall = chronicle.recall_of(story.ids[DATASET])
    assert recall is not None
    assert recall == chronicle.histories[story.ids[DATASET]][-1]
    assert chronicle.recall_of(story.ids["triage-svc"]) is None
    assert chronicle.recall_of(bytes(32)) is None
