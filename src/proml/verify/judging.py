"""The order of the checks, and the verdict that comes of them.

1. find what is meant;
2. check its own history (3, 4, 5, 8), then record by record what these say (1, 2, 6, 9);
3. check everything upstream in turn (6), then recalls (7);
4. what the grounds cannot vouch for takes `valid` away again.
"""

from __future__ import annotations

from collections.abc import Sequence

from proml.core.chronicle import Transition
from proml.core.digest import ZERO
from proml.core.event import spoken_of
from proml.core.lifecycle import Lifecycle
from proml.core.lineage import MAX_ARTEFACTS, lineage
from proml.core.verdict import (
    ACTORS,
    BYTES,
    FINAL,
    HEAD,
    INPUTS,
    LEGAL,
    OBSERVATIONS,
    RECALL,
    RECORDS,
    Deed,
    Finding,
    Stand,
    Verdict,
)
from proml.verify.grounds import Grounds
from proml.verify.history_checks import check_final, check_history, check_ledger_itself, check_recall
from proml.verify.inquiry import Inquiry
from proml.verify.record_checks import check_bytes, check_input_digests, check_observations, check_record
from proml.verify.records import KeptRecord, Records, names_bytes, says_the_same
from proml.verify.targets import Target, find


def judge(grounds: Grounds, records: Records, lifecycles: Sequence[Lifecycle], target: Target) -> Verdict:
    """Make every check that these grounds allow.

    Args:
        grounds: where the events come from.
        records: where records are found.
        lifecycles: those whose files are known; which of them the ledger admitted is checked.
        target: what to verify.

    Raises:
        NotFound: when nothing answers to the target.
        LedgerProblem: when the ledger cannot be asked.
    """
    aim = find(grounds, records, target)
    inquiry = Inquiry(grounds, records, lifecycles, aim.artefact)
    check_history(inquiry, aim.artefact)  # 3, 4, 5
    check_ledger_itself(inquiry)
    check_final(inquiry)  # 8
    # A copy: what is checked upstream may bring in a newer step, which this verdict then does not know.
    history = tuple(inquiry.transitions(aim.artefact))
    deeds: list[Deed] = []
    matches: dict[int, bool | None] = {}
    alike: set[int] = set()
    name = None
    for transition in history:
        kept = _check_step(inquiry, transition)  # 2, 6, 9
        match = None
        if aim.digest is not None and spoken_of(transition.step) != ZERO:
            match = matches[transition.sequence] = names_bytes(transition.step.subject, kept, aim.digest)
            if says_the_same(kept, aim.content):
                alike.add(transition.sequence)
        name = kept.fields.get("name", name) if kept else name
        deeds.append(_deed(inquiry, transition, kept is not None, match is True))
    if aim.digest is not None:
        check_bytes(inquiry, matches, alike)  # 1
    stand, good = _stand(inquiry, name), _good(inquiry, history)
    good[INPUTS] = _check_upstream(inquiry)  # 6
    check_recall(inquiry)  # 7
    for number, finding in grounds.contradictions:
        inquiry.sheet.wrong(number, finding)
    if aim.digest is not None:
        good[BYTES] = "the bytes in hand are the present ones"
    return Verdict(
        question=aim.question,
        stand=stand,
        checks=inquiry.sheet.checks(good, grounds.gaps),
        deeds=tuple(deeds),
        twins=aim.twins,
        tip=grounds.tip,
        grounds=grounds.name,
        notes=(*aim.notes, *grounds.notes, *records.faults),
    )


def _check_step(inquiry: Inquiry, transition: Transition) -> KeptRecord | None:
    kept = check_record(inquiry, transition)
    check_input_digests(inquiry, transition.step, kept)
    check_observations(inquiry, transition.step, kept)
    return kept


def _check_upstream(inquiry: Inquiry) -> str:
    """6: every artefact upstream in turn, with the records of its steps that have inputs."""
    found = lineage(inquiry.chronicle, inquiry.focus, up=True, down=False).artefacts
    if len(found) >= MAX_ARTEFACTS:
        text = f"{MAX_ARTEFACTS} artefacts upstream and more; the rest was not looked at"
        inquiry.sheet.missing(INPUTS, Finding(text))
        inquiry.sheet.missing(RECALL, Finding(text))
    for artefact in found[1:]:
        check_history(inquiry, artefact)
        for transition in inquiry.transitions(artefact):
            if transition.step.inputs:
                _check_step(inquiry, transition)
    many = len(found) - 1
    return f"{_counted(many, 'artefact')} upstream, each verified" if many else "it names no inputs"


def _good(inquiry: Inquiry, history: Sequence[Transition]) -> dict[int, str]:
    """What to say of each check that found nothing."""
    steps = _counted(len(history), "step")
    actors = len({transition.step.actor.organisation for transition in history})
    last, tip = history[-1].placed.block.number, inquiry.grounds.tip.number
    lifecycle = inquiry.lifecycle_of(inquiry.focus)
    return {
        RECORDS: f"{steps}, each with the record it committed to",
        HEAD: f"{steps}, hashed to the head that the ledger holds",
        LEGAL: f"{steps}, each legal in the lifecycle {lifecycle.kind if lifecycle else '?'}",
        ACTORS: f"{_counted(actors, 'organisation')}, each entitled when it acted",
        RECALL: "nothing it derives from was recalled",
        FINAL: f"{steps}, the last in block {last} of {tip}",
        OBSERVATIONS: "every observation named is anchored",
    }


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _deed(inquiry: Inquiry, transition: Transition, has_record: bool, bytes_match: bool) -> Deed:
    step, placed = transition.step, transition.placed
    lifecycle = inquiry.lifecycle_of(step.artefact)
    return Deed(
        sequence=step.sequence,
        action=inquiry.action_name(step.artefact, step.action),
        state=lifecycle.state_name(step.state) if lifecycle else f"state-{step.state}",
        organisation=step.actor.organisation,
        organisation_name=inquiry.organisation_name(step.actor.organisation),
        key=step.actor.key,
        block=placed.block,
        block_known=inquiry.grounds.blocks_known,
        transaction=placed.transaction,
        record=step.record,
        subject=step.subject,
        has_record=has_record,
        bytes_match=bytes_match,
    )


def _stand(inquiry: Inquiry, name: str | None) -> Stand:
    present = inquiry.chronicle.shared.artefacts[inquiry.focus]
    lifecycle = inquiry.lifecycle_of(inquiry.focus)
    return Stand(
        artefact=inquiry.focus,
        kind=lifecycle.kind if lifecycle else f"lifecycle {present.lifecycle}",
        name=name,
        state=lifecycle.state_name(present.state) if lifecycle else f"state-{present.state}",
        sequence=present.sequence,
        custodian=present.custodian,
        creator=present.creator,
        head=present.head,
    )
