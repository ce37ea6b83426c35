"""Verdicts: the numbered checks of a verification and their outcome, with all that explains them.

    verdict.conclusion            valid / invalid / not enough evidence
    verdict.checks[4].reason      "5 steps by 3 organisations, each entitled when it acted"

The numbers and names of the checks never change their meaning; docs/trust.md says what each proves and
what it does not. The conclusion is

* `invalid` when any check is,
* `valid` when every check is, check 1 excepted where nobody has bytes in hand (`not applicable`),
* `equal content, other bytes` when every check is but the first, which found bytes that say the same,
* `not enough evidence` otherwise: what nobody could check is not taken for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from proml.core.digest import hexed
from proml.core.event import Block
from proml.core.proof import Proof

BYTES, RECORDS, HEAD, LEGAL, ACTORS, INPUTS, RECALL, FINAL, OBSERVATIONS = range(1, 10)
NAMES: Mapping[int, str] = {
    BYTES: "bytes match",
    RECORDS: "records match their commitments",
    HEAD: "head recomputes",
    LEGAL: "every step legal",
    ACTORS: "every actor entitled",
    INPUTS: "inputs verified",
    RECALL: "nothing recalled",
    FINAL: "final",
    OBSERVATIONS: "observations anchored",
}
# Only a verification that was not asked about bytes may go without a check.
MAY_BE_INAPPLICABLE = frozenset({BYTES})


class Outcome(StrEnum):
    """Of one check."""

    VALID = "valid"
    INVALID = "invalid"
    EQUAL_CONTENT = "equal content"
    NOT_CHECKED = "not checked"
    NOT_APPLICABLE = "not applicable"


class Conclusion(StrEnum):
    """Of a verdict."""

    VALID = "valid"
    INVALID = "invalid"
    EQUAL_CONTENT = "equal content, other bytes"
    NOT_ENOUGH_EVIDENCE = "not enough evidence"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found wrong, or could not check.

    Attributes:
        text: a sentence for people, with ids in full.
        artefact: the 32-byte id of the artefact it is about, None for the ledger as a whole.
        sequence: the step it is about, 0 for none.
        organisation: number of the organisation whose act it is, 0 for nobody's.
        path: for a recall upstream the artefacts from the recalled one to the one verified.
    """

    text: str
    artefact: bytes | None = None
    sequence: int = 0
    organisation: int = 0
    path: tuple[bytes, ...] = ()

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "text": self.text,
            "artefact": hexed(self.artefact) if self.artefact is not None else None,
            "sequence": self.sequence or None,
            "organisation": self.organisation or None,
            "path": [hexed(artefact) for artefact in self.path],
        }


@dataclass(frozen=True, slots=True)
class Check:
    """One numbered check.

    Attributes:
        number: 1 to 9.
        outcome: what came of it.
        reason: one sentence; for anything but `valid` the first finding.
        findings: what is wrong, then what could not be checked; at most 20 of each.
        more: how many further findings were counted and not kept.
    """

    number: int
    outcome: Outcome
    reason: str
    findings: tuple[Finding, ...] = ()
    more: int = 0

    @property
    def name(self) -> str:
        """What the check is called."""
        return NAMES[self.number]

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "number": self.number,
            "name": self.name,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "findings": [finding.document() for finding in self.findings],
            "more": self.more,
        }


@dataclass(frozen=True, slots=True)
class Deed:
    """One step of the history as the verdict shows it.

    Attributes:
        sequence: which step, from 1.
        action, state: names, or `action-N` and `state-N` where the lifecycle's file is not known.
        organisation: number of the acting organisation.
        organisation_name: its name, or `organisation N`.
        key: 20-byte address that signed.
        block: where it stands in the chain.
        block_known: whether that is the ledger's answer, not the word of an evidence file.
        transaction: 32-byte hash.
        record, subject: 32 bytes each; a subject of zeros is none.
        has_record: whether the record could be had and belongs to its commitment.
        bytes_match: whether the bytes in hand are this step's subject.
    """

    sequence: int
    action: str
    state: str
    organisation: int
    organisation_name: str
    key: bytes
    block: Block
    block_known: bool
    transaction: bytes
    record: bytes
    subject: bytes
    has_record: bool
    bytes_match: bool

    @property
    def when(self) -> str:
        """All that is known of its time."""
        return not_after(self.block) if self.block_known else f"as the file says, {not_after(self.block)}"

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "sequence": self.sequence,
            "action": self.action,
            "state": self.state,
            "organisation": self.organisation,
            "organisation_name": self.organisation_name,
            "key": hexed(self.key),
            "block": block_document(self.block),
            "block_known": self.block_known,
            "when": self.when,
            "transaction": hexed(self.transaction),
            "record": hexed(self.record),
            "subject": hexed(self.subject),
            "has_record": self.has_record,
            "bytes_match": self.bytes_match,
        }


