"""The publisher: takes the journal to the ledger, and knows at every moment what is certain.

`push` reads downwards; between its steps stands what is true if the process dies there. The normal path
is the recovery path: every push begins by settling what earlier ones left.

Invariants (docs/operating.md explains them to operators):

* signed bytes are on the disk before the first of them leaves;
* one nonce, one transaction; the same bytes are sent again, never different ones for a nonce that may
  be in a block;
* unknown is never failed: only a final receipt settles an intent;
* at most one effect per intent, because every step names the sequence it expects.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proml.contracts.abi import MAX_ANCHORS, MAX_BATCH_INPUTS, MAX_STEPS
from proml.contracts.forms import SIGNATURE_BYTES
from proml.core.call import AddKeyCall, AnchorCall, BatchCall, ContractCall, RevokeKeyCall, StepCall
from proml.core.digest import hexed, unhexed
from proml.core.event import Refused
from proml.core.lifecycle import Lifecycle
from proml.core.refusal import Reason
from proml.errors import JournalProblem, LedgerProblem, StepRefused
from proml.interfaces import Ledger, Receipt, SignedTransaction, Signer, Storage
from proml.node.intake import Intake, take_in
from proml.node.outbox import DONE, FINAL, INCLUDED, REFUSED, SIGNED, WAITING, Intent, Outbox, Sent
from proml.node.sealing import Sealer, read_anchor, read_step
from proml.node.view import view_of

FIRST_POLL_SECONDS = 0.005
LAST_POLL_SECONDS = 1.0
DISPLACED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How to publish.

    Attributes:
        journal: folder of the journal.
        discoverable: kinds whose subjects go out as plain digests.
        lifecycles: those whose files are at hand.
        items: most items in one transaction, 1 to 64.
        patience: seconds to wait for a transaction to become final before giving the word back.
    """

    journal: Path
    discoverable: tuple[str, ...]
    lifecycles: tuple[Lifecycle, ...]
    items: int = MAX_STEPS
    patience: float = 120.0


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

    def push(self, told: Callable[[Intent], None] = lambda _: None) -> Published:
        """Publish everything there is; `told` hears of each intent as it is settled.

        Raises:
            LedgerProblem: when the ledger is away, or a transaction is not final within the patience.
                Nothing is lost by it: what was sent stays `sent`, the next push goes on.
            KeyProblem: when the key may not write to this ledger.
        """
        settled: list[Intent] = []

        def settle(intent: Intent) -> None:
            settled.append(intent)
            told(intent)

        # Whatever an earlier push left unsettled comes first: its outcome decides what sealing sees.
        self._await_final(settle)

        _, damage = take_in(self._settings.journal, self._outbox)
        # Here the journal is in the outbox up to its cursors; dying repeats nothing.

        view = view_of(self._ledger, self._settings.lifecycles, self._signer.address)
        sealer = Sealer(view, self._storage, self._outbox, self._settings.discoverable)
        before = {intent.id for intent in self._outbox.intents("invalid")}
        Intake(self._outbox, self._storage, sealer, view).seal_drafts(self._settings.journal)
        # Here records are in storage and their intents wait; dying leaves them waiting.
        for intent in self._outbox.intents("invalid"):
            if intent.id not in before:
                settle(intent)

        while waiting := self._outbox.intents(WAITING, limit=self._settings.items):
            self._sign(waiting)
            # Here the signed bytes are on the disk and nobody else has seen them; dying sends them later.
            self._await_final(settle)
        return Published(tuple(settled), tuple(damage))

    def govern(self, call: AddKeyCall | RevokeKeyCall) -> Intent:
        """Make one call about keys and wait until it is final.

        Raises:
            StepRefused: when the contracts refuse it; nothing changed.
            LedgerProblem: as `push`.
        """
        self._await_final(lambda _: None)
        label = "add a key" if isinstance(call, AddKeyCall) else "revoke a key"
        with self._outbox.together():
            number = self._outbox.add_intent(
                "key", label, bytes(12) + call.key, key_document(call), time.time()
            )
        (intent,) = [intent for intent in self._outbox.intents(WAITING) if intent.id == number]
        self._sign([intent])
        settled: list[Intent] = []
        self._await_final(settled.append)
        if settled[-1].state != DONE:
            raise StepRefused(f"key {hexed(call.key)}", settled[-1].reason or "no reason given")
        return settled[-1]

    def _sign(self, waiting: list[Intent]) -> None:
        """Make the next transaction out of waiting intents, and keep it."""
        items, call = _call(waiting)
        key = self._signer.address
        nonce = max(self._ledger.nonce(key), self._outbox.highest_nonce(key) + 1)
        signed = self._signer.sign_transaction(self._ledger.prepare(call, nonce))
        sent = Sent(signed.hash, key, nonce, signed.raw, SIGNED, time.time())
        with self._outbox.together():
            self._outbox.add_tx(sent, [intent.id for intent in items])

    def _await_final(self, settle: Callable[[Intent], None]) -> None:
        """Send what is not in a block, again if need be, until all of it is final and settled."""
        deadline = time.monotonic() + self._settings.patience
        pause = FIRST_POLL_SECONDS
        for sent in self._outbox.txs(SIGNED, INCLUDED):
            while not self._advance(sent, settle):
                if time.monotonic() > deadline:
                    raise LedgerProblem(
                        f"transaction 0x{sent.hash.hex()} is not final after {self._settings.patience:.0f} s",
                        "nothing is lost; `proml push` goes on from here",
                    )
                time.sleep(pause)
                pause = min(2 * pause, LAST_POLL_SECONDS)

    def _advance(self, sent: Sent, settle: Callable[[Intent], None]) -> bool:
        """Take one transaction one step on; True when nothing is left to do for it."""
        receipt = self._ledger.receipt(sent.hash)
        if receipt is None:
            if self._is_displaced(sent):
                self._outbox.release(sent.hash)
                return True
            # Not in a block, or not any more: the same bytes, as often as it takes.
            self._ledger.send(SignedTransaction(sent.raw, sent.hash))
            receipt = self._ledger.receipt(sent.hash)
            if receipt is None:
                return False
        known = self._outbox.tx(sent.hash) or sent
        if known.block_hash != receipt.block.hash:
            known = replace(
                known,
                state=INCLUDED,
                block=receipt.block.number,
                block_hash=receipt.block.hash,
                gas=receipt.gas_used,
                included=known.included or time.time(),
            )
            with self._outbox.together():
                self._outbox.update_tx(known)
        if self._ledger.head().number - receipt.block.number + 1 < self._ledger.terms.finality:
            return False
        self._settle(replace(known, state=FINAL, final=time.time()), receipt, settle)
        return True

    def _settle(self, sent: Sent, receipt: Receipt, settle: Callable[[Intent], None]) -> None:
        """Write the end of every intent of a final transaction, together with the transaction's own."""
        refusals = {p.event.item: p.event.reason for p in receipt.events if isinstance(p.event, Refused)}
        whole = receipt.reason.text if receipt.reason else "the transaction failed as a whole"
        intents = self._outbox.intents(tx=sent.hash)
        with self._outbox.together():
            self._outbox.update_tx(sent)
            for intent in intents:
                if not receipt.succeeded:
                    self._outbox.settle_intent(intent.id, REFUSED, whole)
                elif intent.item in refusals:
                    self._outbox.settle_intent(intent.id, REFUSED, _reason_text(refusals[intent.item]))
                else:
                    self._outbox.settle_intent(intent.id, DONE)
        for intent in self._outbox.intents(tx=sent.hash):
            settle(intent)

    def _is_displaced(self, sent: Sent) -> bool:
        """Whether another transaction took the nonce for good: the key was used by another program.

        A node may count a transaction a moment before it gives the receipt, hence the second look.
        """
        if sent.state != SIGNED or self._ledger.nonce(sent.key) <= sent.nonce:
            return False
        time.sleep(DISPLACED_SECONDS)
        return self._ledger.receipt(sent.hash) is None


