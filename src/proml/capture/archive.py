"""Reading a ZIP archive strictly and without touching the file system.

What a lenient reader would take one way and another reader another way is refused: members that overlap,
share a name, lie about their size, need a password or another method than store and deflate, stand in several
places; and whatever expands beyond all measure. Nothing is ever extracted.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from blake3 import blake3

from proml.capture.window import PIECE, Window

MAGIC = b"PK\x03\x04"
MAX_MEMBERS = 100_000
MAX_DIRECTORY = 64 << 20
RATIO = 300
"""An archive may expand so many times, once it holds more than `FREE` bytes. Deflate reaches 1,032."""
FREE = 256 << 20
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_LATER = 0x8
"""Flag: sizes and CRC follow the bytes, and the local header has zeros."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its name, its size, and how to read it."""

    name: str
    size: int
    crc: int
    stored: bool
    window: Window

    def pieces(self) -> Iterator[bytes]:
        """Its bytes; FileRefused when they are not those that the archive promises."""
        crc = size = 0
        for piece in self.window.pieces() if self.stored else self._inflated():
            size += len(piece)
            crc = zlib.crc32(piece, crc)
            yield piece
        if size != self.size or crc != self.crc:
            raise self.window.refused(f"its member {self.name!r} is not what the archive says of it")

    def content(self, limit: int) -> bytes:
        """All its bytes, at most `limit`."""
        if self.size > limit:
            raise self.window.refused(f"its member {self.name!r} has more than {limit} bytes")
        return b"".join(self.pieces())

    def blake3(self) -> bytes:
        """BLAKE3 of its bytes, 32 bytes."""
        hasher = blake3()
        for piece in self.pieces():
            hasher.update(piece)
        return hasher.digest()

    def _inflated(self) -> Iterator[bytes]:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        left = self.size
        try:
            for packed in self.window.pieces():
                waiting = packed
                while waiting and not inflate.eof:
                    piece = inflate.decompress(waiting, min(PIECE, left + 1))
                    waiting = inflate.unconsumed_tail
                    left -= len(piece)
                    if left < 0:
                        raise self.window.refused(f"its member {self.name!r} is longer than it says")
                    yield piece
        except zlib.error as error:
            raise self.window.refused(f"its member {self.name!r} cannot be expanded: {error}") from error
        if not inflate.eof or inflate.unused_data:
            raise self.window.refused(f"its member {self.name!r} ends too early or too late")


def members(window: Window) -> dict[str, Member]:
    """The members of an archive by name, folders left out.

    Raises:
        FileRefused: naming what makes it ambiguous, dangerous or damaged.
    """
    try:
        with zipfile.ZipFile(window) as archive:
            listed, directory = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error) as error:
        raise window.refused(f"it is no ZIP archive that can be read in one way: {error}") from error
    if len(listed) > MAX_MEMBERS or window.size - directory > MAX_DIRECTORY:
        raise window.refused(
            f"it has more than {MAX_MEMBERS} members, or a directory of {MAX_DIRECTORY} bytes"
        )
    total = sum(entry.file_size for entry in listed)
    if total > FREE and total > RATIO * window.size:
        raise window.refused(f"it would expand more than {RATIO} times, to {total} bytes")
    found: dict[str, Member] = {}
    end = 0
    for entry in sorted(listed, key=lambda entry: entry.header_offset):
        if entry.orig_filename in found:
            raise window.refused(f"it has two members called {entry.orig_filename!r}")
        if entry.header_offset < end:
            raise window.refused(f"its member {entry.orig_filename!r} overlaps another")
        member, end = _member(window, entry)
        if end > directory:
            raise window.refused(f"its member {member.name!r} reaches into the directory")
        found[entry.orig_filename] = member
    return {name: member for name, member in found.items() if not name.endswith("/")}


def _member(window: Window, entry: zipfile.ZipInfo) -> tuple[Member, int]:
    """A member, compared with the header that stands before its bytes, and where it ends."""
    name = entry.orig_filename
    head = _LOCAL.unpack(window.take(entry.header_offset, _LOCAL.size))
    magic, _, flags, method, _, _, crc, packed, size, name_length, extra_length = head
    raw = window.take(entry.header_offset + _LOCAL.size, name_length)
    encoding = "utf-8" if flags & 0x800 else "cp437"
    if magic != MAGIC or raw != name.encode(encoding, "replace") or method != entry.compress_type:
        raise window.refused(f"its member {name!r} is called or packed otherwise where it stands")
    if (flags | entry.flag_bits) & _ENCRYPTED or method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise window.refused(f"its member {name!r} is encrypted, or packed by a method not read here")
    stated = (entry.CRC, entry.compress_size, entry.file_size)
    in_zip64 = 0xFFFFFFFF in (packed, size)
    if not flags & _LATER and not in_zip64 and (crc, packed, size) != stated:
        raise window.refused(f"its member {name!r} has two sizes")
    stored = method == zipfile.ZIP_STORED
    if stored and entry.compress_size != entry.file_size:
        raise window.refused(f"its member {name!r} has two sizes")
    start = entry.header_offset + _LOCAL.size + name_length + extra_length
    where = window.part(start, entry.compress_size)
    return Member(name, entry.file_size, entry.CRC, stored, where), start + entry.compress_size
