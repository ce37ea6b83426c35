"""A signer behind HTTP, as Web3Signer offers it: the key stays in a vault, a KMS or a hardware module.

Two calls: `GET /api/v1/eth1/publicKeys` lists the public keys it has, `POST /api/v1/eth1/sign/{key}` with
`{"data": "0x…"}` answers with the signature of the data's Keccak-256. Whoever reaches the address can sign:
let nobody else reach it.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit, urlunsplit

import httpx2

from proml.core.digest import hexed, keccak256, unhexed
from proml.errors import ConfigInvalid, KeyProblem, RecordInvalid
from proml.interfaces import KeySource, SignedTransaction, Statement, Transaction
from proml.signing.recovery import signer_of
from proml.signing.transaction import unsigned_bytes, with_signature

KEYS = "/api/v1/eth1/publicKeys"
SIGN = "/api/v1/eth1/sign/"
SECONDS = 15.0
MAX_ANSWER_BYTES = 256 * 1024
_PUBLIC_KEY_BYTES = 64
_SHAPE = "write it as web3signer:https://host:port, and #0xADDRESS after it where it has several keys"


class HttpSigner:
    """Signs with a key that never leaves the signer behind an address. Its `repr` shows host and key only."""

    def __init__(self, base: str, identifier: str, address: bytes) -> None:
        """Use `open_signer`, which looks the key up."""
        self._base = base
        self._identifier = identifier
        self._address = address

    @property
    def address(self) -> bytes:
        """The key's 20-byte address."""
        return self._address

    def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        """Sign an EIP-1559 transaction; KeyProblem when the signer is away or refuses."""
        return with_signature(transaction, self._sign(unsigned_bytes(transaction)))

    def sign_statement(self, statement: Statement) -> bytes:
        """Sign an EIP-712 statement: 65 bytes r, s, v; KeyProblem as `sign_transaction`."""
        return self._sign(statement.message)

    def _sign(self, message: bytes) -> bytes:
        answer = _ask(self._base, "POST", SIGN + self._identifier, {"data": hexed(message)})
        try:
            signature = unhexed(answer.decode("ascii").strip().strip('"').lower(), 65)
        except (UnicodeDecodeError, RecordInvalid):
            raise KeyProblem(f"the signer {_host(self._base)} answered with no signature", _ASK) from None
        if signer_of(keccak256(message), signature) != self._address:
            raise KeyProblem(
                f"the signer {_host(self._base)} signed with another key or something else", _ASK
            )
        return signature

    def __repr__(self) -> str:
        return f"HttpSigner({_host(self._base)}, {hexed(self._address)})"


_ASK = "look into the signer's log; nothing was sent"


def open_signer(source: KeySource) -> HttpSigner:
    """The signer at an address, with the one key it has, or the one named after `#`.

    Raises:
        ConfigInvalid: when it is no such address, or the signer has several keys and none is named.
        KeyProblem: when it is away, or has no such key.
    """
    base, named = _parts(source.where)
    keys = {keccak256(public)[12:]: text for text, public in _public_keys(base)}
    if named is None and len(keys) > 1:
        shown = ", ".join(map(hexed, list(keys)[:4]))
        raise ConfigInvalid(f"the signer {_host(base)} has {len(keys)} keys", f"name one after #: {shown}")
    address = named or next(iter(keys), b"")
    if address not in keys:
        what = f"the key {hexed(named)}" if named else "any key"
        raise KeyProblem(f"the signer {_host(base)} does not have {what}", "configure it there")
    return HttpSigner(base, keys[address], address)


def signer_address(source: KeySource) -> bytes:
    """The 20-byte address of that key; asks the signer only where none is named."""
    _, named = _parts(source.where)
    return named or open_signer(source).address


def _parts(where: str) -> tuple[str, bytes | None]:
    parts = urlsplit(where)
    try:
        named = unhexed(parts.fragment.lower(), 20) if parts.fragment else None
        parts.port  # noqa: B018 -- raises where it is no number
    except (ValueError, RecordInvalid):
        raise ConfigInvalid("the address of the signer is not one", _SHAPE) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ConfigInvalid("the address of the signer is not one", _SHAPE)
    return urlunsplit(parts._replace(fragment="")).rstrip("/"), named


def _public_keys(base: str) -> list[tuple[str, bytes]]:
    try:
        listed = json.loads(_ask(base, "GET", KEYS))
        return [(text, unhexed("0x" + text.removeprefix("0x"), _PUBLIC_KEY_BYTES)) for text in listed]
    except (ValueError, TypeError, AttributeError, RecordInvalid):
        raise KeyProblem(
            f"what is at {_host(base)} lists no public keys", f"it must answer GET {KEYS} as Web3Signer does"
        ) from None


def _ask(base: str, method: str, path: str, content: dict[str, str] | None = None) -> bytes:
    host = _host(base)
    try:
        # No proxy of the environment, no redirect: the answer comes from the address that was given.
        with (
            httpx2.Client(timeout=SECONDS, trust_env=False, follow_redirects=False) as client,
            client.stream(method, base + path, json=content) as answer,
        ):
            body = b""
            for piece in answer.iter_bytes(16 * 1024):
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise KeyProblem(f"the signer {host} answered with too much", _ASK)
            status = answer.status_code
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        name = type(error).__name__
        raise KeyProblem(
            f"the signer {host} cannot be reached: {name}", "nothing was signed; try again"
        ) from None
    if status != 200:
        raise KeyProblem(f"the signer {host} refused with status {status}", _ASK)
    return body


def _host(base: str) -> str:
    """The address without what may be secret in it."""
    parts = urlsplit(base)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
