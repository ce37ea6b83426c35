"""The extension points: what a ledger, a storage or a signer must do.

One file implements one of them; `extensions.py` finds it by name and the conformance suites under
`tests/conformance/` run over every implementation that is listed there. The comments say what types
cannot: who retries, what is durable on return, what is checked by whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from proml.core.call import ContractCall
from proml.core.digest import keccak256
from proml.core.event import Block, Header, Placed
from proml.core.refusal import Reason
from proml.errors import LedgerProblem


@dataclass(frozen=True, slots=True)
class Terms:
    """What pins a ledger: whoever agrees on these bytes speaks of the same history.

    Attributes:
        chain_id: EIP-155 chain id.
        genesis: hash of block 0, 32 bytes.
        contract: address of the deployed contract, 20 bytes.
        deployed: number of the block that deployed it.
        code: Keccak-256 of its runtime code, 32 bytes.
        finality: how many blocks, its own included, make a block final (1: at once).
    """

    chain_id: int
    genesis: bytes
    contract: bytes
    deployed: int
    code: bytes
    finality: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """An unsigned EIP-1559 transaction; amounts in wei, no value is ever sent."""

    chain_id: int
    nonce: int
    to: bytes
    call: bytes
    gas: int
    max_fee: int
    max_tip: int


@dataclass(frozen=True, slots=True)
class Fees:
    """What a ledger asks at present, in wei per gas, and the gas that one of its blocks holds."""

    max_fee: int
    max_tip: int
    block_gas: int


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """The bytes that go out, and their Keccak-256, by which the chain knows them."""

    raw: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction that is in a block.

    Attributes:
        events: what it emitted, in order; empty when it failed.
        reason: why it failed as a whole, as far as the contracts said; None when it succeeded or
            failed without a reason of theirs.
    """

    transaction: bytes
    block: Block
    succeeded: bool
    gas_used: int
    events: tuple[Placed, ...]
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger holds of one artefact now: its packed word and its head (32 bytes)."""

    word: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Statement:
    """What a key says outside a transaction (EIP-712).

    Attributes:
        domain: domain separator, 32 bytes: this chain and this contract only.
        content: hash of the statement's type, then its values, 32 bytes each.
    """

    domain: bytes
    content: bytes

    @property
    def message(self) -> bytes:
        """The 66 bytes whose Keccak-256 is signed: 0x1901, domain, hash of the content."""
        return b"\x19\x01" + self.domain + keccak256(self.content)

    @property
    def digest(self) -> bytes:
        """The 32 bytes that are signed."""
        return keccak256(self.message)


class Signer(Protocol):
    """Signs with one key. The key itself never leaves the implementation."""

    @property
    def address(self) -> bytes:
        """The key's 20-byte address."""
        ...

    def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        """Sign; the same transaction gives the same bytes every time (RFC 6979).

        Raises KeyProblem when the key cannot be used now.
        """
        ...

    def sign_statement(self, statement: Statement) -> bytes:
        """Sign an EIP-712 statement: 65 bytes r, s, v with low s and v 27 or 28, over its digest.

        The caller shows people what the statement says; a signer that asks people shows it too.
        Raises KeyProblem when the key cannot be used now, or may not sign such a statement.
        """
        ...


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a signer finds its key; each signer uses what it needs.

    Attributes:
        where: what the setting `signer` says after the signer's name and a colon.
        file: the key file that the setting `key` names; it may not exist.
        passphrase: called when a key is encrypted; None where nobody can be asked.
    """

    where: str
    file: Path
    passphrase: Callable[[], str] | None = None


class Ledger(Protocol):
    """The shared history. Nothing here retries a send; every method may raise LedgerProblem.

    All answers are about one chain whose `terms` were checked when the ledger was opened
    (WrongLedger otherwise).
    """

    @property
    def terms(self) -> Terms:
        """What pins this ledger."""
        ...

    def head(self) -> Block:
        """The newest block."""
        ...

    def block(self, number: int) -> Block | None:
        """A block by number, None beyond the head."""
        ...

    def events(self, first: int, last: int) -> Iterator[Placed]:
        """Events of the contract in blocks first..last, both included, in chain order.

        Only those of the pinned contract, decoded strictly; LedgerProblem when one does not decode.
        """
        ...

    def headers(self, first: int, last: int) -> Sequence[Header]:
        """Blocks first..last as the chain has them now, each with its parent's hash.

        LedgerProblem when it lacks one of them. That they follow on each other is for the caller to check.
        """
        ...

    def events_of(self, blocks: Sequence[Block]) -> Iterator[Placed]:
        """Events of exactly these blocks, in chain order, however the chain moved meanwhile.

        LedgerProblem when it does not have one of them, or not any more.
        """
        ...

    def standing(self, artefact: bytes) -> Standing | None:
        """Word and head of an artefact at the newest block, None when it is not registered."""
        ...

    def nonce(self, key: bytes, at: Block | None = None) -> int:
        """How many transactions of a key are in blocks, up to and with `at`, or the newest.

        LedgerProblem when the chain has another block in the place of `at`, as far as that can be told.
        """
        ...

    def fees(self) -> Fees:
        """What a transaction should offer now."""
        ...

    def prepare(self, call: ContractCall, nonce: int, fees: Fees | None = None) -> Transaction:
        """The transaction for a call, with gas from the constant bounds, and the present fees unless given.

        Encodes; asks the ledger for fees only. The caller signs, makes the signed bytes durable,
        and only then sends.
        """
        ...

    def send(self, signed: SignedTransaction) -> None:
        """Hand signed bytes to the chain. Returning says nothing about inclusion; neither does an error.

        Sending bytes that the chain knows already is not an error. LedgerProblem leaves it unknown
        whether they arrived: ask for the receipt, and send the same bytes again.
        """
        ...

    def send_all(self, signed: Sequence[SignedTransaction]) -> list[LedgerProblem | None]:
        """Hand over many, in their order, as by `send` each; what that would have raised, one by one."""
        ...

    def receipt(self, transaction: bytes) -> Receipt | None:
        """The receipt of a transaction by hash, None while it is in no block."""
        ...

    def receipts(self, transactions: Sequence[bytes]) -> list[Receipt | None]:
        """The receipts of many, in their order, as by `receipt` each."""
        ...

    def final(self, blocks: Sequence[Block]) -> list[bool]:
        """Whether each block is in the chain and lies as deep as the terms want it, all on one chain."""
        ...


class Storage(Protocol):
    """Where bytes are found by their name: SHA-256, or the commitment of a sealed record."""

    def put(self, digest: bytes, content: bytes) -> None:
        """Keep `content` under `digest`; durable on return, harmless to repeat.

        Raises StorageProblem when the digest does not name the content, or it cannot be written.
        """
        ...

    def put_all(self, objects: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep many (digest, content), as by `put` each; where that can be quicker than one by one, it is."""
        ...

    def get(self, digest: bytes) -> bytes:
        """The bytes named by `digest`, checked on every read.

        Raises NotFound when there are none, StorageProblem when what is there is something else.
        """
        ...

    def has(self, digest: bytes) -> bool:
        """Whether something is kept under `digest`; does not check it."""
        ...

    def digests(self) -> Iterator[bytes]:
        """Every digest something is kept under, in no particular order."""
        ...


class Format(Protocol):
    """A container format whose content digest is known: a module below `proml/capture/formats`.

    Nothing in a file is unpickled, imported, run or extracted. Memory is bounded whatever the file says of
    itself, and everything it says is compared with its size before it is believed.
    """

    FORM: str
    """Its name in records and digests."""

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether a file of this name, with these first bytes (up to 512), seems to be one. Quick."""
        ...

    def items(self, window: Any) -> Iterable[Mapping[str, Any]]:
        """What the content digest is taken of (docs/format.md), from a `proml.capture.window.Window`.

        Raises FileRefused, and nothing else, for a file that is damaged, dangerous, or could be read in
        two ways.
        """
        ...
