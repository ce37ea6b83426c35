"""The journal when writes and syncs fail, are interrupted or come in between each other (F2, F3, F7)."""

import importlib
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from proml.errors import JournalProblem
from proml.journal import Journal, files, read, repair, scan
from proml.journal import segment as segments

pytestmark = pytest.mark.faults
# The package has a function of the same name.
repairing = importlib.import_module("proml.journal.repair")


def payloads(folder: Path) -> list[bytes]:
    return [entry.payload for entry in read(folder)]


class Failing:
    """Stands in for a system call: does what it is told on the n-th call, else the real thing."""

    def __init__(self, real: Callable[..., int], when: set[int], fault: Callable[..., int]) -> None:
        self.real, self.when, self.fault, self.calls = real, when, fault, 0

    def __call__(self, *arguments: object) -> int:
        self.calls += 1
        return (self.fault if self.calls in self.when else self.real)(*arguments)


def io_error(*_: object) -> int:
    raise OSError(5, "Input/output error")


def test_after_a_failed_sync_everything_unacknowledged_stands_in_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(os.fdatasync, {3}, io_error)
    monkeypatch.setattr(segments.os, "fdatasync", failing)
    with Journal(tmp_path, durable=True) as journal:
        positions = [journal.append(b"%d" % number) for number in range(6)]
        assert journal.faults == 1
    entries = list(read(tmp_path))
    assert [entry.payload for entry in entries] == [b"%d" % number for number in range(6)]
    assert [(entry.file_id, entry.number) for entry in entries] == positions
    # Two acknowledged in the suspect file, the third alone, the rest after it.
    assert [len(list(group)) for group in _by_file(positions)] == [2, 1, 3]
    suspect = scan(files(tmp_path)[0])
    assert suspect.frames == 3


def _by_file(positions: list[tuple[bytes, int]]) -> list[list[int]]:
    groups: dict[bytes, list[int]] = {}
    for file_id, number in positions:
        groups.setdefault(file_id, []).append(number)
    return list(groups.values())


def test_a_plain_journal_whose_sync_fails_writes_its_tail_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [b"%d" % number for number in range(10)]
    monkeypatch.setattr(segments.os, "fdatasync", Failing(os.fdatasync, {2}, io_error))
    with Journal(tmp_path, segment_bytes=300) as journal:
        for line in lines:
            journal.append(line)
        journal.sync()
        assert journal.faults == 1
    assert payloads(tmp_path) == lines


@pytest.mark.parametrize("failing", range(1, 6))
def test_what_later_files_hold_never_comes_before_what_was_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    lines = [b"%02d" % number for number in range(40)]
    monkeypatch.setattr(segments.os, "fdatasync", Failing(os.fdatasync, {failing, failing + 1}, io_error))
    with Journal(tmp_path, segment_bytes=300) as journal:
        for number, line in enumerate(lines):
            journal.append(line)
            if number % 16 == 15:
                with suppress(JournalProblem):
                    journal.sync()
        with suppress(JournalProblem):
            journal.sync()
    assert payloads(tmp_path) == lines


def test_a_disk_that_fails_for_good_is_told_and_loses_nothing_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(os.fdatasync, set(range(3, 11)), io_error)
    monkeypatch.setattr(segments.os, "fdatasync", failing)
    journal = Journal(tmp_path, durable=True)
    acknowledged, hints = [], set()
    for number in range(12):
        try:
            journal.append(b"%d" % number)
        except JournalProblem as problem:
            hints.add(problem.hint)
        else:
            acknowledged.append(b"%d" % number)
    assert hints == {"the disk may be failing: copy the journal folder elsewhere"}
    found = payloads(tmp_path)
    assert set(acknowledged) <= set(found)
    assert b"0" in acknowledged
    assert b"11" in acknowledged
    assert len(found) == len(set(found))
    assert not list(tmp_path.glob("*.new"))


