"""Verdicts: check a file by the digest its own browser computed, and verify an artefact."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from proml.core.digest import hexed, unhexed
from proml.errors import NotFound
from proml.export.report import verdict_view
from proml.export.report_view import VerdictView
from proml.node.index import Index
from proml.node.pages.shown import PageRoute, Shown, answer
from proml.node.server.callers import Reader, node_of
from proml.node.server.node import Node
from proml.verify import ByDigest, ById, Target

ROUTER = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome for one file or artefact.

    Attributes:
        name: of the file, as its owner's browser told it.
        digest: 32 bytes as text; empty where no bytes were asked about.
        verdict: None when no history knows the digest, or none was asked about yet.
        unknown: why there is no verdict.
    """

    name: str
    digest: str
    verdict: VerdictView | None
    unknown: str


@ROUTER.get("/check")
def check(
    request: Request,
    _: Reader,
    digest: Annotated[str, Query(max_length=66)] = "",
    name: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """Check a file: it is hashed in the browser, and only its digest comes here."""
    node = node_of(request)
    title, section = "Check a file", "/check"
    if not digest:
        return _answer(node.index, request, Shown("check.html", title, Checked("", "", None, ""), section))
    bytes_of = unhexed(digest if digest.startswith("0x") else f"0x{digest}")
    try:
        verdict = _judged(node, ByDigest(bytes_of), name or "the file")
    except NotFound as error:
        content = Checked(name, digest, None, f"{error.message}. {error.hint}")
        shown = Shown("check.html", title, content, section, status=HTTPStatus.NOT_FOUND)
        return _answer(node.index, request, shown)
    content = Checked(name, digest, verdict, "")
    return _answer(node.index, request, Shown("check.html", title, content, section))


@ROUTER.get("/artefacts/{identifier}/verdict")
def verdict_page(request: Request, identifier: str, _: Reader) -> Response:
    """Verify an artefact: nine numbered checks, from the ledger and the storage."""
    node = node_of(request)
    artefact = unhexed(identifier)
    verdict = _judged(node, ById(artefact), "")
    title = f"Verdict on {verdict.kind} {verdict.name or identifier[2:10]}"
    content = Checked("", "", verdict, "")
    return _answer(node.index, request, Shown("verdict.html", title, content, "/artefacts"))


def _judged(node: Node, target: Target, title: str) -> VerdictView:
    verdict = node.verdict(target)
    return verdict_view(title or hexed(verdict.stand.artefact), verdict, node.me.name_of)


def _answer(index: Index, request: Request, shown: Shown) -> Response:
    with index.reading() as view:
        return answer(request, view, shown)
