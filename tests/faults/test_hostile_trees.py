"""Folders made to mislead, and files that change under the reader (F32-F35)."""

import hashlib
import mmap
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proml.capture import tree
from proml.capture.fingerprint import copy_hashed, fingerprint
from proml.capture.tree import Limits
from proml.errors import FileRefused

pytestmark = pytest.mark.faults

SIZE = 3 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two files and a secret beside it."""
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "plain").write_bytes(b"plain")
    (folder / "sub" / "inner").write_bytes(b"inner")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    # Fewer is possible: a thread of an earlier test may close its own meanwhile.
    assert len(os.listdir("/proc/self/fd")) <= before


def refusal(path: Path, limits: Limits | None = None) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        fingerprint(path, limits=limits)
    return refused.value


def listing(folder: Path) -> dict[str, bytes]:
    found = fingerprint(folder)
    assert found.manifest is not None
    return {file.path: file.digest.sha256 for file in found.manifest.files}


# --- what stands in a folder ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", ["../secret", "sub/../../secret", "/etc/passwd", "..", "sub/../..", "/", "sub/../../data/plain"]
)
def test_a_link_that_leaves_the_folder_is_refused(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    refused = refusal(root)
    assert refused.path == "link"
    assert "leaves the folder" in refused.reason


def test_an_absolute_link_is_refused_even_if_it_leads_back(root: Path) -> None:
    (root / "link").symlink_to(root / "plain")
    assert "leaves the folder" in refusal(root).reason


@pytest.mark.parametrize("target", ["sub", ".", "sub/", "./sub/../sub", "dirlink"])
def test_a_link_to_a_folder_is_refused(root: Path, target: str) -> None:
    (root / "sub" / "dirlink").symlink_to(".")
    (root / "link").symlink_to(target if target != "dirlink" else "sub/dirlink")
    assert "link to a folder" in refusal(root).reason


@pytest.mark.parametrize("links", [{"one": "one"}, {"one": "two", "two": "one"}, {"one": "sub/../one"}])
def test_a_link_in_circles_is_refused(root: Path, links: dict[str, str]) -> None:
    for name, target in links.items():
        (root / name).symlink_to(target)
    assert "circles" in refusal(root).reason


@pytest.mark.parametrize("target", ["nothing", "sub/nothing", "plain/", "plain/x"])
def test_a_link_to_nothing_is_refused(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    assert refusal(root).path == "link"


def test_a_link_to_a_file_inside_counts_as_that_file(root: Path) -> None:
    (root / "sub" / "up").symlink_to("../plain")
    (root / "down").symlink_to("./sub//up")
    (root / "hard").hardlink_to(root / "plain")
    found = listing(root)
    plain = hashlib.sha256(b"plain").digest()
    assert sorted(found) == ["down", "hard", "plain", "sub/inner", "sub/up"]
    assert found["down"] == found["sub/up"] == found["hard"] == plain
    for name in ("down", "sub/up", "hard"):
        (root / name).unlink()
        (root / name).write_bytes(b"plain")
    assert listing(root) == found


def test_pipes_sockets_and_devices_are_refused_and_never_opened(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert refusal(root).path == "pipe"
    assert "pipe" in refusal(root / "pipe").reason
    (root / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        assert refusal(root).path == "socket"
        assert "socket" in refusal(root / "socket").reason
    assert "device" in refusal(Path("/dev/zero")).reason
    (root / "socket").unlink()
    (root / "zero").symlink_to("/dev/zero")
    assert refusal(root).path == "zero"


@pytest.mark.parametrize(
    "name",
    [
        b"a\\b",
        b"a\nb",
        b"\xff\xfe",
        b"r\xe2\x80\xaegpj.exe",
        b"zero\xe2\x80\x8bwidth",
        b"dot.",
        b"space ",
        b"CON",
        b"nul.txt",
        "e\u0301".encode(),
        b"\x1b[2J",
        b"a\x7f",
    ],
)
def test_a_hostile_name_is_refused(root: Path, name: bytes) -> None:
    Path(os.fsdecode(os.path.join(os.fsencode(root), name))).write_bytes(b"")
    refused = refusal(root)
    assert os.fsencode(refused.path) == name
    assert refused.message.isprintable()  # it does nothing to a terminal and needs no surrogates
    os.rename(os.path.join(os.fsencode(root), name), os.path.join(os.fsencode(root), b"fine"))
    fingerprint(root)


@pytest.mark.parametrize(
    ("one", "other"), [("README", "readme"), ("é", "É"), ("straße", "STRASSE"), ("dir/x", "DIR/y")]
)
def test_twins_are_refused_naming_both(root: Path, one: str, other: str) -> None:
    for path in (one, other):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(b"")
    refused = refusal(root)
    for path in (one, other):
        assert path.split("/", maxsplit=1)[0] in refused.message


def test_a_folder_is_bounded_and_the_limit_named(root: Path) -> None:
    assert "more than 1 files" in refusal(root, Limits(files=1)).reason
    assert "or 9 bytes" in refusal(root, Limits(size=9)).reason
    assert "more than 1 levels deep" in refusal(root, Limits(depth=1)).reason
    assert fingerprint(root, limits=Limits(files=2, size=10, depth=2)).files == 2


@pytest.mark.parametrize("with_file", [True, False])
def test_a_thousand_levels_are_refused_without_going_there(root: Path, with_file: bool) -> None:
    deep = root / "/".join(["d"] * 1_000)
    deep.mkdir(parents=True)
    if with_file:
        (deep / "file").write_bytes(b"")
    assert "more than 128 levels deep" in refusal(root).reason


def test_a_path_beyond_the_length_all_platforms_take_is_refused(root: Path) -> None:
    deep = root / "/".join(["d" * 200] * 5)
    deep.mkdir(parents=True)
    (deep / "x").write_bytes(b"")
    fingerprint(root)
    (deep / ("y" * 100)).write_bytes(b"")
    assert "longer than 1024 bytes" in refusal(root).reason


def test_a_file_that_lies_about_its_size_is_refused() -> None:
    assert "changed" in refusal(Path("/proc/self/status")).reason


def test_a_sparse_file_beyond_the_limit_is_not_read(root: Path) -> None:
    with (root / "sparse").open("wb") as stream:
        stream.truncate(1 << 43)
    assert "more than" in refusal(root, Limits(size=1 << 40)).reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(root: Path) -> None:
    (root / "plain").chmod(0)
    assert "Permission denied" in refusal(root).reason


# --- what changes under the reader -----------------------------------------------------------------------


def grow(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"more")


def shrink(file: Path) -> None:
    os.truncate(file, SIZE - 1)


def rewrite(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(SIZE - 1)
        stream.write(b"?")


def rewrite_and_set_back_the_time(file: Path) -> None:
    before = file.stat()
    rewrite(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(file: Path) -> None:
    (file.parent.parent / "new").write_bytes(bytes(SIZE))
    (file.parent.parent / "new").rename(file)


CHANGES: list[Callable[[Path], None]] = [
    grow,
    shrink,
    rewrite,
    rewrite_and_set_back_the_time,
    replace,
    Path.unlink,
    lambda file: file.chmod(0o600),
    lambda file: (file.parent / "another").write_bytes(b""),
]


@pytest.mark.parametrize("change", CHANGES[:-1])
@pytest.mark.parametrize("inside", [True, False])
def test_a_file_that_changes_while_it_is_hashed_is_refused(
    root: Path, change: Callable[[Path], None], inside: bool
) -> None:
    file = root / "large"
    file.write_bytes(os.urandom(SIZE))
    time.sleep(0.02)  # some systems tell times in steps of ten milliseconds
    done = []

    def meddle(size: int, _files: int) -> None:
        if size > 1 << 20 and not done:
            done.append(change(file))

    with pytest.raises(FileRefused, match="changed while it was read"):
        fingerprint(root if inside else file, meddle)
    assert done


def test_a_folder_that_changes_while_it_is_walked_is_refused(root: Path) -> None:
    time.sleep(0.02)
    done = []

    def meddle(_size: int, _files: int) -> None:
        if not done:
            done.append((root / "another").write_bytes(b""))

    with pytest.raises(FileRefused, match="changed while it was read"):
        fingerprint(root, meddle)


def swap_before_opening(monkeypatch: pytest.MonkeyPatch, name: str, swap: Callable[[], None]) -> None:
    real = os.open

    def swapping(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == name:
            swap()
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(tree.os, "open", swapping)


def test_a_file_swapped_for_a_link_between_looking_and_opening_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap() -> None:
        (root / "plain").unlink()
        (root / "plain").symlink_to("../secret")

    swap_before_opening(monkeypatch, "plain", swap)
    refused = refusal(root)
    assert (refused.path, "changed" in refused.reason) == ("plain", True)


def test_a_folder_swapped_for_a_link_between_looking_and_opening_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap() -> None:
        (root / "sub").rename(root.parent / "moved")
        (root / "sub").symlink_to("/etc")

    swap_before_opening(monkeypatch, "sub", swap)
    assert "changed" in refusal(root).reason


def test_a_file_swapped_for_a_pipe_between_looking_and_opening_does_not_hang(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap() -> None:
        (root / "plain").unlink()
        os.mkfifo(root / "plain")

    swap_before_opening(monkeypatch, "plain", swap)
    assert "no regular file" in refusal(root).reason


def test_what_was_hashed_is_what_was_given_whoever_writes_meanwhile(root: Path) -> None:
    file = root / "mapped"
    file.write_bytes(os.urandom(SIZE))
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as memory:
        memory[SIZE - 1] ^= 1  # the page is dirty: another write to it changes no time
        received = bytearray()
        time.sleep(0.02)

        def sink(piece: memoryview) -> None:
            received.extend(piece)
            memory[SIZE - 1] ^= 0xFF

        digest = copy_hashed(file, sink)
    assert digest.sha256 == hashlib.sha256(received).digest()
    assert len(received) == SIZE
