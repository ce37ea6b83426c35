"""Measures the way from the journal into a block of the embedded chain.

python bench/publish.py
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from proml.capture.draft import Observed, RunEnded, RunStarted, StepAsked, Subject, encode
from proml.core.call import Founder
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import hexed
from proml.core.proposal import Governance
from proml.core.record import is_named
from proml.interfaces import Ledger
from proml.journal import Journal
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.embedded import RevivingRpc, open_ledger, send_through
from proml.ledger.founding import Founding, found
from proml.lifecycles import shipped
from proml.node.outbox import DONE, open_outbox
from proml.node.publisher import Publisher, Settings
from proml.node.transactions import FINAL
from proml.signing import LocalSigner, throwaway_key
from proml.storage.file import FileStorage
from proml.trust import LedgerFile

RUNS = 7
STEPS = 2_000
OBSERVATIONS = 100_000


def measure() -> dict[str, float]:
    """Seconds from the push of one journalled record to its block (median), and records per second of many.

    The latency is what somebody waits who says `proml push` with a project opened: reading the journal,
    sealing, storing, signing and the chain. The rates are those of 2,000 registrations in the journal, and of
    100,000 observations in one run.
    """
    with tempfile.TemporaryDirectory() as folder, founded(Path(folder)) as desk:
        latencies = [desk.latency() for _ in range(RUNS)]
        rate = desk.rate(STEPS)
        gas = desk.gas_per_step()
        desk.observe(OBSERVATIONS)
        observations = OBSERVATIONS / desk.push()
    return {
        "latency_first_block_seconds": statistics.median(latencies),
        "publish_records_per_s": rate,
        "publish_observations_per_s": observations,
        "publish_gas_per_record": gas,
    }


@dataclass(frozen=True, slots=True)
class Desk:
    """A participant of an embedded chain."""

    folder: Path
    ledger: Ledger
    signer: LocalSigner

    def note(self, count: int) -> None:
        """Write registrations of private datasets to the journal."""
        with Journal(self.folder / "journal") as journal:
            for _ in range(count):
                digest = hexed(os.urandom(32))
                subject = Subject("table.csv", 123_456, digest, hexed(os.urandom(32)))
                salt = hexed(os.urandom(32))
                journal.append(encode(StepAsked("dataset", "collect", 1.0, salt, None, "table", subject)))

    def observe(self, count: int) -> None:
        """Write a run in which so much was measured to the journal."""
        run = hexed(os.urandom(32))
        with Journal(self.folder / "journal") as journal:
            journal.append(encode(RunStarted(run, "train", 1.0)))
            for step in range(count):
                journal.append(encode(Observed(run, 1.0, step, {"loss": 1 / (1 + step)})))
            journal.append(encode(RunEnded(run, 2.0, "finished")))

    def push(self) -> float:
        """Publish what was noted; returns the seconds it took."""
        settings = Settings(self.folder / "journal", ("model",), shipped())
        storage = FileStorage(self.folder / "storage", is_named)
        before = time.perf_counter()
        with open_outbox(self.folder / "outbox.sqlite") as outbox:
            published = Publisher(outbox, self.ledger, self.signer, storage, settings).push()
        took = time.perf_counter() - before
        assert all(intent.state == DONE for intent in published.settled), published.settled
        return took

    def latency(self) -> float:
        """Seconds from the push of one record until its block was seen."""
        self.note(1)
        began = time.time()
        self.push()
        with open_outbox(self.folder / "outbox.sqlite") as outbox:
            included = outbox.txs(FINAL)[-1].included
        assert included is not None
        return included - began

    def rate(self, count: int) -> float:
        """Records per second of many at once."""
        self.note(count)
        return count / self.push()

    def gas_per_step(self) -> float:
        """Gas of the largest transaction, per step in it."""
        with open_outbox(self.folder / "outbox.sqlite") as outbox:
            largest = max(outbox.txs(FINAL), key=lambda tx: tx.gas or 0)
            return (largest.gas or 0) / len(outbox.intents(tx=largest.hash))


@contextmanager
def founded(folder: Path) -> Iterator[Desk]:
    """A consortium of one on an embedded chain of its own."""
    signer = throwaway_key()
    tables = [lifecycle.table for lifecycle in shipped()]
    founding = Founding([Founder(signer.address, role_mask(ROLES), b"\x01" * 32)], Governance(1), tables)
    with EmbeddedChain.create(folder / "chain") as chain:
        terms = found(RevivingRpc(chain), partial(send_through, chain), throwaway_key(), founding, finality=1)
        ledger = open_ledger(LedgerFile(terms, "embedded", str(chain.folder), {}))
        yield Desk(folder, ledger, signer)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
