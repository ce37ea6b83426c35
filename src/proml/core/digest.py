"""Digests, their text form, and the ABI words that contract hashes are made of.

Everything here is a pure function of its arguments. The formats are specified in docs/format.md.
"""

from __future__ import annotations

import hashlib
import hmac

from eth_hash.auto import keccak as _keccak

from proml.errors import RecordInvalid

DIGEST_BYTES = 32
ZERO = bytes(DIGEST_BYTES)


def sha256(content: bytes) -> bytes:
    """SHA-256 of `content`, 32 bytes (FIPS 180-4)."""
    return hashlib.sha256(content).digest()


def keccak256(content: bytes) -> bytes:
    """Keccak-256 of `content` as Ethereum uses it, 32 bytes (not FIPS 202 SHA3-256)."""
    return bytes(_keccak(content))


def expand(key: bytes, purpose: str, suffix: bytes = b"") -> bytes:
    """Derive 32 bytes from a uniformly random 32-byte key: HKDF-Expand with SHA-256, L = 32.

    One output block suffices, so this is HMAC(key, info || 0x01) (RFC 5869 section 2.3) with
    info = purpose (ASCII) || 0x00 || suffix. The extract step is left out because the key is
    uniformly random already (section 3.3).
    """
    return hmac.digest(key, purpose.encode("ascii") + b"\x00" + suffix + b"\x01", "sha256")


def hexed(content: bytes) -> str:
    """`0x` and lower-case hexadecimal digits, the text form of every digest, id and key."""
    return "0x" + content.hex()


def unhexed(text: object, length: int = DIGEST_BYTES) -> bytes:
    """The bytes behind a text form; exactly `length` of them.

    Raises:
        RecordInvalid: when it is not `0x` followed by 2 * length lower-case hexadecimal digits.
    """
    if (
        isinstance(text, str)
        and len(text) == 2 + 2 * length
        and text.startswith("0x")
        and text == text.lower()
    ):
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            pass
    raise RecordInvalid(f"{str(text)[:80]!r} is not 0x and {2 * length} lower-case hexadecimal digits")


def word(value: int | bytes) -> bytes:
    """One 32-byte ABI word: an unsigned integer right-aligned, or 32 bytes as they are.

    Raises:
        ValueError: for an integer outside 0..2**256-1 or bytes of another length; callers pass
            values they made themselves.
    """
    if isinstance(value, int):
        return value.to_bytes(32, "big")
    if len(value) != 32:
        raise ValueError(f"a word has 32 bytes, not {len(value)}")
    return value


def keccak_words(*values: int | bytes) -> bytes:
    """keccak256(abi_encode(values)) for static values, as the contracts compute heads and ids."""
    return keccak256(b"".join(word(value) for value in values))
