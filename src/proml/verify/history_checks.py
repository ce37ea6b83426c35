"""Checks of what the ledger says: 3 (head), 4 (legal), 5 (actors), 7 (recall), 8 (final)."""

from __future__ import annotations

from proml.core.digest import hexed
from proml.core.event import Anchored, LifecycleAdmitted, Refused, Step, approvals_of, next_head
from proml.core.lineage import taints
from proml.core.recall import due
from proml.core.refusal import Reason
from proml.core.verdict import ACTORS, FINAL, HEAD, LEGAL, OBSERVATIONS, RECALL, Finding
from proml.errors import NotFound
from proml.verify.inquiry import Inquiry
from proml.verify.sheet import MAX_FINDINGS

# How much of the way from a recalled artefact is spelt out; a finding's path has all of it.
MAX_WAY = 8
# Reasons that speak of who acted (check 5); the others speak of what was done (check 4).
_ABOUT_ACTORS = frozenset(
    reason.text
    for reason in (
        Reason.UNKNOWN_KEY,
        Reason.KEY_REVOKED,
        Reason.KEY_EXPIRED,
        Reason.SCOPE_MISSING,
        Reason.ORGANISATION_REMOVED,
        Reason.ROLE_MISSING,
    )
)


def check_history(inquiry: Inquiry, artefact: bytes) -> None:
    """3, 4 and 5 of one artefact; of one upstream they count under 6."""
    # First the head: reading it may bring in steps made since, which the others then see too.
    check_head(inquiry, artefact)
    check_legal(inquiry, artefact)
    check_actors(inquiry, artefact)


def check_head(inquiry: Inquiry, artefact: bytes) -> None:
    """3: its steps, hashed one after another, give the head that the ledger holds."""
    try:
        held = inquiry.grounds.standing(artefact)
    except NotFound as missing:
        inquiry.missing(HEAD, missing.message, artefact)
        return
    head = artefact
    steps = inquiry.steps(artefact)
    for step in steps:
        head = next_head(head, step)
    if held is None:
        inquiry.wrong(HEAD, "the ledger told of its steps and holds no such artefact", artefact)
    elif head != held.head:
        text = f"{len(steps)} steps give the head {hexed(head)}, the ledger holds {hexed(held.head)}"
        inquiry.wrong(HEAD, f"{text}: steps are missing, added or altered", artefact)
    elif not inquiry.illegal(artefact) and inquiry.chronicle.shared.artefacts[artefact].word != held.word:
        inquiry.wrong(HEAD, "its steps lead to another standing than the ledger holds", artefact)


def check_legal(inquiry: Inquiry, artefact: bytes) -> None:
    """4: its lifecycle is one whose file is known, and allowed every step."""
    for placed, reason in inquiry.illegal(artefact):
        if reason not in _ABOUT_ACTORS:
            text = f"cannot have been accepted by the contracts: {reason}"
            inquiry.wrong(LEGAL, text, artefact, _step(placed.event))
    if inquiry.lifecycle_of(artefact) is not None:
        return
    number = inquiry.chronicle.shared.artefacts[artefact].lifecycle
    document = inquiry.chronicle.documents[number]
    if inquiry.knows_document(document):
        text = f"the table admitted as lifecycle {number} is not what its file {hexed(document)} says"
        inquiry.wrong(LEGAL, text, artefact)
    else:
        text = f"the file of lifecycle {number}, SHA-256 {hexed(document)}, is not known"
        inquiry.missing(LEGAL, f"{text}; its steps are legal by a table without names", artefact)


