"""Measures the offline verification of a history of 1,000 records.

python bench/verify.py
"""

import json
import secrets
import statistics
import time
from collections.abc import Iterator
from typing import Any

from proml.core.artefact import artefact_id
from proml.core.call import BatchCall, Founder, StepCall
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import hexed
from proml.core.proposal import Governance
from proml.core.record import is_named, seal
from proml.core.verdict import Conclusion
from proml.errors import NotFound, StorageProblem
from proml.ledger.memory import MemoryLedger
from proml.lifecycles import shipped
from proml.signing import throwaway_key
from proml.verify import ById, read_ledger, verify

RUNS = 5
RECORDS = 1_000
BATCH = 50
DATASET, *_ = shipped()


class Shelf:
    """Records in memory, checked on every read as every storage does."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}

    def put(self, digest: bytes, content: bytes) -> None:
        """Keep."""
        self.kept[digest] = content

    def get(self, digest: bytes) -> bytes:
        """Give back, checked."""
        if digest not in self.kept:
            raise NotFound("not here")
        if not is_named(digest, self.kept[digest]):
            raise StorageProblem("other bytes")
        return self.kept[digest]

    def has(self, digest: bytes) -> bool:
        """Whether there is something."""
        return digest in self.kept

    def digests(self) -> Iterator[bytes]:
        """All names."""
        return iter(self.kept)


class History:
    """A dataset that is amended again and again, each step with a record of about 1 kB."""

    def __init__(self) -> None:
        self.key = throwaway_key()
        founder = Founder(self.key.address, role_mask(ROLES), b"\1" * 32)
        self.ledger = MemoryLedger([founder], Governance(1), [each.table for each in shipped()])
        self.shelf = Shelf()
        self.salt = secrets.token_bytes(32)
        terms = self.ledger.terms
        self.artefact = artefact_id(terms.chain_id, terms.contract, self.key.address, self.salt)

    def grow(self, steps: int) -> None:
        """Make that many steps, in transactions of 50."""
        for first in range(1, steps + 1, BATCH):
            calls = [self._step(sequence) for sequence in range(first, min(first + BATCH, steps + 1))]
            call = BatchCall((), tuple(calls))
            transaction = self.ledger.prepare(call, self.ledger.nonce(self.key.address))
            self.ledger.send(self.key.sign_transaction(transaction))

    def _step(self, sequence: int) -> StepCall:
        action = "amend" if sequence > 1 else "collect"
        subject = secrets.token_bytes(32)
        sealed = seal(self._record(sequence, action, subject), secrets.token_bytes(32))
        self.shelf.put(sealed.commitment, sealed.content)
        return StepCall(
            artefact=self.artefact if sequence > 1 else self.salt,
            lifecycle=0 if sequence > 1 else 1,
            action=DATASET.action_number(action),
            sequence=sequence,
            record=sealed.commitment,
            subject=subject,
        )

    def _record(self, sequence: int, action: str, subject: bytes) -> dict[str, Any]:
        packages = {f"package-{number}": f"1.{number}.0" for number in range(15)}
        return {
            "type": "proml/record",
            "version": 1,
            "artefact": hexed(self.artefact),
            "kind": DATASET.kind,
            "name": "measurements",
            "action": action,
            "sequence": sequence,
            "actor": {"organisation": 1, "key": hexed(self.key.address)},
            "subject": {"name": "measurements.csv", "size": 123_456, "sha256": hexed(subject)},
            "activity": {
                "start": "2026-01-05T09:30:00Z",
                "command": ["python", "clean.py", "--threshold", "0.5"],
                "code": {"commit": "1f9c" * 10, "dirty": False},
                "environment": {"python": "3.11.7", "packages": packages},
            },
            "parameters": {"threshold": 0.5, "seed": 7},
            "metrics": {"rows": 100_000, "missing": 0.0123},
        }


def measure() -> dict[str, float]:
    """Seconds to read all events of a ledger and make every check of one artefact of 1,000 steps."""
    history = History()
    history.grow(RECORDS)
    took = []
    for _ in range(RUNS):
        before = time.perf_counter()
        verdict = verify(read_ledger(history.ledger), [history.shelf], shipped(), ById(history.artefact))
        took.append(time.perf_counter() - before)
        assert verdict.conclusion is Conclusion.VALID, verdict.document()
        assert len(verdict.deeds) == RECORDS
    return {"verify_1000_record_history_seconds": statistics.median(took)}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
