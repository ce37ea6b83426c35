"""Callers: who makes a request, and what that one may do.

A caller shows a token (`Authorization: Bearer …`), or the cookie of a sign-in, or neither. Whoever shows
neither may read where nobody but this machine can ask, and nothing anywhere else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from proml.core.consortium import scope_names
from proml.node.server.access import READ
from proml.node.server.node import Node, active_key
from proml.node.server.problems import Rejected

COOKIE = "proml-session"
SECURE_COOKIE = "__Host-proml-session"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request.

    Attributes:
        name: for logs and idempotency keys: `token:` and its id, `key:` and the address, or `anyone`.
        scopes: what it may do, out of `access.ALL_SCOPES`.
        organisation: the member's number, where it signed in with a member's key.
        address: that key (20 bytes).
    """

    name: str
    scopes: frozenset[str]
    organisation: int | None = None
    address: bytes | None = None


def node_of(request: Request) -> Node:
    """The node that a request reached."""
    node: Node = request.app.state.node
    return node


async def _the_node(request: Request) -> Node:
    """The same for routes; as a coroutine it costs no thread."""
    return node_of(request)


def caller_of(request: Request) -> Caller:
    """Who makes a request.

    Raises:
        Rejected: 401, for a token or sign-in that is not valid, or where one is needed and none was shown.
    """
    caller = _shown(request, node_of(request))
    request.state.caller = caller.name
    return caller


class Needs:
    """A dependency of a route: that the caller has a scope. Gives the caller."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> Caller:
        """The caller, who has the scope.

        Raises:
            Rejected: 401 as `caller_of`; 403 where the scope is missing.
        """
        # Who shows something is looked up, which may take a moment; who shows nothing is known at once.
        shows = bool(shown_secret(request, node_of(request)))
        caller = await asyncio.to_thread(caller_of, request) if shows else caller_of(request)
        if self.scope not in caller.scopes:
            if caller.name == "anyone":
                raise _unknown(
                    "this needs a token or a sign-in", "`proml node token create NAME` makes a token"
                )
            raise Rejected(
                HTTPStatus.FORBIDDEN,
                "scope-missing",
                f"this needs the scope {self.scope}, which {caller.name} does not have",
            )
        return caller


TheNode = Annotated[Node, Depends(_the_node)]
Reader = Annotated[Caller, Depends(Needs(READ))]
Recorder = Annotated[Caller, Depends(Needs("record"))]
Approver = Annotated[Caller, Depends(Needs("approve"))]
Governor = Annotated[Caller, Depends(Needs("govern"))]


def cookie_name(node: Node) -> str:
    """What the cookie of a sign-in is called: with TLS a browser sees to it that nobody else sets it."""
    return SECURE_COOKIE if node.listening.scheme == "https" else COOKIE


def shown_secret(request: Request, node: Node) -> str:
    """The secret that a request shows, in a header or else a cookie; empty when it shows none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return secret.strip()
    return request.cookies.get(cookie_name(node), "")


def _shown(request: Request, node: Node) -> Caller:
    stated = "authorization" in request.headers
    secret = shown_secret(request, node)
    token = node.access.token(secret) if stated else None
    if token is not None:
        return Caller(f"token:{token.id}", frozenset(token.scopes))
    address = node.access.session(secret) if secret else None
    if address is not None:
        return signed_in(node, address)
    if stated:
        raise _unknown(
            "the token is not valid", "it may have expired or been revoked; `proml node token list`"
        )
    return Caller("anyone", frozenset({READ}) if node.listening.is_private else frozenset())


def signed_in(node: Node, address: bytes) -> Caller:
    """The caller behind a key that proved to be there: a member's key, not revoked at the present block.

    Keys of this node's organisation may do what their scope on the ledger says; those of others read.

    Raises:
        Rejected: 401, when the key belongs to no member any more.
    """
    with node.index.reading() as view:
        key = active_key(view, address)
        own = key is not None and node.is_own(key.organisation, view)
    if key is None:
        raise _unknown("this key belongs to no member of the consortium", "ask your organisation to add it")
    scopes = {READ, *scope_names(key.scope)} if own else {READ}
    return Caller(f"key:0x{address.hex()}", frozenset(scopes), key.organisation, address)


def _unknown(detail: str, hint: str) -> Rejected:
    return Rejected(HTTPStatus.UNAUTHORIZED, "not-signed-in", detail, hint)
