"""Storage in a folder under kills, full disks and other people's files (F1, F2, F5, F6)."""

import os
import shutil
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from proml.errors import NotFound, StorageProblem
from proml.storage import file as storage_file
from proml.storage.file import FileStorage

pytestmark = pytest.mark.faults


def named(content: bytes) -> bytes:
    return sha256(content).digest()


def storage_in(folder: Path) -> FileStorage:
    return FileStorage(folder, lambda digest, content: digest == named(content), 1 << 20)


def content_of(number: int) -> bytes:
    return b"%d " % number * 2_000


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*/*") if len(path.name) != 62]


STRACED = """
    import sys
    from hashlib import sha256
    from pathlib import Path
    from proml.errors import StorageProblem
    from proml.storage.file import FileStorage
    storage = FileStorage(Path(sys.argv[1]), lambda digest, content: digest == sha256(content).digest())
    for number in range(5):
        content = b"%d " % number * 2_000
        try:
            storage.put(sha256(content).digest(), content)
            print(number, flush=True)
        except StorageProblem:
            pass
"""


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize(
    "fault",
    [
        *(f"fsync:{what}:when={n}" for what in ("error=EIO", "signal=KILL") for n in (1, 2, 3, 4, 5)),
        *(f"rename:{what}:when={n}" for what in ("error=ENOSPC", "signal=KILL") for n in (1, 3)),
        *(f"mkdir:{what}:when={n}" for what in ("error=ENOSPC", "signal=KILL") for n in (1, 2)),
        "fsync:error=EIO:when=1+",
    ],
)
def test_a_call_that_fails_or_kills_leaves_an_object_or_nothing(tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "storage"
    call = fault.split(":", maxsplit=1)[0]
    strace = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={fault}"]
    python = [sys.executable, "-B", "-c", textwrap.dedent(STRACED), str(folder)]
    done = subprocess.run([*strace, *python], stdout=subprocess.PIPE, check=False, timeout=60, text=True)
    acknowledged = {int(line) for line in done.stdout.split()}
    storage = storage_in(folder)
    for number in range(5):
        try:
            assert storage.get(named(content_of(number))) == content_of(number)
        except NotFound:
            assert number not in acknowledged
    if "KILL" not in fault:
        assert leftovers(folder) == []
        assert len(acknowledged) == (0 if "+" in fault else 4)
    for number in range(5):
        storage.put(named(content_of(number)), content_of(number))
    assert len(list(storage.digests())) == 5


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_refuses_keeps_what_it_has_and_leaves_nothing_behind(tiny_disk: Path) -> None:
    storage = storage_in(tiny_disk / "storage")
    kept = set()
    for number in range(30):
        try:
            storage.put(named(content_of(number)), content_of(number))
            kept.add(named(content_of(number)))
        except StorageProblem as problem:
            hint = problem.hint
    assert 0 < len(kept) < 30
    assert hint == "free some disk space, or check that the folder is writable"
    assert set(storage.digests()) == kept
    assert all(storage.get(digest) for digest in kept)
    assert leftovers(tiny_disk / "storage") == []


def test_a_write_in_parts_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(storage_file.os, "write", lambda fd, content: real(fd, content[:7]))
    storage = storage_in(tmp_path)
    storage.put(named(content_of(1)), content_of(1))
    assert storage.get(named(content_of(1))) == content_of(1)


def test_wrong_bytes_stay_until_the_right_ones_come_and_are_then_set_aside(tmp_path: Path) -> None:
    storage = storage_in(tmp_path)
    digest = named(b"right")
    storage.put(digest, b"right")
    place = tmp_path / digest.hex()[:2] / digest.hex()[2:]
    place.write_bytes(b"wrong")
    with pytest.raises(StorageProblem):
        storage.get(digest)
    assert place.read_bytes() == b"wrong"
    assert leftovers(tmp_path) == []
    storage.put(digest, b"right")
    assert storage.get(digest) == b"right"
    (aside,) = leftovers(tmp_path)
    assert aside.read_bytes() == b"wrong"


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_under_a_name_is_never_read(tmp_path: Path, kind: str) -> None:
    storage = storage_in(tmp_path / "storage")
    digest = named(b"right")
    storage.put(digest, b"right")
    place = tmp_path / "storage" / digest.hex()[:2] / digest.hex()[2:]
    place.rename(tmp_path / "elsewhere")
    if kind == "link":
        place.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    with pytest.raises(StorageProblem, match="other bytes"):
        storage.get(digest)
    storage.put(digest, b"right")
    assert storage.get(digest) == b"right"


def test_objects_are_for_their_owner_alone_and_foreign_files_are_not_objects(tmp_path: Path) -> None:
    storage = storage_in(tmp_path / "storage")
    digest = named(b"x")
    storage.put(digest, b"x")
    subfolder = tmp_path / "storage" / digest.hex()[:2]
    (subfolder / "notes.txt").write_text("not an object")
    (subfolder / ("f" * 62 + ".new")).write_text("not an object")
    (tmp_path / "storage" / "lost+found").mkdir()
    assert list(storage.digests()) == [digest]
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (subfolder.parent, subfolder, subfolder / digest.hex()[2:])
    ]
    assert modes == [0o700, 0o700, 0o600]


def test_many_may_put_the_same_at_once(tmp_path: Path) -> None:
    storages = [storage_in(tmp_path) for _ in range(4)]

    def work(storage: FileStorage) -> None:
        for number in range(20):
            storage.put(named(content_of(number)), content_of(number))
            assert storage.get(named(content_of(number))) == content_of(number)

    workers = [threading.Thread(target=work, args=(storage,)) for storage in storages]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(list(storages[0].digests())) == 20
    assert leftovers(tmp_path) == []
