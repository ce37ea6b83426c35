"""The statement a new key signs before it joins an organisation (EIP-712)."""

from __future__ import annotations

from proml.core.digest import keccak256, keccak_words
from proml.interfaces import Terms

DOMAIN_TYPE = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
CONSENT_TYPE = keccak256(b"KeyConsent(uint256 organisation,address key,uint256 scope,uint256 expires)")
NAME = keccak256(b"ProML")
VERSION = keccak256(b"1")


def consent_digest(terms: Terms, organisation: int, key: bytes, scope: int, expires: int) -> bytes:
    """The 32 bytes that `key` signs to belong to `organisation` with `scope` until block `expires`.

    Bound to chain id and contract, so it is worth nothing on a fork or another deployment.
    """
    contract = int.from_bytes(terms.contract, "big")
    domain = keccak_words(DOMAIN_TYPE, NAME, VERSION, terms.chain_id, contract)
    statement = keccak_words(CONSENT_TYPE, organisation, int.from_bytes(key, "big"), scope, expires)
    return keccak256(b"\x19\x01" + domain + statement)
