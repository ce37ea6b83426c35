"""EIP-1559 transactions as bytes: what is signed, and what goes out, for signers that only sign bytes."""

from __future__ import annotations

import rlp  # type: ignore[import-untyped]

from proml.core.digest import keccak256
from proml.interfaces import SignedTransaction, Transaction

TYPE = b"\x02"


def unsigned_bytes(transaction: Transaction) -> bytes:
    """The bytes whose Keccak-256 a key signs (EIP-1559)."""
    return TYPE + bytes(rlp.encode(_fields(transaction)))


def with_signature(transaction: Transaction, signature: bytes) -> SignedTransaction:
    """The transaction with a 65-byte signature r, s, v (27 or 28); not checked here."""
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:64]))
    raw = TYPE + bytes(rlp.encode([*_fields(transaction), signature[64] - 27, r, s]))
    return SignedTransaction(raw, keccak256(raw))


def _fields(transaction: Transaction) -> list[object]:
    # No value is ever sent, and no access list.
    return [
        transaction.chain_id,
        transaction.nonce,
        transaction.max_tip,
        transaction.max_fee,
        transaction.gas,
        transaction.to,
        0,
        transaction.call,
        [],
    ]
