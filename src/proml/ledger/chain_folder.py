"""The folder of an embedded chain: what the chain is and does, and the lock under which that changes."""

import contextlib
import fcntl
import json
import operator
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from proml.errors import Busy, LedgerProblem, NotFound
from proml.ledger.chain_log import HEADER_BYTES, ChainLog
from proml.ledger.durable import replace_file

LOG = "transactions.log"
_SETTINGS = "chain.json"
_VERSION = 1
_LOCK_SECONDS = 120.0
_LOCK_PAUSE_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """What a chain is; never changes.

    Attributes:
        version: of this file, 1.
        chain_id: EIP-155 chain id, 31 random bits: a transaction for one chain means nothing on another.
        genesis_time: time of block 0, seconds since 1970 UTC.
    """

    version: int
    chain_id: int
    genesis_time: int


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """What an embedded chain is doing.

    Attributes:
        folder: the chain's folder.
        chain_id: EIP-155 chain id, 31 bits, drawn at random when the chain was made.
        genesis_time: time of block 0, seconds since 1970 UTC.
        blocks: number of blocks after block 0 that the log holds.
        unsaved: how many of them no saved state holds; the next start replays them.
        url: JSON-RPC address, None while it does not run.
        pid: process id of anvil, None while it does not run.
        set_aside: files with damaged remains that were moved out of the way, for people to look at.
    """

    folder: Path
    chain_id: int
    genesis_time: int
    blocks: int
    unsaved: int
    url: str | None
    pid: int | None
    set_aside: tuple[Path, ...]


def create_chain(folder: Path, genesis_time: int) -> ChainSettings:
    """Lay out the folder of a new chain.

    Raises:
        LedgerProblem: there is a chain already, or what is left of one, or the folder cannot be written.
    """
    settings = ChainSettings(_VERSION, (1 << 30) | secrets.randbits(30), genesis_time)
    log = folder / LOG
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(folder):
            if (folder / _SETTINGS).exists():
                raise LedgerProblem(
                    f"there is a chain in {folder} already", "use it, or choose another folder"
                )
            if log.exists() and log.stat().st_size > HEADER_BYTES:
                raise LedgerProblem(
                    f"{folder} holds the transactions of a chain whose {_SETTINGS} is missing",
                    f"put {_SETTINGS} back from a copy, or choose another folder; nothing was changed",
                )
            # The log first: there is a chain once its settings are there.
            log.unlink(missing_ok=True)
            ChainLog(log, settings.chain_id, genesis_time).create()
            replace_file(folder / _SETTINGS, json.dumps(asdict(settings), indent=2).encode() + b"\n")
    except OSError as problem:
        raise LedgerProblem(f"no chain can be made in {folder}: {problem.strerror}") from problem
    return settings


def read_settings(folder: Path) -> ChainSettings:
    """What the chain in a folder is.

    Raises:
        NotFound: there is none.
        LedgerProblem: the file cannot be read, or was written by a newer version.
    """
    path = folder / _SETTINGS
    try:
        said = json.loads(path.read_bytes())
        numbers = [operator.index(said[name]) for name in ("version", "chain_id", "genesis_time")]
    except FileNotFoundError:
        raise NotFound(f"there is no embedded chain in {folder}", "`proml init` makes one") from None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise LedgerProblem(f"{path} cannot be understood: {problem}", "restore it from a copy") from problem
    settings = ChainSettings(*numbers)
    if settings.version > _VERSION:
        raise LedgerProblem(
            f"{path} was written by a newer version of ProML", "update ProML; nothing was changed"
        )
    return settings


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the chain's lock; threads exclude each other as well as processes do.

    Raises:
        Busy: somebody else has held it for two minutes.
        LedgerProblem: the lock cannot be opened or taken, as in a folder that is read-only.
    """
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise _no_lock(path, problem) from problem
    try:
        _take(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Busy(
                    f"another process has been changing the chain in {path.parent} for two minutes",
                    "wait for it, or end it and try again",
                ) from None
        except OSError as problem:
            raise _no_lock(path, problem) from problem
        time.sleep(_LOCK_PAUSE_SECONDS)


def _no_lock(path: Path, problem: OSError) -> LedgerProblem:
    return LedgerProblem(
        f"the lock of the embedded chain, {path}, cannot be taken: {problem.strerror}",
        "whoever uses an embedded chain must be able to write in its folder: check its owner and its disk",
    )
