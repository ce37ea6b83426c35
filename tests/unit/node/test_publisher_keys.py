"""The publisher and its keys: a change of key, calls about keys, and an older copy of what was sent."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from proml.contracts.consent import consent_digest
from proml.core.call import AddKeyCall, BatchCall, RevokeKeyCall
from proml.core.consortium import SCOPES
from proml.core.digest import hexed
from proml.core.event import KeyAdded, KeyRevoked
from proml.errors import KeyProblem, LedgerProblem, StepRefused
from proml.node import sending
from proml.node.outbox import open_outbox
from proml.node.transactions import FINAL, Sent
from proml.signing import throwaway_key
from tests.unit.node.faults import Chain
from tests.unit.node.place import Place, asked, collected, observed, produced


def txs(place: Place, *states: str) -> list[Sent]:
    with open_outbox(place.path) as outbox:
        return outbox.txs(*states)


# --- older copies and other keys -------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["sealed", "signed"])
def test_an_older_copy_of_the_outbox_does_nothing_a_second_time(place, moment):
    place.write(collected(), asked("approve"))
    place.run(observed())
    copy = place.root / "copy.sqlite"
    if moment == "sealed":
        place.seal()
        shutil.copy(place.path, copy)
    else:
        chain = place.ledger = Chain(place.memory)
        chain.before_send = lambda: shutil.copy(place.path, copy)
    place.push()
    place.ledger = place.memory
    before = place.events()
    shutil.copy(copy, place.path)
    place.push()
    assert place.events() == before
    assert len(place.labels("done")) == 5
    place.check()


def add_key(place: Place, scope: int = 7) -> Any:
    key = throwaway_key()
    digest = consent_digest(place.memory.terms, 1, key.address, scope, 0)
    place.send(AddKeyCall(key.address, scope, 0, key.sign_digest(digest)), place.signer)
    return key


def test_a_new_key_takes_over_where_nothing_waits_and_counts_its_own_nonces(place):
    for number in range(3):
        place.write(collected(bytes([number]), f"d{number}"))
        place.push()
    key = add_key(place)
    place.write(collected(b"new", "new"))
    place.push(key)
    assert [(tx.key == key.address, tx.nonce) for tx in txs(place, FINAL)][-1] == (True, 0)
    place.check()


def test_a_new_key_does_not_sign_what_was_sealed_for_another(place):
    key = add_key(place)
    place.write(collected())
    place.seal()
    with pytest.raises(KeyProblem, match="1 items wait that were sealed for the key 0x"):
        place.push(key)
    assert place.events() == []
    place.push()
    place.write(collected(b"new", "new"))
    place.push(key)
    assert len(place.labels("done")) == 2
    place.check()


def test_a_run_begun_under_one_key_ends_under_another(place):
    run = place.run(outcome=None)
    place.push()
    assert place.labels() == ["start run train", "fail run train"]
    assert run
    key = add_key(place)
    place.run(observed(), produced(), name="second")
    place.push(key)
    assert place.labels("done")[-1] == "propose model m"
    place.check()


def test_what_another_key_sent_is_settled_by_whoever_pushes_next(place):
    key = add_key(place)
    chain = place.ledger = Chain(place.memory, finality=3)
    place.write(collected())
    with pytest.raises(LedgerProblem):
        place.push(patience=0.0, reconcile=True)
    chain.mine(3)
    place.push(key)
    assert place.labels("done") == ["collect dataset digits"]
    place.check()


# --- keys ------------------------------------------------------------------------------------------


def make(place: Place, call: AddKeyCall | RevokeKeyCall) -> Any:
    with open_outbox(place.path) as outbox:
        return place.publisher(outbox).make(call)


def test_a_call_about_keys_is_one_transaction_of_its_own(place):
    key = throwaway_key()
    scope = SCOPES["record"]
    digest = consent_digest(place.memory.terms, 1, key.address, scope, 0)
    done = make(place, AddKeyCall(key.address, scope, 0, key.sign_digest(digest)))
    assert (done.what, done.state, done.label) == ("call", "done", f"add the key {hexed(key.address)}")
    revoked = make(place, RevokeKeyCall(key.address, place.memory.head().number))
    assert revoked.state == "done"
    events = [p.event for p in place.memory.events(2, 10)]
    assert [type(event) for event in events] == [KeyAdded, KeyRevoked]


def test_a_refused_call_about_keys_says_why_and_changes_nothing(place):
    before = dict(place.memory.shared.keys)
    with pytest.raises(StepRefused, match="the key belongs to another organisation"):
        make(place, RevokeKeyCall(place.other.address, place.memory.terms.deployed))
    assert place.memory.shared.keys == before


def test_a_call_about_keys_whose_nonce_is_taken_goes_with_the_next(place):
    key = throwaway_key()
    digest = consent_digest(place.memory.terms, 1, key.address, 1, 0)
    chain = place.ledger = Chain(place.memory)
    chain.before_send = lambda: place.send(BatchCall(), place.signer)
    assert make(place, AddKeyCall(key.address, 1, 0, key.sign_digest(digest))).state == "done"
    assert key.address in place.memory.shared.keys


def test_a_call_about_keys_that_was_interrupted_before_it_was_signed_is_not_made_later(place, monkeypatch):
    key = throwaway_key()
    digest = consent_digest(place.memory.terms, 1, key.address, 1, 0)

    def stop(self: object, call: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sending.Sender, "signed", stop)
        with pytest.raises(KeyboardInterrupt):
            make(place, AddKeyCall(key.address, 1, 0, key.sign_digest(digest)))
    place.write(collected())
    place.push()
    assert place.labels("done") == ["collect dataset digits"]
    assert key.address not in place.memory.shared.keys
