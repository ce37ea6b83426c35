"""What waits for an organisation: steps and approvals that others made possible, proposals to vote for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import and_, or_, select

from proml.core.artefact import Artefact
from proml.core.consortium import SCOPES
from proml.core.lifecycle import Rule, Table
from proml.errors import NotFound
from proml.node.index import schema
from proml.node.index.applying import standing_of
from proml.node.index.deciding import proposals
from proml.node.index.opening import View
from proml.node.index.reading import artefacts
from proml.node.index.rows import Waiting

# Artefacts looked at, those that changed last.
LOOKED_AT = 2_000


def waiting_for(view: View, organisation: int, most: int = 100) -> list[Waiting]:
    """What an organisation can do next that others made possible: proposals first, then what changed last.

    A step counts when it leads to another state, neither terminal nor recalled, and another organisation
    made the last one; among the 2,000 artefacts that changed last. Whether anybody wants it done, nobody
    can know.

    Raises:
        NotFound: when there is no such organisation.
    """
    if organisation not in view.consortium.shared.organisations:
        raise NotFound(f"there is no organisation {organisation}")
    return list(islice((*_decisions(view, organisation), *_steps(view, organisation)), most))


def _decisions(view: View, organisation: int) -> Iterator[Waiting]:
    shared = view.consortium.shared
    keys = (key for key in shared.keys.values() if key.organisation == organisation)
    may = any(key.scope & SCOPES["govern"] and key.refusal(view.head.number + 1) is None for key in keys)
    if not may or shared.organisations[organisation].removed:
        return
    for row in proposals(view):
        spoke = any(voter.number == organisation for voter in row.voters)
        if row.state == "passed" and row.executable <= view.head.number + 1:
            yield Waiting("execution", ("execute",), proposal=row)
        elif row.state == "open" and not spoke:
            yield Waiting("vote", ("vote",), proposal=row)


def _steps(view: View, organisation: int) -> Iterator[Waiting]:
    shared, table, step = view.consortium.shared, schema.artefact, schema.step
    member = shared.organisations[organisation]
    concerned = [
        and_(table.c.lifecycle == number, table.c.state == state)
        for number, lifecycle in shared.tables.items()
        for state in {rule.state for rule in lifecycle.rules if _concerns(lifecycle, rule, member.roles)}
    ]
    if not concerned or member.removed:
        return
    newest = (
        select(table, step.c.organisation)
        .join(step, step.c.place == table.c.changed)
        .where(or_(*concerned))
        .order_by(table.c.changed.desc())
        .limit(LOOKED_AT)
    )
    open_to = dict[int, tuple[tuple[str, ...], tuple[str, ...]]]()
    for row in view.connection.execute(newest):
        standing = standing_of(row.id, row)
        own = row.organisation == organisation
        actions, approvals = _open(view, standing, organisation, own)
        if actions or approvals:
            open_to[row.place] = actions, approvals
    approved = _approved(view, organisation, list(open_to))
    for place, found in artefacts(view, list(open_to)).items():
        actions, approvals = open_to[place]
        given = approved.get((place, found.sequence + 1), set())
        asked = tuple(name for name in approvals if name not in given)
        if actions:
            yield Waiting("step", actions, artefact=found)
        if asked:
            yield Waiting("approval", asked, artefact=found)


def _concerns(lifecycle: Table, rule: Rule, roles: int) -> bool:
    """Whether a rule leads on, and somebody with these roles has a part in it."""
    onwards = (
        rule.following != rule.state and not rule.recall and not lifecycle.terminal >> rule.following & 1
    )
    return bool(rule.state and onwards and roles & (rule.roles | rule.approver_roles))


def _open(
    view: View, standing: Artefact, organisation: int, own: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the actions that it may take, and of those that it may approve."""
    shared = view.consortium.shared
    lifecycle, roles = shared.tables[standing.lifecycle], shared.organisations[organisation].roles
    duties = shared.duties(standing, organisation)
    actions, approvals = list[str](), list[str]()
    for rule in lifecycle.rules:
        if rule.state != standing.state or not _concerns(lifecycle, rule, roles):
            continue
        name = view.names.action(standing.lifecycle, rule.action)
        held = not rule.custodian or standing.custodian == organisation
        if not own and rule.roles & roles and not rule.differs & duties and held:
            actions.append(name)
        if rule.approvals and rule.approver_roles & roles and not rule.approver_differs & duties:
            approvals.append(name)
    return tuple(actions), tuple(approvals)


def _approved(view: View, organisation: int, places: list[int]) -> dict[tuple[int, int], set[str]]:
    """Names of the actions it approved already, by the artefact's place and the step's sequence."""
    table, artefact = schema.approval, schema.artefact
    asked = (
        select(table.c.artefact, table.c.sequence, table.c.action, artefact.c.lifecycle)
        .join(artefact, artefact.c.place == table.c.artefact)
        .where(table.c.organisation == organisation, table.c.artefact.in_(places))
    )
    found: dict[tuple[int, int], set[str]] = {}
    for row in view.connection.execute(asked):
        found.setdefault((row.artefact, row.sequence), set()).add(
            view.names.action(row.lifecycle, row.action)
        )
    return found
