"""Consents: the small file by which a key agrees to belong to an organisation.

The key's holder makes it and sends it to whoever adds the key: a colleague, or the consortium by vote, where
a new organisation joins or a lost key is replaced. docs/governance.md has the format.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proml.contracts.consent import consent_digest, consent_statement
from proml.contracts.forms import SIGNATURE_BYTES
from proml.core.consortium import ALL_SCOPES, scope_mask, scope_names
from proml.core.digest import hexed, unhexed
from proml.core.document import is_of_type, parse
from proml.errors import ConfigInvalid, ProMLError, RecordInvalid
from proml.interfaces import Signer, Terms
from proml.signing.recovery import signer_of
from proml.trust import Profile, can_be_called

CONSENT_TYPE = "proml/consent"
_KEYS = {"type", "version", "chain_id", "contract", "organisation", "key", "scope", "expires", "signature"}
_PROFILE_KEYS = {"name", "salt"}
NEW = 0  # the number of an organisation that is yet to be admitted


@dataclass(frozen=True, slots=True)
class Consent:
    """What a key agreed to.

    Attributes:
        chain_id: EIP-155 chain id.
        contract: 20-byte address of the ledger's contract.
        organisation: number of the organisation it shall belong to, 0 for one yet to be admitted.
        key: 20-byte address.
        scope: mask of scopes.
        expires: block from which the key is refused, 0 for never.
        signature: the key's own, 65 bytes.
        profile: name and salt of an organisation yet to be admitted, else None.
    """

    chain_id: int
    contract: bytes
    organisation: int
    key: bytes
    scope: int
    expires: int
    signature: bytes
    profile: Profile | None = None

    def check(self, terms: Terms) -> None:
        """Compare with a ledger's terms and with the signature.

        Raises:
            ConfigInvalid: when it is for another ledger, or the key did not sign it.
        """
        if (self.chain_id, self.contract) != (terms.chain_id, terms.contract):
            raise ConfigInvalid("the consent is for another ledger", "ask for one made with this ledger file")
        digest = consent_digest(terms, self.organisation, self.key, self.scope, self.expires)
        if signer_of(digest, self.signature) != self.key:
            raise ConfigInvalid(
                f"the key {hexed(self.key)} did not sign this consent", "ask its holder for the file again"
            )

    @property
    def is_whole(self) -> bool:
        """Whether it agrees to every scope without end, as a vote gives them."""
        return self.scope == ALL_SCOPES and self.expires == 0

    def document(self) -> dict[str, Any]:
        """The file as a JSON object."""
        content: dict[str, Any] = {
            "type": CONSENT_TYPE,
            "version": 1,
            "chain_id": self.chain_id,
            "contract": hexed(self.contract),
            "organisation": self.organisation,
            "key": hexed(self.key),
            "scope": list(scope_names(self.scope)),
            "expires": self.expires,
            "signature": hexed(self.signature),
        }
        if self.profile:
            content |= {"name": self.profile.name, "salt": hexed(self.profile.salt)}
        return content

    def written(self) -> bytes:
        """The bytes of the file."""
        return (json.dumps(self.document(), indent=2, ensure_ascii=False) + "\n").encode("utf-8")


@dataclass(frozen=True, slots=True)
class Joining:
    """What a key is to agree to: whose it will be, its scope (mask), its last block (0: none)."""

    organisation: int
    scope: int = ALL_SCOPES
    expires: int = 0
    profile: Profile | None = None


def give_consent(terms: Terms, signer: Signer, joining: Joining) -> Consent:
    """Sign that a key agrees to belong to an organisation."""
    key = signer.address
    statement = consent_statement(terms, joining.organisation, key, joining.scope, joining.expires)
    return Consent(
        terms.chain_id,
        terms.contract,
        joining.organisation,
        key,
        joining.scope,
        joining.expires,
        signer.sign_statement(statement),
        joining.profile,
    )


def read_consent(path: Path) -> Consent:
    """Read a consent file; its signature is for `Consent.check`.

    Raises:
        ConfigInvalid: when it is missing, or is not what docs/governance.md says.
    """
    try:
        return _from_document(parse(path.read_bytes(), f"the consent file {path}"))
    except OSError as error:
        raise ConfigInvalid(
            f"the consent file {path} cannot be read: {error.strerror}",
            "the holder of the new key makes one with `proml key consent`",
        ) from error
    except (ProMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigInvalid(
            f"{path} is no consent file: {error}",
            "the holder of the new key makes one with `proml key consent`",
        ) from None


def _from_document(content: dict[str, Any]) -> Consent:
    if not is_of_type(content, CONSENT_TYPE):
        raise RecordInvalid(f"it is not of type {CONSENT_TYPE!r}, version 1")
    organisation = _whole(content, "organisation")
    if set(content) != (_KEYS if organisation else _KEYS | _PROFILE_KEYS):
        raise RecordInvalid("it has members too many or too few")
    profile = None
    if not organisation:
        if not isinstance(content["name"], str) or not can_be_called(content["name"]):
            raise RecordInvalid("the name must be 1 to 64 characters that can be seen")
        profile = Profile(content["name"], unhexed(content["salt"]))
    return Consent(
        _whole(content, "chain_id"),
        unhexed(content["contract"], 20),
        organisation,
        unhexed(content["key"], 20),
        scope_mask(content["scope"]),
        _whole(content, "expires"),
        unhexed(content["signature"], SIGNATURE_BYTES),
        profile,
    )


def _whole(content: dict[str, Any], name: str) -> int:
    value = content[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**64:
        raise RecordInvalid(f"{name} must be a whole number, not {value!r}")
    return value
