"""A gate that opens by an evidence file alone, where there is no project, chain or network."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.members import Members, gathered

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Members]:
    yield from gathered(tmp_path_factory.mktemp("gate"))


@pytest.fixture
def away(members: Members, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Members:
    """Somebody in a pipeline: a folder with the dataset, its evidence and the ledger file, and no project."""
    name = f"{tmp_path.name}.csv"
    members.file("Owner", name)
    members.does("Owner", "register", name, "--kind", "dataset", "--name", tmp_path.name, "--push")
    members.does("Owner", "act", "approve", name, "--push")
    made = Members(tmp_path)
    (tmp_path / "pipeline").mkdir()
    shutil.copy(members.folder("Owner") / name, tmp_path / "pipeline" / "data.csv")
    shutil.copy(members.folder("Owner") / ".proml" / "ledger.json", tmp_path / "pipeline")
    monkeypatch.delenv("PROML_PROJECT", raising=False)
    return made


def brought(members: Members, away: Members) -> tuple[str, ...]:
    """Fetch fresh evidence; the arguments that pin it to a block somebody trusts."""
    file = str(away.folder("pipeline") / "data.evidence")
    made = members.does("Owner", "evidence", away.root.name, "-o", file, "--json").document
    return ("-e", "data.evidence", "--ledger", "ledger.json", "--block", made["block hash"])


def test_the_gate_opens_by_a_pinned_file(members: Members, away: Members) -> None:
    pinned = brought(members, away)
    asked = ("--state", "approved", "--performed", "approve", "--complete")
    said = away.does("pipeline", "gate", "data.csv", *pinned, *asked)
    assert "the gate opens" in said.out
    assert "not after block" in said.out
    # The file alone is about the same artefact, without bytes to compare.
    assert away.does("pipeline", "gate", "data.evidence", *pinned[2:], *asked).code == 0


def test_nothing_opens_for_other_bytes_another_state_or_without_a_trusted_block(
    members: Members, away: Members
) -> None:
    pinned = brought(members, away)
    assert away.says("pipeline", "gate", "data.csv", *pinned, "--state", "retired").code == 1
    unpinned = away.says("pipeline", "gate", "data.csv", *pinned[:4], "--json")
    assert unpinned.code == 1
    shut = [each["demand"] for each in unpinned.document["demands"] if not each["met"]]
    assert "3. head recomputes" in shut
    away.file("pipeline", "data.csv", "something else")
    other = away.says("pipeline", "gate", "data.csv", *pinned)
    assert other.code == 1
    assert "NOT MET  1. bytes match" in other.out


def test_a_recall_shuts_it_from_the_next_file_on(members: Members, away: Members) -> None:
    before = brought(members, away)
    members.does("Owner", "recall", away.root.name, "--reason", "leak", "--push")
    assert away.says("pipeline", "gate", "data.csv", *before).code == 0, (
        "it answers for the time of its block"
    )
    after = away.says("pipeline", "gate", "data.csv", *brought(members, away))
    assert after.code == 1
    assert "NOT MET  7. nothing recalled" in after.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("data.csv", "--state", "aproved"), 2, "no state 'aproved'"),
        (("data.csv", "--performed", "aprove"), 2, "no action 'aprove'"),
        (("missing.csv",), 4, "no file or folder 'missing.csv'"),
    ],
)
def test_a_slip_is_named(
    members: Members, away: Members, arguments: tuple[str, ...], code: int, words: str
) -> None:
    said = away.says("pipeline", "gate", *arguments, *brought(members, away))
    assert (said.code, words in said.error) == (code, True), said


def test_what_would_not_be_looked_at_is_refused(away: Members) -> None:
    said = away.says("pipeline", "gate", "data.csv", "--ledger", "ledger.json")
    assert said.code == 2
    assert "add --evidence" in said.error
    assert away.says("pipeline", "gate", "data.csv", "-e", "missing.evidence").code == 4
    assert away.says("pipeline", "gate", "data.csv", "-e", "data.csv", "--ledger", "ledger.json").code == 2
