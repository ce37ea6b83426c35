"""Questions about the consortium: its members, their keys, proposals, and how they were decided."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, func, select

from proml.core.consortium import Actor, role_names, scope_names
from proml.core.digest import ZERO, hexed
from proml.core.event import Event
from proml.core.proposal import ZERO_KEY, Change, ChangeKind, Proposal, ProposalState
from proml.core.refusal import Reason
from proml.errors import NotFound
from proml.node.index import schema
from proml.node.index.consortium import unpacked
from proml.node.index.opening import View
from proml.node.index.reading import logged, member, place
from proml.node.index.rows import DecisionRow, KeyRow, OrganisationRow, ProposalRow


def organisations(view: View) -> list[OrganisationRow]:
    """The members, and those that were, in the order of their admission."""
    table = schema.anchor
    counted = select(table.c.organisation, func.max(table.c.number)).group_by(table.c.organisation)
    anchors = {row[0]: row[1] for row in view.connection.execute(counted)}
    shared = view.consortium.shared
    return [
        OrganisationRow(
            number=number,
            name=view.names.name_of(number),
            roles=role_names(each.roles),
            profile=hexed(each.profile),
            admitted=each.admitted,
            removed=each.removed,
            anchors=anchors.get(number, 0),
            keys=tuple(
                _key(view, address) for address, key in shared.keys.items() if key.organisation == number
            ),
        )
        for number, each in shared.organisations.items()
    ]


def organisation(view: View, number: int) -> OrganisationRow:
    """One member by its number; NotFound when there is none."""
    for each in organisations(view):
        if each.number == number:
            return each
    raise NotFound(f"there is no organisation {number}")


def _key(view: View, address: bytes) -> KeyRow:
    shared = view.consortium.shared
    key = shared.keys[address]
    removed = shared.organisations[key.organisation].removed
    return KeyRow(
        address=hexed(address),
        organisation=member(view, key.organisation),
        scopes=scope_names(key.scope),
        start=key.start,
        expires=key.expires,
        revoked=key.revoked,
        compromised_since=key.compromised_since,
        active=not removed and key.refusal(view.head.number + 1) is None,
    )


def proposals(view: View, state: str | None = None) -> list[ProposalRow]:
    """All proposals, or those in one state (open, passed, executed, cancelled, lapsed), newest first."""
    numbers = sorted(view.consortium.shared.proposals, reverse=True)
    rows = [proposal(view, number) for number in numbers]
    return [row for row in rows if state in (None, row.state)]


def proposal(view: View, number: int) -> ProposalRow:
    """One proposal by its number; NotFound when there is none."""
    shared = view.consortium.shared
    found = shared.proposals.get(number)
    if found is None:
        raise NotFound(f"there is no proposal {number}")
    (made,) = decisions(view, schema.decision.c.place == view.consortium.proposed[number], 1)
    change = found.change
    return ProposalRow(
        number=number,
        change=_change_name(change),
        organisation=member(view, change.organisation) if change.organisation else None,
        setting=change.setting,
        key=None if change.key == ZERO_KEY else hexed(change.key),
        profile=None if change.profile == ZERO else hexed(change.profile),
        proposer=member(view, found.proposer),
        voters=tuple(member(view, each) for each in (found.proposer, *sorted(found.voters))),
        needed=shared.threshold,
        state=_state(view, found),
        created=found.created,
        passed=found.passed,
        executable=found.passed + shared.delay(found) if found.passed else 0,
        ends=shared.end(found),
        place=made.place,
    )


def _change_name(change: Change) -> str:
    known = change.kind in ChangeKind.__members__.values()
    return ChangeKind(change.kind).name.lower() if known else f"change-{change.kind}"


def _state(view: View, found: Proposal) -> str:
    """Where it stands for a call in the block after the head."""
    if found.state is not ProposalState.OPEN:
        return found.state.name.lower()
    if view.consortium.shared.closed(found, view.head.number + 1) is Reason.PROPOSAL_LAPSED:
        return "lapsed"
    return "passed" if found.passed else "open"


def decisions(view: View, condition: ColumnElement[bool], limit: int) -> list[DecisionRow]:
    """At most `limit` of the decisions that meet a condition on `schema.decision`, newest first."""
    return [
        DecisionRow(
            event=row.event,
            fields=_fields(view, unpacked(row.topics, row.content)),
            place=place(view, row.place, row.time, row.transaction),
        )
        for row in logged(view, schema.decision, condition, limit)
    ]


def _fields(view: View, event: Event) -> dict[str, Any]:
    return {each.name: _shown(view, getattr(event, each.name)) for each in fields(event)}


def _shown(view: View, value: Any) -> Any:
    """A field of an event as JSON has it."""
    match value:
        case bytes():
            return hexed(value)
        case Actor():
            name = view.names.name_of(value.organisation)
            return {"organisation": value.organisation, "name": name, "key": hexed(value.key)}
        case Change():
            shown = {each.name: _shown(view, getattr(value, each.name)) for each in fields(value)}
            return {**shown, "kind": _change_name(value)}
        case tuple():
            # Rule words have 256 bits, more than a JSON number keeps.
            return [str(each) for each in value]
        case int() if value >= 1 << 53:
            return str(value)
        case _:
            return value
