"""The executable specification: what the contracts accept, refuse and emit, step by step.

Rules, in the order in which they are checked (docs/contracts.md, the contract and this file agree;
a state machine test drives both side by side):

1.  The key belongs to a member, is not revoked, not expired, its organisation not removed.
2.  Its scope covers recording.
3.  A registration names an id that does not exist; an act names one that does.
4.  The step expects exactly the next sequence.
5.  The lifecycle has a rule for this action in the present state.
6.  The organisation holds one of the rule's roles; the key has scope `approve` if the rule asks.
7.  Custodian-only rules: the organisation is the custodian, or stands in for one that went.
8.  Separation of duties: the organisation performed none of the duties the rule names.
9.  The record commitment is not zero; the subject is not zero if the rule asks.
10. Enough inputs; each exists, at a sequence it reached, usable if the rule asks; one is of the
    asked kind.
11. Each approval it names was given for exactly this step, by a member that may still approve it;
    they are of as many organisations as the rule asks for.

Example: a run that is finished (usable from 2) may be the input (run, 2) of a model's `propose`;
after the run's `recall` the same input is refused, as INPUT_UNUSABLE.

Where the lifecycle has no rule and the action is one that every lifecycle has alike (custody.py), its own
checks take the place of 6 to 11.

Rules 1 and 2, and the keys themselves, are in membership.py; rules 3 to 11 in steps.py; how members decide
is in governance.py.

The same code verifies: `SharedHistory.accept` makes an emitted event again from its own words and
compares. Nothing is written before the last check, so a refusal changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from proml.core.call import AnchorCall, ApproveCall, Call, Founder, Signed, SignedStep, StepCall
from proml.core.changes import MAX_TABLES
from proml.core.consortium import ALL_SCOPES, Actor
from proml.core.digest import ZERO
from proml.core.event import (
    Acted,
    ActedApproved,
    Anchored,
    Approved,
    Event,
    GovernanceSet,
    KeyAdded,
    KeyRevoked,
    LifecycleAdmitted,
    OrganisationAdmitted,
    Refused,
    Registered,
    Step,
    ThresholdSet,
    approvals_of,
    next_anchor_head,
)
from proml.core.lifecycle import MAX_APPROVALS, MAX_INPUTS, Table
from proml.core.membership import MAX_FOUNDERS
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from proml.core.steps import Stepped


@dataclass(slots=True)
class SharedHistory(Stepped):
    """Everything the contracts hold, as plain values.

    Attributes:
        anchor_heads: head of an organisation's chain of anchors, by its number.
        latest: the highest block an event was accepted from.
    """

    anchor_heads: dict[int, bytes] = field(default_factory=dict)
    latest: int = field(default=0, compare=False)

    # --- founding ---------------------------------------------------------------------------

    def found(
        self, founders: Sequence[Founder], rules: Governance, tables: Sequence[Table], block: int
    ) -> list[Event]:
        """The constructor: admit founders, set the threshold, admit the first lifecycles.

        Raises:
            ValueError: where the constructor reverts; there is then no contract at all, and this
                object is of no more use.
        """
        if len(founders) > MAX_FOUNDERS or len(tables) > MAX_TABLES:
            raise ValueError(f"at most {MAX_FOUNDERS} founders and {MAX_TABLES} lifecycles at once")
        events: list[Event] = []
        for number, founder in enumerate(founders, start=1):
            events.append(OrganisationAdmitted(number, founder.roles, founder.profile))
            events.append(KeyAdded(number, founder.key, ALL_SCOPES, 0))
        events.append(ThresholdSet(rules.threshold))
        events.append(GovernanceSet(rules.lifetime, rules.delay, rules.recovery_delay))
        for number, table in enumerate(tables, start=1):
            words = tuple(rule.word for rule in table.rules)
            events.append(LifecycleAdmitted(number, table.id, table.properties, table.document, words))
        for event in events:
            problem = self.accept(event, block)
            if problem:
                raise ValueError(problem)
        return events

    # --- steps ------------------------------------------------------------------------------

    def step(self, call: Call, asked: StepCall) -> Reason | Step:
        """One register or act call: the event it emits, or the reason for which it reverts."""
        organisation = self.scoped(call, "record")
        if isinstance(organisation, Reason):
            return organisation
        return self._step(call, self.id_of(call, asked), asked)

    def act_for(self, call: Call, asked: SignedStep, flaw: Reason | None) -> Reason | Step:
        """One step that its signer's key signed; `flaw` is what is wrong with the signature, if anything."""
        _, outcome = self._step_for(call, asked, flaw)
        return outcome

    def batch_for(
        self, call: Call, steps: Sequence[SignedStep], flaws: Sequence[Reason | None]
    ) -> Reason | list[Event]:
        """Steps that their signers' keys signed, in one transaction; a refused one becomes a `Refused`.

        `flaws` says of each what is wrong with its signature, if anything. The actor of a `Refused` is the
        signer once the signature was found good, else the sender, for organisation 0.
        """
        if any(len(s.step.inputs) > MAX_INPUTS or len(s.step.approvals) > MAX_APPROVALS for s in steps):
            return Reason.INPUTS_UNBALANCED
        taken = [(each, *self._step_for(call, each, flaw)) for each, flaw in zip(steps, flaws, strict=True)]
        return [
            Refused(self._id_for(asked), actor, item, outcome) if isinstance(outcome, Reason) else outcome
            for item, (asked, actor, outcome) in enumerate(taken)
        ]

    def _step_for(self, call: Call, asked: SignedStep, flaw: Reason | None) -> tuple[Actor, Reason | Step]:
        signer = replace(call, key=asked.by.signer)
        if flaw is not None:
            return Actor(0, call.key), flaw
        standing, recording = self.standing(signer), self.scoped(signer, "record")
        actor = Actor(0 if isinstance(standing, Reason) else standing.number, signer.key)
        if call.time > asked.by.deadline:
            return actor, Reason.DEADLINE_PASSED
        if isinstance(recording, Reason):
            return actor, recording
        if asked.step.lifecycle >= 2**16 or asked.step.action >= 2**8:
            return actor, Reason.OUT_OF_RANGE
        return actor, self._step(signer, self._id_for(asked), asked.step)

    def _id_for(self, asked: SignedStep) -> bytes:
        return self.id_of(Call(asked.by.signer, 0), asked.step)

    def approve_for(
        self, call: Call, asked: ApproveCall, by: Signed, flaw: Reason | None
    ) -> Reason | Approved:
        """One approval that its giver's key signed; `flaw` as in `act_for`."""
        if flaw is not None:
            return flaw
        if call.time > by.deadline:
            return Reason.DEADLINE_PASSED
        return self.approve(replace(call, key=by.signer), asked)

    def approve(self, call: Call, asked: ApproveCall) -> Reason | Approved:
        """One approval of a step that somebody is to take."""
        organisation = self.scoped(call, "approve")
        if isinstance(organisation, Reason):
            return organisation
        actor = Actor(organisation.number, call.key)
        refusal = self._approval_refusal(actor, asked)
        if refusal is not None:
            return refusal
        event = Approved(asked.artefact, asked.subject, actor, asked.action, asked.sequence, asked.record)
        self.approved.add(_given(event))
        return event

    def anchor(self, call: Call, asked: AnchorCall) -> Reason | Anchored:
        """One anchor call."""
        organisation = self.scoped(call, "record")
        if isinstance(organisation, Reason):
            return organisation
        return self._anchor(Actor(organisation.number, call.key), asked)

    def batch(
        self, call: Call, anchors: Sequence[AnchorCall], steps: Sequence[StepCall]
    ) -> Reason | list[Event]:
        """Anchors, then steps, in one transaction; a refused item becomes a `Refused` event.

        As a whole it is refused when the key may not record, or a step names more than 32 inputs or 8
        approvals. How many there are in all is bounded where calls are encoded (contracts/abi.py).
        """
        organisation = self.scoped(call, "record")
        if isinstance(organisation, Reason):
            return organisation
        if any(len(asked.inputs) > MAX_INPUTS or len(asked.approvals) > MAX_APPROVALS for asked in steps):
            return Reason.INPUTS_UNBALANCED
        actor = Actor(organisation.number, call.key)
        outcomes: list[tuple[bytes, Reason | Event]] = [
            (anchor.root, self._anchor(actor, anchor)) for anchor in anchors
        ]
        for asked in steps:
            artefact = self.id_of(call, asked)
            outcomes.append((artefact, self._step(call, artefact, asked)))
        return [
            Refused(name, actor, item, outcome) if isinstance(outcome, Reason) else outcome
            for item, (name, outcome) in enumerate(outcomes)
        ]

    def _step(self, call: Call, artefact: bytes, asked: StepCall) -> Reason | Step:
        """Rules 3 to 10 for a key that may record, then the step itself."""
        move = self._judge(call, artefact, asked)
        if isinstance(move, Reason):
            return move
        self._move(move)
        return move.event

    def _anchor(self, actor: Actor, asked: AnchorCall) -> Reason | Anchored:
        if asked.root == ZERO or asked.count == 0:
            return Reason.EMPTY_ANCHOR
        organisation = self.organisations[actor.organisation].with_anchor()
        event = Anchored(actor, asked.root, organisation.anchors, asked.count)
        self.organisations[organisation.number] = organisation
        self.anchor_heads[organisation.number] = next_anchor_head(
            self.anchor_heads.get(organisation.number, ZERO), event
        )
        return event

    # --- accepting what was emitted ---------------------------------------------------------

    def accept(self, event: Event, block: int) -> str | None:
        """Take an emitted event as the next one; say why these contracts cannot have emitted it.

        Returns None when it was legal, and then only is anything changed. Events must come in chain
        order, from the block of the deployment on. `Refused` events change nothing and are not
        checked. Not checked, since events do not say it: that the key signed the transaction (the chain
        did), and that a new artefact's id comes from its creator's key, its salt being in the call only.
        """
        if block < self.latest:
            return f"an event of block {block} came after one of block {self.latest}"
        problem = self._accept(event, block)
        if problem is None:
            self.latest = block
        return problem

    def _accept(self, event: Event, block: int) -> str | None:
        if self.awaited:
            return self._accept_awaited(event, block)
        match event:
            case OrganisationAdmitted() | ThresholdSet() | GovernanceSet():
                return self._accept_rules(event, block)
            case KeyAdded():
                return self._accept_key_added(event, block)
            case Refused():
                return None
            case _ if not self.is_founded:
                return "nothing can happen before the founding is complete"
            case Registered() | Acted():
                return self._accept_step(event, block)
            case Anchored():
                return self._accept_anchor(event, block)
            case Approved():
                return self._accept_approval(event, block)
            case KeyRevoked():
                return self._accept_key_revoked(event, block)
            case _:
                return self._accept_governance(event, block)

    def _accept_step(self, event: Step, block: int) -> str | None:
        call = Call(event.actor.key, block)
        standing = self.scoped(call, "record")
        if isinstance(standing, Reason):
            return standing.text
        if isinstance(event, Registered) and event.lifecycle == 0:
            return "a registration names no lifecycle"
        if len(event.inputs) > MAX_INPUTS:
            return f"a step names {MAX_INPUTS} inputs at most"
        if isinstance(event, ActedApproved) and not 1 <= len(event.approvals) <= MAX_APPROVALS:
            return f"a step that relies on approvals names 1 to {MAX_APPROVALS}"
        lifecycle = event.lifecycle if isinstance(event, Registered) else 0
        content = (event.record, event.subject, event.inputs, approvals_of(event))
        asked = StepCall(event.artefact, lifecycle, event.action, event.sequence, *content)
        move = self._judge(call, event.artefact, asked)
        if isinstance(move, Reason):
            return move.text
        if move.event != event:
            return "the event does not say what the step did"
        self._move(move)
        return None

    def _accept_approval(self, event: Approved, block: int) -> str | None:
        standing = self.scoped(Call(event.actor.key, block), "approve")
        if isinstance(standing, Reason):
            return standing.text
        if standing.number != event.actor.organisation:
            return "the event does not say whose approval it is"
        content = (event.artefact, event.action, event.sequence, event.subject, event.record)
        refusal = self._approval_refusal(event.actor, ApproveCall(*content))
        if refusal is None:
            self.approved.add(_given(event))
        return refusal.text if refusal else None

    def _accept_anchor(self, event: Anchored, block: int) -> str | None:
        standing = self.scoped(Call(event.actor.key, block), "record")
        if isinstance(standing, Reason):
            return standing.text
        if standing.number != event.actor.organisation or event.number != standing.anchors + 1:
            return f"anchor {event.number} of organisation {event.actor.organisation} is out of turn"
        made = self._anchor(event.actor, AnchorCall(event.root, event.count))
        return made.text if isinstance(made, Reason) else None

    def is_untouched(self) -> bool:
        """Whether nothing was done yet that only calls can do."""
        # Not `super()`: a dataclass with slots is another class than its body was written in.
        return not (self.artefacts or self.anchor_heads) and Stepped.is_untouched(self)


def _given(event: Approved) -> tuple[bytes, int, int, bytes, Actor, bytes]:
    return (event.artefact, event.action, event.sequence, event.subject, event.actor, event.record)
