"""The publisher: takes the journal to the ledger, and knows at every moment what is certain.

`push` reads downwards; between its steps stands what is true if the process dies there. The normal path
is the recovery path: every push begins by settling what earlier ones left.

Invariants (docs/operating.md explains them to operators):

* signed bytes are on the disk before the first of them leaves;
* one nonce, one transaction; the same bytes are sent again, never different ones for a nonce that may
  be in a block;
* unknown is never failed: only a final receipt settles an intent;
* at most one effect per intent: every step names the sequence it expects, and nothing is signed again before
  the nonce of its first transaction is used by another for good and the ledger does not have it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from proml.contracts.abi import MAX_STEPS
from proml.core.call import ContractCall
from proml.core.chronicle import Chronicle
from proml.core.digest import hexed
from proml.core.lifecycle import Lifecycle
from proml.errors import JournalProblem, KeyProblem, LedgerProblem, StepRefused, StorageProblem, WrongLedger
from proml.interfaces import Ledger, Receipt, SignedTransaction, Signer, Storage
from proml.node.batching import CALL, STEP, is_on, is_on_step, next_call, outcomes
from proml.node.deposits import Deposits
from proml.node.intake import Intake, take_in
from proml.node.outbox import (
    DISPLACED,
    DONE,
    FINAL,
    INCLUDED,
    INVALID,
    OVERTAKEN,
    REFUSED,
    SIGNED,
    UNSETTLED,
    WAITING,
    Intent,
    Outbox,
    Sent,
)
from proml.node.sealing import Sealer
from proml.node.single_calls import SingleCall, call_document, label_of, name_of_call
from proml.node.view import chronicle_of, view_of

FIRST_POLL_SECONDS = 0.005
LAST_POLL_SECONDS = 1.0
DISPLACED_SECONDS = 2.0
PATIENCE_SECONDS = 120.0
BLOCK_SECONDS = 60.0
# A ledger that fails so often in a row has a reason that waiting does not change.
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """How to publish.

    Attributes:
        journal: folder of the journal.
        discoverable: kinds whose subjects go out as plain digests.
        lifecycles: those whose files are at hand.
        items: most items in one transaction, 1 to 64.
        patience: seconds to wait for a transaction to become final before giving the word back; None for
            two minutes, or one a block where finality takes longer than that.
        start_over: publish although the outbox is empty and the key is not new to the ledger.
    """

    journal: Path
    discoverable: tuple[str, ...]
    lifecycles: tuple[Lifecycle, ...]
    items: int = MAX_STEPS
    patience: float | None = None
    start_over: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """What one push came to: intents settled by it, in order, and journal damage it met."""

    settled: tuple[Intent, ...]
    damage: tuple[JournalProblem, ...]


class Publisher:
    """Publishes one project's journal with one key. Hold the outbox open, so that nobody else does."""

    def __init__(
        self, outbox: Outbox, ledger: Ledger, signer: Signer, storage: Storage, settings: Settings
    ) -> None:
        """Nothing happens before `push`."""
        self._outbox = outbox
        self._ledger = ledger
        self._signer = signer
        self._storage = storage
        self._settings = settings
        usual = max(PATIENCE_SECONDS, BLOCK_SECONDS * ledger.terms.finality)
        self._patience = usual if settings.patience is None else settings.patience
        self._problem: LedgerProblem | None = None  # what came up at the newest try

    def push(self, told: Callable[[Intent], None] = lambda _: None) -> Published:
        """Publish everything there is; `told` hears of each intent as it is settled.

        Raises:
            LedgerProblem: when the ledger is away, or a transaction is not final within the patience.
                Nothing is lost by it: what was sent stays `sent`, the next push goes on.
            KeyProblem: when the key may not write to this ledger, or what waits was sealed for another.
        """
        settled: list[Intent] = []

        def settle(intent: Intent) -> None:
            settled.append(intent)
            told(intent)

        # Whatever an earlier push left unsettled comes first: its outcome decides what sealing sees.
        self._await_final(settle)

        if not self._settings.start_over:
            self._refuse_lost_outbox()
        taken = take_in(self._settings.journal, self._outbox)
        # Here the journal is in the outbox up to its cursors; dying repeats nothing.

        self._claim_key()
        view = view_of(self._ledger, self._settings.lifecycles, self._signer.address)
        self._settle_what_is_there(view.chronicle, view.organisation, settle)
        deposits = Deposits(self._storage)
        sealer = Sealer(view, deposits, self._outbox, self._settings.discoverable)
        before = {intent.id for intent in self._outbox.intents(INVALID)}
        Intake(self._outbox, deposits, sealer, view).seal_drafts(taken.writing)
        # Here records are in storage and their intents wait; dying leaves them waiting.
        for intent in self._outbox.intents(INVALID):
            if intent.id not in before:
                settle(intent)

        while waiting := self._outbox.intents(WAITING, limit=self._settings.items):
            self._sign(waiting)
            # Here the signed bytes are on the disk and nobody else has seen them; dying sends them later.
            if self._await_final(settle):
                self._settle_what_is_there(chronicle_of(self._ledger), view.organisation, settle)
        return Published(tuple(settled), taken.damage)

    def make(self, call: SingleCall) -> Intent:
        """Make one call in a transaction of its own, and wait until it is final.

        Raises:
            StepRefused: when the contracts refuse it; nothing changed.
            LedgerProblem, KeyProblem: as `push`.
        """
        self._await_final(lambda _: None)
        self._claim_key()
        sent = self._signed(call)
        # Together, so that a call whose command failed before it was signed is not made by a later push.
        with self._outbox.together():
            number = self._outbox.add_intent(
                CALL, label_of(call), name_of_call(call), call_document(call), time.time()
            )
            self._outbox.add_tx(sent, [number])
        self._await_final(lambda _: None)
        while (intent := self._outbox.intent(number)).state not in (DONE, REFUSED):
            self._sign([intent])
            self._await_final(lambda _: None)
        if intent.state != DONE:
            raise StepRefused(label_of(call), intent.reason or "no reason given")
        return intent

    def _refuse_lost_outbox(self) -> None:
        """An empty outbox and a key that has written before: publishing anew would repeat what was done.

        Raises:
            StorageProblem: saying so.
        """
        key = self._signer.address
        if self._outbox.cursors() or self._outbox.highest_nonce(key) >= 0:
            return
        written = self._ledger.nonce(key)
        if written:
            raise StorageProblem(
                f"the outbox is empty, but the key {hexed(key)} has made {written} transactions",
                "restore it from its backup, or, if the key was used elsewhere, `proml push --start-over`",
            )

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

    def _settle_what_is_there(
        self, chronicle: Chronicle, organisation: int, settle: Callable[[Intent], None]
    ) -> None:
        """Settle what waits and is on the ledger all the same.

        Either this outbox is an older copy, or a transaction was given up too early.
        """
        for intent in self._outbox.intents(WAITING):
            if is_on(intent, chronicle, organisation):
                self._outbox.settle_intent(intent.id, DONE)
                settle(self._outbox.intent(intent.id))

    def _sign(self, waiting: list[Intent]) -> None:
        """Make the next transaction out of waiting intents, and keep it."""
        items, call = next_call(waiting)
        sent = self._signed(call)
        with self._outbox.together():
            self._outbox.add_tx(sent, [intent.id for intent in items])

    def _signed(self, call: ContractCall) -> Sent:
        key = self._signer.address
        nonce = max(self._ledger.nonce(key), self._outbox.highest_nonce(key) + 1)
        signed = self._signer.sign_transaction(self._ledger.prepare(call, nonce))
        return Sent(signed.hash, key, nonce, signed.raw, SIGNED, time.time())

    def _await_final(self, settle: Callable[[Intent], None]) -> bool:
        """Send what is not in a block, again if need be, until all of it is final and settled.

        Returns whether a transaction was given up, so that its intents wait again.
        """
        given_up = False
        deadline = time.monotonic() + self._patience
        pause = FIRST_POLL_SECONDS
        for sent in self._outbox.txs(*UNSETTLED):
            failures = 0
            while not self._try_to_advance(sent.hash, settle):
                failures = failures + 1 if self._problem else 0
                if self._problem and failures == ATTEMPTS:
                    raise self._problem
                if time.monotonic() > deadline:
                    raise LedgerProblem(
                        f"transaction {hexed(sent.hash)} is not final after {self._patience:.0f} s",
                        "nothing is lost; `proml push` goes on from here",
                    )
                time.sleep(pause)
                pause = min(2 * pause, LAST_POLL_SECONDS)
            known = self._outbox.tx(sent.hash)
            given_up = given_up or (known is not None and known.state == DISPLACED)
        return given_up

    def _try_to_advance(self, hash_: bytes, settle: Callable[[Intent], None]) -> bool:
        """`_advance`, where a ledger that fails is one that may answer soon."""
        self._problem = None
        try:
            return self._advance(hash_, settle)
        except WrongLedger:
            raise
        except LedgerProblem as problem:
            self._problem = problem
            return False

    def _advance(self, hash_: bytes, settle: Callable[[Intent], None]) -> bool:
        """Take one transaction one step on; True when nothing is left to do for it."""
        sent = self._outbox.tx(hash_)
        assert sent is not None
        receipt = self._ledger.receipt(hash_)
        if receipt is None and self._ledger.nonce(sent.key) > sent.nonce:
            return self._is_displaced(sent)
        if receipt is None:
            # Not in a block, or not any more: the same bytes, as often as it takes.
            self._note(sent, SIGNED)
            self._send(sent)
            receipt = self._ledger.receipt(hash_)
            if receipt is None:
                return False
        if self._depth_of(receipt.block.number) < self._ledger.terms.finality:
            self._note(sent, INCLUDED, receipt)
            return False
        self._settle(replace(_known(sent, FINAL, receipt), final=time.time()), receipt, settle)
        return True

    def _send(self, sent: Sent) -> None:
        try:
            self._ledger.send(SignedTransaction(sent.raw, sent.hash))
        except LedgerProblem as problem:
            # Unknown, not failed: it may have arrived all the same. The receipt tells.
            self._problem = problem

    def _note(self, sent: Sent, state: str, receipt: Receipt | None = None) -> None:
        """Keep what became known of a transaction that is not final, if it is news."""
        block = receipt.block.hash if receipt else None
        if (sent.state, sent.block_hash) != (state, block):
            with self._outbox.together():
                self._outbox.update_tx(_known(sent, state, receipt))

    def _settle(self, sent: Sent, receipt: Receipt, settle: Callable[[Intent], None]) -> None:
        """Write the end of every intent of a final transaction, together with the transaction's own."""
        intents = self._outbox.intents(tx=sent.hash)
        ends = outcomes(intents, receipt)
        if any(end == REFUSED for end, _ in ends.values()):
            # What an earlier transaction of ours did, given up too early, is refused the second time.
            chronicle = chronicle_of(self._ledger)
            ends |= {each.id: (DONE, None) for each in intents if is_on_step(each, chronicle)}
        with self._outbox.together():
            self._outbox.update_tx(sent)
            for intent in intents:
                state, reason = ends[intent.id]
                self._outbox.settle_intent(intent.id, state, reason)
                if state == REFUSED and intent.what == STEP:
                    self._outbox.remove_known(intent.artefact, intent.call["sequence"])
        for intent in self._outbox.intents(tx=sent.hash):
            settle(intent)

    def _is_displaced(self, sent: Sent) -> bool:
        """Whether another transaction took the nonce for good: the key was used by another program.

        Its intents wait again then. For good means as deep as final is, counted from when it was first seen;
        and a node may count a transaction a moment before it gives the receipt, hence the second look.
        """
        if sent.state != OVERTAKEN:
            sent = replace(sent, state=OVERTAKEN, block=self._ledger.head().number, block_hash=None)
            with self._outbox.together():
                self._outbox.update_tx(sent)
        assert sent.block is not None
        if self._depth_of(sent.block) < self._ledger.terms.finality:
            return False
        time.sleep(DISPLACED_SECONDS)
        if self._ledger.receipt(sent.hash) is not None or self._ledger.nonce(sent.key) <= sent.nonce:
            return False
        self._outbox.release(sent.hash)
        return True

    def _depth_of(self, block: int) -> int:
        return self._ledger.head().number - block + 1


def _known(sent: Sent, state: str, receipt: Receipt | None) -> Sent:
    """A transaction with what its receipt says, or as it is without one."""
    if receipt is None:
        return replace(sent, state=state, block=None, block_hash=None, gas=None, included=None)
    is_same = sent.block_hash == receipt.block.hash
    return replace(
        sent,
        state=state,
        block=receipt.block.number,
        block_hash=receipt.block.hash,
        gas=receipt.gas_used,
        included=sent.included if is_same else time.time(),
    )
