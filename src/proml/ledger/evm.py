"""The contracts on any Ethereum-compatible chain, over JSON-RPC.

An answer is believed only as far as it fits what is pinned: the chain id, the genesis and the contract's
code are compared when the ledger is opened, logs are taken from the pinned contract only and decoded
strictly, and each must belong to the block its place names. That the node's chain is the one the
members agreed on is the chain's business; that its history is complete shows in the heads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from proml.contracts.abi import ARTEFACT, decode_refusal, encode_call
from proml.core.call import BatchCall, ContractCall, ExecuteLifecycleCall
from proml.core.digest import hexed, keccak256, unhexed
from proml.core.event import Block, Header, Placed
from proml.core.patricia import StateProof
from proml.core.refusal import Reason
from proml.errors import LedgerProblem, WrongLedger
from proml.interfaces import Receipt, SignedTransaction, Standing, Terms, Transaction
from proml.ledger.answers import content, quantity, strictly
from proml.ledger.blocks import Blocks
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
GAS_RULE = 30_000


class EvmLedger:
    """A ledger behind one JSON-RPC address.

    Args:
        rpc: the connection.
        terms: what the chain must be; checked by `check`.
        send: how signed bytes go out; by default `eth_sendRawTransaction`.
    """

    def __init__(self, rpc: Questions, terms: Terms, send: Callable[[bytes], object] | None = None) -> None:
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

    def nonce(self, key: bytes) -> int:
        """How many transactions of a key are in blocks."""
        return quantity(self._rpc.call("eth_getTransactionCount", [hexed(key), "latest"]))

    def prepare(self, call: ContractCall, nonce: int) -> Transaction:
        """The transaction for a call, with present fees: twice the base fee, and the node's usual tip."""
        latest = self._rpc.call("eth_getBlockByNumber", ["latest", False])
        with strictly("eth_getBlockByNumber"):
            base = quantity(latest.get("baseFeePerGas", "0x0"))
        tip = quantity(self._rpc.call("eth_maxPriorityFeePerGas")) if base else 0
        return Transaction(
            chain_id=self._terms.chain_id,
            nonce=nonce,
            to=self._terms.contract,
            call=encode_call(call),
            gas=gas_bound(call),
            max_fee=2 * base + tip,
            max_tip=tip,
        )

    def send(self, signed: SignedTransaction) -> None:
        """Hand signed bytes to the chain; bytes it knows already, or has mined, are no error."""
        self._send(signed.raw)

    def receipt(self, transaction: bytes) -> Receipt | None:
        """The receipt of a transaction, None while it is in no block."""
        found = self._rpc.call("eth_getTransactionReceipt", [hexed(transaction)])
        # Some nodes give a receipt without a block while the transaction waits.
        if found is None or (isinstance(found, dict) and found.get("blockNumber") is None):
            return None
        with strictly("eth_getTransactionReceipt"):
            number, block_hash = quantity(found["blockNumber"]), unhexed(found["blockHash"])
            succeeded, gas_used = quantity(found["status"]) == 1, quantity(found["gasUsed"])
            logs, about = list(found["logs"]), unhexed(found["transactionHash"])
        if about != transaction:
            raise LedgerProblem("the ledger answered with the receipt of another transaction", "try again")
        block = self._blocks.at(number)
        if block is None or block.hash != block_hash:
            return None  # the chain moved between the two answers: ask again
        return Receipt(
            transaction=transaction,
            block=block,
            succeeded=succeeded,
            gas_used=gas_used,
            events=tuple(self._logs.placed(logs, block)),
            reason=None if succeeded else self._reason(transaction, number),
        )

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

    def _send_raw(self, raw: bytes) -> None:
        try:
            self._rpc.call("eth_sendRawTransaction", [hexed(raw)])
        except RpcError as error:
            if not _KNOWN.search(re.sub("[^a-z]", "", error.text.lower())):
                raise


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
    if not isinstance(call, BatchCall):
        return 2 * GAS_CALL
    steps = sum(
        (GAS_REGISTER if step.lifecycle else GAS_ACT) + GAS_INPUT * len(step.inputs) for step in call.steps
    )
    return GAS_CALL + GAS_ANCHOR * len(call.anchors) + steps


def open_ledger(file: LedgerFile) -> EvmLedger:
    """Connect to the chain of a ledger file that is reached by `rpc`, and check that it is the pinned one."""
    ledger = EvmLedger(Rpc(file.location), file.terms)
    ledger.check()
    return ledger
