"""A participant's place with everything a publisher needs, over the ledger in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from proml.capture.draft import (
    Draft,
    Observed,
    Produced,
    Reference,
    RunEnded,
    RunStarted,
    StepAsked,
    Subject,
    Used,
    encode,
)
from proml.core.call import BatchCall, Founder
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import hexed, sha256
from proml.core.event import Acted, Anchored, Refused, Registered
from proml.core.proposal import Governance
from proml.core.record import is_named, open_sealed
from proml.interfaces import Ledger, Storage
from proml.journal import Journal
from proml.ledger.memory import MemoryLedger
from proml.lifecycles import shipped
from proml.node.deposits import Deposits
from proml.node.intake import Intake
from proml.node.outbox import Intent, Outbox, open_outbox
from proml.node.publisher import Published, Publisher, Settings
from proml.node.sealing import Sealer
from proml.node.taking import Taken, take_in
from proml.node.view import chronicle_of, view_in
from proml.signing import LocalSigner, throwaway_key
from proml.storage.file import FileStorage

ROLE_MASK = role_mask(ROLES)


def salt() -> str:
    """A fresh salt in text form."""
    return hexed(os.urandom(32))


def subject(content: bytes = b"model", name: str = "model.bin") -> Subject:
    """What a file of these bytes is."""
    return Subject(name, len(content), hexed(sha256(content)), hexed(bytes(32)))


class Place:
    """One organisation's project. `other` is a second organisation's key on the same ledger."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.signer, self.other = throwaway_key(), throwaway_key()
        founders = [
            Founder(s.address, ROLE_MASK, bytes([n]) * 32) for n, s in enumerate((self.signer, self.other), 1)
        ]
        self.memory = MemoryLedger(founders, Governance(1), [lifecycle.table for lifecycle in shipped()])
        self.ledger: Ledger = self.memory
        self.storage: Storage = FileStorage(root / "storage", is_named)
        self.folder = root / "journal"
        self.path = root / "outbox.sqlite"
        self.settings = Settings(self.folder, ("model",), shipped(), patience=5.0)

    # --- writing to the journal ---------------------------------------------------------------

    def write(self, *drafts: Draft | bytes) -> None:
        """Write drafts as a process that has ended since."""
        with Journal(self.folder) as journal:
            for draft in drafts:
                journal.append(draft if isinstance(draft, bytes) else encode(draft))

    def run(self, *said: Draft, name: str = "train", outcome: str | None = "finished") -> str:
        """A run with what was said in it, whose drafts name any run; returns its salt."""
        run = salt()
        drafts: list[Draft] = [RunStarted(run, name, 1.0, {"depth": 3})]
        drafts += [_in(run, draft) for draft in said]
        if outcome:
            drafts.append(RunEnded(run, 2.0, outcome))
        self.write(*drafts)
        return run

    # --- publishing ---------------------------------------------------------------------------

    def push(self, signer: LocalSigner | None = None, **changes: Any) -> Published:
        """One push by a publisher of its own, as a new process would."""
        with open_outbox(self.path, patience=0) as outbox:
            return self.publisher(outbox, signer, **changes).push()

    def publisher(self, outbox: Outbox, signer: LocalSigner | None = None, **changes: Any) -> Publisher:
        settings = Settings(self.folder, ("model",), shipped(), **{"patience": 5.0, **changes})
        return Publisher(outbox, self.ledger, signer or self.signer, self.storage, settings)

    def take_in(self) -> Taken:
        with open_outbox(self.path) as outbox:
            return take_in(self.folder, outbox)

    def seal(self, taken: Taken | None = None) -> list[Intent]:
        """Take in and seal, and send nothing."""
        with open_outbox(self.path) as outbox:
            taken = taken or take_in(self.folder, outbox)
            outbox.set_sealing_key(self.signer.address)
            view = view_in(chronicle_of(self.ledger), self.ledger.terms, shipped(), self.signer.address)
            deposits = Deposits(self.storage)
            sealer = Sealer(view, deposits, outbox, ("model",))
            for _ in Intake(outbox, deposits, sealer, view).slices(taken.writing):
                pass
            return outbox.intents()

    def send(self, call: BatchCall, signer: LocalSigner) -> list[Any]:
        """Another program sends a call, past this place's publisher; returns what came of it."""
        transaction = self.memory.prepare(call, self.memory.nonce(signer.address))
        signed = signer.sign_transaction(transaction)
        self.memory.send(signed)
        receipt = self.memory.receipt(signed.hash)
        assert receipt is not None
        return [placed.event for placed in receipt.events]

    # --- looking ------------------------------------------------------------------------------

    def intents(self) -> list[Intent]:
        with open_outbox(self.path) as outbox:
            return outbox.intents()

    def labels(self, state: str | None = None) -> list[str]:
        return [intent.label for intent in self.intents() if state in (None, intent.state)]

    def reason(self, label: str) -> str:
        (intent,) = [intent for intent in self.intents() if intent.label == label]
        return intent.reason or ""

    def drafts(self) -> list[bytes]:
        """What was taken in and not sealed yet."""
        with open_outbox(self.path) as outbox:
            return [payload for _, payload in outbox.drafts()]

    def events(self) -> list[Any]:
        """What the ledger accepted of anybody, oldest first, without the founding."""
        kinds = (Registered, Acted, Anchored)
        return [
            p.event for p in self.memory.events(2, self.memory.head().number) if isinstance(p.event, kinds)
        ]

    def refusals(self) -> list[Refused]:
        return [p.event for p in self.memory.events(2, 10**9) if isinstance(p.event, Refused)]

    def record(self, intent: Intent) -> dict[str, Any]:
        """The record that an intent puts on the ledger, as storage has it."""
        return dict(open_sealed(self.storage.get(bytes.fromhex(intent.call["record"][2:]))).record)

    def records(self) -> dict[str, dict[str, Any]]:
        """Records by the label of their intents."""
        return {each.label: self.record(each) for each in self.intents() if each.what == "step" and each.call}

    def check(self) -> None:
        """What must hold at any quiet moment: every intent has one end, and the ledger says the same."""
        chronicle = chronicle_of(self.memory)
        assert chronicle.illegal == []
        names = [
            event.record if isinstance(event, Registered | Acted) else event.root for event in self.events()
        ]
        assert len(names) == len(set(names)), "something was done twice"
        for intent in self.intents():
            assert intent.state in ("done", "refused", "invalid"), intent
            if intent.what == "entry":
                continue
            name = intent.artefact if intent.what == "anchor" else bytes.fromhex(intent.call["record"][2:])
            assert (name in names) == (intent.state == "done"), intent


