"""The contracts on any Ethereum-compatible chain, over JSON-RPC.

An answer is believed only as far as it fits what is pinned: the chain id, the genesis and the contract's
code are compared when the ledger is opened, logs are taken from the pinned contract only and decoded
strictly, and each must belong to the block its place names. That the node's chain is the one the
members agreed on is the chain's business; that its history is complete shows in the heads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from proml.contracts.abi import ARTEFACT, decode_refusal, encode_call
from proml.core.call import (
    ActForCall,
    AnchorCall,
    BatchCall,
    BatchForCall,
    ContractCall,
    ExecuteLifecycleCall,
    StepCall,
)
from proml.core.digest import hexed, keccak256, unhexed
from proml.core.event import Block, Header, Placed
from proml.core.patricia import StateProof
from proml.core.refusal import Reason
from proml.errors import LedgerProblem, WrongLedger
from proml.interfaces import Fees, Receipt, SignedTransaction, Standing, Terms, Transaction
from proml.ledger.answers import content, quantity, strictly
from proml.ledger.blocks import GET_BLOCK, PIECE, Blocks, ask_in_pieces
from proml.ledger.logs import Logs
from proml.ledger.rpc import Questions, Rpc, RpcError
from proml.ledger.state_proof import fetch_state_proof
from proml.trust import LedgerFile

# Upper bounds with every guard on (docs/contracts.md, "Gas"); the difference is given back. Nothing is
# estimated: an estimate is one more answer that may be wrong.
GAS_CALL = 120_000
GAS_ANCHOR = 60_000
GAS_REGISTER = 115_000
GAS_ACT = 85_000
GAS_INPUT = 7_000
GAS_APPROVAL = 14_000
GAS_RULE = 30_000
GAS_SIGNATURE = 8_000
GET_RECEIPT = "eth_getTransactionReceipt"
SEND = "eth_sendRawTransaction"

Sending = Callable[[Sequence[bytes]], list[LedgerProblem | None]]


class EvmLedger:
    """A ledger behind one JSON-RPC address.

    Args:
        rpc: the connection.
        terms: what the chain must be; checked by `check`.
        send: how signed bytes go out; by default `eth_sendRawTransaction`. Says of each what went wrong.
    """

    def __init__(self, rpc: Questions, terms: Terms, send: Sending | None = None) -> None:
        self._rpc = rpc
        self._terms = terms
        self._send = send or self._send_raw
        self._blocks = Blocks(rpc)
        self._logs = Logs(rpc, self._blocks, terms)

    @property
    def terms(self) -> Terms:
        """What pins this ledger."""
        return self._terms

    def check(self) -> None:
        """Raise WrongLedger unless the chain id, the genesis and the contract's code are the pinned ones."""
        found = quantity(self._rpc.call("eth_chainId"))
        if found != self._terms.chain_id:
            raise WrongLedger(
                f"the chain has id {found}, the project trusts {self._terms.chain_id}",
                "point the ledger file at the right chain, or start that chain",
            )
        genesis = self._blocks.at(0)
        if genesis is None or genesis.hash != self._terms.genesis:
            raise WrongLedger("the chain begins with another block than the project trusts", _ANOTHER_HINT)
        code = content(self._rpc.call("eth_getCode", [hexed(self._terms.contract), "latest"]))
        if keccak256(code) != self._terms.code:
            what = "no contract" if not code else "another contract"
            raise WrongLedger(f"there is {what} at {hexed(self._terms.contract)}", _ANOTHER_HINT)

    def head(self) -> Block:
        """The newest block."""
        return self._blocks.newest()

    def block(self, number: int) -> Block | None:
        """A block by number, None beyond the head."""
        return self._blocks.at(number)

    def events(self, first: int, last: int) -> Iterator[Placed]:
        """Events of the contract in blocks first..last, in chain order."""
        return self._logs.between(first, last)

    def headers(self, first: int, last: int) -> list[Header]:
        """Blocks first..last as the chain has them now, each with its parent's hash."""
        return self._blocks.read(range(first, last + 1))

    def events_of(self, blocks: Sequence[Block]) -> Iterator[Placed]:
        """Events of exactly these blocks, each asked for by its hash."""
        return self._logs.of(blocks)

    def standing(self, artefact: bytes) -> Standing | None:
        """Word and head of an artefact at the newest block."""
        call = {"to": hexed(self._terms.contract), "data": hexed(ARTEFACT + artefact)}
        answer = content(self._rpc.call("eth_call", [call, "latest"]))
        if len(answer) != 64:
            raise LedgerProblem("the contract's answer about an artefact has not 64 bytes")
        word = int.from_bytes(answer[:32], "big")
        return Standing(word, answer[32:]) if word else None

    def nonce(self, key: bytes, at: Block | None = None) -> int:
        """How many transactions of a key are in blocks, up to and with `at`, or the newest.

        Asked by the block's hash (EIP-1898): a node that does not have the block says so.
        """
        where = {"blockHash": hexed(at.hash), "requireCanonical": True} if at else "latest"
        return quantity(self._rpc.call("eth_getTransactionCount", [hexed(key), where]))

    def fees(self) -> Fees:
        """Twice the base fee, and the node's usual tip."""
        latest = self._rpc.call(GET_BLOCK, ["latest", False])
        with strictly(GET_BLOCK):
            base = quantity(latest.get("baseFeePerGas", "0x0"))
            block_gas = quantity(latest.get("gasLimit", "0x0"))
        tip = quantity(self._rpc.call("eth_maxPriorityFeePerGas")) if base else 0
        return Fees(2 * base + tip, tip, block_gas)

    def prepare(self, call: ContractCall, nonce: int, fees: Fees | None = None) -> Transaction:
        """The transaction for a call; see `Ledger.prepare`."""
        asked = fees or self.fees()
        return Transaction(
            chain_id=self._terms.chain_id,
            nonce=nonce,
            to=self._terms.contract,
            call=encode_call(call),
            gas=gas_bound(call),
            max_fee=asked.max_fee,
            max_tip=asked.max_tip,
        )

    def send(self, signed: SignedTransaction) -> None:
        """Hand signed bytes to the chain; bytes it knows already, or has mined, are no error."""
        (problem,) = self._send([signed.raw])
        if problem is not None:
            raise problem

    def send_all(self, signed: Sequence[SignedTransaction]) -> list[LedgerProblem | None]:
        """Many, in their order; see `Ledger.send_all`."""
        return self._send([each.raw for each in signed]) if signed else []

    def receipt(self, transaction: bytes) -> Receipt | None:
        """The receipt of a transaction, None while it is in no block."""
        return self.receipts([transaction])[0]

    def receipts(self, transactions: Sequence[bytes]) -> list[Receipt | None]:
        """The receipts of many; None also where the chain moved between two answers: ask again."""
        calls = [(GET_RECEIPT, [hexed(transaction)]) for transaction in transactions]
        answers = ask_in_pieces(self._rpc, calls)
        # Some nodes give a receipt without a block while the transaction waits.
        found = {
            transaction: answer
            for transaction, answer in zip(transactions, answers, strict=True)
            if answer is not None and not (isinstance(answer, dict) and answer.get("blockNumber") is None)
        }
        with strictly(GET_RECEIPT):
            names = {t: (quantity(a["blockNumber"]), unhexed(a["blockHash"])) for t, a in found.items()}
        blocks = self._blocks.present(sorted({number for number, _ in names.values()}))
        return [
            self._receipt(transaction, found[transaction], block)
            if transaction in names
            and (block := blocks[names[transaction][0]]) is not None
            and block.hash == names[transaction][1]
            else None
            for transaction in transactions
        ]

    def _receipt(self, transaction: bytes, found: Any, block: Block) -> Receipt:
        with strictly(GET_RECEIPT):
            succeeded, gas_used = quantity(found["status"]) == 1, quantity(found["gasUsed"])
            logs, about = list(found["logs"]), unhexed(found["transactionHash"])
            strange = any(unhexed(log["transactionHash"]) != transaction for log in logs)
        if about != transaction or strange:
            raise LedgerProblem("the ledger answered with the receipt of another transaction", "try again")
        return Receipt(
            transaction=transaction,
            block=block,
            succeeded=succeeded,
            gas_used=gas_used,
            events=tuple(self._logs.placed(logs, block)),
            reason=None if succeeded else self._reason(transaction, block.number),
        )

    def final(self, blocks: Sequence[Block]) -> list[bool]:
        """Whether each is in the chain, as deep as the terms want it; the blocks above it are followed."""
        head = self._blocks.newest().number
        deep = [block for block in blocks if block.number + self._terms.finality - 1 <= head]
        numbers = sorted({block.number + more for block in deep for more in range(self._terms.finality)})
        chain = {header.block.number: header for header in self._blocks.read(numbers)}

        def is_final(block: Block) -> bool:
            above = [chain[block.number + more] for more in range(self._terms.finality)]
            linked = all(after.parent == before.block.hash for before, after in pairwise(above))
            return linked and above[0].block == block

        return [block in deep and is_final(block) for block in blocks]

    def prove(self, slots: Sequence[bytes], number: int) -> StateProof:
        """The proof of what storage slots of the contract (32 bytes each) hold at a block.

        Raises LedgerProblem when the node offers no proofs, or keeps no state of that block any more.
        """
        return fetch_state_proof(self._rpc, self._terms.contract, slots, number)

    def _reason(self, transaction: bytes, number: int) -> Reason | None:
        """Why a transaction failed: the same call once more, on the state before its block.

        Where that succeeds, something in its own block made it fail (a key that ended with it), so the call
        is made on the state after it too.
        """
        sent = self._rpc.call("eth_getTransactionByHash", [hexed(transaction)])
        if sent is None:
            return None
        with strictly("eth_getTransactionByHash"):
            call = {name: sent[name] for name in ("from", "to", "gas")} | {"data": sent["input"]}
        for state in (number - 1, number):
            try:
                self._rpc.call("eth_call", [call, hex(state)])
            except RpcError as error:
                reason = decode_refusal(error.revert)
                if reason is not None:
                    return reason
        return None

    def _send_raw(self, raws: Sequence[bytes]) -> list[LedgerProblem | None]:
        # In one request, and nothing twice: what went wrong with the request went wrong with each of them.
        calls = [(SEND, [hexed(raw)]) for raw in raws]
        problems: list[LedgerProblem | None] = []
        for first in range(0, len(calls), PIECE):
            piece = calls[first : first + PIECE]
            try:
                answers = self._rpc.batch(piece)
            except LedgerProblem as problem:
                answers = [problem] * len(piece)
            problems += [answer if isinstance(answer, LedgerProblem) else None for answer in answers]
        return [None if _is_known(problem) else problem for problem in problems]


