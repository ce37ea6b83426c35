"""The outbox: what was taken from the journal, what became of it, and every transaction ever signed.

One SQLite file per project, rollback journal and FULL synchronisation: on return of a method its change
is on the disk. One connection, and one process at a time (`Outbox.open` locks), which also keeps clear
of the WAL-reset defect of SQLite before 3.51.3.

An *intent* is one item for the ledger: a step or an anchor. Its states:

    waiting -> sent -> done       in a final block, accepted
                    -> refused    in a final block, refused with a reason
    waiting -> invalid            cannot be sealed or sent at all; the reason says why

Unknown is never treated as failed: a sent intent stays `sent` until a final receipt decides.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proml.core.frame import Reach
from proml.errors import Busy, StorageProblem

SCHEMA_VERSION = 3
# Two commands at once are nothing unusual, and most are done within a second.
PATIENCE_SECONDS = 30.0
LOCK_POLL_SECONDS = 0.05
_SCHEMA = """
CREATE TABLE cursor (
    file BLOB PRIMARY KEY, frames INTEGER NOT NULL, size INTEGER NOT NULL, chain BLOB NOT NULL
);
CREATE TABLE draft (id INTEGER PRIMARY KEY, run TEXT, payload BLOB NOT NULL);
CREATE INDEX draft_run ON draft (run);
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
    signed REAL NOT NULL, block INTEGER, block_hash BLOB, gas INTEGER, included REAL, final REAL
);
CREATE INDEX tx_state ON tx (state);
CREATE TABLE sealing (key BLOB NOT NULL);
CREATE TABLE known (subject BLOB NOT NULL, artefact BLOB NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (subject, artefact, sequence));
"""

_TX = "hash, key, nonce, raw, state, signed, block, block_hash, gas, included, final"

WAITING, SENT, DONE, REFUSED, INVALID = "waiting", "sent", "done", "refused", "invalid"
# Overtaken: its nonce is used, by itself (soon to be seen) or by another; `block` is the head at the time.
SIGNED, INCLUDED, OVERTAKEN = "signed", "included", "overtaken"
FINAL, DISPLACED = "final", "displaced"
UNSETTLED = (SIGNED, INCLUDED, OVERTAKEN)


@dataclass(frozen=True, slots=True)
class Intent:
    """One item for the ledger.

    Attributes:
        id: its number here; the order of sending.
        what: `step`, `anchor`, `call`, or `entry`: something in the journal that became none of these.
        label: for people, for example `approve dataset digits`.
        artefact: 32-byte id; for an anchor its root.
        call: the JSON form of the step or anchor (`node/sealing.py`).
        state: see the module's text.
        created: Unix time in seconds.
        tx: hash of the transaction that carries it, None while it waits.
        item: its position there.
        reason: why it was refused or is invalid.
    """

    id: int
    what: str
    label: str
    artefact: bytes
    call: Mapping[str, Any]
    state: str
    created: float
    tx: bytes | None = None
    item: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A signed transaction and what is known of it; times are Unix seconds of this machine.

    `key` is the 20-byte address that signed it: each key counts its nonces by itself.
    """

    hash: bytes
    key: bytes
    nonce: int
    raw: bytes
    state: str
    signed: float
    block: int | None = None
    block_hash: bytes | None = None
    gas: int | None = None
    included: float | None = None
    final: float | None = None


