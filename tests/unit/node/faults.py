"""Breaks the n-th thing that is done, in two ways: it fails before it happens, or after it happened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest

from proml.core.call import BatchCall, ContractCall
from proml.core.event import Block, Placed
from proml.errors import LedgerProblem, StorageProblem
from proml.interfaces import Fees, Ledger, Receipt, SignedTransaction, Standing, Storage, Terms, Transaction
from proml.ledger.memory import MemoryLedger, problem_of
from proml.node import outbox_file as outboxes
from proml.signing import throwaway_key

Way = Literal["failed", "happened"]


class Crash(BaseException):
    """The process dies here."""


class Plan:
    """What breaks, and how; counts what was done."""

    def __init__(self, at: int = -1, way: Way = "failed", crash: bool = True) -> None:
        self.at, self.way, self.crash = at, way, crash
        self.done: list[str] = []

    def do(self, name: str, work: Callable[[], Any], error: BaseException) -> Any:
        """Do the work, unless it is the turn of this one to break."""
        broken = len(self.done) == self.at
        self.done.append(name)
        if broken and self.way == "failed":
            raise Crash if self.crash else error
        result = work()
        if broken:
            if isinstance(result, sqlite3.Cursor):
                result.close()  # nobody else can: it never gets out of here
            raise Crash if self.crash else error
        return result


class FaultyLedger:
    """A ledger whose every call may break."""

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self.inner, self.plan = ledger, plan

    def _do(self, name: str, work: Callable[[], Any]) -> Any:
        return self.plan.do(f"ledger.{name}", work, LedgerProblem("the ledger did not answer"))

    @property
    def terms(self) -> Terms:
        return self.inner.terms

    def head(self) -> Block:
        return self._do("head", self.inner.head)

    def block(self, number: int) -> Block | None:
        return self._do("block", lambda: self.inner.block(number))

    def events(self, first: int, last: int) -> Iterator[Placed]:
        return iter(self._do("events", lambda: list(self.inner.events(first, last))))

    def standing(self, artefact: bytes) -> Standing | None:
        return self._do("standing", lambda: self.inner.standing(artefact))

    def nonce(self, key: bytes, at: Block | None = None) -> int:
        return self._do("nonce", lambda: self.inner.nonce(key, at))

    def fees(self) -> Fees:
        return self._do("fees", self.inner.fees)

    def prepare(self, call: ContractCall, nonce: int, fees: Fees | None = None) -> Transaction:
        return self._do("prepare", lambda: self.inner.prepare(call, nonce, fees))

    def send(self, signed: SignedTransaction) -> None:
        self._do("send", lambda: self.inner.send(signed))

    def send_all(self, signed: Sequence[SignedTransaction]) -> list[LedgerProblem | None]:
        return [problem_of(self.send, each) for each in signed]

    def receipt(self, transaction: bytes) -> Receipt | None:
        return self._do("receipt", lambda: self.inner.receipt(transaction))

    def receipts(self, transactions: Sequence[bytes]) -> list[Receipt | None]:
        return [self.receipt(transaction) for transaction in transactions]

    def final(self, blocks: Sequence[Block]) -> list[bool]:
        return self._do("final", lambda: self.inner.final(blocks))


class FaultyStorage:
    """A storage whose every put may break."""

    def __init__(self, storage: Storage, plan: Plan) -> None:
        self.inner, self.plan = storage, plan

    def put(self, digest: bytes, content: bytes) -> None:
        problem = StorageProblem("the disk is full")
        self.plan.do("storage.put", lambda: self.inner.put(digest, content), problem)

    def put_all(self, objects: Sequence[tuple[bytes, bytes]]) -> None:
        for digest, content in objects:
            self.put(digest, content)

    def get(self, digest: bytes) -> bytes:
        return self.inner.get(digest)

    def has(self, digest: bytes) -> bool:
        return self.inner.has(digest)

    def digests(self) -> Iterator[bytes]:
        return self.inner.digests()


class FaultyConnection(sqlite3.Connection):
    """A database whose every statement may break."""

    plan: Plan

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        return self._do(str(arguments[0]), lambda: super(FaultyConnection, self).execute(*arguments))

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        return self._do(str(arguments[0]), lambda: super(FaultyConnection, self).executemany(*arguments))

    def _do(self, statement: str, work: Callable[[], Any]) -> Any:
        full = sqlite3.OperationalError("database or disk is full")
        return self.plan.do(f"sql.{statement.split(maxsplit=1)[0].lower()}", work, full)


def break_statements(monkeypatch: pytest.MonkeyPatch, plan: Plan) -> None:
    """From now on, every statement of every outbox goes by the plan."""

    def connect(path: Any, **options: Any) -> sqlite3.Connection:
        connection = FaultyConnection(path, **options)
        connection.plan = Plan()  # opening it is not what is tried here
        return _started(connection, plan)

    def _started(connection: FaultyConnection, plan: Plan) -> FaultyConnection:
        def execute(*arguments: Any) -> sqlite3.Cursor:
            if not str(arguments[0]).startswith("PRAGMA"):
                connection.plan = plan
            return FaultyConnection.execute(connection, *arguments)

        connection.execute = execute  # type: ignore[method-assign]
        return connection

    monkeypatch.setattr(outboxes.sqlite3, "connect", connect)


class Chain:
    """The memory ledger with what real chains have: depth, other people's blocks, and blocks that go away.

    Attributes:
        finality: as in `Terms`.
        hidden: transactions whose block went away; the nonce goes back with them.
        lagging: how many more times a receipt is not there yet.
        blind: how many more times the node that gives events has not seen anything but the founding.
        behind: how many transactions the node that counts nonces has not seen.
    """

    def __init__(self, memory: MemoryLedger, finality: int = 1) -> None:
        self.inner = memory
        self.finality = finality
        self.hidden: dict[bytes, bytes] = {}
        self.lagging = 0
        self.behind = 0
        self.blind = 0
        self.sent: list[bytes] = []
        self.before_send: Callable[[], None] = lambda: None

    @property
    def terms(self) -> Terms:
        return replace(self.inner.terms, finality=self.finality)

    def mine(self, blocks: int) -> None:
        """Blocks in which somebody else does something."""
        stranger = throwaway_key()
        for nonce in range(blocks):
            self.inner.send(stranger.sign_transaction(self.inner.prepare(BatchCall(), nonce)))

    def hide(self, transaction: bytes, key: bytes) -> None:
        """A reorganisation takes the transaction's block away, and the pool has forgotten it."""
        self.hidden[transaction] = key

    def head(self) -> Block:
        return self.inner.head()

    def block(self, number: int) -> Block | None:
        return self.inner.block(number)

    def events(self, first: int, last: int) -> Iterator[Placed]:
        if self.blind:
            self.blind -= 1
            last = self.inner.terms.deployed
        return iter([p for p in self.inner.events(first, last) if p.transaction not in self.hidden])

    def standing(self, artefact: bytes) -> Standing | None:
        return self.inner.standing(artefact)

    def nonce(self, key: bytes, at: Block | None = None) -> int:
        return max(
            0, self.inner.nonce(key, at) - sum(owner == key for owner in self.hidden.values()) - self.behind
        )

    def fees(self) -> Fees:
        return self.inner.fees()

    def prepare(self, call: ContractCall, nonce: int, fees: Fees | None = None) -> Transaction:
        return self.inner.prepare(call, nonce, fees)

    def send(self, signed: SignedTransaction) -> None:
        hook, self.before_send = self.before_send, lambda: None
        hook()
        self.sent.append(signed.hash)
        self.hidden.pop(signed.hash, None)
        self.inner.send(signed)

    def receipt(self, transaction: bytes) -> Receipt | None:
        if transaction in self.hidden:
            return None
        found = self.inner.receipt(transaction)
        if found is not None and self.lagging:
            self.lagging -= 1
            return None
        return found

    def send_all(self, signed: Sequence[SignedTransaction]) -> list[LedgerProblem | None]:
        return [problem_of(self.send, each) for each in signed]

    def receipts(self, transactions: Sequence[bytes]) -> list[Receipt | None]:
        return [self.receipt(transaction) for transaction in transactions]

    def final(self, blocks: Sequence[Block]) -> list[bool]:
        return [block.number + self.finality - 1 <= self.head().number for block in blocks]