def _in(run: str, draft: Any) -> Draft:
    fields = {name: getattr(draft, name) for name in draft.__slots__} | {"run": run}
    made: Draft = type(draft)(**fields)
    return made


def observed(step: int = 0, **metrics: float) -> Observed:
    """Something measured in a run to be named."""
    return Observed("", 1.5, step, metrics or {"loss": 0.5})


def produced(content: bytes = b"model", kind: str | None = "model", name: str = "m") -> Produced:
    """Something produced by a run to be named."""
    return Produced("", subject(content, name), kind, name, salt() if kind else None)


def used(content: bytes = b"table", part: str = "data") -> Used:
    """Bytes used by a run to be named."""
    return Used("", Reference(subject=subject(content, "table.csv")), part)


def collected(content: bytes = b"table", name: str = "digits", salt_: str | None = None) -> StepAsked:
    """A dataset to be registered."""
    return StepAsked("dataset", "collect", 1.0, salt_ or salt(), None, name, subject(content, "table.csv"))


def asked(action: str, content: bytes = b"table", kind: str = "dataset", **changes: Any) -> StepAsked:
    """A step of what has these bytes."""
    made = subject(content, "table.csv")
    changes = {"reference": Reference(subject=made), "subject": made} | changes
    return StepAsked(kind, action, 1.0, **changes)


Told = Callable[[Intent], None]
