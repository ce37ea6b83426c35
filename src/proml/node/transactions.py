"""What was signed: every transaction of every key, what became of it, and what it was signed instead of.

A row of `tx` is one nonce of one key with the bytes that go out for it now. Where its fee was raised, what
was signed before stays in `replaced`: any of those may be in a block some day.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Overtaken: its nonce is used, by itself (soon to be seen) or by another; `block` is the head at the time.
SIGNED, INCLUDED, OVERTAKEN = "signed", "included", "overtaken"
FINAL, DISPLACED = "final", "displaced"
UNSETTLED = (SIGNED, INCLUDED, OVERTAKEN)

_TX = "hash, key, nonce, raw, state, signed, block, block_hash, gas, included, final, max_fee, max_tip"


@dataclass(frozen=True, slots=True)
class Sent:
    """A signed transaction and what is known of it; times are Unix seconds of this machine.

    `key` is the 20-byte address that signed it: each key counts its nonces by itself. Fees are in wei a gas.
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
    max_fee: int = 0
    max_tip: int = 0


class Tables:
    """An open SQLite connection whose every statement is over when a method returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take a connection whose schema is up to date and whose file is locked by this process."""
        self._db = connection

    @contextmanager
    def together(self) -> Iterator[None]:
        """Everything inside is written together or not at all. Do not nest."""
        self._do("BEGIN IMMEDIATE")
        try:
            yield
            self._do("COMMIT")
        except BaseException:
            # SQLite may have rolled back by itself already, on a full disk for one.
            if self._db.in_transaction:
                self._do("ROLLBACK")
            raise

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        # A cursor read half way holds a lock for as long as anything, a traceback for one, holds the cursor.
        cursor = self._db.execute(statement, values)
        try:
            return cursor.fetchall()
        finally:
            cursor.close()

    def _do(self, statement: str, values: Sequence[Any] = ()) -> int | None:
        """Carry out a statement that gives no rows; returns the last row's number."""
        cursor = self._db.execute(statement, values)
        number = cursor.lastrowid
        cursor.close()
        return number

    def _do_each(self, statement: str, values: Sequence[Sequence[Any]]) -> None:
        if values:
            self._db.executemany(statement, values).close()


class Transactions(Tables):
    """The signed transactions of an outbox."""

    def add_tx(self, sent: Sent, items: Sequence[int]) -> None:
        """Keep a signed transaction and tie intents to it, in their order of items."""
        self._do(
            "INSERT INTO tx (hash, key, nonce, raw, state, signed, max_fee, max_tip) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (sent.hash, sent.key, sent.nonce, sent.raw, sent.state, sent.signed, sent.max_fee, sent.max_tip),
        )
        self._do_each(
            "UPDATE intent SET state = 'sent', tx = ?, item = ? WHERE id = ?",
            [(sent.hash, item, number) for item, number in enumerate(items)],
        )

    def exchange(self, old: Sent, new: Sent) -> None:
        """Let other signed bytes for the same nonce and intents stand in the place of `old`, and keep those.

        Of several statements, as the two below: to be done `together`.
        """
        self._do("INSERT INTO replaced VALUES (?, ?, ?, ?)", (old.hash, new.hash, old.raw, old.signed))
        self._do("UPDATE replaced SET tx = ? WHERE tx = ?", (new.hash, old.hash))
        self._do("DELETE FROM replaced WHERE hash = ?", (new.hash,))
        self._do(
            "UPDATE tx SET hash = ?, raw = ?, signed = ?, max_fee = ?, max_tip = ? WHERE hash = ?",
            (new.hash, new.raw, new.signed, new.max_fee, new.max_tip, old.hash),
        )
        self._do("UPDATE intent SET tx = ? WHERE tx = ?", (new.hash, old.hash))

    def release(self, tx: bytes) -> None:
        """Queue the intents of a transaction again, which can never get into a block any more."""
        self._do("UPDATE tx SET state = ? WHERE hash = ?", (DISPLACED, tx))
        self._do(
            "UPDATE intent SET state = 'waiting', tx = NULL, item = NULL WHERE tx = ? AND state = 'sent'",
            (tx,),
        )

    def reopen(self, tx: bytes) -> None:
        """Hold a transaction for sent that was held for final, and its intents with it."""
        self._do(
            "UPDATE tx SET state = ?, block = NULL, block_hash = NULL, final = NULL WHERE hash = ?",
            (SIGNED, tx),
        )
        self._do("UPDATE intent SET state = 'sent', reason = NULL WHERE tx = ?", (tx,))

    def replaced(self, hash_: bytes) -> dict[bytes, bytes]:
        """What was signed for the same nonce before: hashes with their bytes, newest first."""
        rows = self._rows("SELECT hash, raw FROM replaced WHERE tx = ? ORDER BY rowid DESC", (hash_,))
        return dict(rows)

    def txs(self, *states: str) -> list[Sent]:
        """Transactions in any of the states, in the order in which they were signed."""
        marks = ",".join("?" * len(states))
        return self._txs(f"state IN ({marks}) ORDER BY rowid", states)

    def unsettled(self, limit: int) -> list[Sent]:
        """Transactions that are not settled, those that come first in the order of their key first."""
        marks = ",".join("?" * len(UNSETTLED))
        return self._txs(f"state IN ({marks}) ORDER BY nonce, rowid LIMIT ?", (*UNSETTLED, limit))

    def tx(self, hash_: bytes) -> Sent | None:
        """One transaction by hash."""
        found = self._txs("hash = ?", (hash_,))
        return found[0] if found else None

    def txs_at(self, key: bytes, nonce: int) -> list[Sent]:
        """What was signed with a key for a nonce; several only where one was given up."""
        return self._txs("key = ? AND nonce = ? ORDER BY rowid", (key, nonce))

    def _txs(self, where: str, values: Sequence[Any]) -> list[Sent]:
        return [Sent(*row) for row in self._rows(f"SELECT {_TX} FROM tx WHERE {where}", values)]  # noqa: S608 -- constants only

    def count_txs(self, state: str) -> int:
        """How many transactions are in a state."""
        return int(self._rows("SELECT count(*) FROM tx WHERE state = ?", (state,))[0][0])

    def update_tx(self, sent: Sent) -> None:
        """Write what became known of a transaction."""
        self._do(
            "UPDATE tx SET state = ?, block = ?, block_hash = ?, gas = ?, included = ?, final = ? "
            "WHERE hash = ?",
            (sent.state, sent.block, sent.block_hash, sent.gas, sent.included, sent.final, sent.hash),
        )

    def highest_nonce(self, key: bytes) -> int:
        """The highest nonce ever signed here with a key (20-byte address), -1 for none."""
        return int(self._rows("SELECT coalesce(max(nonce), -1) FROM tx WHERE key = ?", (key,))[0][0])

    def nonces_elsewhere(self, key: bytes) -> int:
        """The first nonce of a key that nobody has answered for, 0 where nobody had to: see `Reconciling`."""
        rows = self._rows("SELECT nonces FROM elsewhere WHERE key = ?", (key,))
        return int(rows[0][0]) if rows else 0

    def set_nonces_elsewhere(self, key: bytes, nonces: int) -> None:
        """Remember that what a key did before this nonce, and is not here, is answered for."""
        self._do("INSERT OR REPLACE INTO elsewhere VALUES (?, ?)", (key, nonces))
