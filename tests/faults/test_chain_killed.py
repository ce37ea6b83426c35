"""The embedded chain killed with signal 9 again and again while a participant publishes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proml.capture.draft import Observed, RunEnded, RunStarted, encode
from proml.core.call import Founder
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import hexed
from proml.core.event import Acted, Anchored, Refused, Registered
from proml.core.proposal import Governance
from proml.core.record import is_named
from proml.errors import LedgerProblem
from proml.interfaces import Ledger, Receipt, Standing
from proml.journal import Journal
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.embedded import RevivingRpc, open_ledger, send_through
from proml.ledger.founding import Founding, found
from proml.lifecycles import shipped
from proml.node.outbox import Intent, open_outbox
from proml.node.publisher import Publisher, Settings
from proml.node.view import chronicle_of
from proml.signing import LocalSigner, throwaway_key
from proml.storage.file import FileStorage
from proml.trust import LedgerFile

pytestmark = pytest.mark.faults

RUNS = 100
ITEMS = 8
SEED = 5
LONGEST_LIFE_SECONDS = 1.0


def founded(folder: Path, signer: LocalSigner) -> Ledger:
    """A consortium of one on a new embedded chain, opened as a project opens it."""
    chain = EmbeddedChain.create(folder / "chain", dump_every=10)
    chain.up()
    founding = Founding(
        [Founder(signer.address, role_mask(ROLES), b"\x01" * 32)],
        Governance(1),
        [lifecycle.table for lifecycle in shipped()],
    )
    terms = found(
        RevivingRpc(chain), lambda raw: send_through(chain, raw), throwaway_key(), founding, finality=1
    )
    return open_ledger(LedgerFile(terms, "embedded", str(chain.folder), {}))


def written(folder: Path) -> None:
    """A journal of a hundred runs with something measured in each."""
    with Journal(folder) as journal:
        for number in range(RUNS):
            run = hexed(os.urandom(32))
            journal.append(encode(RunStarted(run, f"run {number}", 1.0)))
            journal.append(encode(Observed(run, 1.5, 0, {"loss": number})))
            journal.append(encode(RunEnded(run, 2.0, "finished")))


class Killer(threading.Thread):
    """Kills whatever runs the chain, at random moments, until it is told to stop."""

    def __init__(self, chain: EmbeddedChain) -> None:
        super().__init__(daemon=True)
        self.kills = 0
        self._chain = chain
        self._random = random.Random(SEED)
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self._random.uniform(0.02, LONGEST_LIFE_SECONDS)):
            pid = self._chain.status().pid
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.kills += 1

    def stop(self) -> None:
        self._over.set()
        self.join()


@dataclass
class Acknowledged:
    """What the publisher said was settled, and what the ledger said of it at that moment."""

    ledger: Ledger
    places: dict[int, tuple[str, int, bytes, bytes]] = field(default_factory=dict)

    def hear(self, intent: Intent) -> None:
        assert intent.id not in self.places, f"{intent.label} was settled twice"
        assert intent.tx is not None
        receipt, standing = self._asked(intent.tx, intent.artefact)
        assert receipt is not None
        head = standing.head if standing else b""
        self.places[intent.id] = (intent.state, receipt.block.number, receipt.block.hash, head)

    def _asked(self, transaction: bytes, artefact: bytes) -> tuple[Receipt | None, Standing | None]:
        while True:
            with contextlib.suppress(LedgerProblem):
                return self.ledger.receipt(transaction), self.ledger.standing(artefact)


def test_what_was_acknowledged_stays_through_any_number_of_kills(tmp_path):
    signer = throwaway_key()
    ledger = founded(tmp_path, signer)
    written(tmp_path / "journal")
    chain = EmbeddedChain(tmp_path / "chain")
    settings = Settings(tmp_path / "journal", (), shipped(), items=ITEMS)
    heard = Acknowledged(ledger)
    killer = Killer(chain)
    killer.start()
    pushes, deadline = 0, time.monotonic() + 120
    try:
        with open_outbox(tmp_path / "outbox.sqlite") as outbox:
            publisher = Publisher(
                outbox, ledger, signer, FileStorage(tmp_path / "storage", is_named), settings
            )
            while len(heard.places) < 3 * RUNS and time.monotonic() < deadline:
                pushes += 1
                with contextlib.suppress(LedgerProblem):
                    publisher.push(heard.hear)
            intents = {intent.id: intent for intent in outbox.intents()}
    finally:
        killer.stop()
    try:
        check(ledger, heard, intents)
    finally:
        chain.down()
    # How often depends on how busy the machine is; what holds after one kill must hold after any.
    assert killer.kills >= 1
    # It goes on by itself: hardly ever must somebody push again.
    assert pushes <= killer.kills + 1


def check(ledger: Ledger, heard: Acknowledged, intents: dict[int, Intent]) -> None:
    """Compare what was acknowledged with what the ledger holds now, and count every effect."""
    assert heard.places.keys() == intents.keys()
    assert {intent.state for intent in intents.values()} == {"done"}
    chronicle = chronicle_of(ledger)
    assert chronicle.illegal == []
    events = list(ledger.events(ledger.terms.deployed + 1, ledger.head().number))
    assert not any(isinstance(placed.event, Refused) for placed in events)
    assert sum(isinstance(placed.event, Registered) for placed in events) == RUNS
    assert sum(isinstance(placed.event, Acted) for placed in events) == RUNS
    assert sum(isinstance(placed.event, Anchored) for placed in events) == RUNS
    for number, (_, block, block_hash, head) in heard.places.items():
        intent = intents[number]
        assert intent.tx is not None
        receipt = ledger.receipt(intent.tx)
        assert receipt is not None
        assert (receipt.block.number, receipt.block.hash) == (block, block_hash)
        found = ledger.block(block)
        assert found is not None
        assert found.hash == block_hash
        if intent.what == "step":
            assert head in [transition.head for transition in chronicle.histories[intent.artefact]]
