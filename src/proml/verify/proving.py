"""What an evidence file proves of what it tells: its events against the state proof it carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from proml.contracts.shipped import artefacts_contract
from proml.core.chronicle import Chronicle
from proml.core.digest import hexed, word
from proml.core.patricia import ProvenStorage
from proml.core.verdict import ACTORS, FINAL, HEAD, INPUTS, LEGAL, OBSERVATIONS, RECALL, Finding
from proml.errors import NotFound, RecordInvalid
from proml.interfaces import Standing
from proml.verify.evidence import Evidence
from proml.verify.scope import WITHOUT_ANCHORS, AnchorChain, Scope, anchor_chains, slot

# What rests on the ledger; checks 1, 2 and 4 compare parts of the file with each other.
RESTS_ON_LEDGER = (HEAD, ACTORS, INPUTS, RECALL, FINAL, OBSERVATIONS)
NO_PROOF = "the file proves nothing of what the ledger holds: its events are its maker's word"
OTHER_CONTRACT = "the ledger's contract is not one whose storage this program can read"


@dataclass(frozen=True, slots=True)
class Proven:
    """What came of it.

    Attributes:
        standings: what the ledger holds, of the artefacts of which the proof shows it.
        anchoring: organisations whose anchors the file has.
        gaps: by check number what the proof does not show.
        contradictions: by check number where proof and events disagree.
        silence: what to say of an artefact that is not in `standings`.
    """

    standings: Mapping[bytes, Standing | None] = field(default_factory=dict)
    anchoring: frozenset[int] = frozenset()
    gaps: Mapping[int, str] = field(default_factory=dict)
    contradictions: Sequence[tuple[int, Finding]] = ()
    silence: str = NO_PROOF


def prove(evidence: Evidence, chronicle: Chronicle, scope: Scope) -> Proven:
    """Hold the events of a file against its proof.

    Raises:
        RecordInvalid: when the proof is damaged, is of another block than the file says, or has nodes
            that nothing needs.
    """
    chains = anchor_chains(evidence.events)
    anchoring = frozenset(chains)
    if evidence.proof is None:
        return Proven(anchoring=anchoring, gaps=dict.fromkeys(RESTS_ON_LEDGER, NO_PROOF))
    if evidence.terms.code != artefacts_contract().code_digest:
        gaps = dict.fromkeys(RESTS_ON_LEDGER, OTHER_CONTRACT)
        return Proven(anchoring=anchoring, gaps=gaps, silence=OTHER_CONTRACT)
    storage = ProvenStorage(evidence.proof, evidence.terms.contract, evidence.terms.code)
    if storage.block != evidence.tip:
        raise RecordInvalid("the proof of the evidence is of another block than its tip")
    comparison = _Comparison(storage, chronicle)
    standings = dict(comparison.standings(scope))
    comparison.actors(scope, chains)
    comparison.lifecycles(scope)
    comparison.anchors(chains)
    if storage.surplus:
        raise RecordInvalid(f"the proof of the evidence has {storage.surplus} nodes that nothing needs")
    silence = "the file's proof does not show what the ledger holds of it"
    return Proven(standings, anchoring, comparison.gaps, comparison.contradictions, silence)


class _Comparison:
    """The proof on one side, what the events lead to on the other."""

    def __init__(self, storage: ProvenStorage, chronicle: Chronicle) -> None:
        self._storage = storage
        self._shared = chronicle.shared
        self.gaps: dict[int, str] = {}
        self.contradictions: list[tuple[int, Finding]] = []

    def _word(self, mapping: str, key: bytes | int) -> int | None:
        """What the ledger holds there, None when the proof does not show it."""
        try:
            return self._storage.word(slot(mapping, key))
        except NotFound:
            return None

    def _compare(
        self, number: int, found: int | None, expected: int, what: str, organisation: int = 0
    ) -> None:
        if found is None:
            self.gaps.setdefault(number, f"the file's proof does not show {what}")
        elif found != expected:
            text = f"the ledger holds something else than the file tells of {what}"
            self.contradictions.append((number, Finding(text, organisation=organisation)))

    def standings(self, scope: Scope) -> Iterator[tuple[bytes, Standing | None]]:
        """Of each artefact; whether they fit the events, checks 3 and 6 say."""
        for artefact in scope.artefacts:
            packed, head = self._word("artefacts", artefact), self._word("heads", artefact)
            if packed is not None and head is not None:
                yield artefact, Standing(packed, word(head)) if packed else None

    def actors(self, scope: Scope, chains: Mapping[int, AnchorChain]) -> None:
        """Keys and organisations of everybody who acted: no event about them was left out."""
        for actor in scope.actors:
            key = self._shared.keys[actor.key]
            what = f"key {hexed(actor.key)}"
            self._compare(ACTORS, self._word("keys", actor.key), key.word, what, actor.organisation)
            if key.revoked and key.compromised_since < key.revoked:
                # A step's head does not say in which block it was made.
                text = f"{what} was compromised before it was revoked; when it signed is the file's word"
                self.gaps.setdefault(ACTORS, text)
        for number in sorted({actor.organisation for actor in scope.actors} | set(chains)):
            # Not known where only an impossible anchor names it, which another check reports.
            organisation = self._shared.organisations.get(number)
            mask = -1 if number in chains else WITHOUT_ANCHORS
            found = self._word("organisations", number)
            if organisation is not None:
                found = None if found is None else found & mask
                self._compare(ACTORS, found, organisation.word & mask, f"organisation {number}", number)

    def lifecycles(self, scope: Scope) -> None:
        """The tables are those the ledger admitted, under these numbers."""
        for number in scope.lifecycles:
            found = self._word("numbers", self._shared.tables[number].id)
            self._compare(LEGAL, found, number, f"lifecycle {number}")

    def anchors(self, chains: Mapping[int, AnchorChain]) -> None:
        """The anchors are all there are of these organisations."""
        for number, chain in sorted(chains.items()):
            found = self._word("anchor_heads", number)
            expected = int.from_bytes(chain.head, "big")
            self._compare(OBSERVATIONS, found, expected, f"the anchors of organisation {number}", number)
