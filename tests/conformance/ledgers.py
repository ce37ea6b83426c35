"""A small consortium on each ledger there is: two organisations that may do everything, and a stranger."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from proml.core.artefact import artefact_id
from proml.core.call import ContractCall, Founder, StepCall
from proml.core.chronicle import Chronicle
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import ZERO
from proml.core.event import (
    Input,
    Refused,
)
from proml.core.history import SharedHistory
from proml.core.proposal import Governance
from proml.interfaces import Ledger, Receipt, SignedTransaction
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.embedded import RevivingRpc, send_all_through, send_through
from proml.ledger.evm import EvmLedger
from proml.ledger.founding import Founding, found
from proml.ledger.memory import MemoryLedger
from proml.lifecycles import shipped
from proml.signing import LocalSigner, throwaway_key

DATASET, RUN, MODEL = 1, 2, 3
WRITER = role_mask(ROLES)
PATIENCE_SECONDS = 30.0


def action(kind: str, name: str) -> int:
    (lifecycle,) = [lifecycle for lifecycle in shipped() if lifecycle.kind == kind]
    return lifecycle.action_number(name)


@dataclass
class World:
    """A ledger with two organisations, both with every role, and a stranger."""

    ledger: Ledger
    writer: LocalSigner
    other: LocalSigner
    stranger: LocalSigner
    chain: EmbeddedChain | None = None

    def sign(self, call: ContractCall, signer: LocalSigner | None = None) -> SignedTransaction:
        signer = signer or self.writer
        return signer.sign_transaction(self.ledger.prepare(call, self.ledger.nonce(signer.address)))

    def send(self, call: ContractCall, signer: LocalSigner | None = None) -> Receipt:
        """Send a call and wait for its receipt."""
        signed = self.sign(call, signer)
        self.ledger.send(signed)
        return self.receipt(signed.hash)

    def receipt(self, transaction: bytes) -> Receipt:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            receipt = self.ledger.receipt(transaction)
            if receipt is not None:
                return receipt
            time.sleep(0.01)
        raise AssertionError("no receipt")

    def id_of(self, salt: bytes, signer: LocalSigner | None = None) -> bytes:
        terms = self.ledger.terms
        return artefact_id(terms.chain_id, terms.contract, (signer or self.writer).address, salt)

    def collect(self, salt: bytes, **changes: Any) -> StepCall:
        call = StepCall(salt, DATASET, action("dataset", "collect"), 1, os.urandom(32), os.urandom(32))
        return replace(call, **changes)

    def start(self, salt: bytes) -> StepCall:
        return StepCall(salt, RUN, action("run", "start"), 1, os.urandom(32), ZERO)

    def act(self, artefact: bytes, kind: str, name: str, sequence: int, *inputs: Input) -> StepCall:
        return StepCall(artefact, 0, action(kind, name), sequence, os.urandom(32), os.urandom(32), inputs)

    def everything(self) -> list[Any]:
        """All there is to see of the ledger: what a refusal must leave as it was."""
        head = self.ledger.head()
        placed = list(self.ledger.events(1, head.number))
        return [p.event for p in placed if not isinstance(p.event, Refused)]

    def chronicle(self) -> Chronicle:
        terms = self.ledger.terms
        made = Chronicle(SharedHistory(terms.chain_id, terms.contract))
        return made.take(self.ledger.events(terms.deployed, self.ledger.head().number))


def founders(*signers: LocalSigner) -> list[Founder]:
    return [Founder(s.address, WRITER, bytes([n]) * 32) for n, s in enumerate(signers, 1)]


def memory_world(folder: Path) -> Iterator[World]:
    writer, other, stranger = (throwaway_key() for _ in range(3))
    ledger = MemoryLedger(
        founders(writer, other), Governance(2), [lifecycle.table for lifecycle in shipped()]
    )
    yield World(ledger, writer, other, stranger)


def embedded_world(folder: Path) -> Iterator[World]:
    writer, other, stranger = (throwaway_key() for _ in range(3))
    founding = Founding(founders(writer, other), Governance(2), [lifecycle.table for lifecycle in shipped()])
    with EmbeddedChain.create(folder / "chain") as chain:
        rpc, send = RevivingRpc(chain), partial(send_through, chain)
        terms = found(rpc, send, throwaway_key(), founding, finality=1)
        ledger = EvmLedger(rpc, terms, partial(send_all_through, chain))
        ledger.check()
        yield World(ledger, writer, other, stranger, chain)


WORLDS = {"memory": memory_world, "embedded": embedded_world}
