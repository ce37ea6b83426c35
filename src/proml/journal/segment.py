"""One journal file while it is being written.

A segment is used by one thread at a time and never shared between processes. Its writer holds an
flock on the file for as long as it may still write, which is how a reader tells a frame that is being
written from one that was torn.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from typing import NamedTuple

from proml.core.frame import SYNC_FAILED, Continuation, Header, Reach, beginning, encode_frame, encode_header

SUFFIX = ".journal"
UNBORN = ".new"
"""Added to the name of a file that is not ready for readers; none of them looks at it."""


class Position(NamedTuple):
    """Where an entry stands: 16 bytes naming the file, and the number of entries before it there."""

    file_id: bytes
    number: int


class Segment:
    """An open journal file of this process.

    Attributes:
        synced: up to where they are known to be on the disk.
        fd: file descriptor, or -1 once closed.
        suspect: a sync of this file failed, or it was deleted; it is never synced again.
        moved_to: where the frames after `synced` stand now, if the file turned out suspect.
    """

    __slots__ = ("_good", "fd", "file_id", "moved_to", "path", "previous", "suspect", "synced")

    def __init__(self, folder: Path, created_ns: int, previous: Continuation | None) -> None:
        """Create the file, out of the sight of readers until `show`; an OSError leaves nothing behind."""
        self.file_id = os.urandom(16)
        self.previous = previous
        header = encode_header(Header(self.file_id, created_ns, os.getpid(), previous))
        self.synced = beginning(header)
        # How far it is known to be good. One value, replaced as a whole, so that whatever interrupts a
        # write finds it before or after; a bare tuple, because it is made anew for every frame.
        self._good: tuple[int, int, bytes] = self.synced
        self.suspect = False
        self.moved_to: Segment | None = None
        moment = datetime.fromtimestamp(created_ns // 10**9, UTC).strftime("%Y%m%dT%H%M%S")
        name = f"{moment}.{created_ns % 10**9:09d}Z-{os.getpid()}-{self.file_id.hex()}{SUFFIX}"
        self.path = folder / (name + UNBORN)
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            # Some network file systems cannot lock. Readers there take every file for one in use, which
            # costs the naming of a torn tail and nothing else.
            with suppress(OSError):
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_whole(self.fd, header)
        except BaseException:
            self.discard()
            raise

    def show(self) -> None:
        """Give the file its name, so that readers see it; an OSError leaves nothing behind."""
        name = self.path.with_name(self.path.name.removesuffix(UNBORN))
        try:
            self.path.rename(name)
        except BaseException:
            self.discard()
            raise
        self.path = name

    @property
    def reach(self) -> Reach:
        """Up to where frames are known to stand whole."""
        return Reach(*self._good)

    def append(self, payload: bytes) -> tuple[int, int]:
        """Write one frame with one system call; return the number of frames before it and the new size.

        After any exception the file may end in a part of a frame, or in a frame nobody was told of:
        the caller must `cut` and close it.
        """
        frames, size, chain = self._good
        content, chain = encode_frame(payload, chain)
        length = len(content)
        if os.write(self.fd, content) != length:  # as _write_whole; a call more would show
            raise _no_room()
        size += length
        self._good = (frames + 1, size, chain)
        return frames, size

    def cut(self) -> None:
        """Cut off what is not known to be good. Where that fails too, the next file's header voids it."""
        if self.fd >= 0:
            with suppress(OSError):
                os.ftruncate(self.fd, self.reach.size)

    def sync(self) -> bool:
        """Put everything up to `reach` on the disk; False when that failed, now or before.

        A file already closed is opened again: the kernel still reports a failed write-back to the
        first who asks.
        """
        if self.suspect:
            return False
        reach = self.reach
        try:
            with self.reading() as fd:
                os.fdatasync(fd)
                # No link left: somebody deleted the file, or its folder, while it was open here.
                self.suspect = os.fstat(fd).st_nlink == 0
        except OSError:
            # After a failed fsync Linux marks the pages clean: asking again would be answered with a lie.
            self.suspect = True
        if not self.suspect:
            self.synced = reach
        return not self.suspect

    @contextmanager
    def reading(self) -> Iterator[int]:
        """A descriptor to read and sync with: this one, or a new one when it is closed."""
        if self.fd >= 0:
            yield self.fd
            return
        fd = os.open(self.path, os.O_RDONLY)
        try:
            yield fd
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of the file and its lock: it is complete from now on."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            with suppress(OSError):
                os.close(fd)

    def discard(self) -> None:
        """Remove the file: nothing in it counts."""
        with suppress(OSError):
            self.path.unlink()
        self.close()

    def continuation(self, reason: int) -> Continuation:
        """What the next file has to say about this one: which of its frames count."""
        reach = self.synced if reason == SYNC_FAILED else self.reach
        return Continuation(self.file_id, reach.frames, reach.chain, reason)


def _write_whole(fd: int, content: bytes) -> None:
    if os.write(fd, content) != len(content):
        raise _no_room()


def _no_room() -> OSError:
    # What the kernel means by taking a part: the disk, a quota or the limit on file sizes is reached.
    return OSError(ENOSPC, os.strerror(ENOSPC))
