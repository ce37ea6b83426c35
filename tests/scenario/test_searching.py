"""Searching, and examining the index, from the command line, over the embedded chain."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from proml import track
from proml.cli.main import main
from proml.ledger.anvil import EmbeddedChain
from proml.node.founding import found_embedded, me, start_project
from proml.node.participant import Content, Participant


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Participant]:
    """A dataset, a finished run that used it and made a model, and a run that was never finished."""
    root = tmp_path_factory.mktemp("searching")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        config = start_project(root, "Northwind Models")
        found_embedded(config, [me(config)])
        mine = Participant.open(root)
        (root / "digits.csv").write_text("1,2,3\n")
        (root / "model.bin").write_bytes(b"weights")
        mine.register(root / "digits.csv", "dataset", content=Content(parameters={"source": "scanner"}))
        mine.push()
        mine.act(root / "digits.csv", "approve")
        mine.push()
        with track("train", parameters={"optimiser": {"name": "adam", "rate": 0.01}}) as run:
            run.used("digits.csv")
            run.produced("model.bin", kind="model")
        mine.register(None, "run", name="lost night")
        mine.push()
        yield mine
        EmbeddedChain(config.chain).down()


@pytest.fixture(autouse=True)
def here(project: Participant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.config.root)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    main([*arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def names(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    return [each["name"] for each in answer(capsys, "find", *arguments)["artefacts"]]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["DIG"], ["digits.csv"]),
        (["csv"], ["digits.csv"]),
        (["digits.csv"], ["digits.csv"]),
        (["--kind", "run"], ["lost night", "train"]),
        (["--kind", "run", "--unfinished"], ["lost night"]),
        (["--state", "approved"], ["digits.csv"]),
        (["--where", "parameters.optimiser.rate<=0.01"], ["train"]),
        (["--where", "parameters.optimiser.name=adam", "--kind", "run"], ["train"]),
        (["--where", "parameters.optimiser.rate>0.01"], []),
        (["--where", "parameters.source!=camera"], ["digits.csv"]),
        (["--since", "2020-01-01", "--by", "Northwind Models", "--kind", "model"], ["model.bin"]),
        (["--until", "2020-01-01"], []),
    ],
)
def test_artefacts_are_found_by_what_is_known(
    capsys: pytest.CaptureFixture[str], arguments: list[str], found: list[str]
) -> None:
    assert names(capsys, *arguments) == found


def test_an_artefact_is_found_by_its_file_its_id_and_the_beginning_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (row,) = answer(capsys, "find", "model.bin")["artefacts"]
    assert names(capsys, row["id"]) == names(capsys, row["id"][:12]) == ["model.bin"]


def test_what_makes_no_sense_is_refused_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (
        ["--where", "accuracy"],
        ["--since", "yesterday"],
        ["--kind", "modle"],
        ["--state", "asleep"],
        ["--by", "Nobody"],
        ["--after", "x"],
        ["--tainted", "--kind", "run"],
    ):
        assert main(["find", *wrong]) == 2
        assert capsys.readouterr().err.startswith("proml: ")


def test_two_nodes_compare_what_their_indexes_say(
    project: Participant, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.json"
    theirs.write_text(json.dumps(answer(capsys, "node", "index-digest")))
    assert main(["node", "index-digest", "--compare", str(theirs)]) == 0
    assert main(["node", "rebuild-index"]) == 0
    assert main(["node", "index-digest", "--compare", str(theirs)]) == 0
    capsys.readouterr()
    assert main(["node", "fsck"]) == 0
    with closing(sqlite3.connect(project.config.folder / "index.sqlite")) as index, index:
        index.execute("UPDATE step SET organisation = 7 WHERE place = (SELECT max(place) FROM step)")
    assert main(["node", "index-digest", "--compare", str(theirs)]) == 1
    assert "step" in capsys.readouterr().out
    assert main(["node", "fsck"]) == 1
    assert main(["node", "rebuild-index"]) == 0
    assert main(["node", "fsck"]) == 0


def test_without_the_ledger_the_index_answers_as_far_as_it_reads(
    project: Participant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["find"])
    capsys.readouterr()
    chain = project.config.chain
    away = chain.with_name("away")
    EmbeddedChain(chain).down()
    chain.rename(away)
    try:
        assert names(capsys, "digits") == ["digits.csv"]
    finally:
        away.rename(chain)
