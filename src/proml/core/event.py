"""Events: the facts the ledger emits, one frozen class per event of the contracts, same names.

Integers are unsigned; digests, ids and records are 32 bytes, keys 20. A `Placed` event also says
where in the chain it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from proml.core.consortium import Actor
from proml.core.digest import ZERO, keccak_words
from proml.core.proposal import Change


@dataclass(frozen=True, slots=True)
class Input:
    """What a step derives from: an artefact at one of its sequences (1 or more)."""

    artefact: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class Approval:
    """That `actor` approved a step, in a record of its own (commitment, 32 bytes)."""

    actor: Actor
    record: bytes


def inputs_digest(inputs: tuple[Input, ...], approvals: tuple[Approval, ...] = ()) -> bytes:
    """What a step rests on, 32 bytes; zero if on nothing.

    d = keccak256(d, actor, record) folded over the approvals, then d = keccak256(d, artefact, sequence)
    over the inputs.
    """
    digest = ZERO
    for approval in approvals:
        digest = keccak_words(digest, approval.actor.word, approval.record)
    for entry in inputs:
        digest = keccak_words(digest, entry.artefact, entry.sequence)
    return digest


@dataclass(frozen=True, slots=True)
class OrganisationAdmitted:
    """An organisation became a member; `profile` commits to its name."""

    organisation: int
    roles: int
    profile: bytes


@dataclass(frozen=True, slots=True)
class ThresholdSet:
    """How many organisations decide together from now on."""

    threshold: int


@dataclass(frozen=True, slots=True)
class GovernanceSet:
    """The pace of decisions, in blocks; set once, by the founding."""

    lifetime: int
    delay: int
    recovery_delay: int


@dataclass(frozen=True, slots=True)
class ProposalMade:
    """An organisation proposed a change, and voted for it by that."""

    number: int
    actor: Actor
    change: Change


@dataclass(frozen=True, slots=True)
class VoteCast:
    """An organisation voted for a proposal."""

    number: int
    actor: Actor


@dataclass(frozen=True, slots=True)
class ProposalExecuted:
    """A proposal was carried out; the events that follow say what it changed."""

    number: int
    actor: Actor


@dataclass(frozen=True, slots=True)
class ProposalCancelled:
    """A proposal was withdrawn, or the organisation concerned objected to its recovery."""

    number: int
    actor: Actor


@dataclass(frozen=True, slots=True)
class OrganisationRemoved:
    """A membership ended for good: by vote, `actor` executing it, or by the organisation's own act."""

    organisation: int
    actor: Actor


@dataclass(frozen=True, slots=True)
class RolesSet:
    """An organisation has these roles (mask) from now on."""

    organisation: int
    roles: int


@dataclass(frozen=True, slots=True)
class SuccessorNamed:
    """A member stands in, as a custodian, for an organisation that is no longer one."""

    organisation: int
    successor: int


@dataclass(frozen=True, slots=True)
class KeyAdded:
    """A key belongs to an organisation from this block on; `expires` is a block, 0 for never."""

    organisation: int
    key: bytes
    scope: int
    expires: int


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """A key is refused from this block on; what it signed since `compromised_since` is suspect."""

    organisation: int
    key: bytes
    compromised_since: int


@dataclass(frozen=True, slots=True)
class LifecycleAdmitted:
    """A lifecycle may be used from now on; `rules` are its packed rule words."""

    number: int
    lifecycle: bytes
    properties: int
    document: bytes
    rules: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Registered:
    """An artefact came into being, at sequence 1, in `state`."""

    artefact: bytes
    subject: bytes
    actor: Actor
    lifecycle: int
    action: int
    state: int
    record: bytes
    inputs: tuple[Input, ...] = ()

    @property
    def sequence(self) -> int:
        """Always 1."""
        return 1


@dataclass(frozen=True, slots=True)
class Acted:
    """An artefact moved along a transition of its lifecycle into `state`."""

    artefact: bytes
    subject: bytes
    actor: Actor
    sequence: int
    action: int
    state: int
    record: bytes
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class ActedApproved(Acted):
    """The same, relying on approvals by other organisations; one at least, each of another organisation."""

    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class Approved:
    """An organisation approved what is to be the artefact's next step, with exactly this subject."""

    artefact: bytes
    subject: bytes
    actor: Actor
    action: int
    sequence: int
    record: bytes


@dataclass(frozen=True, slots=True)
class Anchored:
    """An organisation anchored its `number`-th batch: a Merkle root over `count` observations."""

    actor: Actor
    root: bytes
    number: int
    count: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Item `item` of a batch was refused for `reason`; nothing of it happened.

    `artefact` is the id, or the root where the refused item was an anchor.
    """

    artefact: bytes
    actor: Actor
    item: int
    reason: int


Step = Registered | Acted  # ActedApproved is an Acted
Decision = ProposalMade | VoteCast | ProposalExecuted | ProposalCancelled | OrganisationRemoved
Event = (
    OrganisationAdmitted
    | ThresholdSet
    | GovernanceSet
    | Decision
    | RolesSet
    | SuccessorNamed
    | KeyAdded
    | KeyRevoked
    | LifecycleAdmitted
    | Registered
    | Acted
    | Approved
    | Anchored
    | Refused
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block: number, hash (32 bytes), time in whole seconds since 1970 UTC as its sealer says."""

    number: int
    hash: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Header:
    """A block, and the hash of the block before it (32 bytes)."""

    block: Block
    parent: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """An event and its place: the block, the transaction's hash, and the log's index in the block."""

    event: Event
    block: Block
    transaction: bytes
    index: int


def spoken_of(step: Step) -> bytes:
    """The subject of a step where it stands for bytes; zero where there is none, or where it is a number.

    A number (below 2**32) is the organisation that custody is offered to. That a digest should look
    like one is as likely as guessing 224 bits.
    """
    return ZERO if not any(step.subject[:28]) else step.subject


def approvals_of(step: Step) -> tuple[Approval, ...]:
    """The approvals that a step relies on."""
    return step.approvals if isinstance(step, ActedApproved) else ()


def next_head(head: bytes, step: Step) -> bytes:
    """The head after a step: keccak256(abi_encode(head, sequence, actor, action, record, subject, inputs)).

    The head before the first step is the artefact's id.
    """
    return keccak_words(
        head,
        step.sequence,
        step.actor.word,
        step.action,
        step.record,
        step.subject,
        inputs_digest(step.inputs, approvals_of(step)),
    )


def next_anchor_head(head: bytes, anchor: Anchored) -> bytes:
    """The head of an organisation's chain of anchors after one more; zero before the first."""
    return keccak_words(head, anchor.number, anchor.actor.word, anchor.root, anchor.count)
