# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title lifecycles: immutable tables of states, actions and who may act
@license Apache-2.0
@notice A lifecycle is admitted once and never changed. It is known by a number (1, 2, ...) and by
        its id, keccak256(abi_encode(properties, document, rules)). `document` is the SHA-256 of its
        canonical JSON file, which carries the names; the chain knows numbers only.
@dev    Module. Property word, least significant bit first:
          kind 32 | usable states 64 | terminal states 64 | recalled states 64 | zero 32
        Rule word, one per (state, action):
          next state 8 | flags 8 | least inputs 8 | input kind 32 | duty 8 | differs 8
          | approvals 8 | approver differs 8 | roles 64 | approver roles 64 | state 8 | action 8 | zero 24
        State 0 is "none": a rule from it registers. States are 0 to 63, actions 1 to 239.
"""

# --- events -----------------------------------------------------------------------------------

event LifecycleAdmitted:
    number: indexed(uint256)
    lifecycle: indexed(bytes32)
    properties: uint256
    document: bytes32
    rules: DynArray[uint256, MAX_RULES]

# --- types and constants ----------------------------------------------------------------------

struct Table:
    properties: uint256
    document: bytes32
    rules: uint256

MAX_RULES: constant(uint256) = 128
MAX_TABLES: constant(uint256) = 16
MAX_ALL_RULES: constant(uint256) = 512
MAX_STATE: constant(uint256) = 63
# Numbers above are kept for steps that every lifecycle has alike: custody, disputes.
MAX_ACTION: constant(uint256) = 239

STATES_MASK: constant(uint256) = 2**64 - 1
KIND_MASK: constant(uint256) = 2**32 - 1
BYTE: constant(uint256) = 255

# Property word.
TABLE_USABLE: constant(uint256) = 32
TABLE_TERMINAL: constant(uint256) = 96
TABLE_RECALLED: constant(uint256) = 160
TABLE_END: constant(uint256) = 224

# Rule word.
RULE_FLAGS: constant(uint256) = 8
RULE_LEAST_INPUTS: constant(uint256) = 16
RULE_INPUT_KIND: constant(uint256) = 24
RULE_DUTY: constant(uint256) = 56
RULE_DIFFERS: constant(uint256) = 64
RULE_APPROVALS: constant(uint256) = 72
RULE_APPROVER_DIFFERS: constant(uint256) = 80
RULE_ROLES: constant(uint256) = 88
RULE_APPROVER_ROLES: constant(uint256) = 152
RULE_STATE: constant(uint256) = 216
RULE_ACTION: constant(uint256) = 224
RULE_END: constant(uint256) = 232

FLAG_USABLE: constant(uint256) = 1  # the next state is usable as an input
FLAG_INPUTS_USABLE: constant(uint256) = 2  # every input must be usable, not merely exist
FLAG_CUSTODIAN: constant(uint256) = 4  # the custodian's organisation only
FLAG_SUBJECT: constant(uint256) = 8  # a subject must be given
FLAG_APPROVE: constant(uint256) = 16  # the key needs scope `approve`
FLAG_RECALL: constant(uint256) = 32  # taints every descendant
FLAG_END: constant(uint256) = 6

MAX_DUTY: constant(uint256) = 6
# Approvals that a rule can ask for, and that a step can name.
MAX_APPROVALS: constant(uint256) = 8

# --- storage ----------------------------------------------------------------------------------

# (number << 16 | state << 8 | action) -> rule word; 0 where there is no such transition.
rules: HashMap[uint256, uint256]
tables: HashMap[uint256, uint256]
numbers: HashMap[bytes32, uint256]
lifecycle_count: public(uint256)

# --- deployment -------------------------------------------------------------------------------

@deploy
def __init__(tables: DynArray[Table, MAX_TABLES], rules: DynArray[uint256, MAX_ALL_RULES]):
    """
    @notice Admit the founding lifecycles.
    @param tables Properties, document digest, and how many of `rules` belong to each, in order.
    @param rules The rule words of all tables, one after another; none may be left over.
    """
    offset: uint256 = 0
    for table: Table in tables:
        assert table.rules <= MAX_RULES and offset + table.rules <= len(rules), "lifecycles: rules missing"
        own: DynArray[uint256, MAX_RULES] = []
        for i: uint256 in range(table.rules, bound=MAX_RULES):
            own.append(rules[offset + i])
        offset += table.rules
        self._admit(table.properties, table.document, own)
    assert offset == len(rules), "lifecycles: rules left over"


@internal
def _admit(properties: uint256, document: bytes32, rules: DynArray[uint256, MAX_RULES]):
    """
    @dev Checks what a later transition relies on: one rule per (state, action), no rule out of a
         terminal state, no flag that nothing enforces, the usable and recall flags equal to the
         property word. Reachability and names are the business of whoever proposes the table.
    """
    lifecycle: bytes32 = keccak256(abi_encode(properties, document, rules))
    assert self.numbers[lifecycle] == 0, "lifecycles: admitted already"
    assert len(rules) > 0, "lifecycles: no rule"
    assert (properties & KIND_MASK) != 0, "lifecycles: no kind"
    assert (properties >> TABLE_END) == 0, "lifecycles: reserved bits"
    number: uint256 = self.lifecycle_count + 1
    assert number < 2**16, "lifecycles: too many"
    usable: uint256 = (properties >> TABLE_USABLE) & STATES_MASK
    terminal: uint256 = (properties >> TABLE_TERMINAL) & STATES_MASK
    recalled: uint256 = (properties >> TABLE_RECALLED) & STATES_MASK
    assert (usable & recalled) == 0 and (usable & 1) == 0, "lifecycles: unusable state"
    for rule: uint256 in rules:
        state: uint256 = (rule >> RULE_STATE) & BYTE
        action: uint256 = (rule >> RULE_ACTION) & BYTE
        following: uint256 = rule & BYTE
        assert (rule >> RULE_END) == 0, "lifecycles: reserved bits"
        assert state <= MAX_STATE and following >= 1 and following <= MAX_STATE, "lifecycles: state out of range"
        assert action >= 1 and action <= MAX_ACTION, "lifecycles: action out of range"
        assert ((terminal >> state) & 1) == 0, "lifecycles: exit from a terminal state"
        flags: uint256 = (rule >> RULE_FLAGS) & BYTE
        assert (flags >> FLAG_END) == 0, "lifecycles: reserved bits"
        assert ((usable >> following) & 1) == (flags & FLAG_USABLE), "lifecycles: usable flag"
        assert ((recalled >> following) & 1) * FLAG_RECALL == (flags & FLAG_RECALL), "lifecycles: recall flag"
        assert ((rule >> RULE_DUTY) & BYTE) <= MAX_DUTY, "lifecycles: duty out of range"
        assert ((rule >> RULE_DIFFERS) & BYTE) < 2 ** (MAX_DUTY + 1), "lifecycles: duty out of range"
        approvals: uint256 = (rule >> RULE_APPROVALS) & BYTE
        differs: uint256 = (rule >> RULE_APPROVER_DIFFERS) & BYTE
        roles: uint256 = (rule >> RULE_APPROVER_ROLES) & STATES_MASK
        # Nobody can approve what does not exist yet, and without approvals the rest means nothing.
        assert approvals <= MAX_APPROVALS and (approvals == 0 or state != 0), "lifecycles: approvals"
        assert (approvals == 0) == (roles == 0), "lifecycles: approvals"
        assert differs == 0 or approvals != 0, "lifecycles: approvals"
        assert differs < 2 ** (MAX_DUTY + 1), "lifecycles: duty out of range"
        at: uint256 = (number << 16) | (state << 8) | action
        assert self.rules[at] == 0, "lifecycles: ambiguous"
        self.rules[at] = rule
    self.lifecycle_count = number
    self.tables[number] = properties
    self.numbers[lifecycle] = number
    log LifecycleAdmitted(
        number=number, lifecycle=lifecycle, properties=properties, document=document, rules=rules
    )

# --- reading ----------------------------------------------------------------------------------

@external
@view
def lifecycle(number: uint256) -> uint256:
    """
    @notice The property word of a lifecycle, 0 if there is none of that number.
    """
    return self.tables[number]


@external
@view
def lifecycle_number(lifecycle: bytes32) -> uint256:
    """
    @notice The number of the lifecycle with this id, 0 if it was not admitted.
    """
    return self.numbers[lifecycle]


@external
@view
def rule(number: uint16, state: uint8, action: uint8) -> uint256:
    """
    @notice The rule word of a transition, 0 if there is no such transition.
    """
    at: uint256 = (convert(number, uint256) << 16) | (convert(state, uint256) << 8)
    return self.rules[at | convert(action, uint256)]
