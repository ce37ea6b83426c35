"""Who signed a digest: the contracts' own rule, as Python."""

from __future__ import annotations

from coincurve import PublicKey

from proml.core.digest import keccak256

SIGNATURE_BYTES = 65
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def is_well_formed(signature: bytes) -> bool:
    """Whether it is in the one form that the contracts take.

    65 bytes r, s, v: neither r nor s zero, s in the lower half of the curve's order (EIP-2), v 27 or 28.
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        return False
    return any(signature[:32]) and 0 < int.from_bytes(signature[32:64], "big") <= HALF_ORDER


def signer_of(digest: bytes, signature: bytes) -> bytes | None:
    """The 20-byte address whose key signed `digest` (32 bytes), None where nobody did.

    Another form of a valid signature than `is_well_formed` says is nobody's.
    """
    if not is_well_formed(signature):
        return None
    compact = signature[:64] + bytes([signature[64] - 27])
    try:
        public = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except ValueError:  # no point on the curve
        return None
    return keccak256(public.format(compressed=False)[1:])[12:]
