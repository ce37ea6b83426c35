"""Large files and folders that are written again before their turn to be hashed comes."""

import os
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import proml
from proml.capture import run as runs
from proml.capture import seen as seen_module
from proml.capture.draft import Produced, RunEnded, Used
from proml.capture.quick import AT_ONCE_BYTES
from proml.capture.seen import Seen
from proml.errors import FileRefused, NotFound

LARGE = AT_ONCE_BYTES + 1


def content(version: int) -> bytes:
    return bytes([version]) * LARGE


def digest(raw: bytes) -> str:
    return "0x" + sha256(raw).hexdigest()


def save(path: str, raw: bytes) -> None:
    """As careful trainers do."""
    Path(path + ".new").write_bytes(raw)
    os.replace(path + ".new", path)


@pytest.fixture
def folder(project) -> Path:
    made = project.root / "data"
    (made / "deep").mkdir(parents=True)
    (made / "a.csv").write_text("1")
    (made / "deep" / "b.csv").write_text("2")
    return made


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], None]]:
    """Makes a run's other thread busy until the block is left, as a huge file would."""
    goes_on = threading.Event()

    def occupy(run: Any) -> None:
        run._backlog.add(lambda: goes_on.wait(20))
        occupied.append(run)

    occupied: list[Any] = []
    finish = runs.Backlog.finish

    def release(self: Any) -> None:
        goes_on.set()
        finish(self)

    monkeypatch.setattr(runs.Backlog, "finish", release)
    yield occupy
    goes_on.set()
    for run in occupied:
        finish(run._backlog)


def test_each_checkpoint_under_one_name_has_the_digest_of_its_own_bytes(project, busy):
    with proml.track("train") as run:
        busy(run)
        for epoch in range(3):
            save("ck.bin", content(epoch))
            run.produced("ck.bin", kind="model", name=f"epoch{epoch}")
    assert run.missed == 0
    assert {draft.name: draft.subject.sha256 for draft in project.all(Produced)} == {
        f"epoch{epoch}": digest(content(epoch)) for epoch in range(3)
    }
    assert not seen_module._held


def test_a_large_file_that_is_removed_is_recorded_as_it_was(project, busy):
    Path("ck.bin").write_bytes(content(1))
    with proml.track("train") as run:
        busy(run)
        run.produced("ck.bin", kind="model")
        os.remove("ck.bin")
    assert run.missed == 0
    assert project.only(Produced).subject.sha256 == digest(content(1))


@pytest.mark.parametrize("way", ["rewritten", "one byte", "grown"])
def test_a_large_file_that_is_written_to_is_a_miss_and_said_to_be(project, busy, caplog, way):
    Path("ck.bin").write_bytes(content(1))
    os.utime("ck.bin", ns=(0, 0))  # long ago: the clock of file systems ticks in milliseconds
    with proml.track("train") as run:
        busy(run)
        run.produced("ck.bin", kind="model")
        if way == "rewritten":
            Path("ck.bin").write_bytes(content(2))
        else:
            with open("ck.bin", "ab" if way == "grown" else "r+b") as file:
                file.write(b"x")
    assert run.missed == 1
    assert "ck.bin" in caplog.text
    assert "changed after it was named" in caplog.text
    assert project.all(Produced) == []
    assert project.only(RunEnded).outcome == "finished"
    assert not seen_module._held


def test_in_strict_mode_the_bytes_are_hashed_before_the_call_returns(project, settings):
    settings("strict = true\nenvironment = false")
    Path("ck.bin").write_bytes(content(1))
    with proml.track("train") as run:
        run.produced("ck.bin", kind="model")
        assert project.only(Produced).subject.sha256 == digest(content(1))
        Path("ck.bin").write_bytes(content(2))


