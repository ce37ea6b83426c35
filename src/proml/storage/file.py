"""Storage in a folder: one file per object, named by its digest.

Layout: `<folder>/<first two hex digits>/<other 62>`, readable by the owner alone. Rules:

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
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import EFBIG, ELOOP
from pathlib import Path

from proml.errors import NotFound, StorageProblem

IsNamed = Callable[[bytes, bytes], bool]
"""Whether a digest (32 bytes) names some content."""

LIMIT = 512 << 20
"""The longest object in bytes, unless told otherwise; a manifest of a million files fits."""

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
        self._synced: set[Path] = set()  # subfolders whose names are known to be on the disk

    def put(self, digest: bytes, content: bytes) -> None:
        """Keep `content` under `digest`; durable on return, harmless to repeat.

        Raises:
            StorageProblem: the digest does not name the content, the content is too long, or it cannot be
                written. It is then not there, or whole but perhaps not on the disk yet.
        """
        path = self._path(digest)
        if len(content) > self._limit:
            raise StorageProblem(f"0x{digest.hex()} has {len(content)} bytes, more than {self._limit}")
        if not self._is_named(digest, content):
            raise StorageProblem(f"0x{digest.hex()} is not the digest of the bytes to be stored under it")
        try:
            with suppress(FileNotFoundError):
                if self._read(path) == content:
                    # Perhaps of a put that was stopped before the name was on the disk.
                    _sync(path)
                    self._sync_names(path)
                    return
                _set_aside(path)
            self._write(path, content)
        except OSError as error:
            raise StorageProblem(
                f"0x{digest.hex()} cannot be stored in {self._folder}: {error.strerror}",
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
            raise NotFound(
                f"0x{digest.hex()} is not in storage", "ask another participant for it, or restore a backup"
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
        return self._path(digest).is_file()

    def digests(self) -> Iterator[bytes]:
        """Every digest something is kept under, in no particular order; does not check them."""
        for folder in _names(self._folder, 2):
            for name in _names(self._folder / folder, 62):
                yield bytes.fromhex(folder + name)

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

    def _write(self, path: Path, content: bytes) -> None:
        """If we crash before the rename, nothing is there; after it, everything is."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        unborn = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
        fd = os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                _write_whole(fd, content)
                os.fsync(fd)
            finally:
                os.close(fd)
            unborn.rename(path)
        except BaseException:
            with suppress(OSError):
                unborn.unlink()
            raise
        self._sync_names(path)

    def _sync_names(self, path: Path) -> None:
        _sync(path.parent)
        if path.parent not in self._synced:
            # Whoever made the subfolder, perhaps another process just now: `put` promises that it stays.
            _sync(self._folder)
            _sync(self._folder.parent)
            self._synced.add(path.parent)


def _write_whole(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        written = os.write(fd, view)
        if written == 0:
            raise OSError(EFBIG, os.strerror(EFBIG))
        view = view[written:]


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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
