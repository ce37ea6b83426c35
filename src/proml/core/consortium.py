"""Organisations, roles and keys: what they are and when a key may act.

The packed words are those of contracts/consortium.vy; docs/contracts.md has the layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from proml.core.refusal import Reason
from proml.errors import UsageProblem

ADDRESS_BYTES = 20

# Position in this tuple is the bit in the role mask. Append only: the chain knows bits, not names.
ROLES = (
    "operator",
    "data_admin",
    "labeller",
    "developer",
    "verifier",
    "auditor",
    "approver",
)
MAX_ROLE_BIT = 63
_ROLE_BITS = {f"role-{bit}": bit for bit in range(MAX_ROLE_BIT + 1)} | {
    name: bit for bit, name in enumerate(ROLES)
}

SCOPES = {"record": 1, "approve": 2, "govern": 4}
ALL_SCOPES = 7


def role_mask(names: Iterable[object]) -> int:
    """The 64-bit mask of role names.

    Every bit may be written `role-12`, in a form without leading zeros, those with a name too: a file
    written before a bit got its name must still mean the same.

    Raises:
        UsageProblem: for an unknown role, with the known ones in the hint.
    """
    mask = 0
    for name in names:
        if not isinstance(name, str) or name not in _ROLE_BITS:
            raise UsageProblem(f"unknown role {name!r}", f"roles are {', '.join(ROLES)}")
        mask |= 1 << _ROLE_BITS[name]
    return mask


def role_names(mask: int) -> tuple[str, ...]:
    """The names of the roles in a mask, in bit order."""
    return tuple(
        ROLES[bit] if bit < len(ROLES) else f"role-{bit}"
        for bit in range(MAX_ROLE_BIT + 1)
        if mask >> bit & 1
    )


def scope_mask(names: Iterable[object]) -> int:
    """The mask of names of scopes.

    Raises:
        UsageProblem: for an unknown scope, with the known ones in the hint.
    """
    mask = 0
    for name in names:
        if not isinstance(name, str) or name not in SCOPES:
            raise UsageProblem(f"there is no scope {name!r}", f"scopes are {', '.join(SCOPES)}")
        mask |= SCOPES[name]
    return mask


def scope_names(mask: int) -> tuple[str, ...]:
    """The names of the scopes in a mask."""
    return tuple(name for name, bit in SCOPES.items() if mask & bit)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a step: an organisation's number and the 20-byte address of the key that signed."""

    organisation: int
    key: bytes

    @property
    def word(self) -> int:
        """Organisation << 160 | key, as it stands in events and heads."""
        return self.organisation << 160 | int.from_bytes(self.key, "big")

    @classmethod
    def from_word(cls, value: int) -> Actor:
        """The actor behind a word of an event."""
        return cls(value >> 160, (value & (2**160 - 1)).to_bytes(ADDRESS_BYTES, "big"))


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an organisation. Block numbers; `expires` and `revoked` are 0 for never and not."""

    organisation: int
    scope: int
    start: int
    expires: int = 0
    revoked: int = 0
    compromised_since: int = 0

    @property
    def word(self) -> int:
        """The contract's packed form."""
        return (
            self.organisation
            | self.scope << 16
            | self.start << 24
            | self.expires << 64
            | self.revoked << 104
            | self.compromised_since << 144
        )

    @property
    def in_range(self) -> bool:
        """Whether it has a scope, of those that exist, and ends after it starts, within 40 bits."""
        return 0 < self.scope <= ALL_SCOPES and (self.expires == 0 or self.start < self.expires < 2**40)

    def refusal(self, block: int) -> Reason | None:
        """Why the key may not act in `block`, or None."""
        if self.revoked and block >= self.revoked:
            return Reason.KEY_REVOKED
        if self.expires and block >= self.expires:
            return Reason.KEY_EXPIRED
        return None

    def is_suspect(self, block: int) -> bool:
        """Whether `block` lies between the compromise the owner reported and the revocation."""
        return bool(self.revoked) and self.compromised_since <= block < self.revoked


@dataclass(frozen=True, slots=True)
class Organisation:
    """A member: its roles (mask), blocks of admission and removal (0: member), profile commitment."""

    number: int
    roles: int
    profile: bytes
    admitted: int
    removed: int = 0
    keys: int = 0
    anchors: int = 0

    @property
    def word(self) -> int:
        """The contract's packed form."""
        return self.roles | self.admitted << 64 | self.removed << 104 | self.keys << 144 | self.anchors << 160

    def with_anchor(self) -> Organisation:
        """The same with one more anchor."""
        return replace(self, anchors=self.anchors + 1)