def test_beyond_so_many_open_files_a_replaced_one_is_a_miss(project, busy, caplog, monkeypatch):
    monkeypatch.setattr(seen_module, "HELD_FILES", 1)
    with proml.track("train") as run:
        busy(run)
        for epoch in range(2):
            save("ck.bin", content(epoch))
            run.produced("ck.bin", kind="model", name=f"epoch{epoch}")
        save("ck.bin", content(2))
        save("other.bin", content(3))
        run.produced("other.bin", kind="model", name="other")
    assert run.missed == 1
    assert "ck.bin" in caplog.text
    assert {draft.name: draft.subject.sha256 for draft in project.all(Produced)} == {
        "epoch0": digest(content(0)),
        "other": digest(content(3)),
    }


def test_a_script_that_goes_to_another_folder_means_the_file_it_named(project, folder, busy, monkeypatch):
    (folder / "data").mkdir()
    (folder / "data" / "wrong.csv").write_text("3")
    with proml.track("train") as run:
        busy(run)
        run.used("data")
        monkeypatch.chdir(folder)
    assert run.missed == 0
    assert project.only(Used).reference.subject.files == 3


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file written to": lambda folder: (folder / "deep" / "b.csv").write_text("3"),
    "a file added": lambda folder: (folder / "deep" / "c.csv").write_text("3"),
    "a file removed": lambda folder: (folder / "a.csv").unlink(),
    "a file replaced": lambda folder: save(str(folder / "a.csv"), b"1"),
    "the folder replaced": lambda folder: (folder.rename("old"), os.makedirs("data"), save("data/a", b"1")),
    "the folder gone": lambda folder: folder.rename("old"),
}


@pytest.mark.parametrize("noted", [seen_module.NOTED, 1], ids=["all noted", "only itself noted"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_folder_in_which_anything_changes_is_a_miss(project, folder, busy, monkeypatch, change, noted):
    monkeypatch.setattr(seen_module, "NOTED", noted)
    for path in (*folder.rglob("*"), folder):
        os.utime(path, ns=(0, 0))
    with proml.track("train") as run:
        busy(run)
        run.used("data")
        threading.Event().wait(0.02)  # longer than a tick of the file system's clock
        change(folder)
    assert run.missed == 1
    assert project.all(Used) == []


@pytest.mark.parametrize("noted", [seen_module.NOTED, 1], ids=["all noted", "only itself noted"])
def test_a_folder_that_stays_as_it_is_is_recorded(project, folder, busy, monkeypatch, noted):
    monkeypatch.setattr(seen_module, "NOTED", noted)
    os.symlink("data", "latest")
    os.symlink("a.csv", folder / "link.csv")
    with proml.track("train") as run:
        busy(run)
        run.used("latest")
    assert run.missed == 0
    assert project.only(Used).reference.subject.name == "latest"
    assert project.only(Used).reference.subject.files == 3


def test_what_changes_between_the_look_and_the_hash_is_refused(tmp_path):
    file = tmp_path / "ck.bin"
    file.write_bytes(b"1")
    os.utime(file, ns=(0, 0))
    seen = Seen(file)
    file.write_bytes(b"2")
    with pytest.raises(FileRefused, match="changed after it was named") as refused:
        seen.fingerprint()
    assert "strict" in refused.value.hint
    assert not seen_module._held


def test_a_second_name_does_not_change_a_file(tmp_path):
    file = tmp_path / "ck.bin"
    file.write_bytes(b"1")
    seen = Seen(file)
    threading.Event().wait(0.02)
    os.link(file, tmp_path / "best.bin")
    assert seen.fingerprint().sha256 == sha256(b"1").digest()


def test_what_is_not_there_is_told_at_the_call(tmp_path):
    with pytest.raises(NotFound):
        Seen(tmp_path / "missing")
    assert not seen_module._held


def test_a_forked_child_does_not_keep_its_parents_files_open(project):
    Path("ck.bin").write_bytes(content(1))
    done = project.python(
        """
import os
from pathlib import Path
from proml.capture.seen import Seen
seen = Seen(Path("ck.bin"))
child = os.fork()
if child == 0:
    try:
        os.fstat(seen._file.fd)
    except OSError:
        os._exit(0)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
assert seen.fingerprint().size == os.stat("ck.bin").st_size
"""
    )
    assert done.returncode == 0, done.stderr
