"""Proposals: what organisations can decide together, and where a proposal stands.

The packed words are those of contracts/governance.vy; docs/contracts-governance.md has the layout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from proml.core.digest import ZERO, keccak_words

ZERO_KEY = bytes(20)
# Longest lifetime and delays, in blocks.
MAX_BLOCKS = 2**32 - 1


class ChangeKind(IntEnum):
    """What a proposal changes, by its number on the ledger."""

    ADMIT = 1
    REMOVE = 2
    SET_ROLES = 3
    SET_THRESHOLD = 4
    ADMIT_LIFECYCLE = 5
    RECOVER_KEY = 6
    NAME_SUCCESSOR = 7


# Kinds that concern a member, and kinds that bring a new key.
CONCERNING = (ChangeKind.REMOVE, ChangeKind.SET_ROLES, ChangeKind.RECOVER_KEY)
KEYED = (ChangeKind.ADMIT, ChangeKind.RECOVER_KEY)


@dataclass(frozen=True, slots=True)
class Governance:
    """How a consortium decides; fixed at the founding, the threshold until a vote changes it.

    Attributes:
        threshold: how many organisations decide together, at least 1.
        lifetime: blocks for which a proposal is open, 1 to 2**32 - 1.
        delay: blocks between the deciding vote and the earliest execution.
        recovery_delay: the same for the recovery of keys, so that a key that is not lost can object.
    """

    threshold: int
    lifetime: int = 100_000
    delay: int = 0
    recovery_delay: int = 100


@dataclass(frozen=True, slots=True)
class Change:
    """What is proposed. A kind uses some of the fields; the others are zero.

    Attributes:
        kind: a ChangeKind; a plain number where somebody asks for nonsense.
        organisation: whom it concerns (REMOVE, SET_ROLES, RECOVER_KEY); who went (NAME_SUCCESSOR).
        setting: a role mask (ADMIT, SET_ROLES), a threshold (SET_THRESHOLD), or the member that stands in
            for who went (NAME_SUCCESSOR).
        key: the new key, 20 bytes (ADMIT, RECOVER_KEY).
        profile: commitment to the profile (ADMIT) or id of the lifecycle (ADMIT_LIFECYCLE), 32 bytes.
    """

    kind: int
    organisation: int = 0
    setting: int = 0
    key: bytes = ZERO_KEY
    profile: bytes = ZERO

    @property
    def digest(self) -> bytes:
        """keccak256(abi_encode(kind, organisation, setting, key, profile)), 32 bytes."""
        key = int.from_bytes(self.key, "big")
        return keccak_words(self.kind, self.organisation, self.setting, key, self.profile)


class ProposalState(IntEnum):
    """Where a proposal stands; that it lapsed shows in its blocks and epoch only."""

    OPEN = 1
    EXECUTED = 2
    CANCELLED = 3


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal: its change, who made it in which block and epoch, and who voted besides the proposer.

    `passed` is the block of the vote that reached the threshold, 0 before.
    """

    change: Change
    proposer: int
    created: int
    epoch: int
    passed: int = 0
    voters: frozenset[int] = frozenset()
    state: ProposalState = ProposalState.OPEN

    @property
    def votes(self) -> int:
        """How many organisations spoke for it, the proposer among them."""
        return len(self.voters) + 1

    @property
    def word(self) -> int:
        """The contract's packed form."""
        return (
            self.change.kind
            | self.proposer << 8
            | self.created << 24
            | self.passed << 64
            | self.votes << 104
            | self.epoch << 120
            | self.state << 160
            | self.change.organisation << 168
        )

    def with_vote(self, organisation: int, threshold: int, block: int) -> Proposal:
        """The same after one more vote in `block`."""
        voted = replace(self, voters=self.voters | {organisation})
        if not voted.passed and voted.votes >= threshold:
            return replace(voted, passed=block)
        return voted
