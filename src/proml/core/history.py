"""The executable specification: what the contracts accept, refuse and emit, step by step.

Rules, in the order in which they are checked (docs/contracts.md, the contract and this file agree;
a state machine test drives both side by side):

1.  The key belongs to a member, is not revoked, not expired, its organisation not removed.
2.  Its scope covers recording.
3.  A registration names an id that does not exist; an act names one that does.
4.  The step expects exactly the next sequence.
5.  The lifecycle has a rule for this action in the present state.
6.  The organisation holds one of the rule's roles; the key has scope `approve` if the rule asks.
7.  Custodian-only rules: the organisation is the custodian.
8.  Separation of duties: the organisation performed none of the duties the rule names.
9.  The record commitment is not zero; the subject is not zero if the rule asks.
10. Enough inputs; each exists, at a sequence it reached, usable if the rule asks; one is of the
    asked kind.
11. Each approval it names was given for exactly this step, by a member that may still approve it;
    they are of as many organisations as the rule asks for.

Example: a run that is finished (usable from 2) may be the input (run, 2) of a model's `propose`;
after the run's `recall` the same input is refused, as INPUT_UNUSABLE.

Rules 1 and 2, and the keys themselves, are in membership.py; how members decide is in governance.py.

The same code verifies: `SharedHistory.accept` makes an emitted event again from its own words and
compares. Nothing is written before the last check, so a refusal changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from proml.core.artefact import Artefact, artefact_id, unregistered
from proml.core.call import AnchorCall, ApproveCall, Call, Founder, StepCall
from proml.core.changes import MAX_TABLES
from proml.core.consortium import ALL_SCOPES, SCOPES, Actor
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
    next_head,
)
from proml.core.governance import Governed
from proml.core.lifecycle import MAX_APPROVALS, MAX_INPUTS, Rule, Table
from proml.core.membership import MAX_FOUNDERS
from proml.core.proposal import Governance
from proml.core.refusal import Reason


@dataclass(slots=True)
class SharedHistory(Governed):
    """Everything the contracts hold, as plain values.

    Attributes:
        artefacts: by id, 32 bytes.
        approved: approvals given: artefact, action, sequence, subject, actor, record.
        performed: duties (bit d) an organisation performed on an artefact that another performed first.
        anchor_heads: head of an organisation's chain of anchors, by its number.
        latest: the highest block an event was accepted from.
    """

    artefacts: dict[bytes, Artefact] = field(default_factory=dict)
    approved: set[tuple[bytes, int, int, bytes, Actor, bytes]] = field(default_factory=set)
    performed: dict[tuple[bytes, int], int] = field(default_factory=dict)
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

    def _approval_refusal(self, actor: Actor, asked: ApproveCall) -> Reason | None:
        present = self.artefacts.get(asked.artefact)
        if present is None:
            return Reason.UNKNOWN_ARTEFACT
        if asked.sequence != present.sequence + 1:
            return Reason.WRONG_SEQUENCE
        rule = self.tables[present.lifecycle].rule(present.state, asked.action)
        if rule is None:
            return Reason.NO_TRANSITION
        if not rule.approvals:
            return Reason.APPROVAL_NOT_ASKED
        if not self.organisations[actor.organisation].roles & rule.approver_roles:
            return Reason.ROLE_MISSING
        if rule.approver_differs & self.duties(present, actor.organisation):
            return Reason.DUTY_CONFLICT
        if asked.record == ZERO:
            return Reason.RECORD_MISSING
        if rule.subject and asked.subject == ZERO:
            return Reason.SUBJECT_MISSING
        given = (asked.artefact, asked.action, asked.sequence, asked.subject, actor, asked.record)
        return Reason.APPROVED_ALREADY if given in self.approved else None

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

    def id_of(self, call: Call, asked: StepCall) -> bytes:
        """The id a step speaks of; for a registration the one it would create."""
        if not asked.lifecycle:
            return asked.artefact
        return artefact_id(self.chain_id, self.contract, call.key, asked.artefact)

    def _step(self, call: Call, artefact: bytes, asked: StepCall) -> Reason | Step:
        """Rules 3 to 10 for a key that may record, then the step itself."""
        judged = self._judge(call, artefact, asked)
        if isinstance(judged, Reason):
            return judged
        present, rule, event = judged
        self._move(present, rule, event)
        return event

    def _judge(self, call: Call, artefact: bytes, asked: StepCall) -> Reason | tuple[Artefact, Rule, Step]:
        actor = Actor(self.keys[call.key].organisation, call.key)
        present = self.artefacts.get(artefact)
        if asked.lifecycle:
            if present is not None:
                return Reason.EXISTS
            present = unregistered(artefact, asked.lifecycle, actor.organisation)
        elif present is None:
            return Reason.UNKNOWN_ARTEFACT
        if asked.sequence != present.sequence + 1:
            return Reason.WRONG_SEQUENCE
        table = self.tables.get(present.lifecycle)
        rule = table.rule(present.state, asked.action) if table else None
        if rule is None:
            return Reason.NO_TRANSITION
        refusal = (
            self._actor_refusal(present, rule, actor)
            or self._content_refusal(rule, asked)
            or self._approvals_refusal(rule, asked, artefact)
        )
        return refusal or (present, rule, asked.event(artefact, actor, rule.following))

    def _actor_refusal(self, present: Artefact, rule: Rule, actor: Actor) -> Reason | None:
        """Rules 6 to 8."""
        organisation = actor.organisation
        if not self.organisations[organisation].roles & rule.roles:
            return Reason.ROLE_MISSING
        if rule.approve and not self.keys[actor.key].scope & SCOPES["approve"]:
            return Reason.SCOPE_MISSING
        if present.state == 0:
            return None
        if rule.custodian and present.custodian != organisation:
            return Reason.NOT_CUSTODIAN
        if rule.differs & self.duties(present, organisation):
            return Reason.DUTY_CONFLICT
        return None

    def duties(self, artefact: Artefact, organisation: int) -> int:
        """What an organisation did on an artefact: bit 0 created it, bit d performed duty d."""
        mask = 1 if artefact.creator == organisation else 0
        for duty, performer in enumerate(artefact.performers, start=1):
            if performer == organisation:
                mask |= 1 << duty
        return mask | self.performed.get((artefact.id, organisation), 0)

    def _content_refusal(self, rule: Rule, asked: StepCall) -> Reason | None:
        """Rules 9 and 10."""
        if asked.record == ZERO:
            return Reason.RECORD_MISSING
        if rule.subject and asked.subject == ZERO:
            return Reason.SUBJECT_MISSING
        if len(asked.inputs) < rule.least_inputs:
            return Reason.INPUTS_MISSING
        of_kind = rule.input_kind == 0
        for entry in asked.inputs:
            other = self.artefacts.get(entry.artefact)
            if other is None:
                return Reason.INPUT_UNKNOWN
            if not 1 <= entry.sequence <= other.sequence:
                return Reason.INPUT_AHEAD
            if rule.inputs_usable and (other.usable_from == 0 or entry.sequence < other.usable_from):
                return Reason.INPUT_UNUSABLE
            of_kind = of_kind or self.tables[other.lifecycle].kind == rule.input_kind
        return None if of_kind else Reason.INPUT_KIND

    def _approvals_refusal(self, rule: Rule, asked: StepCall, artefact: bytes) -> Reason | None:
        """Rule 11."""
        last = 0
        for approval in asked.approvals:
            actor = approval.actor
            given = (artefact, asked.action, asked.sequence, asked.subject, actor, approval.record)
            if actor.organisation <= last or given not in self.approved:
                return Reason.APPROVAL_INVALID
            last = actor.organisation
            giver = self.organisations[actor.organisation]
            if self.keys[actor.key].revoked or giver.removed or not giver.roles & rule.approver_roles:
                return Reason.APPROVAL_INVALID
        return Reason.APPROVALS_MISSING if len(asked.approvals) < rule.approvals else None

    def _move(self, present: Artefact, rule: Rule, event: Step) -> None:
        organisation = event.actor.organisation
        if rule.duty and present.performers[rule.duty - 1] not in (0, organisation):
            at = (present.id, organisation)
            self.performed[at] = self.performed.get(at, 0) | 1 << rule.duty
        self.artefacts[present.id] = present.moved(rule, organisation, next_head(present.head, event))

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
        judged = self._judge(call, event.artefact, asked)
        if isinstance(judged, Reason):
            return judged.text
        present, rule, made = judged
        if made != event:
            return "the event does not say what the step did"
        self._move(present, rule, event)
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
        return not (self.artefacts or self.anchor_heads) and Governed.is_untouched(self)


def _given(event: Approved) -> tuple[bytes, int, int, bytes, Actor, bytes]:
    return (event.artefact, event.action, event.sequence, event.subject, event.actor, event.record)
