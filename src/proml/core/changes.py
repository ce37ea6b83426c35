"""What a decided change needs and does: the part of governance that knows nothing of votes.

`Governed` (governance.py) adds proposals and votes. The order of the checks is that of `_objection` in
contracts/governance.vy.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from proml.core.consortium import ALL_SCOPES, Actor, Organisation
from proml.core.event import (
    Event,
    GovernanceSet,
    KeyAdded,
    LifecycleAdmitted,
    OrganisationAdmitted,
    OrganisationRemoved,
    RolesSet,
    SuccessorNamed,
    ThresholdSet,
)
from proml.core.lifecycle import Table
from proml.core.membership import Membership
from proml.core.proposal import CONCERNING, KEYED, ZERO_KEY, Change, ChangeKind
from proml.core.refusal import Reason
from proml.errors import LifecycleInvalid

MAX_TABLES = 16


@dataclass(slots=True)
class Changing(Membership):
    """A membership that can change, and the lifecycles it admits.

    Attributes:
        tables: lifecycles by number, from 1.
        pace: lifetime and delays of proposals; None until the founding is complete.
        epoch: how often an organisation went or the threshold changed since the founding.
        successors: who stands in, as a custodian, for an organisation that is no longer a member.
    """

    tables: dict[int, Table] = field(default_factory=dict)
    pace: GovernanceSet | None = None
    epoch: int = 0
    successors: dict[int, int] = field(default_factory=dict)

    @property
    def is_founded(self) -> bool:
        """Whether the founding is complete but for the lifecycles."""
        return bool(self.threshold) and self.pace is not None

    def _objection(self, change: Change) -> Reason | None:
        """Why a change cannot be made as things stand; what its kind does not use must be zero."""
        kind = change.kind
        if kind not in ChangeKind.__members__.values():
            return Reason.OUT_OF_RANGE
        if kind == ChangeKind.NAME_SUCCESSOR:
            return self._successor_objection(change)
        if kind in CONCERNING:
            if not self.is_member(change.organisation):
                return Reason.NOT_A_MEMBER
        elif change.organisation:
            return Reason.OUT_OF_RANGE
        if kind in KEYED:
            if change.key == ZERO_KEY or change.key in self.keys:
                return Reason.KEY_IN_USE
        elif change.key != ZERO_KEY:
            return Reason.OUT_OF_RANGE
        return self._setting_objection(change) or self._profile_objection(change)

    def _successor_objection(self, change: Change) -> Reason | None:
        if self.is_member(change.organisation):
            return Reason.STILL_A_MEMBER
        if change.organisation not in self.organisations or not self.is_member(change.setting):
            return Reason.NOT_A_MEMBER
        return Reason.OUT_OF_RANGE if change.key != ZERO_KEY or any(change.profile) else None

    def _setting_objection(self, change: Change) -> Reason | None:
        match change.kind:
            case ChangeKind.ADMIT | ChangeKind.SET_ROLES:
                fits = change.setting < 2**64
            case ChangeKind.SET_THRESHOLD:
                fits = 1 <= change.setting <= self.member_count
            case _:
                fits = change.setting == 0
        return None if fits else Reason.OUT_OF_RANGE

    def _profile_objection(self, change: Change) -> Reason | None:
        if change.kind == ChangeKind.ADMIT_LIFECYCLE:
            known = any(table.id == change.profile for table in self.tables.values())
            return Reason.LIFECYCLE_INVALID if known or not any(change.profile) else None
        if change.kind != ChangeKind.ADMIT and any(change.profile):
            return Reason.OUT_OF_RANGE
        if change.kind == ChangeKind.REMOVE and self.member_count <= self.threshold:
            return Reason.TOO_FEW_MEMBERS
        return None

    def _effects(self, change: Change, actor: Actor) -> tuple[Event, ...]:
        """What an executed proposal emits after `ProposalExecuted`."""
        match change.kind:
            case ChangeKind.ADMIT:
                number = len(self.organisations) + 1
                return (
                    OrganisationAdmitted(number, change.setting, change.profile),
                    KeyAdded(number, change.key, ALL_SCOPES, 0),
                )
            case ChangeKind.REMOVE:
                return (OrganisationRemoved(change.organisation, actor),)
            case ChangeKind.SET_ROLES:
                return (RolesSet(change.organisation, change.setting),)
            case ChangeKind.SET_THRESHOLD:
                return (ThresholdSet(change.setting),)
            case ChangeKind.NAME_SUCCESSOR:
                return (SuccessorNamed(change.organisation, change.setting),)
            case ChangeKind.ADMIT_LIFECYCLE:
                return (LifecycleAdmitted(len(self.tables) + 1, change.profile, 0, bytes(32), ()),)
            case _:
                return (KeyAdded(change.organisation, change.key, ALL_SCOPES, 0),)

    def _apply_effect(self, event: Event, block: int) -> None:
        match event:
            case OrganisationAdmitted():
                number = event.organisation
                self.organisations[number] = Organisation(number, event.roles, event.profile, admitted=block)
            case KeyAdded():
                self._add_key(event, block)
            case OrganisationRemoved():
                member = self.organisations[event.organisation]
                self.organisations[member.number] = replace(member, removed=block)
                self.epoch += 1
            case RolesSet():
                member = self.organisations[event.organisation]
                self.organisations[member.number] = replace(member, roles=event.roles)
            case SuccessorNamed():
                self.successors[event.organisation] = event.successor
            case ThresholdSet():
                self.threshold = event.threshold
                self.epoch += 1
            case LifecycleAdmitted():
                table = Table.from_words(event.properties, event.document, event.rules)
                self.tables[event.number] = table

    def _table_problem(self, event: LifecycleAdmitted) -> str | None:
        try:
            table = Table.from_words(event.properties, event.document, event.rules)
        except LifecycleInvalid as invalid:
            return invalid.message
        if table.id != event.lifecycle or event.number != len(self.tables) + 1:
            return f"lifecycle {event.number} is not the table its id names, or out of turn"
        if table in self.tables.values():
            return f"lifecycle {event.number} was admitted before"
        return None
