"""Backing up a project while it is at work, and restoring it: one tar file with a digest of everything in it.

The outbox is copied first, and locked for that moment; what it speaks of is then in the journal, storage and
chain that are copied after it. Left out: keys, unless asked for; tokens and sign-ins, so that none that was
revoked comes back; the index, which is made again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from proml.config import CHAIN, CONFIG_FILE, FOLDER, LEDGER_FILE, Config
from proml.core.document import parse
from proml.errors import RecordInvalid, StorageProblem, UsageProblem
from proml.ledger.chain_folder import alone
from proml.node.outbox import open_outbox

MANIFEST = "manifest.json"
TYPE = "proml/backup"
MAX_MANIFEST_BYTES = 512 * 1024 * 1024
_PIECE = 1 << 20
_FOLDERS = ("journal", "storage", "lifecycles", "papers")
_CHAIN_FILES = ("chain.json", "transactions.log")
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}"
_NAME = re.compile(rf"{_PART}(/{_PART}){{0,4}}")


def back_up(config: Config, path: Path, keys: bool = False) -> int:
    """Write a backup of a project; returns how many files are in it.

    Args:
        config: the project; a node may run meanwhile.
        path: the file to write, mode 0600, never over an existing one.
        keys: also the signing keys; whoever has an unencrypted one can sign.

    Raises:
        UsageProblem: when there is such a file already, or it cannot be written.
        Busy: while a push does not end.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        if path.exists():
            raise UsageProblem(
                f"there is a file {path} already", "name another; backups are never overwritten"
            )
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            count = _write(config, file, keys)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        raise UsageProblem(f"{path} cannot be written: {error.strerror}", "nothing was left there") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count


def restore(path: Path, root: Path) -> int:
    """Make a project out of a backup, in a folder without one; returns how many files it has.

    Everything is read and compared with its digest before anything is written.

    Raises:
        UsageProblem: when there is a project, the file is no backup, or something in it is not as it was.
        StorageProblem: when the folder cannot be written; nothing is left there.
    """
    folder = root / FOLDER
    if folder.exists():
        raise UsageProblem(
            f"there is a project in {root} already", "restore into another folder, then compare"
        )
    made = root / f"{FOLDER}.{os.getpid()}.new"
    try:
        with tarfile.open(path, "r:") as tar:
            count = _check(tar)
        made.mkdir(mode=0o700, parents=True)
        with tarfile.open(path, "r:") as tar:
            for member, content in _members(tar):
                _put(made / member.name, content)
        made.rename(folder)
    except tarfile.TarError as error:
        raise UsageProblem(f"{path} is no backup: {error}", "see `proml node backup`") from None
    except FileNotFoundError:
        raise UsageProblem(f"there is no file {path}") from None
    except OSError as error:
        raise StorageProblem(f"{root} cannot be written: {error.strerror}", "make room and repeat") from error
    finally:
        _remove(made)
    return count


def _write(config: Config, file: io.BufferedWriter, keys: bool) -> int:
    digests: dict[str, str] = {}
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, digests, config.outbox.name, _outbox(config))
        for name, found in _files(config, keys):
            with suppress(FileNotFoundError):  # removed meanwhile, as a temporary file is
                _add(tar, digests, name, found.read_bytes())
        if config.chain.is_dir():
            with alone(config.chain):
                for name in _CHAIN_FILES:
                    _add(tar, digests, f"{CHAIN}/{name}", (config.chain / name).read_bytes())
        made = {"type": TYPE, "version": 1, "made": int(time.time()), "files": digests}
        _add(tar, {}, MANIFEST, json.dumps(made, sort_keys=True).encode())
    return len(digests)


def _outbox(config: Config) -> bytes:
    """The outbox as of one moment at which nobody publishes."""
    with open_outbox(config.outbox), closing(sqlite3.connect(config.outbox)) as connection:
        return connection.serialize()


def _files(config: Config, keys: bool) -> Iterator[tuple[str, Path]]:
    for name in (CONFIG_FILE, LEDGER_FILE):
        if (config.folder / name).is_file():
            yield name, config.folder / name
    for folder in (*_FOLDERS, *(("keys",) if keys else ())):
        for found in sorted((config.folder / folder).rglob("*")):
            if found.is_file() and not found.is_symlink() and not found.name.endswith(".new"):
                yield found.relative_to(config.folder).as_posix(), found


def _add(tar: tarfile.TarFile, digests: dict[str, str], name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o600, int(time.time())
    tar.addfile(member, io.BytesIO(content))
    digests[name] = hashlib.sha256(content).hexdigest()


def _check(tar: tarfile.TarFile) -> int:
    """Compare every file with the manifest, which comes last."""
    found, told = {}, None
    for member, content in _members(tar, manifest=True):
        if member.name == MANIFEST:
            told = content
        else:
            found[member.name] = hashlib.sha256(content).hexdigest()
    try:
        manifest = parse(told or b"", "the manifest", MAX_MANIFEST_BYTES)
    except RecordInvalid:
        raise UsageProblem("the backup has no manifest: it is cut short, or is none") from None
    if manifest.get("type") != TYPE or manifest.get("version") != 1:
        raise UsageProblem("this is no backup of a version that this program knows")
    if manifest.get("files") != found:
        raise UsageProblem(
            "the backup is damaged: a file in it is not what was put there", "take another one"
        )
    return len(found)


def _members(tar: tarfile.TarFile, manifest: bool = False) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Ordinary files with a name that stays inside; a backup has nothing else, and none of them twice."""
    seen: set[str] = set()
    for member in tar:
        if not member.isreg() or not _NAME.fullmatch(member.name) or member.name in seen:
            raise UsageProblem(f"the backup has an entry {member.name[:80]!r} that no backup has")
        seen.add(member.name)
        opened = tar.extractfile(member)
        assert opened is not None
        if manifest or member.name != MANIFEST:
            yield member, opened.read()


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remove(folder: Path) -> None:
    if folder.exists():
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
