r"""The write-ahead log of an embedded chain: every transaction it was given, in order, with its block time.

It is what makes the chain durable. A transaction is in this file, and on the disk, before the chain's
program hears of it; the program can then forget whatever it likes, since giving it the same
transactions at the same times makes the same blocks again, down to their hashes.

Format, little-endian, integers unsigned:

- header, 32 bytes: magic `\x89ProMLtx`, version u32 = 1, chain id u64, genesis time u64 (seconds since
  1970 UTC), CRC-32 u32 of the 28 bytes before it;
- frames as in docs/journal-format.md, `length u32 | crc u32 | chain 32 bytes | payload`, chained from
  SHA-256(header); nothing is ever rewritten;
- a payload is `kind u8 | body`. Kind 1, a transaction: block time u64, then its signed bytes. Kind 2,
  a refusal: the chain's reason in UTF-8; it takes back the transaction right before it.

So the n-th transaction that was not taken back is block n; no other block exists.

A frame that a crash cut short was never acknowledged to anybody: it is set aside, named, and the log goes
on before it. A frame that is damaged and has whole bytes behind it is another matter: then what
follows cannot be trusted, and nothing is changed until somebody has looked.
"""

import contextlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from proml.core.frame import CUT_SHORT, HEAD_BYTES, MAX_PAYLOAD, Frame, beginning, encode_frame, take_frame
from proml.errors import LedgerProblem, WrongLedger
from proml.ledger.durable import sync_folder, write_whole

MAX_TRANSACTION_BYTES = 1 << 20
_MAGIC = b"\x89ProMLtx"
_VERSION = 1
_HEADER = struct.Struct("<8sIQQ")
_CRC = struct.Struct("<I")
_TIME = struct.Struct("<Q")
HEADER_BYTES = _HEADER.size + _CRC.size
_TRANSACTION = 1
_REFUSAL = 2
_REASON_BYTES = 500
_PIECE = 1 << 20


