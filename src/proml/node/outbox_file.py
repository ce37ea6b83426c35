"""The outbox's file: its schema, its lock, and how it is opened and brought up to date.

SQLite with a rollback journal and FULL synchronisation, one connection, one process at a time: that also
keeps clear of the WAL-reset defect of SQLite before 3.51.3.
"""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from proml.errors import Busy, StorageProblem

SCHEMA_VERSION = 4
LOCK_POLL_SECONDS = 0.05

_SCHEMA = """
CREATE TABLE cursor (
    file BLOB PRIMARY KEY, frames INTEGER NOT NULL, size INTEGER NOT NULL, chain BLOB NOT NULL
);
CREATE TABLE draft (id INTEGER PRIMARY KEY, run TEXT, payload BLOB NOT NULL, kind TEXT);
CREATE INDEX draft_run ON draft (run, kind);
CREATE INDEX draft_kind ON draft (kind);
CREATE TABLE writer (run TEXT NOT NULL, file BLOB NOT NULL, PRIMARY KEY (run, file));
CREATE TABLE run (salt TEXT PRIMARY KEY, state TEXT NOT NULL, story TEXT NOT NULL);
CREATE TABLE intent (
    id INTEGER PRIMARY KEY, what TEXT NOT NULL, label TEXT NOT NULL, artefact BLOB NOT NULL,
    call TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', created REAL NOT NULL,
    tx BLOB, item INTEGER, reason TEXT
);
CREATE INDEX intent_state ON intent (state);
CREATE INDEX intent_tx ON intent (tx);
CREATE TABLE tx (
    hash BLOB PRIMARY KEY, key BLOB NOT NULL, nonce INTEGER NOT NULL, raw BLOB NOT NULL, state TEXT NOT NULL,
    signed REAL NOT NULL, block INTEGER, block_hash BLOB, gas INTEGER, included REAL, final REAL,
    max_fee INTEGER NOT NULL DEFAULT 0, max_tip INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX tx_state ON tx (state);
CREATE INDEX tx_nonce ON tx (key, nonce);
CREATE TABLE replaced (hash BLOB PRIMARY KEY, tx BLOB NOT NULL, raw BLOB NOT NULL, signed REAL NOT NULL);
CREATE INDEX replaced_tx ON replaced (tx);
CREATE TABLE elsewhere (key BLOB PRIMARY KEY, nonces INTEGER NOT NULL);
CREATE TABLE sealing (key BLOB NOT NULL);
CREATE TABLE known (subject BLOB NOT NULL, artefact BLOB NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (subject, artefact, sequence));
"""

# From version 3, the first that anybody had. One transaction: a crash leaves the old version or the new one.
_FROM_3 = """
ALTER TABLE draft ADD COLUMN kind TEXT;
DROP INDEX draft_run;
CREATE INDEX draft_run ON draft (run, kind);
CREATE INDEX draft_kind ON draft (kind);
UPDATE draft SET kind = json_extract(CAST(payload AS TEXT), '$.draft')
    WHERE json_valid(CAST(payload AS TEXT));
ALTER TABLE tx ADD COLUMN max_fee INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tx ADD COLUMN max_tip INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tx_nonce ON tx (key, nonce);
CREATE TABLE replaced (hash BLOB PRIMARY KEY, tx BLOB NOT NULL, raw BLOB NOT NULL, signed REAL NOT NULL);
CREATE INDEX replaced_tx ON replaced (tx);
CREATE TABLE elsewhere (key BLOB PRIMARY KEY, nonces INTEGER NOT NULL);
"""


@contextmanager
def open_file(path: Path, otherwise: str, patience: float) -> Iterator[sqlite3.Connection]:
    """The database of an outbox, made or brought up to date if need be, for as long as the block lasts.

    Raises:
        Busy: another process has it open, and still had it after `patience` seconds; says `otherwise`.
        StorageProblem: the file is damaged, of an unknown version, or cannot be written.
    """
    with locked(path.with_suffix(".lock"), otherwise, patience):
        try:
            connection = _connect(path)
        except sqlite3.Error as error:
            raise _problem(path, "used", error) from error
        try:
            yield connection
        except sqlite3.DatabaseError as error:
            raise _problem(path, "used" if "malformed" in str(error) else "written", error) from error
        finally:
            with suppress(sqlite3.Error):
                connection.rollback()
            connection.close()


@contextmanager
def locked(path: Path, otherwise: str, patience: float) -> Iterator[None]:
    """Hold a lock file for as long as the block lasts; the system frees it when the process ends, however.

    Args:
        path: the file, which is made and stays.
        otherwise: what is the matter when another process holds it.
        patience: seconds to wait for that.

    Raises:
        Busy: another process held it all the time.
        StorageProblem: the file cannot be made or locked.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as error:
        raise StorageProblem(f"the outbox {path} cannot be used: {error.strerror}") from error
    deadline = time.monotonic() + patience
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy(otherwise, "wait for it, or look for it with ps") from None
                time.sleep(LOCK_POLL_SECONDS)
            except OSError as error:
                raise StorageProblem(f"{path} cannot be locked: {error.strerror}") from error
            else:
                break
        yield


def _problem(path: Path, what: str, error: sqlite3.Error) -> StorageProblem:
    hint = "make room and repeat; nothing is lost" if "full" in str(error) else "see docs/operating.md"
    return StorageProblem(f"the outbox {path} cannot be {what}: {error}", hint)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = DELETE").close()
    connection.execute("PRAGMA synchronous = FULL").close()
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if version == SCHEMA_VERSION:
        return
    script = {0: _SCHEMA, 3: _FROM_3}.get(version)
    if script is None:
        raise sqlite3.DatabaseError(f"it is of version {version}, this program knows {SCHEMA_VERSION}")
    connection.executescript(f"BEGIN; {script} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
