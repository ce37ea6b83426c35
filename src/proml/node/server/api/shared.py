"""What is shared with other members: records and files by their digest."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from proml.core.digest import unhexed
from proml.node.server.asking import DigestText
from proml.node.server.callers import Reader, TheNode
from proml.node.server.problems import DOCUMENTED, Rejected
from proml.node.server.routes import PREFIX
from proml.node.sharing import opened

MEDIA_TYPE = "application/octet-stream"
router = APIRouter(prefix=PREFIX, tags=["sharing"], responses=DOCUMENTED)
ROUTERS = (router,)


@router.get(
    "/shared/{identifier}",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "The bytes; compare their digest."}},
)
def shared(node: TheNode, caller: Reader, identifier: DigestText) -> StreamingResponse:
    """A whole record, or a file, that is shared with whoever asks: members, and tokens of this node."""
    if caller.name == "anyone":
        raise Rejected(HTTPStatus.UNAUTHORIZED, "not-signed-in", "what is shared is for members: sign in")
    with node.index.reading() as view:
        own = caller.organisation is None or node.is_own(caller.organisation, view)
    pieces = opened(node.me, unhexed(identifier), None if own else caller.organisation)
    return StreamingResponse(pieces, headers={"content-disposition": "attachment"}, media_type=MEDIA_TYPE)
