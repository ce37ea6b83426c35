"""What a run ran on, from an allow-list: code version, interpreter, packages, hardware. Never secrets.

Nothing is taken from environment variables, no user or host name, no path outside the project, and of
the command only the program and the script: arguments may hold anything.
"""

from __future__ import annotations

import hashlib
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What git may cost: the end of a run waits for it, and beside a training its memory may matter.
GIT_SECONDS = 5.0
GIT_BYTES = 16 << 20
_PIECE = 1 << 16
_PATIENCE = 1.0  # seconds from the end of its output to the end of git


def environment() -> dict[str, Any]:
    """Interpreter, operating system, processor and installed packages with versions (some milliseconds)."""
    machine = os.uname()
    return {
        "python": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "system": machine.sysname,
        "release": machine.release,
        "machine": machine.machine,
        "processors": os.cpu_count(),
        "packages": packages(sys.path),
    }


def packages(path: list[str]) -> dict[str, str]:
    """Distributions installed on an import path, name to version.

    Told from the names of their `.dist-info` folders (PyPA, "Recording installed projects"), which spares
    a training script the import of `importlib.metadata`; the first on the path wins, as for imports.
    """
    found: dict[str, str] = {}
    for folder in path:
        try:
            names = [name for name in os.listdir(folder or ".") if name.endswith(".dist-info")]
        except OSError:
            continue  # a zip file, or a folder that is gone
        for name in names:
            distribution, _, version = name.removesuffix(".dist-info").partition("-")
            found.setdefault(distribution.lower().replace("_", "-"), version)
    return dict(sorted(found.items()))


def command(arguments: list[str], root: Path) -> list[str]:
    """Program and script of a command line; further arguments are counted, not shown."""
    if not arguments or not arguments[0]:
        return [Path(sys.executable).name]
    script = Path(arguments[0])
    try:
        shown = str(script.absolute().relative_to(root))
    except ValueError:
        shown = script.name
    rest = len(arguments) - 1
    return [shown] + ([f"({rest} arguments)"] if rest else [])


def code_version(root: Path) -> dict[str, Any] | None:
    """Commit of the git work tree around `root`, whether it differs, and the digest of the difference.

    None outside a work tree or without git. The digest is the SHA-256 of `git diff HEAD --binary`; new
    files that git does not track are counted only. What git does not answer within GIT_SECONDS in all, or
    what would take reading more than GIT_BYTES, is left out. Call it where it may take that long.
    """
    deadline = time.monotonic() + GIT_SECONDS
    told = _git(root, deadline, "rev-parse", "HEAD", "--show-toplevel")
    if told is None:
        return None
    commit, _, top = told.rstrip(b"\n").partition(b"\n")
    found: dict[str, Any] = {"commit": commit.decode("ascii", "replace")}
    status = _git(
        root, deadline, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal"
    )
    if status is None:
        return found
    entries = status.split(b"\0")[:-1]
    changed = [os.path.join(top, entry[3:]) for entry in entries if not entry.startswith(b"??")]
    found |= {"dirty": bool(entries)}
    if entries:
        found["untracked"] = len(entries) - len(changed)
    if changed and (difference := _difference(root, deadline, changed)):
        found["diff"] = difference
    return found


def _difference(root: Path, deadline: float, changed: list[bytes]) -> str | None:
    # Git holds a file that changed in memory several times over to tell how.
    if sum(map(_size, changed)) > GIT_BYTES:
        return None
    digest = hashlib.sha256()
    arguments = ("diff", "HEAD", "--binary", "--no-ext-diff", "--no-textconv")
    return "0x" + digest.hexdigest() if _ask(root, deadline, digest.update, arguments) else None


def _size(path: bytes) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0  # it was removed


def _git(root: Path, deadline: float, *arguments: str) -> bytes | None:
    pieces: list[bytes] = []
    return b"".join(pieces) if _ask(root, deadline, pieces.append, arguments) else None


def _ask(root: Path, deadline: float, take: Callable[[bytes], object], arguments: tuple[str, ...]) -> bool:
    """Give what git says to `take`, piece by piece; whether that is all of it, and git was content."""
    try:
        asked = subprocess.Popen(
            # A file system monitor is a program of the repository's choice, and would stay.
            ["git", "-C", str(root), "-c", "core.fsmonitor=false", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except OSError:
        return False
    with asked:
        try:
            assert asked.stdout is not None
            return _read(asked.stdout.fileno(), deadline, take) and asked.wait(_PATIENCE) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            asked.kill()


def _read(pipe: int, deadline: float, take: Callable[[bytes], object]) -> bool:
    """Read a pipe to its end; whether that came in time, and before too many bytes."""
    left = GIT_BYTES
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while left >= 0 and ready.select(max(deadline - time.monotonic(), 0)):
            piece = os.read(pipe, _PIECE)
            if not piece:
                return True
            left -= len(piece)
            take(piece)
    return False
