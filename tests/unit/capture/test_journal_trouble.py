"""Capture over a journal that cannot be written: the script goes on, or in strict mode is told at once."""

import os
import resource

import pytest

import proml
from proml.capture import run as runs
from proml.capture.draft import FINISHED, Observed, Produced, RunEnded, RunStarted, Used
from proml.capture.quick import AT_ONCE_BYTES
from proml.errors import FileRefused, JournalProblem, NotFound
from proml.journal import Journal


@pytest.fixture
def blocked(project):
    """A file where the journal's folder should be: nobody can write there, not even root."""
    project.journal.write_text("in the way")
    yield project
    runs._open_runs.clear()  # or the end of the tests would try once more


def test_without_a_journal_the_script_runs_and_every_loss_is_counted(blocked, caplog):
    done = []
    with proml.track("train") as run:
        run.used(__file__)
        for step in range(100):
            run.log({"loss": 1}, step=step)
        done.append(True)
    assert done == [True]
    assert run.missed == 1 + 1 + 100 + 1
    assert "103 captures failed" in caplog.text
    # 1, 2, 4 … 64 and the sum: a full disk does not flood the output.
    assert len(caplog.records) == 8
    assert blocked.journal.read_text() == "in the way"


def test_without_a_journal_strict_mode_refuses_before_the_block(blocked, settings):
    settings("strict = true")
    with pytest.raises(JournalProblem, match="cannot be written"), proml.track("train"):
        pytest.fail("the block ran")
    assert blocked.journal.read_text() == "in the way"


def test_a_run_that_could_not_begin_begins_when_there_is_room_again(blocked):
    with proml.track("train", parameters={"depth": 3}) as run:
        run.log({"loss": 1}, step=0)
        blocked.journal.unlink()
        run.log({"loss": 2}, step=1)
    started = blocked.only(RunStarted)
    assert started.parameters == {"depth": 3}
    assert [draft.step for draft in blocked.all(Observed)] == [1]
    assert blocked.only(RunEnded).outcome == FINISHED
    assert run.missed == 2


FULL = """
import logging, resource, sys
import proml
logging.basicConfig()
with proml.track("train") as run:
    run.log({"loss": 0}, step=0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    for step in range(1, 500):
        run.log({"loss": step}, step=step)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    run.log({"loss": 500}, step=500)
print("done", run.missed)
"""


def test_a_limit_on_file_sizes_neither_stops_training_nor_tears_an_entry(project):
    # A new file is begun wherever the limit is met, so nothing is lost at all.
    done = project.python(FULL)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done 0\n"
    assert [draft.step for draft in project.all(Observed)] == list(range(501))
    assert project.only(RunEnded).outcome == FINISHED


FULL_DISK = FULL.replace("(4096, hard)", "(0, hard)")


def test_a_full_disk_costs_what_was_logged_meanwhile_and_nothing_else(project, settings):
    settings("environment = false")
    done = project.python(FULL_DISK)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done 499\n"
    assert [draft.step for draft in project.all(Observed)] == [0, 500]
    assert project.only(RunEnded).outcome == FINISHED
    assert done.stderr.count("could not record log") < 20


def test_a_full_disk_in_strict_mode_stops_at_the_first_entry_that_is_lost(project, settings):
    settings("strict = true")
    done = project.python(FULL_DISK)
    assert done.returncode == 1
    assert "JournalProblem" in done.stderr
    assert "cannot be written" in done.stderr
    assert [draft.step for draft in project.all(Observed)] == [0]


ENDING = """
import resource
import proml
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
with proml.track("train"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
"""


def test_an_end_that_could_not_be_written_is_written_when_the_process_ends(project):
    done = project.python(ENDING)
    assert done.returncode == 0, done.stderr
    assert project.only(RunEnded).outcome == FINISHED


READ_ONLY = """
import os, sys
import proml
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
with proml.track("train") as run:
    run.log({"loss": 1})
print("done", run.missed)
"""


