"""Sealing: drafts from the journal become records, commitments and intents for the ledger.

What is not known while a script runs is filled in here: the artefact's id, the sequence each step will
get, and which artefact and sequence the bytes that were used belong to.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proml.capture.draft import Reference, Subject
from proml.capture.plain import plain
from proml.core.call import AnchorCall, StepCall
from proml.core.consortium import Actor
from proml.core.digest import ZERO, hexed, unhexed, word
from proml.core.event import Approval, Input
from proml.core.lifecycle import MAX_INPUTS, Lifecycle
from proml.core.record import KEY_BYTES, RECORD_TYPE, VERSION, seal, subject_commitment
from proml.errors import NotFound, RecordInvalid
from proml.node.deposits import Deposits
from proml.node.outbox import Outbox
from proml.node.standing_approvals import agreed_subject, next_rule, standing_approvals
from proml.node.view import LedgerView


@dataclass(frozen=True, slots=True)
class Statement:
    """What a record shall say, apart from what sealing fills in.

    Attributes:
        artefact: 32-byte id.
        lifecycle: of the artefact.
        action: name of the action.
        registers: whether this is the artefact's first step; `salt` is then 32 bytes.
        subject: the bytes it speaks of.
        inputs: references with the part each played.
        offered: number of the organisation that custody is offered to, 0 to withdraw; None where it is not.
        content: further record fields: activity, parameters, metrics, claims, observations.
    """

    artefact: bytes
    lifecycle: Lifecycle
    action: str
    name: str | None = None
    salt: bytes | None = None
    subject: Subject | None = None
    inputs: tuple[tuple[Reference, str], ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    offered: int | None = None


class Sealer:
    """Turns statements into intents; knows the ledger's chronicle and what is queued on top of it."""

    def __init__(
        self, ledger: LedgerView, deposits: Deposits, outbox: Outbox, discoverable: Iterable[str]
    ) -> None:
        """Use `ledger` as it was when the view was taken."""
        self._ledger = ledger
        self._deposits = deposits
        self._outbox = outbox
        self._discoverable = frozenset(discoverable)
        self._numbers: dict[bytes, int] = {}  # of lifecycles, by the digest of their file
        # Sequences that queued intents will reach, on top of the chronicle.
        self._queued: dict[bytes, int] = {}
        # Numbers of the lifecycles under which queued intents register.
        self._lifecycles: dict[bytes, int] = {}
        for intent in [*outbox.intents("waiting"), *outbox.intents("sent")]:
            if intent.what == "step":
                self._queued[intent.artefact] = max(self._sequence(intent.artefact), intent.call["sequence"])
                if intent.call["lifecycle"]:
                    self._lifecycles[intent.artefact] = intent.call["lifecycle"]

    def seal(self, statement: Statement, created: float) -> int:
        """Seal a record, store it, and queue its step; returns the intent's number.

        The record is in storage when the block of the deposits is left.

        Raises:
            NotFound: an input or the artefact is not to be found on the ledger.
            RecordInvalid: what the statement says has no canonical form.
        """
        key = secrets.token_bytes(KEY_BYTES)
        number = self._number(statement.lifecycle)
        sequence = 1 if statement.salt else self._sequence(statement.artefact) + 1
        if sequence == 1 and not statement.salt:
            raise NotFound(
                f"{hexed(statement.artefact)} is not on the ledger", "its registration was refused"
            )
        inputs, listed = self._inputs(statement.inputs)
        record: dict[str, Any] = {
            "type": RECORD_TYPE,
            "version": VERSION,
            "artefact": hexed(statement.artefact),
            "kind": statement.lifecycle.kind,
            "action": statement.action,
            "sequence": sequence,
            "actor": {"organisation": self._ledger.organisation, "key": hexed(self._ledger.key)},
            **{name: plain(value) for name, value in statement.content.items() if value},
        }
        if statement.name:
            record["name"] = statement.name
        action = statement.lifecycle.action_number(statement.action)
        subject, approvals = self._relied_on(statement, action, sequence, key)
        if statement.subject and subject != ZERO:
            record["subject"] = statement.subject.document()
        if listed:
            record["inputs"] = listed
        sealed = seal(record, key)
        commitment = sealed.commitment
        call = StepCall(
            artefact=statement.salt or statement.artefact,
            lifecycle=number if statement.salt else 0,
            action=action,
            sequence=sequence,
            record=commitment,
            subject=subject,
            inputs=inputs,
            approvals=approvals,
        )
        self._deposits.put(commitment, sealed.content)
        label = " ".join(filter(None, (statement.action, statement.lifecycle.kind, statement.name)))
        intent = self._outbox.add_intent("step", label, statement.artefact, step_document(call), created)
        if statement.salt:
            self._lifecycles[statement.artefact] = number
        self._queued[statement.artefact] = sequence
        if statement.subject:
            self._outbox.add_known(unhexed(statement.subject.sha256), statement.artefact, sequence)
        return intent

    def lifecycle_of(self, artefact: bytes) -> Lifecycle:
        """The lifecycle of an artefact on the ledger, or about to be.

        Raises:
            NotFound: when it is neither, or its lifecycle's file is not at hand; never a guess, because
                one action has different numbers in different lifecycles.
        """
        registered = self._ledger.lifecycle_of(artefact)
        if registered is None and self._lifecycles.get(artefact):
            registered = self._ledger.lifecycle_numbered(self._lifecycles[artefact])
        if registered is None:
            raise NotFound(
                f"the lifecycle of {hexed(artefact)} is not known here",
                "was the artefact registered and pushed?",
            )
        return registered

    def are_usable(self, references: tuple[tuple[Reference, str], ...]) -> bool:
        """Whether every registered input would be accepted where inputs must be usable."""
        artefacts = self._ledger.chronicle.shared.artefacts
        for found in (self.find(reference) for reference, _ in references):
            standing = artefacts.get(found[0]) if found else None
            if found and (standing is None or not 0 < standing.usable_from <= found[1]):
                return False
        return True

    def _number(self, lifecycle: Lifecycle) -> int:
        number = self._numbers.get(lifecycle.table.document)
        if number is None:
            number = self._numbers[lifecycle.table.document] = self._ledger.number_of(lifecycle)
        return number

    def find(self, reference: Reference) -> tuple[bytes, int] | None:
        """The artefact a reference means, and the sequence at which it is (or had those bytes).

        Bytes that several artefacts had mean the one that was registered first: whoever registers a
        copy later does not take the history over.
        """
        if reference.subject is not None:
            return self._with_bytes(unhexed(reference.subject.sha256))
        named = unhexed(reference.salt or reference.artefact)
        artefact = self._ledger.id_of(named) if reference.salt else named
        sequence = self._sequence(artefact)
        # 32 bytes that are nobody's id may be the digest of something.
        return (artefact, sequence) if sequence else self._with_bytes(named)

    def _with_bytes(self, digest: bytes) -> tuple[bytes, int] | None:
        public = [(t.step.artefact, t.sequence) for t in self._ledger.chronicle.with_subject(digest)]
        own = [
            (artefact, sequence)
            for artefact, sequence in self._outbox.known(digest)
            if sequence <= self._sequence(artefact)
        ]
        found = public + [pair for pair in own if pair not in public]
        if not found:
            return None
        first = min((artefact for artefact, _ in found), key=self._ledger.age)
        return first, max(sequence for artefact, sequence in found if artefact == first)

    def _sequence(self, artefact: bytes) -> int:
        standing = self._ledger.chronicle.shared.artefacts.get(artefact)
        return max(standing.sequence if standing else 0, self._queued.get(artefact, 0))

    def _relied_on(
        self, statement: Statement, action: int, sequence: int, key: bytes
    ) -> tuple[bytes, tuple[Approval, ...]]:
        """The subject of a step, and the approvals that stand for it where it needs any."""
        shared = self._ledger.chronicle.shared
        present = shared.artefacts.get(statement.artefact)
        rule = next_rule(shared, statement.artefact, action)
        if rule is None or not rule.approvals or present is None or present.sequence + 1 != sequence:
            return self._subject(statement, key), ()
        given = standing_approvals(shared, statement.artefact, action)
        digest = unhexed(statement.subject.sha256) if statement.subject else None
        is_public = statement.lifecycle.kind in self._discoverable
        subject = agreed_subject(given, rule, digest, is_public)
        return subject, given.get(subject, ())

    def _subject(self, statement: Statement, key: bytes) -> bytes:
        if statement.offered is not None:
            return word(statement.offered)
        if statement.subject is None:
            return ZERO
        digest = unhexed(statement.subject.sha256)
        if statement.lifecycle.kind in self._discoverable:
            return digest
        return subject_commitment(key, digest)

    def _inputs(
        self, references: tuple[tuple[Reference, str], ...]
    ) -> tuple[tuple[Input, ...], list[dict[str, Any]]]:
        """Inputs for the ledger, and all of them, unregistered ones too, for the record."""
        inputs: dict[Input, None] = {}
        listed: list[dict[str, Any]] = []
        for reference, part in references:
            found = self.find(reference)
            entry: dict[str, Any] = {"part": part}
            if found is not None:
                artefact, sequence = found
                inputs[Input(artefact, sequence)] = None
                entry |= {"artefact": hexed(artefact), "sequence": sequence}
                if reference.subject:
                    entry["digest"] = reference.subject.sha256
            elif reference.subject is not None:
                entry |= reference.subject.document()
            else:
                named = reference.artefact or reference.salt
                raise NotFound(
                    f"input {named} is not on the ledger", "register it, or push what registers it"
                )
            if entry not in listed:
                listed.append(entry)
        if len(inputs) > MAX_INPUTS:
            raise RecordInvalid(
                f"a step takes {MAX_INPUTS} registered inputs at most, not {len(inputs)}",
                "register a folder that holds them as one artefact",
            )
        return tuple(inputs), listed


