"""Signatures of Ethereum keys: whose key made one, over a text (EIP-191) or a digest."""

from __future__ import annotations

from proml.core.digest import keccak256
from proml.errors import RecordInvalid
from proml.signing import recovery
from proml.signing.recovery import HALF_ORDER, SIGNATURE_BYTES


def text_digest(text: str) -> bytes:
    """The 32 bytes that a wallet signs for a text: EIP-191 version 0x45, as `personal_sign` does."""
    content = text.encode("utf-8")
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(content)).encode("ascii") + content)


def signer_of(digest: bytes, signature: bytes) -> bytes:
    """The 20-byte address whose key signed a 32-byte digest.

    Args:
        digest: what was signed.
        signature: 65 bytes r, s, v; s in the lower half (EIP-2), v 27 or 28: one encoding only.

    Raises:
        RecordInvalid: when it is no signature in that encoding. Whether the address may sign is not checked.
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        raise RecordInvalid("a signature has 65 bytes r, s, v, with v 27 or 28")
    if not 0 < int.from_bytes(signature[32:64], "big") <= HALF_ORDER:
        raise RecordInvalid("the signature is not in its lower form (EIP-2)")
    address = recovery.signer_of(digest, signature)
    if address is None:
        raise RecordInvalid("this is no signature")
    return address


def checksummed(address: bytes) -> str:
    """An address as people see it: `0x` and 40 digits whose capitals are a check (EIP-55)."""
    digits = address.hex()
    sums = keccak256(digits.encode("ascii")).hex()
    return "0x" + "".join(
        digit.upper() if int(check, 16) > 7 else digit for digit, check in zip(digits, sums, strict=False)
    )
