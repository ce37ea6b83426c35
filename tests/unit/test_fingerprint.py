"""What files and folders are in digests, whatever their size and however the hashing is spread."""

import hashlib
import itertools
import os
import random
import threading
from pathlib import Path

import pytest
import rfc8785
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from proml.capture import hashing
from proml.capture.fingerprint import copy_hashed, fingerprint, matches
from proml.core.manifest import FileDigest, fault_in_name, read_manifest
from proml.errors import FileRefused, NotFound

# Around every border: read at once, in pieces, and (with borders made small) overlapped.
SIZES = [0, 1, 4096, 32 << 10, (32 << 10) + 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 7]


@pytest.fixture
def small_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way of hashing is taken with files of a few kilobytes."""
    monkeypatch.setattr(hashing, "SMALL_BYTES", 100)
    monkeypatch.setattr(hashing, "LARGE_BYTES", 5_000)
    monkeypatch.setattr(hashing, "_LARGE_PIECE", 1_000)
    monkeypatch.setattr(hashing, "_BATCH_BYTES", 3_000)
    monkeypatch.setattr(hashing, "THREADS", 3)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def write(root: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def plainly(files: dict[str, bytes], algorithm: str = "sha256") -> bytes:
    """A folder's digest by the shortest way there is."""
    function = {"sha256": hashlib.sha256, "blake3": blake3}[algorithm]
    listed = [
        {"path": path, algorithm: "0x" + function(files[path]).hexdigest(), "size": len(files[path])}
        for path in sorted(files, key=str.encode)
    ]
    return function(rfc8785.dumps({"type": "proml/manifest", "version": 1, "files": listed})).digest()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_its_sha256_and_blake3(tmp_path: Path, size: int) -> None:
    content = noise(size)
    file = tmp_path / "model.bin"
    file.write_bytes(content)
    found = fingerprint(file)
    assert (found.name, found.form, found.size, found.files) == ("model.bin", "file", size, None)
    assert found.sha256 == hashlib.sha256(content).digest()
    assert found.blake3 == blake3(content).digest()


@pytest.mark.usefixtures("small_borders")
@given(size=st.integers(0, 12_000), seed=st.integers(0, 99))
def test_every_way_of_reading_gives_the_same_digests(
    tmp_path_factory: pytest.TempPathFactory, size: int, seed: int
) -> None:
    content = noise(size, seed)
    file = tmp_path_factory.mktemp("file") / "f"
    file.write_bytes(content)
    found = fingerprint(file)
    expected = FileDigest(size, hashlib.sha256(content).digest(), blake3(content).digest())
    assert found.digest == expected
    assert matches(file, expected)
    assert matches(file, expected._replace(blake3=None))
    received = bytearray()
    assert copy_hashed(file, received.extend) == expected
    assert received == content


segments = st.text(min_size=1, max_size=8).filter(lambda name: not fault_in_name(name))
trees = st.dictionaries(
    st.lists(segments, min_size=1, max_size=3).map("/".join),
    st.integers(0, 9_000).map(noise),
    min_size=1,
    max_size=10,
)


