"""Keeping: who an artefact is with, handed over by both; and disputes about it, on the record.

    offer(seller, artefact, "Acme Clinic")      seller.push()
    accept(clinic, artefact)                    clinic.push()     # now it is with the clinic
    contest(auditor, artefact, "half of the labels are machine-made")
    answer(clinic, artefact, "see the amended record")
    settle(auditor, artefact, "the labels were redone")

Each is noted in the journal; `push` takes it to the ledger. What the ledger as it stands now would refuse is
refused at once.
"""

from __future__ import annotations

import time
from dataclasses import replace

from proml.capture.draft import Reference, StepAsked
from proml.core.call import Call, StepCall
from proml.core.digest import ZERO, hexed, word
from proml.core.lifecycle import Alike
from proml.core.refusal import Reason
from proml.errors import NotFound, StepRefused
from proml.node.government import Government
from proml.node.participant import Participant

# Stands for a record that is yet to be sealed.
_SOME_RECORD = b"\x01" * 32
_VERBS = {
    Alike.OFFER_CUSTODY: "offer custody of",
    Alike.ACCEPT_CUSTODY: "accept custody of",
    Alike.CONTEST: "contest",
    Alike.ANSWER: "answer the dispute about",
    Alike.SETTLE: "settle the dispute about",
}


def offer(me: Participant, artefact: bytes, member: str, text: str = "") -> None:
    """Offer custody of an artefact (32-byte id) to a member by its name or number.

    Raises:
        StepRefused: when we are not its custodian.
        NotFound: when there is no such member or artefact.
    """
    number = Government(me).member(member)
    _note(me, artefact, Alike.OFFER_CUSTODY, text, number)


def withdraw(me: Participant, artefact: bytes, text: str = "") -> None:
    """Withdraw an offer that was not accepted yet; raises as `offer`."""
    _note(me, artefact, Alike.OFFER_CUSTODY, text, 0)


def accept(me: Participant, artefact: bytes, text: str = "") -> None:
    """Accept custody: from then on the artefact is with us.

    Raises:
        StepRefused: when it was not offered to us.
        NotFound: when there is no such artefact.
    """
    _note(me, artefact, Alike.ACCEPT_CUSTODY, text)


def contest(me: Participant, artefact: bytes, text: str, amends: bytes | None = None) -> None:
    """Contest an artefact, for everybody to see; it stops nothing.

    `amends` is the commitment of a record of its history that the contest corrects, 32 bytes.

    Raises:
        StepRefused: when it is contested already.
        NotFound: when there is no such artefact.
    """
    _note(me, artefact, Alike.CONTEST, text, amends=amends)


def answer(me: Participant, artefact: bytes, text: str) -> None:
    """Answer a dispute, as the custodian.

    Raises:
        StepRefused: when it is not contested, or not with us.
        NotFound: when there is no such artefact.
    """
    _note(me, artefact, Alike.ANSWER, text)


def settle(me: Participant, artefact: bytes, text: str) -> None:
    """End a dispute: whoever contested may, or an auditor that is not the custodian.

    Raises:
        StepRefused: when it is not contested, or we may not.
        NotFound: when there is no such artefact.
    """
    _note(me, artefact, Alike.SETTLE, text)


def _note(
    me: Participant,
    artefact: bytes,
    action: Alike,
    text: str,
    offered: int | None = None,
    amends: bytes | None = None,
) -> None:
    chronicle = me.chronicle()
    standing = chronicle.shared.artefacts.get(artefact)
    if standing is None:
        raise NotFound(f"no artefact {hexed(artefact)} on the ledger", "`proml log` lists what there is")
    title, name = me.title(chronicle, artefact), me.name_of
    hints = {
        Reason.NOT_CUSTODIAN: f"it is with {name(standing.custodian)}",
        Reason.NOT_OFFERED: f"{name(standing.custodian)} has to offer it to you: `proml custody offer`",
        Reason.DISPUTED_ALREADY: f"{name(standing.contester)} does; one dispute at a time",
        Reason.NOT_YOUR_DISPUTE: f"{name(standing.contester)} may, or an auditor that is not the custodian",
    }
    caller = Call(me.address, me.ledger.head().number + 1)
    subject = ZERO if offered is None else word(offered)
    asked = StepCall(artefact, 0, action, standing.sequence + 1, _SOME_RECORD, subject)
    outcome = chronicle.shared.step(caller, asked)
    verb = action.name.lower()
    if isinstance(outcome, Reason):
        raise StepRefused(f"{_VERBS[action]} {title}", outcome.text, hints.get(outcome, outcome.hint))
    claims = {"text": text} if text else {}
    reference = Reference(artefact=hexed(artefact))
    draft = StepAsked("artefact", verb, time.time(), reference=reference, claims=claims, offered=offered)
    me.note(replace(draft, amends=hexed(amends) if amends else None))
