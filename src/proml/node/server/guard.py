"""The guard: what every request has to pass before any route sees it, and what every answer carries.

Against pages of other sites that reach a node on this machine (DNS rebinding, cross-site requests):
the host must be one the node is known by, and a browser must say that the request comes from the node's
own pages. Against exhaustion: a body is read whole, up to a limit, within a time, before it is parsed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proml.core.document import parse
from proml.errors import RecordInvalid
from proml.node.server.metrics import Metrics
from proml.node.server.problems import Rejected, answer, problem_of

LOG = logging.getLogger("proml.node")
SAFE = ("GET", "HEAD", "OPTIONS")
JSON = "application/json"
MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 30.0
MAX_QUERY_BYTES = 8 * 1024
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; "
    "require-trusted-types-for 'script'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the guard goes by.

    Attributes:
        hosts: what a request may name as its host, without the port, in lower case.
        scheme: `http` or `https`, as people write the node's address.
        bodies: by path prefix, the content type that is taken there in place of JSON, and its most bytes.
    """

    hosts: frozenset[str]
    scheme: str = "http"
    bodies: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def body(self, path: str) -> tuple[str, int]:
        """The content type and the most bytes of a body sent to a path."""
        for prefix, found in self.bodies.items():
            if path.startswith(prefix):
                return found
        return JSON, MAX_BODY_BYTES


class Guard:
    """ASGI middleware; see the module's text."""

    def __init__(self, app: ASGIApp, rules: Rules, metrics: Metrics) -> None:
        """Guard `app`."""
        self._app = app
        self._rules = rules
        self._metrics = metrics
        secure = {"strict-transport-security": "max-age=31536000"} if rules.scheme == "https" else {}
        self._headers = [(name.encode(), value.encode()) for name, value in {**HEADERS, **secure}.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with what is wrong."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        began = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(each for each in self._headers if each[0] not in named),
                    *(() if b"cache-control" in named else ((b"cache-control", b"no-store"),)),
                ]
            await send(message)

        try:
            receive = await self._passed(scope, receive)
        except Rejected as rejected:
            await answer(problem_of(rejected))(scope, receive, sending)
        else:
            await self._app(scope, receive, sending)
        finally:
            self._told(scope, status, time.perf_counter() - began)

    def _told(self, scope: Scope, status: int, seconds: float) -> None:
        # The route and not the path: paths have ids, and those of strangers anything.
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.answered(scope["method"], route, status, seconds)
        changes = scope["method"] not in SAFE
        level = (
            logging.WARNING if status >= 500 else logging.INFO if changes or status >= 400 else logging.DEBUG
        )
        caller = scope.get("state", {}).get("caller", "")
        said = {"method": scope["method"], "route": route, "status": status, "caller": caller}
        LOG.log(level, "answered", extra={**said, "seconds": round(seconds, 4)})

    async def _passed(self, scope: Scope, receive: Receive) -> Receive:
        headers = _headers(scope)
        host = headers.get("host", "").lower()
        if _without_port(host) not in self._rules.hosts:
            raise Rejected(
                HTTPStatus.FORBIDDEN,
                "host-refused",
                "this node is not known by the host that the request names",
                "start it with --name to give it another",
            )
        query = scope["query_string"]
        if len(query) > MAX_QUERY_BYTES:
            raise Rejected(
                HTTPStatus.REQUEST_URI_TOO_LONG, "too-long", f"a query has at most {MAX_QUERY_BYTES} bytes"
            )
        if "\x00" in scope["path"] or b"%00" in query or b"\x00" in query:
            raise Rejected(
                HTTPStatus.BAD_REQUEST, "request-invalid", "a path or query holds the character NUL"
            )
        self._check_origin(scope["method"], headers, host)
        if scope["method"] in SAFE:
            return receive
        return await self._with_body(scope, headers, receive)

    def _check_origin(self, method: str, headers: Mapping[str, str], host: str) -> None:
        site = headers.get("sec-fetch-site", "none")
        origin = headers.get("origin")
        if method in SAFE:
            # A link from elsewhere may open a page; nothing else of another site may ask.
            refused = site not in ("same-origin", "none") and headers.get("sec-fetch-mode") != "navigate"
        else:
            refused = site not in ("same-origin", "none")
            refused = refused or (origin is not None and not self._is_own(origin, host))
        if refused:
            raise Rejected(
                HTTPStatus.FORBIDDEN,
                "origin-refused",
                "the request comes from a page that is not this node's",
            )

    def _is_own(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.netloc.lower() == host and parts.scheme in (self._rules.scheme, "https")

    async def _with_body(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> Receive:
        wanted, limit = self._rules.body(scope["path"])
        stated = headers.get("content-length", "0")
        if stated.isdecimal() and int(stated) > limit:
            raise _too_large(limit)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive, limit)
        except TimeoutError:
            raise Rejected(
                HTTPStatus.REQUEST_TIMEOUT, "too-slow", f"the body took more than {BODY_SECONDS:.0f} s"
            ) from None
        if body or scope["method"] != "DELETE":
            _check_type(headers.get("content-type", ""), wanted)
        if wanted == JSON and body:
            try:
                parse(body, "the body", limit)
            except RecordInvalid as error:
                raise Rejected(HTTPStatus.BAD_REQUEST, "request-invalid", error.message, error.hint) from None
        return _replayed(body, receive)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdecimal() or not port) else host


def _check_type(stated: str, wanted: str) -> None:
    if stated.partition(";")[0].strip().lower() != wanted:
        raise Rejected(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content-type-refused", f"the body must be {wanted}"
        )


async def _read(receive: Receive, limit: int) -> bytes:
    pieces, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Rejected(HTTPStatus.BAD_REQUEST, "cut-short", "the body ended early")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(pieces)


def _too_large(limit: int) -> Rejected:
    return Rejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", f"the body has more than {limit} bytes")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then waits for the connection's end."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
