"""What `interfaces.Ledger` promises, asked of the ledger in memory and of the contracts on a real chain."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace

import pytest
from eth_account import Account

from proml.contracts.abi import encode_call
from proml.core.call import AnchorCall, BatchCall
from proml.core.digest import ZERO, keccak256
from proml.core.event import (
    Acted,
    Anchored,
    Input,
    KeyAdded,
    LifecycleAdmitted,
    OrganisationAdmitted,
    Refused,
    Registered,
    ThresholdSet,
)
from proml.core.refusal import Reason
from proml.errors import LedgerProblem
from proml.interfaces import SignedTransaction
from proml.lifecycles import shipped
from proml.signing import throwaway_key

# --- the beginning ---------------------------------------------------------------------------------


def test_the_terms_name_a_block_that_is_there(world):
    terms = world.ledger.terms
    genesis = world.ledger.block(0)
    assert genesis is not None
    assert genesis.hash == terms.genesis
    assert len(terms.contract) == 20
    assert 1 <= terms.deployed <= world.ledger.head().number
    assert terms.finality >= 1


def test_the_deployment_tells_founders_threshold_and_lifecycles_in_order(world):
    deployed = world.ledger.terms.deployed
    events = [placed.event for placed in world.ledger.events(deployed, deployed)]
    members = [event for event in events if isinstance(event, OrganisationAdmitted)]
    keys = [event for event in events if isinstance(event, KeyAdded)]
    lifecycles = [event for event in events if isinstance(event, LifecycleAdmitted)]
    assert [member.organisation for member in members] == [1, 2]
    assert [key.key for key in keys] == [world.writer.address, world.other.address]
    assert [event for event in events if isinstance(event, ThresholdSet)] == [ThresholdSet(2)]
    assert [entry.lifecycle for entry in lifecycles] == [lifecycle.table.id for lifecycle in shipped()]
    assert len(events) == len(members) + len(keys) + len(lifecycles) + 2


def test_nothing_happened_before_the_deployment(world):
    assert list(world.ledger.events(0, world.ledger.terms.deployed - 1)) == []


# --- blocks ----------------------------------------------------------------------------------------


def test_blocks_are_numbered_without_gaps_and_times_never_go_back(world, salt):
    world.send(BatchCall(steps=(world.start(salt),)))
    head = world.ledger.head()
    blocks = [world.ledger.block(number) for number in range(head.number + 1)]
    assert [block.number for block in blocks] == list(range(head.number + 1))
    assert len({block.hash for block in blocks}) == len(blocks)
    assert all(len(block.hash) == 32 for block in blocks)
    assert all(before.time <= after.time for before, after in itertools.pairwise(blocks))
    assert blocks[-1] == head


def test_there_is_no_block_beyond_the_head(world):
    assert world.ledger.block(world.ledger.head().number + 1) is None
    assert world.ledger.block(10**9) is None


# --- steps -----------------------------------------------------------------------------------------


def test_a_registration_is_an_event_a_receipt_and_a_standing(world, salt):
    call = world.collect(salt)
    assert world.ledger.standing(world.id_of(salt)) is None
    receipt = world.send(BatchCall(steps=(call,)))
    assert receipt.succeeded
    assert receipt.reason is None
    assert receipt.gas_used >= 0
    assert receipt.block == world.ledger.block(receipt.block.number)
    (placed,) = receipt.events
    event = placed.event
    assert isinstance(event, Registered)
    assert (event.artefact, event.subject, event.record) == (world.id_of(salt), call.subject, call.record)
    assert (event.actor.organisation, event.actor.key) == (1, world.writer.address)
    assert (placed.block, placed.transaction) == (receipt.block, receipt.transaction)
    assert list(world.ledger.events(receipt.block.number, receipt.block.number)) == [placed]
    standing = world.ledger.standing(world.id_of(salt))
    artefact = world.chronicle().shared.artefacts[world.id_of(salt)]
    assert (standing.word, standing.head) == (artefact.word, artefact.head)


def test_a_batch_goes_on_after_a_refused_item_and_numbers_anchors_first(world, salt):
    dataset, run = world.id_of(salt), world.id_of(salt[::-1])
    before = world.ledger.standing(dataset)
    assert before is None
    receipt = world.send(
        BatchCall(
            anchors=(AnchorCall(b"\x01" * 32, 7), AnchorCall(ZERO, 7)),
            steps=(
                world.collect(salt),
                world.collect(salt),
                world.act(dataset, "dataset", "approve", 5),
                world.act(dataset, "dataset", "label", 2),
                world.start(salt[::-1]),
                world.act(run, "run", "finish", 2, Input(dataset, 2)),
                world.act(run, "run", "finish", 2, Input(os.urandom(32), 1)),
                world.act(run, "run", "finish", 2),
            ),
        )
    )
    assert receipt.succeeded
    kinds = [type(placed.event) for placed in receipt.events]
    assert kinds == [
        Anchored,
        Refused,
        Registered,
        Refused,
        Refused,
        Acted,
        Registered,
        Refused,
        Refused,
        Acted,
    ]
    refused = {p.event.item: Reason(p.event.reason) for p in receipt.events if isinstance(p.event, Refused)}
    assert refused == {
        1: Reason.EMPTY_ANCHOR,
        3: Reason.EXISTS,
        4: Reason.WRONG_SEQUENCE,
        7: Reason.INPUT_UNUSABLE,
        8: Reason.INPUT_UNKNOWN,
    }
    assert [placed.index for placed in receipt.events] == list(range(10))
    chronicle = world.chronicle()
    assert chronicle.illegal == []
    for artefact in (dataset, run):
        held, told = world.ledger.standing(artefact), chronicle.shared.artefacts[artefact]
        assert (held.word, held.head) == (told.word, told.head)


def test_a_batch_of_nothing_happens_and_says_nothing(world):
    before = world.everything()
    receipt = world.send(BatchCall())
    assert receipt.succeeded
    assert receipt.events == ()
    assert world.everything() == before


def test_the_largest_batch_fits(world):
    salts = [os.urandom(32) for _ in range(64)]
    dataset = os.urandom(32)
    assert world.send(BatchCall(steps=(world.collect(dataset),))).succeeded
    two = (Input(world.id_of(dataset), 1),) * 2
    receipt = world.send(
        BatchCall(
            tuple(AnchorCall(os.urandom(32), 10_000) for _ in range(32)),
            tuple(replace(world.start(salt), inputs=two) for salt in salts),
        )
    )
    assert receipt.succeeded
    assert len(receipt.events) == 96
    assert not any(isinstance(placed.event, Refused) for placed in receipt.events)


def test_the_history_the_events_tell_is_the_one_the_ledger_holds(world):
    chronicle = world.chronicle()
    assert chronicle.illegal == []
    assert chronicle.shared.artefacts
    for artefact, told in chronicle.shared.artefacts.items():
        held = world.ledger.standing(artefact)
        assert (held.word, held.head) == (told.word, told.head)


# --- events ----------------------------------------------------------------------------------------


def test_events_come_in_chain_order_each_once_whatever_the_ranges(world, salt):
    world.send(BatchCall(steps=(world.start(salt), world.collect(salt[::-1]))))
    last = world.ledger.head().number
    whole = list(world.ledger.events(0, last))
    places = [(placed.block.number, placed.index) for placed in whole]
    assert places == sorted(set(places))
    pieces = [list(world.ledger.events(number, number)) for number in range(last + 1)]
    assert [placed for piece in pieces for placed in piece] == whole
    assert all(placed.block == world.ledger.block(placed.block.number) for placed in whole)


def test_events_beyond_the_head_are_none_and_no_error(world):
    last = world.ledger.head().number
    assert list(world.ledger.events(last + 1, last + 10)) == []
    assert list(world.ledger.events(0, last + 10)) == list(world.ledger.events(0, last))
    assert list(world.ledger.events(last, last - 1)) == []


# --- transactions ----------------------------------------------------------------------------------


def test_a_transaction_is_prepared_for_this_ledger_and_nonce(world, salt):
    call = BatchCall(steps=(world.start(salt),))
    transaction = world.ledger.prepare(call, 41)
    assert (transaction.chain_id, transaction.to) == (
        world.ledger.terms.chain_id,
        world.ledger.terms.contract,
    )
    assert (transaction.nonce, transaction.call) == (41, encode_call(call))
    assert transaction.gas > 0


def test_the_nonce_counts_the_transactions_of_a_key(world, salt):
    fresh = throwaway_key()
    before = world.ledger.nonce(world.writer.address)
    assert world.ledger.nonce(fresh.address) == 0
    world.send(BatchCall(steps=(world.start(salt),)))
    assert world.ledger.nonce(world.writer.address) == before + 1
    assert world.ledger.nonce(fresh.address) == 0


def test_the_same_bytes_sent_again_are_no_error_and_one_effect(world, salt):
    signed = world.sign(BatchCall((AnchorCall(b"\x02" * 32, 1),), (world.start(salt),)))
    world.ledger.send(signed)
    receipt = world.receipt(signed.hash)
    before = world.everything(), world.ledger.head(), world.ledger.nonce(world.writer.address)
    for _ in range(3):
        world.ledger.send(signed)
    assert (world.everything(), world.ledger.head(), world.ledger.nonce(world.writer.address)) == before
    assert world.ledger.receipt(signed.hash) == receipt


def test_nobody_knows_a_transaction_that_was_never_sent(world):
    assert world.ledger.receipt(os.urandom(32)) is None
    signed = world.sign(BatchCall())
    assert world.ledger.receipt(signed.hash) is None


def test_a_transaction_ahead_of_its_turn_changes_nothing(world, salt):
    call = BatchCall(steps=(world.start(salt),))
    nonce = world.ledger.nonce(world.writer.address)
    ahead = world.writer.sign_transaction(world.ledger.prepare(call, nonce + 3))
    before = world.everything()
    with pytest.raises(LedgerProblem):
        world.ledger.send(ahead)
    assert world.ledger.receipt(ahead.hash) is None
    assert world.everything() == before
    assert world.ledger.nonce(world.writer.address) == nonce


def test_a_nonce_that_was_used_takes_no_other_transaction(world, salt):
    nonce = world.ledger.nonce(world.writer.address)
    world.send(BatchCall())
    second = world.writer.sign_transaction(world.ledger.prepare(BatchCall(steps=(world.start(salt),)), nonce))
    before = world.everything()
    with pytest.raises(LedgerProblem):
        world.ledger.send(second)
    assert world.ledger.receipt(second.hash) is None
    assert world.everything() == before


def test_a_transaction_for_another_chain_is_not_taken(world, salt):
    transaction = world.ledger.prepare(
        BatchCall(steps=(world.start(salt),)), world.ledger.nonce(world.writer.address)
    )
    foreign = world.writer.sign_transaction(replace(transaction, chain_id=transaction.chain_id + 1))
    before = world.everything()
    with pytest.raises(LedgerProblem):
        world.ledger.send(foreign)
    assert world.ledger.receipt(foreign.hash) is None
    assert world.everything() == before


@pytest.mark.parametrize("raw", [b"", b"\x02", b"\x02\xc0", b"\xff" * 100, b"\x05" + b"\xc0" * 10])
def test_bytes_that_are_no_transaction_are_not_taken(world, raw):
    before = world.everything(), world.ledger.head()
    with pytest.raises(LedgerProblem):
        world.ledger.send(SignedTransaction(raw, keccak256(raw)))
    assert (world.everything(), world.ledger.head()) == before


def test_the_recovered_sender_is_the_signer(world):
    signed = world.sign(BatchCall())
    assert bytes.fromhex(Account.recover_transaction(signed.raw)[2:]) == world.writer.address


# --- refusals of a whole transaction ---------------------------------------------------------------


def test_a_strangers_batch_fails_as_a_whole_with_the_reason(world, salt):
    before = world.everything()
    receipt = world.send(BatchCall((AnchorCall(b"\x03" * 32, 1),), (world.start(salt),)), world.stranger)
    assert not receipt.succeeded
    assert receipt.reason is Reason.UNKNOWN_KEY
    assert receipt.events == ()
    assert receipt.block == world.ledger.block(receipt.block.number)
    assert world.ledger.standing(world.id_of(salt, world.stranger)) is None
    assert world.ledger.nonce(world.stranger.address) >= 1
    assert world.everything() == before


def test_the_same_salt_is_another_artefact_under_another_key(world, salt):
    world.send(BatchCall(steps=(world.start(salt),)))
    receipt = world.send(BatchCall(steps=(world.start(salt),)), world.other)
    (placed,) = receipt.events
    assert isinstance(placed.event, Registered)
    assert placed.event.artefact == world.id_of(salt, world.other) != world.id_of(salt)


# --- many at once ----------------------------------------------------------------------------------


def test_many_are_sent_in_their_order_and_each_has_its_receipt(world, salt):
    start = world.ledger.nonce(world.writer.address)
    calls = [BatchCall((AnchorCall(os.urandom(32), 1),)) for _ in range(5)]
    signed = [
        world.writer.sign_transaction(world.ledger.prepare(call, start + number, world.ledger.fees()))
        for number, call in enumerate(calls)
    ]
    assert world.ledger.send_all(signed) == [None] * 5
    for each in signed:
        world.receipt(each.hash)
    receipts = world.ledger.receipts([*(each.hash for each in signed), bytes(32)])
    assert receipts[-1] is None
    roots = [receipt.events[0].event.root for receipt in receipts[:-1]]
    assert roots == [call.anchors[0].root for call in calls]
    before = world.everything()
    assert world.ledger.send_all(signed) == [None] * 5
    assert world.everything() == before


def test_one_that_is_refused_keeps_those_before_it_and_says_so(world):
    start = world.ledger.nonce(world.writer.address)
    good, far = (
        world.writer.sign_transaction(world.ledger.prepare(BatchCall(), nonce))
        for nonce in (start, start + 9)
    )
    first, second = world.ledger.send_all([good, far])
    assert first is None
    assert isinstance(second, LedgerProblem)
    assert world.receipt(good.hash).succeeded
    assert world.ledger.nonce(world.writer.address) == start + 1


def test_a_nonce_is_counted_up_to_a_block(world):
    before = world.ledger.head()
    start = world.ledger.nonce(world.writer.address)
    receipt = world.send(BatchCall())
    assert world.ledger.nonce(world.writer.address, before) == start
    assert world.ledger.nonce(world.writer.address, receipt.block) == start + 1


def test_a_block_of_the_chain_is_final_and_another_with_its_number_is_not(world):
    block = world.send(BatchCall()).block
    other = replace(block, hash=bytes(32))
    beyond = replace(block, number=block.number + 1_000)
    assert world.ledger.final([block, other, beyond]) == [True, False, False]
