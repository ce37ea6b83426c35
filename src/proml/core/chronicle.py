"""The chronicle: every artefact's history as the ledger's events tell it, each step judged again.

Built from events in chain order, by the executable specification (`history.py`): a step the contracts
cannot have accepted is kept apart with the reason. Nothing here trusts an index.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from proml.core.artefact import Artefact
from proml.core.digest import ZERO
from proml.core.event import (
    Acted,
    Anchored,
    Approval,
    Approved,
    Input,
    LifecycleAdmitted,
    Placed,
    Registered,
    Step,
    spoken_of,
)
from proml.core.history import SharedHistory


@dataclass(frozen=True, slots=True)
class Transition:
    """One accepted step of an artefact, with its place in the chain.

    Attributes:
        step: the event.
        placed: the event with block and transaction.
        before: state number it left, 0 at registration.
        lifecycle: number of the artefact's lifecycle.
        head: the head after it, 32 bytes.
        usable: whether the artefact was usable as an input after it.
    """

    step: Step
    placed: Placed
    before: int
    lifecycle: int
    head: bytes
    usable: bool

    @property
    def sequence(self) -> int:
        """The artefact's sequence after this step."""
        return self.step.sequence


@dataclass(frozen=True, slots=True)
class Use:
    """That step `sequence` of `artefact` named another artefact, at `at`, as an input."""

    artefact: bytes
    sequence: int
    at: int


@dataclass(slots=True)
class Chronicle:
    """All histories of one ledger.

    Attributes:
        shared: the contracts' state after the last event.
        histories: artefact id to its transitions, by sequence.
        illegal: events the contracts cannot have emitted, with the reason; empty on an honest chain.
        documents: lifecycle number to the SHA-256 of its file.
    """

    shared: SharedHistory
    histories: dict[bytes, list[Transition]] = field(default_factory=dict)
    illegal: list[tuple[Placed, str]] = field(default_factory=list)
    documents: dict[int, bytes] = field(default_factory=dict)
    _subjects: dict[bytes, list[Transition]] = field(default_factory=dict)
    _records: dict[bytes, Transition] = field(default_factory=dict)
    _uses: dict[bytes, list[Use]] = field(default_factory=dict)
    _anchors: dict[tuple[bytes, int], Placed] = field(default_factory=dict)
    _approvals: dict[Approved, int] = field(default_factory=dict)

    def take(self, events: Iterable[Placed]) -> Chronicle:
        """Add events in chain order; returns itself."""
        for placed in events:
            event = placed.event
            before = self._standing(event) if isinstance(event, Registered | Acted) else None
            reason = self.shared.accept(event, placed.block.number)
            if reason is not None:
                self.illegal.append((placed, reason))
            elif isinstance(event, Registered | Acted):
                self._keep(event, placed, before)
            elif isinstance(event, Anchored):
                self._anchors.setdefault((event.root, event.actor.organisation), placed)
            elif isinstance(event, Approved):
                self._approvals[event] = placed.block.number
            elif isinstance(event, LifecycleAdmitted):
                self.documents[event.number] = event.document
        return self

    def _standing(self, step: Step) -> Artefact | None:
        return self.shared.artefacts.get(step.artefact)

    def _keep(self, step: Step, placed: Placed, before: Artefact | None) -> None:
        now = self.shared.artefacts[step.artefact]
        transition = Transition(
            step, placed, before.state if before else 0, now.lifecycle, now.head, now.usable_from != 0
        )
        self.histories.setdefault(step.artefact, []).append(transition)
        self._records[step.record] = transition
        if spoken_of(step) != ZERO:
            self._subjects.setdefault(step.subject, []).append(transition)
        for entry in step.inputs:
            self._uses.setdefault(entry.artefact, []).append(
                Use(step.artefact, step.sequence, entry.sequence)
            )

    def with_subject(self, subject: bytes) -> list[Transition]:
        """Steps that name these 32 bytes as their subject, oldest first."""
        return self._subjects.get(subject, [])

    def with_record(self, record: bytes) -> Transition | None:
        """The newest step that carries this record commitment."""
        return self._records.get(record)

    def anchor(self, root: bytes, organisation: int) -> Placed | None:
        """Where an organisation first anchored a Merkle root; another may anchor the same one."""
        return self._anchors.get((root, organisation))

    def anchors_by(self, key: bytes) -> list[tuple[bytes, Placed]]:
        """Merkle roots that a key (20 bytes) was the first of its organisation to anchor, in chain order."""
        return [
            (root, placed)
            for (root, _), placed in self._anchors.items()
            if isinstance(placed.event, Anchored) and placed.event.actor.key == key
        ]

    def approved_in(self, step: Step, approval: Approval) -> int | None:
        """The block in which an approval was given that a step relies on; None where that was not read."""
        what = (step.action, step.sequence, approval.record)
        return self._approvals.get(Approved(step.artefact, step.subject, approval.actor, *what))

    def inputs(self, artefact: bytes) -> list[tuple[int, Input]]:
        """(sequence, input) of every step of an artefact that named inputs."""
        return [(t.sequence, entry) for t in self.histories.get(artefact, []) for entry in t.step.inputs]

    def uses(self, artefact: bytes) -> list[Use]:
        """Every step of other artefacts that named this one as an input."""
        return self._uses.get(artefact, [])

    def is_recalled(self, artefact: bytes) -> bool:
        """Whether it stands in a recalled state of its lifecycle."""
        standing = self.shared.artefacts.get(artefact)
        return bool(standing and self.shared.tables[standing.lifecycle].recalled >> standing.state & 1)

    def recall_of(self, artefact: bytes) -> Transition | None:
        """The step that took a recalled artefact into the recalled states it stands in, None of any other."""
        found = None
        for transition in reversed(self.histories.get(artefact, ())):
            if not self.shared.tables[transition.lifecycle].recalled >> transition.step.state & 1:
                break
            found = transition
        return found

    def is_open(self, artefact: bytes) -> bool:
        """Whether an artefact that was begun came to nothing yet: neither usable nor at an end."""
        standing = self.shared.artefacts[artefact]
        ended = self.shared.tables[standing.lifecycle].terminal >> standing.state & 1
        return not standing.usable_from and not ended
