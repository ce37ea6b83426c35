"""Journals of other machines: taken group by group, acknowledged, ended."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool

from proml.errors import UsageProblem
from proml.node.receiving import Acknowledged
from proml.node.server.callers import Recorder, TheNode
from proml.node.server.problems import DOCUMENTED, Rejected
from proml.node.server.routes import PREFIX

MEDIA_TYPE = "application/vnd.proml.journal"
FRAMES = f"{PREFIX}/journal-frames/"
router = APIRouter(prefix=PREFIX, tags=["journals"], responses=DOCUMENTED)
ROUTERS = (router,)
FileId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


@dataclass(frozen=True, slots=True)
class Ending:
    """How many frames the journal file has in all."""

    frames: int


@router.get("/journals/{file}")
def journal(node: TheNode, _: Recorder, file: FileId) -> Acknowledged:
    """How much of a journal file is here, so that its device knows from where to go on."""
    return node.reception.acknowledged(bytes.fromhex(file))


@router.post(
    "/journal-frames/{file}",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def take_frames(
    request: Request,
    node: TheNode,
    _: Recorder,
    file: FileId,
    after: Annotated[int, Query(ge=0, le=2**53 - 1)],
) -> Acknowledged:
    """Take the header of a journal file and the frames after the first `after`, compressed by zlib or gzip.

    Needs no idempotency key: what is here already is known by its number and never taken twice.
    """
    content = await request.body()
    return await _in_a_thread(node, bytes.fromhex(file), after, content)


@router.post("/journals/{file}/end")
def end_journal(node: TheNode, _: Recorder, file: FileId, ending: Ending) -> Acknowledged:
    """Say that nothing more comes. Runs that the journal left open are then closed as failed."""
    return node.reception.end(bytes.fromhex(file), ending.frames)


async def _in_a_thread(node: TheNode, file: bytes, after: int, content: bytes) -> Acknowledged:
    try:
        return await run_in_threadpool(node.reception.take, file, after, content)
    except UsageProblem as problem:
        if type(problem) is UsageProblem:
            raise Rejected(HTTPStatus.FORBIDDEN, "not-allowed", problem.message, problem.hint) from None
        raise