def test_a_folder_nobody_may_write_does_not_stop_training(project, tmp_path):
    project.journal.mkdir()
    for folder in [project.journal, project.journal.parent, project.root]:
        folder.chmod(0o555)
    parents = [
        folder
        for folder in tmp_path.parents
        if folder.stat().st_uid == os.getuid() and folder != folder.parent
    ]
    before = {folder: folder.stat().st_mode for folder in parents}
    try:
        for folder in parents:
            folder.chmod(before[folder] | 0o055)
        done = project.python(READ_ONLY)
    finally:
        for folder, mode in before.items():
            folder.chmod(mode)
        for folder in [project.root, project.journal.parent, project.journal]:
            folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done 3\n"
    assert list(project.journal.iterdir()) == []


def test_a_strict_run_does_not_hide_the_error_it_ends_by(project, settings, monkeypatch, caplog):
    settings("strict = true")

    def full(self: Journal, payload: bytes) -> None:
        raise JournalProblem("the disk is full")

    def train() -> None:
        with proml.track("train"):
            monkeypatch.setattr(Journal, "append", full)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert "the disk is full" in caplog.text


def test_a_missing_file_is_a_miss_and_in_strict_mode_an_error_before_the_step(project, settings, caplog):
    with proml.track("train") as run:
        run.used("missing.csv")
    assert run.missed == 1
    assert "missing.csv" in caplog.text
    settings("strict = true")
    with pytest.raises(NotFound), proml.track("train") as run:
        run.used("missing.csv")
    assert project.all(Used) == []


@pytest.mark.parametrize("what", [None, 5, [], "nul\0byte", b"bytes\xff", "", "/proc/self/mem"], ids=repr)
def test_no_argument_makes_training_fail(project, what):
    with proml.track("train") as run:
        run.used(what)
        run.produced(what, kind="model")
    assert run.missed == 2
    assert project.all(Used) == project.all(Produced) == []


def test_a_pipe_is_refused_and_not_waited_for(project):
    os.mkfifo("pipe")
    with proml.track("train") as run:
        run.used("pipe")
    assert run.missed == 1
    assert project.only(RunEnded).outcome == FINISHED


def test_a_large_file_is_hashed_while_training_goes_on(project):
    with open("large.bin", "wb") as file:
        file.truncate(AT_ONCE_BYTES + 1)
    with proml.track("train") as run:
        run.used("large.bin", part="training data")
        run.produced("large.bin", kind="model")
    used, produced = project.only(Used), project.only(Produced)
    assert used.reference.subject.size == AT_ONCE_BYTES + 1
    assert used.part == "training data"
    assert produced.subject == used.reference.subject
    # The end of the run waited for both.
    assert project.drafts()[-1] == project.only(RunEnded)


def test_a_large_file_that_is_refused_is_a_miss_on_the_other_thread_too(project, caplog):
    os.mkdir("folder")
    os.symlink("/etc/passwd", "folder/link")
    with proml.track("train") as run:
        run.used("folder")
    assert run.missed == 1
    assert "link" in caplog.text
    assert project.only(RunEnded).outcome == FINISHED


def test_in_strict_mode_a_large_file_is_refused_before_the_step(project, settings):
    settings("strict = true")
    os.mkdir("folder")
    os.symlink("/etc/passwd", "folder/link")
    with pytest.raises(FileRefused), proml.track("train") as run:
        run.used("folder")
    assert project.only(RunEnded).outcome == "failed"


def test_without_more_threads_the_work_is_done_at_once(project, settings, monkeypatch):
    settings("environment = false")

    def no_more(self: object) -> None:
        raise RuntimeError("can't start new thread")

    os.mkdir("folder")
    (project.root / "folder" / "a.txt").write_text("a")
    with proml.track("train") as run:
        monkeypatch.setattr("threading.Thread.start", no_more)
        run.used("folder")
        assert len(project.all(Used)) == 1
    assert run.missed == 0


def test_the_limits_used_here_are_those_of_the_process(project):
    # The tests above lower RLIMIT_FSIZE in children; nothing of it may reach this process.
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0
