"""Storage in a folder: one file per object, named by its digest.

Layout: `<folder>/<first two hex digits>/<other 62>`, readable by the owner alone; many small objects that
were put together lie in one file (`groups.py`). Rules:

* What a digest names is decided by the function given at the start, before anything is written and again
  on every read: bytes that are not what they are called never leave here.
* A file gets its name only when it is whole and on the disk, and `put` returns only when the name is
  too. A crash leaves the object or nothing, and at most a `.new` file beside it that nobody reads.
* Reading changes nothing: wrong bytes stay where they are found, and every look finds them. Putting the
  right ones back keeps the wrong ones under another name, for whoever investigates.
"""

import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from errno import EFBIG, ELOOP
from functools import partial
from pathlib import Path

from proml.errors import NotFound, StorageProblem
from proml.storage.groups import Groups

IsNamed = Callable[[bytes, bytes], bool]
"""Whether a digest (32 bytes) names some content."""

LIMIT = 512 << 20
"""The longest object in bytes, unless told otherwise; a manifest of a million files fits."""

TOGETHER = 128
"""So many objects are written at once: as many open files."""
GROUPED = 64
"""So many small objects that are put together go into one file (`groups.py`): each file costs time."""
GROUPED_BYTES = 64 * 1024
"""A small object has at most so many bytes."""
LEFT_BEHIND_SECONDS = 24 * 3600.0

THREADS = 8
"""So many wait for the disk at once."""
FEW = 4
"""Fewer are not worth a thread."""

_HEX = re.compile(r"[0-9a-f]+")
_PIECE = 1 << 20


