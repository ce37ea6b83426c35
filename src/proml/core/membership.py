"""The executable specification of the consortium contract: who is a member, and which keys may act.

`Governed` (governance.py) adds how members decide, `SharedHistory` (history.py) the artefacts.
Rules 1 and 2 of its list are here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from proml.core.call import Call
from proml.core.consortium import ALL_SCOPES, SCOPES, Key, Organisation
from proml.core.event import KeyAdded, KeyRevoked, OrganisationAdmitted, ThresholdSet
from proml.core.proposal import ZERO_KEY
from proml.core.refusal import Reason

MAX_FOUNDERS = 32


@dataclass(slots=True)
class Membership:
    """What the contracts hold of the consortium, as plain values.

    Attributes:
        chain_id: EIP-155 chain id.
        contract: 20-byte address; with the chain id it makes ids and consents unique to this deployment.
        threshold: how many organisations decide together; 0 until the founding is complete.
        organisations: by number, from 1.
        keys: by address, 20 bytes.
    """

    chain_id: int
    contract: bytes
    threshold: int = 0
    organisations: dict[int, Organisation] = field(default_factory=dict)
    keys: dict[bytes, Key] = field(default_factory=dict)

    @property
    def member_count(self) -> int:
        """How many organisations are members now."""
        return sum(not organisation.removed for organisation in self.organisations.values())

    def is_member(self, organisation: int) -> bool:
        """Whether an organisation of that number is a member now."""
        known = self.organisations.get(organisation)
        return known is not None and not known.removed

    def standing(self, call: Call) -> Reason | Organisation:
        """Rule 1: the organisation the calling key may act for in that block, or why it may not."""
        key = self.keys.get(call.key)
        if key is None:
            return Reason.UNKNOWN_KEY
        refusal = key.refusal(call.block)
        if refusal is not None:
            return refusal
        organisation = self.organisations[key.organisation]
        if organisation.removed:
            return Reason.ORGANISATION_REMOVED
        return organisation

    def scoped(self, call: Call, scope: str) -> Reason | Organisation:
        """Rules 1 and 2: the same, for a key that must have `scope`."""
        organisation = self.standing(call)
        if isinstance(organisation, Organisation) and not self.keys[call.key].scope & SCOPES[scope]:
            return Reason.SCOPE_MISSING
        return organisation

    # --- calls ------------------------------------------------------------------------------

    def add_key(self, call: Call, key: bytes, scope: int, expires: int, consented: bool) -> Reason | KeyAdded:
        """Add a key to the caller's organisation; `consented` says whether the new key signed for it."""
        organisation = self.scoped(call, "govern")
        if isinstance(organisation, Reason):
            return organisation
        if not Key(organisation.number, scope, call.block, expires).in_range:
            return Reason.OUT_OF_RANGE
        if key == ZERO_KEY or key in self.keys:
            return Reason.KEY_IN_USE
        if not consented:
            return Reason.CONSENT_INVALID
        event = KeyAdded(organisation.number, key, scope, expires)
        self._add_key(event, call.block)
        return event

    def revoke_key(self, call: Call, key: bytes, compromised_since: int) -> Reason | KeyRevoked:
        """Revoke a key for good: by itself, or by a governing key of its organisation."""
        revoked = self.keys.get(key)
        if revoked is None:
            return Reason.UNKNOWN_KEY
        if revoked.revoked:
            return Reason.KEY_REVOKED
        if call.key != key:
            organisation = self.scoped(call, "govern")
            if isinstance(organisation, Reason):
                return organisation
            if organisation.number != revoked.organisation:
                return Reason.NOT_YOUR_KEY
        if not revoked.start <= compromised_since <= call.block:
            return Reason.OUT_OF_RANGE
        event = KeyRevoked(revoked.organisation, key, compromised_since)
        self._revoke_key(event, call.block)
        return event

    # --- accepting what was emitted: None, or why these contracts cannot have emitted it --------

    def _accept_founding(self, event: OrganisationAdmitted | ThresholdSet, block: int) -> str | None:
        """In the constructor only: each founder and its key in turn, then the threshold."""
        count = len(self.organisations)
        if self.threshold or len(self.keys) != count or (count and not self._is_founding_block(block)):
            return "organisations are admitted and the threshold is set by the founding or by vote only"
        if isinstance(event, OrganisationAdmitted):
            number = event.organisation
            if number != count + 1 or number > MAX_FOUNDERS or event.roles >= 2**64:
                return f"organisation {number} was admitted out of turn, or with roles that do not exist"
            self.organisations[number] = Organisation(number, event.roles, event.profile, admitted=block)
        else:
            if not 1 <= event.threshold <= count:
                return f"threshold {event.threshold} is out of range"
            self.threshold = event.threshold
        return None

    def _is_founding_block(self, block: int) -> bool:
        return bool(self.organisations) and self.organisations[1].admitted == block

    def _accept_key_added(self, event: KeyAdded, block: int) -> str | None:
        name = f"key 0x{event.key.hex()}"
        if event.key in self.keys or event.key == ZERO_KEY or event.organisation not in self.organisations:
            return f"{name} was added twice, or to nobody"
        if not self.threshold:
            founding = (len(self.organisations), ALL_SCOPES, 0)
            turn = len(self.keys) == len(self.organisations) - 1 and self._is_founding_block(block)
            if not turn or (event.organisation, event.scope, event.expires) != founding:
                return f"{name} is not the one key that a founder begins with"
        elif not Key(event.organisation, event.scope, block, event.expires).in_range:
            return f"{name} was added with a scope or an end that is out of range"
        elif not self._is_governed(event.organisation, block):
            return f"{name} was added to an organisation that no key could add one to"
        self._add_key(event, block)
        return None

    def _is_governed(self, organisation: int, block: int) -> bool:
        """Whether any key may govern for the organisation in that block; the event does not say which did."""
        own = (address for address, key in self.keys.items() if key.organisation == organisation)
        return any(isinstance(self.scoped(Call(key, block), "govern"), Organisation) for key in own)

    def _accept_key_revoked(self, event: KeyRevoked, block: int) -> str | None:
        known = self.keys.get(event.key)
        name = f"key 0x{event.key.hex()}"
        if known is None or known.revoked or known.organisation != event.organisation:
            return f"{name} was revoked twice, or was nobody's"
        if not known.start <= event.compromised_since <= block:
            return f"{name} cannot have been compromised since block {event.compromised_since}"
        self._revoke_key(event, block)
        return None

    def _add_key(self, event: KeyAdded, block: int) -> None:
        self.keys[event.key] = Key(event.organisation, event.scope, start=block, expires=event.expires)
        organisation = self.organisations[event.organisation]
        self.organisations[event.organisation] = replace(organisation, keys=organisation.keys + 1)

    def _revoke_key(self, event: KeyRevoked, block: int) -> None:
        self.keys[event.key] = replace(
            self.keys[event.key], revoked=block, compromised_since=event.compromised_since
        )
        organisation = self.organisations[event.organisation]
        self.organisations[event.organisation] = replace(organisation, keys=organisation.keys - 1)
