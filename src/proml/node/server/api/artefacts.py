"""Artefacts: finding them, their history, lineage, approvals, and what recall does to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Response

from proml.core.digest import unhexed
from proml.node.index import (
    Reach,
    View,
    Wanted,
    approvals,
    artefact,
    document,
    find,
    history,
    lineage,
    step_with_record,
    tainted,
    what_taints,
    who_used,
)
from proml.node.index.rows import (
    ApprovalRow,
    ArtefactRow,
    DocumentRow,
    LineageRows,
    Page,
    StepRow,
    TaintRow,
)
from proml.node.index.tracing import MOST_ARTEFACTS
from proml.node.server.asking import Asked, DigestText, OfNumber, Second, Tests, Word
from proml.node.server.callers import Reader, TheNode
from proml.node.server.routes import as_json, reading

router = reading("", "artefacts")
ROUTERS = (router,)
SHOWN_TAINTS = 20


@dataclass(frozen=True, slots=True)
class ArtefactState:
    """An artefact, what may happen next and by which roles, and by what it is tainted, nearest first."""

    artefact: ArtefactRow
    next: dict[str, list[str]]
    tainted_by: list[TaintRow]


@dataclass(frozen=True, slots=True)
class Tainted:
    """Artefacts that a recall reaches; `complete` is false when there are more than these."""

    artefacts: list[ArtefactRow]
    complete: bool


@dataclass(frozen=True, slots=True)
class RecordState:
    """A record: the newest step that carries it, and what this node holds of its fields, if anything."""

    step: StepRow
    document: DocumentRow | None


@router.get("/artefacts", response_model=Page[ArtefactRow])
def find_artefacts(
    node: TheNode,
    _: Reader,
    ask: Asked,
    tests: Tests,
    digest: Annotated[
        str | None,
        Query(
            pattern="^0x([0-9a-f]{2}){1,32}$",
            description="An id, record or subject; or how an id begins.",
        ),
    ] = None,
    name: Word = None,
    kind: Word = None,
    state: Word = None,
    organisation: OfNumber = None,
    creator: OfNumber = None,
    custodian: OfNumber = None,
    since: Second = None,
    until: Second = None,
    usable: bool | None = None,
    recalled: bool | None = None,
    unfinished: bool = False,
) -> Response:
    """Artefacts that meet everything asked, the one that changed last first."""
    wanted = Wanted(
        digest=unhexed(digest, len(digest) // 2 - 1) if digest else None,
        name=name,
        kind=kind,
        state=state,
        organisation=organisation,
        creator=creator,
        custodian=custodian,
        since=since,
        until=until,
        usable=usable,
        recalled=recalled,
        unfinished=unfinished,
        fields=tests,
    )
    with node.index.reading() as view:
        return as_json(find(view, wanted, ask))


@router.get("/artefacts/{identifier}", response_model=ArtefactState)
def one_artefact(node: TheNode, _: Reader, identifier: DigestText) -> Response:
    """One artefact and where it stands."""
    with node.index.reading() as view:
        row = artefact(view, unhexed(identifier))
        return as_json(
            ArtefactState(row, _next(view, row), what_taints(view, unhexed(identifier), SHOWN_TAINTS))
        )


@router.get("/artefacts/{identifier}/history", response_model=Page[StepRow])
def history_of(
    node: TheNode, _: Reader, identifier: DigestText, ask: Asked, newest_first: bool = False
) -> Response:
    """Its steps, from the registration on."""
    with node.index.reading() as view:
        return as_json(history(view, unhexed(identifier), ask, newest_first))


@router.get("/artefacts/{identifier}/lineage", response_model=LineageRows)
def lineage_of(
    node: TheNode,
    _: Reader,
    identifier: DigestText,
    up: bool = True,
    down: bool = True,
    most: Annotated[int, Query(ge=1, le=MOST_ARTEFACTS)] = 1_000,
    depth: Annotated[int | None, Query(ge=0, le=MOST_ARTEFACTS)] = None,
) -> Response:
    """What it was made from, and what was made from it, nearest first."""
    with node.index.reading() as view:
        return as_json(lineage(view, unhexed(identifier), Reach(up, down, most, depth)))


@router.get("/artefacts/{identifier}/uses", response_model=Page[StepRow])
def uses_of(node: TheNode, _: Reader, identifier: DigestText, ask: Asked) -> Response:
    """Steps that named it as an input, newest first."""
    with node.index.reading() as view:
        return as_json(who_used(view, unhexed(identifier), ask))


@router.get("/artefacts/{identifier}/approvals", response_model=Page[ApprovalRow])
def approvals_of(node: TheNode, _: Reader, identifier: DigestText, ask: Asked) -> Response:
    """Who approved which of its steps, newest first."""
    with node.index.reading() as view:
        return as_json(approvals(view, unhexed(identifier), None, ask))


@router.get("/tainted", response_model=Tainted)
def tainted_artefacts(
    node: TheNode, _: Reader, most: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> Response:
    """Every artefact that derives from one that was recalled."""
    with node.index.reading() as view:
        return as_json(Tainted(*tainted(view, most)))


@router.get("/records/{identifier}", response_model=RecordState)
def one_record(node: TheNode, _: Reader, identifier: DigestText) -> Response:
    """The step that carries a record, and the record's fields as far as they are here."""
    with node.index.reading() as view:
        step = step_with_record(view, unhexed(identifier))
        held = document(view, unhexed(identifier)) if step.document is not None else None
        return as_json(RecordState(step, held))


def _next(view: View, row: ArtefactRow) -> dict[str, list[str]]:
    lifecycle = view.names.lifecycles.get(row.lifecycle)
    if lifecycle is None or row.state not in lifecycle.states:
        return {}
    open_actions = lifecycle.open_actions(lifecycle.states.index(row.state))
    return {action: list(roles) for action, roles in open_actions.items()}
