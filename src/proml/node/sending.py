"""The sender: many transactions of one key under way at once, and what is certain of each at every moment.

Invariants (docs/operating.md explains them to operators):

* signed bytes are on the disk before the first of them leaves;
* one nonce, one set of items; where a fee is raised, everything ever signed for the nonce is kept and looked
  for, and it carries the same items;
* unknown is never failed: only a final receipt settles an item;
* transactions are settled in the order of their nonces, and nothing is signed again before the nonce is used
  by another transaction in a final block and the ledger does not have the items.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from proml.core.call import BatchCall, ContractCall
from proml.errors import LedgerProblem, WrongLedger
from proml.interfaces import Fees, Ledger, Receipt, SignedTransaction, Signer
from proml.node import fees as offers
from proml.node.batching import call_of, next_call
from proml.node.line import Line, Look, look
from proml.node.outbox import WAITING, Outbox
from proml.node.settling import Settling, Told, known
from proml.node.transactions import FINAL, INCLUDED, OVERTAKEN, SIGNED, Sent
from proml.node.view import Reading

# Not in a block yet: nodes drop what one key queues beyond this (geth guarantees 16).
IN_POOL = 16
# Not final yet, in blocks or not.
UNDER_WAY = 512
LOOKED_AT = 64
RESEND_SECONDS = 15.0
RAISE_SECONDS = 60.0
# A node may count a transaction a moment before it gives the receipt, and lag behind another one.
DISPLACED_SECONDS = 2.0
GAP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes into a transaction, and what it may offer: items, and wei per gas."""

    items: int
    fee_cap: int = offers.CAP


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process remembers from one push to the next, and may forget any time.

    Attributes:
        reading: of the ledger.
        sent: when the bytes of a transaction left last, by its hash; times of the monotonic clock.
        since: since when something has been so: what, of which hash or key, for which nonce.
    """

    reading: Reading
    sent: dict[bytes, float] = field(default_factory=dict)
    since: dict[tuple[str, bytes, int], float] = field(default_factory=dict)


class Sender:
    """Takes what waits in an outbox to the ledger, with one key. `step` does what can be done now."""

    def __init__(
        self, settling: Settling, chain: Ledger, signer: Signer, memory: Memory, limits: Limits
    ) -> None:
        """Everything that is certain is in the outbox of `settling`."""
        self._settling = settling
        self._outbox: Outbox = settling.outbox
        self._ledger = chain
        self._signer = signer
        self._line = Line()
        self._limits = limits
        self._asked: tuple[Future[Look], list[Sent]] | None = None
        self._sent = memory.sent
        self._since = memory.since
        self.organisation = 0
        self.problem: LedgerProblem | None = None  # what came up at the newest look

    def __enter__(self) -> Self:
        self._line.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.__exit__(kind, error, trace)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way and nothing waits."""
        return not self._outbox.unsettled(1) and not self._outbox.count(WAITING)

    def step(self, told: Told, wait: float | None = None, least: int = 1) -> bool:
        """One look at the ledger, begun or ended, and everything that follows from it.

        Args:
            told: hears of each item as it is settled.
            wait: seconds to wait for the ledger's answer, None for as long as it takes.
            least: how many items have to wait before any are signed.

        Returns:
            Whether anything became known, was signed or was settled.
        """
        moved = False
        try:
            if self._asked is None:
                self.problem = None
                moved = self._sign_waiting(least)
                self._begin()
            answer = self._answer(wait)
            return (answer is not None and self._apply(*answer, told)) or moved
        except WrongLedger:
            raise
        except LedgerProblem as problem:
            self.problem = problem
            return moved

    def _answer(self, wait: float | None) -> tuple[Look, list[Sent]] | None:
        """The ledger's answer and what was asked about; None where nothing was asked, or it takes longer."""
        if self._asked is None:
            return None
        future, about = self._asked
        try:
            found = future.result(wait)
        except NotYet:
            return None
        except BaseException:
            self._asked = None
            self._sent.clear()  # none of it may have left
            raise
        self._asked = None
        return found, about

    # --- asking -----------------------------------------------------------------------------

    def _begin(self) -> None:
        """Send what is due, and ask about what is under way; both at once, in the background."""
        about = self._outbox.unsettled(LOOKED_AT)
        if not about:
            return
        now = time.monotonic()
        due = [
            sent
            for sent in about
            if sent.state == SIGNED and now - self._sent.get(sent.hash, -RESEND_SECONDS) >= RESEND_SECONDS
        ]
        self._sent.update({sent.hash: now for sent in due})
        sending = [SignedTransaction(sent.raw, sent.hash) for sent in due]
        hashes = [[sent.hash, *self._outbox.replaced(sent.hash)] for sent in about]
        keys = {sent.key for sent in about}
        self._asked = self._line.ask(lambda: look(self._ledger, sending, hashes, keys)), about

    def _apply(self, found: Look, about: Sequence[Sent], told: Told) -> bool:
        if found.problem is not None:
            self.problem = found.problem
            for hash_ in self._sent.keys() - found.receipts.keys():
                del self._sent[hash_]
        finals: list[tuple[Sent, Receipt]] = []
        news: list[Sent] = []
        missing: list[Sent] = []
        held: set[bytes] = set()  # keys of which something earlier is not final
        for sent in about:
            receipt = self._receipt_of(sent, found)
            if receipt is None:
                missing.append(sent)
            elif receipt.block.hash in found.final and sent.key not in held:
                finals.append((sent, receipt))
                continue
            else:
                news.append(known(sent, INCLUDED, receipt))
            held.add(sent.key)
        moved = self._note(about, news)
        if finals:
            self._settling.settle(finals, told)
        for sent, _ in finals:
            self._sent.pop(sent.hash, None)
            self._since.pop(("waiting", sent.hash, 0), None)
        return self._miss_all(missing, found, told) or moved or bool(finals)

    def _receipt_of(self, sent: Sent, found: Look) -> Receipt | None:
        hashes = (
            [sent.hash, *self._outbox.replaced(sent.hash)] if sent.hash not in found.receipts else [sent.hash]
        )
        return next((found.receipts[each] for each in hashes if each in found.receipts), None)

    def _note(self, before: Sequence[Sent], after: Sequence[Sent]) -> bool:
        """Keep what became known of transactions that are not final, where it is news."""
        was = {sent.hash: (sent.state, sent.block_hash) for sent in before}
        news = [sent for sent in after if was[sent.hash] != (sent.state, sent.block_hash)]
        if news:
            with self._outbox.together():
                for sent in news:
                    self._outbox.update_tx(sent)
        return bool(news)

    # --- what is in no block ----------------------------------------------------------------

    def _miss_all(self, missing: Sequence[Sent], found: Look, told: Told) -> bool:
        moved = False
        for sent in missing:
            moved = self._miss(sent, found, told) or moved
        for key in {sent.key for sent in missing}:
            self._mind_gap(key, found.mined[key])
        return moved

    def _miss(self, sent: Sent, found: Look, told: Told) -> bool:
        """A transaction that is in no block: not yet, not any more, or never, another having its nonce."""
        assert found.head is not None
        if sent.state == INCLUDED:
            # Its block went away. The same bytes, as often as it takes.
            self._sent.pop(sent.hash, None)
        if found.mined[sent.key] <= sent.nonce:
            self._since.pop(("overtaken", sent.hash, 0), None)
            return self._note([sent], [known(sent, SIGNED, None)]) or self._offer_more(sent)
        now = time.monotonic()
        since = self._since.setdefault(("overtaken", sent.hash, 0), now)
        if sent.state != OVERTAKEN:
            return self._note(
                [sent], [replace(sent, state=OVERTAKEN, block=found.head.number, block_hash=None)]
            )
        if found.settled[sent.key] <= sent.nonce or now - since < DISPLACED_SECONDS:
            return False
        self._settling.give_up(sent, self.organisation, told)
        return True

    def _offer_more(self, sent: Sent) -> bool:
        """Sign the same items with a higher fee, where they have waited long for a block."""
        now = time.monotonic()
        if sent.key != self._signer.address:
            return False
        if now - self._since.setdefault(("waiting", sent.hash, 0), now) < RAISE_SECONDS:
            return False
        fees = offers.raised(sent, self._ledger.fees(), self._limits.fee_cap)
        if fees is None:
            return False
        intents = self._outbox.intents(tx=sent.hash)
        again = self._signed(call_of(intents), sent.nonce, fees)
        with self._outbox.together():
            self._outbox.exchange(sent, again)
        return True

    def _mind_gap(self, key: bytes, mined: int) -> None:
        """Fill nonces before the first one under way: nothing after them gets into a block otherwise.

        Of what is final here and in no block any more, the chain was changed deeper than the terms hold for
        possible; it goes out again. What was never signed here was another program's, or is nobody's.
        """
        first = next((sent.nonce for sent in self._outbox.unsettled(LOOKED_AT) if sent.key == key), None)
        if first is None or key != self._signer.address:
            return
        for nonce in range(mined, first):
            rows = self._outbox.txs_at(key, nonce)
            final = next((sent for sent in rows if sent.state == FINAL), None)
            if final is not None:
                if self._is_gone(final):
                    with self._outbox.together():
                        self._outbox.reopen(final.hash)
                    self._settling.disturbed = True
                continue
            now = time.monotonic()
            if now - self._since.setdefault(("gap", key, nonce), now) >= GAP_SECONDS:
                self._fill(nonce, rows)

    def _is_gone(self, sent: Sent) -> bool:
        """Whether the chain has another block in the place of a final transaction's; not one that lags."""
        assert sent.block is not None
        block = self._ledger.block(sent.block)
        return block is not None and block.hash != sent.block_hash

    def _fill(self, nonce: int, before: Sequence[Sent]) -> None:
        """Use up a nonce with a transaction that does nothing."""
        asked = self._ledger.fees()
        for sent in before:
            asked = offers.raised(sent, asked, self._limits.fee_cap) or asked
        nothing = self._signed(BatchCall(), nonce, offers.offered(asked, self._limits.fee_cap))
        with self._outbox.together():
            self._outbox.add_tx(nothing, [])

    # --- signing ----------------------------------------------------------------------------

    def _sign_waiting(self, least: int) -> bool:
        """Sign transactions for what waits, as many as may be under way, and keep them, all at once.

        What waits alone goes alone while nothing else is on its way into a block; while something is, it
        waits until a transaction is full. So it is quick in quiet and cheap under load.
        """
        in_pool = self._outbox.count_txs(SIGNED) + self._outbox.count_txs(OVERTAKEN)
        room = min(IN_POOL - in_pool, UNDER_WAY - in_pool - self._outbox.count_txs(INCLUDED))
        items = self._limits.items
        if room <= 0:
            return False
        least = max(least, items if in_pool else 1)
        if self._outbox.count(WAITING) < least:
            return False
        waiting = self._outbox.intents(WAITING, limit=room * items)
        fees = offers.offered(self._ledger.fees(), self._limits.fee_cap)
        gas = offers.batch_gas(fees)
        nonce = self.next_nonce()
        made: list[tuple[Sent, list[int]]] = []
        while waiting and len(made) < room and (not made or len(waiting) >= items):
            chosen, call = next_call(waiting[:items], gas)
            made.append((self._signed(call, nonce, fees), [intent.id for intent in chosen]))
            nonce += 1
            taken = {intent.id for intent in chosen}
            waiting = [intent for intent in waiting if intent.id not in taken]
        with self._outbox.together():
            for sent, numbers in made:
                self._outbox.add_tx(sent, numbers)
        # Here the signed bytes are on the disk and nobody else has seen them; dying sends them later.
        return True

    def next_nonce(self) -> int:
        """The first nonce that nothing of this key was signed for, here or as far as the ledger knows."""
        key = self._signer.address
        return max(self._ledger.nonce(key), self._outbox.highest_nonce(key) + 1)

    def signed(self, call: ContractCall) -> Sent:
        """A call as the key's next transaction; it has to be kept before it is sent."""
        fees = offers.offered(self._ledger.fees(), self._limits.fee_cap)
        return self._signed(call, self.next_nonce(), fees)

    def _signed(self, call: ContractCall, nonce: int, fees: Fees) -> Sent:
        signed = self._signer.sign_transaction(self._ledger.prepare(call, nonce, fees))
        return Sent(
            signed.hash,
            self._signer.address,
            nonce,
            signed.raw,
            SIGNED,
            time.time(),
            max_fee=fees.max_fee,
            max_tip=fees.max_tip,
        )
