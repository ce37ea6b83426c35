"""Every file-changing system call of some work, failed or killed in turn under strace (F1, F2)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.campaign.work import WORKS

# Whatever changes a file, a name or what is on the disk. Opening counts where it may make or change one.
CHANGING = (
    "openat", "write", "pwrite64", "writev", "fsync", "fdatasync", "ftruncate", "fallocate", "rename",
    "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "link", "linkat", "flock", "fchmod",
    "chmod", )  # fmt: skip
ONCE = ("error=EIO", "error=ENOSPC", "error=EDQUOT", "signal=KILL")
FOR_GOOD = ("error=EIO", "error=ENOSPC")
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Point:
    """One fault: the n-th call of a name, and what becomes of it (and of all later ones, for good)."""

    work: str
    call: str
    number: int
    fault: str
    for_good: bool = False

    @property
    def injection(self) -> str:
        return f"inject={self.call}:{self.fault}:when={self.number}{'+' if self.for_good else ''}"


def strace(folder: Path, log: Path, work: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a work under strace; a child of ours, so that nothing is left when we are stopped."""
    traced = [
        "strace",
        "-q",
        "-f",
        "-y",
        "-o",
        str(log),
        "-e",
        f"trace={','.join(CHANGING)}",
    ]
    python = [sys.executable, "-B", "-m", "tests.faults.campaign.work", work, str(folder)]
    environment = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [*traced, *more, *python],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def calls_of(name: str, place: Path) -> list[tuple[str, int]]:
    """The calls of a work that change something in its folder: name, and the how many-th of that name.

    strace counts for each thread by itself; where several threads make the n-th call of a name, it is one
    point, which hits whichever thread comes to its n-th.
    """
    folder, log = _begin(name, place)
    done = strace(folder, log, name)
    assert done.returncode == 0, done.stderr
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], None] = {}
    for line in log.read_text().splitlines():
        parsed = _LINE.match(line)
        if parsed is None or "resumed>" in line:
            continue
        thread, call, rest = parsed.groups()
        seen[thread, call] += 1
        if str(folder) in rest and (call != "openat" or _WRITES.search(rest)):
            found[call, seen[thread, call]] = None
    shutil.rmtree(place)
    return list(found)


def points(name: str, place: Path) -> Iterator[Point]:
    """Every fault at every call."""
    for call, number in calls_of(name, place):
        for fault in ONCE:
            yield Point(name, call, number, fault)
        for fault in FOR_GOOD:
            yield Point(name, call, number, fault, for_good=True)


def survive(point: Point, place: Path) -> bool:
    """Inject one fault and check what is left, by assertions; returns whether it hit."""
    folder, log = _begin(point.work, place)
    try:
        done = strace(folder, log, point.work, "-e", point.injection)
        acknowledged = {int(line) for line in done.stdout.split()}
        text = log.read_text()
        killed = "+++ killed by SIGKILL +++" in text
        assert killed or done.returncode == 0, done.stderr[-2_000:]
        try:
            WORKS[point.work].check(folder, acknowledged)
        except (AssertionError, KeyError) as wrong:
            raise AssertionError(f"{point}: {wrong}") from wrong
        return killed or "(INJECTED)" in text
    finally:
        shutil.rmtree(place, ignore_errors=True)


def survive_short_write(name: str, limit: int, place: Path) -> None:
    """Let no file grow beyond `limit` bytes, so that a write takes a part only, and check what is left."""
    folder, _ = _begin(name, place)
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-m", "tests.faults.campaign.work", name, str(folder), str(limit)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        WORKS[name].check(folder, {int(line) for line in done.stdout.split()})
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _begin(name: str, place: Path) -> tuple[Path, Path]:
    """The folder of a work, as it starts, and where strace shall write."""
    folder = place / "folder"
    folder.mkdir(parents=True)
    WORKS[name].start(folder)
    return folder, place / "log"
