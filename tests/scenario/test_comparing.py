"""Files of a project edited after it published: each disagrees with the ledger, and that is found."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from proml import track
from proml.capture.tracking import Run
from proml.core.digest import hexed, unhexed
from proml.core.record import KEY_BYTES, open_sealed, seal
from proml.journal import Journal, files, read
from proml.ledger.anvil import EmbeddedChain
from proml.node.comparing import JOURNAL, OUTBOX, STORAGE, Discrepancy, compare
from proml.node.founding import found_embedded, me, start_project
from proml.node.participant import Participant


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Participant]:
    """A project that has published a run with three measurements, and a model it made."""
    monkeypatch.chdir(tmp_path)
    config = start_project(tmp_path, "Northwind Models")
    found_embedded(config, [me(config)])
    participant = Participant.open(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"weights")
    with track("train") as run:
        measure(run)
        run.produced("model.bin", kind="model")
    participant.push()
    yield participant
    EmbeddedChain(config.chain).down()


def measure(run: Run) -> None:
    for step in (1, 2, 3):
        run.log({"accuracy": 0.5 + step / 10}, step=step)


def where(found: list[Discrepancy]) -> set[str]:
    return {each.where for each in found}


def run_of(project: Participant) -> bytes:
    """The id of the only run."""
    chronicle = project.chronicle()
    kinds = {each: project.lifecycle_of(chronicle, each) for each in chronicle.histories}
    (run,) = [artefact for artefact, lifecycle in kinds.items() if lifecycle and lifecycle.kind == "run"]
    return run


def kept_in(project: Participant, digest: bytes) -> Path:
    (file,) = project.config.storage.rglob(digest.hex()[2:])
    return file


def rewrite(journal: Path, accuracy: float, drop: int = 0) -> None:
    """Write the journal anew, with ProML's own tools: better figures, fewer of them, every checksum right."""
    payloads = [json.loads(entry.payload) for entry in read(journal)]
    for file in files(journal):
        file.unlink()
    with Journal(journal) as made:
        for draft in payloads:
            if draft["draft"] == "Observed" and draft["step"] <= drop:
                continue
            if draft["draft"] == "Observed":
                draft["metrics"]["accuracy"] = accuracy
            made.append(json.dumps(draft).encode())


def test_a_project_nobody_edited_agrees_with_the_ledger(project: Participant) -> None:
    assert compare(project) == []


def test_what_is_not_published_yet_is_no_discrepancy(project: Participant) -> None:
    with track("another") as run:
        measure(run)
    assert compare(project) == []


@pytest.mark.attack
def test_a_journal_written_anew_with_better_figures_disagrees_with_the_anchor(project: Participant) -> None:
    rewrite(project.config.journal, accuracy=0.99)
    (found,) = compare(project)
    assert found.where == JOURNAL
    assert found.artefact == run_of(project)
    assert "accuracy 0.6 at step 1; the journal has it as accuracy 0.99 at step 1" in found.text
    assert found.block == project.ledger.head().number


@pytest.mark.attack
def test_a_journal_written_anew_without_a_measurement_disagrees_with_the_anchor(project: Participant) -> None:
    rewrite(project.config.journal, accuracy=0.6, drop=1)
    (found,) = compare(project)
    assert "accuracy 0.6 at step 1; the journal has it nowhere" in found.text


@pytest.mark.attack
def test_a_journal_edited_in_place_is_damaged(project: Participant) -> None:
    (file,) = files(project.config.journal)
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"accuracy":0.8', b'"accuracy":0.9'))
    found = compare(project)
    assert where(found) == {JOURNAL}
    assert "is damaged at byte" in found[0].text


@pytest.mark.attack
def test_a_record_sealed_anew_under_the_old_name_is_other_bytes(project: Participant) -> None:
    finish = project.chronicle().histories[run_of(project)][-1].step
    sealed = open_sealed(project.storage.get(finish.record))
    better = seal(dict(sealed.record) | {"metrics": {"accuracy": 0.99}}, bytes(KEY_BYTES))
    kept_in(project, finish.record).write_bytes(better.content)
    (found,) = compare(project)
    assert (found.where, found.artefact) == (STORAGE, finish.artefact)
    assert hexed(finish.record) in found.text
    assert "are other bytes" in found.text


@pytest.mark.attack
def test_observations_taken_away_are_missing(project: Participant) -> None:
    finish = project.chronicle().histories[run_of(project)][-1].step
    (batch,) = open_sealed(project.storage.get(finish.record)).record["observations"]
    kept_in(project, unhexed(batch["batch"])).unlink()
    (found,) = compare(project)
    assert found.where == STORAGE
    assert found.text.endswith("missing")


@pytest.mark.attack
def test_steps_deleted_from_the_outbox_are_still_on_the_ledger(project: Participant) -> None:
    run = run_of(project)
    with closing(sqlite3.connect(project.config.outbox)) as outbox, outbox:
        outbox.execute("DELETE FROM intent WHERE artefact = ?", (run,))
    found = compare(project)
    assert [(each.where, each.artefact) for each in found] == [(OUTBOX, run), (OUTBOX, run)]


@pytest.mark.attack
def test_a_step_that_only_the_outbox_holds_for_accepted_is_named(project: Participant) -> None:
    with closing(sqlite3.connect(project.config.outbox)) as outbox, outbox:
        (call,) = outbox.execute("SELECT call FROM intent WHERE label LIKE 'propose%'").fetchone()
        invented = json.dumps(json.loads(call) | {"record": hexed(bytes(31) + b"\1")})
        outbox.execute(
            "INSERT INTO intent (what, label, artefact, call, state, created) "
            "VALUES ('step', 'approve model', ?, ?, 'done', 0)",
            (bytes(32), invented),
        )
    (found,) = compare(project)
    assert found.where == OUTBOX
    assert found.text == "'approve model' is held for accepted, and the ledger has no such step"
