"""What is known of files hashed before spares hashing them again, and never vouches for anything."""

import os
import shutil
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

import proml
from proml.capture import known as known_module
from proml.capture import run as runs
from proml.capture.draft import Produced, Used
from proml.capture.known import Known, snapshot
from proml.capture.quick import AT_ONCE_BYTES, is_quick
from proml.capture.run import subject_known, subject_of
from proml.capture.seen import Seen
from proml.cli import aim
from proml.core.digest import hexed
from proml.node.participant import Participant

LARGE = AT_ONCE_BYTES + 1


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits two seconds for files to settle; one test looks at that by itself."""
    monkeypatch.setattr(known_module, "SETTLED_NS", -(10**9))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    for name in ("a.csv", "b.bin", "sub/c.txt"):
        (root / name).write_bytes(name.encode() * 1_000)
    (root / "link").symlink_to("a.csv")
    return root


@pytest.fixture
def known(tmp_path: Path) -> Known:
    return Known(tmp_path / "known")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths that were read since."""
    read: list[Path] = []

    def spy(path: Path, *more: object) -> object:
        read.append(path)
        return subject_of(path)

    monkeypatch.setattr(runs, "subject_of", spy)
    return read


def test_an_unchanged_tree_is_read_once(tree: Path, known: Known, hashed: list[Path]) -> None:
    first = subject_known(tree, known)
    assert [subject_known(tree, known) for _ in range(3)] == [first] * 3
    assert hashed == [tree]
    assert first == subject_of(tree)


CHANGES: dict[str, Callable[[Path], object]] = {
    "written to": lambda root: (root / "a.csv").write_bytes(b"x" * 5_000),
    "one byte, same size": lambda root: _write(root / "a.csv", "r+b"),
    "same size and times set back": lambda root: _sneak(root / "a.csv"),
    "grown": lambda root: _write(root / "sub" / "c.txt", "ab"),
    "one more": lambda root: (root / "sub" / "d.txt").write_bytes(b""),
    "one less": lambda root: (root / "b.bin").unlink(),
    "renamed": lambda root: (root / "b.bin").rename(root / "c.bin"),
    "replaced": lambda root: _replace(root / "b.bin"),
    "moved into a folder": lambda root: (root / "b.bin").rename(root / "sub" / "b.bin"),
    "link elsewhere": lambda root: ((root / "link").unlink(), (root / "link").symlink_to("b.bin")),
    "permissions": lambda root: (root / "a.csv").chmod(0o600),
}


def _write(path: Path, mode: str) -> None:
    with path.open(mode) as stream:
        stream.write(b"!")


def _sneak(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"!" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(path: Path) -> None:
    other = path.with_name("other")
    shutil.copy2(path, other)
    os.replace(other, path)


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_shows_is_hashed_again(tree: Path, known: Known, hashed: list[Path], change: str) -> None:
    subject_known(tree, known)
    time.sleep(0.01)  # beyond a tick of the file system's clock
    CHANGES[change](tree)
    assert subject_known(tree, known) == subject_of(tree)
    assert hashed == [tree, tree]


def test_a_copy_elsewhere_is_something_else(tree: Path, known: Known, hashed: list[Path]) -> None:
    subject_known(tree, known)
    shutil.copytree(tree, tree.with_name("copy"), symlinks=True)
    subject_known(tree.with_name("copy"), known)
    assert hashed == [tree, tree.with_name("copy")]


def test_what_changed_a_moment_ago_is_not_believed(
    tree: Path, known: Known, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_module, "SETTLED_NS", 2 * 10**9)
    assert not snapshot(tree).settled
    for _ in range(2):
        subject_known(tree, known)
    assert hashed == [tree, tree]


def test_a_tree_that_changes_while_it_is_hashed_is_not_known(
    tree: Path, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_then_hash(path: Path, *more: object) -> object:
        (tree / "a.csv").write_bytes(b"changed after the look")
        return subject_of(path)

    monkeypatch.setattr(runs, "subject_of", change_then_hash)
    subject_known(tree, known)
    assert known.find(tree, snapshot(tree)) is None


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"{}" * 100])
def test_what_is_damaged_counts_as_unknown(
    tree: Path, known: Known, hashed: list[Path], tmp_path: Path, damage: bytes
) -> None:
    subject_known(tree, known)
    (kept,) = (tmp_path / "known").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage)
    assert subject_known(tree, known) == subject_of(tree)
    kept.write_bytes(whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:])
    assert known.find(tree, snapshot(tree)) is None
    assert hashed == [tree, tree]


def test_where_nothing_can_be_kept_everything_is_hashed(
    tree: Path, tmp_path: Path, hashed: list[Path]
) -> None:
    (tmp_path / "known").write_text("a file in the way")
    known = Known(tmp_path / "known")
    assert subject_known(tree, known) == subject_known(tree, known)
    assert hashed == [tree, tree]


def test_a_file_replaced_after_the_call_is_not_taken_for_its_successor(project, known: Known) -> None:
    Path("model.bin").write_bytes(b"a" * LARGE)
    seen = Seen(Path("model.bin"))
    Path("new").write_bytes(b"b" * LARGE)
    os.replace("new", "model.bin")
    told = seen.subject(known, runs._subject)
    assert told.sha256 == hexed(sha256(b"a" * LARGE).digest())
    assert Seen(Path("model.bin")).subject(known, runs._subject).sha256 == hexed(
        sha256(b"b" * LARGE).digest()
    )


def test_a_run_finds_what_an_earlier_run_read(project, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data").mkdir()
    Path("data", "a.csv").write_text("1,2\n")
    Path("model.bin").write_bytes(b"m" * LARGE)
    for _ in range(2):
        with proml.track("train") as run:
            run.used("data")
            run.produced("model.bin")
        monkeypatch.setattr(Seen, "fingerprint", lambda self: pytest.fail("hashed again"))
    assert run.missed == 0
    one, two = project.all(Used)
    assert one.reference.subject == two.reference.subject
    one, two = project.all(Produced)
    assert one.subject == two.subject


def test_verifying_reads_every_byte_whatever_is_known(project, known: Known) -> None:
    """The bytes of a file are changed without a trace, as through mapped memory; only reading them tells."""
    file = project.root / "model.bin"
    file.write_bytes(b"a" * 5_000)
    me = Participant.open(project.root)
    true = me._subject_of(file)
    lie = {"sha256": "0x" + "11" * 32, "blake3": "0x" + "22" * 32}
    forged = type(true)(true.name, true.size, **lie)
    Known(me.config.known).keep(file, snapshot(file), forged)
    assert me._subject_of(file) == forged, "it is not used at all"
    digest, _ = aim.held_of(str(file), None)
    assert hexed(digest) == true.sha256


def test_nothing_that_checks_knows_of_it() -> None:
    source = Path(proml.__file__).parent
    knowing = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if "capture.known" in path.read_text() or "subject_known" in path.read_text()
    }
    assert knowing == {"capture/run.py", "capture/seen.py", "node/participant.py"}


def test_what_takes_longer_to_read_is_not_read_in_the_call(tmp_path: Path) -> None:
    quick = {"model.bin": LARGE - 1, "small.csv": 1_000, "model.safetensors": 1 << 20}
    slow = {"model2.bin": LARGE, "large.CSV": 1 << 18, "a.npz": 1 << 18, "tiny.parquet": 100}
    for name, size in (quick | slow).items():
        (tmp_path / name).write_bytes(bytes(size))
    assert {name for name in quick | slow if is_quick(tmp_path / name)} == set(quick)
