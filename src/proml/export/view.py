"""Views: what a lineage drawing and a timeline show, apart from where it came from.

Plain values only. `reading.py` makes them from a chronicle; the command line, a report and a node's
pages render the same ones. Every text in them may be hostile: the formats make it harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class ArtefactView:
    """One artefact in a drawing.

    Attributes:
        id: `0x` and 64 hexadecimal digits.
        name: from its records, which may not be at hand: then empty.
        state: name of the state it stands in.
        organisation: who registered it.
        is_recalled: it stands in a recalled state itself.
        is_tainted: an artefact it derives from was recalled.
        is_abandoned: it is open beyond the deadline of its plan.
    """

    id: str
    kind: str
    name: str
    state: str
    organisation: str
    is_recalled: bool = False
    is_tainted: bool = False
    is_abandoned: bool = False


@dataclass(frozen=True, slots=True)
class DerivationView:
    """That `target`, at its step `sequence`, named `source` at `source_sequence` as an input.

    Attributes:
        action: what that step was.
        carries_taint: the source is recalled or tainted.
    """

    source: str
    target: str
    source_sequence: int
    sequence: int
    action: str
    carries_taint: bool = False


@dataclass(frozen=True, slots=True)
class AcknowledgementView:
    """That the custodian of a tainted artefact has to acknowledge a recall, or did.

    Attributes:
        recalled, artefact: ids of the recalled artefact and of the tainted one.
        organisation: the custodian's name.
        block: where it acknowledged; None while it has not.
    """

    recalled: str
    artefact: str
    organisation: str
    block: int | None


@dataclass(frozen=True, slots=True)
class LineageView:
    """A part of the derivation graph around one artefact.

    Attributes:
        focus: id of the artefact asked for; one of `artefacts`.
        artefacts: in the order of their registration.
        derivations: only among `artefacts`, so that none dangles.
        taint_paths: for each recalled ancestor, the ids on the shortest way from it to the focus.
        left_out: how many further artefacts belong to it but are not shown.
        acknowledgements: for each tainted one of `artefacts` and each recall that taints it.
    """

    focus: str
    artefacts: tuple[ArtefactView, ...]
    derivations: tuple[DerivationView, ...]
    taint_paths: tuple[tuple[str, ...], ...] = ()
    left_out: int = 0
    acknowledgements: tuple[AcknowledgementView, ...] = ()

    @property
    def path_links(self) -> frozenset[tuple[str, str]]:
        """The (source, target) pairs that lie on a taint path to the focus."""
        return frozenset(link for path in self.taint_paths for link in pairwise(path))

    def artefact(self, identifier: str) -> ArtefactView:
        """The view of one artefact; KeyError when it is not among those shown."""
        for artefact in self.artefacts:
            if artefact.id == identifier:
                return artefact
        raise KeyError(identifier)


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One accepted step.

    Attributes:
        time: of its block, whole seconds since 1970 UTC.
        transaction: `0x` and 64 hexadecimal digits.
        artefact: id, `0x` and 64 hexadecimal digits.
        name: of the artefact, empty when its records are not at hand.
        state: where the step led.
        sequence: of the artefact after the step; 1 is its registration.
        is_recall: it led into a recalled state.
        gas: its equal share of the transaction's gas; None when not known.
        first_block, final: seconds from sending to the first block and to finality, as its sender
            measured; None when not known.
    """

    time: int
    block: int
    transaction: str
    organisation: str
    action: str
    artefact: str
    kind: str
    name: str
    state: str
    sequence: int
    is_recall: bool = False
    gas: int | None = None
    first_block: float | None = None
    final: float | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Steps in chain order, and the organisations that have a lane, in the order of the lanes."""

    organisations: tuple[str, ...]
    steps: tuple[TimelineStep, ...]
