"""The writing side of the journal: one writer per process, shared by its threads.

Rules that hold whatever happens:

* A frame is written by one system call under one lock, so frames never mix.
* The segment is taken out of the journal while a frame is written and put back only when the frame is
  known to stand whole. Whatever comes between (a failed write, Ctrl-C, a signal handler that appends
  something itself) therefore finds no segment and begins a new file; a half-known one is never used.
* A child made by fork drops what it inherited and begins its own file.
* From its first frame to `close` some file of a journal is open and so locked, even between two files: by
  that others see that the process is there.
* After a failed fsync that file is never synced again. Its frames that no sync covered, and those of later
files, are read back, checked against the hash chain, and written to new files whose headers say up to where
  the old ones count.
"""

import os
import threading
import time
import weakref
from errno import EIO
from pathlib import Path
from types import TracebackType
from typing import Self

from proml.core.frame import MAX_PAYLOAD, ROLLED, SYNC_FAILED, WRITE_FAILED, Continuation
from proml.errors import JournalProblem
from proml.journal.reading import payloads_between
from proml.journal.segment import Position, Segment

SEGMENT_BYTES = 64 << 20
"""A file grows to about 64 MiB before the next one begins."""


# Half the time of calling Position itself, which shows when a script logs.
_new_tuple = tuple.__new__


