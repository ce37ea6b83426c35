"""Who may ask what of a node: tokens for programs, sign-ins of people, and answers given before.

One SQLite file, `node/access.sqlite`, mode 0600. A secret is never in it: of tokens and sessions only
the SHA-256 is kept (they are 256 random bits, so nothing slower is called for). Losing the file costs
new tokens and nothing else.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proml.core.consortium import SCOPES
from proml.core.digest import sha256
from proml.errors import NotFound, StorageProblem, UsageProblem

# What a request may do: read what members may, add to the journal, approve, govern.
READ = "read"
ALL_SCOPES = (READ, *SCOPES)
TOKEN_BEGINS = "proml_"  # noqa: S105 -- the same for every token, so that scanners for leaked ones find them
SESSION_SECONDS = 8 * 3600
NONCE_SECONDS = 300
ANSWER_SECONDS = 24 * 3600
SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE token (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, digest BLOB NOT NULL UNIQUE, scopes TEXT NOT NULL,
    created REAL NOT NULL, expires REAL NOT NULL, revoked REAL
);
CREATE TABLE session (
    digest BLOB PRIMARY KEY, address BLOB NOT NULL, created REAL NOT NULL, expires REAL NOT NULL
);
CREATE TABLE nonce (nonce TEXT PRIMARY KEY, purpose TEXT NOT NULL, expires REAL NOT NULL);
CREATE TABLE statement (
    digest BLOB PRIMARY KEY, scope TEXT NOT NULL, content TEXT NOT NULL, expires REAL NOT NULL
);
CREATE TABLE answer (
    caller TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL, status INTEGER, body BLOB,
    expires REAL NOT NULL, PRIMARY KEY (caller, key)
);
"""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: its id, for people a name, its scopes, and Unix times; never the secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created: float
    expires: float
    revoked: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether it opens anything at a time."""
        return self.revoked is None and now < self.expires


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request before: None for both where it is still at work."""

    request: bytes
    status: int | None
    body: bytes | None