def check_actors(inquiry: Inquiry, artefact: bytes) -> None:
    """5: every actor was a member with the role, by a key neither revoked nor suspect in that block."""
    for placed, reason in inquiry.illegal(artefact):
        if reason in _ABOUT_ACTORS:
            text = f"was made by somebody who may not: {reason}"
            inquiry.wrong(ACTORS, text, artefact, _step(placed.event))
    shared = inquiry.chronicle.shared
    acted: set[int] = set()
    for transition in inquiry.transitions(artefact):
        actor, block = transition.step.actor, transition.placed.block.number
        acted.add(actor.organisation)
        key = shared.keys[actor.key]
        if key.is_suspect(block):
            # Its owner says that somebody else may have signed. Nobody can tell: no evidence either way.
            text = (
                f"is suspect: signed in block {block} by key {hexed(actor.key)}, reported as compromised "
                f"since block {key.compromised_since} and revoked in block {key.revoked}"
            )
            inquiry.missing(ACTORS, text, artefact, transition.step)
        for approval in approvals_of(transition.step):
            given = inquiry.chronicle.approved_in(transition.step, approval)
            approver = shared.keys[approval.actor.key]
            if given is not None and approver.is_suspect(given):
                text = (
                    f"relies on an approval that is suspect: given in block {given} by key "
                    f"{hexed(approval.actor.key)}, reported as compromised since block "
                    f"{approver.compromised_since}"
                )
                inquiry.missing(ACTORS, text, artefact, transition.step)
    for number in sorted(acted & set(inquiry.grounds.profiles)):
        profile = inquiry.grounds.profiles[number]
        if profile.commitment != shared.organisations[number].profile:
            text = f"organisation {number} is not {profile.name!r}: the ledger has another profile"
            inquiry.wrong(ACTORS, text, artefact)


def check_ledger_itself(inquiry: Inquiry) -> None:
    """4, 5 and 9: no event about lifecycles, members or anchors that the contracts cannot have emitted."""
    for placed, reason in inquiry.chronicle.illegal:
        event = placed.event
        if isinstance(event, Step | Refused):
            continue
        number = LEGAL if isinstance(event, LifecycleAdmitted) else ACTORS
        number = OBSERVATIONS if isinstance(event, Anchored) else number
        text = f"block {placed.block.number} tells of something impossible: {reason}"
        inquiry.sheet.wrong(number, Finding(text))


def check_recall(inquiry: Inquiry) -> None:
    """7: it is not recalled, and nothing is that it derives from."""
    focus = inquiry.focus
    recall = inquiry.chronicle.recall_of(focus)
    if recall is not None:
        who = inquiry.organisation_name(recall.step.actor.organisation)
        inquiry.wrong(RECALL, f"recalled it, by {who}", focus, recall.step)
    for taint in taints(inquiry.chronicle, focus, MAX_FINDINGS):
        recall = inquiry.chronicle.recall_of(taint.source)
        assert recall is not None
        step = recall.step
        who = inquiry.organisation_name(step.actor.organisation)
        way = " -> ".join(inquiry.called(artefact) for artefact in taint.path[:MAX_WAY])
        way += f" -> {len(taint.path) - MAX_WAY} more" if len(taint.path) > MAX_WAY else ""
        text = f"{inquiry.called(taint.source)} was recalled by {who}, and it derives from that: {way}"
        text += _acknowledged(inquiry, taint.source)
        finding = Finding(text, taint.source, step.sequence, step.actor.organisation, taint.path)
        inquiry.sheet.wrong(RECALL, finding)


def _acknowledged(inquiry: Inquiry, source: bytes) -> str:
    """Who has to acknowledge what a recall did to the focus, and whether it is known to be done."""
    owed = due(inquiry.chronicle, source, inquiry.focus)
    if owed is None:
        return ""
    who = inquiry.organisation_name(owed.organisation)
    if owed.given is not None:
        return f"; {who} acknowledged that in block {owed.given.block.number}"
    if inquiry.grounds.knows_anchors(owed.organisation):
        return f"; {who} has to acknowledge that, and has not"
    return f"; {who} has to acknowledge that"


def check_final(inquiry: Inquiry) -> None:
    """8: every step stands as deep in the chain as the ledger's terms ask."""
    grounds = inquiry.grounds
    for transition in inquiry.transitions(inquiry.focus):
        block = transition.placed.block
        if not grounds.is_final(block):
            last = block.number + grounds.terms.finality - 1
            text = f"is in block {block.number}, final from block {last}; the newest is {grounds.tip.number}"
            inquiry.missing(FINAL, text, inquiry.focus, transition.step)


def _step(event: object) -> Step | None:
    return event if isinstance(event, Step) else None
