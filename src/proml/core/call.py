"""Calls: what a caller asks the contracts to do, before they accept or refuse it."""

from __future__ import annotations

from dataclasses import dataclass

from proml.core.event import Input


@dataclass(frozen=True, slots=True)
class Founder:
    """A founding organisation: its first key (20 bytes), roles (mask), profile commitment."""

    key: bytes
    roles: int
    profile: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, and in which block."""

    key: bytes
    block: int


@dataclass(frozen=True, slots=True)
class StepCall:
    """One step as a caller asks for it.

    `artefact` is the id, or the salt where `lifecycle` is not 0, which makes it a registration.
    """

    artefact: bytes
    lifecycle: int
    action: int
    sequence: int
    record: bytes
    subject: bytes
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class AnchorCall:
    """One anchor as a caller asks for it."""

    root: bytes
    count: int


@dataclass(frozen=True, slots=True)
class BatchCall:
    """Anchors, then steps, in one transaction; at most 32 anchors, 128 steps, 256 inputs in all."""

    anchors: tuple[AnchorCall, ...] = ()
    steps: tuple[StepCall, ...] = ()


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


ContractCall = BatchCall | AddKeyCall | RevokeKeyCall
