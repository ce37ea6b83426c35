"""The deployed contract and the executable specification, driven together and compared whole.

After every call the outcome must be the same, and the contract's entire storage must be what the
specification says it holds: not one slot more or less, so a stray write would show. A third history is
fed with nothing but the emitted events, as a verifier is; it must accept each and arrive at the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy, deepcopy

from boa.environment import Env
from eth_abi.abi import encode

from proml.contracts.abi import encode_call
from proml.contracts.forms import selector
from proml.core.call import (
    AnchorCall,
    BatchCall,
    Call,
    ContractCall,
    ExecuteCall,
    Founder,
    ProposeCall,
    StepCall,
    VoteCall,
)
from proml.core.digest import keccak_words
from proml.core.event import Event, ProposalMade, Refused, Step
from proml.core.history import SharedHistory
from proml.core.lifecycle import Table
from proml.core.proposal import Change, Governance
from proml.core.refusal import Reason
from proml.interfaces import Terms
from proml.ledger.flaws import flaws_of
from proml.ledger.memory import apply
from tests.contracts.deployed import Deployed, Outcome, address_number, place

INPUTS = "(bytes32,uint256)[]"
REGISTER = ("uint16", "uint8", "bytes32", "bytes32", "bytes32", INPUTS)
ACT = ("bytes32", "uint8", "uint256", "bytes32", "bytes32", INPUTS)
ANCHOR = ("bytes32", "uint256")


def single_form(asked: StepCall | AnchorCall) -> bytes:
    """Call data of `register`, `act` or `anchor`, encoded by another library than the product's."""
    if isinstance(asked, AnchorCall):
        return selector("anchor(bytes32,uint256)") + encode(ANCHOR, (asked.root, asked.count))
    inputs = [(entry.artefact, entry.sequence) for entry in asked.inputs]
    last = (asked.record, asked.subject, inputs)
    if asked.lifecycle:
        values = (asked.lifecycle, asked.action, asked.artefact, *last)
        return selector(f"register({','.join(REGISTER)})") + encode(REGISTER, values)
    return selector(f"act({','.join(ACT)})") + encode(
        ACT, (asked.artefact, asked.action, asked.sequence, *last)
    )


