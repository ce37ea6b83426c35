"""The index over a real chain that exchanges its newest blocks: one of them, up to 64 at once."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from proml.core.call import BatchCall
from proml.core.digest import hexed, sha256
from proml.core.proposal import Governance
from proml.errors import LedgerProblem
from proml.ledger.anvil_binary import find_anvil
from proml.ledger.evm import EvmLedger
from proml.ledger.founding import Founding, found
from proml.ledger.rpc import Rpc
from proml.lifecycles import shipped
from proml.node.index import Indexer, index_digest, inspect
from proml.signing import throwaway_key
from tests.conformance.ledgers import World, founders
from tests.unit.node.index.story import looking

pytestmark = pytest.mark.faults
FINALITY = 70
FREE = ("--gas-price", "0", "--block-base-fee-per-gas", "0", "--accounts", "0")
PATIENCE_SECONDS = 60.0


@pytest.fixture
def rpc(tmp_path: Path) -> Iterator[Rpc]:
    """A chain of its own, with a block for every transaction."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        find_anvil(),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--hardfork",
        "cancun",
        "--quiet",
        *FREE,
    ]
    with subprocess.Popen(arguments, cwd=tmp_path, env={"HOME": str(tmp_path)}) as anvil:
        try:
            asked = Rpc(f"http://127.0.0.1:{port}")
            deadline = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    asked.call("eth_chainId")
                    break
                except LedgerProblem:
                    assert time.monotonic() < deadline, "the chain did not start"
                    time.sleep(0.05)
            yield asked
            asked.close()
        finally:
            anvil.kill()


@pytest.fixture
def world(rpc: Rpc) -> World:
    writer, other, stranger = (throwaway_key() for _ in range(3))
    founding = Founding(founders(writer, other), Governance(2), [lifecycle.table for lifecycle in shipped()])
    send = lambda raw: rpc.call("eth_sendRawTransaction", [hexed(raw)])  # noqa: E731
    terms = found(rpc, send, throwaway_key(), founding, finality=1)
    ledger = EvmLedger(rpc, replace(terms, finality=FINALITY))
    ledger.check()
    return World(ledger, writer, other, stranger)


def test_a_real_chain_that_exchanges_one_to_64_blocks_is_followed(
    rpc: Rpc, world: World, tmp_path: Path
) -> None:
    ours, fresh = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("ours", "fresh"))
    world.send(BatchCall((), (world.collect(sha256(b"first")),)))
    rpc.call("anvil_mine", [hex(FINALITY + 10)])
    with closing(Indexer(ours, world.ledger)) as indexer:
        indexer.advance()
        for depth in range(1, 65):
            # The lowest of the blocks holds what the others will not have, so that none of them comes back.
            world.send(BatchCall((), (world.collect(sha256(b"%d" % depth)),)))
            rpc.call("anvil_mine", [hex(depth - 1)])
            indexer.advance()
            rpc.call("anvil_reorg", [depth, []])
            assert indexer.advance().taken_back == depth
    with closing(Indexer(fresh, world.ledger)) as indexer:
        indexer.advance()
    with looking(ours, world.ledger) as here, looking(fresh, world.ledger) as there:
        assert here.head.number == world.ledger.head().number
        assert index_digest(here) == index_digest(there)
        assert inspect(here, world.ledger) == []