def step_document(step: StepCall) -> dict[str, Any]:
    """The JSON form of a step call, as an intent keeps it."""
    return {
        "artefact": hexed(step.artefact),
        "lifecycle": step.lifecycle,
        "action": step.action,
        "sequence": step.sequence,
        "record": hexed(step.record),
        "subject": hexed(step.subject),
        "inputs": [[hexed(entry.artefact), entry.sequence] for entry in step.inputs],
        "approvals": [
            [each.actor.organisation, hexed(each.actor.key), hexed(each.record)] for each in step.approvals
        ],
    }


def read_step(document: Mapping[str, Any]) -> StepCall:
    """The step call behind its JSON form."""
    return StepCall(
        unhexed(document["artefact"]),
        document["lifecycle"],
        document["action"],
        document["sequence"],
        unhexed(document["record"]),
        unhexed(document["subject"]),
        tuple(Input(unhexed(artefact), sequence) for artefact, sequence in document["inputs"]),
        tuple(
            Approval(Actor(organisation, unhexed(key, 20)), unhexed(record))
            for organisation, key, record in document.get("approvals", ())
        ),
    )


def anchor_document(anchor: AnchorCall) -> dict[str, Any]:
    """The JSON form of an anchor call."""
    return {"root": hexed(anchor.root), "count": anchor.count}


def read_anchor(document: Mapping[str, Any]) -> AnchorCall:
    """The anchor call behind its JSON form."""
    return AnchorCall(unhexed(document["root"]), document["count"])
