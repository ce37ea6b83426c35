"""Lineage: what an artefact was made from, what was made from it, and the taint of a recall.

A *derivation* is an edge from an input to the artefact whose step named it. Recall taints every
descendant: the path from the recalled artefact is the evidence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from proml.core.chronicle import Chronicle

# A query that would walk more than this is refused rather than answered slowly.
MAX_ARTEFACTS = 100_000


@dataclass(frozen=True, slots=True)
class Derivation:
    """`artefact` at its step `sequence` derives from `source` at `source_sequence`."""

    source: bytes
    source_sequence: int
    artefact: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class Taint:
    """That `path[0]` was recalled and each further artefact derives from the one before it."""

    path: tuple[bytes, ...]

    @property
    def source(self) -> bytes:
        """The recalled artefact."""
        return self.path[0]


@dataclass(frozen=True, slots=True)
class Lineage:
    """A part of the derivation graph around one artefact.

    Attributes:
        focus: the artefact asked for.
        artefacts: ids, the focus first, then breadth first.
        derivations: every derivation among them.
    """

    focus: bytes
    artefacts: tuple[bytes, ...]
    derivations: tuple[Derivation, ...]


def sources(chronicle: Chronicle, artefact: bytes) -> list[bytes]:
    """Artefacts that steps of this one named as inputs, each once, in order."""
    return list(dict.fromkeys(entry.artefact for _, entry in chronicle.inputs(artefact)))


def derived(chronicle: Chronicle, artefact: bytes) -> list[bytes]:
    """Artefacts whose steps named this one as an input, each once, in order."""
    return list(dict.fromkeys(use.artefact for use in chronicle.uses(artefact)))


def lineage(chronicle: Chronicle, focus: bytes, up: bool = True, down: bool = True) -> Lineage:
    """Ancestors and descendants of an artefact, with every derivation among what was found."""
    found = dict.fromkeys([focus])
    if up:
        found |= dict.fromkeys(_walk(focus, lambda artefact: sources(chronicle, artefact)))
    if down:
        found |= dict.fromkeys(_walk(focus, lambda artefact: derived(chronicle, artefact)))
    edges = [
        Derivation(entry.artefact, entry.sequence, artefact, sequence)
        for artefact in found
        for sequence, entry in chronicle.inputs(artefact)
        if entry.artefact in found
    ]
    return Lineage(focus, tuple(found), tuple(edges))


def taints(chronicle: Chronicle, artefact: bytes, most: int = MAX_ARTEFACTS) -> list[Taint]:
    """The shortest path from every recalled ancestor to the artefact; empty when it is clean.

    The artefact's own recall is not a taint: see `Chronicle.is_recalled`. With `most` only so many of
    the nearest: in a long line of recalled artefacts all paths together grow with its square.
    """
    came_from: dict[bytes, bytes] = {}
    found: list[Taint] = []
    for ancestor in _walk(artefact, lambda each: sources(chronicle, each), came_from):
        if len(found) == most:
            break
        if ancestor != artefact and chronicle.is_recalled(ancestor):
            found.append(Taint(tuple(_way_back(ancestor, came_from))))
    return found


def _way_back(start: bytes, came_from: dict[bytes, bytes]) -> Iterator[bytes]:
    yield start
    while start in came_from:
        start = came_from[start]
        yield start


def tainted_by(chronicle: Chronicle, recalled: bytes) -> list[bytes]:
    """Every descendant of an artefact: what its recall taints."""
    return [each for each in _walk(recalled, lambda one: derived(chronicle, one)) if each != recalled]


def _walk(
    start: bytes, neighbours: Callable[[bytes], list[bytes]], came_from: dict[bytes, bytes] | None = None
) -> list[bytes]:
    """Breadth first from `start`, which comes first; an evaluation and its model may point at each other."""
    seen = {start: None}
    frontier = deque([start])
    while frontier and len(seen) < MAX_ARTEFACTS:
        here = frontier.popleft()
        for other in neighbours(here):
            if other not in seen:
                seen[other] = None
                if came_from is not None:
                    came_from[other] = here
                frontier.append(other)
    return list(seen)
