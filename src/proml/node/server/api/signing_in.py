"""Signing in with a member's key, and who one is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from proml.core.digest import hexed, unhexed
from proml.errors import RecordInvalid
from proml.node.server.access import SESSION_SECONDS
from proml.node.server.callers import (
    COOKIE,
    SECURE_COOKIE,
    Caller,
    Reader,
    TheNode,
    cookie_name,
    shown_secret,
    signed_in,
)
from proml.node.server.problems import DOCUMENTED, Rejected
from proml.node.server.routes import PREFIX
from proml.node.server.signatures import signer_of, text_digest
from proml.node.server.signing_in import PURPOSE, SignIn, asked_of, read_sign_in
from proml.signing.recovery import SIGNATURE_BYTES

router = APIRouter(prefix=PREFIX, tags=["signing in"], responses=DOCUMENTED)
ROUTERS = (router,)


@dataclass(frozen=True, slots=True)
class KeyNamed:
    """The address of the key that will sign: `0x` and 40 digits."""

    address: str


@dataclass(frozen=True, slots=True)
class TextToSign:
    """The text to be signed by `personal_sign` (EIP-191), once, within five minutes."""

    text: str


@dataclass(frozen=True, slots=True)
class SignedText:
    """The text as it was given, and its signature of 65 bytes; `cookie` false gives a token instead."""

    text: str
    signature: str
    cookie: bool = True


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is asking: a name for logs, scopes, the member, its key. `token` only where one was asked for."""

    caller: str
    scopes: list[str]
    organisation: int | None
    name: str
    key: str | None
    token: str | None = None


@router.post("/sign-in/texts", status_code=HTTPStatus.CREATED)
def text_to_sign(request: Request, node: TheNode, asked: KeyNamed) -> TextToSign:
    """What to sign in order to sign in; the node keeps its nonce, which counts once."""
    address = unhexed(asked.address.lower(), 20)
    domain = request.headers["host"].lower()
    chain = node.me.ledger_file.terms.chain_id
    nonce = node.access.new_nonce(PURPOSE)
    return TextToSign(asked_of(domain, _uri(node, domain), address, chain, nonce).text)


@router.post("/sign-in")
def sign_in(request: Request, response: Response, node: TheNode, signed: SignedText) -> SignedIn:
    """Sign in: the signature must be by the key that the text names, the text this node's and unused."""
    said = _read(signed.text)
    _check(request, node, said)
    try:
        by = signer_of(text_digest(signed.text), unhexed(signed.signature, SIGNATURE_BYTES))
    except RecordInvalid as error:
        raise _refused(error.message) from None
    if by != said.address:
        raise _refused("the signature is not by the key that the text names")
    caller = signed_in(node, by)
    secret = node.access.start_session(by)
    if signed.cookie:
        secure = node.listening.scheme == "https"
        response.set_cookie(
            cookie_name(node),
            secret,
            max_age=SESSION_SECONDS,
            path="/",
            secure=secure,
            httponly=True,
            samesite="strict",
        )
    return _told(node, caller, None if signed.cookie else secret)


@router.delete("/sign-in", status_code=HTTPStatus.NO_CONTENT)
def sign_out(request: Request, response: Response, node: TheNode) -> None:
    """End the sign-in that the request shows, if any."""
    secret = shown_secret(request, node)
    if secret:
        node.access.end_session(secret)
    response.delete_cookie(SECURE_COOKIE if node.listening.scheme == "https" else COOKIE, path="/")


@router.get("/me")
def who_am_i(node: TheNode, caller: Reader) -> SignedIn:
    """Who is asking, and what that one may do."""
    return _told(node, caller, None)


def _check(request: Request, node: TheNode, said: SignIn) -> None:
    """Whether a text counts here and now; its nonce is used up by asking."""
    fresh = node.access.use_nonce(said.nonce, PURPOSE)
    domain = request.headers["host"].lower()
    if said.domain != domain or said.uri != _uri(node, domain):
        raise _refused("the text is for another node")
    if said.chain != node.me.ledger_file.terms.chain_id:
        raise _refused("the text is for another chain")
    if not said.issued <= datetime.now(UTC) < said.expires:
        raise _refused("the text has expired")
    if not fresh:
        raise _refused("the text was used before, or this node did not give it")


def _read(text: str) -> SignIn:
    try:
        return read_sign_in(text)
    except RecordInvalid as error:
        raise _refused(error.message) from None


def _uri(node: TheNode, domain: str) -> str:
    return f"{node.listening.scheme}://{domain}"


def _refused(detail: str) -> Rejected:
    return Rejected(HTTPStatus.UNAUTHORIZED, "sign-in-refused", detail, "ask for a new text and sign that")


def _told(node: TheNode, caller: Caller, token: str | None) -> SignedIn:
    return SignedIn(
        caller.name,
        sorted(caller.scopes),
        caller.organisation,
        node.me.name_of(caller.organisation) if caller.organisation else "",
        hexed(caller.address) if caller.address else None,
        token,
    )
