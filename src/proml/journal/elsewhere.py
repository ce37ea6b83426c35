"""Journal files whose writer is on another machine: a mark beside the file says that more may come.

A lock tells of a process on this machine only. The mark is on the disk, because a device may be silent for
days, and the node restarted meanwhile.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MARK = ".elsewhere"
"""Added to the name of the file."""


def mark(file: Path) -> None:
    """Note that more may come; on the disk on return."""
    path = _mark_of(file)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    _sync(path.parent)


def unmark(file: Path) -> None:
    """Note that nothing comes any more; on the disk on return."""
    with suppress(FileNotFoundError):
        _mark_of(file).unlink()
    _sync(file.parent)


def is_marked(file: Path) -> bool:
    """Whether more may come from another machine."""
    return _mark_of(file).exists()


def _mark_of(file: Path) -> Path:
    return file.with_name(file.name + MARK)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
