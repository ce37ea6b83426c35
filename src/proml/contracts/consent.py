"""The statement a new key signs before it joins an organisation (EIP-712)."""

from __future__ import annotations

from proml.core.digest import keccak256, keccak_words, word
from proml.interfaces import Statement, Terms

DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
CONSENT_TYPE = keccak256(b"KeyConsent(uint256 organisation,address key,uint256 scope,uint256 expires)")
NAME, VERSION = "ProML", "1"


def domain_separator(chain_id: int, contract: bytes) -> bytes:
    """The 32 bytes that bind a statement to one chain and one contract (20-byte address)."""
    domain_type, name, version = (keccak256(text.encode()) for text in (DOMAIN, NAME, VERSION))
    return keccak_words(domain_type, name, version, chain_id, int.from_bytes(contract, "big"))


def consent_statement(terms: Terms, organisation: int, key: bytes, scope: int, expires: int) -> Statement:
    """What `key` signs to belong to `organisation` with `scope` until block `expires`.

    Bound to chain id and contract, so it is worth nothing on a fork or another deployment.
    """
    values = (CONSENT_TYPE, organisation, int.from_bytes(key, "big"), scope, expires)
    domain = domain_separator(terms.chain_id, terms.contract)
    return Statement(domain, b"".join(word(value) for value in values))


def consent_digest(terms: Terms, organisation: int, key: bytes, scope: int, expires: int) -> bytes:
    """The 32 bytes behind the signature of a consent."""
    return consent_statement(terms, organisation, key, scope, expires).digest
