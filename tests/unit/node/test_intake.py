"""From the journal into the outbox: every entry once, whatever happens in between."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from proml.capture.draft import EnvironmentSeen, Observed, Produced, RunEnded, RunStarted, Used, encode
from proml.core.event import Acted, Anchored, Registered
from proml.core.proof import open_batch
from proml.journal import Journal, files
from proml.node import story, taking
from proml.node.intake import KILLED
from tests.unit.node.killing import Countdown, kill_everywhere, watch
from tests.unit.node.place import Place, asked, collected, observed, produced, salt, subject, used


def states(place: Place) -> dict[str, str]:
    return {intent.label: intent.state for intent in place.intents()}


# --- runs ------------------------------------------------------------------------------------------


def test_a_run_becomes_a_registration_anchors_an_end_and_its_artefacts(place):
    place.run(observed(0, loss=0.9), observed(1, loss=0.4), produced(), used())
    place.push()
    assert place.labels() == [
        "start run train",
        "anchor 2 observations",
        "finish run train",
        "propose model m",
    ]
    assert [type(event) for event in place.events()] == [Anchored, Registered, Acted, Registered]
    record = place.records()["finish run train"]
    assert record["metrics"] == {"loss": 0.4}
    assert record["activity"]["outcome"] == "finished"
    assert record["claims"]["produced"][0]["name"] == "m"
    assert record["inputs"][0]["sha256"] == subject(b"table").sha256
    assert place.records()["start run train"]["parameters"] == {"depth": 3}
    place.check()


def test_a_run_may_start_in_one_push_and_end_in_another(place):
    run = salt()
    with Journal(place.folder) as journal:
        journal.append(encode(RunStarted(run, "train", 1.0)))
        journal.append(encode(Observed(run, 1.1, 0, {"loss": 0.9})))
        place.push()
        assert place.labels() == ["start run train", "anchor 1 observations"]
        journal.append(encode(Used(run, used().reference, "data")))
        place.push()
        assert len(place.intents()) == 2
        journal.append(encode(Observed(run, 1.2, 1, {"loss": 0.4})))
        journal.append(encode(RunEnded(run, 2.0, "finished")))
        place.push()
    assert place.labels()[2:] == ["anchor 1 observations", "finish run train"]
    record = place.records()["finish run train"]
    assert record["sequence"] == 2
    assert [batch["count"] for batch in record["observations"]] == [1, 1]
    assert [entry["part"] for entry in record["inputs"]] == ["data"]
    place.check()


def test_a_run_whose_process_was_killed_is_closed_as_failed(place):
    place.run(observed(), produced(), outcome=None)
    place.push()
    assert place.labels("done") == ["start run train", "anchor 1 observations", "fail run train"]
    assert place.records()["fail run train"]["activity"]["reason"] == KILLED
    place.push()
    assert len(place.intents()) == 3


def test_a_run_that_is_still_written_stays_open(place):
    with Journal(place.folder) as journal:
        journal.append(encode(RunStarted(salt(), "train", 1.0)))
        place.push()
        assert place.labels() == ["start run train"]
    place.push()
    assert place.labels() == ["start run train", "fail run train"]


def test_a_quiet_run_of_a_writer_that_went_on_to_another_file_stays_open(place):
    quiet, busy = salt(), salt()
    with Journal(place.folder, segment_bytes=2_000) as journal:
        journal.append(encode(RunStarted(quiet, "quiet", 1.0)))
        for run in (busy, busy, busy):
            for step in range(10):
                journal.append(encode(Observed(run, 1.1, step, {"loss": 0.5})))
        assert len(files(place.folder)) > 1
        place.push()
        assert "fail run quiet" not in place.labels()
    place.push()
    assert "fail run quiet" in place.labels()


def test_a_run_that_ends_while_the_journal_is_read_is_not_called_killed(place, monkeypatch):
    run = salt()
    journal = Journal(place.folder)
    journal.append(encode(RunStarted(run, "train", 1.0)))
    real = taking.read

    def read(*arguments: Any) -> Any:
        entries = list(real(*arguments))
        journal.append(encode(RunEnded(run, 2.0, "finished")))
        journal.close()
        return iter(entries)

    monkeypatch.setattr(taking, "read", read)
    place.push()
    assert place.labels() == ["start run train"]
    monkeypatch.setattr(taking, "read", real)
    place.push()
    assert place.labels("done") == ["start run train", "finish run train"]


def test_a_run_whose_file_was_begun_while_others_were_looked_at_waits_for_the_next_push(place, monkeypatch):
    real = taking.writers

    def writers(folder: Path) -> Any:
        seen = real(folder)
        place.run(outcome=None)
        return seen

    monkeypatch.setattr(taking, "writers", writers)
    place.push()
    assert place.labels() == ["start run train"]
    monkeypatch.setattr(taking, "writers", real)
    place.push()
    assert place.labels() == ["start run train", "fail run train"]


def test_what_other_processes_said_in_a_run_stands_in_its_end(place):
    run = salt()
    parent, child = Journal(place.folder), Journal(place.folder)
    parent.append(encode(RunStarted(run, "train", 1.0)))
    child.append(encode(Observed(run, 1.1, 0, {"loss": 0.4})))
    child.append(encode(Used(run, used().reference, "data")))
    child.append(encode(Produced(run, subject(b"shard"), None, "a shard")))
    parent.append(encode(RunEnded(run, 2.0, "finished")))
    parent.close()
    child.close()
    place.push()
    record = place.records()["finish run train"]
    assert record["observations"][0]["count"] == 1
    assert record["inputs"][0]["part"] == "data"
    assert record["claims"]["produced"][0]["name"] == "a shard"
    assert place.labels("invalid") == []


def test_a_start_that_was_written_twice_counts_once(place):
    started = RunStarted(salt(), "train", 1.0)
    place.write(started, started, RunEnded(started.run, 2.0, "finished"))
    place.push()
    assert place.labels("done") == ["start run train", "finish run train"]
    assert len(place.intents()) == 2


def test_an_end_that_was_written_twice_counts_once(place):
    run = place.run()
    place.push()
    place.write(RunEnded(run, 3.0, "failed"))
    place.push()
    assert place.labels() == ["start run train", "finish run train"]


def test_the_environment_stands_where_it_was_known_first(place):
    with_start, later = salt(), salt()
    seen, code = {"python": "3.11"}, {"commit": "ab" * 20, "dirty": False}
    with Journal(place.folder) as journal:
        for run in (with_start, later):
            journal.append(encode(RunStarted(run, "early" if run == with_start else "late", 1.0)))
        journal.append(encode(EnvironmentSeen(with_start, seen, code)))
        place.push()
        journal.append(encode(EnvironmentSeen(later, seen, code)))
        for run in (with_start, later):
            journal.append(encode(RunEnded(run, 2.0, "finished")))
        place.push()
    records = place.records()
    for known, other in [("start run early", "finish run early"), ("finish run late", "start run late")]:
        assert records[known]["activity"]["environment"] == seen
        assert records[known]["activity"]["code"] == code
        assert not records[other]["activity"].keys() & {"environment", "code"}


def test_a_failed_run_registers_nothing_it_produced(place):
    place.run(produced(), outcome="failed")
    place.push()
    assert place.labels() == ["start run train", "fail run train"]
    assert place.records()["fail run train"]["claims"]["produced"][0]["kind"] == "model"


# --- observations ----------------------------------------------------------------------------------


def test_the_roots_on_the_ledger_are_those_of_the_batches_in_storage(place, monkeypatch):
    monkeypatch.setattr(story, "MAX_OBSERVATIONS", 10)
    run = place.run(*[observed(step, loss=step / 7) for step in range(25)])
    place.push()
    anchored = [event for event in place.events() if isinstance(event, Anchored)]
    assert [event.count for event in anchored] == [10, 10, 5]
    batches = place.records()["finish run train"]["observations"]
    steps = []
    for event, batch in zip(anchored, batches, strict=True):
        kept = open_batch(place.storage.get(bytes.fromhex(batch["batch"][2:])))
        assert kept.root == event.root == bytes.fromhex(batch["root"][2:])
        assert len(kept.observations) == event.count == batch["count"]
        steps += [observation["step"] for observation in kept.observations]
        assert all(kept.prove(index).holds() for index in range(len(kept.observations)))
        artefact = place.records()["start run train"]["artefact"]
        assert {observation["run"] for observation in kept.observations} == {artefact}
    assert steps == list(range(25))
    assert run not in str(batches)


def test_wide_observations_go_into_more_batches(place, monkeypatch):
    monkeypatch.setattr(story, "BATCH_BYTES", 1_000)
    place.run(*[observed(step, **{f"metric {n}": 0.5 for n in range(30)}) for step in range(3)])
    place.push()
    assert [event.count for event in place.events() if isinstance(event, Anchored)] == [1, 1, 1]


def test_deep_and_odd_metrics_do_not_hold_the_others_up(place):
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"deeper": deep}
    run = salt()
    odd = {"nan": "NaN", "large": str(2**70), "deep": deep, "none": None, "": [1, {"x": 2.5}]}
    place.write(
        RunStarted(run, "train", 1.0),
        Observed(run, 1.1, 0, odd),
        Observed(run, 0.0, 1, {}),
        Observed(run, 253_402_300_799.0, None, {"loss": 1}),
        RunEnded(run, 2.0, "finished"),
    )
    place.push()
    assert place.labels("done") == ["start run train", "anchor 3 observations", "finish run train"]


# --- what cannot be read ---------------------------------------------------------------------------


def test_an_entry_of_a_newer_version_is_named_and_blocks_nothing(place):
    place.write(b'{"draft":"Dreamed","run":"0x00"}', b"\xff\xfe", b"5")
    place.run()
    place.push()
    assert place.labels("invalid") == ["read a journal entry"] * 3
    assert place.labels("done") == ["start run train", "finish run train"]
    assert all(
        "no draft this version knows" in (i.reason or "") for i in place.intents() if i.state == "invalid"
    )
    assert place.push().settled == ()


def test_a_damaged_journal_is_reported_and_the_rest_published(place):
    place.run(name="before")
    place.run(observed(), name="damaged")
    place.run(name="after")
    damaged = files(place.folder)[1]
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1  # in the end of the run
    damaged.write_bytes(content)
    published = place.push()
    assert [str(damaged) in problem.message for problem in published.damage] == [True]
    assert [label for label in place.labels("done") if "run" in label] == [
        "start run before",
        "start run damaged",
        "start run after",
        "finish run before",
        "finish run after",
        "fail run damaged",
    ]
    again = place.push()
    assert len(again.damage) == 1
    assert again.settled == ()


def test_what_belongs_to_a_run_whose_start_is_lost_is_told(place):
    run = salt()
    place.write(
        Observed(run, 1.0, 0, {"loss": 1}), Observed(run, 1.0, 1, {"loss": 1}), RunEnded(run, 2.0, "finished")
    )
    place.run()
    place.push()
    assert place.labels("invalid") == ["2 entries of a run", "the end of a run"]
    assert run in place.reason("2 entries of a run")
    assert place.labels("done") == ["start run train", "finish run train"]


def test_what_comes_after_the_end_of_a_run_is_anchored_or_told(place):
    run = place.run()
    place.push()
    place.write(Observed(run, 3.0, 7, {"loss": 1}), Used(run, used().reference, "data"))
    place.push()
    assert place.labels("done")[2:] == ["anchor 1 observations"]
    assert place.labels("invalid") == ["1 entries of run train"]
    assert "after the end" in place.reason("1 entries of run train")


@pytest.mark.parametrize(
    "step",
    [
        asked("approve", b"bytes of nobody"),
        collected().__class__("spaceship", "launch", 1.0, salt()),
        collected().__class__("dataset", "launch", 1.0, salt()),
    ],
    ids=["unknown bytes", "unknown kind", "unknown action"],
)
def test_a_step_that_cannot_be_is_refused_here_and_blocks_nothing(place, step):
    place.write(step, collected())
    place.push()
    (invalid,) = [intent for intent in place.intents() if intent.state == "invalid"]
    assert invalid.reason
    assert place.labels("done") == ["collect dataset digits"]


# --- kills -----------------------------------------------------------------------------------------


def test_every_entry_is_taken_in_once_however_often_it_is_killed(place, monkeypatch):
    monkeypatch.setattr(taking, "TAKE_AT_ONCE", 4)
    place.run(*[observed(step) for step in range(6)])
    place.write(collected(), b"\xff")
    expected = [entry.payload for entry in taking.read(place.folder, {}, [])]

    def work(countdown: Countdown) -> None:
        watch(monkeypatch, countdown)
        place.take_in()

    def recover() -> None:
        place.take_in()
        assert place.drafts() == expected
        assert place.take_in().count == 0
        place.path.unlink()

    assert kill_everywhere(work, recover) > 30


def test_every_statement_is_sealed_once_and_stored_however_often_it_is_killed(place, monkeypatch):
    place.run(observed(), produced(), used())
    place.write(collected(), b"\xff")
    real = place.storage.put_all

    def work(countdown: Countdown) -> None:
        def put_all(objects: Any) -> None:
            for each in objects:
                countdown.tick()
                real([each])
            countdown.tick()

        monkeypatch.setattr(place.storage, "put_all", put_all)
        watch(monkeypatch, countdown)
        place.seal()

    def recover() -> None:
        place.seal()
        assert states(place) == {
            "start run train": "waiting",
            "anchor 1 observations": "waiting",
            "finish run train": "waiting",
            "propose model m": "waiting",
            "collect dataset digits": "waiting",
            "read a journal entry": "invalid",
        }
        assert len(place.intents()) == 6
        assert len(place.records()) == 4
        assert place.drafts() == []
        place.path.unlink()

    assert kill_everywhere(work, recover) > 100
    place.push()
    place.check()


def test_a_record_is_in_storage_before_its_intent_is_in_the_outbox(place, monkeypatch):
    place.run()
    monkeypatch.setattr(place.storage, "put_all", lambda objects: os._exit(1))
    child = os.fork()
    if child == 0:
        place.seal()
        os._exit(0)
    assert os.waitpid(child, 0)[1] >> 8 == 1
    assert place.intents() == []


def test_a_journal_entry_says_what_the_outbox_took(place):
    run = place.run()
    place.take_in()
    assert [orjson.loads(payload)["run"] for payload in place.drafts()] == [run, run]