class Position(NamedTuple):
    """A place between two frames: bytes before it, blocks made by those, chain value there (32 bytes)."""

    offset: int
    blocks: int
    chain: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction of the log.

    Attributes:
        block: number of the block that it makes, from 1.
        time: time of that block, seconds since 1970 UTC.
        raw: signed transaction as the chain takes it.
    """

    block: int
    time: int
    raw: bytes


class ChainLog:
    """The log in one file; whoever calls anything that writes holds the lock of the chain's folder.

    Args:
        path: the file.
        chain_id: what its header must say.
        genesis_time: what its header must say, seconds since 1970 UTC.
    """

    def __init__(self, path: Path, chain_id: int, genesis_time: int) -> None:
        self._path = path
        head = _HEADER.pack(_MAGIC, _VERSION, chain_id, genesis_time)
        self._header = head + _CRC.pack(crc32(head))
        self.start = Position(HEADER_BYTES, 0, beginning(self._header).chain)
        self.end = self.start
        # Whether a write failed and what it left behind `end` could not be cut off.
        self._leftover = False

    def create(self) -> None:
        """Write the file with nothing in it; FileExistsError when there is one."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_whole(descriptor, self._header)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(self._path.parent)

    def catch_up(self, known: Position | None = None) -> Path | None:
        """Read what has been added since the last call, so that `end` is the end of the file.

        Args:
            known: a place that is known to lie between two frames, to begin there when it is further on.

        Returns:
            The file into which a frame cut short was moved, None when there was none.

        Raises:
            LedgerProblem: the log is damaged before its last frame, shorter than `known`, or unreadable.
            WrongLedger: it is the log of another chain.
        """
        self._check_header()
        if known is not None and known.offset > self.end.offset:
            self.end = known
        self._check_reaches(self.end)
        self.end = self._end_after(self.end)
        return self._set_aside_rest()

    def count_blocks(self, known: Position) -> int:
        """Number of blocks that the whole frames after `known` lead to; changes nothing."""
        return self._end_after(known).blocks

    def entries(self, since: Position) -> Iterator[Entry]:
        """The transactions between a place and `end` that were not taken back, in order."""
        waiting: Entry | None = None
        for payload, after in self._frames(since):
            if after.offset > self.end.offset:
                break
            if payload[0] == _REFUSAL:
                waiting = None
                continue
            if waiting is not None:
                yield waiting
            (time,) = _TIME.unpack_from(payload, 1)
            waiting = Entry(after.blocks, time, payload[1 + _TIME.size :])
        if waiting is not None:
            yield waiting

    def append(self, raw: bytes, time: int) -> Entry:
        """Add a transaction, durable on return. Call `catch_up` first.

        Raises:
            LedgerProblem: the disk would not take it; the log is as it was.
        """
        self._write(bytes([_TRANSACTION]) + _TIME.pack(time) + raw, self.end.blocks + 1)
        return Entry(self.end.blocks, time, raw)

    def take_back(self, reason: str) -> None:
        """Void the last transaction, durable on return: the chain refused it and no block was made."""
        body = reason.encode("utf-8", "replace")[:_REASON_BYTES]
        self._write(bytes([_REFUSAL]) + body, self.end.blocks - 1)

    def _write(self, payload: bytes, blocks: int) -> None:
        frame, chain = encode_frame(payload, self.end.chain)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.lseek(descriptor, self.end.offset, os.SEEK_SET)
            try:
                if self._leftover:
                    # Longer than this frame, its tail would read as damage behind it.
                    os.ftruncate(descriptor, self.end.offset)
                    self._leftover = False
                write_whole(descriptor, frame)
                os.fsync(descriptor)
            except OSError as problem:
                # Cut off, so that the next frame writes these pages anew: a second fsync would not.
                self._leftover = True
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, self.end.offset)
                    self._leftover = False
                raise LedgerProblem(
                    f"the chain's log {self._path} cannot be written: {problem.strerror}",
                    "free some space or mend the disk, then send again; nothing was sent",
                ) from problem
        finally:
            os.close(descriptor)
        self.end = Position(self.end.offset + len(frame), blocks, chain)

    def _check_header(self) -> None:
        try:
            with self._path.open("rb") as file:
                header = file.read(HEADER_BYTES)
        except OSError as problem:
            raise LedgerProblem(
                f"the chain's log {self._path} cannot be read: {problem.strerror}",
                "without it the chain cannot be brought back: restore the file from a copy",
            ) from problem
        if header == self._header:
            return
        whole = len(header) == HEADER_BYTES and header[_HEADER.size :] == _CRC.pack(
            crc32(header[: _HEADER.size])
        )
        if whole and header.startswith(_MAGIC):
            raise WrongLedger(
                f"{self._path} is the log of another chain, or of a newer version of ProML",
                "put the log back that belongs into this folder",
            )
        raise LedgerProblem(
            f"{self._path} is damaged at its beginning", "restore the file from a copy; nothing was changed"
        )

    def _check_reaches(self, known: Position) -> None:
        if self._path.stat().st_size < known.offset:
            raise LedgerProblem(
                f"the chain's log {self._path} ends before block {known.blocks}, which was in it once",
                "was an older copy put here? Put the newer one back; or, to do without what came after it, "
                "remove the *.dump files beside it",
            )

    def _end_after(self, place: Position) -> Position:
        """The place behind the last whole frame."""
        for _, after in self._frames(place):
            place = after
        return place

    def _frames(self, since: Position) -> Iterator[tuple[bytes, Position]]:
        """Payload of each whole frame and the place after it; stops where a frame was cut short."""
        buffer, at, place = b"", 0, since
        with self._path.open("rb") as file:
            file.seek(since.offset)
            while True:
                frame = take_frame(buffer, at, place.chain)
                if frame == CUT_SHORT:
                    more = file.read(_PIECE)
                    if not more:
                        return
                    buffer, at = buffer[at:] + more, 0
                    continue
                if not isinstance(frame, Frame):
                    rest = buffer[at:] + file.read(HEAD_BYTES + MAX_PAYLOAD)
                    if _is_cut_short(rest):
                        return
                    raise self._damaged(place, frame)
                place = Position(
                    place.offset + frame.end - at, self._blocks_after(place, frame.payload), frame.chain
                )
                at = frame.end
                yield frame.payload, place

    def _blocks_after(self, place: Position, payload: bytes) -> int:
        if payload[:1] == bytes([_TRANSACTION]) and len(payload) > 1 + _TIME.size:
            return place.blocks + 1
        if payload[:1] == bytes([_REFUSAL]) and place.blocks:
            return place.blocks - 1
        raise self._damaged(place, "it is neither a transaction nor a refusal")

    def _damaged(self, place: Position, why: str) -> LedgerProblem:
        return LedgerProblem(
            f"the chain's log {self._path} is damaged behind block {place.blocks}: {why}",
            f"restore it from a copy, or give up what follows: `truncate -s {place.offset}`",
        )

    def _set_aside_rest(self) -> Path | None:
        """Move bytes behind the last whole frame into a file of their own."""
        with self._path.open("rb") as file:
            file.seek(self.end.offset)
            rest = file.read()
        if not rest:
            return None
        aside = self._path.with_name(f"{self._path.name}.cut-short-at-{self.end.offset}")
        for descriptor, content in (
            (os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), rest),
            (os.open(self._path, os.O_WRONLY | os.O_CLOEXEC), b""),
        ):
            try:
                if content:
                    write_whole(descriptor, content)
                else:
                    os.ftruncate(descriptor, self.end.offset)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(self._path.parent)
        return aside


def _is_cut_short(rest: bytes) -> bool:
    """Whether a crash explains these last bytes of a file: a frame whose end was never written.

    File systems fill what was not written with zeros, so the frame may have its length but not its bytes.
    """
    written = rest.rstrip(b"\0")
    if len(written) < HEAD_BYTES:
        return True
    length = int.from_bytes(rest[:4], "little")
    return len(rest) == HEAD_BYTES + length and len(written) < len(rest)