def _is_known(problem: LedgerProblem | None) -> bool:
    """Whether a node says that it has the bytes already, or has mined them."""
    return isinstance(problem, RpcError) and bool(_KNOWN.search(re.sub("[^a-z]", "", problem.text.lower())))


# How nodes say that they have the bytes, or have mined them and count on: geth "already known" and "nonce too
# low", Besu "Known transaction", Nethermind "AlreadyKnown" and "OldNonce", Parity "already imported", Erigon
# "ALREADY_EXISTS". Another transaction with the nonce sounds alike: the receipt decides in the end. Compared
# without anything but letters; "unknown transaction type" is none of them.
_KNOWN = re.compile(
    "alreadyknown|alreadyimported|alreadyexists|(?<!un)knowntransaction|nonce(?:is)?toolow|oldnonce"
)
_ANOTHER_HINT = "the ledger file belongs to another chain; get the right one from a member"


def gas_bound(call: ContractCall) -> int:
    """The most gas a call can use."""
    if isinstance(call, ExecuteLifecycleCall):
        return 2 * GAS_CALL + GAS_RULE * len(call.rules)
    if isinstance(call, ActForCall | BatchForCall):
        steps = (call.signed,) if isinstance(call, ActForCall) else call.steps
        return GAS_CALL + sum(GAS_SIGNATURE + gas_of_item(signed.step) for signed in steps)
    if not isinstance(call, BatchCall):
        return 2 * GAS_CALL
    items: list[AnchorCall | StepCall] = [*call.anchors, *call.steps]
    return GAS_CALL + sum(map(gas_of_item, items))


def gas_of_item(item: AnchorCall | StepCall) -> int:
    """The most gas that one item of a batch can add."""
    if isinstance(item, AnchorCall):
        return GAS_ANCHOR
    relied_on = GAS_INPUT * len(item.inputs) + GAS_APPROVAL * len(item.approvals)
    return (GAS_REGISTER if item.lifecycle else GAS_ACT) + relied_on


def open_ledger(file: LedgerFile) -> EvmLedger:
    """Connect to the chain of a ledger file that is reached by `rpc`, and check that it is the pinned one."""
    ledger = EvmLedger(Rpc(file.location), file.terms)
    ledger.check()
    return ledger
