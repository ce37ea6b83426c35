"""How the node is: health for whoever restarts it, readiness for whoever sends it work, metrics, state."""

from __future__ import annotations

import time
from dataclasses import dataclass

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from proml import __version__
from proml.core.digest import hexed
from proml.errors import ProMLError
from proml.node.server.callers import Reader, TheNode
from proml.node.server.duty import Standing
from proml.node.server.routes import reading

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
probes = APIRouter(tags=["state"])
router = reading("", "state")
ROUTERS = (probes, router)


@dataclass(frozen=True, slots=True)
class DutyState:
    """One thing the node does by itself: whether it is well, and otherwise why not and what to do."""

    name: str
    well: bool
    problem: str
    hint: str


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The ledger as the node sees it: chain id, contract, newest block; or the problem with reaching it."""

    chain_id: int
    contract: str
    block: int | None
    block_time: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class BacklogState:
    """How much waits: journal entries nobody has read, items taken in, items sent and not final."""

    unread: int
    waiting: int
    sent: int


@dataclass(frozen=True, slots=True)
class NodeState:
    """The state of a node; `backlog` is null while something is being published."""

    organisation: str
    key: str
    version: str
    seconds_up: int
    ready: bool
    ledger: LedgerState
    backlog: BacklogState | None
    duties: list[DutyState]


@probes.get("/healthz", include_in_schema=False)
def health() -> JSONResponse:
    """Whether the process answers; says nothing of the ledger. Needs no token."""
    return JSONResponse({"alive": True})


@probes.get("/readyz", include_in_schema=False)
def readiness(node: TheNode) -> JSONResponse:
    """Whether every duty is well: 200 or 503. Needs no token and names no reason."""
    ready = all(standing.is_well for standing in node.standings())
    return JSONResponse({"ready": ready}, 200 if ready else 503)


@probes.get("/metrics", include_in_schema=False)
def metrics(node: TheNode, _: Reader) -> Response:
    """Figures for Prometheus; needs the scope `read` where others can ask."""
    return Response(node.metrics.text(), media_type=METRICS_TYPE)


@router.get("/state")
def state(node: TheNode, _: Reader) -> NodeState:
    """How the node is, what it waits for, and what is wrong, if anything."""
    standings = node.standings()
    backlog = node.me.backlog()
    return NodeState(
        organisation=node.me.config.organisation,
        key=hexed(node.me.address),
        version=__version__,
        seconds_up=int(time.time() - node.started),
        ready=all(standing.is_well for standing in standings),
        ledger=_ledger_state(node),
        backlog=BacklogState(backlog.unread, backlog.waiting, backlog.sent) if backlog else None,
        duties=[_duty_state(standing) for standing in standings],
    )


def _ledger_state(node: TheNode) -> LedgerState:
    terms = node.me.ledger_file.terms
    try:
        head = node.me.ledger.head()
    except ProMLError as error:
        return LedgerState(terms.chain_id, hexed(terms.contract), None, None, error.message)
    return LedgerState(terms.chain_id, hexed(terms.contract), head.number, head.time, "")


def _duty_state(standing: Standing) -> DutyState:
    return DutyState(standing.name, standing.is_well, standing.problem, standing.hint)
