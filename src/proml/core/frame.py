"""The bytes of a journal file: its header, its frames, and the hash chain through them.

The format, for whoever writes a second reader, is docs/journal-format.md. In short, little-endian:

* a file is one 104-byte header, then frames until its end;
* a frame is ``length u32 | crc u32 | chain 32 bytes | payload``;
* ``chain(0) = SHA-256(header)`` and ``chain(n) = SHA-256(chain(n-1) || payload(n))``;
* ``crc`` is the CRC-32 of ``length || chain``, so that a wrong length is told from a short file; the
  payload is guarded by the chain, which also shows frames that are missing or in another order.

Nothing here opens a file; `proml.journal` does.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple
from zlib import crc32

MAGIC = b"\x89ProML\r\n"
"""8 bytes. The first is not text, the last two break when somebody copies the file in text mode."""

VERSION = 1
HEADER_BYTES = 104
HEAD_BYTES = 40
MAX_PAYLOAD = 1 << 24
"""16 MiB: the longest payload of one frame."""

CUT_SHORT = "the frame is cut short"

ROLLED = 0
"""The earlier file was full or given up in good order."""
WRITE_FAILED = 1
"""A write to the earlier file failed or was interrupted."""
SYNC_FAILED = 2
"""The earlier file could not be made durable; its frames beyond the count were written again here."""

_HEADER = struct.Struct("<8sIIQ16s16sQ32sI")  # all but the CRC-32 that ends the header
_CRC = struct.Struct("<I")
_VERSION = struct.Struct("<8sI")
_HEAD = struct.Struct("<II32s")
_LENGTH = struct.Struct("<I")
_NOWHERE = bytes(16)


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a file says about the one its writer wrote before it.

    Args:
        file_id: 16 bytes naming the earlier file.
        frames: how many frames of it count; any beyond are void.
        chain: 32 bytes, the earlier file's chain value after that many frames.
        reason: ROLLED, WRITE_FAILED or SYNC_FAILED.
    """

    file_id: bytes
    frames: int
    chain: bytes
    reason: int


@dataclass(frozen=True, slots=True)
class Header:
    """The first 104 bytes of a journal file.

    Args:
        file_id: 16 random bytes, never all zero.
        created_ns: the writer's clock in nanoseconds since 1970 UTC; a claim.
        pid: process id of the writer.
        previous: the file this writer wrote before, if any.
    """

    file_id: bytes
    created_ns: int
    pid: int
    previous: Continuation | None = None


class Reach(NamedTuple):
    """How far into a journal file: whole frames, bytes including the header, chain value (32 bytes)."""

    frames: int
    size: int
    chain: bytes


class Frame(NamedTuple):
    """One frame taken out of a buffer: its payload, the chain value after it, where the next begins."""

    payload: bytes
    chain: bytes
    end: int


def encode_header(header: Header) -> bytes:
    """The 104 bytes that open a journal file."""
    previous = header.previous or Continuation(_NOWHERE, 0, bytes(32), ROLLED)
    body = _HEADER.pack(
        MAGIC,
        VERSION,
        header.pid,
        header.created_ns,
        header.file_id,
        previous.file_id,
        previous.frames,
        previous.chain,
        previous.reason,
    )
    return body + _CRC.pack(crc32(body))


def newer_version(raw: bytes) -> int | None:
    """The version a journal file states, if it is newer than this reader; else None.

    Looks at magic and version only, since everything after them may mean something else by then.
    """
    if len(raw) < _VERSION.size:
        return None
    magic, version = _VERSION.unpack_from(raw)
    return int(version) if magic == MAGIC and version > VERSION else None


def decode_header(raw: bytes) -> Header | str:
    """The header in the first 104 bytes of a file, or what is wrong with it in words.

    Ask `newer_version` first: a newer header is not a broken one.
    """
    if len(raw) < HEADER_BYTES:
        return "the header is cut short"
    body = raw[: _HEADER.size]
    (crc,) = _CRC.unpack_from(raw, _HEADER.size)
    if not body.startswith(MAGIC):
        return "this is not a journal file"
    if crc != crc32(body):
        return "the header has been altered"
    _, version, pid, created_ns, file_id, earlier, frames, chain, reason = _HEADER.unpack(body)
    if version < 1:
        return "the header states version 0, which never was"
    previous = None if earlier == _NOWHERE else Continuation(earlier, frames, chain, reason)
    return Header(file_id, created_ns, pid, previous)


def beginning(header: bytes) -> Reach:
    """The point right after the 104 header bytes, where chain(0) = SHA-256(header)."""
    return Reach(0, len(header), sha256(header).digest())


def encode_frame(payload: bytes, chain: bytes) -> tuple[bytes, bytes]:
    """One frame for `payload` after `chain` (32 bytes): its bytes, and the chain value after it.

    Does not check that the payload is at most MAX_PAYLOAD bytes: the caller has.
    """
    chain = sha256(chain + payload).digest()
    length = len(payload)
    return _HEAD.pack(length, crc32(chain, crc32(_LENGTH.pack(length))), chain) + payload, chain


def take_frame(buffer: bytes, at: int, chain: bytes) -> Frame | str:
    """The frame that begins at `at`, checked against the chain value before it; or what is wrong.

    CUT_SHORT means the buffer ends before the frame does, which is no fault if more bytes are to come.
    Every other answer means that these bytes are not what was written here.
    """
    start = at + HEAD_BYTES
    if len(buffer) < start:
        return CUT_SHORT
    length, crc, stated = _HEAD.unpack_from(buffer, at)
    if crc != crc32(stated, crc32(_LENGTH.pack(length))) or length > MAX_PAYLOAD:
        return "the frame's length or chain value has been altered"
    end: int = start + length
    if len(buffer) < end:
        return CUT_SHORT
    payload = buffer[start:end]
    if sha256(chain + payload).digest() != stated:
        return "the payload has been altered, or frames before it are missing"
    return Frame(payload, stated, end)