@pytest.mark.usefixtures("small_borders")
@given(files=trees)
def test_a_folder_is_the_digest_of_its_manifest(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("tree") / "data"
    try:
        write(root, files)
        found = fingerprint(root)
    except (FileRefused, FileExistsError, NotADirectoryError, IsADirectoryError):
        return  # paths that collide: another test's matter
    assert (found.name, found.form, found.files) == ("data", "folder", len(files))
    assert found.size == sum(map(len, files.values()))
    assert found.sha256 == plainly(files)
    assert found.blake3 == plainly(files, "blake3")
    assert found.manifest is not None
    assert found.manifest.content == read_manifest(found.manifest.content).content
    assert matches(root, found.digest)
    assert matches(root, found.digest._replace(blake3=None))


def test_many_files_of_many_sizes_are_spread_and_none_is_lost(tmp_path: Path) -> None:
    files = {f"{n % 7}/{n}.bin": noise(n * 700, n) for n in range(200)} | {"big": noise(3 << 20)}
    found = fingerprint(write(tmp_path / "data", files))
    assert found.sha256 == plainly(files)
    assert found.blake3 == plainly(files, "blake3")


def test_times_modes_and_empty_folders_are_no_part_of_it(tmp_path: Path) -> None:
    root = write(tmp_path / "one", {"a": b"1", "b/c": b"2"})
    before = fingerprint(root)
    (root / "empty" / "deep").mkdir(parents=True)
    (root / "a").chmod(0o755)
    os.utime(root / "a", (1, 1))
    root.rename(tmp_path / "two")
    after = fingerprint(tmp_path / "two")
    assert (after.sha256, after.blake3) == (before.sha256, before.blake3)
    assert (before.name, after.name) == ("one", "two")


@pytest.mark.parametrize(
    "changed",
    [
        {"a": b"x", "b/c": b"2"},
        {"a": b"1", "b/d": b"2"},
        {"a": b"1"},
        {"a": b"1", "b/c": b"2", "e": b""},
        {"a": b"2", "b/c": b"1"},
        {"a": b"12", "b/c": b""},
    ],
)
def test_another_folder_has_another_digest(tmp_path: Path, changed: dict[str, bytes]) -> None:
    one = fingerprint(write(tmp_path / "one", {"a": b"1", "b/c": b"2"}))
    other = write(tmp_path / "other", changed)
    assert fingerprint(other).sha256 != one.sha256
    assert fingerprint(other).blake3 != one.blake3
    assert not matches(other, one.digest)
    assert not matches(other, one.digest._replace(blake3=None))


def test_a_changed_file_does_not_match(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(noise(100_000))
    expected = fingerprint(file).digest
    for altered in (noise(100_000, 1), noise(99_999), noise(100_000)[:-1] + b"?", b""):
        file.write_bytes(altered)
        assert not matches(file, expected)
        assert not matches(file, expected._replace(blake3=None))


def test_a_file_of_another_size_is_not_read(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as stream:
        stream.truncate(1 << 40)
    assert not matches(sparse, FileDigest(1, bytes(32), bytes(32)))


def test_the_name_is_that_of_the_path_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "run-42", {"weights": b"w"})
    (tmp_path / "latest").symlink_to("run-42")
    (tmp_path / "best").symlink_to("run-42/weights")
    assert fingerprint(tmp_path / "latest").name == "latest"
    assert fingerprint(tmp_path / "latest").sha256 == fingerprint(tmp_path / "run-42").sha256
    assert fingerprint(tmp_path / "best").sha256 == hashlib.sha256(b"w").digest()
    monkeypatch.chdir(tmp_path / "run-42")
    assert fingerprint(Path()).name == "run-42"
    assert fingerprint(Path("../run-42/")).name == "run-42"


def test_progress_counts_up_to_everything(tmp_path: Path) -> None:
    files = {f"{n}": noise(n * 20_000, n) for n in range(60)}
    root = write(tmp_path / "data", files)
    seen: list[tuple[int, int]] = []
    fingerprint(root, lambda size, count: seen.append((size, count)))
    assert seen == sorted(seen)
    assert seen[-1] == (sum(map(len, files.values())), 60)
    one: list[tuple[int, int]] = []
    fingerprint(root / "59", lambda size, count: one.append((size, count)))
    assert one[-1] == (59 * 20_000, 1)
    assert len(one) > 2


@pytest.mark.usefixtures("small_borders")
def test_an_interrupt_stops_every_thread_and_closes_every_file(tmp_path: Path) -> None:
    root = write(tmp_path / "data", {f"{n}": noise(n * 300, n) for n in range(60)})
    before, threads = open_files(), threading.active_count()

    def interrupt(size: int, _files: int) -> None:
        if size > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fingerprint(root, interrupt)
    assert (open_files(), threading.active_count()) == (before, threads)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    for ask in (
        fingerprint,
        lambda path: matches(path, FileDigest(0, b"", None)),
        lambda p: copy_hashed(p, print),
    ):
        with pytest.raises(NotFound, match="no file or folder"):
            ask(tmp_path / "nothing")


def test_a_folder_without_files_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(FileRefused, match="holds no files"):
        fingerprint(tmp_path / "a")


def test_a_folder_cannot_be_copied_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="no regular file"):
        copy_hashed(tmp_path, print)


def test_a_sink_that_fails_ends_the_copy(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(noise(100_000))
    before = open_files()

    def full(_: memoryview) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        copy_hashed(file, full)
    assert open_files() == before


def test_the_test_vector_of_the_format_page_holds(tmp_path: Path) -> None:
    found = fingerprint(write(tmp_path / "vector", {"a/ü.csv": b"", "b.txt": b"world\n"}))
    page = Path(__file__).parents[2].joinpath("docs", "manifest-format.md").read_text(encoding="utf-8")
    assert found.manifest is not None
    assert f"    {found.manifest.content.decode()}\n" in page
    assert f"SHA-256 `{found.sha256.hex()}`, BLAKE3\n`{found.blake3.hex()}`." in page


@pytest.mark.usefixtures("small_borders")
@pytest.mark.parametrize("failing", [1, 2, 9, 60])
def test_a_disk_that_fails_while_reading_is_told_whichever_thread_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    root = write(tmp_path / "data", {f"{n}": noise(n * 300, n) for n in range(60)})
    before, threads = open_files(), threading.active_count()
    real, calls = os.readv, itertools.count(1)

    def readv(fd: int, buffers: list[memoryview]) -> int:
        if next(calls) == failing:
            raise OSError(5, "Input/output error")
        return real(fd, buffers)

    monkeypatch.setattr(hashing.os, "readv", readv)
    with pytest.raises(FileRefused, match="the system says: Input/output error"):
        fingerprint(root)
    assert (open_files(), threading.active_count()) == (before, threads)


def test_a_name_that_could_mislead_is_refused_for_a_single_file_too(tmp_path: Path) -> None:
    file = tmp_path / "photo\u202egpj.exe"
    file.write_bytes(b"")
    with pytest.raises(FileRefused, match=r"U\+202E"):
        fingerprint(file)