class Access:
    """The open database; may be used from several threads, and from several processes at once."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Use `open_access`."""
        self._db = connection
        self._path = path
        self._lock = threading.Lock()

    # --- tokens -----------------------------------------------------------------------------

    def create_token(self, name: str, scopes: Iterable[str], seconds: float) -> tuple[Token, str]:
        """Make a token; its secret is in the answer and nowhere else.

        Args:
            name: what to call it, 1 to 64 printable characters.
            scopes: out of `ALL_SCOPES`, at least one.
            seconds: how long it is valid.

        Raises:
            UsageProblem: for a scope that does not exist, or a name or time that cannot be.
        """
        chosen = tuple(scope for scope in ALL_SCOPES if scope in set(scopes))
        unknown = set(scopes) - set(ALL_SCOPES)
        if unknown or not chosen:
            raise UsageProblem(
                f"{', '.join(sorted(unknown)) or 'none'} is no scope", f"scopes are {', '.join(ALL_SCOPES)}"
            )
        if not (0 < len(name) <= 64 and name.isprintable()):
            raise UsageProblem(f"{name!r} cannot be a token's name", "use 1 to 64 printable characters")
        if seconds <= 0:
            raise UsageProblem("a token is valid for some time", "give days above 0")
        secret = TOKEN_BEGINS + secrets.token_urlsafe(32)
        now = time.time()
        token = Token(secrets.token_hex(4), name, chosen, now, now + seconds)
        with self._using() as db:
            db.execute(
                "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (token.id, name, _digest(secret), " ".join(chosen), token.created, token.expires),
            )
        return token, secret

    def tokens(self) -> list[Token]:
        """Every token there ever was, oldest first."""
        with self._using() as db:
            rows = db.execute(
                "SELECT id, name, scopes, created, expires, revoked FROM token ORDER BY created"
            ).fetchall()
        return [_token(row) for row in rows]

    def token(self, secret: str) -> Token | None:
        """The valid token with this secret."""
        with self._using() as db:
            row = db.execute(
                "SELECT id, name, scopes, created, expires, revoked FROM token WHERE digest = ?",
                (_digest(secret),),
            ).fetchone()
        token = _token(row) if row else None
        return token if token and token.is_valid(time.time()) else None

    def revoke_token(self, id_: str) -> None:
        """Make a token open nothing from now on.

        Raises:
            NotFound: when there is none of that id.
        """
        with self._using() as db:
            done = db.execute(
                "UPDATE token SET revoked = coalesce(revoked, ?) WHERE id = ?", (time.time(), id_)
            )
        if not done.rowcount:
            raise NotFound(f"there is no token {id_!r}", "`proml node token list` shows them")

    # --- signing in -------------------------------------------------------------------------

    def new_nonce(self, purpose: str) -> str:
        """A fresh nonce for one purpose, valid once and for five minutes: 32 hexadecimal digits."""
        nonce, now = secrets.token_hex(16), time.time()
        with self._using() as db:
            db.execute("DELETE FROM nonce WHERE expires < ?", (now,))
            db.execute("INSERT INTO nonce VALUES (?, ?, ?)", (nonce, purpose, now + NONCE_SECONDS))
        return nonce

    def use_nonce(self, nonce: str, purpose: str) -> bool:
        """Whether the nonce was given out for the purpose and not used before; it is used from now on."""
        with self._using() as db:
            done = db.execute(
                "DELETE FROM nonce WHERE nonce = ? AND purpose = ? AND expires >= ?",
                (nonce, purpose, time.time()),
            )
        return bool(done.rowcount)

    def start_session(self, address: bytes) -> str:
        """Remember that the holder of a key (20-byte address) signed in; returns the session's secret."""
        secret, now = secrets.token_urlsafe(32), time.time()
        with self._using() as db:
            db.execute("DELETE FROM session WHERE expires < ?", (now,))
            db.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?)",
                (_digest(secret), address, now, now + SESSION_SECONDS),
            )
        return secret

    def session(self, secret: str) -> bytes | None:
        """The address that signed in with this secret, None when there is no such session any more."""
        with self._using() as db:
            row = db.execute(
                "SELECT address FROM session WHERE digest = ? AND expires >= ?",
                (_digest(secret), time.time()),
            ).fetchone()
        return row[0] if row else None

    def end_session(self, secret: str) -> None:
        """Forget a session."""
        with self._using() as db:
            db.execute("DELETE FROM session WHERE digest = ?", (_digest(secret),))

    # --- statements -------------------------------------------------------------------------

    def keep_statement(self, digest: bytes, scope: str, content: str, expires: float) -> None:
        """Remember what is to be done once somebody has signed this digest; `expires` is Unix time."""
        with self._using() as db:
            db.execute("DELETE FROM statement WHERE expires < ?", (time.time(),))
            db.execute("INSERT INTO statement VALUES (?, ?, ?, ?)", (digest, scope, content, expires))

    def statement(self, digest: bytes, scope: str) -> str:
        """What is to be done by a statement of this scope.

        Raises:
            NotFound: when there is none, it has expired, or it was done.
        """
        with self._using() as db:
            row = db.execute(
                "SELECT content FROM statement WHERE digest = ? AND scope = ? AND expires >= ?",
                (digest, scope, time.time()),
            ).fetchone()
        if row is None:
            raise NotFound("there is no such statement to sign", "it may have expired or been signed already")
        return str(row[0])

    def use_statement(self, digest: bytes) -> bool:
        """Whether the statement was there still; nobody else gets it any more."""
        with self._using() as db:
            done = db.execute("DELETE FROM statement WHERE digest = ?", (digest,))
        return bool(done.rowcount)

    # --- answers ----------------------------------------------------------------------------

    def begin_answer(self, caller: str, key: str, request: bytes) -> Answer | None:
        """Note that a request is at work under an idempotency key, or give what is known of it already.

        Args:
            caller: whose key it is; another's is another.
            key: the idempotency key.
            request: SHA-256 over what was asked.
        """
        now = time.time()
        with self._using() as db:
            db.execute("DELETE FROM answer WHERE expires < ?", (now,))
            known = db.execute(
                "SELECT request, status, body FROM answer WHERE caller = ? AND key = ?", (caller, key)
            ).fetchone()
            if known:
                return Answer(*known)
            db.execute(
                "INSERT INTO answer VALUES (?, ?, ?, NULL, NULL, ?)",
                (caller, key, request, now + ANSWER_SECONDS),
            )
        return None

    def keep_answer(self, caller: str, key: str, status: int, body: bytes) -> None:
        """Keep what was answered, to be answered again."""
        with self._using() as db:
            db.execute(
                "UPDATE answer SET status = ?, body = ? WHERE caller = ? AND key = ?",
                (status, body, caller, key),
            )

    def drop_answer(self, caller: str, key: str) -> None:
        """Forget that a request was at work: nothing came of it."""
        with self._using() as db:
            db.execute("DELETE FROM answer WHERE caller = ? AND key = ?", (caller, key))

    def drop_unanswered(self) -> None:
        """Forget what was at work when an earlier node ended: its clients ask again."""
        with self._using() as db:
            db.execute("DELETE FROM answer WHERE status IS NULL")

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self._lock:
            try:
                with self._db:
                    yield self._db
            except sqlite3.Error as error:
                raise StorageProblem(
                    f"{self._path} cannot be used: {error}",
                    "make room, or move it away: new tokens are then needed",
                ) from error


@contextmanager
def open_access(folder: Path) -> Iterator[Access]:
    """Open the database in the node's folder, making both if need be.

    Raises:
        StorageProblem: when it is damaged, of another version, or cannot be written.
    """
    path = folder / "access.sqlite"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StorageProblem(
            f"{path} cannot be opened: {error}", "make room, or check who owns it"
        ) from error
    try:
        _prepare(connection, path)
        yield Access(connection, path)
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    except sqlite3.Error as error:
        raise StorageProblem(
            f"{path} cannot be used: {error}", "move it away: new tokens are then needed"
        ) from error
    if version not in (0, SCHEMA_VERSION):
        raise StorageProblem(
            f"{path} is of version {version}", "use the ProML that wrote it, or move it away"
        )


def _token(row: tuple[Any, ...]) -> Token:
    id_, name, scopes, created, expires, revoked = row
    return Token(id_, name, tuple(scopes.split()), created, expires, revoked)


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass"))