@dataclass(frozen=True, slots=True)
class Twin:
    """Another artefact that names the same bytes.

    Attributes:
        artefact: 32-byte id.
        organisation: who registered it.
        registered: in which block.
        present: whether the bytes are its present ones, not those of an earlier step.
        recalled: whether it stands recalled.
    """

    artefact: bytes
    organisation: int
    registered: Block
    present: bool
    recalled: bool

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "artefact": hexed(self.artefact),
            "organisation": self.organisation,
            "registered": block_document(self.registered),
            "present": self.present,
            "recalled": self.recalled,
        }


@dataclass(frozen=True, slots=True)
class Stand:
    """What artefact a verdict is about, and where it stands.

    Attributes:
        artefact: 32-byte id.
        kind: for example `model`, or `lifecycle N` where its file is not known.
        name: as the newest record that can be had calls it, None when none does.
        state: name of its state.
        sequence: how many steps it has made.
        custodian, creator: organisation numbers.
        head: 32 bytes over its complete history.
    """

    artefact: bytes
    kind: str
    name: str | None
    state: str
    sequence: int
    custodian: int
    creator: int
    head: bytes

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "artefact": hexed(self.artefact),
            "kind": self.kind,
            "name": self.name,
            "state": self.state,
            "sequence": self.sequence,
            "custodian": self.custodian,
            "creator": self.creator,
            "head": hexed(self.head),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one verification.

    Attributes:
        question: what was asked, in words.
        stand: the artefact it is about.
        checks: all nine, in order.
        deeds: its steps, oldest first.
        twins: other artefacts that name the bytes in hand.
        tip: the newest block that was known; nothing later is in the verdict.
        grounds: `ledger`, or `evidence file 0x…` with the SHA-256 of the file.
        notes: what changes no outcome and people should know.
        singles: observations that were proven by themselves, each under a batch that check 9 is about.
    """

    question: str
    stand: Stand
    checks: tuple[Check, ...]
    deeds: tuple[Deed, ...]
    twins: tuple[Twin, ...]
    tip: Block
    grounds: str
    notes: tuple[str, ...] = ()
    singles: tuple[Proof, ...] = ()

    @property
    def conclusion(self) -> Conclusion:
        """The one word; see the module's text."""
        if any(check.outcome is Outcome.INVALID for check in self.checks):
            return Conclusion.INVALID
        if {check.number for check in self.checks} == set(NAMES) and all(map(_does_not_spoil, self.checks)):
            equal = any(check.outcome is Outcome.EQUAL_CONTENT for check in self.checks)
            return Conclusion.EQUAL_CONTENT if equal else Conclusion.VALID
        return Conclusion.NOT_ENOUGH_EVIDENCE

    def check(self, number: int) -> Check:
        """The check of that number, 1 to 9."""
        return next(check for check in self.checks if check.number == number)

    def document(self) -> dict[str, Any]:
        """As a JSON object, for `--json`; digests, ids and keys as `0x` and digits."""
        return {
            "type": "proml/verdict",
            "version": 1,
            "conclusion": self.conclusion.value,
            "question": self.question,
            "grounds": self.grounds,
            "tip": block_document(self.tip),
            "artefact": self.stand.document(),
            "checks": [check.document() for check in self.checks],
            "steps": [deed.document() for deed in self.deeds],
            "twins": [twin.document() for twin in self.twins],
            "notes": list(self.notes),
            "observations": [single.document() for single in self.singles],
        }


def _does_not_spoil(check: Check) -> bool:
    if check.outcome is Outcome.NOT_APPLICABLE:
        return check.number in MAY_BE_INAPPLICABLE
    if check.outcome is Outcome.EQUAL_CONTENT:
        return check.number == BYTES
    return check.outcome is Outcome.VALID


def not_after(block: Block) -> str:
    """What being in a block proves of the time of something: `not after block 12 (2026-01-05 09:30:00 UTC)`.

    The time is the sealer's word. Nothing is said of how long before.
    """
    try:
        time = f"{datetime.fromtimestamp(block.time, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):  # a year beyond 9999
        time = f"{block.time} seconds after 1970"
    return f"not after block {block.number} ({time})"


def block_document(block: Block) -> dict[str, Any]:
    """A block as a JSON object."""
    return {"number": block.number, "hash": hexed(block.hash), "time": block.time}