class FileStorage:
    """See `proml.interfaces.Storage`. Several processes may use one folder at the same time.

    Args:
        folder: where the objects lie; made when the first is put.
        is_named: decides whether a digest names some content.
        limit: longest object in bytes, put or got.
    """

    def __init__(self, folder: Path, is_named: IsNamed, limit: int = LIMIT) -> None:
        self._folder = folder
        self._is_named = is_named
        self._limit = limit
        self._groups = Groups(folder)
        self._synced: set[Path] = set()  # subfolders whose names are known to be on the disk

    def put(self, digest: bytes, content: bytes) -> None:
        """Keep `content` under `digest`; durable on return, harmless to repeat.

        Raises:
            StorageProblem: the digest does not name the content, the content is too long, or it cannot be
                written. It is then not there, or whole but perhaps not on the disk yet.
        """
        self.put_all([(digest, content)])

    def put_all(self, objects: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep many, as by `put` each, in little more than the time that the disk takes for one.

        Raises:
            StorageProblem: as `put`; others of them may then be there or not.
        """
        checked: dict[bytes, bytes] = {}
        for digest, content in objects:
            self._path(digest)
            if len(content) > self._limit:
                raise StorageProblem(f"0x{digest.hex()} has {len(content)} bytes, more than {self._limit}")
            if not self._is_named(digest, content):
                raise StorageProblem(f"0x{digest.hex()} is not the digest of the bytes to be stored under it")
            checked[digest] = content
        small = {digest: content for digest, content in checked.items() if len(content) <= GROUPED_BYTES}
        if len(small) >= GROUPED:
            self._put(list(small.items()), lambda: self._groups.add(small))
            checked = {digest: content for digest, content in checked.items() if digest not in small}
        while checked:
            part = [checked.popitem() for _ in range(min(TOGETHER, len(checked)))]
            paths = [(self._path(digest), content) for digest, content in part]
            self._put(part, partial(self._put_together, paths))

    def _put(self, part: Sequence[tuple[bytes, bytes]], work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            more = f" and {len(part) - 1} more" if len(part) > 1 else ""
            raise StorageProblem(
                f"0x{part[0][0].hex()}{more} cannot be stored in {self._folder}: {error.strerror}",
                "free some disk space, or check that the folder is writable",
            ) from error

    def get(self, digest: bytes) -> bytes:
        """The bytes named by `digest`, checked now.

        Raises:
            NotFound: nothing is kept under it.
            StorageProblem: what is kept under it is something else, or cannot be read; it stays there.
        """
        path = self._path(digest)
        try:
            content = self._read(path)
        except FileNotFoundError as error:
            content = self._groups.find(digest)
            if content is None:
                raise NotFound(
                    f"0x{digest.hex()} is not in storage",
                    "ask another participant for it, or restore a backup",
                ) from error
        except OSError as error:
            raise StorageProblem(f"0x{digest.hex()} cannot be read: {error.strerror}") from error
        if content is not None and self._is_named(digest, content):
            return content
        raise StorageProblem(
            f"what is stored as 0x{digest.hex()} are other bytes",
            "they stay there as evidence; `proml receive` puts the right ones back from another copy",
        )

    def has(self, digest: bytes) -> bool:
        """Whether something is kept under `digest`; does not check it."""
        return self._path(digest).is_file() or digest in self._groups

    def erase(self, digest: bytes) -> None:
        """Remove whatever is kept under `digest`, also what was set aside or left over; harmless to repeat.

        Raises:
            StorageProblem: when it cannot be removed.
        """
        path = self._path(digest)
        try:
            for each in path.parent.glob(f"{path.name}*"):
                each.unlink(missing_ok=True)
            if path.parent.is_dir():
                self._sync_names({path.parent})
        except OSError as error:
            raise StorageProblem(f"0x{digest.hex()} cannot be removed: {error.strerror}") from error

    def digests(self) -> Iterator[bytes]:
        """Every digest something is kept under, in no particular order; does not check them."""
        for folder in _names(self._folder, 2):
            for name in _names(self._folder / folder, 62):
                yield bytes.fromhex(folder + name)
        yield from (digest for digest in self._groups.digests() if not self._path(digest).is_file())

    def _path(self, digest: bytes) -> Path:
        if len(digest) != 32:
            raise StorageProblem(f"a digest has 32 bytes, not {len(digest)}")
        text = digest.hex()
        return self._folder / text[:2] / text[2:]

    def _read(self, path: Path) -> bytes | None:
        """All bytes of a file, or None when it is no regular file or too long to be an object."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == ELOOP:  # a link: not written here
                return None
            raise
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > self._limit:
                return None
            pieces, left = [], self._limit + 1
            while left and (piece := os.read(fd, min(_PIECE, left))):
                pieces.append(piece)
                left -= len(piece)
            return b"".join(pieces) if left else None
        finally:
            os.close(fd)

    def _put_together(self, objects: list[tuple[Path, bytes]]) -> None:
        """If we crash before an object's rename, it is not there; after it, it is."""
        unborn: dict[Path, Path] = {}
        opened: list[int] = []
        try:
            for path, content in objects:
                if self._is_there(path, content):
                    # Perhaps of a put that was stopped before it was on the disk.
                    opened.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                    continue
                temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
                opened.append(self._open_new(temporary))
                unborn[temporary] = path
                _write_whole(opened[-1], content)
            _sync_all(opened)
            for temporary, path in list(unborn.items()):
                temporary.rename(path)
                del unborn[temporary]
        finally:
            for fd in opened:
                os.close(fd)
            for temporary in unborn:
                with suppress(OSError):
                    temporary.unlink()
        self._sync_names({path.parent for path, _ in objects})

    def _is_there(self, path: Path, content: bytes) -> bool:
        """Whether a file holds this content; other content is set aside."""
        try:
            if self._read(path) == content:
                return True
        except FileNotFoundError:
            return False
        _set_aside(path)
        return False

    def _open_new(self, path: Path) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            return os.open(path, flags, 0o600)

    def _sync_names(self, folders: set[Path]) -> None:
        wanted = [*folders]
        if not folders <= self._synced:
            # Whoever made the subfolders, perhaps another process just now: `put` promises that they stay.
            wanted += [self._folder, self._folder.parent]
        opened: list[int] = []
        try:
            for folder in wanted:
                opened.append(os.open(folder, os.O_RDONLY | os.O_CLOEXEC))  # noqa: PERF401 -- to be closed
            _sync_all(opened)
        finally:
            for fd in opened:
                os.close(fd)
        for folder in folders - self._synced:
            _sweep(folder)
        self._synced |= folders


def _sweep(folder: Path) -> None:
    """Remove what puts left behind that were killed long ago; one that is under way takes no day."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".new") and entry.stat().st_mtime < time.time() - LEFT_BEHIND_SECONDS:
                os.unlink(entry.path)


def _sync_all(descriptors: list[int]) -> None:
    """Put files or folders on the disk, which serves many as fast as one; raises the first failure."""
    if len(descriptors) < FEW:
        for fd in descriptors:
            os.fsync(fd)
        return
    with ThreadPoolExecutor(min(THREADS, len(descriptors)), "proml-storage") as pool:
        for _ in pool.map(os.fsync, descriptors):
            pass


def _write_whole(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        written = os.write(fd, view)
        if written == 0:
            raise OSError(EFBIG, os.strerror(EFBIG))
        view = view[written:]


def _set_aside(path: Path) -> Path | None:
    """Give what is under this name another one; None when that is not possible."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.wrong")
    try:
        path.rename(aside)
    except OSError:
        return None
    return aside


def _names(folder: Path, length: int) -> Iterator[str]:
    """Names in a folder that are so many hexadecimal digits."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (name for name in names if len(name) == length and _HEX.fullmatch(name))
