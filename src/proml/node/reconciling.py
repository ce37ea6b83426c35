"""Reconciling: what a key did that the outbox knows nothing of, being an older copy or not the only one.

A key counts its transactions. When the ledger has counted further than the outbox, somebody else used the
key, or the outbox was restored from a backup. Publishing on would do again what was done. So that is
refused until somebody says that it shall be taken over: then every step and anchor the key made is
written into the outbox as done, and their records tell again which bytes belong to which artefact.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from proml.core.chronicle import Chronicle, Transition
from proml.core.digest import hexed, unhexed
from proml.core.record import Record, open_sealed
from proml.errors import NotFound, RecordInvalid, StorageProblem
from proml.interfaces import Storage
from proml.node.batching import ANCHOR, STEP, name_of
from proml.node.outbox import DONE, Outbox
from proml.node.view import LedgerView


def reconcile(outbox: Outbox, storage: Storage, view: LedgerView, mined: int, take_over: bool) -> None:
    """Compare what the key did with what the outbox knows, and take over what it does not if told to.

    Transactions that did nothing here, those of a deployment for one, need no answer.

    Args:
        outbox: learns what the ledger has.
        storage: whose records tell which bytes a step spoke of.
        view: the ledger as the key sees it.
        mined: how many transactions of the key are in blocks.
        take_over: whether to take over, or to refuse.

    Raises:
        StorageProblem: when there is something to take over, and nobody said so.
    """
    known = {name_of(intent) for intent in outbox.intents() if intent.what in (STEP, ANCHOR)}
    steps = [each for each in _steps(view.chronicle, view.key) if each.step.record not in known]
    anchors = [root for root, _ in view.chronicle.anchors_by(view.key) if root not in known]
    if (steps or anchors) and not take_over:
        count, name = len(steps) + len(anchors), hexed(view.key)
        if not outbox.cursors() and not known:
            what = f"the outbox is empty, but the key {name} has made {mined} transactions"
        else:
            what = f"the ledger has {count} items made with the key {name} that this outbox does not know"
        raise StorageProblem(
            what,
            "put the newest copy of the outbox back; where there is none, or the key was used elsewhere, "
            "`proml push --reconcile` takes them over",
        )
    with outbox.together():
        for transition in steps:
            _take_over(outbox, storage, transition)
        for root in anchors:
            number = outbox.add_intent(ANCHOR, "anchor found on the ledger", root, {}, time.time())
            outbox.settle_intent(number, DONE)
        outbox.set_nonces_elsewhere(view.key, mined)


def _take_over(outbox: Outbox, storage: Storage, transition: Transition) -> None:
    step = transition.step
    label, record = "step found on the ledger", _record(storage, step.record)
    if record:
        label = " ".join(filter(None, (record["action"], record["kind"], record.get("name"))))
    call = {
        "record": hexed(step.record),
        "sequence": transition.sequence,
        "lifecycle": 0,
        "inputs": [],
        # What tells a journal entry that comes again from a new one.
        "found": [record.get("action"), record.get("activity", {}).get("end")],
    }
    number = outbox.add_intent(STEP, label, step.artefact, call, time.time())
    outbox.settle_intent(number, DONE)
    if record.get("subject"):
        outbox.add_known(unhexed(record["subject"]["sha256"]), step.artefact, transition.sequence)


def _record(storage: Storage, commitment: bytes) -> Record:
    try:
        return open_sealed(storage.get(commitment)).record
    except (NotFound, RecordInvalid, StorageProblem):
        return {}


def _steps(chronicle: Chronicle, key: bytes) -> Iterator[Transition]:
    for history in chronicle.histories.values():
        yield from (each for each in history if each.step.actor.key == key)
