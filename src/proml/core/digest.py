"""Digests, their text form, and the ABI words that contract hashes are made of.

Everything here is a pure function of its arguments. The formats are specified in docs/format.md.
"""

from __future__ import annotations

import hashlib
import re

from sha3 import keccak_256

from proml.errors import RecordInvalid

DIGEST_BYTES = 32
ZERO = bytes(DIGEST_BYTES)
# HMAC's key, XORed with its two pads: a 32-byte key is filled up with zeros to the 64 of a block of SHA-256.
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_INNER_REST, _OUTER_REST = b"\x36" * 32, b"\x5c" * 32
_HEXED = re.compile("0x(?:[0-9a-f]{2})*")


def sha256(content: bytes) -> bytes:
    """SHA-256 of `content`, 32 bytes (FIPS 180-4)."""
    return hashlib.sha256(content).digest()


def keccak256(content: bytes) -> bytes:
    """Keccak-256 of `content` as Ethereum uses it, 32 bytes (not FIPS 202 SHA3-256)."""
    return bytes(keccak_256(content).digest())


def expand(key: bytes, purpose: str, suffix: bytes = b"") -> bytes:
    """Derive 32 bytes from a uniformly random 32-byte key: HKDF-Expand with SHA-256, L = 32.

    One output block suffices, so this is HMAC(key, info || 0x01) (RFC 5869 section 2.3) with
    info = purpose (ASCII) || 0x00 || suffix. The extract step is left out because the key is
    uniformly random already (section 3.3). HMAC is spelt out (RFC 2104, section 2) because the library's
    takes five times as long for a message this short.
    """
    inner = key.translate(_INNER) + _INNER_REST + purpose.encode("ascii") + b"\x00" + suffix + b"\x01"
    return sha256(key.translate(_OUTER) + _OUTER_REST + sha256(inner))


def hexed(content: bytes) -> str:
    """`0x` and lower-case hexadecimal digits, the text form of every digest, id and key."""
    return "0x" + content.hex()


def unhexed(text: object, length: int = DIGEST_BYTES) -> bytes:
    """The bytes behind a text form; exactly `length` of them.

    Raises:
        RecordInvalid: when it is not `0x` followed by 2 * length lower-case hexadecimal digits.
    """
    # Not bytes.fromhex alone: it skips white space, so that other texts would name the same bytes.
    if isinstance(text, str) and len(text) == 2 + 2 * length and _HEXED.fullmatch(text):
        return bytes.fromhex(text[2:])
    found = repr(text[:80]) if isinstance(text, str) else f"a {type(text).__name__}"
    raise RecordInvalid(f"{found} is not 0x and {2 * length} lower-case hexadecimal digits")


def word(value: int | bytes) -> bytes:
    """One 32-byte ABI word: an unsigned integer right-aligned, or 32 bytes as they are.

    Raises:
        ValueError: for an integer outside 0..2**256-1 or bytes of another length; callers pass
            values they made themselves.
    """
    if isinstance(value, int):
        if not 0 <= value < 2**256:
            raise ValueError(f"{value} is not an unsigned integer of 32 bytes")
        return value.to_bytes(32, "big")
    if len(value) != 32:
        raise ValueError(f"a word has 32 bytes, not {len(value)}")
    return value


def keccak_words(*values: int | bytes) -> bytes:
    """keccak256(abi_encode(values)) for static values, as the contracts compute heads and ids."""
    return keccak256(b"".join(word(value) for value in values))
