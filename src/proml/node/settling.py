"""Settling: the end of every item of a transaction that is final, or that another took the place of."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from proml.core.digest import unhexed
from proml.interfaces import Receipt
from proml.node.batching import STEP, is_on, is_on_step, outcomes
from proml.node.outbox import DONE, REFUSED, WAITING, Intent, Outbox
from proml.node.transactions import FINAL, Sent
from proml.node.view import Reading

Told = Callable[[Intent], None]


@dataclass(slots=True)
class Settling:
    """Writes ends into an outbox, each together with what it rests on, and tells of them afterwards.

    Attributes:
        disturbed: whether something did not end as it was sealed for, so that what is known of the ledger has
            to be looked at again before more is sealed.
    """

    outbox: Outbox
    reading: Reading
    disturbed: bool = False

    def settle(self, finals: Sequence[tuple[Sent, Receipt]], told: Told) -> None:
        """Write the ends of everything in final transactions, given in the order of their nonces."""
        ends = [
            (sent, receipt, intents, outcomes(intents, receipt))
            for sent, receipt in finals
            for intents in [self.outbox.intents(tx=sent.hash)]
        ]
        if any(end == REFUSED for _, _, _, each in ends for end, _ in each.values()):
            # What an earlier transaction of ours did, given up too early, is refused the second time.
            self.disturbed = True
            self.reading.forget()
            chronicle = self.reading.chronicle()
            for _, _, intents, outcome in ends:
                outcome |= {each.id: (DONE, None) for each in intents if is_on_step(each, chronicle)}
        settled: list[Intent] = []
        with self.outbox.together():
            for sent, receipt, intents, outcome in ends:
                settled += self._write(_final(sent, receipt), receipt, intents, outcome)
        for intent in settled:
            told(intent)

    def _write(
        self, sent: Sent, receipt: Receipt, intents: list[Intent], outcome: dict[int, tuple[str, str | None]]
    ) -> list[Intent]:
        if receipt.transaction != sent.hash:
            # An offer that was raised since has found its block all the same.
            mined = self.outbox.replaced(sent.hash)[receipt.transaction]
            kept = replace(sent, hash=receipt.transaction, raw=mined)
            self.outbox.exchange(sent, kept)
            sent = kept
        self.outbox.update_tx(sent)
        ended = [replace(each, state=outcome[each.id][0], reason=outcome[each.id][1]) for each in intents]
        settled = [replace(each, tx=sent.hash) for each in ended if each.state != REFUSED]
        self.outbox.settle_all([(each.id, each.state, each.reason) for each in settled])
        # One by one, because whether one was early depends on what became of those before it.
        for intent in (replace(each, tx=sent.hash) for each in ended if each.state == REFUSED):
            if self._was_early(intent):
                self.outbox.wait_again([intent.id])
                continue
            self.outbox.settle_intent(intent.id, REFUSED, intent.reason)
            if intent.what == STEP:
                self.outbox.remove_known(intent.artefact, intent.call["sequence"])
            settled.append(intent)
        return sorted(settled, key=lambda each: each.item or 0)

    def _was_early(self, intent: Intent) -> bool:
        """Whether what a refused step builds on has not happened yet: its turn comes again after that.

        So it is after another program took the nonce of the transaction before.
        """
        if intent.what != STEP:
            return False
        needed = {intent.artefact, *(unhexed(artefact) for artefact, _ in intent.call["inputs"])}
        return any(self.outbox.waits_before(artefact, intent.id) for artefact in needed)

    def give_up(self, sent: Sent, organisation: int, told: Told) -> None:
        """Another transaction has the nonce for good: its items wait again, unless they are on the ledger.

        The last can only be where a node kept a receipt to itself.
        """
        self.disturbed = True
        self.reading.forget()
        chronicle = self.reading.chronicle()
        there = [each for each in self.outbox.intents(tx=sent.hash) if is_on(each, chronicle, organisation)]
        with self.outbox.together():
            self.outbox.settle_all([(each.id, DONE, None) for each in there])
            self.outbox.release(sent.hash)
        for intent in there:
            told(replace(intent, state=DONE))

    def settle_what_is_there(self, organisation: int, told: Told) -> None:
        """Settle what waits and is on the ledger all the same: this outbox is an older copy."""
        chronicle = self.reading.chronicle()
        there = [each for each in self.outbox.intents(WAITING) if is_on(each, chronicle, organisation)]
        with self.outbox.together():
            self.outbox.settle_all([(each.id, DONE, None) for each in there])
        for intent in there:
            told(replace(intent, state=DONE))


def _final(sent: Sent, receipt: Receipt) -> Sent:
    return replace(known(sent, FINAL, receipt), final=time.time())


def known(sent: Sent, state: str, receipt: Receipt | None) -> Sent:
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
