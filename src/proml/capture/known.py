"""What files and folders were when they were last hashed, so that an unchanged one is not read again.

Only for recording, never to verify: it believes what the system says about a file (device, inode, size,
mtime, ctime), and a write through memory mapped earlier shows in none of these. What changed less than two
seconds before it was looked at is not kept, because the clocks of file systems are coarse.

One small file per path in the project's folder; removing them costs the time of hashing once.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from blake3 import blake3

from proml.capture.draft import Subject
from proml.core.digest import hexed

VERSION = 1
SETTLED_NS = 2_000_000_000
LARGEST = 64 << 10


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the system says about a file, or a folder and everything below it.

    Attributes:
        digest: 32 bytes over all of it.
        settled: nothing of it changed in the last two seconds before.
    """

    digest: bytes
    settled: bool


def snapshot(path: Path) -> Snapshot:
    """Look at a file or folder without reading it; raises OSError where that is not possible."""
    now = time.time_ns()
    status = os.stat(path)
    hasher = blake3(_line("", status).encode())
    newest = status.st_ctime_ns
    if stat.S_ISDIR(status.st_mode):
        folders = [str(path)]
        while folders:
            lines, below, latest = _look(folders.pop())
            newest = max(newest, latest)
            folders += below
            hasher.update("".join(lines).encode("utf-8", "surrogateescape"))
    return Snapshot(hasher.digest(), newest < now - SETTLED_NS)


def snapshot_of(status: os.stat_result) -> Snapshot:
    """The same of an open file."""
    digest = blake3(_line("", status).encode()).digest()
    return Snapshot(digest, status.st_ctime_ns < time.time_ns() - SETTLED_NS)


class Known:
    """The subjects that are known in a project.

    Args:
        folder: where they are kept; made when the first is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, path: Path, now: Snapshot) -> Subject | None:
        """What was found at a path when it was as it is now; None when that is not known."""
        try:
            with self._file(path).open("rb") as stream:
                raw = stream.read(LARGEST)
            check, kept = raw[:32], raw[32:]
            if blake3(kept).digest() != check:
                return None
            document = orjson.loads(kept)
            if (document["version"], document["state"]) != (VERSION, now.digest.hex()):
                return None
            return Subject(**document["subject"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def keep(self, path: Path, then: Snapshot, subject: Subject) -> None:
        """Remember what a path was while it was like this. Does nothing where that cannot be written."""
        if not then.settled:
            return
        kept = orjson.dumps({"version": VERSION, "state": then.digest.hex(), "subject": asdict(subject)})
        file = self._file(path)
        temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(blake3(kept).digest() + kept)
            temporary.replace(file)

    def _file(self, path: Path) -> Path:
        return self._folder / hexed(blake3(os.fsencode(os.path.abspath(path))).digest())[2:34]


def _look(folder: str) -> tuple[list[str], list[str], int]:
    """Lines about what stands in a folder, the folders among it, and when anything last changed."""
    lines, below, newest = [], [], 0
    with os.scandir(folder) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            lines.append(_line(entry.name, status))
            newest = max(newest, status.st_ctime_ns)
            if stat.S_ISDIR(status.st_mode):
                below.append(entry.path)
    lines.append(f"\0{len(below)}\0")
    return lines, below, newest


def _line(name: str, status: os.stat_result) -> str:
    return (
        f"{name}\0{status.st_dev} {status.st_ino} {status.st_mode} {status.st_size} "
        f"{status.st_mtime_ns} {status.st_ctime_ns}\n"
    )
