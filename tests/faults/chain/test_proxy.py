"""A sender behind a line that fails in one way all the time, on every call that changes something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from proml.errors import ProMLError, WrongLedger
from proml.ledger.evm import EvmLedger
from proml.ledger.rpc import Rpc
from proml.node import sending
from proml.node.outbox import open_outbox
from proml.node.publisher import Publisher, Settings
from tests.faults.chain import simulate
from tests.faults.chain.plan import Plan
from tests.faults.chain.proxy import AFTER, BEFORE, LIES, ChainProxy, Faults
from tests.faults.chain.simulate import Room

SOMETIMES = 0.15


class Calm(Plan):
    """A chain whose blocks are final at once, and on which nothing else happens."""

    @property
    def finality(self) -> int:
        return 1

    @property
    def rate(self) -> float:
        return 0.0

    @property
    def items(self) -> int:
        return 4


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with simulate.anvil() as address:
        made = Room(Calm(1), tmp_path, address)
        made.direct.call("evm_setAutomine", [True])
        yield made
        made.close()


def publish(room: Room, faults: Faults) -> int:
    """Push through the proxy until one push ends well; returns how many did not."""
    settings = Settings(room.folder / "journal", (), simulate.shipped(), items=4, patience=5.0)
    address = room.direct.url.removeprefix("http://").split(":")
    with ChainProxy((address[0], int(address[1])), faults) as proxy:
        for failed in range(300):
            with suppress(ProMLError), Rpc(proxy.url, 0.3) as rpc, open_outbox(room.outbox) as outbox:
                Publisher(outbox, EvmLedger(rpc, room.terms), room.signer, room.storage, settings).push()
                return failed
    raise AssertionError("it never gets through")


@pytest.mark.parametrize("kind", [*BEFORE, *AFTER, *LIES])
def test_one_kind_of_fault_on_every_seventh_call_costs_time_and_nothing_else(room, kind, monkeypatch):
    monkeypatch.setattr(sending, "RESEND_SECONDS", 0.1)
    monkeypatch.setattr(sending, "DISPLACED_SECONDS", 0.1)
    faults = Faults(7, SOMETIMES, (kind,))
    room.write(12)
    publish(room, faults)
    assert faults.done[kind] > 0
    room.model.check(room.world())


def test_a_send_that_is_always_done_and_never_answered_is_one_effect_each(room, monkeypatch):
    monkeypatch.setattr(sending, "RESEND_SECONDS", 0.0)

    class Lost(Faults):
        def fault(self, request):
            _, chance = super().fault(request)
            return ("timeout" if "eth_sendRawTransaction" in request else None), chance

    room.write(30)
    publish(room, Lost(7, 0.0))
    room.model.check(room.world())


def test_another_chain_behind_the_same_address_is_refused_and_nothing_is_sent(room):
    room.write(3)
    with simulate.anvil(chain_id=4711) as address, Rpc(f"http://{address[0]}:{address[1]}") as rpc:
        with pytest.raises(WrongLedger, match="has id 4711"):
            EvmLedger(rpc, room.terms).check()
        assert rpc.call("eth_blockNumber") == "0x0"
