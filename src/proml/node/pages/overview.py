"""The overview: what happened lately, what waits for us, what is tainted, whether the chain is well."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from proml.node.index import Ask, Wanted, find, lately, proposals, status, tainted, waiting_for
from proml.node.index.rows import (
    AnchorRow,
    ApprovalRow,
    ArtefactRow,
    DecisionRow,
    Happening,
    IndexStatus,
    ProposalRow,
    RefusalRow,
    Waiting,
)
from proml.node.pages.shown import PageRoute, Shown, answer
from proml.node.server.callers import Reader, node_of

ROUTER = APIRouter(route_class=PageRoute)
MOST_NEWS = 20
MOST_TAINTED = 50
MOST_WAITING = 30


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened; `what` says which kind of row it is."""

    what: str
    row: Happening


@dataclass(frozen=True, slots=True)
class Overview:
    """What the overview shows.

    Attributes:
        tainted: artefacts with a recalled ancestor; `all_tainted` says whether that is all of them.
        unfinished: runs that never ended.
    """

    status: IndexStatus
    news: tuple[News, ...]
    waiting: tuple[Waiting, ...]
    tainted: tuple[ArtefactRow, ...]
    all_tainted: bool
    recalled: tuple[ArtefactRow, ...]
    unfinished: tuple[ArtefactRow, ...]
    proposals: tuple[ProposalRow, ...]


@ROUTER.get("/")
def overview(request: Request, _: Reader) -> Response:
    """The overview."""
    node = node_of(request)
    with node.index.reading() as view:
        own = node.own(view)
        reached, complete = tainted(view, MOST_TAINTED)
        few = Ask(10)
        content = Overview(
            status=status(view),
            news=tuple(News(what(row), row) for row in lately(view, Ask(MOST_NEWS)).rows),
            waiting=tuple(waiting_for(view, own, MOST_WAITING)) if own else (),
            tainted=tuple(reached),
            all_tainted=complete,
            recalled=find(view, Wanted(recalled=True), few).rows,
            unfinished=find(view, Wanted(unfinished=True, kind="run"), few).rows,
            proposals=tuple(each for each in proposals(view) if each.state in ("open", "passed")),
        )
        return answer(request, view, Shown("overview.html", "Overview", content, "/"))


def what(row: Happening) -> str:
    """Which kind of row it is, in a word."""
    match row:
        case ApprovalRow():
            return "approval"
        case AnchorRow():
            return "anchor"
        case RefusalRow():
            return "refusal"
        case DecisionRow():
            return "decision"
        case _:
            return "step"