class Outbox:
    """The open database of one project. Use `open_outbox`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take a connection whose schema is up to date and whose file is locked by this process."""
        self._db = connection

    @contextmanager
    def together(self) -> Iterator[None]:
        """Everything inside is written together or not at all. Do not nest."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # SQLite may have rolled back by itself already, on a full disk for one.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    # --- journal ----------------------------------------------------------------------------

    def cursors(self) -> dict[bytes, Reach]:
        """How far each journal file was taken in, by its 16-byte file id."""
        rows = self._db.execute("SELECT file, frames, size, chain FROM cursor")
        return {file: Reach(frames, size, chain) for file, frames, size, chain in rows}

    def set_cursor(self, file: bytes, reach: Reach) -> None:
        """Remember how far a journal file was taken in."""
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)", (file, *reach))

    def add_draft(self, run: str | None, payload: bytes, file: bytes) -> None:
        """Keep a draft; drafts of a run also keep which journal file they came from."""
        self._db.execute("INSERT INTO draft (run, payload) VALUES (?, ?)", (run, payload))
        if run is not None:
            self._db.execute("INSERT OR IGNORE INTO writer VALUES (?, ?)", (run, file))

    def drafts(self) -> list[tuple[int, bytes]]:
        """All drafts that were not sealed yet: (number, payload), in order."""
        return list(self._db.execute("SELECT id, payload FROM draft ORDER BY id"))

    def remove_drafts(self, numbers: list[int]) -> None:
        """Forget drafts that were sealed."""
        self._db.executemany("DELETE FROM draft WHERE id = ?", [(number,) for number in numbers])

    def writers(self, run: str) -> set[bytes]:
        """The journal files that hold something of a run."""
        return {file for (file,) in self._db.execute("SELECT file FROM writer WHERE run = ?", (run,))}

    # --- runs -------------------------------------------------------------------------------

    def save_run(self, salt: str, state: str, story: Mapping[str, Any]) -> None:
        """Keep what is known of a run; `state` is `open` or `closed`."""
        self._db.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", (salt, state, json.dumps(story)))

    def open_runs(self) -> list[str]:
        """Salts of the runs whose end has not been told."""
        return [salt for (salt,) in self._db.execute("SELECT salt FROM run WHERE state = 'open'")]

    def run(self, salt: str) -> dict[str, Any] | None:
        """The story of a run, None when it is not known."""
        row = self._db.execute("SELECT story FROM run WHERE salt = ?", (salt,)).fetchone()
        return json.loads(row[0]) if row else None

    def has_story(self, artefact: str) -> bool:
        """Whether the story of the run with this id (text form) is known here."""
        found = self._db.execute(
            "SELECT 1 FROM run WHERE json_extract(story, '$.artefact') = ?", (artefact,)
        ).fetchone()
        return found is not None

    def unfinished(self) -> list[str]:
        """Salts of runs that ended well here, and whose end the ledger does not have yet."""
        rows = self._db.execute("SELECT salt FROM run WHERE json_extract(story, '$.finish') IS NOT NULL")
        return [salt for (salt,) in rows]

    # --- intents ----------------------------------------------------------------------------

    def add_intent(
        self, what: str, label: str, artefact: bytes, call: Mapping[str, Any], created: float
    ) -> int:
        """Queue an item; returns its number."""
        cursor = self._db.execute(
            "INSERT INTO intent (what, label, artefact, call, created) VALUES (?, ?, ?, ?, ?)",
            (what, label, artefact, json.dumps(call), created),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def intents(self, state: str | None = None, tx: bytes | None = None, limit: int = -1) -> list[Intent]:
        """Intents in a state, or of a transaction, in order of sending."""
        if tx is not None:
            return self._intents("tx = ?", tx, limit)
        return self._intents("1 OR ?", "") if state is None else self._intents("state = ?", state, limit)

    def _intents(self, where: str, value: str | int | bytes, limit: int = -1) -> list[Intent]:
        columns = "id, what, label, artefact, call, state, created, tx, item, reason"
        rows = self._db.execute(
            f"SELECT {columns} FROM intent WHERE {where} ORDER BY id LIMIT ?",  # noqa: S608 -- constants only
            (value, limit),
        )
        return [
            Intent(number, what, label, artefact, json.loads(call), now, created, carrier, item, reason)
            for number, what, label, artefact, call, now, created, carrier, item, reason in rows
        ]

    def intent(self, number: int) -> Intent:
        """One intent by its number."""
        (found,) = self._intents("id = ?", number)
        return found

    def release(self, tx: bytes) -> None:
        """Queue the intents of a transaction again, which can never get into a block any more."""
        with self.together():
            self._db.execute("UPDATE tx SET state = ? WHERE hash = ?", (DISPLACED, tx))
            self._db.execute(
                "UPDATE intent SET state = 'waiting', tx = NULL, item = NULL WHERE tx = ? AND state = 'sent'",
                (tx,),
            )

    def settle_intent(self, number: int, state: str, reason: str | None = None) -> None:
        """Write an intent's end."""
        self._db.execute("UPDATE intent SET state = ?, reason = ? WHERE id = ?", (state, reason, number))

    def count(self, state: str) -> int:
        """How many intents are in a state."""
        return int(self._db.execute("SELECT count(*) FROM intent WHERE state = ?", (state,)).fetchone()[0])

    # --- transactions -----------------------------------------------------------------------

    def add_tx(self, sent: Sent, items: list[int]) -> None:
        """Keep a signed transaction and tie intents to it, in their order of items."""
        self._db.execute(
            "INSERT INTO tx (hash, key, nonce, raw, state, signed) VALUES (?, ?, ?, ?, ?, ?)",
            (sent.hash, sent.key, sent.nonce, sent.raw, sent.state, sent.signed),
        )
        self._db.executemany(
            "UPDATE intent SET state = 'sent', tx = ?, item = ? WHERE id = ?",
            [(sent.hash, item, number) for item, number in enumerate(items)],
        )

    def txs(self, *states: str) -> list[Sent]:
        """Transactions in any of the states, in the order in which they were signed."""
        marks = ",".join("?" * len(states))
        chosen = f"SELECT {_TX} FROM tx WHERE state IN ({marks}) ORDER BY rowid"  # noqa: S608 -- question marks
        rows = self._db.execute(chosen, states)
        return [Sent(*row) for row in rows]

    def tx(self, hash_: bytes) -> Sent | None:
        """One transaction by hash."""
        row = self._db.execute(f"SELECT {_TX} FROM tx WHERE hash = ?", (hash_,)).fetchone()  # noqa: S608 -- a constant
        return Sent(*row) if row else None

    def update_tx(self, sent: Sent) -> None:
        """Write what became known of a transaction."""
        self._db.execute(
            "UPDATE tx SET state = ?, block = ?, block_hash = ?, gas = ?, included = ?, final = ? "
            "WHERE hash = ?",
            (sent.state, sent.block, sent.block_hash, sent.gas, sent.included, sent.final, sent.hash),
        )

    def highest_nonce(self, key: bytes) -> int:
        """The highest nonce ever signed here with a key (20-byte address), -1 for none."""
        row = self._db.execute("SELECT coalesce(max(nonce), -1) FROM tx WHERE key = ?", (key,)).fetchone()
        return int(row[0])

    def sealing_key(self) -> bytes | None:
        """The key (20-byte address) that the intents which wait were sealed for, None before the first."""
        row = self._db.execute("SELECT key FROM sealing").fetchone()
        return row[0] if row else None

    def set_sealing_key(self, key: bytes) -> None:
        """Remember what the intents to come are sealed for."""
        with self.together():
            self._db.execute("DELETE FROM sealing")
            self._db.execute("INSERT INTO sealing VALUES (?)", (key,))

    # --- subjects ---------------------------------------------------------------------------

    def add_known(self, subject: bytes, artefact: bytes, sequence: int) -> None:
        """Remember that an artefact had these bytes (32-byte digest) at a sequence."""
        self._db.execute("INSERT OR IGNORE INTO known VALUES (?, ?, ?)", (subject, artefact, sequence))

    def remove_known(self, artefact: bytes, sequence: int) -> None:
        """Forget what bytes an artefact was to have at a sequence: the step was refused."""
        self._db.execute("DELETE FROM known WHERE artefact = ? AND sequence = ?", (artefact, sequence))

    def known(self, subject: bytes) -> list[tuple[bytes, int]]:
        """Artefacts that had these bytes, with the sequences; oldest knowledge first."""
        rows = self._db.execute(
            "SELECT artefact, sequence FROM known WHERE subject = ? ORDER BY rowid", (subject,)
        )
        return list(rows)


