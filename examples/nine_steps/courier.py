"""What organisations send each other besides the artefacts: evidence files, with the records of a history.

The ledger has commitments only. Whoever shall verify more than the order of steps needs the records, and gets
them from those who wrote them or hold them; nothing in such a file has to be believed.
"""

from __future__ import annotations

from pathlib import Path

from organisations import Organisation

from proml.core.verdict import Verdict
from proml.node.exchange import evidence_of, receive
from proml.verify import Evidence, Pins, Showing, check_evidence, enough, read_evidence


def send_records(sender: Organisation, receiver: Organisation, artefact: bytes, name: str) -> None:
    """Send what the sender has of an artefact and all it derives from, whole; the receiver keeps it."""
    made = evidence_of(sender.participant, artefact, Showing(batches=True))
    received = _sent(sender, receiver, made, name)
    receive(receiver.participant, read_evidence(received.read_bytes()))


def send_proof(sender: Organisation, receiver: Organisation, artefact: bytes, name: str) -> Path:
    """Send what checks need, and names, and nothing else: no parameters, no measurements, no environment.

    Returns:
        The evidence file as it lies in the receiver's folder.
    """
    showing = Showing(choice=lambda record: [*enough(record), "name"])
    return _sent(sender, receiver, evidence_of(sender.participant, artefact, showing), name)


def check_offline(who: Organisation, file: Path, digest: bytes) -> Verdict:
    """Verify bytes in hand by an evidence file; a node is asked for the hash of one block and no more.

    Pinned are that hash, and out of the organisation's own ledger file the terms and the members.
    """
    content = file.read_bytes()
    me = who.participant
    block = me.ledger.block(read_evidence(content).tip.number)
    pins = Pins(me.ledger_file.terms, block.hash if block else None, me.ledger_file.profiles)
    return check_evidence(content, pins, me.lifecycles, digest)


def _sent(sender: Organisation, receiver: Organisation, made: Evidence, name: str) -> Path:
    file = sender.folder / "sent" / f"{name}.evidence"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(made.content)
    return receiver.receive(file, f"received/{sender.part.folder}/{file.name}")
