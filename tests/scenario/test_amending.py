"""The label file was wrong: a correction adds a record, and what it corrects stays where it was."""

from collections.abc import Iterator

import pytest

from proml.core.digest import unhexed
from tests.scenario.members import Members, gathered

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Members]:
    """An approved dataset of Owner's, called digits, and a run of Maker's."""
    for made in gathered(tmp_path_factory.mktemp("amending")):
        made.file("Owner", "digits.csv", "1,7\n")
        made.does("Owner", "register", "digits.csv", "--kind", "dataset", "--name", "digits", "--push")
        made.does("Owner", "act", "approve", "digits.csv", "--push")
        made.does("Maker", "exec", "-n", "fit", "--", "true")
        made.does("Maker", "push")
        yield made


def test_a_correction_is_a_step_and_the_corrected_record_stays(members: Members) -> None:
    before = members.does("Owner", "show", "digits", "--json").document["history"]
    members.file("Owner", "mended.csv", "7,1\n")
    members.does(
        "Owner", "amend", "digits", "--step", "1", "-t", "7 and 1 were swapped", "-s", "mended.csv", "--push"
    )

    shown = members.does("Owner", "show", "digits", "--json").document
    after = shown["history"]
    unchanged = ("record", "commitment", "action", "block", "transaction")
    for old, new in zip(before, after, strict=False):
        assert {name: new[name] for name in unchanged} == {name: old[name] for name in unchanged}
    amendment = after[-1]
    assert amendment["record"]["amends"] == before[0]["commitment"]
    assert amendment["record"]["claims"] == {"text": "7 and 1 were swapped"}
    assert [(each["amends"], each["amended by"]) for each in after] == [(None, [3]), (None, []), (1, [])]
    # What was approved was something else.
    assert shown["state"] == "collected"
    text = members.does("Owner", "show", "digits").out
    assert "collect (amended by step 3)" in text
    assert "amend (amends step 1)" in text
    assert members.says("Owner", "verify", "mended.csv").code == 0
    # Whoever has no record sees that there was an amendment, and not of what.
    for each in members.does("Audit", "show", shown["id"], "--json").document["history"]:
        assert (each["amends"], each["amended by"], each["record"]) == (None, [], None)
    assert (
        members.chronicle().histories[unhexed(shown["id"])][-1].step.record.hex() in amendment["commitment"]
    )


def test_the_newest_step_is_meant_where_none_is_named(members: Members) -> None:
    members.file("Owner", "mended2.csv", "7,1,1\n")
    members.does("Owner", "amend", "digits", "-t", "a row was missing", "-s", "mended2.csv", "--push")
    last = members.does("Owner", "show", "digits", "--json").document["history"][-1]
    assert last["amends"] == last["sequence"] - 1


@pytest.mark.parametrize(
    ("who", "arguments", "words"),
    [
        ("Owner", ("digits", "-t", "x", "-s", "digits.csv", "--step", "99"), "has no step 99"),
        ("Owner", ("digits", "-t", "x"), "'amend' names the corrected bytes"),
        ("Owner", ("digits", "-t", "x", "--action", "mend"), "has no action 'mend'"),
        ("Maker", ("fit", "-t", "x"), "a run that is finished has no action 'amend'"),
        ("Owner", ("digits",), "Missing option '--text'"),
    ],
)
def test_what_cannot_be_amended_is_named_and_nothing_waits(
    members: Members, who: str, arguments: tuple[str, ...], words: str
) -> None:
    said = members.says(who, "amend", *arguments)
    assert said.code == 2, said
    assert words in said.error
    assert "to publish       0" in members.does(who, "status").out


def test_what_has_no_action_for_it_is_amended_by_contesting_it(members: Members) -> None:
    members.does(
        "Maker", "amend", "fit", "-t", "the seed was another", "--step", "2", "--action", "contest", "--push"
    )
    shown = members.does("Maker", "show", "fit", "--json").document
    assert shown["state"] == "finished"
    last = shown["history"][-1]
    assert (last["action"], last["amends"], last["record"]["claims"]) == (
        "contest", 2, {"text": "the seed was another"},
    )  # fmt: skip
    assert shown["history"][1]["amended by"] == [3]


def test_only_whoever_may_amends(members: Members) -> None:
    artefact = members.id_of("Owner", "digits")
    members.file("Maker", "mine.csv")
    reason = members.refused("Maker", "amend", artefact, "-t", "mine is better", "-s", "mine.csv")
    assert "lacks the role" in reason
