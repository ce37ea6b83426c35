"""A ledger in memory: the executable specification behind the same interface, for tests.

Takes the very bytes a chain takes (signed transactions with the contracts' call data), so a test that
passes here has exercised encoding, signing and recovery too. One block per transaction, final at once,
nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from rlp.exceptions import RLPException  # type: ignore[import-untyped]

from proml.contracts.abi import decode_call, encode_call
from proml.contracts.consent import consent_digest
from proml.core.call import (
    ActForCall,
    AddKeyCall,
    ApproveCall,
    ApproveForCall,
    BatchCall,
    BatchForCall,
    Call,
    CancelCall,
    ContractCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    Founder,
    GovernanceCall,
    LeaveCall,
    ProposeCall,
    RevokeKeyCall,
    VoteCall,
)
from proml.core.consortium import ALL_SCOPES
from proml.core.digest import keccak256, word
from proml.core.event import Block, Event, Header, Placed
from proml.core.history import SharedHistory
from proml.core.lifecycle import Table
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from proml.errors import LedgerProblem
from proml.interfaces import Fees, Receipt, SignedTransaction, Standing, Terms, Transaction
from proml.ledger.flaws import flaws_of
from proml.signing.recovery import signer_of

GAS = 16_000_000
BLOCK_GAS = 30_000_000


class MemoryLedger:
    """Founders, governance and lifecycles as a deployment has them; block times count from `start`."""

    def __init__(
        self, founders: Sequence[Founder], rules: Governance, tables: Sequence[Table], start: int = 0
    ) -> None:
        contract = keccak256(b"memory")[12:]
        genesis = Block(0, keccak256(b"genesis" + word(start)), start)
        self._terms = Terms(
            chain_id=1337,
            genesis=genesis.hash,
            contract=contract,
            deployed=1,
            code=keccak256(b""),
            finality=1,
        )
        self._blocks = [genesis]
        self._events: list[Placed] = []
        self._receipts: dict[bytes, Receipt] = {}
        self._senders: dict[bytes, list[int]] = {}  # numbers of the blocks of each key's transactions
        self.shared = SharedHistory(self._terms.chain_id, contract)
        self._mine(keccak256(b"deploy"), self.shared.found(founders, rules, tables, 1))

    @property
    def terms(self) -> Terms:
        """What pins this ledger."""
        return self._terms

    def head(self) -> Block:
        """The newest block."""
        return self._blocks[-1]

    def block(self, number: int) -> Block | None:
        """A block by number, None beyond the head."""
        return self._blocks[number] if number < len(self._blocks) else None

    def events(self, first: int, last: int) -> Iterator[Placed]:
        """Events in blocks first..last."""
        return iter([placed for placed in self._events if first <= placed.block.number <= last])

    def headers(self, first: int, last: int) -> list[Header]:
        """Blocks first..last with their parents."""
        if last >= len(self._blocks):
            raise LedgerProblem(f"the ledger does not have block {last}")
        return [
            Header(self._blocks[number], self._blocks[number - 1].hash if number else bytes(32))
            for number in range(first, last + 1)
        ]

    def events_of(self, blocks: Sequence[Block]) -> Iterator[Placed]:
        """Events of exactly these blocks."""
        if any(self.block(block.number) != block for block in blocks):
            raise LedgerProblem("the ledger does not have one of these blocks")
        return iter([placed for placed in self._events if placed.block in blocks])

    def standing(self, artefact: bytes) -> Standing | None:
        """Word and head of an artefact."""
        found = self.shared.artefacts.get(artefact)
        return Standing(found.word, found.head) if found else None

    def nonce(self, key: bytes, at: Block | None = None) -> int:
        """How many transactions of a key are in blocks."""
        return sum(block <= (at or self.head()).number for block in self._senders.get(key, ()))

    def fees(self) -> Fees:
        """None: it is free of charge here."""
        return Fees(0, 0, BLOCK_GAS)

    def prepare(self, call: ContractCall, nonce: int, fees: Fees | None = None) -> Transaction:
        """The transaction for a call."""
        asked = fees or self.fees()
        return Transaction(
            self._terms.chain_id,
            nonce,
            self._terms.contract,
            encode_call(call),
            GAS,
            asked.max_fee,
            asked.max_tip,
        )

    def send(self, signed: SignedTransaction) -> None:
        """Execute signed bytes as a block of their own; known bytes change nothing."""
        transaction = keccak256(signed.raw)
        if transaction in self._receipts:
            return
        fields, sender = _read(signed.raw)
        if fields["chainId"] != self._terms.chain_id or bytes(fields["to"]) != self._terms.contract:
            raise LedgerProblem("the transaction is for another chain or contract")
        if fields["nonce"] != self.nonce(sender):
            raise LedgerProblem(f"nonce {fields['nonce']} is not the next one of this key")
        self._senders.setdefault(sender, []).append(len(self._blocks))
        call = Call(sender, len(self._blocks), self._blocks[-1].time + 1)
        outcome = self._execute(call, decode_call(bytes(fields["data"])))
        self._mine(transaction, outcome)

    def send_all(self, signed: Sequence[SignedTransaction]) -> list[LedgerProblem | None]:
        """One block each."""
        return [problem_of(self.send, each) for each in signed]

    def receipt(self, transaction: bytes) -> Receipt | None:
        """The receipt of a transaction."""
        return self._receipts.get(transaction)

    def receipts(self, transactions: Sequence[bytes]) -> list[Receipt | None]:
        """The receipts of many."""
        return [self.receipt(transaction) for transaction in transactions]

    def final(self, blocks: Sequence[Block]) -> list[bool]:
        """Every block is, at once."""
        return [self.block(block.number) == block for block in blocks]

    def _execute(self, call: Call, asked: ContractCall) -> Reason | list[Event]:
        consented, flaws = self._consented(call, asked), flaws_of(self._terms, asked)
        outcome = apply(self.shared, call, asked, consented, flaws)
        return outcome if isinstance(outcome, Reason | list) else [outcome]

    def _consented(self, call: Call, asked: ContractCall) -> bool:
        """Whether the key that a call brings signed for it; True where it brings none."""
        if isinstance(asked, AddKeyCall):
            caller = self.shared.keys.get(call.key)
            named = caller.organisation if caller else 0
            return self._signed(named, asked.key, asked.scope, asked.expires, asked.consent)
        if isinstance(asked, ExecuteCall):
            named = asked.change.organisation
            return self._signed(named, asked.change.key, ALL_SCOPES, 0, asked.consent)
        return True

    def _signed(self, organisation: int, key: bytes, scope: int, expires: int, consent: bytes) -> bool:
        digest = consent_digest(self._terms, organisation, key, scope, expires)
        return signer_of(digest, consent) == key

    def _mine(self, transaction: bytes, outcome: Reason | list[Event]) -> None:
        number = len(self._blocks)
        before = self._blocks[-1]
        block = Block(number, keccak256(before.hash + transaction), before.time + 1)
        events = [] if isinstance(outcome, Reason) else outcome
        placed = tuple(Placed(event, block, transaction, index) for index, event in enumerate(events))
        self._blocks.append(block)
        self._events.extend(placed)
        reason = outcome if isinstance(outcome, Reason) else None
        self._receipts[transaction] = Receipt(transaction, block, reason is None, 0, placed, reason)


def problem_of(send: Callable[[SignedTransaction], None], signed: SignedTransaction) -> LedgerProblem | None:
    """What sending raised."""
    try:
        send(signed)
    except LedgerProblem as problem:
        return problem
    return None


def apply(
    shared: SharedHistory,
    call: Call,
    asked: ContractCall,
    consented: bool,
    flaws: Sequence[Reason | None] = (),
) -> Reason | Event | list[Event]:
    """Do to a specification what a call does to the contracts; refused, it changes nothing.

    `consented` says whether the key that the call brings, if any, signed for it, and `flaws` what is wrong
    with each signature of steps and approvals that others signed (contracts/typed.py).
    """
    match asked:
        case ActForCall():
            return shared.act_for(call, asked.signed, flaws[0])
        case BatchForCall():
            return shared.batch_for(call, asked.steps, flaws)
        case ApproveForCall():
            return shared.approve_for(call, asked.asked, asked.by, flaws[0])
        case BatchCall():
            return shared.batch(call, asked.anchors, asked.steps)
        case ApproveCall():
            return shared.approve(call, asked)
        case AddKeyCall():
            return shared.add_key(call, asked.key, asked.scope, asked.expires, consented)
        case RevokeKeyCall():
            return shared.revoke_key(call, asked.key, asked.compromised_since)
        case _:
            return _govern(shared, call, asked, consented)


def _govern(
    shared: SharedHistory, call: Call, asked: GovernanceCall, consented: bool
) -> Reason | Event | list[Event]:
    match asked:
        case ProposeCall():
            return shared.propose(call, asked.change)
        case VoteCall():
            return shared.vote(call, asked.number)
        case ExecuteCall():
            return shared.execute(call, asked.number, asked.change, consented)
        case ExecuteLifecycleCall():
            return shared.execute_lifecycle(call, asked.number, asked.properties, asked.document, asked.rules)
        case CancelCall():
            return shared.cancel(call, asked.number)
        case LeaveCall():
            return shared.leave(call)


def _read(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The fields of a signed transaction and the address of who signed it."""
    try:
        fields: dict[str, Any] = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        return fields, bytes.fromhex(Account.recover_transaction(raw)[2:])
    except (ValueError, TypeError, IndexError, RLPException) as error:
        raise LedgerProblem(f"this is no signed transaction: {error}") from error
