"""Calls: what a caller asks the contracts to do, before they accept or refuse it."""

from __future__ import annotations

from dataclasses import dataclass

from proml.core.consortium import Actor
from proml.core.event import Acted, ActedApproved, Approval, Input, Registered, Step
from proml.core.proposal import Change


@dataclass(frozen=True, slots=True)
class Founder:
    """A founding organisation: its first key (20 bytes), roles (mask), profile commitment."""

    key: bytes
    roles: int
    profile: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, in which block, and its time in seconds since 1970, which signed calls depend on only."""

    key: bytes
    block: int
    time: int = 0


@dataclass(frozen=True, slots=True)
class StepCall:
    """One step as a caller asks for it.

    `artefact` is the id, or the salt where `lifecycle` is not 0, which makes it a registration.
    `approvals` are those it relies on, in ascending order of organisations, 8 at most.
    """

    artefact: bytes
    lifecycle: int
    action: int
    sequence: int
    record: bytes
    subject: bytes
    inputs: tuple[Input, ...] = ()
    approvals: tuple[Approval, ...] = ()

    def event(self, artefact: bytes, actor: Actor, state: int) -> Step:
        """What the contracts emit when they accept the step; `state` is the one it leads to."""
        content = (self.action, state, self.record, self.inputs)
        if self.lifecycle:
            return Registered(artefact, self.subject, actor, self.lifecycle, *content)
        if self.approvals:
            return ActedApproved(artefact, self.subject, actor, self.sequence, *content, self.approvals)
        return Acted(artefact, self.subject, actor, self.sequence, *content)


@dataclass(frozen=True, slots=True)
class AnchorCall:
    """One anchor as a caller asks for it."""

    root: bytes
    count: int


@dataclass(frozen=True, slots=True)
class BatchCall:
    """Anchors, then steps, in one transaction; at most 32 anchors, 64 steps, 128 inputs, 32 approvals."""

    anchors: tuple[AnchorCall, ...] = ()
    steps: tuple[StepCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ApproveCall:
    """Approve the step that is to get `sequence`: this action, with this subject.

    `record` is the commitment to the approval's own record.
    """

    artefact: bytes
    action: int
    sequence: int
    subject: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """Whose key signed something for others to send, and until when it may be sent.

    Attributes:
        signer: the key's address, 20 bytes.
        deadline: the last second, since 1970, in which the chain takes it.
        signature: EIP-712, 65 bytes r, s, v.
    """

    signer: bytes
    deadline: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedStep:
    """A step as its signer's key signed it; a registration's id is the signer's, whoever sends it."""

    step: StepCall
    by: Signed


@dataclass(frozen=True, slots=True)
class ActForCall:
    """Take one signed step, a registration or an act."""

    signed: SignedStep


@dataclass(frozen=True, slots=True)
class BatchForCall:
    """Take signed steps of any signers in one transaction; at most 50 with 64 inputs and 32 approvals."""

    steps: tuple[SignedStep, ...] = ()


@dataclass(frozen=True, slots=True)
class ApproveForCall:
    """Give an approval that its giver's key signed."""

    asked: ApproveCall
    by: Signed


@dataclass(frozen=True, slots=True)
class AddKeyCall:
    """Add `key` (20 bytes) to the caller's organisation.

    `consent` is the new key's own 65-byte EIP-712 signature (r, s, v) of KeyConsent.
    """

    key: bytes
    scope: int
    expires: int
    consent: bytes


@dataclass(frozen=True, slots=True)
class RevokeKeyCall:
    """Revoke `key` for good; what it signed since block `compromised_since` is suspect."""

    key: bytes
    compromised_since: int


@dataclass(frozen=True, slots=True)
class ProposeCall:
    """Propose a change; also the caller's vote for it."""

    change: Change


@dataclass(frozen=True, slots=True)
class VoteCall:
    """Vote for a proposal."""

    number: int


@dataclass(frozen=True, slots=True)
class ExecuteCall:
    """Carry out a proposal of any kind but ADMIT_LIFECYCLE.

    `consent` is the new key's 65-byte EIP-712 signature (r, s, v) of KeyConsent with every scope and no
    end; the organisation in it is 0 where it is yet to be admitted. Zeros where there is no new key.
    """

    number: int
    change: Change
    consent: bytes = bytes(65)


@dataclass(frozen=True, slots=True)
class ExecuteLifecycleCall:
    """Carry out a proposal of kind ADMIT_LIFECYCLE with the words of its table; 128 rules at most."""

    number: int
    properties: int
    document: bytes
    rules: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CancelCall:
    """Withdraw a proposal, or object to the recovery of one's own organisation."""

    number: int


@dataclass(frozen=True, slots=True)
class LeaveCall:
    """End the membership of the caller's organisation."""


KeyCall = AddKeyCall | RevokeKeyCall
GovernanceCall = ProposeCall | VoteCall | ExecuteCall | ExecuteLifecycleCall | CancelCall | LeaveCall
DelegatedCall = ActForCall | BatchForCall | ApproveForCall
ContractCall = BatchCall | ApproveCall | DelegatedCall | KeyCall | GovernanceCall
