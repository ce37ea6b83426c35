"""One verification under way: what it rests on, and the sheet that its checks write on."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from proml.core.chronicle import Chronicle, Transition
from proml.core.digest import ZERO, hexed
from proml.core.event import Acted, Placed, Registered, Step, spoken_of
from proml.core.lifecycle import Lifecycle
from proml.core.verdict import INPUTS, OBSERVATIONS, Finding
from proml.verify.grounds import Grounds
from proml.verify.records import Records
from proml.verify.sheet import Sheet


class Inquiry:
    """Shared state of the checks of one verification.

    Args:
        grounds: where the events come from.
        records: where records are found.
        lifecycles: every lifecycle whose file is known.
        focus: id of the artefact that is verified.
    """

    def __init__(
        self, grounds: Grounds, records: Records, lifecycles: Sequence[Lifecycle], focus: bytes
    ) -> None:
        self.grounds = grounds
        self.records = records
        self.focus = focus
        self.sheet = Sheet()
        self._lifecycles = {lifecycle.table.id: lifecycle for lifecycle in lifecycles}
        self._numbered: dict[int, Lifecycle | None] = {}
        self._documents = {lifecycle.table.document for lifecycle in lifecycles}
        self._illegal: dict[bytes, list[tuple[Placed, str]]] = defaultdict(list)
        self._illegal_read = 0
        self._with_subject: dict[bytes, list[Transition]] = {}

    @property
    def chronicle(self) -> Chronicle:
        """Every history."""
        return self.grounds.chronicle

    # --- writing on the sheet ---------------------------------------------------------------

    def wrong(self, number: int, text: str, artefact: bytes, step: Step | None = None) -> None:
        """Note what is wrong with an artefact, upstream under check 6 (observations under 9 wherever)."""
        self.sheet.wrong(self._under(number, artefact), self._finding(text, artefact, step))

    def missing(self, number: int, text: str, artefact: bytes, step: Step | None = None) -> None:
        """Note what could not be checked of an artefact."""
        self.sheet.missing(self._under(number, artefact), self._finding(text, artefact, step))

    def equal(self, text: str, artefact: bytes, step: Step) -> None:
        """Note that the bytes in hand are others than a step names, and say the same."""
        self.sheet.equal(self._finding(text, artefact, step))

    def _under(self, number: int, artefact: bytes) -> int:
        return number if artefact == self.focus or number == OBSERVATIONS else INPUTS

    def _finding(self, text: str, artefact: bytes, step: Step | None) -> Finding:
        if step is not None:
            text = f"step {step.sequence} ({self.action_name(artefact, step.action)}) {text}"
        if artefact != self.focus:
            text = f"{self.called(artefact)}: {text}"
        return Finding(text, artefact, step.sequence if step else 0, step.actor.organisation if step else 0)

    # --- names ------------------------------------------------------------------------------

    def lifecycle_of(self, artefact: bytes) -> Lifecycle | None:
        """The lifecycle of a registered artefact, None when its file is not known."""
        standing = self.chronicle.shared.artefacts.get(artefact)
        if standing is None:
            return None
        if standing.lifecycle not in self._numbered:
            # Once per lifecycle: the id is a hash over the whole table.
            table = self.chronicle.shared.tables[standing.lifecycle]
            self._numbered[standing.lifecycle] = self._lifecycles.get(table.id)
        return self._numbered[standing.lifecycle]

    def knows_document(self, document: bytes) -> bool:
        """Whether a lifecycle file with this SHA-256 is known."""
        return document in self._documents

    def called(self, artefact: bytes) -> str:
        """Kind and id, for sentences."""
        lifecycle = self.lifecycle_of(artefact)
        return f"{lifecycle.kind if lifecycle else 'artefact'} {hexed(artefact)}"

    def action_name(self, artefact: bytes, action: int) -> str:
        """Name of an action of an artefact."""
        lifecycle = self.lifecycle_of(artefact)
        return lifecycle.action_name(action) if lifecycle else f"action-{action}"

    def organisation_name(self, number: int) -> str:
        """A member's name where it was given, else its number."""
        profile = self.grounds.profiles.get(number)
        return profile.name if profile else f"organisation {number}"

    # --- history ----------------------------------------------------------------------------

    def transitions(self, artefact: bytes) -> list[Transition]:
        """The legal steps of an artefact, by sequence."""
        return self.chronicle.histories.get(artefact, [])

    def illegal(self, artefact: bytes) -> list[tuple[Placed, str]]:
        """Its steps that the contracts cannot have accepted, with the reason."""
        for placed, reason in self.chronicle.illegal[self._illegal_read :]:
            if isinstance(placed.event, Registered | Acted):
                self._illegal[placed.event.artefact].append((placed, reason))
        self._illegal_read = len(self.chronicle.illegal)
        return self._illegal[artefact]

    def steps(self, artefact: bytes) -> list[Step]:
        """All its steps as the ledger told them, legal or not, in chain order."""
        told = [transition.placed for transition in self.transitions(artefact)]
        told += [placed for placed, _ in self.illegal(artefact)]
        told.sort(key=lambda placed: (placed.block.number, placed.index))
        return [placed.event for placed in told if isinstance(placed.event, Registered | Acted)]

    def subject_step(self, artefact: bytes, sequence: int | None = None) -> Transition | None:
        """The newest step up to `sequence` that names bytes, None when there is none."""
        named = self._with_subject.get(artefact)
        if named is None:
            named = [step for step in self.transitions(artefact) if spoken_of(step.step) != ZERO]
            self._with_subject[artefact] = named
        upto = len(named) if sequence is None else bisect_right(named, sequence, key=_sequence)
        return named[upto - 1] if upto else None


def subject_step(history: Sequence[Transition]) -> Transition | None:
    """The newest step of a history that names bytes."""
    return next((each for each in reversed(history) if spoken_of(each.step) != ZERO), None)


def _sequence(transition: Transition) -> int:
    return transition.sequence
