"""Fetch the proof of what the contract's storage holds at a block (EIP-1186 `eth_getProof`).

The node is not believed: the header it describes must hash to the block it names, and whoever uses the
proof follows every hash in it (core/patricia.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proml.core.digest import hexed, keccak256
from proml.core.patricia import StateProof, encode_rlp, state_proof
from proml.errors import LedgerProblem
from proml.ledger.rpc import Questions

# Fields of a block header in the order of its RLP (Yellow Paper 4.4.2 and the forks since: EIP-1559, 4895,
# 4844, 4788, 7685), and whether each is a number there. A block has all up to the last it has.
HEADER = (
    ("parentHash", False), ("sha3Uncles", False), ("miner", False), ("stateRoot", False),
    ("transactionsRoot", False), ("receiptsRoot", False), ("logsBloom", False), ("difficulty", True),
    ("number", True), ("gasLimit", True), ("gasUsed", True), ("timestamp", True), ("extraData", False),
    ("mixHash", False), ("nonce", False), ("baseFeePerGas", True), ("withdrawalsRoot", False),
    ("blobGasUsed", True), ("excessBlobGas", True), ("parentBeaconBlockRoot", False), ("requestsHash", False),
)  # fmt: skip
# Nodes bound how much they answer at once.
SLOTS_AT_ONCE = 256


def fetch_state_proof(rpc: Questions, contract: bytes, slots: Sequence[bytes], number: int) -> StateProof:
    """The proof of storage slots (32 bytes each) of a contract (20 bytes) at a block.

    Raises:
        LedgerProblem: when the node keeps no state of that block, does not offer proofs, or describes a
            header that is not the block's.
    """
    header = _header(rpc.call("eth_getBlockByNumber", [hex(number), False]), number)
    nodes: list[bytes] = []
    for first in range(0, max(len(slots), 1), SLOTS_AT_ONCE):
        asked = [hexed(slot) for slot in slots[first : first + SLOTS_AT_ONCE]]
        answer = rpc.call("eth_getProof", [hexed(contract), asked, hex(number)])
        try:
            nodes += map(_bytes, answer["accountProof"])
            nodes += [_bytes(node) for entry in answer["storageProof"] for node in entry["proof"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LedgerProblem(
                "the ledger answered eth_getProof with something else than a proof"
            ) from error
    return state_proof(header, nodes)


def _header(block: Any, number: int) -> bytes:
    """RLP of a block's header, from its JSON form."""
    if not isinstance(block, dict):
        raise LedgerProblem(f"the ledger has no block {number}")
    try:
        had = [entry for entry in HEADER if block.get(entry[0]) is not None]
        fields = [_number(block[name]) if counts else _bytes(block[name]) for name, counts in had]
        expected = _bytes(block["hash"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerProblem("the ledger answered with a block this program cannot read") from error
    header = encode_rlp(list(fields))
    if keccak256(header) != expected:
        raise LedgerProblem(
            f"the header of block {number} does not hash to the block's name",
            "the chain may be of a newer fork than this program knows; make the evidence without proof",
        )
    return header


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _number(text: str) -> bytes:
    value = int(text, 16)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
