"""The running node: what its routes share, and its duties."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from proml.node.participant import Participant
from proml.node.server.access import Access
from proml.node.server.duty import Duty, Standing
from proml.node.server.listening import Listening
from proml.node.server.live import Bulletin
from proml.node.server.members import Members
from proml.node.server.metrics import Metrics


@dataclass(slots=True)
class Node:
    """One organisation's node.

    Attributes:
        me: the project that it serves.
        listening: where it listens.
        access: who may ask what.
        members: the keys on the ledger.
        metrics: its figures.
        bulletin: tells listeners what is new.
        duties: what it does by itself, by name.
        started: Unix seconds.
    """

    me: Participant
    listening: Listening
    access: Access
    members: Members
    metrics: Metrics = field(default_factory=Metrics)
    bulletin: Bulletin = field(default_factory=Bulletin)
    duties: dict[str, Duty] = field(default_factory=dict)
    started: float = field(default_factory=time.time)

    def standings(self) -> list[Standing]:
        """How each duty is."""
        return [duty.standing for duty in self.duties.values()]

    def wake(self, name: str) -> None:
        """Tell a duty, if the node has it, that there is something to do."""
        duty = self.duties.get(name)
        if duty is not None:
            duty.wake()
