"""A part of an open file, read by position: for readers that must not trust what a file says of itself."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

from blake3 import blake3

from proml.errors import FileRefused

PIECE = 1 << 20


class Window(io.RawIOBase):
    """Bytes `start` to `start + size` of a descriptor, as a file that can be read and nothing else.

    Does not close the descriptor and does not move its position. Shorter than `size` when the file is.

    Args:
        fd: open for reading.
        path: its name in errors.
        start: first byte.
        size: how many bytes.
    """

    def __init__(self, fd: int, path: str, start: int, size: int) -> None:
        super().__init__()
        self.path = path
        self.size = size
        self._fd = fd
        self._start = start
        self._at = 0

    def refused(self, reason: str) -> FileRefused:
        """The error for what cannot be read safely, or not in one way only."""
        return FileRefused(self.path, reason)

    def part(self, start: int, size: int) -> Window:
        """A part of this window; FileRefused when it is not all inside."""
        if start < 0 or size < 0 or start + size > self.size:
            raise self.refused(f"it speaks of bytes {start} to {start + size}, and ends at {self.size}")
        return Window(self._fd, self.path, self._start + start, size)

    def take(self, start: int, size: int) -> bytes:
        """Exactly these bytes; FileRefused when they are not all there."""
        content = os.pread(self._fd, size, self._start + start) if start + size <= self.size else b""
        if start < 0 or len(content) != size:
            raise self.refused(f"it ends before byte {start + size}")
        return content

    def pieces(self) -> Iterator[bytes]:
        """All of it, a mebibyte at a time."""
        for at in range(0, self.size, PIECE):
            yield self.take(at, min(PIECE, self.size - at))

    def blake3(self) -> bytes:
        """BLAKE3 of all of it, 32 bytes."""
        hasher = blake3()
        for piece in self.pieces():
            hasher.update(piece)
        return hasher.digest()

    # --- what a file has --------------------------------------------------------------------

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere, at most to the end."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = min(max(0, start + offset), self.size)
        return self._at

    def readinto(self, buffer: object) -> int:
        """Fill a buffer as far as there are bytes."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = min(len(view), self.size - self._at)
        read = os.preadv(self._fd, [view[:count]], self._start + self._at)
        self._at += read
        return read
