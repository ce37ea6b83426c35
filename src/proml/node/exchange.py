"""Exchange between participants: evidence files that one makes and another takes records over from."""

from __future__ import annotations

from dataclasses import replace

from proml.core.digest import sha256, unhexed
from proml.core.record import SealedRecord
from proml.errors import NotFound, StorageProblem, WrongLedger
from proml.ledger.evm import EvmLedger
from proml.node.outbox import open_outbox
from proml.node.participant import Participant
from proml.verify import Evidence, LedgerGrounds, Showing, make_evidence, read_ledger


def evidence_of(me: Participant, artefact: bytes, showing: Showing) -> Evidence:
    """Everything a verdict about an artefact rests on, for one file (docs/evidence-format.md).

    Where the ledger is a chain the state proof is added, so that whoever pins a block's hash needs no
    node.

    Raises:
        NotFound: when the ledger has no such artefact.
        RecordInvalid: when its lineage is too large for a file.
    """
    return evidence_on(read_ledger(me.ledger, me.ledger_file.profiles), me, artefact, showing)


def evidence_on(grounds: LedgerGrounds, me: Participant, artefact: bytes, showing: Showing) -> Evidence:
    """The same on grounds that were read already."""
    if isinstance(me.ledger, EvmLedger):
        showing = replace(showing, prover=me.ledger.prove)
    return make_evidence(grounds, [me.storage], me.lifecycles, artefact, showing)


def receive(me: Participant, evidence: Evidence) -> int:
    """Take over the whole records and the observations of an evidence file; returns how many were new.

    Only what the ledger has a commitment to is kept, so nothing false gets in. A record of which the file
    shows some fields only cannot be kept.

    Raises:
        WrongLedger: when the file speaks of another ledger.
        Busy: while this project publishes.
    """
    if evidence.terms != me.ledger_file.terms:
        raise WrongLedger(
            "the evidence speaks of another ledger than this project's", "is it the right file?"
        )
    chronicle = me.chronicle()
    new = 0
    with open_outbox(me.config.outbox) as outbox, outbox.together():
        for sealed in evidence.records:
            transition = chronicle.with_record(sealed.commitment)
            if not isinstance(sealed, SealedRecord) or transition is None:
                continue
            new += _keep(me, sealed.commitment, sealed.content)
            subject = sealed.record.get("subject")
            if subject:
                digest = unhexed(subject["sha256"])
                outbox.add_known(digest, transition.step.artefact, transition.sequence)
        for batch in evidence.batches:
            new += _keep(me, sha256(batch.content), batch.content)
    return new


def _keep(me: Participant, digest: bytes, content: bytes) -> bool:
    try:
        me.storage.get(digest)
    except (NotFound, StorageProblem):  # none, or other bytes, which then give way
        me.storage.put(digest, content)
        return True
    return False
