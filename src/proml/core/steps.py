"""The executable specification of steps: rules 3 to 11 of history.py, and what an accepted step changes.

Judging changes nothing: it makes the event and the artefact's next standing. `SharedHistory` (history.py)
adds the calls and the reading of events.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from proml.core.artefact import Artefact, artefact_id, unregistered
from proml.core.call import ApproveCall, Call, StepCall
from proml.core.consortium import SCOPES, Actor
from proml.core.custody import taken
from proml.core.digest import ZERO
from proml.core.event import Step, next_head
from proml.core.governance import Governed
from proml.core.lifecycle import Alike, Rule
from proml.core.refusal import Reason


@dataclass(frozen=True, slots=True)
class Move:
    """An accepted step: its event, the standing after it, and the duty (bit d) that it performs."""

    event: Step
    after: Artefact
    duty: int = 0


@dataclass(slots=True)
class Stepped(Governed):
    """A consortium that takes steps.

    Attributes:
        artefacts: by id, 32 bytes.
        approved: approvals given: artefact, action, sequence, subject, actor, record.
        performed: duties (bit d) an organisation performed on an artefact that another performed first.
    """

    artefacts: dict[bytes, Artefact] = field(default_factory=dict)
    approved: set[tuple[bytes, int, int, bytes, Actor, bytes]] = field(default_factory=set)
    performed: dict[tuple[bytes, int], int] = field(default_factory=dict)

    def id_of(self, call: Call, asked: StepCall) -> bytes:
        """The id a step speaks of; for a registration the one it would create."""
        if not asked.lifecycle:
            return asked.artefact
        return artefact_id(self.chain_id, self.contract, call.key, asked.artefact)

    def _judge(self, call: Call, artefact: bytes, asked: StepCall) -> Reason | Move:
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
            return self._judge_alike(present, actor, asked)
        refusal = (
            self._actor_refusal(present, rule, actor)
            or self._content_refusal(rule, asked)
            or self._approvals_refusal(rule, asked, artefact)
        )
        if refusal is not None:
            return refusal
        event = asked.event(artefact, actor, rule.following)
        after = present.moved(rule, actor.organisation, next_head(present.head, event))
        return Move(event, after, rule.duty)

    def _judge_alike(self, present: Artefact, actor: Actor, asked: StepCall) -> Reason | Move:
        """A step that every lifecycle has: it keeps the state, derives from nothing, needs no approvals."""
        if not present.state or asked.action not in Alike.__members__.values():
            return Reason.NO_TRANSITION
        if asked.record == ZERO:
            return Reason.RECORD_MISSING
        if asked.inputs:
            return Reason.INPUTS_NOT_ASKED
        if asked.approvals:
            return Reason.APPROVAL_INVALID
        who = self.organisations[actor.organisation]
        keeps = self.keeps(present, who.number)
        after = taken(present, asked, who, keeps, self.is_member)
        if isinstance(after, Reason):
            return after
        event = asked.event(present.id, actor, present.state)
        return Move(event, replace(after, sequence=asked.sequence, head=next_head(present.head, event)))

    def keeps(self, artefact: Artefact, organisation: int) -> bool:
        """Whether an organisation is the custodian, or stands in for one that is no longer a member."""
        custodian = artefact.custodian
        return organisation in (custodian, self.successors.get(custodian))

    def _actor_refusal(self, present: Artefact, rule: Rule, actor: Actor) -> Reason | None:
        """Rules 6 to 8."""
        organisation = actor.organisation
        if not self.organisations[organisation].roles & rule.roles:
            return Reason.ROLE_MISSING
        if rule.approve and not self.keys[actor.key].scope & SCOPES["approve"]:
            return Reason.SCOPE_MISSING
        if present.state == 0:
            return None
        if rule.custodian and not self.keeps(present, organisation):
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

    def _move(self, move: Move) -> None:
        organisation = move.event.actor.organisation
        if move.duty and move.after.performers[move.duty - 1] != organisation:
            at = (move.after.id, organisation)
            self.performed[at] = self.performed.get(at, 0) | 1 << move.duty
        self.artefacts[move.after.id] = move.after

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
