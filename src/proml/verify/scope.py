"""What an evidence file about an artefact must cover, and the storage slots that prove it.

The same list serves whoever makes a file and whoever checks one:

    heads[id], artefacts[id]      of the artefact and everything upstream: complete histories, so no
                                  step and no recall is left out
    keys[key], organisations[n]   of everybody who acted there: no revocation is left out
    numbers[lifecycle id]         the table is the one the ledger admitted under that number
    anchor_heads[n]               the chain of anchors of an organisation whose anchors are in the file
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from proml.contracts.shipped import artefacts_contract
from proml.core.chronicle import Chronicle
from proml.core.consortium import Actor
from proml.core.digest import ZERO, word
from proml.core.event import Anchored, Approved, Placed, approvals_of, next_anchor_head
from proml.core.lineage import MAX_ARTEFACTS, lineage
from proml.core.patricia import mapping_slot
from proml.errors import RecordInvalid

# Bits of an organisation's word below its count of anchors.
WITHOUT_ANCHORS = 2**160 - 1


@dataclass(frozen=True, slots=True)
class Scope:
    """Artefacts, actors and lifecycles that a verdict about `focus` rests on.

    Attributes:
        artefacts: the focus first, then everything upstream.
        actors: everybody who made a step of these, or approved one that relied on it.
        lifecycles: numbers of theirs.
    """

    artefacts: tuple[bytes, ...]
    actors: tuple[Actor, ...]
    lifecycles: tuple[int, ...]


def scope_of(chronicle: Chronicle, focus: bytes) -> Scope:
    """What a verdict about an artefact rests on.

    Raises:
        RecordInvalid: for a lineage of 100,000 artefacts and more.
    """
    artefacts = lineage(chronicle, focus, up=True, down=False).artefacts
    if len(artefacts) >= MAX_ARTEFACTS:
        raise RecordInvalid(f"{MAX_ARTEFACTS} artefacts upstream and more are too many for an evidence file")
    steps = [each.step for artefact in artefacts for each in chronicle.histories.get(artefact, [])]
    actors = {
        actor: None
        for step in steps
        for actor in (step.actor, *(approval.actor for approval in approvals_of(step)))
    }
    standings = (chronicle.shared.artefacts[each] for each in artefacts if each in chronicle.shared.artefacts)
    return Scope(artefacts, tuple(actors), tuple(sorted({each.lifecycle for each in standings})))


@cache
def _layout() -> Mapping[str, int]:
    """Slot numbers of the contract's mappings, as the compiler reported them."""
    layout = artefacts_contract().layout
    return {
        "artefacts": layout["artefacts"]["slot"],
        "heads": layout["heads"]["slot"],
        "anchor_heads": layout["anchor_heads"]["slot"],
        "keys": layout["consortium"]["keys"]["slot"],
        "organisations": layout["consortium"]["organisations"]["slot"],
        "numbers": layout["lifecycles"]["numbers"]["slot"],
    }


def slot(mapping: str, key: bytes | int) -> bytes:
    """The storage slot of one entry of one of the contract's mappings, 32 bytes."""
    return mapping_slot(_layout()[mapping], key if isinstance(key, bytes) else word(key))


@dataclass(slots=True)
class AnchorChain:
    """The anchors of one organisation, one after another: the head over them, and their number."""

    head: bytes = ZERO
    count: int = 0

    def take(self, anchor: Anchored) -> None:
        """One more."""
        self.head = next_anchor_head(self.head, anchor)
        self.count += 1


def approvals_relied_on(chronicle: Chronicle, artefacts: Iterable[bytes]) -> set[Approved]:
    """The approvals that steps of these artefacts rely on, as the events that gave them."""
    return {
        Approved(artefact, step.subject, approval.actor, step.action, step.sequence, approval.record)
        for artefact in artefacts
        for step in (each.step for each in chronicle.histories.get(artefact, []))
        for approval in approvals_of(step)
    }


def anchor_chains(events: Iterable[Placed]) -> dict[int, AnchorChain]:
    """The chain of anchors of every organisation that has any among these events, in chain order."""
    chains: dict[int, AnchorChain] = {}
    for placed in events:
        if isinstance(placed.event, Anchored):
            chains.setdefault(placed.event.actor.organisation, AnchorChain()).take(placed.event)
    return chains


def slots_of(chronicle: Chronicle, scope: Scope, anchoring: Iterable[int]) -> tuple[bytes, ...]:
    """Every slot a verdict rests on; `anchoring` are the organisations with anchors in the file."""
    tables = chronicle.shared.tables
    organisations = {actor.organisation for actor in scope.actors} | set(anchoring)
    return (
        *(slot(mapping, each) for each in scope.artefacts for mapping in ("heads", "artefacts")),
        *(slot("keys", key) for key in dict.fromkeys(actor.key for actor in scope.actors)),
        *(slot("organisations", number) for number in sorted(organisations)),
        *(slot("anchor_heads", number) for number in sorted(set(anchoring))),
        *(slot("numbers", tables[number].id) for number in scope.lifecycles),
    )
