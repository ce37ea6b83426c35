"""The node's own folder in a project: one node at a time holds its lock and says there where it listens."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from proml.config import Config
from proml.errors import Busy, StorageProblem


@dataclass(frozen=True, slots=True)
class Running:
    """A node that runs: its process, the address it answers at, and since when (Unix seconds)."""

    pid: int
    url: str
    started: float


def node_folder(config: Config) -> Path:
    """Where a project keeps what only its node needs."""
    return config.folder / "node"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the lock of the node's folder, making the folder if need be.

    Raises:
        Busy: when a node of this project runs already.
        StorageProblem: when the folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise StorageProblem(
            f"the node's folder {folder} cannot be written: {error.strerror}",
            "make room, or check who owns it",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            there = announced(folder)
            at = f" at {there.url} (process {there.pid})" if there else ""
            raise Busy(f"a node of this project runs already{at}", "`proml node status` asks it") from None
        try:
            yield
        finally:
            with suppress(OSError):
                _file(folder).unlink(missing_ok=True)


def announce(folder: Path, url: str, started: float) -> None:
    """Say where the node listens; only whoever holds the lock does.

    Raises:
        StorageProblem: when it cannot be written.
    """
    path = _file(folder)
    temporary = path.with_suffix(".new")
    try:
        temporary.write_text(json.dumps(asdict(Running(os.getpid(), url, started))), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise StorageProblem(f"{path} cannot be written: {error.strerror}", "make room") from error


def announced(folder: Path) -> Running | None:
    """The node that said it listens, None when there is none; it may have been killed since."""
    try:
        return Running(**json.loads(_file(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def is_running(folder: Path) -> bool:
    """Whether somebody holds the lock."""
    try:
        with (folder / "lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _file(folder: Path) -> Path:
    return folder / "running.json"
