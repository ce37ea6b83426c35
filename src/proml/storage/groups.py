r"""Groups: many small objects that were put together, in one file, since the disk is waited for by the file.

Layout: `<folder>/groups/<32 hex digits>.group`, little-endian:

    magic `\x89ProMLgr` | version u32 = 1 | count u32
    count times, sorted by digest: digest 32 bytes | offset u64 | length u32
    the objects, one after the other

A group gets its name when it is whole and on the disk, and is never changed after that. What is in it is
checked by the storage on every read, as everything is.
"""

import os
import secrets
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from errno import EFBIG
from pathlib import Path

FOLDER = "groups"
_SUFFIX = ".group"
_HEADER = struct.Struct("<8sII")
_ENTRY = struct.Struct("<32sQI")
_MAGIC = b"\x89ProMLgr"
_VERSION = 1


class Groups:
    """The groups under one folder. Several processes may add to it; what another added is found too."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read or written yet."""
        self._folder = folder / FOLDER
        self._known: list[Path] = []
        self._names: set[str] = set()
        self._places: dict[bytes, tuple[int, int, int]] = {}  # digest: number of the group, offset, length

    def add(self, objects: Mapping[bytes, bytes]) -> None:
        """Write objects by their digests into a group of their own; durable on return, or OSError."""
        index, offset = [], _HEADER.size + _ENTRY.size * len(objects)
        for digest in sorted(objects):
            index.append(_ENTRY.pack(digest, offset, len(objects[digest])))
            offset += len(objects[digest])
        content = b"".join(
            (
                _HEADER.pack(_MAGIC, _VERSION, len(objects)),
                *index,
                *(objects[digest] for digest in sorted(objects)),
            )
        )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / (secrets.token_hex(16) + _SUFFIX)
        temporary = path.with_suffix(".new")
        try:
            _write(temporary, content)
            temporary.rename(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        for folder in (self._folder, self._folder.parent):
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def find(self, digest: bytes) -> bytes | None:
        """What a group holds under a digest, unchecked; None when there is none, or its file is damaged."""
        place = self._places.get(digest)
        if place is None:
            self._look()
            place = self._places.get(digest)
        if place is None:
            return None
        number, offset, length = place
        with self._known[number].open("rb") as file:
            return os.pread(file.fileno(), length, offset)

    def digests(self) -> Iterator[bytes]:
        """Every digest that a group holds something under."""
        self._look()
        yield from list(self._places)

    def __contains__(self, digest: bytes) -> bool:
        if digest not in self._places:
            self._look()
        return digest in self._places

    def _look(self) -> None:
        """Read the indexes of groups that are new."""
        try:
            names = os.listdir(self._folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            if name.endswith(_SUFFIX) and name not in self._names:
                self._names.add(name)
                self._known.append(self._folder / name)
                for digest, offset, length in _index(self._known[-1]):
                    self._places[digest] = (len(self._known) - 1, offset, length)


def _index(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Where each object of a group lies; nothing of a file that is none."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return
        magic, version, count = _HEADER.unpack(head)
        if magic != _MAGIC or version != _VERSION or _HEADER.size + count * _ENTRY.size > size:
            return
        for digest, offset, length in _ENTRY.iter_unpack(file.read(count * _ENTRY.size)):
            if offset + length <= size:
                yield digest, offset, length


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(content)
        while view:
            written = os.write(descriptor, view)
            if written == 0:
                raise OSError(EFBIG, os.strerror(EFBIG))
            view = view[written:]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
