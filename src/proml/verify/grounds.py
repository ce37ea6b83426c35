"""What a verification rests on: a ledger that is asked now, or what an evidence file carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from proml.core.chronicle import Chronicle
from proml.core.event import Block
from proml.core.history import SharedHistory
from proml.core.verdict import Finding
from proml.errors import LedgerProblem
from proml.interfaces import Ledger, Standing, Terms
from proml.trust import Profile

SEQUENCE_MASK = 2**40 - 1
# A ledger that moves on while it is read is read on; one that never agrees with itself is reported.
PATIENCE = 5


class Grounds(Protocol):
    """Where the events come from and what vouches for them."""

    @property
    def chronicle(self) -> Chronicle:
        """Every history, each step judged again."""
        ...

    @property
    def terms(self) -> Terms:
        """Which ledger it is."""
        ...

    @property
    def tip(self) -> Block:
        """The newest block known."""
        ...

    @property
    def profiles(self) -> Mapping[int, Profile]:
        """Names of members that the verifier was given, with the salts of their commitments."""
        ...

    @property
    def name(self) -> str:
        """What a verdict says it rests on."""
        ...

    @property
    def gaps(self) -> Mapping[int, str]:
        """By check number, why it cannot be called valid on these grounds."""
        ...

    @property
    def contradictions(self) -> Sequence[tuple[int, Finding]]:
        """By check number, what these grounds say against themselves."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What people should know of a verdict on these grounds."""
        ...

    @property
    def blocks_known(self) -> bool:
        """Whether the blocks of events are the ledger's answer."""
        ...

    def standing(self, artefact: bytes) -> Standing | None:
        """What the ledger itself holds of an artefact; None when it holds nothing.

        Ask before reading its history: that may grow by this call. Raises NotFound when these
        grounds do not say.
        """
        ...

    def is_final(self, block: Block) -> bool:
        """Whether a block is as deep as the ledger's terms ask."""
        ...

    def knows_anchors(self, organisation: int) -> bool:
        """Whether a root that is not among the events was never anchored by that organisation."""
        ...


@dataclass(slots=True)
class LedgerGrounds:
    """A ledger and all its events so far. Make it with `read_ledger`; it may serve many verifications.

    Completeness and order of the events rest on the node that is asked, except that a step it left
    out shows in the head. The answers about blocks are the node's too.
    """

    ledger: Ledger
    chronicle: Chronicle
    tip: Block
    profiles: Mapping[int, Profile]
    name: str = "ledger"
    gaps: Mapping[int, str] = field(default_factory=dict)
    contradictions: Sequence[tuple[int, Finding]] = ()
    notes: Sequence[str] = ()
    blocks_known: bool = True

    @property
    def terms(self) -> Terms:
        """Which ledger it is."""
        return self.ledger.terms

    def standing(self, artefact: bytes) -> Standing | None:
        """What the ledger holds now; reads on where it is ahead of the events read so far."""
        held = self.ledger.standing(artefact)
        for _ in range(PATIENCE):
            present = self.chronicle.shared.artefacts.get(artefact)
            behind = (held.word >> 24 & SEQUENCE_MASK if held else 0) - (present.sequence if present else 0)
            if behind == 0 or (behind > 0 and not self.read_on()):
                break
            held = self.ledger.standing(artefact)
        return held

    def read_on(self) -> bool:
        """Take the events since `tip`; False when there is no newer block.

        Raises:
            LedgerProblem: when the ledger is away, or does not have the block any more that was its tip.
        """
        still = self.ledger.block(self.tip.number)
        if still is None or still.hash != self.tip.hash:
            raise LedgerProblem("the chain was reorganised while it was read", "try again")
        newest = self.ledger.head()
        if newest.number <= self.tip.number:
            return False
        self.chronicle.take(self.ledger.events(self.tip.number + 1, newest.number))
        self.tip = newest
        return True

    def is_final(self, block: Block) -> bool:
        """Whether the newest block is far enough beyond."""
        return block.number + self.terms.finality - 1 <= self.tip.number

    def knows_anchors(self, organisation: int) -> bool:
        """Of every organisation: all events were read."""
        return organisation in self.chronicle.shared.organisations


def read_ledger(ledger: Ledger, profiles: Mapping[int, Profile] | None = None) -> LedgerGrounds:
    """Read every event of a ledger.

    Args:
        ledger: opened, so that its terms are checked.
        profiles: members' names by organisation number, from the ledger file.

    Raises:
        LedgerProblem: when it cannot be reached or answers nonsense.
    """
    tip = ledger.head()
    chronicle = Chronicle(SharedHistory(ledger.terms.chain_id, ledger.terms.contract))
    chronicle.take(ledger.events(ledger.terms.deployed, tip.number))
    return LedgerGrounds(ledger, chronicle, tip, profiles or {})
