"""The steps that every lifecycle has alike: handing an artefact over, contesting it, answering, settling.

They keep the state. Their numbers lie above those that lifecycles may use, and lifecycles give none of their
own actions these names. The order of the checks is that of contracts/custody.vy.

Example: the developer's organisation (3) offers a model with subject `word(6)`; organisation 6 accepts and
is the custodian from then on. Organisation 7 contests it, 6 answers, 7 settles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from proml.core.artefact import Artefact
from proml.core.call import StepCall
from proml.core.consortium import ROLES, Organisation
from proml.core.lifecycle import Alike
from proml.core.refusal import Reason

AUDITOR = 1 << ROLES.index("auditor")
_OF_DISPUTES = (Alike.CONTEST, Alike.ANSWER, Alike.SETTLE)


def taken(
    present: Artefact,
    asked: StepCall,
    who: Organisation,
    keeps: bool,
    is_member: Callable[[int], bool],
) -> Reason | Artefact:
    """The standing after such a step, sequence and head not yet raised, or why it is refused.

    Args:
        present: where the artefact stands.
        asked: the step; its action is one of `Alike`. The subject of an offer is the number of the
            organisation as 32 bytes, zero to withdraw; other subjects are not looked at.
        who: the organisation that takes it.
        keeps: whether that is the artefact's custodian, or stands in for it.
        is_member: whether an organisation of that number is a member.
    """
    if asked.action in _OF_DISPUTES:
        return _disputed(present, Alike(asked.action), who, keeps)
    if asked.action == Alike.ACCEPT_CUSTODY:
        if present.offered != who.number:
            return Reason.NOT_OFFERED
        return replace(present, custodian=who.number, offered=0)
    invited = int.from_bytes(asked.subject, "big")
    if not keeps:
        return Reason.NOT_CUSTODIAN
    if invited and not is_member(invited):
        return Reason.NOT_A_MEMBER
    return replace(present, offered=invited)


def _disputed(present: Artefact, action: Alike, who: Organisation, keeps: bool) -> Reason | Artefact:
    if action == Alike.CONTEST:
        return Reason.DISPUTED_ALREADY if present.contester else replace(present, contester=who.number)
    if not present.contester:
        return Reason.NOT_DISPUTED
    if action == Alike.ANSWER:
        return present if keeps else Reason.NOT_CUSTODIAN
    if present.contester != who.number and (keeps or not who.roles & AUDITOR):
        return Reason.NOT_YOUR_DISPUTE
    return replace(present, contester=0)
