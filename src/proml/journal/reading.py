"""The reading side of the journal: what stands in the files, and what is damaged.

Rules:

* Only a prefix of a file is ever taken: everything before the first byte that is not right.
* A frame cut short is no damage while its writer is alive (it holds an flock) and is one afterwards.
* A file says how many frames of the one before it count; frames beyond are void, fewer are missing.
* A file of a newer version is named and left alone; one of an older version is read.
* Damage in one file never holds up another: it is told when everything good has been handed over.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EIO
from pathlib import Path
from typing import NamedTuple

from proml.core import frame
from proml.core.frame import (
    CUT_SHORT,
    HEAD_BYTES,
    HEADER_BYTES,
    MAX_PAYLOAD,
    SYNC_FAILED,
    Continuation,
    Header,
    Reach,
)
from proml.errors import JournalProblem, NotFound
from proml.journal.segment import SUFFIX

_PIECE = 1 << 20
_NO_END = 1 << 64
SET_ASIDE = ".damaged-"
"""Between the name of a file and the offset of the bytes that were set aside from it."""


class Entry(NamedTuple):
    """One entry as read: 16 bytes naming its file, its number there from 0, its payload, how far that is.

    Keep `reach` per file id, and `read` goes on after this entry.
    """

    file_id: bytes
    number: int
    payload: bytes
    reach: Reach


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a journal file that are not what was written there.

    Args:
        file: the file.
        offset: where the first wrong byte may be; everything before it is good.
        frame: how many frames are good, so the number from 0 of the first that is not.
        what: what is wrong, in words.
    """

    file: Path
    offset: int
    frame: int
    what: str

    def problem(self) -> JournalProblem:
        """The same as an error."""
        return JournalProblem(
            f"{self.file} is damaged at byte {self.offset}, frame {self.frame}: {self.what}",
            "the frames before it are safe; `proml journal repair` sets the rest aside",
        )


@dataclass(frozen=True, slots=True)
class Scan:
    """What one file holds.

    Args:
        file: the file.
        header: its header, or None when that is damaged.
        frames: how many frames stand whole and in order.
        good_bytes: length of header and those frames.
        size: length of the file.
        damage: what comes after, if it is wrong; a frame still being written is not.
        writing: a process may still write to it.
    """

    file: Path
    header: Header | None
    frames: int
    good_bytes: int
    size: int
    damage: Damage | None
    writing: bool


def files(folder: Path) -> list[Path]:
    """The journal files in a folder in the order they were begun; none when there is no such folder."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))
    except FileNotFoundError:
        return []


def scan(file: Path) -> Scan:
    """Check one file from its first byte to its last. Changes nothing.

    Raises:
        NotFound: there is no such file.
        JournalProblem: it is of a newer version, or cannot be opened.
    """
    with opened(file, os.O_RDONLY) as fd:
        return scan_open(file, fd, in_use(fd))


def read(
    folder: Path, after: Mapping[bytes, Reach] | None = None, problems: list[JournalProblem] | None = None
) -> Iterator[Entry]:
    """Every good entry of every file, oldest file first, each file in its own order.

    Args:
        folder: where the journal files lie.
        after: per file id, how far it was read before (`Entry.reach`); other files are read whole.
        problems: filled with what is damaged, missing or too new. Without it the first of these is
            raised, after all good entries.

    Raises:
        JournalProblem: see `problems`.

    An entry whose writer was stopped before it was told that the entry is written may be among them.
    """
    after = after or {}
    found: list[JournalProblem] = [] if problems is None else problems
    headers: dict[Path, Header] = {}
    for file in files(folder):
        try:
            with opened(file, os.O_RDONLY) as fd:
                headers[file] = _header(file, os.pread(fd, HEADER_BYTES, 0))
        except NotFound:
            continue  # removed since the folder was listed
        except JournalProblem as problem:
            found.append(problem)
    ends = _ends(headers)
    found.extend(_missing(folder, headers, after))
    for file, header in headers.items():
        yield from _entries(file, header, after, ends.get(header.file_id), found)
    if problems is None and found:
        raise found[0]


def payloads_between(fd: int, start: Reach, end: Reach) -> Iterator[bytes]:
    """The payloads from one point of an open file to another, checked against both chain values.

    Raises:
        OSError: the file does not lead from the one to the other (any more).
    """
    walk = _Walk(fd, start)
    payloads = iter(walk)
    while walk.reach.frames < end.frames and (payload := next(payloads, None)) is not None:
        yield payload
    if walk.reach != end:
        raise OSError(EIO, "what was written cannot be read back")


class _Walk:
    """Iterates over the payloads from a point on; `reach` follows, `fault` says why it ended early."""

    def __init__(self, fd: int, start: Reach) -> None:
        self.reach = start
        self.fault = ""
        self._fd = fd

    def __iter__(self) -> Iterator[bytes]:
        wanted = _PIECE
        while not self.fault:
            buffer = self._read(wanted)
            base = self.reach.size
            if not buffer:
                return
            at = 0
            while not isinstance(found := frame.take_frame(buffer, at, self.reach.chain), str):
                at = found.end
                self.reach = Reach(self.reach.frames + 1, base + at, found.chain)
                yield found.payload
            if found != CUT_SHORT or (at == 0 and wanted > _PIECE):
                self.fault = found
            # A frame longer than a piece is read again with all that the longest may need.
            wanted = _PIECE if at else HEAD_BYTES + MAX_PAYLOAD

    def _read(self, wanted: int) -> bytes:
        try:
            return os.pread(self._fd, wanted, self.reach.size)
        except OSError as error:
            self.fault = f"it cannot be read: {error.strerror}"
            return b""


def scan_open(file: Path, fd: int, writing: bool) -> Scan:
    """`scan` for a file already open, by someone who knows whether its writer is still at work."""
    raw = os.pread(fd, HEADER_BYTES, 0)
    header = None if frame.newer_version(raw) else frame.decode_header(raw)
    if header is None:
        raise _too_new(file, raw)
    if isinstance(header, str):
        size = os.fstat(fd).st_size
        return Scan(file, None, 0, 0, size, Damage(file, 0, 0, header), writing)
    walk = _Walk(fd, frame.beginning(raw))
    for _ in walk:
        pass
    damage = _damage(file, walk, writing)
    return Scan(file, header, walk.reach.frames, walk.reach.size, os.fstat(fd).st_size, damage, writing)


def _entries(
    file: Path,
    header: Header,
    after: Mapping[bytes, Reach],
    end: Continuation | None,
    found: list[JournalProblem],
) -> Iterator[Entry]:
    """Entries of one file after the reader's mark; `end`, if any, is what a later file says about it."""
    start = after.get(header.file_id)
    count = end.frames if end else _NO_END
    if count <= (start.frames if start else 0):
        return
    skipped = _taken_before(header, after) if start is None else 0
    try:
        with opened(file, os.O_RDONLY) as fd:
            writing = in_use(fd)
            walk = _Walk(fd, start or frame.beginning(os.pread(fd, HEADER_BYTES, 0)))
            if os.fstat(fd).st_size < walk.reach.size:
                walk.fault = f"{walk.reach.frames} frames were read from it before and it is shorter now"
            for payload in walk:
                if walk.reach.frames > skipped:
                    yield Entry(header.file_id, walk.reach.frames - 1, payload, walk.reach)
                if walk.reach.frames == count:
                    break
    except NotFound:
        return
    except JournalProblem as problem:
        found.append(problem)
        return
    if end and not walk.fault and not writing:
        walk.fault = _end_missed(walk.reach, end)
    damage = _damage(file, walk, writing)
    if damage and not _was_set_aside(file.parent, header.file_id):
        found.append(damage.problem())


