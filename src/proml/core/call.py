"""Calls: what a caller asks the contracts to do, before they accept or refuse it."""

from __future__ import annotations

from dataclasses import dataclass

from proml.core.consortium import Actor
from proml.core.event import Acted, Input, Registered, Step


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

    def event(self, artefact: bytes, actor: Actor, state: int) -> Step:
        """What the contracts emit when they accept the step; `state` is the one it leads to."""
        content = (self.action, state, self.record, self.inputs)
        if self.lifecycle:
            return Registered(artefact, self.subject, actor, self.lifecycle, *content)
        return Acted(artefact, self.subject, actor, self.sequence, *content)


@dataclass(frozen=True, slots=True)
class AnchorCall:
    """One anchor as a caller asks for it."""

    root: bytes
    count: int


@dataclass(frozen=True, slots=True)
class BatchCall:
    """Anchors, then steps, in one transaction; at most 32 anchors, 64 steps, 128 inputs in all."""

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
