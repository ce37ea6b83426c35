"""What must have happened: a participant as a small state machine, fed with what its journal acknowledged.

It knows the rules of two lifecycles by heart, and nothing of transactions, nonces, blocks or failures: those
may change when something happens and how often it is tried, and never what comes of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from proml.core.chronicle import Chronicle
from proml.core.digest import hexed, unhexed
from proml.core.event import Acted, Anchored, Placed, Registered
from proml.core.proof import open_batch
from proml.errors import RecordInvalid
from proml.interfaces import Storage
from proml.node.outbox import Intent

# Where an action of a dataset leads, by where it stands.
MOVES = {
    ("none", "collect"): "collected",
    ("collected", "amend"): "collected",
    ("approved", "amend"): "collected",
    ("collected", "approve"): "approved",
    ("collected", "retire"): "retired",
    ("approved", "retire"): "retired",
}


@dataclass(slots=True)
class Model:
    """What a participant asked for, and what must become of it.

    Attributes:
        datasets: salt to the actions that were asked for and must be accepted, in order.
        refused: how many steps no rule allows.
        runs: salt to what was measured in it, in order.
    """

    datasets: dict[str, list[str]] = field(default_factory=dict)
    refused: int = 0
    runs: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    _states: dict[str, str] = field(default_factory=dict)

    def ask(self, salt: str, action: str) -> None:
        """A step of a dataset was asked for."""
        after = MOVES.get((self._states.get(salt, "none"), action))
        if after is None:
            self.refused += 1
            return
        self._states[salt] = after
        self.datasets.setdefault(salt, []).append(action)

    def state(self, salt: str) -> str:
        """Where a dataset stands."""
        return self._states.get(salt, "none")

    def may_go_on(self, salt: str) -> bool:
        """Whether anything is allowed to a dataset."""
        return any(before == self._states.get(salt, "none") for before, _ in MOVES)

    def run(self, salt: str, measured: Sequence[tuple[int, float]]) -> None:
        """A run was started, something was measured in it, and it ended well."""
        self.runs[salt] = list(measured)

    def check(self, world: World) -> None:
        """Compare with what did happen; AssertionError says what differs."""
        self._check_histories(world)
        self._check_observations(world)
        self._check_intents(world)

    def _check_histories(self, world: World) -> None:
        assert world.chronicle.illegal == []
        expected = {
            **{world.ids[salt]: tuple(actions) for salt, actions in self.datasets.items()},
            **{world.ids[salt]: ("start", "finish") for salt in self.runs},
        }
        found = {
            artefact: tuple(
                world.action(placed) for placed in world.steps if placed.event.artefact == artefact
            )
            for artefact in {placed.event.artefact for placed in world.steps}
        }
        assert found == expected, f"the ledger has {_names(found)}, asked for was {_names(expected)}"

    def _check_observations(self, world: World) -> None:
        said: Counter[str] = Counter()
        for root in world.roots:
            batch = world.batches.get(root)
            assert batch is not None, f"the batch behind anchor {hexed(root)} is not in storage"
            said.update(json.dumps([each["run"], each["step"], each["metrics"]]) for each in batch)
        asked = Counter(
            json.dumps([hexed(world.ids[salt]), step, {"loss": loss}])
            for salt, measured in self.runs.items()
            for step, loss in measured
        )
        assert said == asked, (
            f"anchored and not measured {said - asked}, measured and not anchored {asked - said}"
        )

    def _check_intents(self, world: World) -> None:
        states = Counter(intent.state for intent in world.intents)
        assert states.keys() <= {"done", "refused"}, states
        assert states["refused"] == self.refused, [i for i in world.intents if i.state == "refused"]
        assert all(intent.reason for intent in world.intents if intent.state == "refused")
        names = {placed.event.record for placed in world.steps} | set(world.roots)
        for intent in world.intents:
            name = intent.artefact if intent.what == "anchor" else unhexed(intent.call["record"])
            assert (name in names) == (intent.state == "done"), intent


@dataclass(frozen=True, slots=True)
class World:
    """What did happen, read by a bystander on a clean line.

    Attributes:
        chronicle: every history.
        steps: accepted steps, in chain order.
        roots: anchored Merkle roots, each as often as it was anchored.
        batches: observations behind the roots, from storage.
        intents: what the outbox says of each item.
        ids: artefacts by their salt.
        names: of actions, by lifecycle number and action number.
    """

    chronicle: Chronicle
    steps: list[Placed]
    roots: list[bytes]
    batches: Mapping[bytes, Sequence[Any]]
    intents: list[Intent]
    ids: Mapping[str, bytes]
    names: Mapping[tuple[int, int], str]

    def action(self, placed: Placed) -> str:
        """The name of a step's action."""
        lifecycle = self.chronicle.shared.artefacts[placed.event.artefact].lifecycle
        return self.names[lifecycle, placed.event.action]


def read_batches(storage: Storage) -> dict[bytes, Sequence[Any]]:
    """Every batch of observations in a storage, by its root."""
    found: dict[bytes, Sequence[Any]] = {}
    for digest in storage.digests():
        content = storage.get(digest)
        with suppress(RecordInvalid):  # most are records
            batch = open_batch(content)
            found[batch.root] = batch.observations
    return found


def accepted(events: Sequence[Placed]) -> tuple[list[Placed], list[bytes]]:
    """Accepted steps and anchored roots among events."""
    steps = [placed for placed in events if isinstance(placed.event, Registered | Acted)]
    return steps, [placed.event.root for placed in events if isinstance(placed.event, Anchored)]


def _names(histories: Mapping[bytes, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {artefact.hex()[:6]: actions for artefact, actions in sorted(histories.items())}