def _end_missed(reach: Reach, end: Continuation) -> str:
    if reach.frames < end.frames:
        return f"{end.frames - reach.frames} frames are missing"
    return "" if reach.chain == end.chain else "its frames are not those that the next file follows on"


def _damage(file: Path, walk: _Walk, writing: bool) -> Damage | None:
    if not walk.fault or (walk.fault == CUT_SHORT and writing):
        return None
    return Damage(file, walk.reach.size, walk.reach.frames, walk.fault)


def _ends(headers: Mapping[Path, Header]) -> dict[bytes, Continuation]:
    """Per file that later ones name, where it ends; the earliest, if they differ."""
    ends: dict[bytes, Continuation] = {}
    for header in headers.values():
        if header.previous:
            known = ends.setdefault(header.previous.file_id, header.previous)
            ends[known.file_id] = min(known, header.previous, key=lambda end: end.frames)
    return ends


def _missing(
    folder: Path, headers: Mapping[Path, Header], after: Mapping[bytes, Reach]
) -> list[JournalProblem]:
    """Files that a later one names and that are neither here, nor read to their end, nor set aside."""
    here = {header.file_id for header in headers.values()}
    missing = []
    for file, header in headers.items():
        earlier = header.previous
        if earlier is None or earlier.file_id in here or _was_set_aside(folder, earlier.file_id):
            continue
        taken = after.get(earlier.file_id)
        if taken is None or taken.frames < earlier.frames:
            missing.append(
                JournalProblem(
                    f"a journal file of {earlier.frames} frames is missing: {file.name} follows on "
                    f"*-{earlier.file_id.hex()}{SUFFIX}",
                    f"bring it back to {folder} from a backup",
                )
            )
    return missing


def _taken_before(header: Header, after: Mapping[bytes, Reach]) -> int:
    """How many of the first frames here a reader already took from the file they were moved from."""
    earlier = header.previous
    if earlier is None or earlier.reason != SYNC_FAILED or earlier.file_id not in after:
        return 0
    return max(0, after[earlier.file_id].frames - earlier.frames)


def _was_set_aside(folder: Path, file_id: bytes) -> bool:
    return any(folder.glob(f"*-{file_id.hex()}{SUFFIX}{SET_ASIDE}*"))


def _header(file: Path, raw: bytes) -> Header:
    if frame.newer_version(raw):
        raise _too_new(file, raw)
    header = frame.decode_header(raw)
    if isinstance(header, str):
        raise Damage(file, 0, 0, header).problem()
    return header


def _too_new(file: Path, raw: bytes) -> JournalProblem:
    return JournalProblem(
        f"{file} is a journal of version {frame.newer_version(raw)}; this ProML reads up to {frame.VERSION}",
        "it was left as it is: read it with the ProML that wrote it, or a newer one",
    )


@contextmanager
def opened(file: Path, flags: int) -> Iterator[int]:
    """An open descriptor of a journal file, never through a link; what fails meanwhile names the file."""
    try:
        fd = os.open(file, flags | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise NotFound(f"there is no journal file {file}") from error
    except OSError as error:
        raise JournalProblem(f"{file} cannot be opened: {error.strerror}") from error
    try:
        yield fd
    except OSError as error:
        raise JournalProblem(
            f"{file} cannot be read or put in order: {error.strerror}",
            "free some disk space; where the disk is failing, copy the journal folder elsewhere",
        ) from error
    finally:
        os.close(fd)


def in_use(fd: int) -> bool:
    """Whether a writer may still be at work. Asked before reading: its last word is then in the file."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)
    except OSError:
        return True  # held by the writer; or this file system cannot tell
    return False
