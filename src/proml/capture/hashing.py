"""Hashing open files: both digests in one read, small files many in a row, large ones overlapped.

Measured, and the reason for the three ways below: handing every small file to a thread costs five times what
hashing it does; from some ten kilobytes on two threads are worth it; and in one large file BLAKE3 and
reading fit into the time that SHA-256 takes anyway.
"""

import os
import stat
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from hashlib import sha256
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, Self

from blake3 import blake3

from proml.core.manifest import FileDigest, FileEntry
from proml.errors import FileRefused

Wanted = Literal["both", "sha256", "blake3"]
Sink = Callable[[memoryview], object]
Progress = Callable[[int, int], None]

OPEN_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Never through a link; and a pipe put there since the listing must not block."""

SMALL_BYTES = 32 << 10
"""Up to here a file is hashed where it is found."""
LARGE_BYTES = 64 << 20
"""From here on a file has a second thread."""
_PIECE = 1 << 20
_LARGE_PIECE = 4 << 20
_BATCH_BYTES = 8 << 20
_BATCH_FILES = 32
_WAITING_BATCHES = 4
THREADS = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)


class OpenFile(NamedTuple):
    """A file to hash.

    Args:
        fd: descriptor, at the beginning; whoever hashes the file closes it.
        path: its name in errors and results.
        status: what the system said about it when it was opened.
        held: it is held open for its content alone: it may get or lose names meanwhile.
    """

    fd: int
    path: str
    status: os.stat_result
    held: bool = False


class Stopped(Exception):
    """Another thread failed, or the caller was interrupted; nobody needs this result any more."""


class Tally:
    """Counts what is done, tells the caller, and stops everybody."""

    def __init__(self, progress: Progress | None) -> None:
        self.stopped = False
        self._progress = progress
        self._lock = threading.Lock()
        self._bytes = 0
        self._files = 0

    def add(self, size: int, files: int) -> None:
        """Count bytes and files; raises Stopped when there is no point in going on."""
        if self.stopped:
            raise Stopped
        if self._progress:
            with self._lock:
                self._bytes += size
                self._files += files
                self._progress(self._bytes, self._files)


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> object: ...
    def digest(self) -> bytes: ...


def hash_file(file: OpenFile, wanted: Wanted, tally: Tally, sink: Sink | None = None) -> FileDigest:
    """Read a file once from its beginning to its end; close it.

    Args:
        file: open for reading.
        wanted: which digests; one that is not wanted is empty (SHA-256) or None (BLAKE3).
        tally: told about every piece.
        sink: called with every piece before it is hashed; the view is valid during the call.

    Raises:
        FileRefused: it is no regular file, cannot be read, or is another now than when it was opened.
        Stopped: see Tally.
    """
    fd, path, before, held = file
    size = before.st_size
    if size <= SMALL_BYTES and not sink and not held:
        digest = hash_small(fd, path, before, wanted)
        tally.add(size, 1)
        return digest
    try:
        if not stat.S_ISREG(before.st_mode):
            raise FileRefused(path, "it is no regular file")
        read, digest = _hash_pieces(fd, size, wanted, tally, sink)
        if read != size or not (same_content if held else same_state)(before, os.fstat(fd)):
            raise changed(path)
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        os.close(fd)
    tally.add(0, 1)
    return digest


def hash_small(fd: int, path: str, before: os.stat_result, wanted: Wanted) -> FileDigest:
    """`hash_file` for a file that is read at once."""
    size = before.st_size
    try:
        if not stat.S_ISREG(before.st_mode):
            raise FileRefused(path, "it is no regular file")
        content = os.read(fd, size + 1)  # one byte more than there should be shows that it has grown
        if len(content) != size or not same_state(before, os.fstat(fd)):
            raise changed(path)
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        os.close(fd)
    sha = b"" if wanted == "blake3" else sha256(content).digest()
    return FileDigest(size, sha, None if wanted == "sha256" else blake3(content).digest())


def same_state(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether nothing shows that a file or folder was written to in between."""
    return (
        before.st_mtime_ns == after.st_mtime_ns
        and before.st_ctime_ns == after.st_ctime_ns
        and before.st_size == after.st_size
    )


def same_content(before: os.stat_result, after: os.stat_result) -> bool:
    """`same_state` for an open file that may get or lose names, which changes its ctime too."""
    renamed = before.st_nlink != after.st_nlink
    return (
        before.st_mtime_ns == after.st_mtime_ns
        and (before.st_ctime_ns == after.st_ctime_ns or renamed)
        and before.st_size == after.st_size
    )


def changed(path: str) -> FileRefused:
    """The error for what is another now than a moment ago."""
    return FileRefused(path, "it changed while it was read", "wait until nothing writes to it any more")


def unreadable(path: str, error: OSError) -> FileRefused:
    """The error for what the system refuses to open or read."""
    return FileRefused(path, f"the system says: {error.strerror}", "check its permissions and the disk")


