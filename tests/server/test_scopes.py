"""Attack 52: every route with every scope that is not its own."""

from __future__ import annotations

import pytest

from proml.node.server.access import ALL_SCOPES, READ
from proml.node.server.api.journals import MEDIA_TYPE
from proml.node.server.app import ROUTERS, scope_of
from tests.server.place import Place

# What anybody may ask: whether it lives, and the way to sign in.
OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/api/v1/sign-in/texts"),
    ("POST", "/api/v1/sign-in"),
    ("DELETE", "/api/v1/sign-in"),
}


def routes() -> list[tuple[str, str, str | None]]:
    """Method, path and scope of every route of the API."""
    return [
        (method, route.path, scope_of(route))
        for router in ROUTERS
        for route in router.routes
        for method in route.methods  # type: ignore[attr-defined]
    ]  # fmt: skip


def test_every_route_needs_a_scope_but_those_that_anybody_may_ask():
    assert {(method, path) for method, path, scope in routes() if scope is None} == OPEN


def test_what_changes_something_needs_more_than_reading():
    assert all(scope != READ for method, _, scope in routes() if method != "GET")


@pytest.mark.attack
def test_no_scope_opens_the_route_of_another(place: Place):
    wrong = [
        (method, path, scope)
        for method, path, needed in routes()
        if needed
        for scope in ALL_SCOPES
        if scope != needed
    ]
    assert len(wrong) > 50
    tokens = {scope: place.token(scope) for scope in ALL_SCOPES}
    for method, path, scope in wrong:
        filled = path.replace("{identifier}", "0x" + "ab" * 32).replace("{number}", "1")
        filled = filled.replace("{file}", "ab" * 16) + ("?after=0" if "frames" in path else "")
        sent = {} if method == "GET" else {"json": {}}
        kind = MEDIA_TYPE if "frames" in path else "application/json"
        headers = {**tokens[scope], "idempotency-key": "x", "content-type": kind}
        answer = place.request(method, filled, headers, **sent)
        assert answer.status_code == 403, (method, path, scope)
        assert answer.json()["type"] == "urn:proml:scope-missing"
