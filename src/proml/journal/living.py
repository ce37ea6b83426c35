"""Which journal files a process may still write to."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from proml.core import frame
from proml.core.frame import HEADER_BYTES
from proml.errors import NotFound
from proml.journal.reading import files, opened


def living(folder: Path) -> set[bytes]:
    """The 16-byte ids of files whose writer holds its lock; anything not among them is complete."""
    found = set()
    for file in files(folder):
        try:
            with opened(file, os.O_RDONLY) as fd:
                header = frame.decode_header(os.pread(fd, HEADER_BYTES, 0))
                if not isinstance(header, str) and _is_locked(fd):
                    found.add(header.file_id)
        except NotFound:
            continue  # removed since the folder was listed
    return found


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False
