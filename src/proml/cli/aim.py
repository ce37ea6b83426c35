"""What a command checks: bytes in hand or an artefact, against the ledger or an evidence file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from proml.capture.fingerprint import fingerprint
from proml.cli.terminal import Progress
from proml.core.content import Content
from proml.core.digest import unhexed
from proml.core.verdict import Verdict
from proml.errors import NotFound, ProjectMissing, ProMLError, RecordInvalid, UsageProblem
from proml.lifecycles import supplied
from proml.node.participant import Participant
from proml.node.targets import artefact_meant
from proml.trust import LedgerFile, read_ledger_file
from proml.verify import ByDigest, ById, LedgerGrounds, Pins, Target, check_evidence
from proml.verify.evidence import MAX_BYTES as MAX_EVIDENCE_BYTES

Evidence = Annotated[
    Path | None,
    typer.Option(
        "--evidence", "-e", metavar="FILE", help="Check against this evidence file, without a node."
    ),
]
Trusted = Annotated[
    Path | None, typer.Option("--ledger", metavar="FILE", help="With --evidence: the ledger file you trust.")
]
Block = Annotated[
    str | None, typer.Option("--block", metavar="HASH", help="With --evidence: hash of a block you trust.")
]

# An evidence file begins like this (docs/evidence-format.md), so it need not be announced.
EVIDENCE_BEGINS = b'{"digest":"0x'
# SHA-256 of bytes in hand, and what they say where that is known of their format.
Held = tuple[bytes, Content | None]


def verify_offline(held: Held | None, evidence: Path, ledger: Path | None, block: str | None) -> Verdict:
    """Check an evidence file with what is pinned: a ledger file given, else the project's, if any."""
    me = own_project()
    pinned = read_ledger_file(ledger) if ledger else _own_ledger_file(me)
    try:
        trusted = unhexed(block) if block else None
    except RecordInvalid as error:
        raise UsageProblem(f"--block {error.message}") from None
    pins = Pins(pinned.terms, trusted, pinned.profiles) if pinned else Pins(block=trusted)
    digest, said = held or (None, None)
    return check_evidence(evidence_content(evidence), pins, me.lifecycles if me else supplied(), digest, said)


def own_project() -> Participant | None:
    """The project here, None where there is none."""
    try:
        return Participant.open()
    except ProjectMissing:  # the file is then checked on its own
        return None


def _own_ledger_file(me: Participant | None) -> LedgerFile | None:
    try:
        return me.ledger_file if me else None
    except ProMLError:  # none, or one that cannot be read
        return None


def held_of(target: str, progress: Progress | None) -> Held:
    """The digests of bytes in hand."""
    found = fingerprint(Path(target), progress)
    return found.sha256, found.content


def is_evidence(path: Path) -> bool:
    """Whether there is a file that begins as evidence files do."""
    try:
        if not path.is_file():
            return False  # opening a pipe would wait for whoever writes to it
        with path.open("rb") as file:
            return file.read(len(EVIDENCE_BEGINS)) == EVIDENCE_BEGINS
    except OSError:
        return False


def evidence_content(path: Path) -> bytes:
    """The bytes of an evidence file, up to one more than any may have."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_EVIDENCE_BYTES + 1)
    except OSError as error:
        raise NotFound(f"the evidence file {path} cannot be read: {error.strerror}") from error


def aim(me: Participant, grounds: LedgerGrounds, target: str, artefact: str | None) -> Target:
    """Bytes in hand by their digest, anything else by the artefact it means."""
    held = held_of(target, me.progress) if os.path.lexists(target) else None
    if artefact is not None:
        if held is None:
            raise UsageProblem("--as says which artefact a file must be", "name a file or folder to verify")
        return ById(artefact_meant(me, grounds.chronicle, artefact), *held)
    return ByDigest(*held) if held else ById(artefact_meant(me, grounds.chronicle, target))
