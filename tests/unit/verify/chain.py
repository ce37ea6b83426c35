"""The same small consortium on a real chain, for what only a chain has: state proofs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from proml.ledger.anvil import EmbeddedChain
from proml.ledger.embedded import RevivingRpc, send_all_through, send_through
from proml.ledger.evm import EvmLedger
from proml.ledger.founding import Founding, found
from proml.lifecycles import shipped
from tests.unit.verify.world import FOUNDERS, RULES, START, World, signer


@contextmanager
def chain_world(folder: Path) -> Iterator[World]:
    """A consortium founded on an embedded chain in `folder`, which ends with the block."""
    chain = EmbeddedChain.create(folder / "chain", clock=lambda: START)
    chain.up()
    try:
        rpc, send = RevivingRpc(chain), partial(send_through, chain)
        founding = Founding(FOUNDERS, RULES, [each.table for each in shipped()])
        terms = found(rpc, send, signer("deployer"), founding, finality=1)
        yield World(ledger=EvmLedger(rpc, terms, partial(send_all_through, chain)))
    finally:
        chain.kill()
