"""Receiving journals of other machines: the same bytes, checked frame by frame, appended exactly once.

A device sends the header of its journal file and frames from a number on. What is taken is on the disk before
it is acknowledged, by how many frames there are now and the chain value after them. Whatever is lost on
the way, request or answer, is sent again from what was acknowledged: frames that do not follow on the last
one here are not taken, so none is doubled. `push` and the node then read the file like one of this machine.
"""

from __future__ import annotations

import fcntl
import os
import threading
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from proml.capture.draft import (
    EnvironmentSeen,
    Observed,
    Produced,
    RunEnded,
    RunStarted,
    StepAsked,
    Used,
    decode,
)
from proml.core.digest import hexed
from proml.core.frame import (
    HEADER_BYTES,
    Header,
    Reach,
    beginning,
    decode_header,
    newer_version,
    take_frame,
)
from proml.core.lifecycle import Lifecycle
from proml.errors import JournalProblem, NotFound, RecordInvalid, StorageProblem, UsageProblem
from proml.journal import files, scan
from proml.journal.elsewhere import is_marked, mark, unmark
from proml.journal.segment import SUFFIX

MAX_COMPRESSED = 4 * 1024 * 1024
MAX_GROUP = 32 * 1024 * 1024
# What a machine elsewhere may say. Another draft, or one of a newer version, is refused and not kept.
_MAY_SAY = (RunStarted, EnvironmentSeen, Used, Observed, Produced, RunEnded, StepAsked)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """How much of a journal file is here, on the disk.

    Attributes:
        file: the id of the file, 32 hexadecimal digits.
        frames: how many.
        chain: the chain value after them, `0x` and 64 digits.
        ended: whether nothing more is taken.
        taken: whether what was sent with this request is in it now.
    """

    file: str
    frames: int
    chain: str
    ended: bool
    taken: bool


