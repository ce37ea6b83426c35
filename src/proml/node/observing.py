"""Finding single observations of a run, and the proof of each: a metric, a checkpoint, an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proml.core.chronicle import Chronicle
from proml.core.digest import hexed, unhexed
from proml.core.proof import ObservationBatch, Proof
from proml.errors import NotFound, UsageProblem
from proml.node.participant import Participant
from proml.verify.records import StoredRecords

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Sought:
    """Which observation is meant; what is None may be anything.

    Attributes:
        number: its place among the run's observations, from 1.
        step: the step it was logged with.
        metric: a name among its metrics.
    """

    number: int | None = None
    step: int | None = None
    metric: str | None = None

    def fits(self, number: int, observation: Mapping[str, Any]) -> bool:
        """Whether an observation is one that is meant."""
        metrics = observation.get("metrics")
        return (
            (self.number is None or number == self.number)
            and (self.step is None or observation.get("step") == self.step)
            and (self.metric is None or (isinstance(metrics, dict) and self.metric in metrics))
        )


def proof_of(me: Participant, chronicle: Chronicle, run: bytes, sought: Sought) -> Proof:
    """The proof of the one observation of a run that is meant.

    Raises:
        NotFound: the run's records name no observations, their batch is not here, or none is meant.
        UsageProblem: several are meant; the message says which.
    """
    found: list[tuple[int, ObservationBatch, int]] = []
    total = 0
    for first, batch in _batches(me, chronicle, run):
        total = first + len(batch.observations)
        found += [
            (first + index + 1, batch, index)
            for index, observation in enumerate(batch.observations)
            if sought.fits(first + index + 1, observation)
        ]
    if not total:
        raise NotFound(
            f"the records of {hexed(run)} name no observations",
            "a run's record names them when it has ended and `proml push` has published that",
        )
    if not found:
        raise NotFound(
            f"none of the {total} observations of {hexed(run)} is like that",
            "--number counts them from 1, --step and --metric are those of `run.log`",
        )
    if len(found) > 1:
        numbers = ", ".join(str(number) for number, _, _ in found[:SHOWN])
        more = " …" if len(found) > SHOWN else ""
        raise UsageProblem(
            f"{len(found)} of {total} observations are like that", f"choose one by --number: {numbers}{more}"
        )
    _, batch, index = found[0]
    return batch.prove(index)


def _batches(me: Participant, chronicle: Chronicle, run: bytes) -> Iterator[tuple[int, ObservationBatch]]:
    """The batches a run's records name, each with the number of observations before it."""
    stored = StoredRecords([me.storage])
    before = 0
    for transition in chronicle.histories[run]:
        record = me.record(transition.step.record)
        for entry in record.get("observations", ()) if record else ():
            yield before, stored.batch(unhexed(entry["batch"]))
            before += entry["count"]