def _call(waiting: list[Intent]) -> tuple[list[Intent], ContractCall]:
    """The next transaction's intents and call: one about keys goes alone, the rest go together."""
    if waiting[0].what == "key":
        return waiting[:1], read_key_call(waiting[0].call)
    ahead = itertools.takewhile(lambda intent: intent.what != "key", waiting)
    return _batch(list(ahead))


def key_document(call: AddKeyCall | RevokeKeyCall) -> dict[str, Any]:
    """The JSON form of a call about keys, as an intent keeps it."""
    if isinstance(call, RevokeKeyCall):
        return {"revoke": hexed(call.key), "since": call.compromised_since}
    return {
        "add": hexed(call.key),
        "scope": call.scope,
        "expires": call.expires,
        "consent": hexed(call.consent),
    }


def read_key_call(document: Mapping[str, Any]) -> AddKeyCall | RevokeKeyCall:
    """The call about keys behind its JSON form."""
    if "revoke" in document:
        return RevokeKeyCall(unhexed(document["revoke"], 20), document["since"])
    consent = unhexed(document["consent"], SIGNATURE_BYTES)
    return AddKeyCall(unhexed(document["add"], 20), document["scope"], document["expires"], consent)


def _batch(waiting: list[Intent]) -> tuple[list[Intent], BatchCall]:
    """The intents of one transaction in their order of items, anchors first, and the call they make."""
    anchors: list[tuple[Intent, AnchorCall]] = []
    steps: list[tuple[Intent, StepCall]] = []
    inputs = 0
    for intent in waiting:
        if intent.what == "anchor":
            if len(anchors) == MAX_ANCHORS:
                break
            anchors.append((intent, read_anchor(intent.call)))
        else:
            step = read_step(intent.call)
            inputs += len(step.inputs)
            if inputs > MAX_BATCH_INPUTS:
                break
            steps.append((intent, step))
    call = BatchCall(tuple(anchor for _, anchor in anchors), tuple(step for _, step in steps))
    return [intent for intent, _ in [*anchors, *steps]], call


def _reason_text(number: int) -> str:
    try:
        reason = Reason(number)
    except ValueError:
        return f"reason {number}"
    return f"{reason.text}; {reason.hint}"
