"""Live updates as server-sent events."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from proml.node.server.callers import Reader, TheNode
from proml.node.server.problems import DOCUMENTED, Rejected
from proml.node.server.routes import PREFIX

router = APIRouter(prefix=PREFIX, tags=["live"], responses=DOCUMENTED)
ROUTERS = (router,)


@router.get(
    "/live", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}}
)
async def live(node: TheNode, _: Reader) -> StreamingResponse:
    """What is new, as it comes: `published`, `indexed`; `overrun` says to look again at everything."""
    if node.bulletin.is_full:
        raise Rejected(HTTPStatus.SERVICE_UNAVAILABLE, "too-many", "too many listen already")
    return StreamingResponse(node.bulletin.listen(), media_type="text/event-stream")
