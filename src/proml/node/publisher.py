"""The publisher: takes the journal to the ledger, and knows at every moment what is certain.

`push` reads downwards; between its steps stands what is true if the process dies there. The normal path
is the recovery path: every push begins by settling what earlier ones left. What holds of transactions
stands in `sending.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proml.contracts.batches import MAX_STEPS
from proml.core.digest import hexed
from proml.core.lifecycle import Lifecycle
from proml.core.refusal import Reason
from proml.errors import JournalProblem, KeyProblem, LedgerProblem, StepRefused
from proml.interfaces import Ledger, Signer, Storage
from proml.node.batching import CALL, STEP
from proml.node.deposits import Deposits
from proml.node.fees import CAP
from proml.node.intake import Intake
from proml.node.outbox import DONE, REFUSED, WAITING, Intent, Outbox
from proml.node.reconciling import reconcile
from proml.node.sealing import Sealer
from proml.node.sending import LOOKED_AT, Limits, Memory, Sender
from proml.node.settling import Settling
from proml.node.single_calls import SingleCall, call_document, label_of, name_of_call
from proml.node.taking import Taken, take_in
from proml.node.view import LedgerView, Reading, view_in

FIRST_POLL_SECONDS = 0.005
LAST_POLL_SECONDS = 1.0
PATIENCE_SECONDS = 120.0
BLOCK_SECONDS = 60.0
# A ledger that fails so often in a row has a reason that waiting does not change.
ATTEMPTS = 5
# Sealed and not signed yet; more would wait no longer, and take room.
ENOUGH_WAITING = 2_048
NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Settings:
    """How to publish.

    Attributes:
        journal: folder of the journal.
        discoverable: kinds whose subjects go out as plain digests.
        lifecycles: those whose files are at hand.
        items: most items in one transaction, 1 to 64.
        patience: seconds in which something has to become final, or the word is given back; None for
            two minutes, or one a block where finality takes longer than that.
        reconcile: take over what the key did and this outbox does not know of.
        fee_cap: wei per gas that no transaction offers more than.
    """

    journal: Path
    discoverable: tuple[str, ...]
    lifecycles: tuple[Lifecycle, ...]
    items: int = MAX_STEPS
    patience: float | None = None
    reconcile: bool = False
    fee_cap: int = CAP


@dataclass(frozen=True, slots=True)
class Published:
    """What one push came to: intents settled by it, in order, journal damage it met, and how much is left."""

    settled: tuple[Intent, ...]
    damage: tuple[JournalProblem, ...]
    left: int = 0


class Publisher:
    """Publishes one project's journal with one key. Hold the outbox open, so that nobody else does."""

    def __init__(
        self,
        outbox: Outbox,
        ledger: Ledger,
        signer: Signer,
        storage: Storage,
        settings: Settings,
        memory: Memory | None = None,
    ) -> None:
        """Nothing happens before `push`. A `memory` that is kept from one push to the next saves time."""
        self._outbox = outbox
        self._ledger = ledger
        self._signer = signer
        self._storage = storage
        self._settings = settings
        self._memory = memory or Memory(Reading(ledger))
        usual = max(PATIENCE_SECONDS, BLOCK_SECONDS * ledger.terms.finality)
        self._patience = usual if settings.patience is None else settings.patience

    def push(self, told: Callable[[Intent], None] = lambda _: None, wait: bool = True) -> Published:
        """Publish everything there is; `told` hears of each intent as it is settled.

        Args:
            told: called outside any transaction of the outbox.
            wait: for blocks, until all of it is final; otherwise what has to wait is left under way.

        Raises:
            LedgerProblem: when the ledger is away, or nothing becomes final within the patience.
                Nothing is lost by it: what was sent stays `sent`, the next push goes on.
            KeyProblem: when the key may not write to this ledger, or what waits was sealed for another.
            StorageProblem: when the ledger knows of things done with this key that the outbox does not.
        """
        settled: list[Intent] = []

        def settle(intent: Intent) -> None:
            settled.append(intent)
            told(intent)

        settling = Settling(self._outbox, self._memory.reading)
        with self._sender(settling) as sender:
            # What an earlier push left under way comes first, as far as it can be settled at once.
            self._drain(sender, settle, wait=False, least=NEVER)
            self._compare(sender, settling, settle)
            taken = take_in(self._settings.journal, self._outbox)
            # Here the journal is in the outbox up to its cursors; dying repeats nothing.

            self._claim_key()
            self._seal_and_send(sender, settling, taken, settle)
            self._drain(sender, settle, wait)
            left = len(self._outbox.unsettled(LOOKED_AT)) + self._outbox.count(WAITING)
        return Published(tuple(settled), taken.damage, left)

    def seal(self, told: Callable[[Intent], None] = lambda _: None) -> list[Intent]:
        """Seal everything there is, send nothing, and give what waits in its order; `told` hears of the rest.

        What waited and is on the ledger is settled first, and so is what can never be: a step out of turn.

        Raises:
            LedgerProblem: when the ledger is away.
            KeyProblem: when the key may not write to this ledger, or what waits was sealed for another.
        """
        view = self._view()
        Settling(self._outbox, self._memory.reading).settle_what_is_there(view.organisation, told)
        artefacts = view.chronicle.shared.artefacts
        for intent in self._outbox.intents(WAITING):
            standing = artefacts.get(intent.artefact)
            if intent.what == STEP and standing and standing.sequence >= intent.call["sequence"]:
                late = Reason.WRONG_SEQUENCE
                self._outbox.settle_intent(intent.id, REFUSED, f"{late.text}; {late.hint}")
                told(self._outbox.intent(intent.id))
        self._claim_key()
        taken = take_in(self._settings.journal, self._outbox)
        deposits = Deposits(self._storage)
        for invalid in Intake(self._outbox, deposits, *self._sealer(deposits)).slices(taken.writing):
            for intent in invalid:
                told(intent)
        return self._outbox.intents(WAITING)

    def _sender(self, settling: Settling) -> Sender:
        limits = Limits(self._settings.items, self._settings.fee_cap)
        return Sender(settling, self._ledger, self._signer, self._memory, limits)

    def _compare(self, sender: Sender, settling: Settling, settle: Callable[[Intent], None]) -> None:
        """Go on only where what the key has done agrees with what the outbox knows of it."""
        key = self._signer.address
        view = self._view()
        sender.organisation = view.organisation
        mined = self._ledger.nonce(key)
        answered = max(self._outbox.highest_nonce(key) + 1, self._outbox.nonces_elsewhere(key))
        if mined > answered:
            settling.settle_what_is_there(view.organisation, settle)
            reconcile(self._outbox, self._storage, view, mined, self._settings.reconcile)

    def _seal_and_send(
        self, sender: Sender, settling: Settling, taken: Taken, settle: Callable[[Intent], None]
    ) -> None:
        """Seal what was taken in, slice by slice, and send meanwhile what is sealed."""
        deposits = Deposits(self._storage)
        settling.disturbed = False
        intake = Intake(self._outbox, deposits, *self._sealer(deposits))
        for invalid in intake.slices(taken.writing):
            for intent in invalid:
                settle(intent)
            # Here records are in storage and their intents wait; dying leaves them waiting.
            self._drain(sender, settle, most=ENOUGH_WAITING)
            if settling.disturbed:
                settling.disturbed = False
                intake.look_again(*self._sealer(deposits))

    def _sealer(self, deposits: Deposits) -> tuple[Sealer, LedgerView]:
        view = self._view()
        return Sealer(view, deposits, self._outbox, self._settings.discoverable), view

    def _view(self) -> LedgerView:
        chronicle = self._memory.reading.chronicle()
        return view_in(chronicle, self._ledger.terms, self._settings.lifecycles, self._signer.address)

    def _drain(
        self,
        sender: Sender,
        settle: Callable[[Intent], None],
        wait: bool = True,
        least: int = 1,
        most: int = 0,
    ) -> None:
        """Let the sender work until at most so much waits; or, not waiting, until it has to wait for blocks.

        Raises:
            LedgerProblem: the ledger failed so often in a row that it has a reason, or nothing moved within
                the patience.
        """
        deadline = time.monotonic() + self._patience
        pause, failures = FIRST_POLL_SECONDS, 0
        while True:
            if most and self._outbox.count(WAITING) <= most:
                # More is sealed in a moment: what would not fill a transaction waits for that.
                sender.step(settle, wait=0, least=self._settings.items)
                return
            moved = sender.step(settle, least=least)
            if sender.is_quiet or (least == NEVER and not self._outbox.unsettled(1)):
                return
            if moved:
                deadline, pause, failures = time.monotonic() + self._patience, FIRST_POLL_SECONDS, 0
                continue
            failures = failures + 1 if sender.problem else 0
            if sender.problem and failures == ATTEMPTS:
                raise sender.problem
            if not wait and not sender.problem:
                return
            if time.monotonic() > deadline:
                raise sender.problem or self._not_final()
            time.sleep(pause)
            pause = min(2 * pause, LAST_POLL_SECONDS)

    def _not_final(self) -> LedgerProblem:
        first = next(iter(self._outbox.unsettled(1)), None)
        what = f"transaction {hexed(first.hash)}" if first else "what waits"
        return LedgerProblem(
            f"{what} is not final after {self._patience:.0f} s",
            "nothing is lost; `proml push` goes on from here",
        )

    def make(self, call: SingleCall) -> Intent:
        """Make one call in a transaction of its own, and wait until it is final.

        Raises:
            StepRefused: when the contracts refuse it; nothing changed.
            LedgerProblem, KeyProblem: as `push`.
        """
        with self._sender(Settling(self._outbox, self._memory.reading)) as sender:
            self._drain(sender, lambda _: None, least=NEVER)
            self._claim_key()
            sent = sender.signed(call)
            # Together, so that a call whose command failed before it was signed is not made by a later push.
            with self._outbox.together():
                number = self._outbox.add_intent(
                    CALL, label_of(call), name_of_call(call), call_document(call), time.time()
                )
                self._outbox.add_tx(sent, [number])
            self._drain(sender, lambda _: None)
        intent = self._outbox.intent(number)
        if intent.state != DONE:
            raise StepRefused(label_of(call), intent.reason or "no reason given")
        return intent

    def _claim_key(self) -> None:
        """Refuse to sign with one key what was sealed for another: records name it, and ids come of it."""
        key, sealed_for = self._signer.address, self._outbox.sealing_key()
        if sealed_for == key:
            return
        waiting = self._outbox.count(WAITING)
        if waiting and sealed_for is not None:
            raise KeyProblem(
                f"{waiting} items wait that were sealed for the key {hexed(sealed_for)}",
                "push once more with that key, then change over",
            )
        self._outbox.set_sealing_key(key)