def test_many_threads_share_one_sync_and_all_survive_its_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments.os, "fdatasync", Failing(os.fdatasync, {2, 5, 9, 14, 20}, io_error))
    journal = Journal(tmp_path, durable=True, segment_bytes=2_000)
    positions: dict[bytes, tuple[bytes, int]] = {}

    def work(name: int) -> None:
        for call in range(25):
            line = b"%d %d" % (name, call)
            positions[line] = journal.append(line)

    workers = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    entries = list(read(tmp_path))
    assert {entry.payload: (entry.file_id, entry.number) for entry in entries} == positions
    assert len(entries) == 200


def test_an_interrupt_after_the_write_leaves_no_half_known_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def write_then_interrupt(fd: int, content: bytes) -> int:
        real(fd, content)
        raise KeyboardInterrupt

    journal = Journal(tmp_path)
    journal.append(b"before")
    monkeypatch.setattr(segments.os, "write", write_then_interrupt)
    with pytest.raises(KeyboardInterrupt):
        journal.append(b"interrupted")
    monkeypatch.setattr(segments.os, "write", real)
    journal.append(b"after")
    assert payloads(tmp_path) == [b"before", b"after"]
    # The same when the file cannot be cut: the next file's header says what counts.
    monkeypatch.setattr(segments.os, "write", write_then_interrupt)
    monkeypatch.setattr(segments.os, "ftruncate", io_error)
    with pytest.raises(KeyboardInterrupt):
        journal.append(b"interrupted")
    monkeypatch.undo()
    journal.append(b"at last")
    assert payloads(tmp_path) == [b"before", b"after", b"at last"]


def test_a_signal_handler_may_append_while_an_append_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    journal = Journal(tmp_path)
    journal.append(b"before")

    def write_between(fd: int, content: bytes) -> int:
        monkeypatch.setattr(segments.os, "write", real)
        journal.append(b"from the handler")
        return real(fd, content)

    monkeypatch.setattr(segments.os, "write", write_between)
    journal.append(b"after")
    journal.append(b"last")
    assert sorted(payloads(tmp_path)) == [b"after", b"before", b"from the handler", b"last"]
    assert len(files(tmp_path)) == 2


def test_a_short_write_is_taken_back_and_written_whole_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    journal = Journal(tmp_path)
    journal.append(b"before")
    short = Failing(real, {1}, lambda fd, content: real(fd, content[:20]))
    monkeypatch.setattr(segments.os, "write", short)
    journal.append(b"after")
    assert payloads(tmp_path) == [b"before", b"after"]
    assert all(scan(file).damage is None for file in files(tmp_path))


def test_a_durable_journal_whose_folder_is_removed_begins_it_again(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal = Journal(folder, durable=True)
    journal.append(b"gone with the folder")
    shutil.rmtree(folder)
    journal.append(b"kept")
    assert [entry.payload for entry in read(folder, problems=[])] == [b"kept"]
    assert journal.faults == 1


def test_a_copy_that_is_cut_short_does_not_pass_for_one_that_was_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path) as journal:
        journal.append(b"one")
    (file,) = files(tmp_path)
    with file.open("ab") as stream:
        stream.write(b"torn")
    whole = file.read_bytes()
    monkeypatch.setattr(repairing.os, "fsync", io_error)
    with pytest.raises(JournalProblem, match="Input/output"):
        repair(file)
    monkeypatch.undo()
    assert file.read_bytes() == whole
    problems: list[JournalProblem] = []
    assert [entry.payload for entry in read(tmp_path, problems=problems)] == [b"one"]
    assert len(problems) == 1, "the damage is not known yet"
    assert repair(file) is not None
    assert not list(tmp_path.glob("*.being-set-aside"))


def test_a_repair_that_is_stopped_half_way_can_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path) as journal:
        journal.append(b"one")
    (file,) = files(tmp_path)
    with file.open("ab") as stream:
        stream.write(b"torn")
    monkeypatch.setattr(segments.os, "ftruncate", io_error)
    with pytest.raises(JournalProblem, match="Input/output"):
        repair(file)
    monkeypatch.undo()
    assert repair(file) is not None
    assert {path.read_bytes() for path in tmp_path.glob("*.damaged-*")} == {b"torn"}
    assert payloads(tmp_path) == [b"one"]
