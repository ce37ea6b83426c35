"""Backups: whole, taken while at work, compared before anything of them is believed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from proml.config import load
from proml.errors import UsageProblem
from proml.node.backing_up import MANIFEST, back_up, restore
from proml.node.founding import start_project
from proml.node.outbox import open_outbox
from proml.node.participant import Participant


@pytest.fixture
def project(tmp_path: Path) -> Participant:
    """A project with something in the journal, in storage and in the outbox."""
    root = tmp_path / "project"
    start_project(root, "Acme")
    me = Participant(load(root, {}))
    me.register(None, "dependency", name="lib")
    me.storage.put(bytes.fromhex("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"), b"foo")
    with open_outbox(me.config.outbox) as outbox:
        outbox.add_known(bytes(32), b"\x01" * 32, 1)
    (root / ".proml" / "node").mkdir()
    (root / ".proml" / "node" / "access.sqlite").write_bytes(b"tokens")
    return me


def files(folder: Path) -> dict[str, bytes]:
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    return {name: content for name, content in found.items() if not name.endswith(".lock")}


def changed(path: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> None:
    """Write the entries of a tar file again, after a change."""
    with tarfile.open(path) as tar:
        entries = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    change(entries)
    with tarfile.open(path, "w:") as tar:
        for member, content in entries:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_what_was_backed_up_is_restored_without_keys_and_tokens(project: Participant, tmp_path: Path):
    backup = tmp_path / "a.tar"
    count = back_up(project.config, backup)
    assert backup.stat().st_mode & 0o077 == 0
    assert restore(backup, tmp_path / "again") == count
    before, after = files(project.config.folder), files(tmp_path / "again" / ".proml")
    left_out = {name for name in before if name.startswith(("keys/", "node/")) or name == ".gitignore"}
    assert set(before) - set(after) == left_out
    same = set(after) - {"outbox.sqlite"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    with open_outbox(tmp_path / "again" / ".proml" / "outbox.sqlite") as outbox:
        assert outbox.known(bytes(32)) == [(b"\x01" * 32, 1)]


def test_keys_are_in_it_where_that_is_asked_for(project: Participant, tmp_path: Path):
    back_up(project.config, tmp_path / "a.tar", keys=True)
    restore(tmp_path / "a.tar", tmp_path / "again")
    key = tmp_path / "again" / ".proml" / "keys" / "default.json"
    assert key.read_bytes() == project.config.key_file.read_bytes()
    assert key.stat().st_mode & 0o077 == 0


def test_neither_a_backup_nor_a_project_is_written_over(project: Participant, tmp_path: Path):
    back_up(project.config, tmp_path / "a.tar")
    before = files(tmp_path)
    with pytest.raises(UsageProblem, match="already"):
        back_up(project.config, tmp_path / "a.tar")
    with pytest.raises(UsageProblem, match="already"):
        restore(tmp_path / "a.tar", project.config.root)
    assert files(tmp_path) == before


def _alter(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    entries[0] = entries[0][0], entries[0][1] + b"x"


def _drop(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    del entries[0]


def _drop_manifest(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    assert entries.pop()[0].name == MANIFEST


def _climb(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    entries[0][0].name = "../../escaped"


def _link(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    member = tarfile.TarInfo("storage")
    member.type, member.linkname = tarfile.SYMTYPE, "/tmp"
    entries.insert(0, (member, b""))


def _twice(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    entries.insert(0, entries[0])


@pytest.mark.parametrize("change", [_alter, _drop, _drop_manifest, _climb, _link, _twice])
def test_a_backup_that_was_changed_is_refused_and_nothing_written(
    project: Participant, tmp_path: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]
):
    back_up(project.config, tmp_path / "a.tar")
    changed(tmp_path / "a.tar", change)
    before = files(tmp_path)
    with pytest.raises(UsageProblem):
        restore(tmp_path / "a.tar", tmp_path / "again")
    assert files(tmp_path) == before
    assert not (tmp_path / "again").exists() or not list((tmp_path / "again").iterdir())


@pytest.mark.parametrize("length", [0, 100, 512, 5_000])
def test_a_backup_that_was_cut_short_is_refused(project: Participant, tmp_path: Path, length: int):
    back_up(project.config, tmp_path / "a.tar")
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:length])
    with pytest.raises(UsageProblem):
        restore(tmp_path / "a.tar", tmp_path / "again")
