"""Signing in with a key: the text that a person signs (EIP-4361), made here, read strictly, used once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from proml.core.digest import unhexed
from proml.errors import RecordInvalid
from proml.node.server.signatures import checksummed

STATEMENT = "Sign in to this ProML node. This costs nothing and publishes nothing."
VALID = timedelta(minutes=5)
PURPOSE = "sign-in"
_TEXT = re.compile(
    r"(?P<domain>[^\s/?#]{1,255}) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n\n"
    rf"{re.escape(STATEMENT)}\n\n"
    r"URI: (?P<uri>https?://[^\s?#]{1,255})\n"
    r"Version: 1\n"
    r"Chain ID: (?P<chain>[1-9][0-9]{0,17})\n"
    r"Nonce: (?P<nonce>[0-9a-f]{32})\n"
    r"Issued At: (?P<issued>[0-9TZ:-]{20})\n"
    r"Expiration Time: (?P<expires>[0-9TZ:-]{20})"
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a person signs to sign in.

    Attributes:
        domain: host and port of the node, as the person's browser shows it.
        uri: the node's address.
        address: of the person's key, 20 bytes.
        chain: EIP-155 id of the ledger's chain.
        nonce: made by this node, for this sign-in only.
        issued, expires: between which it counts, to the second.
    """

    domain: str
    uri: str
    address: bytes
    chain: int
    nonce: str
    issued: datetime
    expires: datetime

    @property
    def text(self) -> str:
        """The text to be signed (EIP-4361)."""
        return (
            f"{self.domain} wants you to sign in with your Ethereum account:\n{checksummed(self.address)}\n\n"
            f"{STATEMENT}\n\nURI: {self.uri}\nVersion: 1\nChain ID: {self.chain}\nNonce: {self.nonce}\n"
            f"Issued At: {_written(self.issued)}\nExpiration Time: {_written(self.expires)}"
        )


def asked_of(domain: str, uri: str, address: bytes, chain: int, nonce: str) -> SignIn:
    """What to sign now."""
    now = datetime.now(UTC).replace(microsecond=0)
    return SignIn(domain, uri, address, chain, nonce, now, now + VALID)


def read_sign_in(text: str) -> SignIn:
    """The sign-in behind a text.

    Raises:
        RecordInvalid: when it is not word for word what `SignIn.text` gives. Neither its signature nor
            whether it counts here and now is checked.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise RecordInvalid("this is not the text that the node gave to be signed")
    try:
        found = SignIn(
            match["domain"],
            match["uri"],
            unhexed(match["address"].lower(), 20),
            int(match["chain"]),
            match["nonce"],
            _read(match["issued"]),
            _read(match["expires"]),
        )
    except ValueError as error:
        raise RecordInvalid(f"the text has a time that is none: {error}") from None
    if found.text != text:
        raise RecordInvalid("this is not the text that the node gave to be signed")
    return found


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
