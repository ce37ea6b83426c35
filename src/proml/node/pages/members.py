"""The consortium: its members with their roles and keys, and proposals with their votes."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from proml.core.consortium import role_names
from proml.core.proposal import ChangeKind
from proml.node.government import Rules, rules_of
from proml.node.index import organisations, proposals
from proml.node.index.rows import OrganisationRow, ProposalRow
from proml.node.pages.shown import PageRoute, Shown, answer
from proml.node.server.callers import Reader, node_of

ROUTER = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Participants:
    """All organisations, members and former ones."""

    organisations: tuple[OrganisationRow, ...]
    rules: Rules


@dataclass(frozen=True, slots=True)
class Stated:
    """A proposal, and in words what it would change."""

    proposal: ProposalRow
    wording: str


@dataclass(frozen=True, slots=True)
class Proposals:
    """Proposals, newest first."""

    proposals: tuple[Stated, ...]
    rules: Rules


@ROUTER.get("/participants")
def participants(request: Request, _: Reader) -> Response:
    """Who takes part, as what, with which keys."""
    with node_of(request).index.reading() as view:
        content = Participants(tuple(organisations(view)), rules_of(view.consortium.shared))
        return answer(request, view, Shown("participants.html", "Participants", content, "/participants"))


@ROUTER.get("/proposals")
def proposals_page(request: Request, _: Reader) -> Response:
    """What members propose, who spoke for it, and what is left to do."""
    with node_of(request).index.reading() as view:
        stated = tuple(Stated(each, wording(each)) for each in proposals(view))
        content = Proposals(stated, rules_of(view.consortium.shared))
        return answer(request, view, Shown("proposals.html", "Proposals", content, "/proposals"))


def wording(row: ProposalRow) -> str:
    """What a proposal would change, in a sentence."""
    whom = row.organisation.name if row.organisation else "a newcomer"
    roles = ", ".join(role_names(row.setting)).replace("_", " ") or "nothing"
    sentences = {
        ChangeKind.ADMIT: f"Admit a newcomer as {roles}",
        ChangeKind.REMOVE: f"Remove {whom}",
        ChangeKind.SET_ROLES: f"Let {whom} act as {roles}",
        ChangeKind.SET_THRESHOLD: f"Ask for {row.setting} votes from now on",
        ChangeKind.ADMIT_LIFECYCLE: "Admit a lifecycle",
        ChangeKind.NAME_SUCCESSOR: f"Let organisation {row.setting} stand in as the custodian for {whom}",
        ChangeKind.RECOVER_KEY: f"Give {whom} a new key in place of those it lost",
    }
    named = {kind.name.lower(): sentence for kind, sentence in sentences.items()}
    return named.get(row.change, row.change.replace("_", " ").capitalize())
