# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title consortium: the member organisations, their roles and their keys
@license Apache-2.0
@notice A member is an organisation, known by a number (1, 2, ...; never reused) and a commitment to
        its profile. It holds roles (a 64-bit mask) and keys. A key is a 20-byte address; it belongs
        to one organisation for ever, has a scope, and can be revoked but never revived.
        Founders and threshold are set at deployment; afterwards only governance.vy changes members,
        roles and threshold. The deployer itself gets no right.
@dev    Module. Key word, least significant bit first:
          organisation 16 | scope 8 | start 40 | expires 40 | revoked 40 | compromised since 40
        `start`, `expires` (0: never), `revoked` (0: not) and `compromised since` are block numbers.
        Organisation word:
          roles 64 | admitted 40 | removed 40 | keys 16 | anchors 40
        Nothing here loops over members, so gas does not depend on their number.
"""

import statements

# --- events -----------------------------------------------------------------------------------

event OrganisationAdmitted:
    organisation: indexed(uint256)
    roles: uint256
    profile: bytes32

event ThresholdSet:
    threshold: uint256

event KeyAdded:
    organisation: indexed(uint256)
    key: indexed(address)
    scope: uint256
    expires: uint256

event KeyRevoked:
    organisation: indexed(uint256)
    key: indexed(address)
    compromised_since: uint256

# --- types and constants ----------------------------------------------------------------------

struct Founder:
    key: address
    roles: uint256
    profile: bytes32

MAX_FOUNDERS: constant(uint256) = 32

SCOPE_RECORD: public(constant(uint256)) = 1
SCOPE_APPROVE: public(constant(uint256)) = 2
SCOPE_GOVERN: public(constant(uint256)) = 4
SCOPE_ALL: constant(uint256) = 7

ORGANISATION_MASK: constant(uint256) = 2**16 - 1
ROLES_MASK: constant(uint256) = 2**64 - 1
BLOCK_MASK: constant(uint256) = 2**40 - 1

KEY_SCOPE: constant(uint256) = 16
KEY_START: constant(uint256) = 24
KEY_EXPIRES: constant(uint256) = 64
KEY_REVOKED: constant(uint256) = 104
KEY_COMPROMISED: constant(uint256) = 144

ORG_ADMITTED: constant(uint256) = 64
ORG_REMOVED: constant(uint256) = 104
ORG_KEYS: constant(uint256) = 144
ORG_ANCHORS: constant(uint256) = 160

# Reasons 1-9 speak of the actor; docs/contracts.md lists them all.
UNKNOWN_KEY: constant(uint256) = 1
KEY_REVOKED_REASON: constant(uint256) = 2
KEY_EXPIRED: constant(uint256) = 3
SCOPE_MISSING: constant(uint256) = 4
ORGANISATION_REMOVED: constant(uint256) = 5
KEY_IN_USE: constant(uint256) = 6
CONSENT_INVALID: constant(uint256) = 7
NOT_YOUR_KEY: constant(uint256) = 8
OUT_OF_RANGE: constant(uint256) = 9

# --- storage ----------------------------------------------------------------------------------

organisations: HashMap[uint256, uint256]
keys: HashMap[address, uint256]
member_count: public(uint256)
threshold: public(uint256)

# --- deployment -------------------------------------------------------------------------------

@deploy
def __init__(founders: DynArray[Founder, MAX_FOUNDERS], threshold: uint256):
    """
    @notice Admit the founders, each with one key of every scope.
    @param founders 1 to 32 organisations; keys distinct and not zero, roles a 64-bit mask.
    @param threshold How many organisations decide together, 1 to len(founders).
    """
    assert len(founders) > 0, "consortium: no founder"
    assert threshold >= 1 and threshold <= len(founders), "consortium: threshold out of range"
    number: uint256 = 0
    for founder: Founder in founders:
        number += 1
        assert founder.roles <= ROLES_MASK, "consortium: roles out of range"
        assert founder.key != empty(address), "consortium: zero key"
        assert self.keys[founder.key] == 0, "consortium: key in use"
        self._admit(number, founder.roles, founder.profile)
        self._give_key(number, founder.key, SCOPE_ALL, 0)
    self.threshold = threshold
    log ThresholdSet(threshold=threshold)

# --- keys -------------------------------------------------------------------------------------

@external
def add_key(key: address, scope: uint256, expires: uint256, v: uint256, r: uint256, s: uint256):
    """
    @notice Give the caller's organisation one more key. The caller needs scope `govern`.
    @param key The new key; it must never have belonged to any organisation.
    @param scope Bit mask of SCOPE_*; not empty.
    @param expires First block at which the key is refused; 0 for never.
    @param v r s The new key's own EIP-712 signature of KeyConsent, so that nobody can claim the
           key of somebody else: v 27 or 28, s in the lower half.
    """
    organisation: uint256 = self._governing()
    self._check(scope != 0 and scope <= SCOPE_ALL, OUT_OF_RANGE)
    self._check(expires == 0 or (expires > block.number and expires <= BLOCK_MASK), OUT_OF_RANGE)
    self._check(key != empty(address) and self.keys[key] == 0, KEY_IN_USE)
    self._take_key(organisation, organisation, key, scope, expires, v, r, s)


@external
def revoke_key(key: address, compromised_since: uint256):
    """
    @notice Revoke a key for good: the key itself may, and any key with scope `govern` of the same
            organisation.
    @param key The key to revoke.
    @param compromised_since Block from which what the key signed is suspect, from the key's start
           to the present block; earlier records stay valid.
    @dev   A key may revoke itself even when it has expired. The last key of an organisation can be
           revoked: losing every key is what recovery by vote is for.
    """
    word: uint256 = self.keys[key]
    organisation: uint256 = word & ORGANISATION_MASK
    self._check(organisation != 0, UNKNOWN_KEY)
    self._check(((word >> KEY_REVOKED) & BLOCK_MASK) == 0, KEY_REVOKED_REASON)
    if msg.sender != key:
        self._check(self._governing() == organisation, NOT_YOUR_KEY)
    start: uint256 = (word >> KEY_START) & BLOCK_MASK
    self._check(compromised_since >= start and compromised_since <= block.number, OUT_OF_RANGE)
    self.keys[key] = word | (block.number << KEY_REVOKED) | (compromised_since << KEY_COMPROMISED)
    self.organisations[organisation] -= (1 << ORG_KEYS)
    log KeyRevoked(organisation=organisation, key=key, compromised_since=compromised_since)

# --- reading ----------------------------------------------------------------------------------

@external
@view
def key(key: address) -> uint256:
    """
    @notice The packed word of a key, 0 if it never belonged to a member.
    """
    return self.keys[key]


@external
@view
def organisation(number: uint256) -> uint256:
    """
    @notice The packed word of an organisation, 0 if there is none of that number.
    """
    return self.organisations[number]

# --- for the other modules --------------------------------------------------------------------

@internal
def _admit(number: uint256, roles: uint256, profile: bytes32):
    self.organisations[number] = roles | (block.number << ORG_ADMITTED)
    self.member_count += 1
    log OrganisationAdmitted(organisation=number, roles=roles, profile=profile)


@internal
def _take_key(
    organisation: uint256,
    named: uint256,
    key: address,
    scope: uint256,
    expires: uint256,
    v: uint256,
    r: uint256,
    s: uint256,
):
    """
    @dev Adds a key that consents to belong to organisation `named`: the same one, or 0 for one that is
         being admitted. The caller has made sure that the key is free.
    """
    consent: bytes32 = statements._typed(
        statements._domain(), keccak256(abi_encode(statements.CONSENT_TYPE, named, key, scope, expires))
    )
    self._check(statements._flaw(convert(key, uint256), consent, v, r, s) == 0, CONSENT_INVALID)
    self._check(
        ((self.organisations[organisation] >> ORG_KEYS) & ORGANISATION_MASK) < ORGANISATION_MASK, OUT_OF_RANGE
    )
    self._give_key(organisation, key, scope, expires)


@internal
def _give_key(organisation: uint256, key: address, scope: uint256, expires: uint256):
    self.keys[key] = (
        organisation | (scope << KEY_SCOPE) | (block.number << KEY_START) | (expires << KEY_EXPIRES)
    )
    self.organisations[organisation] += 1 << ORG_KEYS
    log KeyAdded(organisation=organisation, key=key, scope=scope, expires=expires)


@internal
@view
def _is_member(number: uint256) -> bool:
    word: uint256 = self.organisations[number]
    return (word >> ORG_ADMITTED) & BLOCK_MASK != 0 and (word >> ORG_REMOVED) & BLOCK_MASK == 0


@internal
@view
def _actor(organisation: uint256) -> uint256:
    """
    @dev The caller, acting for an organisation: its number << 160 | the key.
    """
    return (organisation << 160) | convert(msg.sender, uint256)


@internal
@view
def _standing(key: address) -> (uint256, uint256, uint256, uint256):
    """
    @dev Returns (reason, organisation number, organisation word, scope); reason 0 when the key may
         act in this block. A key is refused from the block of its revocation on.
    """
    word: uint256 = self.keys[key]
    number: uint256 = word & ORGANISATION_MASK
    if number == 0:
        return UNKNOWN_KEY, 0, 0, 0
    if ((word >> KEY_REVOKED) & BLOCK_MASK) != 0:
        return KEY_REVOKED_REASON, 0, 0, 0
    expires: uint256 = (word >> KEY_EXPIRES) & BLOCK_MASK
    if expires != 0 and block.number >= expires:
        return KEY_EXPIRED, 0, 0, 0
    organisation: uint256 = self.organisations[number]
    if ((organisation >> ORG_REMOVED) & BLOCK_MASK) != 0:
        return ORGANISATION_REMOVED, 0, 0, 0
    return 0, number, organisation, (word >> KEY_SCOPE) & SCOPE_ALL


@internal
@view
def _governing() -> uint256:
    """
    @dev The caller's organisation, if its key may govern; reverts otherwise.
    """
    reason: uint256 = 0
    number: uint256 = 0
    word: uint256 = 0
    scope: uint256 = 0
    reason, number, word, scope = self._standing(msg.sender)
    self._check(reason == 0, reason)
    self._check((scope & SCOPE_GOVERN) != 0, SCOPE_MISSING)
    return number


@internal
@pure
def _check(condition: bool, reason: uint256):
    """
    @dev Reverts with the error `Refused(uint256 reason)`.
    """
    if not condition:
        raw_revert(abi_encode(reason, method_id=method_id("Refused(uint256)")))
