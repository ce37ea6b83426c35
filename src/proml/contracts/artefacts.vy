# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title artefacts: one state machine per dataset, model, run, evaluation or dependency
@license Apache-2.0
@notice Decides which step of which artefact is legal, by whom, from which inputs, and keeps for
        each artefact one packed word (where it stands) and one head (a hash over its complete
        history). The contract is immutable: no administrator, no proxy, no ether, no external call.
@dev    Artefact word, least significant bit first:
          state 8 | lifecycle 16 | sequence 40 | usable from 40 | custodian 16 | offered to 16
          | creator 16 | first performer of duty 1..6, 16 each | several performed duty 1..6, 1 bit each
          | disputed 1
        `usable from` is the sequence since which the state has been usable as an input without
        interruption, 0 when it is not usable now.
        id       = keccak256(abi_encode(chain id, this contract, creator's key, salt))
        head[0]  = id
        head[n]  = keccak256(abi_encode(head[n-1], n, actor, action, record, subject, inputs digest))
        actor    = organisation << 160 | key
        inputs digest: 0 without inputs; else folded over them, d = keccak256(abi_encode(d, id, sequence)),
        after the approvals that the step relies on, d = keccak256(abi_encode(d, actor, record))
        docs/contracts.md is the specification, src/proml/core/history.py its executable form.
"""

import consortium
import custody
import governance
import lifecycles
import statements

initializes: consortium
initializes: lifecycles

exports: (
    consortium.add_key,
    consortium.revoke_key,
    consortium.key,
    consortium.organisation,
    consortium.member_count,
    consortium.threshold,
    consortium.SCOPE_RECORD,
    consortium.SCOPE_APPROVE,
    consortium.SCOPE_GOVERN,
    governance.propose,
    governance.vote,
    governance.execute,
    governance.execute_lifecycle,
    governance.cancel,
    governance.leave,
    governance.proposal,
    governance.has_voted,
    governance.proposal_count,
    governance.organisation_count,
    governance.pace,
    custody.dispute,
    custody.successor,
    lifecycles.lifecycle,
    lifecycles.lifecycle_number,
    lifecycles.lifecycle_count,
    lifecycles.rule,
)

# --- events -----------------------------------------------------------------------------------

event Registered:
    artefact: indexed(bytes32)
    subject: indexed(bytes32)
    actor: indexed(uint256)
    lifecycle: uint256
    action: uint256
    state: uint256
    record: bytes32
    inputs: DynArray[Input, MAX_INPUTS]

event Acted:
    artefact: indexed(bytes32)
    subject: indexed(bytes32)
    actor: indexed(uint256)
    sequence: uint256
    action: uint256
    state: uint256
    record: bytes32
    inputs: DynArray[Input, MAX_INPUTS]

event ActedApproved:
    artefact: indexed(bytes32)
    subject: indexed(bytes32)
    actor: indexed(uint256)
    sequence: uint256
    action: uint256
    state: uint256
    record: bytes32
    inputs: DynArray[Input, MAX_INPUTS]
    approvals: DynArray[Approval, lifecycles.MAX_APPROVALS]

event Approved:
    artefact: indexed(bytes32)
    subject: indexed(bytes32)
    actor: indexed(uint256)
    action: uint256
    sequence: uint256
    record: bytes32

event Anchored:
    actor: indexed(uint256)
    root: indexed(bytes32)
    number: uint256
    count: uint256

event Refused:
    artefact: indexed(bytes32)
    actor: indexed(uint256)
    item: uint256
    reason: uint256

# --- types and constants ----------------------------------------------------------------------

struct Input:
    artefact: bytes32
    sequence: uint256

struct Approval:
    actor: uint256
    record: bytes32

struct Step:
    artefact: bytes32  # an id; for a registration the salt
    lifecycle: uint16  # number of the lifecycle to register under; 0 for an act
    action: uint8
    sequence: uint256  # the sequence this step expects to get; 1 for a registration
    record: bytes32
    subject: bytes32
    # How many of the batch's inputs are this step's, and 256 times how many of its approvals: a word
    # of its own for the few steps that need approvals would cost all others.
    inputs: uint256

# A step that its signer's key signed, for anybody to send. Whole words, since checking narrower ones
# would cost each step 250 gas; `signer` is an address as a number.
struct SignedStep:
    artefact: bytes32
    lifecycle: uint256
    action: uint256
    sequence: uint256
    record: bytes32
    subject: bytes32
    inputs: uint256
    signer: uint256
    deadline: uint256  # in seconds since 1970; the last one at which the step may be taken
    v: uint256
    r: uint256
    s: uint256

struct Anchor:
    root: bytes32
    count: uint256

MAX_INPUTS: public(constant(uint256)) = 32
# Memory is paid for up to the caps of a batch, however little is in it: twice as many steps and inputs
# would cost every batch 5,900 gas more, and save a full one 230 a step.
MAX_STEPS: public(constant(uint256)) = 64
MAX_SIGNED_STEPS: public(constant(uint256)) = 50
MAX_SIGNED_INPUTS: public(constant(uint256)) = 64
MAX_ANCHORS: public(constant(uint256)) = 32
MAX_BATCH_INPUTS: public(constant(uint256)) = 128
MAX_BATCH_APPROVALS: public(constant(uint256)) = 32
VERSION: public(constant(uint256)) = 1

# Reasons 20-39 speak of a step; docs/contracts.md lists them all.
EXISTS: constant(uint256) = 20
UNKNOWN_ARTEFACT: constant(uint256) = 21
WRONG_SEQUENCE: constant(uint256) = 22
NO_TRANSITION: constant(uint256) = 23
ROLE_MISSING: constant(uint256) = 24
NOT_CUSTODIAN: constant(uint256) = 25
DUTY_CONFLICT: constant(uint256) = 26
RECORD_MISSING: constant(uint256) = 27
SUBJECT_MISSING: constant(uint256) = 28
INPUTS_MISSING: constant(uint256) = 29
INPUT_UNKNOWN: constant(uint256) = 30
INPUT_AHEAD: constant(uint256) = 31
INPUT_UNUSABLE: constant(uint256) = 32
INPUT_KIND: constant(uint256) = 33
EMPTY_ANCHOR: constant(uint256) = 34
INPUTS_UNBALANCED: constant(uint256) = 35
APPROVALS_MISSING: constant(uint256) = 36
APPROVAL_INVALID: constant(uint256) = 37
APPROVAL_NOT_ASKED: constant(uint256) = 38
APPROVED_ALREADY: constant(uint256) = 39

STATE_MASK: constant(uint256) = 255
BYTE: constant(uint256) = 255
ORG_MASK: constant(uint256) = 2**16 - 1
SEQ_MASK: constant(uint256) = 2**40 - 1

LIFECYCLE: constant(uint256) = 8
SEQUENCE: constant(uint256) = 24
USABLE_FROM: constant(uint256) = 64
CREATOR: constant(uint256) = 136
PERFORMERS: constant(uint256) = 152  # duty d at 152 + 16 * (d - 1)
SEVERAL: constant(uint256) = 248  # duty d at bit 248 + d - 1

# --- storage ----------------------------------------------------------------------------------

artefacts: HashMap[bytes32, uint256]
heads: HashMap[bytes32, bytes32]
# Bits of the duties an organisation performed on an artefact where it was not the first to.
performed: HashMap[bytes32, HashMap[uint256, uint256]]
anchor_heads: HashMap[uint256, bytes32]

# Down here its storage comes after everything above, whose slots are pinned by state proofs.
initializes: governance[consortium := consortium, lifecycles := lifecycles, custody := custody]

# Approvals given, by keccak256(abi_encode(artefact, action, sequence, subject, actor, record)).
approved: HashMap[bytes32, bool]

initializes: custody[consortium := consortium]

# --- deployment -------------------------------------------------------------------------------

@deploy
def __init__(
    founders: DynArray[consortium.Founder, consortium.MAX_FOUNDERS],
    rules: governance.Governance,
    tables: DynArray[lifecycles.Table, lifecycles.MAX_TABLES],
    words: DynArray[uint256, lifecycles.MAX_ALL_RULES],
):
    """
    @notice Found the consortium and admit its first lifecycles. The deployer gets no right.
    @param words The rule words of all tables, one after another.
    """
    consortium.__init__(founders, rules.threshold)
    governance.__init__(len(founders), rules)
    lifecycles.__init__(tables, words)

# --- writing ----------------------------------------------------------------------------------

@external
def register(
    lifecycle: uint16,
    action: uint8,
    salt: bytes32,
    record: bytes32,
    subject: bytes32,
    inputs: DynArray[Input, MAX_INPUTS],
) -> bytes32:
    """
    @notice Register an artefact in the state its lifecycle gives to `action` from "none".
    @param salt 32 random bytes; with the caller's key they make the id, so nobody can take it first.
    @param record Commitment to the record, 32 bytes, not zero.
    @param subject Digest of the artefact's bytes, or a salted commitment to it, or zero.
    @param inputs Up to 32 (artefact, sequence) this one derives from.
    @return The artefact's id.
    """
    step: Step = Step(
        artefact=salt, lifecycle=lifecycle, action=action, sequence=1, record=record, subject=subject, inputs=0
    )
    artefact: bytes32 = self._id(msg.sender, salt)
    consortium._check(lifecycle != 0, NO_TRANSITION)
    self._single(artefact, step, inputs)
    return artefact


@external
def act(
    artefact: bytes32,
    action: uint8,
    sequence: uint256,
    record: bytes32,
    subject: bytes32,
    inputs: DynArray[Input, MAX_INPUTS],
):
    """
    @notice Move an artefact along one transition of its lifecycle.
    @param sequence The sequence this step expects to get: the present one plus 1. A second step
           made from the same view is refused rather than applied on top.
    @dev   A step that needs approvals goes in a batch, where they can be named.
    """
    step: Step = Step(
        artefact=artefact, lifecycle=0, action=action, sequence=sequence, record=record, subject=subject, inputs=0
    )
    self._single(artefact, step, inputs)


@external
def approve(artefact: bytes32, action: uint8, sequence: uint256, subject: bytes32, record: bytes32):
    """
    @notice Approve a step that somebody is to take: this action, as the artefact's next step, with this
            subject. Whatever step comes instead makes the approval worthless, and so does another
            subject. Needs scope `approve` and one of the roles the rule wants approvers to have.
    @param sequence The sequence the step will get: the present one plus 1.
    @param record Commitment to the record of the approval, 32 bytes, not zero.
    """
    asked: Step = Step(
        artefact=artefact, lifecycle=0, action=action, sequence=sequence, record=record, subject=subject, inputs=0
    )
    self._approving(msg.sender, asked)


@external
def approve_for(
    artefact: bytes32,
    action: uint8,
    sequence: uint256,
    subject: bytes32,
    record: bytes32,
    signer: address,
    deadline: uint256,
    v: uint256,
    r: uint256,
    s: uint256,
):
    """
    @notice An approval that its giver's key signed; anybody may send it.
    @param signer The key that signed; it needs what it would need to call `approve` itself.
    @param deadline Seconds since 1970; refused in a block of a later time.
    @param v r s The signer's EIP-712 signature of Approval.
    """
    digest: bytes32 = statements._typed(
        statements._domain(),
        keccak256(
            abi_encode(
                statements.APPROVAL_TYPE, artefact, convert(action, uint256), sequence, subject, record, deadline
            )
        ),
    )
    reason: uint256 = statements._flaw(convert(signer, uint256), digest, v, r, s)
    consortium._check(reason == 0, reason)
    consortium._check(block.timestamp <= deadline, statements.DEADLINE_PASSED)
    asked: Step = Step(
        artefact=artefact, lifecycle=0, action=action, sequence=sequence, record=record, subject=subject, inputs=0
    )
    self._approving(signer, asked)


@external
def anchor(root: bytes32, count: uint256):
    """
    @notice Anchor a batch of observations: the root of a Merkle tree and how many leaves it has.
    @dev    Numbered and chained per organisation, so that a missing batch shows:
            head[n] = keccak256(abi_encode(head[n-1], n, actor, root, count)), head[0] = 0.
    """
    organisation: uint256 = 0
    word: uint256 = 0
    scope: uint256 = 0
    organisation, word, scope = self._recording()
    consortium._check(root != empty(bytes32) and count != 0, EMPTY_ANCHOR)
    consortium.organisations[organisation] = self._anchor(organisation, word, root, count)


@external
def batch(
    anchors: DynArray[Anchor, MAX_ANCHORS],
    steps: DynArray[Step, MAX_STEPS],
    inputs: DynArray[Input, MAX_BATCH_INPUTS],
    approvals: DynArray[Approval, MAX_BATCH_APPROVALS],
):
    """
    @notice Many anchors and steps in one transaction, in this order. A refused item emits `Refused`
            with its reason and changes nothing; the rest goes on. Items are counted from 0, anchors first.
    @param inputs The inputs of all steps, one after another; none may be left over.
    @param approvals What the steps rely on, likewise; of each step in ascending order of organisations.
    @dev   Reverts as a whole when the key may not record, or when the inputs do not add up.
    """
    organisation: uint256 = 0
    word: uint256 = 0
    scope: uint256 = 0
    organisation, word, scope = self._recording()
    actor: uint256 = consortium._actor(organisation)
    item: uint256 = 0
    anchored: uint256 = word
    for entry: Anchor in anchors:
        if entry.root == empty(bytes32) or entry.count == 0:
            log Refused(artefact=entry.root, actor=actor, item=item, reason=EMPTY_ANCHOR)
        else:
            anchored = self._anchor(organisation, anchored, entry.root, entry.count)
        item += 1
    if anchored != word:
        consortium.organisations[organisation] = anchored

    roles: uint256 = word & consortium.ROLES_MASK
    offset: uint256 = 0
    behind: uint256 = 0
    for step: Step in steps:
        artefact: bytes32 = step.artefact
        if step.lifecycle != 0:
            artefact = self._id(msg.sender, artefact)
        count: uint256 = step.inputs
        relied: DynArray[Approval, lifecycles.MAX_APPROVALS] = []
        digest: bytes32 = empty(bytes32)
        approved: uint256 = 0
        if count > BYTE:
            approved = count >> 8
            count = count & BYTE
            consortium._check(
                approved <= lifecycles.MAX_APPROVALS and behind + approved <= len(approvals), INPUTS_UNBALANCED
            )
            for i: uint256 in range(approved, bound=lifecycles.MAX_APPROVALS):
                relied.append(approvals[behind + i])
            behind += approved
            digest, approved = self._relied(artefact, step, relied)
        own: DynArray[Input, MAX_INPUTS] = []
        if count != 0:
            consortium._check(count <= MAX_INPUTS and offset + count <= len(inputs), INPUTS_UNBALANCED)
            for i: uint256 in range(count, bound=MAX_INPUTS):
                own.append(inputs[offset + i])
            offset += count
        reason: uint256 = self._apply(artefact, actor, roles, scope, step, own, digest, approved)
        if reason != 0:
            log Refused(artefact=artefact, actor=actor, item=item, reason=reason)
        elif approved != 0:
            standing: uint256 = self.artefacts[artefact]
            log ActedApproved(
                artefact=artefact,
                subject=step.subject,
                actor=actor,
                sequence=step.sequence,
                action=convert(step.action, uint256),
                state=standing & STATE_MASK,
                record=step.record,
                inputs=own,
                approvals=relied,
            )
        item += 1
    consortium._check(offset == len(inputs) and behind == len(approvals), INPUTS_UNBALANCED)


@external
def act_for(
    signed: SignedStep,
    inputs: DynArray[Input, MAX_INPUTS],
    approvals: DynArray[Approval, lifecycles.MAX_APPROVALS],
):
    """
    @notice One step that its signer's key signed, a registration or an act; anybody may send it. Reverts
            with the reason when it is refused. `signed.inputs` is not looked at.
    """
    reason: uint256 = self._unproven(statements._domain(), signed, self._resting_on(inputs, approvals))
    consortium._check(reason == 0, reason)
    consortium._check(block.timestamp <= signed.deadline, statements.DEADLINE_PASSED)
    key: address = convert(signed.signer, address)
    actor: uint256 = 0
    roles: uint256 = 0
    scope: uint256 = 0
    reason, actor, roles, scope = self._recording_for(key)
    consortium._check(reason == 0, reason)
    consortium._check(signed.lifecycle <= ORG_MASK and signed.action <= BYTE, consortium.OUT_OF_RANGE)
    artefact: bytes32 = signed.artefact
    if signed.lifecycle != 0:
        artefact = self._id(key, artefact)
    step: Step = Step(
        artefact=signed.artefact,
        lifecycle=convert(signed.lifecycle, uint16),
        action=convert(signed.action, uint8),
        sequence=signed.sequence,
        record=signed.record,
        subject=signed.subject,
        inputs=0,
    )
    if len(approvals) == 0:
        reason = self._apply(artefact, actor, roles, scope, step, inputs, empty(bytes32), 0)
    else:
        reason = self._apply_relying(artefact, actor, roles, scope, step, inputs, approvals)
    consortium._check(reason == 0, reason)


@external
def batch_for(
    steps: DynArray[SignedStep, MAX_SIGNED_STEPS],
    inputs: DynArray[Input, MAX_SIGNED_INPUTS],
    approvals: DynArray[Approval, MAX_BATCH_APPROVALS],
):
    """
    @notice Many such steps, of as many signers as one likes, in one transaction and in this order. A
            refused one emits `Refused` with its reason and changes nothing; the rest goes on.
    @param inputs The inputs of all steps, one after another; none may be left over.
    @param approvals What the steps rely on, likewise; of each step in ascending order of organisations.
    @dev   `Refused` names the signer as its actor once the signature has been found good, and the sender,
           with organisation 0, where it has not.
    """
    domain: bytes32 = statements._domain()
    offset: uint256 = 0
    behind: uint256 = 0
    item: uint256 = 0
    # No step changes how a key stands, so it is looked up once for steps of one signer in a row.
    signer: uint256 = 0
    standing: uint256 = 0
    actor: uint256 = 0
    roles: uint256 = 0
    scope: uint256 = 0
    for signed: SignedStep in steps:
        own: DynArray[Input, MAX_INPUTS] = []
        relied: DynArray[Approval, lifecycles.MAX_APPROVALS] = []
        rests_on: bytes32 = empty(bytes32)
        if signed.inputs != 0:
            count: uint256 = signed.inputs & BYTE
            approved: uint256 = signed.inputs >> 8
            consortium._check(count <= MAX_INPUTS and offset + count <= len(inputs), INPUTS_UNBALANCED)
            consortium._check(
                approved <= lifecycles.MAX_APPROVALS and behind + approved <= len(approvals), INPUTS_UNBALANCED
            )
            for i: uint256 in range(count, bound=MAX_INPUTS):
                own.append(inputs[offset + i])
            for i: uint256 in range(approved, bound=lifecycles.MAX_APPROVALS):
                relied.append(approvals[behind + i])
            offset += count
            behind += approved
            rests_on = self._resting_on(own, relied)
        artefact: bytes32 = signed.artefact
        if signed.lifecycle != 0:
            artefact = keccak256(abi_encode(chain.id, self, signed.signer, artefact))
        reason: uint256 = self._unproven(domain, signed, rests_on)
        if reason != 0:
            log Refused(artefact=artefact, actor=convert(msg.sender, uint256), item=item, reason=reason)
        else:
            if signed.signer != signer:
                signer = signed.signer
                standing, actor, roles, scope = self._recording_for(convert(signer, address))
            if block.timestamp > signed.deadline:
                reason = statements.DEADLINE_PASSED
            elif standing != 0:
                reason = standing
            elif signed.lifecycle > ORG_MASK or signed.action > BYTE:
                reason = consortium.OUT_OF_RANGE
            else:
                step: Step = Step(
                    artefact=signed.artefact,
                    lifecycle=convert(signed.lifecycle, uint16),
                    action=convert(signed.action, uint8),
                    sequence=signed.sequence,
                    record=signed.record,
                    subject=signed.subject,
                    inputs=0,
                )
                if len(relied) == 0:
                    reason = self._apply(artefact, actor, roles, scope, step, own, empty(bytes32), 0)
                else:
                    reason = self._apply_relying(artefact, actor, roles, scope, step, own, relied)
            if reason != 0:
                log Refused(artefact=artefact, actor=actor, item=item, reason=reason)
        item += 1
    consortium._check(offset == len(inputs) and behind == len(approvals), INPUTS_UNBALANCED)

# --- reading ----------------------------------------------------------------------------------

@external
@view
def artefact(artefact: bytes32) -> (uint256, bytes32):
    """
    @notice The packed word and the head of an artefact; zeros if it is not registered.
    """
    return self.artefacts[artefact], self.heads[artefact]


@external
@view
def anchor_head(organisation: uint256) -> bytes32:
    """
    @notice The head of an organisation's chain of anchors; its length is in the organisation's word.
    """
    return self.anchor_heads[organisation]


@external
@view
def artefact_id(creator: address, salt: bytes32) -> bytes32:
    """
    @notice The id that `creator` would register with `salt` on this chain and contract.
    """
    return self._id(creator, salt)

# --- the rules --------------------------------------------------------------------------------

@internal
def _single(artefact: bytes32, step: Step, inputs: DynArray[Input, MAX_INPUTS]):
    organisation: uint256 = 0
    word: uint256 = 0
    scope: uint256 = 0
    organisation, word, scope = self._recording()
    reason: uint256 = self._apply(
        artefact, consortium._actor(organisation), word & consortium.ROLES_MASK, scope, step, inputs, empty(bytes32), 0
    )
    consortium._check(reason == 0, reason)


@internal
def _apply(
    artefact: bytes32,
    actor: uint256,
    roles: uint256,
    scope: uint256,
    step: Step,
    inputs: DynArray[Input, MAX_INPUTS],
    relied: bytes32,
    approvals: uint256,
) -> uint256:
    """
    @dev Returns the first reason against the step, in the order of docs/contracts.md, or applies it
         and returns 0. Nothing is written before the last check. `relied` and `approvals` are what
         `_relied` made of the approvals, 0 without any; with some the caller emits the event.
    """
    word: uint256 = self.artefacts[artefact]
    organisation: uint256 = actor >> 160
    number: uint256 = convert(step.lifecycle, uint256)
    sequence: uint256 = ((word >> SEQUENCE) & SEQ_MASK) + 1
    head: bytes32 = artefact
    if number != 0:
        if word != 0:
            return EXISTS
    else:
        if word == 0:
            return UNKNOWN_ARTEFACT
        number = (word >> LIFECYCLE) & ORG_MASK
        head = self.heads[artefact]
    if step.sequence != sequence:
        return WRONG_SEQUENCE

    rule: uint256 = lifecycles.rules[
        (number << 16) | ((word & STATE_MASK) << 8) | convert(step.action, uint256)
    ]
    moved: uint256 = 0
    inputs_digest: bytes32 = relied
    if rule != 0:
        if roles & (rule >> lifecycles.RULE_ROLES) & lifecycles.STATES_MASK == 0:
            return ROLE_MISSING
        flags: uint256 = (rule >> lifecycles.RULE_FLAGS) & BYTE
        if flags & lifecycles.FLAG_APPROVE != 0 and scope & consortium.SCOPE_APPROVE == 0:
            return consortium.SCOPE_MISSING
        if flags & lifecycles.FLAG_CUSTODIAN != 0 and word != 0:
            custodian: uint256 = (word >> custody.CUSTODIAN) & ORG_MASK
            if custodian != organisation and custody.successors[custodian] != organisation:
                return NOT_CUSTODIAN
        differs: uint256 = (rule >> lifecycles.RULE_DIFFERS) & BYTE
        if differs != 0 and word != 0 and self._conflict(artefact, word, organisation, differs):
            return DUTY_CONFLICT
        if step.record == empty(bytes32):
            return RECORD_MISSING
        if flags & lifecycles.FLAG_SUBJECT != 0 and step.subject == empty(bytes32):
            return SUBJECT_MISSING
        if len(inputs) < (rule >> lifecycles.RULE_LEAST_INPUTS) & BYTE:
            return INPUTS_MISSING

        kind: uint256 = (rule >> lifecycles.RULE_INPUT_KIND) & lifecycles.KIND_MASK
        of_kind: bool = kind == 0
        for entry: Input in inputs:
            other: uint256 = self.artefacts[entry.artefact]
            if other == 0:
                return INPUT_UNKNOWN
            if entry.sequence == 0 or entry.sequence > (other >> SEQUENCE) & SEQ_MASK:
                return INPUT_AHEAD
            if flags & lifecycles.FLAG_INPUTS_USABLE != 0:
                since: uint256 = (other >> USABLE_FROM) & SEQ_MASK
                if since == 0 or entry.sequence < since:
                    return INPUT_UNUSABLE
            if not of_kind:
                of_kind = lifecycles.tables[(other >> LIFECYCLE) & ORG_MASK] & lifecycles.KIND_MASK == kind
            inputs_digest = keccak256(abi_encode(inputs_digest, entry.artefact, entry.sequence))
        if not of_kind:
            return INPUT_KIND
        if approvals > BYTE:
            return APPROVAL_INVALID
        if approvals < (rule >> lifecycles.RULE_APPROVALS) & BYTE:
            return APPROVALS_MISSING
        moved = self._moved(artefact, word, organisation, number, sequence, rule)
    else:
        # Steps that every lifecycle has alike keep the state, derive from nothing and need no approvals.
        action: uint256 = convert(step.action, uint256)
        if word == 0 or action < custody.OFFER or action > custody.SETTLE:
            return NO_TRANSITION
        if step.record == empty(bytes32):
            return RECORD_MISSING
        if len(inputs) != 0:
            return custody.INPUTS_NOT_ASKED
        if approvals != 0:
            return APPROVAL_INVALID
        reason: uint256 = 0
        reason, moved = custody._taken(artefact, word, organisation, roles, action, step.subject)
        if reason != 0:
            return reason
        moved += 1 << SEQUENCE

    self.artefacts[artefact] = moved
    self.heads[artefact] = keccak256(
        abi_encode(
            head, sequence, actor, convert(step.action, uint256), step.record, step.subject, inputs_digest
        )
    )
    if word == 0:
        log Registered(
            artefact=artefact,
            subject=step.subject,
            actor=actor,
            lifecycle=number,
            action=convert(step.action, uint256),
            state=moved & STATE_MASK,
            record=step.record,
            inputs=inputs,
        )
    elif approvals == 0:
        log Acted(
            artefact=artefact,
            subject=step.subject,
            actor=actor,
            sequence=sequence,
            action=convert(step.action, uint256),
            state=moved & STATE_MASK,
            record=step.record,
            inputs=inputs,
        )
    return 0


@internal
@pure
def _unproven(domain: bytes32, signed: SignedStep, rests_on: bytes32) -> uint256:
    """
    @dev What is wrong with the signature of a step, 0 when it is its signer's. It covers the inputs digest,
         so whoever sends the step cannot choose other inputs or approvals.
    """
    statement: bytes32 = keccak256(
        abi_encode(
            statements.STEP_TYPE,
            signed.artefact,
            signed.lifecycle,
            signed.action,
            signed.sequence,
            signed.record,
            signed.subject,
            rests_on,
            signed.deadline,
        )
    )
    return statements._flaw(
        signed.signer, statements._typed(domain, statement), signed.v, signed.r, signed.s
    )


@internal
@pure
def _resting_on(
    inputs: DynArray[Input, MAX_INPUTS], approvals: DynArray[Approval, lifecycles.MAX_APPROVALS]
) -> bytes32:
    """
    @dev The inputs digest of a step, whether its approvals and inputs stand or not.
    """
    digest: bytes32 = empty(bytes32)
    for entry: Approval in approvals:
        digest = keccak256(abi_encode(digest, entry.actor, entry.record))
    for entry: Input in inputs:
        digest = keccak256(abi_encode(digest, entry.artefact, entry.sequence))
    return digest


@internal
@view
def _recording_for(key: address) -> (uint256, uint256, uint256, uint256):
    """
    @dev Why a key may not record, or 0; the word it is known by as an actor, its organisation's roles, its
         scope.
    """
    reason: uint256 = 0
    organisation: uint256 = 0
    word: uint256 = 0
    scope: uint256 = 0
    reason, organisation, word, scope = consortium._standing(key)
    if reason == 0 and scope & consortium.SCOPE_RECORD == 0:
        reason = consortium.SCOPE_MISSING
    return reason, (organisation << 160) | convert(key, uint256), word & consortium.ROLES_MASK, scope


@internal
def _apply_relying(
    artefact: bytes32,
    actor: uint256,
    roles: uint256,
    scope: uint256,
    step: Step,
    inputs: DynArray[Input, MAX_INPUTS],
    approvals: DynArray[Approval, lifecycles.MAX_APPROVALS],
) -> uint256:
    """
    @dev `_apply` for a step that relies on approvals.
    """
    digest: bytes32 = empty(bytes32)
    approved: uint256 = 0
    digest, approved = self._relied(artefact, step, approvals)
    reason: uint256 = self._apply(artefact, actor, roles, scope, step, inputs, digest, approved)
    if reason == 0:
        log ActedApproved(
            artefact=artefact,
            subject=step.subject,
            actor=actor,
            sequence=step.sequence,
            action=convert(step.action, uint256),
            state=self.artefacts[artefact] & STATE_MASK,
            record=step.record,
            inputs=inputs,
            approvals=approvals,
        )
    return reason


@internal
def _approving(key: address, asked: Step):
    """
    @dev An approval by a key; reverts when it is refused.
    """
    reason: uint256 = 0
    organisation: uint256 = 0
    word: uint256 = 0
    scope: uint256 = 0
    reason, organisation, word, scope = consortium._standing(key)
    consortium._check(reason == 0, reason)
    consortium._check(scope & consortium.SCOPE_APPROVE != 0, consortium.SCOPE_MISSING)
    reason = self._approve(
        (organisation << 160) | convert(key, uint256), word & consortium.ROLES_MASK, asked
    )
    consortium._check(reason == 0, reason)


@internal
def _approve(actor: uint256, roles: uint256, asked: Step) -> uint256:
    """
    @dev Returns the first reason against the approval, or keeps it and returns 0. `asked.record` is the
         approval's own record.
    """
    word: uint256 = self.artefacts[asked.artefact]
    action: uint256 = convert(asked.action, uint256)
    if word == 0:
        return UNKNOWN_ARTEFACT
    if asked.sequence != ((word >> SEQUENCE) & SEQ_MASK) + 1:
        return WRONG_SEQUENCE
    rule: uint256 = lifecycles.rules[
        (((word >> LIFECYCLE) & ORG_MASK) << 16) | ((word & STATE_MASK) << 8) | action
    ]
    if rule == 0:
        return NO_TRANSITION
    if (rule >> lifecycles.RULE_APPROVALS) & BYTE == 0:
        return APPROVAL_NOT_ASKED
    if roles & (rule >> lifecycles.RULE_APPROVER_ROLES) & lifecycles.STATES_MASK == 0:
        return ROLE_MISSING
    if self._conflict(asked.artefact, word, actor >> 160, (rule >> lifecycles.RULE_APPROVER_DIFFERS) & BYTE):
        return DUTY_CONFLICT
    if asked.record == empty(bytes32):
        return RECORD_MISSING
    if (rule >> lifecycles.RULE_FLAGS) & lifecycles.FLAG_SUBJECT != 0 and asked.subject == empty(bytes32):
        return SUBJECT_MISSING
    at: bytes32 = keccak256(
        abi_encode(asked.artefact, action, asked.sequence, asked.subject, actor, asked.record)
    )
    if self.approved[at]:
        return APPROVED_ALREADY
    self.approved[at] = True
    log Approved(
        artefact=asked.artefact,
        subject=asked.subject,
        actor=actor,
        action=action,
        sequence=asked.sequence,
        record=asked.record,
    )
    return 0


@internal
@view
def _relied(
    artefact: bytes32, step: Step, approvals: DynArray[Approval, lifecycles.MAX_APPROVALS]
) -> (bytes32, uint256):
    """
    @dev The digest over a step's approvals and how many they are; more than 255 when one does not stand,
         or when they are not of organisations in ascending order.
    """
    word: uint256 = self.artefacts[artefact]
    rule: uint256 = lifecycles.rules[
        (((word >> LIFECYCLE) & ORG_MASK) << 16) | ((word & STATE_MASK) << 8) | convert(step.action, uint256)
    ]
    digest: bytes32 = empty(bytes32)
    last: uint256 = 0
    for entry: Approval in approvals:
        if entry.actor >> 160 <= last or not self._stands(artefact, step, entry, rule):
            return empty(bytes32), max_value(uint256)
        last = entry.actor >> 160
        digest = keccak256(abi_encode(digest, entry.actor, entry.record))
    return digest, len(approvals)


@internal
@view
def _stands(artefact: bytes32, step: Step, entry: Approval, rule: uint256) -> bool:
    """
    @dev Whether an approval was given for exactly this step, and its organisation is still a member that
         may approve it, its key not revoked. Duties cannot have changed: the sequence has not.
    """
    at: bytes32 = keccak256(
        abi_encode(
            artefact, convert(step.action, uint256), step.sequence, step.subject, entry.actor, entry.record
        )
    )
    if not self.approved[at]:
        return False
    key: address = convert(entry.actor & (2**160 - 1), address)
    if (consortium.keys[key] >> consortium.KEY_REVOKED) & consortium.BLOCK_MASK != 0:
        return False
    word: uint256 = consortium.organisations[entry.actor >> 160]
    if (word >> consortium.ORG_REMOVED) & consortium.BLOCK_MASK != 0:
        return False
    return word & (rule >> lifecycles.RULE_APPROVER_ROLES) & lifecycles.STATES_MASK != 0


@internal
def _moved(
    artefact: bytes32, word: uint256, organisation: uint256, number: uint256, sequence: uint256, rule: uint256
) -> uint256:
    """
    @dev The artefact's next word. The first performer of each duty stands in the word itself; only
         a second, different one costs a slot of its own.
    """
    moved: uint256 = word
    if word == 0:
        moved = (number << LIFECYCLE) | (organisation << custody.CUSTODIAN) | (organisation << CREATOR)
    usable_from: uint256 = 0
    if (rule >> lifecycles.RULE_FLAGS) & lifecycles.FLAG_USABLE != 0:
        usable_from = (word >> USABLE_FROM) & SEQ_MASK
        if usable_from == 0:
            usable_from = sequence
    keep: uint256 = max_value(uint256) ^ (
        STATE_MASK | (SEQ_MASK << SEQUENCE) | (SEQ_MASK << USABLE_FROM)
    )
    moved = (moved & keep) | (rule & BYTE) | (sequence << SEQUENCE) | (usable_from << USABLE_FROM)
    duty: uint256 = (rule >> lifecycles.RULE_DUTY) & BYTE
    if duty != 0:
        at: uint256 = PERFORMERS + 16 * (duty - 1)
        first: uint256 = (moved >> at) & ORG_MASK
        if first == 0:
            moved = moved | (organisation << at)
        elif first != organisation:
            moved = moved | (1 << (SEVERAL + duty - 1))
            self.performed[artefact][organisation] |= 1 << duty
    return moved


@internal
@view
def _conflict(artefact: bytes32, word: uint256, organisation: uint256, differs: uint256) -> bool:
    """
    @dev Separation of duties: whether the organisation created the artefact (bit 0 of `differs`) or
         performed one of the duties 1..6 on it before.
    """
    if differs & 1 != 0 and (word >> CREATOR) & ORG_MASK == organisation:
        return True
    for duty: uint256 in range(1, 7):
        if (differs >> duty) & 1 != 0:
            if (word >> (PERFORMERS + 16 * (duty - 1))) & ORG_MASK == organisation:
                return True
    if (word >> SEVERAL) & (differs >> 1) != 0:
        return self.performed[artefact][organisation] & differs != 0
    return False


@internal
def _anchor(organisation: uint256, word: uint256, root: bytes32, count: uint256) -> uint256:
    """
    @dev Extends the organisation's chain of anchors; returns its word with the number raised, for
         the caller to store.
    """
    number: uint256 = ((word >> consortium.ORG_ANCHORS) & consortium.BLOCK_MASK) + 1
    actor: uint256 = consortium._actor(organisation)
    self.anchor_heads[organisation] = keccak256(
        abi_encode(self.anchor_heads[organisation], number, actor, root, count)
    )
    log Anchored(actor=actor, root=root, number=number, count=count)
    return word + (1 << consortium.ORG_ANCHORS)


@internal
@view
def _recording() -> (uint256, uint256, uint256):
    """
    @dev The caller's organisation, its word and the key's scope; reverts if the key may not record.
    """
    reason: uint256 = 0
    organisation: uint256 = 0
    word: uint256 = 0
    scope: uint256 = 0
    reason, organisation, word, scope = consortium._standing(msg.sender)
    consortium._check(reason == 0, reason)
    consortium._check(scope & consortium.SCOPE_RECORD != 0, consortium.SCOPE_MISSING)
    return organisation, word, scope


@internal
@view
def _id(creator: address, salt: bytes32) -> bytes32:
    return keccak256(abi_encode(chain.id, self, creator, salt))
