"""The one shape of every error the node answers with: problem details for HTTP (RFC 9457)."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from proml.errors import (
    Busy,
    ConfigInvalid,
    FileRefused,
    IndexProblem,
    JournalProblem,
    KeyProblem,
    LedgerProblem,
    NotFound,
    ProMLError,
    StepRefused,
    StorageProblem,
    UsageProblem,
)

LOG = logging.getLogger("proml.node")
MEDIA_TYPE = "application/problem+json"
# The first class that fits counts. What is ours to mend, and may be well again soon, is 503.
_STATUS: tuple[tuple[type[ProMLError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (StepRefused, HTTPStatus.CONFLICT),
    (KeyProblem, HTTPStatus.FORBIDDEN),
    (ConfigInvalid, HTTPStatus.SERVICE_UNAVAILABLE),
    (UsageProblem, HTTPStatus.UNPROCESSABLE_ENTITY),
    (FileRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (JournalProblem, HTTPStatus.UNPROCESSABLE_ENTITY),
    (StorageProblem, HTTPStatus.SERVICE_UNAVAILABLE),
    (IndexProblem, HTTPStatus.SERVICE_UNAVAILABLE),
    (LedgerProblem, HTTPStatus.SERVICE_UNAVAILABLE),
    (Busy, HTTPStatus.SERVICE_UNAVAILABLE),
)
RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the node answers it.

    Attributes:
        type: `urn:proml:` and the kind of problem; stable, for programs.
        title: the HTTP status in words.
        status: the HTTP status.
        detail: one sentence saying what is wrong.
        hint: what to do about it; may be empty.
    """

    type: str
    title: str
    status: int
    detail: str
    hint: str = ""


# What any route may answer besides its own.
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    name: {
        "description": "What is wrong, and what to do about it (RFC 9457).",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for name in ("4XX", "5XX")
}


class Rejected(HTTPException):
    """A request refused by a rule of HTTP or of this node's, and not by anything it spoke of."""

    def __init__(self, status: HTTPStatus, kind: str, detail: str, hint: str = "") -> None:
        super().__init__(status, detail)
        self.kind = kind
        self.hint = hint


def problem_of(error: Exception) -> Problem:
    """What an error is called in an answer; anything that is not one of ours is a fault of ProML."""
    if isinstance(error, Rejected):
        return _problem(error.kind, HTTPStatus(error.status_code), error.detail, error.hint)
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        return _problem(status.phrase.lower().replace(" ", "-"), status, str(error.detail))
    if isinstance(error, RequestValidationError):
        return _validation_problem(error)
    if isinstance(error, ProMLError):
        for kind, status in _STATUS:
            if isinstance(error, kind):
                return _problem(_dashed(type(error).__name__), status, error.message, error.hint)
    return _problem(
        "fault",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "this is a fault of ProML",
        "the node's log says more; report it",
    )


def answer(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The problem as an answer."""
    added = dict(headers or {})
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        added.setdefault("retry-after", str(RETRY_AFTER_SECONDS))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        added.setdefault("www-authenticate", 'Bearer realm="proml"')
    return JSONResponse(asdict(problem), problem.status, added, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make an application answer every error in this shape."""
    for kind in (ProMLError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _answered)


async def _answered(request: Request, error: Exception) -> JSONResponse:
    problem = problem_of(error)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        LOG.error("a fault in answering", exc_info=error, extra={"path": request.url.path})
    return answer(problem, dict(getattr(error, "headers", None) or {}))


def _validation_problem(error: RequestValidationError) -> Problem:
    found = error.errors()[0]
    place = [str(part) for part in found["loc"]]
    if place[0] == "path":
        # An id that cannot be one names nothing.
        return _problem("not-found", HTTPStatus.NOT_FOUND, "there is nothing of that name")
    # The value itself is not repeated: it may be anything, a secret too.
    where = " ".join(part for part in (place[0], ".".join(place[1:])) if part)
    return _problem("request-invalid", HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {found['msg']}")


def _problem(kind: str, status: HTTPStatus, detail: str, hint: str = "") -> Problem:
    return Problem(f"urn:proml:{kind}", status.phrase, int(status), detail, hint)


def _dashed(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).strip("-")
