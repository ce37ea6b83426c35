"""The audit report of one artefact: its history and ancestry, its verdict, and how to check it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from proml import __version__
from proml.core.chronicle import Chronicle
from proml.core.consortium import role_names
from proml.core.digest import hexed
from proml.core.lineage import lineage, taints
from proml.core.verdict import Verdict
from proml.export.reading import Names, lineage_view, timeline_view
from proml.export.report import verdict_view
from proml.export.report_view import (
    Command,
    LedgerView,
    LifecycleFigure,
    LineageFigure,
    Member,
    Report,
)
from proml.export.view import Timeline
from proml.node.deadlines import abandoned
from proml.node.participant import Participant

# A report is for reading: of more steps it has the newest.
MOST_STEPS = 500
MOST_ABANDONED = 20
LIMIT = (
    "What ProML does not see: wrong facts that were recorded honestly. It shows who stated what, when, and "
    "after whom, and that nothing of it was changed since."
)


def report_of(me: Participant, chronicle: Chronicle, verdict: Verdict) -> Report:
    """The report of the artefact that the verdict is about; it claims no more than the verdict does."""
    artefact = verdict.stand.artefact
    lifecycles = {
        number: each
        for number, document in chronicle.documents.items()
        for each in me.lifecycles
        if each.table.document == document
    }
    left_open = abandoned(me, chronicle)
    names = Names(lifecycles, me.name_of, me.names(chronicle), frozenset(left_open))
    made_from = lineage(chronicle, artefact, down=False)
    view = lineage_view(chronicle, made_from, names)
    timeline = _timeline(timeline_view(chronicle, names), {hexed(each) for each in made_from.artefacts})
    standing = chronicle.shared.artefacts[artefact]
    lifecycle = lifecycles.get(standing.lifecycle)
    title = verdict.stand.name or hexed(artefact)[2:10]
    return Report(
        title=f"{verdict.stand.kind.capitalize()} {title}",
        lead=f"It stands at {verdict.stand.state.replace('_', ' ')}, with {me.name_of(standing.custodian)}. "
        "What it was made from, who did what, and what could be verified of it.",
        made=int(time.time()),
        program=f"ProML {__version__}",
        ledger=_ledger(me, verdict),
        timeline=timeline,
        members=_members(me, chronicle),
        lineages=(LineageFigure("What it was made from", "", view),),
        verdicts=(verdict_view(title, verdict, me.name_of),),
        lifecycles=(LifecycleFigure(lifecycle, standing.state, lifecycle.about),) if lifecycle else (),
        commands=(
            Command(f"proml verify {hexed(artefact)}", "the same nine checks on a machine of yours"),
            Command(
                f"proml evidence {hexed(artefact)} -o artefact.evidence",
                "one file from which anybody has the verdict without a node",
            ),
        ),
        artefacts=len(made_from.artefacts),
        tainted=sum(bool(taints(chronicle, each, 1)) for each in made_from.artefacts),
        notes=(LIMIT, *_left_open(me, chronicle, left_open)),
    )


def _left_open(me: Participant, chronicle: Chronicle, left_open: Mapping[bytes, datetime]) -> list[str]:
    """What nobody closed in time. An open run does not tell yet what it read, so all that is known here."""
    told = [
        f"Abandoned: {me.title(chronicle, each)} is open beyond its deadline, "
        f"{deadline:%Y-%m-%d %H:%M:%S} UTC."
        for each, deadline in left_open.items()
    ]
    more = len(told) - MOST_ABANDONED
    return [*told[:MOST_ABANDONED], *([f"Abandoned: {more:,} more."] if more > 0 else [])]


def _timeline(whole: Timeline, artefacts: set[str]) -> Timeline:
    steps = tuple(step for step in whole.steps if step.artefact in artefacts)[-MOST_STEPS:]
    present = {step.organisation for step in steps}
    return Timeline(tuple(name for name in whole.organisations if name in present), steps)


def _ledger(me: Participant, verdict: Verdict) -> LedgerView:
    file = me.ledger_file
    terms = file.terms
    return LedgerView(
        how="embedded chain" if file.reach == "embedded" else "chain of its members",
        chain_id=terms.chain_id,
        genesis=hexed(terms.genesis),
        contract=hexed(terms.contract),
        code=hexed(terms.code),
        finality=terms.finality,
        tip=verdict.tip.number,
    )


def _members(me: Participant, chronicle: Chronicle) -> tuple[Member, ...]:
    first: dict[int, bytes] = {}
    for address, key in chronicle.shared.keys.items():
        first.setdefault(key.organisation, address)
    return tuple(
        Member(number, me.name_of(number), role_names(each.roles), hexed(first[number]))
        for number, each in chronicle.shared.organisations.items()
        if number in first and not each.removed
    )
