"""A sample form of the mutation campaign, `make mutants`: what it counts, skips and takes up again."""

from __future__ import annotations

import json

import pytest

import mutants
from mutants import Mutant, attempt
from proml.contracts import build


def found(source: str, text: str) -> tuple[int, str]:
    """The number of the only line that reads so, and the line."""
    lines = (build.HERE / source).read_text().split("\n")
    (number,) = [at for at, line in enumerate(lines, start=1) if line.strip() == text]
    return number, lines[number - 1]


def changed(source: str, text: str, other: str) -> Mutant:
    number, line = found(source, text)
    return Mutant(source, number, line, line.replace(text, other))


VOTES = "consortium._check(passed != 0, VOTES_MISSING)"


@pytest.mark.usefixtures("forge")
@pytest.mark.parametrize(
    ("mutant", "outcome"),
    [
        (
            changed("governance.vy", VOTES, "consortium._check(passed == 0, VOTES_MISSING)"),
            "killed by the campaign",
        ),
        (changed("governance.vy", VOTES, "consortium._check(passed != 0, VOTES_MISSING"), "broken"),
        (changed("governance.vy", VOTES, VOTES + "  # twice"), "identical"),
    ],
    ids=["another", "no contract", "the same"],
)
def test_a_mutant_is_tried(mutant: Mutant, outcome: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "BUILT", tmp_path)
    tried = attempt(mutant)
    assert tried.outcome == outcome
    assert tried.counts == outcome.startswith("killed")


def test_a_mutant_keeps_its_name_when_lines_move() -> None:
    mutant = changed("governance.vy", VOTES, "pass")
    moved = Mutant(mutant.source, mutant.line + 7, "  " + mutant.before, "  " + mutant.after)
    assert moved.name == mutant.name


def test_text_is_not_mutated() -> None:
    code = set(
        mutants._code_lines(['"""', "text", '"""', "# comment", "", "x = 1", '"""one line"""', "y = 2"])
    )
    assert code == {6, 8}


def test_every_explained_survivor_says_why() -> None:
    for name, survivor in json.loads(mutants.SURVIVORS.read_text()).items():
        mutant = Mutant(survivor["source"], 0, survivor["before"], survivor["after"])
        assert mutant.name == name
        assert len(survivor["why"]) > 20
        assert (build.HERE / survivor["source"]).read_text().count(survivor["before"]), "the line is gone"
