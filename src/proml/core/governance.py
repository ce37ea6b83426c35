"""The executable specification of the governance contract: how the members change their own rules.

The order in which things are checked is that of contracts/governance.vy. A decision is judged by a
method that changes nothing and makes the event; `_apply` changes what the event says. A reader makes
every event again and compares, so the same code verifies.

Example: with a threshold of 2, organisation 1 proposes to admit a fifth member, organisation 3 votes for
it, and after the delay anybody with scope `govern` executes it. Had organisation 2 been removed meanwhile,
the epoch would have risen and the proposal lapsed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from proml.core.call import Call
from proml.core.changes import MAX_TABLES, Changing
from proml.core.consortium import SCOPES, Actor
from proml.core.event import (
    Decision,
    Event,
    GovernanceSet,
    LifecycleAdmitted,
    OrganisationAdmitted,
    OrganisationRemoved,
    ProposalCancelled,
    ProposalExecuted,
    ProposalMade,
    RolesSet,
    SuccessorNamed,
    ThresholdSet,
    VoteCast,
)
from proml.core.lifecycle import Table
from proml.core.proposal import (
    KEYED,
    MAX_BLOCKS,
    Change,
    ChangeKind,
    Proposal,
    ProposalState,
)
from proml.core.refusal import Reason


@dataclass(slots=True)
class Governed(Changing):
    """A membership that decides by vote.

    Attributes:
        proposals: by number, from 1.
        awaited: while events are read, what an executed proposal must still emit, in order. Of a
            lifecycle its number and id count only.
    """

    proposals: dict[int, Proposal] = field(default_factory=dict)
    awaited: tuple[Event, ...] = ()

    # --- calls ------------------------------------------------------------------------------

    def propose(self, call: Call, change: Change) -> Reason | Decision:
        """Propose a change; also the proposer's vote."""
        return self._decided(self._judge_proposal(call, change), call.block)

    def vote(self, call: Call, number: int) -> Reason | Decision:
        """Vote for an open proposal."""
        return self._decided(self._judge_vote(call, number), call.block)

    def cancel(self, call: Call, number: int) -> Reason | Decision:
        """Withdraw a proposal, or object to the recovery of one's own organisation."""
        return self._decided(self._judge_cancel(call, number), call.block)

    def leave(self, call: Call) -> Reason | Decision:
        """End the membership of the caller's organisation."""
        return self._decided(self._judge_leave(call), call.block)

    def execute(self, call: Call, number: int, change: Change, consented: bool) -> Reason | list[Event]:
        """Carry out a proposal of any kind but 5; `consented` says whether a new key signed for it."""
        event = self._judge_execution(call, number, change)
        if isinstance(event, Reason):
            return event
        if change.kind == ChangeKind.ADMIT_LIFECYCLE:
            return Reason.OUT_OF_RANGE
        objection = self._objection(change)
        if objection is not None:
            return objection
        if change.kind in KEYED and not consented:
            return Reason.CONSENT_INVALID
        return self._carried_out(event, call.block)

    def execute_lifecycle(
        self, call: Call, number: int, properties: int, document: bytes, rules: tuple[int, ...]
    ) -> Reason | list[Event]:
        """Carry out a proposal of kind 5 with the words of the table it names."""
        lifecycle = Table.id_of(properties, document, rules)
        event = self._judge_execution(call, number, Change(ChangeKind.ADMIT_LIFECYCLE, profile=lifecycle))
        if isinstance(event, Reason):
            return event
        admitted = LifecycleAdmitted(len(self.tables) + 1, lifecycle, properties, document, rules)
        if self._table_problem(admitted):
            return Reason.LIFECYCLE_INVALID
        self._apply(event, call.block)
        self.awaited = ()
        self._apply(admitted, call.block)
        return [event, admitted]

    def _decided(self, event: Reason | Decision, block: int) -> Reason | Decision:
        if not isinstance(event, Reason):
            self._apply(event, block)
        return event

    def _carried_out(self, event: Decision, block: int) -> list[Event]:
        self._apply(event, block)
        effects, self.awaited = self.awaited, ()
        for effect in effects:
            self._apply(effect, block)
        return [event, *effects]

    # --- judging: nothing changes -----------------------------------------------------------

    def _judge_proposal(self, call: Call, change: Change) -> Reason | Decision:
        proposer = self.scoped(call, "govern")
        if isinstance(proposer, Reason):
            return proposer
        objection = self._objection(change)
        if objection is not None:
            return objection
        own = (proposal for proposal in self.proposals.values() if proposal.proposer == proposer.number)
        if any(self.closed(proposal, call.block) is None for proposal in own):
            return Reason.PROPOSAL_OPEN
        return ProposalMade(len(self.proposals) + 1, Actor(proposer.number, call.key), change)

    def _judge_vote(self, call: Call, number: int) -> Reason | Decision:
        voter = self.scoped(call, "govern")
        if isinstance(voter, Reason):
            return voter
        proposal = self._open(number, call.block)
        if isinstance(proposal, Reason):
            return proposal
        if voter.number == proposal.proposer or voter.number in proposal.voters:
            return Reason.VOTED_ALREADY
        return VoteCast(number, Actor(voter.number, call.key))

    def _judge_execution(self, call: Call, number: int, change: Change | None) -> Reason | Decision:
        """Whether a proposal may be executed now; `change` is what the caller says it is, if he must."""
        executor = self.scoped(call, "govern")
        if isinstance(executor, Reason):
            return executor
        proposal = self._open(number, call.block)
        if isinstance(proposal, Reason):
            return proposal
        if not proposal.passed:
            return Reason.VOTES_MISSING
        if call.block < proposal.passed + self.delay(proposal):
            return Reason.TOO_EARLY
        if change not in (None, proposal.change):
            return Reason.PROPOSAL_DIFFERS
        return ProposalExecuted(number, Actor(executor.number, call.key))

    def _judge_cancel(self, call: Call, number: int) -> Reason | Decision:
        caller = self.standing(call)
        if isinstance(caller, Reason):
            return caller
        proposal = self._open(number, call.block)
        if isinstance(proposal, Reason):
            return proposal
        change = proposal.change
        if change.kind != ChangeKind.RECOVER_KEY or change.organisation != caller.number:
            if proposal.proposer != caller.number:
                return Reason.NOT_YOUR_PROPOSAL
            if not self.keys[call.key].scope & SCOPES["govern"]:
                return Reason.SCOPE_MISSING
        return ProposalCancelled(number, Actor(caller.number, call.key))

    def _judge_leave(self, call: Call) -> Reason | Decision:
        organisation = self.scoped(call, "govern")
        if isinstance(organisation, Reason):
            return organisation
        if self.member_count <= self.threshold:
            return Reason.TOO_FEW_MEMBERS
        return OrganisationRemoved(organisation.number, Actor(organisation.number, call.key))

    def _open(self, number: int, block: int) -> Reason | Proposal:
        proposal = self.proposals.get(number)
        if proposal is None:
            return Reason.UNKNOWN_PROPOSAL
        return self.closed(proposal, block) or proposal

    def closed(self, proposal: Proposal, block: int) -> Reason | None:
        """Why nothing can be done about a proposal in `block` any more, or None."""
        if proposal.state != ProposalState.OPEN:
            return Reason.PROPOSAL_CLOSED
        if block >= self.end(proposal) or proposal.epoch != self.epoch:
            return Reason.PROPOSAL_LAPSED
        return None

    def end(self, proposal: Proposal) -> int:
        """The first block in which a proposal is closed if nothing is done about it."""
        lifetime = self.pace.lifetime if self.pace else 0
        return proposal.created + lifetime + (self.delay(proposal) if proposal.passed else 0)

    def delay(self, proposal: Proposal) -> int:
        """Blocks between the vote that passes a proposal and its earliest execution."""
        if self.pace is None:
            return 0
        recovery = proposal.change.kind == ChangeKind.RECOVER_KEY
        return self.pace.recovery_delay if recovery else self.pace.delay

    # --- what an event changes --------------------------------------------------------------

    def _apply(self, event: Event, block: int) -> None:
        match event:
            case ProposalMade():
                proposer = event.actor.organisation
                passed = block if self.threshold == 1 else 0
                self.proposals[event.number] = Proposal(event.change, proposer, block, self.epoch, passed)
            case VoteCast():
                proposal = self.proposals[event.number]
                voted = proposal.with_vote(event.actor.organisation, self.threshold, block)
                self.proposals[event.number] = voted
            case ProposalExecuted():
                proposal = self.proposals[event.number]
                self.proposals[event.number] = replace(proposal, state=ProposalState.EXECUTED)
                self.awaited = self._effects(proposal.change, event.actor)
            case ProposalCancelled():
                proposal = self.proposals[event.number]
                self.proposals[event.number] = replace(proposal, state=ProposalState.CANCELLED)
            case _:
                self._apply_effect(event, block)

    # --- accepting what was emitted: None, or why these contracts cannot have emitted it --------

    def _accept_rules(
        self, event: OrganisationAdmitted | ThresholdSet | GovernanceSet, block: int
    ) -> str | None:
        """The founding, in the order of the constructor; what a vote changes is awaited instead."""
        if not isinstance(event, GovernanceSet):
            return self._accept_founding(event, block)
        if not self.threshold or self.pace or not self._is_founding_block(block):
            return "lifetime and delays are set by the founding only"
        longest = max(event.lifetime, event.delay, event.recovery_delay)
        if event.lifetime < 1 or longest > MAX_BLOCKS:
            return "the lifetime of proposals or a delay is out of range"
        self.pace = event
        return None

    def _accept_governance(
        self, event: Decision | RolesSet | SuccessorNamed | LifecycleAdmitted, block: int
    ) -> str | None:
        match event:
            case RolesSet() | SuccessorNamed():
                return "roles and successors are set by vote only"
            case LifecycleAdmitted():
                return self._accept_lifecycle(event, block)
            case _:
                return self._accept_decision(event, block)

    def _accept_decision(self, event: Decision, block: int) -> str | None:
        """Make the event again; not checked, since events do not say it: that a new key consented."""
        made = self._judge_again(event, Call(event.actor.key, block))
        if isinstance(made, Reason):
            return made.text
        if made != event:
            return "the event does not say what the decision was"
        self._apply(event, block)
        return None

    def _judge_again(self, event: Decision, call: Call) -> Reason | Decision:
        match event:
            case ProposalMade():
                return self._judge_proposal(call, event.change)
            case VoteCast():
                return self._judge_vote(call, event.number)
            case ProposalCancelled():
                return self._judge_cancel(call, event.number)
            case OrganisationRemoved():
                return self._judge_leave(call)
            case ProposalExecuted():
                made = self._judge_execution(call, event.number, None)
                if isinstance(made, Reason):
                    return made
                return self._objection(self.proposals[event.number].change) or made

    def _accept_awaited(self, event: Event, block: int) -> str | None:
        """While a proposal is carried out, nothing but what it says may be emitted."""
        due, *rest = self.awaited
        if isinstance(due, LifecycleAdmitted) and isinstance(event, LifecycleAdmitted):
            problem = self._table_problem(event)
            if problem:
                return problem
            due = replace(event, number=due.number, lifecycle=due.lifecycle)
        if event != due:
            return f"an executed proposal must emit {type(due).__name__} next, and as it was voted for"
        self._apply_effect(event, block)
        self.awaited = tuple(rest)
        return None

    def _accept_lifecycle(self, event: LifecycleAdmitted, block: int) -> str | None:
        """In the constructor, after everything else that it does."""
        if not self._is_founding_block(block) or not self.is_untouched() or event.number > MAX_TABLES:
            return "lifecycles are admitted by the founding or by vote only"
        problem = self._table_problem(event)
        if problem is None:
            self._apply_effect(event, block)
        return problem

    def is_untouched(self) -> bool:
        """Whether nothing was done yet that only calls can do."""
        calls = self.proposals or any(key.revoked for key in self.keys.values())
        return not calls and len(self.keys) == len(self.organisations)