@contextmanager
def open_outbox(path: Path, patience: float = PATIENCE_SECONDS) -> Iterator[Outbox]:
    """Open the outbox of a project, making it if need be, for as long as the block lasts.

    Args:
        path: its file.
        patience: seconds to wait while another process has it open.

    Raises:
        Busy: another process has it open, and still had it after the patience.
        StorageProblem: the file is damaged, of another version, or cannot be written.
    """
    otherwise = f"another process is publishing from {path.parent.parent}"
    with locked(path.with_suffix(".lock"), otherwise, patience):
        try:
            connection = _connect(path)
        except sqlite3.Error as error:
            raise _problem(path, "used", error) from error
        try:
            yield Outbox(connection)
        except sqlite3.DatabaseError as error:
            raise _problem(path, "used" if "malformed" in str(error) else "written", error) from error
        finally:
            # Closing alone keeps the lock for as long as anything still holds a half-read cursor.
            with suppress(sqlite3.Error):
                connection.rollback()
            connection.close()


def _problem(path: Path, what: str, error: sqlite3.Error) -> StorageProblem:
    hint = "make room and repeat; nothing is lost" if "full" in str(error) else "see docs/operating.md"
    return StorageProblem(f"the outbox {path} cannot be {what}: {error}", hint)


@contextmanager
def locked(path: Path, otherwise: str, patience: float) -> Iterator[None]:
    """Hold a lock file for as long as the block lasts; the system frees it when the process ends, however.

    Args:
        path: the file, which is made and stays.
        otherwise: what is the matter when another process holds it.
        patience: seconds to wait for that.

    Raises:
        Busy: another process held it all the time.
        StorageProblem: the file cannot be made.
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
            else:
                break
        yield


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = FULL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"it is of version {version}, this program knows {SCHEMA_VERSION}")
