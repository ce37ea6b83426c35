"""Statements: what a person signs before the node approves or decides anything for the organisation.

The text that is shown, what is to be done, a fresh nonce and a deadline are one EIP-712 message, so a wallet
shows what it signs. Its type is none of the contracts', so it is worth nothing on the ledger.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

from proml.core.digest import hexed, keccak256, keccak_words, sha256
from proml.interfaces import Terms

SECONDS = 600
NAME, VERSION = "ProML node", "1"
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_TYPE = "Statement(string text,bytes32 content,bytes32 nonce,uint256 deadline)"


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be signed.

    Attributes:
        text: what it comes to, in words.
        content: SHA-256 of what is to be done, as the node keeps it, 32 bytes.
        nonce: 32 random bytes.
        deadline: Unix seconds.
    """

    text: str
    content: bytes
    nonce: bytes
    deadline: int

    def digest(self, terms: Terms) -> bytes:
        """The 32 bytes that are signed (EIP-712)."""
        contract = int.from_bytes(terms.contract, "big")
        domain = keccak_words(
            _hashed(_DOMAIN_TYPE), _hashed(NAME), _hashed(VERSION), terms.chain_id, contract
        )
        said = keccak_words(_hashed(_TYPE), _hashed(self.text), self.content, self.nonce, self.deadline)
        return keccak256(b"\x19\x01" + domain + said)

    def typed(self, terms: Terms) -> dict[str, Any]:
        """The same for a wallet: the argument of `eth_signTypedData_v4`."""
        return {
            "types": {"EIP712Domain": _fields(_DOMAIN_TYPE), "Statement": _fields(_TYPE)},
            "primaryType": "Statement",
            "domain": {
                "name": NAME,
                "version": VERSION,
                "chainId": terms.chain_id,
                "verifyingContract": hexed(terms.contract),
            },
            "message": {
                "text": self.text,
                "content": hexed(self.content),
                "nonce": hexed(self.nonce),
                "deadline": self.deadline,
            },
        }


def new_statement(text: str, content: bytes) -> Statement:
    """A statement that can be signed for ten minutes."""
    return Statement(text, sha256(content), secrets.token_bytes(32), int(time.time()) + SECONDS)


def _hashed(text: str) -> bytes:
    return keccak256(text.encode("utf-8"))


def _fields(type_: str) -> list[dict[str, str]]:
    inside = type_[type_.index("(") + 1 : -1]
    return [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in inside.split(",")]
