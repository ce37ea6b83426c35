"""Comparing a project's own files with the ledger: what was altered here after it was published.

A history cannot be rewritten, but whoever owns a machine can edit what lies on it: the journal (and make
its hash chain anew), stored records and batches, the outbox. None of these is what others verify from, and
each disagrees with the ledger once it is edited. Found here are

* journal entries that are damaged, or say something else than the observations that were anchored;
* records and batches of this key that are missing in storage, or are other bytes than those published;
* steps that the outbox holds for accepted and the ledger does not have, and steps of this key that the
  ledger has and the outbox does not know.

Not looked at: journal entries that are not published yet, or were added since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proml.capture.draft import Observed, decode
from proml.capture.plain import plain
from proml.core.artefact import artefact_id
from proml.core.chronicle import Chronicle, Transition
from proml.core.digest import hexed, unhexed
from proml.core.document import canonical
from proml.core.proof import open_batch
from proml.core.record import Record
from proml.errors import JournalProblem, NotFound, RecordInvalid, StorageProblem
from proml.journal import read
from proml.node.outbox import DONE, SENT, open_outbox
from proml.node.participant import Participant

JOURNAL, STORAGE, OUTBOX = "journal", "storage", "outbox"


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something on this machine that is not what the ledger has.

    Attributes:
        where: `journal`, `storage` or `outbox`.
        text: a sentence for people.
        artefact: 32-byte id of the artefact it is about, None where it is about none.
        block: number of the block that says otherwise, 0 where there is none.
    """

    where: str
    text: str
    artefact: bytes | None = None
    block: int = 0


def compare(me: Participant) -> list[Discrepancy]:
    """Everything in journal, storage and outbox that disagrees with the ledger.

    Takes the time of reading them all.

    Raises:
        Busy: while another process publishes from this project.
        LedgerProblem: when the ledger cannot be asked.
    """
    chronicle = me.chronicle()
    key = me.address
    own = [each for history in chronicle.histories.values() for each in history if each.step.actor.key == key]
    return [
        *_in_storage(me, own),
        *_in_journal(me, chronicle, own, key),
        *_in_outbox(me, chronicle, own),
    ]


# --- storage --------------------------------------------------------------------------------


def _in_storage(me: Participant, own: list[Transition]) -> Iterator[Discrepancy]:
    for transition in own:
        yield from _stored(me, transition, transition.step.record, "record")
        for entry in _record(me, transition).get("observations", ()):
            yield from _stored(me, transition, unhexed(entry["batch"]), "observations")


def _stored(me: Participant, transition: Transition, digest: bytes, what: str) -> Iterator[Discrepancy]:
    try:
        me.storage.get(digest)
    except NotFound:
        yield _about(transition, STORAGE, f"the {what} of {{step}} {hexed(digest)}: missing")
    except StorageProblem as problem:
        yield _about(transition, STORAGE, f"the {what} of {{step}}: {problem.message}")


def _record(me: Participant, transition: Transition) -> Record:
    try:
        return me.record(transition.step.record) or {}
    except StorageProblem:
        return {}


# --- journal --------------------------------------------------------------------------------


def _in_journal(
    me: Participant, chronicle: Chronicle, own: list[Transition], key: bytes
) -> Iterator[Discrepancy]:
    problems: list[JournalProblem] = []
    observed: dict[str, list[Observed]] = {}
    for entry in read(me.config.journal, None, problems):
        try:
            draft = decode(entry.payload)
        except JournalProblem as unread:
            problems.append(unread)
            continue
        if isinstance(draft, Observed):
            observed.setdefault(draft.run, []).append(draft)
    for problem in problems:
        yield Discrepancy(JOURNAL, problem.message)
    terms = me.ledger.terms
    for run, noted in observed.items():
        artefact = artefact_id(terms.chain_id, terms.contract, key, unhexed(run))
        for transition in own:
            if transition.step.artefact == artefact:
                yield from _in_run(me, chronicle, transition, noted)


def _in_run(
    me: Participant, chronicle: Chronicle, transition: Transition, noted: list[Observed]
) -> Iterator[Discrepancy]:
    """The first observation of a run that was anchored and that the journal has not, or not so."""
    anchored: list[tuple[Mapping[str, Any], int]] = []
    for entry in _record(me, transition).get("observations", ()):
        placed = chronicle.anchor(unhexed(entry["root"]), transition.step.actor.organisation)
        try:
            batch = open_batch(me.storage.get(unhexed(entry["batch"])))
        except (NotFound, StorageProblem, RecordInvalid):
            return  # said of the storage already
        if placed is None or hexed(batch.root) != entry["root"]:
            return
        anchored += [(observation, placed.block.number) for observation in batch.observations]
    # Several processes may have logged at the same time, so their order is not compared.
    forms = [_form(each.step, each.metrics) for each in noted]
    left = Counter(map(_key, forms))
    for observation, block in anchored:
        meant = _form(observation.get("step"), observation.get("metrics", {}))
        if left[_key(meant)]:
            left[_key(meant)] -= 1
            continue
        found = next((each for each in forms if each["step"] == meant["step"]), None)
        said = f"as {_shown(found)}" if found else "nowhere"
        text = (
            f"an observation of run {hexed(transition.step.artefact)} was anchored in block {block} as "
            f"{_shown(meant)}; the journal has it {said}"
        )
        yield Discrepancy(JOURNAL, text, transition.step.artefact, block)
        return


def _form(step: int | None, metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {"step": step, "metrics": plain(dict(metrics))}


def _key(form: Mapping[str, Any]) -> bytes:
    return canonical(dict(form))


def _shown(form: Mapping[str, Any]) -> str:
    metrics = ", ".join(f"{name} {value}" for name, value in form["metrics"].items())
    return metrics if form["step"] is None else f"{metrics} at step {form['step']}"


# --- outbox ---------------------------------------------------------------------------------


def _in_outbox(me: Participant, chronicle: Chronicle, own: list[Transition]) -> Iterator[Discrepancy]:
    with open_outbox(me.config.outbox) as outbox:
        steps = {unhexed(each.call["record"]): each for each in outbox.intents() if each.what == "step"}
    for commitment, intent in steps.items():
        if intent.state == DONE and chronicle.with_record(commitment) is None:
            text = f"{intent.label!r} is held for accepted, and the ledger has no such step"
            yield Discrepancy(OUTBOX, text, intent.artefact)
    for transition in own:
        known = steps.get(transition.step.record)
        if known is None:
            yield _about(transition, OUTBOX, "{step}, made with this key, is not known here")
        elif known.state not in (DONE, SENT):
            yield _about(transition, OUTBOX, f"{{step}} is held for {known.state}")


def _about(transition: Transition, where: str, text: str) -> Discrepancy:
    step, placed = transition.step, transition.placed
    named = f"step {step.sequence} of {hexed(step.artefact)} in block {placed.block.number}"
    return Discrepancy(where, text.replace("{step}", named), step.artefact, placed.block.number)
