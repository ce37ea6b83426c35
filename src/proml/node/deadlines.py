"""What is abandoned, as far as the plans are here: a deadline stands in a record."""

from __future__ import annotations

from datetime import datetime

from proml.core.chronicle import Chronicle
from proml.core.deadline import deadline_in
from proml.node.participant import Participant


def abandoned(me: Participant, chronicle: Chronicle) -> dict[bytes, datetime]:
    """Ids of what is open beyond its deadline by the time of the newest block, with the deadline.

    Of an artefact whose first record is elsewhere nothing is known, and it is not among them.

    Raises:
        LedgerProblem: when the ledger cannot be asked for its newest block.
    """
    now = me.ledger.head().time
    found = {}
    for artefact in chronicle.histories:
        deadline = deadline_of(me, chronicle, artefact) if chronicle.is_open(artefact) else None
        if deadline is not None and now > deadline.timestamp():
            found[artefact] = deadline
    return found


def deadline_of(me: Participant, chronicle: Chronicle, artefact: bytes) -> datetime | None:
    """The deadline that an artefact's plan names; None where it names none, or is elsewhere."""
    plan = me.record(chronicle.histories[artefact][0].step.record)
    return deadline_in(plan) if plan else None
