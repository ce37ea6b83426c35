"""The consortium and what happens in it: members, keys, proposals, lifecycles, the latest of everything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fastapi import Response

from proml.core.digest import hexed
from proml.node.index import (
    anchors,
    lately,
    organisation,
    organisations,
    proposal,
    proposals,
    refusals,
    status,
)
from proml.node.index.rows import (
    AnchorRow,
    Happening,
    IndexStatus,
    OrganisationRow,
    Page,
    ProposalRow,
    RefusalRow,
)
from proml.node.server.asking import Asked, Number, OfNumber
from proml.node.server.callers import Reader, TheNode
from proml.node.server.routes import as_json, reading

router = reading("", "consortium")
ROUTERS = (router,)


class ProposalState(StrEnum):
    """Where a proposal can stand."""

    OPEN = "open"
    PASSED = "passed"
    EXECUTED = "executed"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class LifecycleState:
    """A lifecycle that the ledger admitted; kind, states and actions only where its file is at hand here."""

    number: int
    id: str
    kind: str
    states: list[str]
    actions: list[str]


@router.get("/lately", response_model=Page[Happening])
def happenings(node: TheNode, _: Reader, ask: Asked, organisation: OfNumber = None) -> Response:
    """Whatever happened, newest first."""
    with node.index.reading() as view:
        return as_json(lately(view, ask, organisation))


@router.get("/organisations", response_model=list[OrganisationRow])
def members(node: TheNode, _: Reader) -> Response:
    """The members, and those that were."""
    with node.index.reading() as view:
        return as_json(organisations(view))


@router.get("/organisations/{number}", response_model=OrganisationRow)
def member(node: TheNode, _: Reader, number: Number) -> Response:
    """One member, with its keys."""
    with node.index.reading() as view:
        return as_json(organisation(view, number))


@router.get("/proposals", response_model=list[ProposalRow])
def all_proposals(node: TheNode, _: Reader, state: ProposalState | None = None) -> Response:
    """Proposals, newest first."""
    with node.index.reading() as view:
        return as_json(proposals(view, state))


@router.get("/proposals/{number}", response_model=ProposalRow)
def one_proposal(node: TheNode, _: Reader, number: Number) -> Response:
    """One proposal and where it stands."""
    with node.index.reading() as view:
        return as_json(proposal(view, number))


@router.get("/lifecycles", response_model=list[LifecycleState])
def lifecycles(node: TheNode, _: Reader) -> Response:
    """The lifecycles of the ledger."""
    with node.index.reading() as view:
        known = view.names.lifecycles
        return as_json([
            LifecycleState(
                number,
                hexed(table.id),
                known[number].kind if number in known else "",
                list(known[number].states) if number in known else [],
                list(known[number].actions) if number in known else [],
            )
            for number, table in view.consortium.shared.tables.items()
        ])  # fmt: skip


@router.get("/anchors", response_model=Page[AnchorRow])
def anchored(node: TheNode, _: Reader, ask: Asked, organisation: OfNumber = None) -> Response:
    """Anchored batches of observations, newest first."""
    with node.index.reading() as view:
        return as_json(anchors(view, organisation, ask))


@router.get("/refusals", response_model=Page[RefusalRow])
def refused(node: TheNode, _: Reader, ask: Asked, organisation: OfNumber = None) -> Response:
    """What the contracts refused, newest first."""
    with node.index.reading() as view:
        return as_json(refusals(view, organisation, ask))


@router.get("/index", response_model=IndexStatus)
def index(node: TheNode, _: Reader) -> Response:
    """How far the index reads, and whether it is well."""
    with node.index.reading() as view:
        return as_json(status(view))
