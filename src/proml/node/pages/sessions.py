"""Signing in with a key of an organisation, for people: the page; the API does the work."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from proml.core.digest import hexed
from proml.errors import ProMLError
from proml.node.pages.shown import PageRoute, Shown, answer
from proml.node.server.callers import caller_of, node_of
from proml.node.server.problems import Rejected

ROUTER = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who is signed in: the key, empty for nobody; its organisation; what it may do on this node."""

    address: str
    name: str
    scopes: tuple[str, ...]


@ROUTER.get("/sign-in")
def sign_in(request: Request) -> Response:
    """Sign in, or see as whom one is."""
    node = node_of(request)
    try:
        caller = caller_of(request)
        scopes = tuple(sorted(caller.scopes))
        address = hexed(caller.address) if caller.address else ""
        name = node.me.name_of(caller.organisation) if caller.organisation else ""
        content = SignIn(address, name, scopes)
    except (Rejected, ProMLError):  # an old cookie must not lock anybody out
        content = SignIn("", "", ())
    with node.index.reading() as view:
        return answer(request, view, Shown("sign-in.html", "Sign in", content, "/sign-in"))
