"""What a run ran on, from an allow-list: code version, interpreter, packages, hardware. Never secrets.

Nothing is taken from environment variables, no user or host name, no path outside the project, and of
the command only the program and the script: arguments may hold anything.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

GIT_SECONDS = 5.0


def environment() -> dict[str, Any]:
    """Interpreter, operating system, processor and installed packages with versions (some milliseconds)."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
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


def activity(root: Path) -> dict[str, Any]:
    """The command and the code version of this process, as far as they can be told.

    Args:
        root: the project's folder; a script outside it is given by its name alone.
    """
    # A program that embeds Python may have no sys.argv.
    found: dict[str, Any] = {"command": command(getattr(sys, "argv", []), root)}
    code = code_version(root)
    if code:
        found["code"] = code
    return found


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
    files that git does not track are counted only.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    status = _git(root, "status", "--porcelain", "--untracked-files=normal") or b""
    lines = status.splitlines()
    found: dict[str, Any] = {"commit": commit.decode("ascii", "replace").strip(), "dirty": bool(lines)}
    if lines:
        difference = _git(root, "diff", "HEAD", "--binary", "--no-ext-diff", "--no-textconv") or b""
        found["diff"] = "0x" + hashlib.sha256(difference).hexdigest()
        found["untracked"] = sum(line.startswith(b"??") for line in lines)
    return found


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