def _hash_pieces(
    fd: int, size: int, wanted: Wanted, tally: Tally, sink: Sink | None
) -> tuple[int, FileDigest]:
    large = size >= LARGE_BYTES
    # BLAKE3's threads are its hasher's own and no shared pool, which would be dead in a forked child.
    fast = None if wanted == "sha256" else blake3(max_threads=THREADS if large and wanted == "blake3" else 1)
    sha = None if wanted == "blake3" else sha256()
    first, second = (fast, None) if sha is None else (sha, fast)
    assert first is not None
    read = 0
    with closing(_overlapped(fd, second) if large else _pieces(fd, second)) as pieces:
        for piece in pieces:
            read += len(piece)
            if read > size:
                break  # it grows, perhaps without end
            if sink:
                sink(piece)
            first.update(piece)
            tally.add(len(piece), 0)
    return read, FileDigest(size, sha.digest() if sha else b"", fast.digest() if fast else None)


def _pieces(fd: int, second: _Hash | None) -> Generator[memoryview, None, None]:
    """Pieces of a file, each valid until the next; `second` hashes each once the caller is done with it."""
    if not hasattr(_of_thread, "buffer"):
        _of_thread.buffer = memoryview(bytearray(_PIECE))
    buffer = _of_thread.buffer
    while count := os.readv(fd, [buffer]):
        piece = buffer[:count]
        yield piece
        if second is not None:
            second.update(piece)


def _overlapped(fd: int, second: _Hash | None) -> Generator[memoryview, None, None]:
    """The same with a thread that hashes for `second` and reads the next piece meanwhile."""
    todo: SimpleQueue[tuple[memoryview, memoryview] | None] = SimpleQueue()
    done: SimpleQueue[int | BaseException] = SimpleQueue()

    def work() -> None:
        while (job := todo.get()) is not None:
            piece, free = job
            try:
                if second is not None:
                    second.update(piece)
                done.put(os.readv(fd, [free]))
            except BaseException as error:  # noqa: BLE001 -- raised again where the result is awaited
                done.put(error)

    worker = threading.Thread(target=work, name="proml-hash", daemon=True)
    worker.start()
    try:
        buffers = memoryview(bytearray(_LARGE_PIECE)), memoryview(bytearray(_LARGE_PIECE))
        turn, piece = 0, buffers[0][:0]
        while True:
            todo.put((piece, buffers[turn]))
            if piece:
                yield piece
            count = done.get()
            if isinstance(count, BaseException):
                raise count
            if not count:
                return
            turn, piece = 1 - turn, buffers[turn][:count]
    finally:
        todo.put(None)
        worker.join()


class Crew:
    """Hashes files with several threads, the calling one among them.

    A context: leaving it stops everybody and closes what is open, so call `finish` before.

    Attributes:
        results: what is hashed so far, in no order.
    """

    def __init__(self, wanted: Wanted, tally: Tally) -> None:
        self.results: list[FileEntry] = []
        self._wanted = wanted
        self._tally = tally
        self._batch: list[OpenFile] = []
        self._batch_bytes = 0
        self._batches: SimpleQueue[list[OpenFile] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None

    def take(self, fd: int, path: str, status: os.stat_result) -> None:
        """Hash an open file now or soon, and close it; for the arguments see OpenFile."""
        size = status.st_size
        if size <= SMALL_BYTES:
            self.results.append(FileEntry(path, hash_small(fd, path, status, self._wanted)))
            self._tally.add(size, 1)
            return
        self._batch.append(OpenFile(fd, path, status))
        self._batch_bytes += size
        if self._batch_bytes >= _BATCH_BYTES or len(self._batch) >= _BATCH_FILES:
            self._hand_over()

    def finish(self) -> None:
        """Wait until everything taken is hashed; raises what went wrong with any of it."""
        self._hash(self._batch)
        while (batch := self._next()) is not None:
            self._hash(batch)
        self._dismiss()
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tally.stopped = True
        while (batch := self._next()) is not None:
            _close(batch)
        _close(self._batch)
        self._dismiss()
        if isinstance(error, Stopped) and self._error is not None:
            raise self._error from None

    def _hand_over(self) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        while len(self._threads) < THREADS - 1:
            self._threads.append(threading.Thread(target=self._work, name="proml-hash", daemon=True))
            self._threads[-1].start()
        if self._threads and self._batches.qsize() < _WAITING_BATCHES:
            self._batches.put(batch)
        else:
            self._hash(batch)

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._hash(batch)
            except BaseException as error:  # noqa: BLE001 -- raised again by the thread that waits
                self._error = self._error or error
                self._tally.stopped = True

    def _hash(self, batch: list[OpenFile]) -> None:
        try:
            while batch:
                file = batch.pop()
                self.results.append(FileEntry(file.path, hash_file(file, self._wanted, self._tally)))
        finally:
            _close(batch)

    def _next(self) -> list[OpenFile] | None:
        try:
            return self._batches.get_nowait()
        except Empty:
            return None

    def _dismiss(self) -> None:
        for _ in self._threads:
            self._batches.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()


_of_thread = threading.local()


def _close(batch: list[OpenFile]) -> None:
    while batch:
        os.close(batch.pop().fd)
