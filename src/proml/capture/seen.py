"""What a call spoke of: a file or folder as it was at the call, though it is hashed later.

Hashing happens when its turn comes, and training goes on meanwhile and may write the same name again. A
fingerprint of those later bytes would be a false statement, so there is one of the bytes at the call, or
none:

* A file is kept open from the call on. Whatever is put in its place or removed, the bytes are still there.
* Of a folder, and of files when many are kept open already, the state is noted and compared: device,
  inode, size, mtime and ctime of up to NOTED entries, and that no other entry changed after the call.

What neither sees: a write within the same tick of the file system's clock as the call (some milliseconds),
or through mapped memory. Where a file server's clock differs from this machine's, "after the call" is
off by as much.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Generator
from itertools import islice
from pathlib import Path

from proml.capture.draft import Subject
from proml.capture.fingerprint import Fingerprint, fingerprint, fingerprint_file, name_of, open_any
from proml.capture.hashing import OpenFile, same_content
from proml.capture.known import Known, Snapshot, snapshot, snapshot_of
from proml.errors import FileRefused

HELD_FILES = 8
"""So many are kept open at once in a process: each takes a descriptor, and disk space once it is removed."""
NOTED = 4096
"""So many entries of a folder are looked at in the call: about ten milliseconds."""

State = tuple[int, int, int, int, int]

_held: set[int] = set()


class Seen:
    """A file or folder at the moment this is made; hash it once.

    Raises:
        NotFound, FileRefused: as `fingerprint` does, for what can be told without reading.
    """

    def __init__(self, path: Path) -> None:
        """Look at the file or folder, in less than some ten milliseconds on a local disk."""
        self._path = path.absolute()  # the script may go to another folder
        self._name = name_of(self._path)
        self._file: OpenFile | None = None
        self._noted: dict[str, State] = {}
        self._at = time.time_ns()
        opened = open_any(self._path)
        if stat.S_ISREG(opened.status.st_mode) and len(_held) < HELD_FILES:
            self._file = opened._replace(held=True)
            _held.add(opened.fd)
            return
        os.close(opened.fd)
        try:
            self._noted = dict(islice(_states(str(self._path)), NOTED))
        except OSError as error:
            raise self._changed() from error

    @property
    def path(self) -> Path:
        """Where it was, absolute."""
        return self._path

    def subject(self, known: Known, make: Callable[[Fingerprint], Subject]) -> Subject:
        """What it is: as it is known from before, or hashed now and then known; raises as `fingerprint`."""
        before = self._snapshot()
        found = known.find(self._path, before) if before else None
        if found is not None and self._is_still():
            return found
        held = self._file is not None
        subject = make(self.fingerprint())
        # Of a file held open the snapshot is of the very bytes; of a name only if it still is what it was.
        if before is not None and (held or before.digest == snapshot(self._path).digest):
            known.keep(self._path, before, subject)
        return subject

    def _snapshot(self) -> Snapshot | None:
        if self._file is not None:
            return snapshot_of(self._file.status)
        try:
            return snapshot(self._path)
        except OSError:
            return None  # `fingerprint` says why

    def _is_still(self) -> bool:
        """Whether it is what it was at the call; a held file, which is then let go."""
        if self._file is None:
            return self._is_unchanged()
        unchanged = same_content(self._file.status, os.fstat(self._file.fd))
        if unchanged:
            _held.discard(self._file.fd)
            os.close(self._file.fd)
        return unchanged

    def fingerprint(self) -> Fingerprint:
        """Hash it; FileRefused if what there is now is not what there was."""
        return self._of_name() if self._file is None else self._of_file(self._file)

    def _of_file(self, file: OpenFile) -> Fingerprint:
        # Before it is closed: in a forked child a leak is better than closing what got the same number.
        _held.discard(file.fd)
        if same_content(file.status, os.fstat(file.fd)):
            return fingerprint_file(self._name, file)
        os.close(file.fd)
        raise self._changed()

    def _of_name(self) -> Fingerprint:
        try:
            root, state = next(_states(str(self._path)))
            if state != self._noted[root]:
                raise self._changed()
            found = fingerprint(self._path)
            if not self._is_unchanged():
                raise self._changed()
        except OSError as error:
            raise self._changed() from error
        return found

    def _is_unchanged(self) -> bool:
        missing = dict(self._noted)
        for path, state in _states(str(self._path)):
            noted = missing.pop(path, None)
            if state != noted and (noted is not None or state[-1] > self._at):
                return False
        return not missing

    def _changed(self) -> FileRefused:
        return FileRefused(
            str(self._path),
            "it changed after it was named and before it was hashed",
            "write elsewhere, or set `strict = true`, which hashes before the call returns",
        )


def _states(path: str) -> Generator[tuple[str, State], None, None]:
    """A file, or a folder and everything below it, each with its state; links below are not followed."""
    yield path, _state(os.stat(path))
    folders = [path] if os.path.isdir(path) else []
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                yield entry.path, _state(entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)


def _state(status: os.stat_result) -> State:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _close_in_child() -> None:
    """A forked child, which may live for long, does not keep its parent's files on the disk."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
