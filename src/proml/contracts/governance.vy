# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title governance: how the members change who they are and what they allow
@license Apache-2.0
@notice Organisations propose, vote and execute; nobody else can, and nobody alone unless the threshold
        is 1. A proposal passes with the votes of `threshold` organisations, may be executed `delay`
        blocks later, and ends `lifetime` blocks after it was made (plus the delay once it has passed).
        An organisation has one open proposal at a time.
@dev    Module. Proposal word, least significant bit first:
          kind 8 | proposer 16 | created 40 | passed 40 | votes 16 | epoch 40 | state 8 | organisation 16
        `passed` is the block of the vote that reached the threshold, 0 before.
        digest = keccak256(abi_encode(kind, organisation, setting, key, profile))
        Pace word: lifetime 40 | delay 40 | recovery delay 40 | epoch 40
        The epoch rises whenever an organisation goes or the threshold changes; what was proposed under an
        older epoch lapses. So the vote of a removed member never counts, and the votes for one threshold
        are never counted against another. Nothing here loops over members.
"""

import consortium
import custody
import lifecycles

uses: consortium
uses: custody
uses: lifecycles

# --- events -----------------------------------------------------------------------------------

event GovernanceSet:
    lifetime: uint256
    delay: uint256
    recovery_delay: uint256

event ProposalMade:
    number: indexed(uint256)
    actor: indexed(uint256)
    kind: uint256
    organisation: uint256
    setting: uint256
    key: address
    profile: bytes32

event VoteCast:
    number: indexed(uint256)
    actor: indexed(uint256)

event ProposalExecuted:
    number: indexed(uint256)
    actor: indexed(uint256)

event ProposalCancelled:
    number: indexed(uint256)
    actor: indexed(uint256)

event OrganisationRemoved:
    organisation: indexed(uint256)
    actor: indexed(uint256)

event RolesSet:
    organisation: indexed(uint256)
    roles: uint256

event SuccessorNamed:
    organisation: indexed(uint256)
    successor: indexed(uint256)

# --- types and constants ----------------------------------------------------------------------

struct Governance:
    threshold: uint256
    lifetime: uint256
    delay: uint256
    recovery_delay: uint256

# Kinds of proposals.
ADMIT: constant(uint256) = 1
REMOVE: constant(uint256) = 2
SET_ROLES: constant(uint256) = 3
SET_THRESHOLD: constant(uint256) = 4
ADMIT_LIFECYCLE: constant(uint256) = 5
RECOVER_KEY: constant(uint256) = 6
NAME_SUCCESSOR: constant(uint256) = 7

# States of a proposal.
OPEN: constant(uint256) = 1
EXECUTED: constant(uint256) = 2
CANCELLED: constant(uint256) = 3

# Reasons 40-59 speak of a proposal; docs/contracts.md lists them all.
UNKNOWN_PROPOSAL: constant(uint256) = 40
PROPOSAL_OPEN: constant(uint256) = 41
PROPOSAL_CLOSED: constant(uint256) = 42
PROPOSAL_LAPSED: constant(uint256) = 43
VOTED_ALREADY: constant(uint256) = 44
VOTES_MISSING: constant(uint256) = 45
TOO_EARLY: constant(uint256) = 46
PROPOSAL_DIFFERS: constant(uint256) = 47
NOT_A_MEMBER: constant(uint256) = 48
TOO_FEW_MEMBERS: constant(uint256) = 49
NOT_YOUR_PROPOSAL: constant(uint256) = 50
LIFECYCLE_INVALID: constant(uint256) = 51
STILL_A_MEMBER: constant(uint256) = 52

MAX_BLOCKS: constant(uint256) = 2**32 - 1
BLOCK_MASK: constant(uint256) = 2**40 - 1
ORG_MASK: constant(uint256) = 2**16 - 1
BYTE: constant(uint256) = 255

PROPOSER: constant(uint256) = 8
CREATED: constant(uint256) = 24
PASSED: constant(uint256) = 64
VOTES: constant(uint256) = 104
PROPOSAL_EPOCH: constant(uint256) = 120
PROPOSAL_STATE: constant(uint256) = 160
CONCERNED: constant(uint256) = 168

DELAY: constant(uint256) = 40
RECOVERY_DELAY: constant(uint256) = 80
EPOCH: constant(uint256) = 120

# --- storage ----------------------------------------------------------------------------------

pace: public(uint256)
organisation_count: public(uint256)
proposal_count: public(uint256)
proposals: HashMap[uint256, uint256]
digests: HashMap[uint256, bytes32]
# Who voted for a proposal, besides its proposer.
votes: HashMap[uint256, HashMap[uint256, bool]]
# The newest proposal of an organisation.
newest: HashMap[uint256, uint256]

# --- deployment -------------------------------------------------------------------------------

@deploy
def __init__(organisations: uint256, rules: Governance):
    """
    @notice Fix the pace of decisions for good.
    @param organisations How many organisations were founded.
    @param rules `lifetime` 1 to 2**32 - 1 blocks; both delays up to as much. `threshold` is the
           consortium's.
    """
    assert rules.lifetime >= 1 and rules.lifetime <= MAX_BLOCKS, "governance: lifetime out of range"
    assert rules.delay <= MAX_BLOCKS and rules.recovery_delay <= MAX_BLOCKS, "governance: delay out of range"
    self.organisation_count = organisations
    self.pace = rules.lifetime | (rules.delay << DELAY) | (rules.recovery_delay << RECOVERY_DELAY)
    log GovernanceSet(lifetime=rules.lifetime, delay=rules.delay, recovery_delay=rules.recovery_delay)

# --- deciding ---------------------------------------------------------------------------------

@external
def propose(kind: uint256, organisation: uint256, setting: uint256, key: address, profile: bytes32) -> uint256:
    """
    @notice Propose a change; this is the proposer's vote for it, too. Needs scope `govern`.
    @param kind 1 admit an organisation, 2 remove one, 3 set its roles, 4 set the threshold, 5 admit a
           lifecycle, 6 recover: give an organisation a new key of every scope, 7 name the successor of
           an organisation that went: who stands in for it as a custodian.
    @param organisation Whom it concerns (kinds 2, 3, 6, 7), else 0.
    @param setting Roles (kinds 1, 3), threshold (4) or the successor (7), else 0.
    @param key The new key (kinds 1, 6), else the zero address.
    @param profile Commitment to the profile (kind 1), id of the lifecycle (5), else 0.
    @return The proposal's number, from 1.
    """
    proposer: uint256 = consortium._governing()
    reason: uint256 = self._objection(kind, organisation, setting, key, profile)
    consortium._check(reason == 0, reason)
    consortium._check(self._closed(self.proposals[self.newest[proposer]]) != 0, PROPOSAL_OPEN)
    number: uint256 = self.proposal_count + 1
    word: uint256 = (
        kind | (proposer << PROPOSER) | (block.number << CREATED) | (1 << VOTES)
        | (self._epoch() << PROPOSAL_EPOCH) | (OPEN << PROPOSAL_STATE) | (organisation << CONCERNED)
    )
    if consortium.threshold == 1:
        word |= block.number << PASSED
    self.proposal_count = number
    self.proposals[number] = word
    self.digests[number] = keccak256(abi_encode(kind, organisation, setting, key, profile))
    self.newest[proposer] = number
    log ProposalMade(
        number=number,
        actor=consortium._actor(proposer),
        kind=kind,
        organisation=organisation,
        setting=setting,
        key=key,
        profile=profile,
    )
    return number


@external
def vote(number: uint256):
    """
    @notice Vote for an open proposal, once per organisation. Needs scope `govern`.
    """
    voter: uint256 = consortium._governing()
    word: uint256 = self.proposals[number]
    reason: uint256 = self._closed(word)
    consortium._check(reason == 0, reason)
    proposer: uint256 = (word >> PROPOSER) & ORG_MASK
    consortium._check(voter != proposer and not self.votes[number][voter], VOTED_ALREADY)
    self.votes[number][voter] = True
    word += 1 << VOTES
    if (word >> PASSED) & BLOCK_MASK == 0 and (word >> VOTES) & ORG_MASK >= consortium.threshold:
        word |= block.number << PASSED
    self.proposals[number] = word
    log VoteCast(number=number, actor=consortium._actor(voter))


@external
def execute(
    number: uint256,
    kind: uint256,
    organisation: uint256,
    setting: uint256,
    key: address,
    profile: bytes32,
    v: uint256,
    r: uint256,
    s: uint256,
):
    """
    @notice Carry out a proposal that has passed, its delay over. Needs scope `govern`; every kind but 5.
    @param kind organisation setting key profile What was proposed, word for word.
    @param v r s The new key's EIP-712 signature of KeyConsent (kinds 1 and 6; else ignored), with every
           scope and no end; for an organisation yet to be admitted its number is 0.
    """
    actor: uint256 = self._begin(number, keccak256(abi_encode(kind, organisation, setting, key, profile)))
    # Kind 5 has a call of its own.
    consortium._check(kind != ADMIT_LIFECYCLE, consortium.OUT_OF_RANGE)
    # What was possible when it was proposed may not be any more: the key may have been taken.
    reason: uint256 = self._objection(kind, organisation, setting, key, profile)
    consortium._check(reason == 0, reason)
    if kind == ADMIT:
        admitted: uint256 = self.organisation_count + 1
        consortium._check(admitted <= ORG_MASK, consortium.OUT_OF_RANGE)
        self.organisation_count = admitted
        consortium._admit(admitted, setting, profile)
        consortium._take_key(admitted, 0, key, consortium.SCOPE_ALL, 0, v, r, s)
    elif kind == REMOVE:
        self._remove(organisation, actor)
    elif kind == SET_ROLES:
        word: uint256 = consortium.organisations[organisation]
        consortium.organisations[organisation] = ((word >> consortium.ORG_ADMITTED) << consortium.ORG_ADMITTED) | setting
        log RolesSet(organisation=organisation, roles=setting)
    elif kind == SET_THRESHOLD:
        consortium.threshold = setting
        self.pace += 1 << EPOCH
        log consortium.ThresholdSet(threshold=setting)
    elif kind == NAME_SUCCESSOR:
        custody.successors[organisation] = setting
        log SuccessorNamed(organisation=organisation, successor=setting)
    else:
        consortium._take_key(organisation, organisation, key, consortium.SCOPE_ALL, 0, v, r, s)


@external
def execute_lifecycle(
    number: uint256, properties: uint256, document: bytes32, rules: DynArray[uint256, lifecycles.MAX_RULES]
):
    """
    @notice Carry out a proposal of kind 5. Needs scope `govern`; anybody's copy of the table will do,
            since the proposal names its id.
    """
    lifecycle: bytes32 = keccak256(abi_encode(properties, document, rules))
    nothing: uint256 = 0
    self._begin(number, keccak256(abi_encode(ADMIT_LIFECYCLE, nothing, nothing, empty(address), lifecycle)))
    lifecycles._admit(properties, document, rules)


@external
def cancel(number: uint256):
    """
    @notice Withdraw an open proposal: its proposer may, with scope `govern`; and a proposed recovery may
            be stopped by any standing key of the organisation it would give a new key to.
    """
    reason: uint256 = 0
    caller: uint256 = 0
    word: uint256 = 0
    scope: uint256 = 0
    reason, caller, word, scope = consortium._standing(msg.sender)
    consortium._check(reason == 0, reason)
    proposal: uint256 = self.proposals[number]
    reason = self._closed(proposal)
    consortium._check(reason == 0, reason)
    if proposal & BYTE != RECOVER_KEY or (proposal >> CONCERNED) & ORG_MASK != caller:
        consortium._check((proposal >> PROPOSER) & ORG_MASK == caller, NOT_YOUR_PROPOSAL)
        consortium._check(scope & consortium.SCOPE_GOVERN != 0, consortium.SCOPE_MISSING)
    self.proposals[number] = proposal ^ ((OPEN ^ CANCELLED) << PROPOSAL_STATE)
    log ProposalCancelled(number=number, actor=consortium._actor(caller))


@external
def leave():
    """
    @notice End the membership of the caller's organisation, for good. Needs scope `govern`; refused
            while those who stay would be fewer than the threshold.
    """
    organisation: uint256 = consortium._governing()
    consortium._check(consortium.member_count > consortium.threshold, TOO_FEW_MEMBERS)
    self._remove(organisation, consortium._actor(organisation))

# --- reading ----------------------------------------------------------------------------------

@external
@view
def proposal(number: uint256) -> (uint256, bytes32):
    """
    @notice The packed word and the digest of a proposal; zeros if there is none of that number.
    """
    return self.proposals[number], self.digests[number]


@external
@view
def has_voted(number: uint256, organisation: uint256) -> bool:
    """
    @notice Whether an organisation spoke for a proposal, by a vote or by proposing it.
    """
    word: uint256 = self.proposals[number]
    return word != 0 and ((word >> PROPOSER) & ORG_MASK == organisation or self.votes[number][organisation])

# --- the rules --------------------------------------------------------------------------------

@internal
@view
def _epoch() -> uint256:
    return self.pace >> EPOCH


@internal
@view
def _closed(word: uint256) -> uint256:
    """
    @dev Why a proposal can be neither voted for nor executed nor cancelled; 0 when it is open.
    """
    if word == 0:
        return UNKNOWN_PROPOSAL
    if (word >> PROPOSAL_STATE) & BYTE != OPEN:
        return PROPOSAL_CLOSED
    end: uint256 = ((word >> CREATED) & BLOCK_MASK) + (self.pace & BLOCK_MASK)
    if (word >> PASSED) & BLOCK_MASK != 0:
        end += self._delay(word)
    if block.number >= end or (word >> PROPOSAL_EPOCH) & BLOCK_MASK != self._epoch():
        return PROPOSAL_LAPSED
    return 0


@internal
@view
def _delay(word: uint256) -> uint256:
    at: uint256 = DELAY
    if word & BYTE == RECOVER_KEY:
        at = RECOVERY_DELAY
    return (self.pace >> at) & BLOCK_MASK


@internal
@view
def _objection(
    kind: uint256, organisation: uint256, setting: uint256, key: address, profile: bytes32
) -> uint256:
    """
    @dev Why a change cannot be made as things stand, or 0. What a kind does not use must be zero, so
         that voters are shown everything.
    """
    if kind == 0 or kind > NAME_SUCCESSOR:
        return consortium.OUT_OF_RANGE
    if kind == NAME_SUCCESSOR:
        if consortium._is_member(organisation):
            return STILL_A_MEMBER
        if consortium.organisations[organisation] == 0 or not consortium._is_member(setting):
            return NOT_A_MEMBER
        if key != empty(address) or profile != empty(bytes32):
            return consortium.OUT_OF_RANGE
        return 0
    if kind == REMOVE or kind == SET_ROLES or kind == RECOVER_KEY:
        if not consortium._is_member(organisation):
            return NOT_A_MEMBER
    elif organisation != 0:
        return consortium.OUT_OF_RANGE
    if kind == ADMIT or kind == RECOVER_KEY:
        if key == empty(address) or consortium.keys[key] != 0:
            return consortium.KEY_IN_USE
    elif key != empty(address):
        return consortium.OUT_OF_RANGE
    if kind == ADMIT or kind == SET_ROLES:
        if setting > consortium.ROLES_MASK:
            return consortium.OUT_OF_RANGE
    elif kind == SET_THRESHOLD:
        if setting == 0 or setting > consortium.member_count:
            return consortium.OUT_OF_RANGE
    elif setting != 0:
        return consortium.OUT_OF_RANGE
    if kind == ADMIT_LIFECYCLE:
        if profile == empty(bytes32) or lifecycles.numbers[profile] != 0:
            return LIFECYCLE_INVALID
    elif kind != ADMIT and profile != empty(bytes32):
        return consortium.OUT_OF_RANGE
    if kind == REMOVE and consortium.member_count <= consortium.threshold:
        return TOO_FEW_MEMBERS
    return 0


@internal
def _begin(number: uint256, digest: bytes32) -> uint256:
    """
    @dev Marks a proposal as executed if it may be now and says what `digest` says; returns the actor.
    """
    actor: uint256 = consortium._actor(consortium._governing())
    word: uint256 = self.proposals[number]
    reason: uint256 = self._closed(word)
    consortium._check(reason == 0, reason)
    passed: uint256 = (word >> PASSED) & BLOCK_MASK
    consortium._check(passed != 0, VOTES_MISSING)
    consortium._check(block.number >= passed + self._delay(word), TOO_EARLY)
    consortium._check(self.digests[number] == digest, PROPOSAL_DIFFERS)
    self.proposals[number] = word ^ ((OPEN ^ EXECUTED) << PROPOSAL_STATE)
    log ProposalExecuted(number=number, actor=actor)
    return actor


@internal
def _remove(organisation: uint256, actor: uint256):
    """
    @dev The caller has made sure that enough members stay.
    """
    consortium.organisations[organisation] |= block.number << consortium.ORG_REMOVED
    consortium.member_count -= 1
    self.pace += 1 << EPOCH
    log OrganisationRemoved(organisation=organisation, actor=actor)