class Journal:
    """Appends payloads to this process's file in a folder. Safe to share between threads.

    Args:
        folder: where the files of all writers lie; made when missing, readable by its owner alone.
        durable: make every `append` wait until its frame is on the disk.
        segment_bytes: size at which the next file begins.

    Attributes:
        faults: how many writes or syncs failed and were made good in a new file. Anything but zero
            deserves an alarm: the disk is full or failing.

    No file is made before the first append. The journal cannot cross to another process by pickling;
    a forked child may go on using it.
    """

    def __init__(self, folder: Path, durable: bool = False, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.durable = durable
        self.faults = 0
        self._segment_bytes = segment_bytes
        self._created_ns = 0  # of the newest file
        self._lock = threading.RLock()
        self._segment: Segment | None = None  # ready for the next frame; taken out while one is written
        self._newest: Segment | None = None  # the last file begun
        self._held: list[Segment] = []  # given up, but locked until the next file holds a frame
        self._previous: Continuation | None = None  # what the next file says about the one before it
        self._unsynced: list[Segment] = []  # given up and not known to be on the disk
        self._appended = 0
        self._committing = threading.RLock()  # taken before _lock, never after
        self._syncing: Segment | None = None  # the current file, while a commit is at it
        self._committed = 0  # of those appended
        self._folder_synced = True
        _journals.add(self)

    def append(self, payload: bytes) -> Position:
        """Add one frame; it survives kill -9 of this process, in durable mode a power cut too.

        Args:
            payload: at most 16 MiB; ProML writes one UTF-8 JSON document.

        Raises:
            JournalProblem: the payload is too long, or it could be written neither to this file nor to
                a new one. It may then still turn up in the journal, as may one whose append was interrupted.
        """
        if len(payload) > MAX_PAYLOAD:
            raise JournalProblem(
                f"a journal entry of {len(payload)} bytes; {MAX_PAYLOAD} is the limit",
                "record large things as files, by their digest",
            )
        with self._lock:
            try:
                segment, number = self._write(payload)
            except OSError:
                self.faults += 1
                segment, number = self._write_again(payload)
        if self.durable:
            self._commit(self._appended)
            while segment.moved_to and number >= segment.synced.frames:
                number -= segment.synced.frames
                segment = segment.moved_to
        return _new_tuple(Position, (segment.file_id, number))

    def sync(self) -> None:
        """Put everything appended so far on the disk.

        Raises:
            JournalProblem: a file could not be synced and its frames could not be written again either.
        """
        self._commit(self._appended)

    def close(self) -> None:
        """Let go of the file (after a sync in durable mode); a later append begins a new one."""
        if self.durable:
            self.sync()
        with self._lock:
            segment, self._segment, self._newest = self._segment, None, None
            if segment is not None:
                self._retire(segment, ROLLED)
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Everything below runs under self._lock unless it says otherwise.

    def _write(self, payload: bytes) -> tuple[Segment, int]:
        segment = self._segment or self._next_segment()
        try:
            self._segment = None
            number, size = segment.append(payload)
            self._appended += 1
            if self._segment is not None:
                # A signal handler appended in between, to a file of its own. That one ends here.
                self._retire(self._segment, ROLLED)  # type: ignore[unreachable]
                self._previous = None
            self._segment = segment
            if not number:
                self._release()
            if size >= self._segment_bytes:
                self._segment = None
                self._retire(segment, ROLLED)
        except BaseException:
            self._segment = None
            segment.cut()
            self._retire(segment, WRITE_FAILED)
            raise
        return segment, number

    def _write_again(self, payload: bytes) -> tuple[Segment, int]:
        try:
            return self._write(payload)
        except OSError as error:
            raise JournalProblem(
                f"the journal in {self.folder} cannot be written: {error.strerror}",
                "free some disk space, or check that the folder is writable",
            ) from error

    def _next_segment(self) -> Segment:
        segment = self._new_file(self._previous)
        segment.show()
        self._newest = segment
        self._previous = None
        return segment

    def _new_file(self, previous: Continuation | None) -> Segment:
        # File names sort by time; a clock set back must not put this writer's files in another order.
        self._created_ns = max(time.time_ns(), self._created_ns + 1)
        self._folder_synced = False
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Segment(self.folder, self._created_ns, previous)

    def _retire(self, segment: Segment, reason: int) -> None:
        if segment.fd < 0:
            return
        if segment.reach.frames == 0:
            # A full disk may let a file be made again and again and take not one frame.
            segment.discard()
            self._previous = segment.previous
            self._newest = self._held[-1] if self._held else None
            return
        self._previous = segment.continuation(reason)
        self._unsynced.append(segment)
        self._held.append(segment)

    def _release(self) -> None:
        """Close the files given up, except the newest, which shows that the process is there.

        Not the one a commit is at either: it must not find its descriptor closed or, worse, in use for
        another file. And in durable mode none with frames still to be synced, by the descriptor that
        wrote them.
        """
        for segment in self._held:
            waiting = self.durable and segment.synced.frames < segment.reach.frames and not segment.moved_to
            if segment not in (self._newest, self._syncing) and not waiting:
                segment.close()
        self._held = [segment for segment in self._held if segment.fd >= 0]

    def _commit(self, wanted: int) -> None:
        """Group commit, without self._lock: one caller syncs for all who wait, others go on appending."""
        with self._committing:
            if self._committed >= wanted:
                return
            with self._lock:
                upto = self._appended
                retired = list(self._unsynced)
                current = self._syncing = self._segment
            for segment in [*retired, current] if current else retired:
                if segment.moved_to is None and not segment.sync():
                    self._begin_anew(segment)
                    break
            if not self._folder_synced:
                self._sync_folder()
            with self._lock:
                self._committed = upto
                self._syncing = None
                settled = [each for each in self._unsynced if each in retired or _is_safe(each)]
                self._unsynced = [segment for segment in self._unsynced if segment not in settled]
                self._release()

    def _begin_anew(self, suspect: Segment) -> None:
        """Write again what no sync covered, of a suspect file and of all begun after it; without self._lock.

        Of the later ones too, because files are read in the order in which they were begun: what was
        appended after the suspect's frames must not come before them.
        """
        with self._lock:
            self.faults += 1
            current, self._segment = self._segment, None
            if current is not None:
                self._retire(current, ROLLED)
            for segment in self._unsynced[self._unsynced.index(suspect) :]:
                segment.suspect = True
                if not _is_safe(segment):
                    self._carry_over(segment)

    def _carry_over(self, suspect: Segment) -> None:
        """Write the frames of a suspect file that no sync covered to a new one."""
        try:
            fresh = self._new_file(suspect.continuation(SYNC_FAILED))
            self._copy_unsynced(suspect, fresh)
        except OSError as error:
            raise JournalProblem(
                f"{suspect.path.name} could not be made durable: {error.strerror}",
                "the disk may be failing: copy the journal folder elsewhere",
            ) from error
        suspect.moved_to = fresh
        self._previous = fresh.continuation(ROLLED)

    @staticmethod
    def _copy_unsynced(suspect: Segment, fresh: Segment) -> None:
        """All or nothing: readers see the new file only when it is whole and on the disk."""
        try:
            with suspect.reading() as fd:
                for payload in payloads_between(fd, suspect.synced, suspect.reach):
                    fresh.append(payload)
            if not fresh.sync():
                raise OSError(EIO, "the new file could not be synced either")  # noqa: TRY301
            fresh.show()
        except BaseException:
            fresh.discard()
            raise
        fresh.close()

    def _sync_folder(self) -> None:
        self._folder_synced = True
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        except OSError as error:
            self._folder_synced = False
            raise JournalProblem(
                f"the folder {self.folder} could not be synced: {error.strerror}", "the disk may be failing"
            ) from error
        finally:
            os.close(fd)

    def _after_fork(self) -> None:
        """In the child: the files are the parent's, and its locks may be held by threads not here."""
        for segment in (*self._unsynced, *self._held, self._segment, self._newest, self._syncing):
            if segment is not None:
                segment.close()  # or the parent's file would seem in use for as long as the child lives
        self._lock, self._committing = threading.RLock(), threading.RLock()
        self._segment = self._newest = self._previous = self._syncing = None
        self._unsynced, self._held = [], []
        self._committed = self._appended


def _is_safe(segment: Segment) -> bool:
    """Whether all its frames are on the disk, here or where they were moved to."""
    return segment.moved_to is not None or segment.reach == segment.synced


_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _drop_inherited() -> None:
    for journal in list(_journals):
        journal._after_fork()  # noqa: SLF001


os.register_at_fork(after_in_child=_drop_inherited)
