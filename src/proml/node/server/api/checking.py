"""Checking: verdicts by the ledger itself, and evidence files. Never by the index.

A node may lie to whoever asks it: every answer says how to check the same elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query, Response

from proml.core.digest import unhexed
from proml.node.exchange import evidence_on
from proml.node.server.asking import DIGEST, DigestText
from proml.node.server.callers import Reader, TheNode
from proml.node.server.routes import as_json, reading
from proml.verify import ByDigest, ById, Showing, Target, enough

router = reading("", "checking")
ROUTERS = (router,)
EVIDENCE_TYPE = "application/json"
OfDigest = Annotated[str | None, Query(pattern=DIGEST)]


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and the command that checks the same on another machine."""

    verdict: dict[str, Any]
    elsewhere: str


@router.get("/verdicts", response_model=Judged)
def verdict_by_digest(node: TheNode, _: Reader, digest: Annotated[str, Query(pattern=DIGEST)]) -> Response:
    """The verdict about whatever has these bytes: the SHA-256 of a file, or of a folder's manifest."""
    return _judged(node, ByDigest(unhexed(digest)), "proml verify FILE")


@router.get("/artefacts/{identifier}/verdict", response_model=Judged)
def verdict_by_id(node: TheNode, _: Reader, identifier: DigestText, digest: OfDigest = None) -> Response:
    """The verdict about an artefact; with `digest` also whether those are its bytes."""
    target = ById(unhexed(identifier), unhexed(digest) if digest else None)
    return _judged(node, target, f"proml verify {'FILE --as ' if digest else ''}{identifier}")


@router.get("/artefacts/{identifier}/evidence", response_model=dict[str, Any])
def evidence(node: TheNode, _: Reader, identifier: DigestText) -> Response:
    """A file with which anybody checks the artefact offline (`proml verify FILE`).

    It shows of each record what the checks need, and no parameters, metrics or environment.
    """
    with node.grounds() as grounds:
        made = evidence_on(grounds, node.me, unhexed(identifier), Showing(choice=enough))
    name = f"{identifier[:12]}.evidence"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(made.content, media_type=EVIDENCE_TYPE, headers=headers)


def _judged(node: TheNode, target: Target, elsewhere: str) -> Response:
    return as_json(Judged(node.verdict(target).document(), elsewhere))
