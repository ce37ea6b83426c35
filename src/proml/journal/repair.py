"""Setting the damaged end of a journal file aside, so that what stands before it is in order again."""

import fcntl
import os
from pathlib import Path

from proml.errors import Busy
from proml.journal.reading import SET_ASIDE, opened, scan_open

_PIECE = 1 << 20


def repair(file: Path) -> Path | None:
    """Set the damaged end of a file aside, as `<file>.damaged-<offset>`; its good frames stay.

    Returns:
        The new file with the bytes set aside, or None when nothing was damaged.

    Raises:
        NotFound: there is no such file.
        Busy: a process still writes to the file, or the file system cannot tell.
        JournalProblem: it is of a newer version, or cannot be opened, read or written; what was there
        still is.

    The copy is on the disk before the original is cut, so that a crash in between loses nothing.
    """
    with opened(file, os.O_RDWR) as fd:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"{file} is still being written", "end the process that writes it first") from error
        except OSError as error:
            raise Busy(
                f"this file system cannot tell whether {file} is still being written",
                "copy the journal folder to a local disk and repair it there",
            ) from error
        found = scan_open(file, fd, writing=False)
        if found.damage is None:
            return None
        aside = _free_name(file, found.damage.offset)
        if found.header is None:
            file.rename(aside)
        else:
            # Only a whole copy gets the name by which readers know that the damage is known.
            copy = file.with_name(f"{file.name}.being-set-aside")
            _copy_tail(fd, found.good_bytes, copy)
            copy.rename(aside)
            _sync_folder(file.parent)
            os.ftruncate(fd, found.good_bytes)
            os.fsync(fd)
        _sync_folder(file.parent)
        return aside


def _free_name(file: Path, offset: int) -> Path:
    name = file.with_name(f"{file.name}{SET_ASIDE}{offset}")
    again = 2
    while name.exists():
        name = file.with_name(f"{file.name}{SET_ASIDE}{offset}.{again}")
        again += 1
    return name


def _copy_tail(fd: int, offset: int, target: Path) -> None:
    copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        while piece := os.pread(fd, _PIECE, offset):
            view = memoryview(piece)
            while view:
                view = view[os.write(copy, view) :]
            offset += len(piece)
        os.fsync(copy)
    finally:
        os.close(copy)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
