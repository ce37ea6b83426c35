"""The sender, and what becomes of a transaction: too cheap, too early, missing before others, or gone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.call import AnchorCall, BatchCall
from proml.core.event import Block
from proml.errors import LedgerProblem, StorageProblem
from proml.interfaces import Fees, SignedTransaction
from proml.ledger.memory import _read
from proml.node import intake, sending
from proml.node.fees import CAP, STEP_PERCENT, raised
from proml.node.outbox import open_outbox
from proml.node.transactions import FINAL, SIGNED, Sent
from tests.unit.node.faults import Chain
from tests.unit.node.place import Place, asked, collected, observed


def finals(place: Place) -> list[Sent]:
    with open_outbox(place.path) as outbox:
        return outbox.txs(FINAL)


def kept(place: Place) -> list[set[bytes]]:
    """Every hash ever signed, by nonce."""
    with open_outbox(place.path) as outbox:
        return [{sent.hash, *outbox.replaced(sent.hash)} for sent in outbox.txs(FINAL, SIGNED)]


# --- fees ------------------------------------------------------------------------------------------


class Priced(Chain):
    """A chain with a price: what offers less waits in its pool, and another for its nonce needs 10 % more."""

    price = 100
    forgets = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.pool: dict[int, tuple[int, SignedTransaction]] = {}

    def fees(self) -> Fees:
        return Fees(self.price, 1, 30_000_000)

    def send(self, signed: SignedTransaction) -> None:
        hook, self.before_send = self.before_send, lambda: None
        hook()
        fields, _ = _read(signed.raw)
        offer, nonce = fields["maxFeePerGas"], fields["nonce"]
        before = self.pool.get(nonce)
        if before and before[1].hash != signed.hash and offer < before[0] * 1.1:
            raise LedgerProblem("replacement transaction underpriced")
        self.pool[nonce] = offer, before[1] if before and not self.forgets else signed
        if offer >= self.price:
            super().send(self.pool.pop(nonce)[1])


@pytest.fixture
def priced(place: Place, monkeypatch: pytest.MonkeyPatch) -> Priced:
    monkeypatch.setattr(sending, "RAISE_SECONDS", 0.0)
    chain = place.ledger = Priced(place.memory)
    return chain


def dearer(chain: Priced, times: int) -> Any:
    def change() -> None:
        chain.price *= times

    return change


def test_what_waits_for_its_fee_is_signed_again_with_more_and_happens_once(place, priced):
    priced.before_send = dearer(priced, 10)
    place.write(collected())
    place.push()
    (sent,) = finals(place)
    assert sent.max_fee >= 1_000
    (hashes,) = kept(place)
    assert len(hashes) == 2
    assert place.labels("done") == ["collect dataset digits"]
    place.check()


def test_an_offer_that_was_raised_and_mined_all_the_same_settles_its_items(place, priced):
    priced.forgets = False  # a node that mines the first it heard of
    priced.before_send = dearer(priced, 10)
    place.write(collected())
    place.push()
    (sent,) = finals(place)
    assert sent.max_fee == 1_000  # what was offered last
    assert place.memory.receipt(sent.hash) is not None  # and what was mined
    assert len(kept(place)[0]) == 2
    assert [intent.tx for intent in place.intents()] == [sent.hash]
    place.check()


def test_beyond_the_cap_nothing_is_offered_and_somebody_is_told(place, priced):
    priced.before_send = dearer(priced, 10)
    place.write(collected())
    with pytest.raises(LedgerProblem, match="waits, and offers 100 wei per gas already"):
        place.push(fee_cap=110)
    assert [intent.state for intent in place.intents()] == ["sent"]
    assert place.events() == []
    priced.price = 100
    place.push(fee_cap=110)
    assert place.labels("done") == ["collect dataset digits"]
    place.check()


@given(st.integers(0, CAP), st.integers(0, CAP), st.integers(0, 2 * CAP), st.integers(1, CAP))
def test_offers_rise_by_an_eighth_at_least_and_never_beyond_the_cap(fee, tip, asked_now, cap):
    sent = Sent(b"", b"", 0, b"", SIGNED, 0.0, max_fee=fee, max_tip=tip)
    try:
        offer = raised(sent, Fees(asked_now, 0, 0), cap)
    except LedgerProblem:
        assert fee * STEP_PERCENT / 100 > cap - 1
        return
    if offer is None:
        assert fee == asked_now == 0
        return
    assert fee * STEP_PERCENT <= offer.max_fee * 100
    assert offer.max_tip <= offer.max_fee <= cap


# --- order -----------------------------------------------------------------------------------------


def test_a_step_that_came_too_early_goes_again_after_the_one_before_it(place):
    chain = place.ledger = Chain(place.memory)
    chain.before_send = lambda: place.send(BatchCall((AnchorCall(b"\x07" * 32, 1),)), place.signer)
    place.write(collected(), asked("approve"), asked("retire"))
    place.push(items=1)
    assert place.labels("done") == ["collect dataset digits", "approve dataset", "retire dataset"]
    assert len(place.refusals()) == 2
    place.check()


def test_a_nonce_of_nobody_is_filled_with_a_transaction_that_does_nothing(place):
    chain = place.ledger = Chain(place.memory)
    chain.behind = -2  # a node counts transactions that are not there
    place.write(collected())
    with pytest.raises(LedgerProblem):
        place.push(patience=0.0)
    assert place.events() == []
    chain.behind = 0
    place.push()
    assert sorted(sent.nonce for sent in finals(place)) == [0, 1, 2]
    assert place.labels("done") == ["collect dataset digits"]
    assert len(place.events()) == 1
    place.check()


def test_what_was_final_and_is_in_no_block_any_more_goes_out_again(place):
    class Deeper(Chain):
        """One whose final blocks are replaced."""

        def send(self, signed: SignedTransaction) -> None:
            if self.hidden and signed.hash not in self.hidden:
                raise LedgerProblem("nonce too high: transactions before it are missing")
            super().send(signed)

        def head(self) -> Block:
            found = self.block(super().head().number)
            assert found is not None
            return found

        def block(self, number: int) -> Block | None:
            found = super().block(number)
            return replace(found, hash=bytes(32)) if found and self.hidden and number == 2 else found

    place.write(collected())
    place.push()
    chain = place.ledger = Deeper(place.memory)
    (first,) = finals(place)
    chain.hide(first.hash, place.signer.address)
    place.write(collected(b"more", "more"))
    place.push()
    assert first.hash in chain.sent
    assert [sent.nonce for sent in finals(place)] == [0, 1]
    assert sorted(place.labels("done")) == ["collect dataset digits", "collect dataset more"]
    place.check()


# --- an older outbox -------------------------------------------------------------------------------


def older(place: Place) -> None:
    """Go back to the outbox as it was before the newest push."""
    place.write(collected(), asked("approve"))
    place.push()
    shutil.copy(place.path, place.root / "backup.sqlite")
    place.run(observed(1))
    place.write(collected(b"new", "new"))
    place.push()
    shutil.copy(place.root / "backup.sqlite", place.path)


def test_an_outbox_that_knows_less_than_the_ledger_is_refused_and_nothing_changes(place):
    older(place)
    before, content = place.events(), place.path.read_bytes()
    for _ in range(2):
        with pytest.raises(StorageProblem, match="the ledger has 4 items made with the key"):
            place.push()
    assert place.events() == before
    assert place.path.read_bytes() == content


def test_reconciled_it_holds_what_the_ledger_has_for_done_and_goes_on(place):
    older(place)
    before = place.events()
    place.push(reconcile=True)
    assert place.events() == before, "nothing a second time, although the journal was read a second time"
    assert {"start run train", "finish run train", "collect dataset new"} <= set(place.labels("done"))
    place.check()
    # The bytes are known again: a step that names the dataset by them finds it.
    place.write(asked("approve", b"new"))
    place.push()
    assert place.labels("done").count("approve dataset") == 2


def test_a_key_that_did_nothing_here_needs_no_reconciling(place):
    place.send(BatchCall(), place.signer)
    place.write(collected())
    place.push()
    assert [sent.nonce for sent in finals(place)] == [1]
    place.check()


# --- slices ----------------------------------------------------------------------------------------


def test_observations_are_sealed_in_slices_and_each_is_anchored_once(place, monkeypatch):
    monkeypatch.setattr(intake, "MAX_OBSERVATIONS", 10)
    held: list[int] = []
    real = intake.Intake._decoded

    def decoded(self: Any, drafts: list[Any]) -> Any:
        held.append(len(drafts))
        return real(self, drafts)

    monkeypatch.setattr(intake.Intake, "_decoded", decoded)
    place.run(*(observed(step) for step in range(35)))
    place.push()
    assert max(held) == 10
    anchors = [label for label in place.labels("done") if label.startswith("anchor")]
    assert anchors == ["anchor 10 observations"] * 3 + ["anchor 5 observations"]
    finish = place.records()["finish run train"]
    assert [batch["count"] for batch in finish["observations"]] == [10, 10, 10, 5]
    place.check()
