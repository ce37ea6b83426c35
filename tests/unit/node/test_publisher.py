"""The publisher and what chains do: refuse, lag, reorganise, and hear the same key from elsewhere."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from proml.core.call import AnchorCall, BatchCall, RevokeKeyCall
from proml.core.event import Anchored, Refused
from proml.errors import Busy, KeyProblem, LedgerProblem
from proml.interfaces import Receipt, SignedTransaction
from proml.node.outbox import open_outbox
from proml.node.transactions import FINAL, SIGNED, UNSETTLED, Sent
from proml.signing import throwaway_key
from tests.unit.node.faults import Chain
from tests.unit.node.place import Place, asked, collected, observed, produced, used


def txs(place: Place, *states: str) -> list[Sent]:
    with open_outbox(place.path) as outbox:
        return outbox.txs(*states)


# --- ordinary --------------------------------------------------------------------------------------


def test_a_push_of_nothing_sends_nothing(place):
    before = place.memory.head()
    published = place.push()
    assert (published.settled, published.damage) == ((), ())
    assert place.memory.head() == before


def test_everything_settled_is_told_once_and_in_order(place):
    place.write(collected())
    place.run(observed(), produced())
    told: list[str] = []
    with open_outbox(place.path) as outbox:
        published = place.publisher(outbox).push(lambda intent: told.append(intent.label))
    assert [intent.label for intent in published.settled] == told
    assert sorted(told) == sorted(place.labels())
    assert {intent.state for intent in published.settled} == {"done"}
    place.push()
    assert sorted(place.labels()) == sorted(told)


def test_more_than_one_batch_takes_goes_in_several(place):
    for number in range(150):
        place.write(collected(bytes([number]), f"d{number}"))
    place.push()
    assert len(place.labels("done")) == 150
    assert [len(place.memory.receipt(tx.hash).events) for tx in txs(place, FINAL)] == [64, 64, 22]
    place.check()


def test_anchors_and_inputs_are_capped_as_the_contract_wants_it(place):
    datasets = [collected(bytes([n]), f"d{n}") for n in range(32)]
    place.write(*datasets)
    place.push()
    for number in range(40):
        sources = [used(bytes([n])) for n in range(32)]
        place.run(observed(number), *sources, outcome="failed", name=f"r{number}")
    place.push()
    assert len(place.labels("done")) == 32 + 3 * 40
    for tx in txs(place, FINAL):
        events = [placed.event for placed in place.memory.receipt(tx.hash).events]
        assert sum(isinstance(event, Anchored) for event in events) <= 32
        assert sum(len(event.inputs) for event in events if not isinstance(event, Anchored)) <= 128
    place.check()


def test_a_refused_step_is_told_with_its_reason_and_what_to_do(place):
    place.write(collected(), asked("retire"), asked("approve"))
    published = place.push()
    states = {intent.label: (intent.state, intent.reason) for intent in published.settled}
    assert states["approve dataset"][0] == "refused"
    assert "its present state does not allow this action; see proml show" in states["approve dataset"][1]
    assert [type(event) for event in place.refusals()] == [Refused]
    place.check()


def test_a_key_of_nobody_is_refused_before_anything_is_sealed(place):
    stranger = throwaway_key()
    place.write(collected())
    with pytest.raises(KeyProblem, match="belongs to no member"):
        place.push(stranger)
    assert place.memory.nonce(stranger.address) == 0
    assert place.intents() == []
    place.push()
    assert place.labels("done") == ["collect dataset digits"]


def test_a_batch_that_fails_as_a_whole_refuses_all_of_it_with_the_reason(place):
    place.write(collected())
    place.run()
    place.seal()
    # Its key is revoked by another key of the organisation between sealing and sending.
    chain = Chain(place.memory)
    chain.before_send = lambda: place.send(
        RevokeKeyCall(place.signer.address, place.memory.terms.deployed), place.signer
    )
    place.ledger = chain
    place.push()
    assert {intent.state for intent in place.intents()} == {"refused"}
    assert {intent.reason.split(";")[0] for intent in place.intents()} == {"the key was revoked"}
    assert place.events() == []


# --- two at once -----------------------------------------------------------------------------------


def test_a_second_push_at_the_same_time_is_busy_and_changes_nothing(place):
    place.write(collected())
    chain = Chain(place.memory)
    heard: list[BaseException] = []

    def push_again() -> None:
        before = place.memory.head()
        with pytest.raises(Busy) as busy:
            place.push()
        heard.append(busy.value)
        assert place.memory.head() == before

    chain.before_send = push_again
    place.ledger = chain
    place.push()
    assert len(heard) == 1
    assert place.labels("done") == ["collect dataset digits"]
    place.check()


def test_the_bytes_are_on_the_disk_before_they_leave(place):
    place.write(collected())
    seen: list[Sent] = []

    class Looking(Chain):
        def send(self, signed: SignedTransaction) -> None:
            copy = place.root / "copy.sqlite"
            shutil.copy(place.path, copy)
            with open_outbox(copy) as outbox:
                seen.extend(outbox.txs(SIGNED))
                assert {intent.state for intent in outbox.intents()} == {"sent"}
            super().send(signed)

    place.ledger = Looking(place.memory)
    place.push()
    assert [tx.raw for tx in seen] == [tx.raw for tx in txs(place, FINAL)]


# --- depth and reorganisations ---------------------------------------------------------------------


def test_final_is_only_what_lies_as_deep_as_the_terms_say(place):
    chain = place.ledger = Chain(place.memory, finality=3)
    place.write(collected())
    with pytest.raises(LedgerProblem, match="is not final after 0 s"):
        place.push(patience=0.0)
    assert [intent.state for intent in place.intents()] == ["sent"]
    chain.mine(1)
    with pytest.raises(LedgerProblem, match="is not final"):
        place.push(patience=0.0)
    chain.mine(1)
    place.push(patience=0.0)
    assert place.labels("done") == ["collect dataset digits"]
    assert len(set(chain.sent)) == 1
    place.check()


def test_a_transaction_whose_block_goes_away_is_pending_again_and_the_same_bytes_go_out(place):
    chain = place.ledger = Chain(place.memory, finality=3)
    place.write(collected())
    place.run(observed())
    with pytest.raises(LedgerProblem):
        place.push(patience=0.0)
    (included,) = txs(place, *UNSETTLED)
    assert (included.state, included.block) == ("included", 2)
    chain.hide(included.hash, place.signer.address)
    before = len(chain.sent)
    chain.mine(2)
    place.push()
    assert chain.sent[before:] == [included.hash]
    assert len(place.labels("done")) == 4
    place.check()


def test_while_its_block_is_away_it_says_so(place):
    class Deaf(Chain):
        def send(self, signed: SignedTransaction) -> None:
            if not self.hidden:
                super().send(signed)

    chain = place.ledger = Deaf(place.memory, finality=3)
    place.write(collected())
    with pytest.raises(LedgerProblem):
        place.push(patience=0.0)
    (tx,) = txs(place, *UNSETTLED)
    chain.hide(tx.hash, place.signer.address)
    with pytest.raises(LedgerProblem):
        place.push(patience=0.0)
    (tx,) = txs(place, *UNSETTLED)
    assert (tx.state, tx.block, tx.block_hash, tx.included) == (SIGNED, None, None, None)


def test_a_receipt_that_comes_late_is_waited_for(place):
    chain = place.ledger = Chain(place.memory)
    chain.lagging = 3
    place.write(collected())
    place.run(observed())
    place.push(items=2)
    assert len(place.labels("done")) == 4
    assert place.refusals() == []
    place.check()


@pytest.mark.parametrize("lagging", range(1, 12))
def test_however_late_receipts_come_nothing_is_done_twice(place, lagging):
    chain = place.ledger = Chain(place.memory)
    place.write(collected())
    place.run(observed())
    for _ in range(3):
        chain.lagging = lagging
        place.push(items=2)
    assert len(place.labels("done")) == 4
    assert len(place.events()) == 4
    place.check()


def test_a_step_given_up_too_early_is_done_although_it_is_refused_the_second_time(place):
    chain = place.ledger = Chain(place.memory)
    chain.lagging, chain.blind = 2, 2
    place.write(collected())
    place.push()
    assert [tx.nonce for tx in txs(place, "displaced")] == [0]
    assert len(place.refusals()) == 1
    assert place.labels("done") == ["collect dataset digits"]
    place.check()


def test_a_receipt_that_says_nothing_of_an_item_is_not_believed(place):
    class Silent(Chain):
        def receipt(self, transaction: bytes) -> Receipt | None:
            found = super().receipt(transaction)
            return found and replace(found, events=found.events[1:])

    place.ledger = Silent(place.memory)
    place.write(collected())
    place.run()
    with pytest.raises(LedgerProblem, match="says nothing of"):
        place.push()
    assert {intent.state for intent in place.intents()} == {"sent"}
    place.ledger = place.memory
    place.push()
    assert len(place.labels("done")) == 3
    place.check()


# --- the same key elsewhere ------------------------------------------------------------------------


def test_a_nonce_taken_by_another_program_is_left_and_the_items_go_with_the_next(place):
    chain = place.ledger = Chain(place.memory)
    chain.before_send = lambda: place.send(BatchCall((AnchorCall(b"\x07" * 32, 1),)), place.signer)
    place.write(collected())
    place.run(observed())
    place.push()
    assert len(place.labels("done")) == 4
    assert [tx.nonce for tx in txs(place, "displaced")] == [0]
    assert [tx.nonce for tx in txs(place, FINAL)] == [1]
    place.check()


def test_a_nonce_far_ahead_is_followed(place):
    for number in range(4):
        place.send(BatchCall((AnchorCall(bytes([7 + number]) * 32, 1),)), place.signer)
    place.write(collected())
    place.push(reconcile=True)
    assert [tx.nonce for tx in txs(place, FINAL)] == [4]
    place.check()


def test_a_node_that_lags_behind_makes_no_nonce_used_twice(place):
    for number in range(3):
        place.write(collected(bytes([number]), f"d{number}"))
        place.push()
    chain = place.ledger = Chain(place.memory)
    chain.behind = 3
    place.write(collected(b"late", "late"))
    place.push()
    assert [tx.nonce for tx in txs(place, FINAL)] == [0, 1, 2, 3]
    place.check()


def test_a_taken_nonce_is_given_up_only_when_the_other_is_final(place):
    chain = place.ledger = Chain(place.memory, finality=3)
    chain.before_send = lambda: place.send(BatchCall((AnchorCall(b"\x07" * 32, 1),)), place.signer)
    place.write(collected())
    for state in ("overtaken", "overtaken", "overtaken"):
        with pytest.raises(LedgerProblem):
            place.push(patience=0.0)
        assert [tx.state for tx in txs(place, *UNSETTLED)] == [state]
        assert [intent.state for intent in place.intents()] == ["sent"]
    chain.mine(3)
    with pytest.raises(LedgerProblem):
        place.push(patience=0.0)
    assert len(txs(place, "displaced")) == 1
    chain.mine(3)
    place.push()
    assert place.labels("done") == ["collect dataset digits"]
    place.check()


def test_a_taken_nonce_that_comes_back_is_used_with_the_same_bytes(place):
    chain = place.ledger = Chain(place.memory, finality=3)
    place.write(collected())
    place.seal()
    chain.behind = -1  # a node counts a transaction that is not there
    with pytest.raises(LedgerProblem):
        place.push(patience=0.0)
    chain.behind = 0
    assert [tx.nonce for tx in txs(place, *UNSETTLED)] == [1]
    before = {tx.hash for tx in txs(place, *UNSETTLED)}
    place.send(BatchCall(), place.signer)  # nonce 0 is used after all
    chain.mine(2)
    with pytest.raises(LedgerProblem):
        place.push(patience=0.0)
    chain.mine(3)
    place.push()
    assert {tx.hash for tx in txs(place, FINAL)} == before
    place.check()
