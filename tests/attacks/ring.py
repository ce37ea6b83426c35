"""Five organisations on one real chain, each with its key at hand, and what attackers need besides.

Steps are signed and sent past the publisher here, as an attacker would send them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from proml.contracts.consent import consent_digest
from proml.core.artefact import artefact_id
from proml.core.call import (
    AddKeyCall,
    ApproveCall,
    BatchCall,
    ContractCall,
    ExecuteCall,
    Founder,
    ProposeCall,
    StepCall,
    VoteCall,
)
from proml.core.chronicle import Chronicle
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import keccak256
from proml.core.event import ProposalMade, Refused
from proml.core.history import SharedHistory
from proml.core.lifecycle import Rule, Table
from proml.core.proposal import Change, Governance
from proml.core.refusal import Reason
from proml.interfaces import Receipt, Terms, Transaction
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.embedded import RevivingRpc, send_all_through, send_through
from proml.ledger.evm import EvmLedger
from proml.ledger.founding import Founding, found
from proml.lifecycles import shipped
from proml.signing import LocalSigner, throwaway_key

NAMES = ("owner", "maker", "lab", "clinic", "audit")
PATIENCE_SECONDS = 30.0
ANYBODY = role_mask(ROLES)
RULES = Governance(threshold=2, lifetime=500, delay=0, recovery_delay=2)
# Version after version, each released once two others have approved it.
GUARDED = Table(
    kind=7,
    usable=0,
    terminal=0,
    recalled=0,
    document=bytes(32),
    rules=(
        Rule(0, 1, 1, ANYBODY),
        Rule(1, 2, 1, ANYBODY, approvals=2, approver_roles=ANYBODY, approver_differs=1, subject=True),
    ),
)
TABLES = (*(lifecycle.table for lifecycle in shipped()), GUARDED)
BEGIN, RELEASE = 1, 2


@dataclass
class Ring:
    """The chain, the pinned ledger and everybody's keys."""

    chain: EmbeddedChain
    deployer: LocalSigner
    keys: dict[str, LocalSigner]
    ledger: EvmLedger = field(init=False)

    def __post_init__(self) -> None:
        self.rpc = RevivingRpc(self.chain)
        self.ledger = self.deploy(self.deployer)

    def deploy(self, deployer: LocalSigner, tables: Sequence[Table] = TABLES) -> EvmLedger:
        """A deployment of its own with the same founders."""
        members = [
            Founder(key.address, ANYBODY, bytes([n]) * 32) for n, key in enumerate(self.keys.values(), 1)
        ]
        send = partial(send_through, self.chain)
        terms = found(self.rpc, send, deployer, Founding(members, RULES, tables), finality=1)
        return EvmLedger(self.rpc, terms, partial(send_all_through, self.chain))

    @property
    def terms(self) -> Terms:
        return self.ledger.terms

    # --- sending --------------------------------------------------------------------------------

    def send(self, key: LocalSigner, call: ContractCall, ledger: EvmLedger | None = None) -> Receipt:
        """Sign a call with a key, send it, and wait for what comes of it."""
        ledger = ledger or self.ledger
        return self._sent(key, ledger.prepare(call, ledger.nonce(key.address)), ledger)

    def send_bytes(self, key: LocalSigner, data: bytes, ledger: EvmLedger | None = None) -> Receipt:
        """The same for call data that no client of ours would make."""
        ledger = ledger or self.ledger
        terms = ledger.terms
        asked = Transaction(terms.chain_id, ledger.nonce(key.address), terms.contract, data, 5_000_000, 0, 0)
        return self._sent(key, asked, ledger)

    def _sent(self, key: LocalSigner, asked: Transaction, ledger: EvmLedger) -> Receipt:
        signed = key.sign_transaction(asked)
        ledger.send(signed)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            receipt = ledger.receipt(signed.hash)
            if receipt is not None:
                return receipt
            time.sleep(0.01)
        raise AssertionError("no receipt")

    def does(self, who: str, call: ContractCall) -> list[Any]:
        """The events of a call that must be accepted."""
        receipt = self.send(self.keys[who], call)
        assert receipt.succeeded, receipt.reason
        events = [placed.event for placed in receipt.events]
        assert not [event for event in events if isinstance(event, Refused)]
        return events

    def refused(self, key: LocalSigner, call: ContractCall) -> Reason:
        """Why a call was refused, as a whole or its one item; nothing may have changed."""
        before = self.everything()
        receipt = self.send(key, call)
        assert self.everything() == before
        if receipt.succeeded:
            (placed,) = receipt.events
            assert isinstance(placed.event, Refused)
            assert placed.event.actor.key == key.address
            return Reason(placed.event.reason)
        assert receipt.reason is not None
        return receipt.reason

    # --- what is sent ---------------------------------------------------------------------------

    def consent(
        self, key: LocalSigner, organisation: int, scope: int = 7, terms: Terms | None = None
    ) -> bytes:
        """What a new key signs to belong to an organisation."""
        return key.sign_digest(consent_digest(terms or self.terms, organisation, key.address, scope, 0))

    def begin(self, salt: bytes) -> StepCall:
        """The registration of something under the guarded lifecycle."""
        return StepCall(salt, len(TABLES), BEGIN, 1, os.urandom(32), os.urandom(32))

    def begun(self, who: str) -> bytes:
        """Something registered; its id."""
        salt = os.urandom(32)
        self.does(who, BatchCall(steps=(self.begin(salt),)))
        return artefact_id(self.terms.chain_id, self.terms.contract, self.keys[who].address, salt)

    def approval(self, artefact: bytes, sequence: int, subject: bytes) -> ApproveCall:
        return ApproveCall(artefact, RELEASE, sequence, subject, keccak256(subject + os.urandom(8)))

    def narrow_key(self, who: str, scope: int) -> LocalSigner:
        """One more key of an organisation, with this scope alone."""
        key = throwaway_key()
        organisation = NAMES.index(who) + 1
        self.does(who, AddKeyCall(key.address, scope, 0, self.consent(key, organisation, scope)))
        return key

    def proposed(self, who: str, change: Change) -> int:
        (made,) = self.does(who, ProposeCall(change))
        assert isinstance(made, ProposalMade)
        return made.number

    def decided(self, change: Change, who: str, other: str) -> list[Any]:
        """Propose, vote and carry out."""
        number = self.proposed(who, change)
        self.does(other, VoteCall(number))
        return self.does(who, ExecuteCall(number, change))

    # --- looking --------------------------------------------------------------------------------

    def everything(self) -> list[Any]:
        """All there is to see but refusals: what a refusal must leave as it was."""
        placed = self.ledger.events(self.terms.deployed, self.ledger.head().number)
        return [each.event for each in placed if not isinstance(each.event, Refused)]

    def chronicle(self) -> Chronicle:
        """The history as a reader of the pinned ledger sees it."""
        made = Chronicle(SharedHistory(self.terms.chain_id, self.terms.contract))
        return made.take(self.ledger.events(self.terms.deployed, self.ledger.head().number))

    def head(self, artefact: bytes) -> bytes:
        return self.chronicle().shared.artefacts[artefact].head


def gathered(folder: Path) -> Iterator[Ring]:
    """Found the five; the chain stops when the block is left."""
    with EmbeddedChain.create(folder / "chain") as chain:
        yield Ring(chain, throwaway_key(), {name: throwaway_key() for name in NAMES})