class Reception:
    """Takes journals for one project; may be used from several threads, by one process at a time."""

    def __init__(self, folder: Path, lifecycles: tuple[Lifecycle, ...]) -> None:
        """Receive into the journal folder `folder`; steps that approve by `lifecycles` are refused."""
        self._folder = folder
        self._approving = frozenset(
            action
            for lifecycle in lifecycles
            for action in lifecycle.actions
            for rule in lifecycle.table.rules
            if rule.approve and rule.action == lifecycle.action_number(action)
        )
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[Path, Reach]] = {}

    def acknowledged(self, file_id: bytes, taken: bool = False) -> Acknowledged:
        """How much of a file (16-byte id) is here.

        Raises:
            NotFound: nothing of it.
        """
        found = self._find(file_id)
        if found is None:
            raise NotFound(f"nothing of the journal {file_id.hex()} is here", "send it from its first frame")
        path, reach = found
        return Acknowledged(file_id.hex(), reach.frames, hexed(reach.chain), not is_marked(path), taken)

    def take(self, file_id: bytes, after: int, compressed: bytes) -> Acknowledged:
        """Append what follows on the frames that are here; nothing of it unless all of it is right.

        Args:
            file_id: 16 bytes.
            after: how many frames of the file come before what is sent. Where that is not how many are
                here, nothing is taken and the answer says how many are.
            compressed: zlib's or gzip's form of the file's 104-byte header and whole frames.

        Raises:
            RecordInvalid: what was sent is no journal, does not follow on, or is too large.
            UsageProblem: it says what no other machine may say.
            StorageProblem: the disk is full; nothing was taken.
        """
        content = _unpacked(compressed)
        header = _header(content, file_id)
        with self._lock:
            found = self._find(file_id)
            here = found[1] if found else beginning(content[:HEADER_BYTES])
            if found and not is_marked(found[0]):
                return self.acknowledged(file_id)
            if after != here.frames:
                return Acknowledged(file_id.hex(), here.frames, hexed(here.chain), False, False)
            reach = self._checked(content, here)
            try:
                path = found[0] if found else self._create(header, content[:HEADER_BYTES])
                _append(path, here.size, content[HEADER_BYTES:])
            except OSError as error:
                raise StorageProblem(
                    f"the journal {file_id.hex()} cannot be kept: {error.strerror}",
                    "make room; it is sent again",
                ) from error
            self._known[file_id] = path, reach
        return self.acknowledged(file_id, taken=True)

    def end(self, file_id: bytes, frames: int) -> Acknowledged:
        """Note that nothing more comes, if that many frames are here; runs left open are then closed."""
        with self._lock:
            found = self._find(file_id)
            if found and found[1].frames == frames:
                unmark(found[0])
        return self.acknowledged(file_id, taken=True)

    def _find(self, file_id: bytes) -> tuple[Path, Reach] | None:
        if file_id in self._known:
            return self._known[file_id]
        for path in files(self._folder):
            if not path.name.endswith(f"-{file_id.hex()}{SUFFIX}"):
                continue
            if is_marked(path):
                _cut(path)
            with path.open("rb") as file:
                reach = beginning(file.read(HEADER_BYTES))
                rest = file.read()
            reach = _walked(rest, reach)
            self._known[file_id] = path, reach
            return path, reach
        return None

    def _checked(self, content: bytes, here: Reach) -> Reach:
        """The reach after what was sent, which must be whole frames that follow on, each of them allowed."""
        at, frames, chain = HEADER_BYTES, here.frames, here.chain
        while at < len(content):
            found = take_frame(content, at, chain)
            if isinstance(found, str):
                raise RecordInvalid(f"frame {frames} of what was sent: {found}")
            self._check_draft(found.payload)
            at, frames, chain = found.end, frames + 1, found.chain
        return Reach(frames, here.size + len(content) - HEADER_BYTES, chain)

    def _check_draft(self, payload: bytes) -> None:
        try:
            draft = decode(payload)
        except JournalProblem as problem:
            raise RecordInvalid(problem.message, "is the device's program newer than this node?") from None
        if type(draft) not in _MAY_SAY:
            raise UsageProblem(f"another machine may not say {type(draft).__name__}")
        if isinstance(draft, StepAsked) and draft.action in self._approving:
            raise UsageProblem(
                f"the step {draft.action!r} approves, and no journal of another machine may",
                "sign it instead",
            )

    def _create(self, header: Header, raw: bytes) -> Path:
        moment = datetime.fromtimestamp(min(header.created_ns // 10**9, _LAST_SECOND), UTC)
        when = f"{moment:%Y%m%dT%H%M%S}.{header.created_ns % 10**9:09d}Z"
        name = f"{when}-{header.pid}-{header.file_id.hex()}{SUFFIX}"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / name
        temporary = path.with_name(path.name + ".new")
        temporary.write_bytes(raw)
        temporary.chmod(0o600)
        # The mark first: once the file is there, whoever looks knows that its writer is elsewhere.
        mark(path)
        temporary.rename(path)
        return path


_LAST_SECOND = 253_402_300_799


def _unpacked(compressed: bytes) -> bytes:
    if len(compressed) > MAX_COMPRESSED:
        raise RecordInvalid(f"a group has at most {MAX_COMPRESSED} bytes", "send fewer frames at once")
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # zlib or gzip
    try:
        content = unpacking.decompress(compressed, MAX_GROUP + 1)
    except zlib.error as error:
        raise RecordInvalid(f"what was sent cannot be unpacked: {error}") from None
    if len(content) > MAX_GROUP:
        raise RecordInvalid(f"a group has at most {MAX_GROUP} bytes unpacked", "send fewer frames at once")
    if not unpacking.eof or unpacking.unused_data:
        raise RecordInvalid("what was sent is cut short, or goes on after its end")
    return content


def _header(content: bytes, file_id: bytes) -> Header:
    if newer_version(content):
        raise RecordInvalid("the journal is of a version this node does not know", "update the node")
    header = decode_header(content[:HEADER_BYTES])
    if isinstance(header, str):
        raise RecordInvalid(f"what was sent is no journal: {header}")
    if header.file_id != file_id:
        raise RecordInvalid("the journal sent is another one than was named")
    if header.previous is not None:
        # It would say how many frames of an earlier file count, and that could be anybody's.
        raise RecordInvalid("a journal of another machine follows on no other")
    return header


def _walked(content: bytes, reach: Reach) -> Reach:
    at, frames, chain = 0, reach.frames, reach.chain
    while not isinstance(found := take_frame(content, at, chain), str):
        at, frames, chain = found.end, frames + 1, found.chain
    return Reach(frames, reach.size + at, chain)


def _cut(path: Path) -> None:
    """Cut off what a crash left of an append: it was never acknowledged."""
    good = scan(path).good_bytes
    if good < path.stat().st_size:
        os.truncate(path, good)


def _append(path: Path, size: int, frames: bytes) -> None:
    """Add bytes after the first `size` ones; on the disk on return, or not there at all."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        # Whoever reads meanwhile sees that the end may be cut short, and takes that for no damage.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            view = memoryview(frames)
            while view:
                view = view[os.pwrite(descriptor, view, size + len(frames) - len(view)) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
