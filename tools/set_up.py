"""Builds the virtual environment from the lock file, with nothing but a Python of the right version.

    python3 tools/set_up.py [--venv .venv]

Every package comes from `requirements.lock` and is checked against the hashes in it; ProML itself is
installed editable, so that a change in `src/` needs no second run. A stamp named after the digest of
the lock file and of `pyproject.toml` says that the environment is complete: while it stands, this
command returns at once. Two of these commands at a time wait for each other.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
OLDEST = (3, 11)


def main() -> int:
    """Create or bring up to date the environment; exit code 1 with one sentence when that fails."""
    parser = argparse.ArgumentParser(description="build the virtual environment from requirements.lock")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    folder: Path = parser.parse_args().venv
    if sys.version_info < OLDEST:
        return _fail(f"Python {sys.version.split()[0]} is too old: ProML needs 3.11 or newer")
    stamp = folder / f"complete-{_wanted()}"
    if stamp.exists():
        return 0
    with _alone(folder):
        if stamp.exists():
            return 0
        return _build(folder, stamp)


def _build(folder: Path, stamp: Path) -> int:
    for stale in folder.glob("complete-*"):
        stale.unlink()
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"creating {folder.name} with Python {sys.version.split()[0]}", flush=True)
        try:
            venv.create(folder, with_pip=True, symlinks=True, clear=False)
        except (OSError, subprocess.CalledProcessError) as problem:
            return _fail(
                f"the virtual environment could not be created: {problem}\n"
                "On Debian and Ubuntu install the package python3-venv and try again."
            )
    print("installing the locked packages", flush=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    # --no-deps: the lock is complete, and a package that is not in it must not slip in.
    locked = [*pip, "--no-deps", "--require-hashes", "-r", str(LOCK)]
    ours = [*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    for command in (locked, ours):
        if subprocess.run(command, check=False).returncode != 0:
            return _fail("pip could not install the locked packages; its own message stands above")
    stamp.touch()
    return 0


def _wanted() -> str:
    """Sixteen hex digits that change whenever another environment is wanted."""
    digest = hashlib.sha256()
    for path in (LOCK, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    digest.update(repr(sys.version_info[:2]).encode())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock beside the environment, so that two set-ups never write into it together."""
    descriptor = os.open(folder.with_name(folder.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fail(sentence: str) -> int:
    print(f"set-up: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