class SideBySide:
    """One contract, its specification and a reader of its events."""

    def __init__(
        self, env: Env, founders: Sequence[Founder], rules: Governance, tables: Sequence[Table]
    ) -> None:
        contract = Deployed.found(env, founders, rules, tables)
        assert isinstance(contract, Deployed), contract
        self.contract = contract
        self.history = SharedHistory(contract.chain_id, contract.address)
        self.reader = SharedHistory(contract.chain_id, contract.address)
        assert contract.founding == self.history.found(founders, rules, tables, contract.block)
        self._compare(contract.founding)

    def copy(self) -> SideBySide:
        """The same with histories of its own; what the machine does is the machine's to undo."""
        twin = copy(self)
        twin.history, twin.reader = deepcopy(self.history), deepcopy(self.reader)
        return twin

    @property
    def terms(self) -> Terms:
        """What a signature over a statement is bound to."""
        return Terms(self.contract.chain_id, b"", self.contract.address, 0, b"", 1)

    # --- calls ------------------------------------------------------------------------------

    def call(self, key: bytes, asked: ContractCall, consented: bool = True) -> Outcome:
        """Any call; `consented` says whether the consent of the key that it brings is a good one."""
        outcome = self.contract.send(key, encode_call(asked))
        call = Call(key, self.contract.block, self.contract.time)
        made = apply(self.history, call, asked, consented, flaws_of(self.terms, asked))
        assert outcome == (made if isinstance(made, Reason | list) else [made])
        self._compare(outcome)
        return outcome

    def single(self, key: bytes, asked: StepCall | AnchorCall) -> Outcome:
        """The same item through `register`, `act` or `anchor`, which revert when they refuse."""
        call = Call(key, self.contract.block)
        outcome = self.contract.send(key, single_form(asked))
        made: Reason | Event
        if isinstance(asked, StepCall):
            made = self.history.step(call, asked)
        else:
            made = self.history.anchor(call, asked)
        assert outcome == (made if isinstance(made, Reason) else [made])
        self._compare(outcome)
        return outcome

    def make(self, key: bytes, asked: StepCall) -> Step:
        """A step that must be accepted; its event."""
        outcome = self.call(key, BatchCall(steps=(asked,)))
        assert isinstance(outcome, list)
        (event,) = outcome
        assert not isinstance(event, Refused), Reason(event.reason).name
        assert isinstance(event, Step)
        return event

    def refusal(self, key: bytes, asked: StepCall | AnchorCall) -> Reason:
        """Why an item is refused, alone and in a batch alike; nothing may change by either."""
        before = self.contract.storage()
        alone = self.single(key, asked)
        is_step = isinstance(asked, StepCall)
        batch = BatchCall(steps=(asked,)) if is_step else BatchCall(anchors=(asked,))
        together = self.call(key, batch)
        assert self.contract.storage() == before
        assert isinstance(alone, Reason), alone
        if isinstance(together, list):
            (event,) = together
            assert isinstance(event, Refused)
            assert event.item == 0
            together = Reason(event.reason)
        assert together == alone
        return alone

    def advance(self, blocks: int = 1) -> None:
        """Let blocks go by."""
        self.contract.block += blocks

    # --- comparing --------------------------------------------------------------------------

    def _compare(self, outcome: Outcome) -> None:
        for event in outcome if isinstance(outcome, list) else ():
            assert self.reader.accept(event, self.contract.block) is None
        assert self.contract.storage() == expected_storage(self.history)
        assert self.contract.balance == 0

    def compare_reader(self) -> None:
        """Whoever read the events alone knows as much as the contract; dear, so not after every call."""
        assert self.reader == self.history

    def decide(self, change: Change, *keys: bytes, consent: bytes = bytes(65)) -> list[Event]:
        """Propose with the first key, vote with the others, wait, execute with the first; what that emits."""
        first, *others = keys
        (made,) = self.accepted(first, ProposeCall(change))
        assert isinstance(made, ProposalMade)
        for other in others:
            self.accepted(other, VoteCall(made.number))
        self.advance(self.history.delay(self.history.proposals[made.number]))
        return self.accepted(first, ExecuteCall(made.number, change, consent))

    def accepted(self, key: bytes, asked: ContractCall) -> list[Event]:
        """What a call emits that must not be refused."""
        outcome = self.call(key, asked)
        assert isinstance(outcome, list), outcome
        return outcome

    def refused(self, key: bytes, asked: ContractCall, consented: bool = True) -> Reason:
        """Why a call is refused as a whole; nothing may change."""
        before = self.contract.storage()
        outcome = self.call(key, asked, consented)
        assert self.contract.storage() == before
        assert isinstance(outcome, Reason), outcome
        return outcome


def expected_storage(history: SharedHistory) -> dict[int, int]:
    """What the contract's storage holds when it agrees with the specification, slot by slot."""
    slots = {place(21, gone): successor for gone, successor in history.successors.items()}
    slots |= {
        2: history.member_count,
        3: history.threshold,
        7: len(history.tables),
        13: len(history.organisations),
        14: len(history.proposals),
    }
    assert not history.awaited
    pace = history.pace
    slots[12] = (
        pace.lifetime | pace.delay << 40 | pace.recovery_delay << 80 | history.epoch << 120 if pace else 0
    )
    for number, proposal in history.proposals.items():
        slots[place(15, number)] = proposal.word
        slots[place(16, number)] = int.from_bytes(proposal.change.digest, "big")
        slots |= {place(17, number, voter): 1 for voter in proposal.voters}
        slots[place(18, proposal.proposer)] = number
    for organisation in history.organisations.values():
        slots[place(0, organisation.number)] = organisation.word
    for address, key in history.keys.items():
        slots[place(1, address_number(address))] = key.word
    for admitted, table in history.tables.items():
        slots[place(5, admitted)] = table.properties
        slots[place(6, table.id)] = admitted
        for rule in table.rules:
            slots[place(4, admitted << 16 | rule.state << 8 | rule.action)] = rule.word
    for artefact in history.artefacts.values():
        slots[place(8, artefact.id)] = artefact.word
        slots[place(9, artefact.id)] = int.from_bytes(artefact.head, "big")
        slots[place(20, artefact.id)] = artefact.contester
    for given in history.approved:
        artefact_id, action, sequence, subject, actor, record = given
        slots[place(19, keccak_words(artefact_id, action, sequence, subject, actor.word, record))] = 1
    for (identity, organisation_number), duties in history.performed.items():
        slots[place(10, identity, organisation_number)] = duties
    for organisation_number, head in history.anchor_heads.items():
        slots[place(11, organisation_number)] = int.from_bytes(head, "big")
    return {slot: value for slot, value in slots.items() if value}
