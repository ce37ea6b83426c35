"""Who signed a digest: the contracts' own rule, as Python."""

from __future__ import annotations

from coincurve import PublicKey

from proml.core.digest import keccak256

_BYTES = 65
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def signer_of(digest: bytes, signature: bytes) -> bytes | None:
    """The 20-byte address whose key signed `digest` (32 bytes), None where nobody did.

    One form only, as the contracts have it: 65 bytes r, s, v with s in the lower half of the curve's order
    (EIP-2) and v 27 or 28. Another form of a valid signature is nobody's.
    """
    if len(signature) != _BYTES or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        return None
    compact = signature[:64] + bytes([signature[64] - 27])
    try:
        public = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except ValueError:  # no point on the curve
        return None
    return keccak256(public.format(compressed=False)[1:])[12:]
