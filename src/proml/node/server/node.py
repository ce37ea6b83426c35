"""The running node: what its routes share, and its duties."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from proml.core.consortium import Key
from proml.core.verdict import Verdict
from proml.errors import LedgerProblem
from proml.node.index import Index, View
from proml.node.participant import Participant
from proml.node.receiving import Reception
from proml.node.server.access import Access
from proml.node.server.duty import Duty, Standing
from proml.node.server.listening import Listening
from proml.node.server.live import Bulletin
from proml.node.server.metrics import Metrics
from proml.verify import LedgerGrounds, Target, read_ledger, verify


@dataclass(slots=True)
class Node:
    """One organisation's node.

    Attributes:
        me: the project that it serves.
        listening: where it listens.
        access: who may ask what.
        index: the questions it answers by.
        reception: takes journals of other machines.
        metrics: its figures.
        bulletin: tells listeners what is new.
        duties: what it does by itself, by name.
        started: Unix seconds.
    """

    me: Participant
    listening: Listening
    access: Access
    index: Index
    reception: Reception
    metrics: Metrics = field(default_factory=Metrics)
    bulletin: Bulletin = field(default_factory=Bulletin)
    duties: dict[str, Duty] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    _grounds: LedgerGrounds | None = None
    _judging: threading.Lock = field(default_factory=threading.Lock)

    def standings(self) -> list[Standing]:
        """How each duty is."""
        return [duty.standing for duty in self.duties.values()]

    @contextmanager
    def grounds(self) -> Iterator[LedgerGrounds]:
        """The ledger itself, read to its newest block, for one who verifies; never the index.

        Raises:
            LedgerProblem: when it is away.
        """
        with self._judging:
            try:
                if self._grounds is not None:
                    self._grounds.read_on()
            except LedgerProblem:
                self._grounds = None  # reorganised, perhaps: read it from its first block
            if self._grounds is None:
                self._grounds = read_ledger(self.me.ledger, self.me.ledger_file.profiles)
            yield self._grounds

    def verdict(self, target: Target) -> Verdict:
        """What verification says at the ledger's newest block.

        Raises:
            NotFound: when nothing on the ledger answers to the target.
            LedgerProblem: when it is away.
        """
        with self.grounds() as grounds:
            return verify(grounds, [self.me.storage], self.me.lifecycles, target)

    def own(self, view: View) -> int:
        """The number of the organisation that this node serves: its key's; 0 when that is no member's."""
        key = view.consortium.shared.keys.get(self.me.address)
        return key.organisation if key else 0

    def is_own(self, organisation: int, view: View) -> bool:
        """Whether this node serves an organisation."""
        return organisation != 0 and self.own(view) == organisation


def node_of(me: Participant, listening: Listening, access: Access) -> Node:
    """A node for a project, with nothing at work yet. Close its index in the end."""
    return Node(me, listening, access, open_index(me), Reception(me.config.journal, me.lifecycles))


def open_index(me: Participant) -> Index:
    """The index of a project, for reading; it may not be there yet."""
    return Index(me.config.index_url, me.ledger_file.terms, me.lifecycles, me.name_of)


def active_key(view: View, address: bytes) -> Key | None:
    """The key with this address (20 bytes), if it may act in the next block; None otherwise."""
    shared = view.consortium.shared
    key = shared.keys.get(address)
    if key is None or key.refusal(view.head.number + 1) or shared.organisations[key.organisation].removed:
        return None
    return key
