"""How routes of the API answer: entity tags on what is read, one effect per idempotency key on the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from proml.core.digest import sha256
from proml.node.server.callers import caller_of, node_of
from proml.node.server.problems import DOCUMENTED, Rejected

Answering = Callable[[Request], Coroutine[Any, Any, Response]]
MAX_KEY = 128
PREFIX = "/api/v1"


class TaggedRoute(APIRoute):
    """Answers 304 to a reader who has the present state already (RFC 9110, section 13)."""

    def get_route_handler(self) -> Answering:
        """What answers, with entity tags."""
        answered = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            response = await answered(request)
            body = getattr(response, "body", None)
            if request.method != "GET" or response.status_code != HTTPStatus.OK or body is None:
                return response
            tag = f'"{sha256(bytes(body)).hex()[:32]}"'
            known = [
                each.strip().removeprefix("W/")
                for each in request.headers.get("if-none-match", "").split(",")
            ]
            headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "Authorization, Cookie"}
            if tag in known or known == ["*"]:
                return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
            response.headers.update(headers)
            return response

        return tagged


class OnceRoute(APIRoute):
    """Asks for an `Idempotency-Key`, and answers a request that comes again as it did the first time."""

    def get_route_handler(self) -> Answering:
        """What answers, with idempotency keys."""
        answered = super().get_route_handler()

        async def once(request: Request) -> Response:
            access = node_of(request).access
            caller = await asyncio.to_thread(caller_of, request)
            key = _key(request)
            asked = sha256(f"{request.method} {request.url.path}\n".encode() + await request.body())
            known = await asyncio.to_thread(access.begin_answer, caller.name, key, asked)
            if known is not None:
                return _again(known.request == asked, known.status, known.body)
            try:
                response = await answered(request)
            except BaseException:
                # Refused or failed: nothing was done, and the same request may be made again.
                await asyncio.to_thread(access.drop_answer, caller.name, key)
                raise
            await asyncio.to_thread(
                access.keep_answer, caller.name, key, response.status_code, bytes(response.body)
            )
            return response

        return once


def as_json(content: object) -> Response:
    """A frozen value, or anything JSON has, as an answer; the route's `response_model` describes it.

    Not by way of the framework, which would check and copy every row of ours once more.
    """
    return Response(orjson.dumps(content), media_type="application/json")


def reading(prefix: str, tag: str) -> APIRouter:
    """A router for routes that change nothing."""
    return APIRouter(prefix=PREFIX + prefix, tags=[tag], route_class=TaggedRoute, responses=DOCUMENTED)


def writing(prefix: str, tag: str) -> APIRouter:
    """A router for routes that change something, once per idempotency key."""
    return APIRouter(prefix=PREFIX + prefix, tags=[tag], route_class=OnceRoute, responses=DOCUMENTED)


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise Rejected(
            HTTPStatus.BAD_REQUEST,
            "idempotency-key-missing",
            f"a request that changes something needs an Idempotency-Key of 1 to {MAX_KEY} characters",
            "make a random one per change, and repeat it when you ask again",
        )
    return key


def _again(same: bool, status: int | None, body: bytes | None) -> Response:
    if not same:
        raise Rejected(
            HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency-key-reused", "this key was used for another request"
        )
    if status is None:
        raise Rejected(HTTPStatus.CONFLICT, "at-work", "the same request is at work", "ask again in a moment")
    return Response(body, status, {"idempotency-replayed": "true"}, "application/json")
