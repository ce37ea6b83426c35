"""A ledger is opened only if it is the one that was pinned, whatever way leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from proml.core.call import BatchCall
from proml.core.proposal import Governance
from proml.errors import ConfigInvalid, WrongLedger
from proml.extensions import LEDGERS, open_ledger
from proml.ledger.evm import EvmLedger
from proml.ledger.founding import Founding, found
from proml.ledger.rpc import Rpc
from proml.lifecycles import shipped
from proml.signing import throwaway_key
from proml.trust import LedgerFile
from tests.conformance.ledgers import World, embedded_world, founders


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from embedded_world(tmp_path_factory.mktemp("pinned"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chain_id": 1}, "has id"),
        ({"genesis": b"\x01" * 32}, "begins with another block"),
        ({"code": b"\x01" * 32}, "another contract"),
        ({"contract": b"\x01" * 20}, "no contract"),
    ],
)
def test_another_ledger_than_the_pinned_one_is_refused_when_opened(embedded, change, said):
    terms = replace(embedded.ledger.terms, **change)
    with pytest.raises(WrongLedger, match=said):
        open_ledger(LedgerFile(terms, "embedded", str(embedded.chain.folder), {}))
    with pytest.raises(WrongLedger, match=said):
        open_ledger(LedgerFile(terms, "rpc", embedded.chain.url, {}))


def test_every_way_to_a_ledger_opens_the_same_one(embedded, salt):
    places = {"embedded": str(embedded.chain.folder), "rpc": embedded.chain.url}
    assert set(places) == set(LEDGERS)
    receipt = embedded.send(BatchCall(steps=(embedded.start(salt),)))
    for reach, place in places.items():
        opened = open_ledger(LedgerFile(embedded.ledger.terms, reach, place, {}))
        assert opened.receipt(receipt.transaction) == receipt
        assert opened.head() == embedded.ledger.head()


def test_a_way_nobody_knows_is_refused(embedded):
    with pytest.raises(ConfigInvalid, match="carrier pigeon") as refused:
        open_ledger(LedgerFile(embedded.ledger.terms, "carrier pigeon", "home", {}))
    assert "embedded" in refused.value.hint


def test_a_chain_that_was_stopped_comes_back_for_a_question_and_for_a_send(embedded, salt):
    before = embedded.ledger.head()
    embedded.chain.down()
    assert embedded.ledger.head() == before
    embedded.chain.kill()
    assert embedded.send(BatchCall(steps=(embedded.start(salt),))).succeeded


def test_logs_of_contracts_that_look_alike_are_not_events_of_this_ledger(embedded, salt):
    chain = embedded.chain
    impostor = founders(embedded.stranger)
    founding = Founding(impostor, Governance(1), [lifecycle.table for lifecycle in shipped()])
    before = embedded.everything()
    terms = found(Rpc(chain.url), chain.send_raw, throwaway_key(), founding, finality=1)
    alike = EvmLedger(Rpc(chain.url), terms)
    signed = embedded.stranger.sign_transaction(
        alike.prepare(BatchCall(steps=(embedded.start(salt),)), alike.nonce(embedded.stranger.address))
    )
    chain.send_raw(signed.raw)
    assert alike.receipt(signed.hash).succeeded
    assert embedded.everything() == before
