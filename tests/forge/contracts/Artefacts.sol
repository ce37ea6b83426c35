// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The contract under test as its callers see it, and forge's machine as its tests see it.
// tests/forge/test_campaign.py compares this interface with the ABI that is shipped.

struct Input {
    bytes32 artefact;
    uint256 sequence;
}

struct Approval {
    uint256 actor;
    bytes32 record;
}

struct Step {
    bytes32 artefact;
    uint16 lifecycle;
    uint8 action;
    uint256 sequence;
    bytes32 record;
    bytes32 subject;
    uint256 inputs;
}

struct SignedStep {
    bytes32 artefact;
    uint256 lifecycle;
    uint256 action;
    uint256 sequence;
    bytes32 record;
    bytes32 subject;
    uint256 inputs;
    uint256 signer;
    uint256 deadline;
    uint256 v;
    uint256 r;
    uint256 s;
}

struct Anchor {
    bytes32 root;
    uint256 count;
}

struct Founder {
    address key;
    uint256 roles;
    bytes32 profile;
}

struct Pace {
    uint256 threshold;
    uint256 lifetime;
    uint256 delay;
    uint256 recovery;
}

struct Table {
    uint256 properties;
    bytes32 document;
    uint256[] rules;
}

struct Change {
    uint256 kind;
    uint256 organisation;
    uint256 setting;
    address key;
    bytes32 profile;
}

struct Signature {
    uint256 v;
    uint256 r;
    uint256 s;
}

interface Artefacts {
    function register(uint16 lifecycle, uint8 action, bytes32 salt, bytes32 record, bytes32 subject, Input[] calldata inputs) external returns (bytes32);
    function act(bytes32 artefact, uint8 action, uint256 sequence, bytes32 record, bytes32 subject, Input[] calldata inputs) external;
    function approve(bytes32 artefact, uint8 action, uint256 sequence, bytes32 subject, bytes32 record) external;
    function act_for(SignedStep calldata signed, Input[] calldata inputs, Approval[] calldata approvals) external;
    function batch_for(SignedStep[] calldata steps, Input[] calldata inputs, Approval[] calldata approvals) external;
    function approve_for(bytes32 artefact, uint8 action, uint256 sequence, bytes32 subject, bytes32 record, address signer, uint256 deadline, uint256 v, uint256 r, uint256 s) external;
    function anchor(bytes32 root, uint256 count) external;
    function batch(Anchor[] calldata anchors, Step[] calldata steps, Input[] calldata inputs, Approval[] calldata approvals) external;
    function add_key(address key, uint256 scope, uint256 expires, uint256 v, uint256 r, uint256 s) external;
    function revoke_key(address key, uint256 compromised_since) external;
    function propose(uint256 kind, uint256 organisation, uint256 setting, address key, bytes32 profile) external returns (uint256);
    function vote(uint256 number) external;
    function execute(uint256 number, uint256 kind, uint256 organisation, uint256 setting, address key, bytes32 profile, uint256 v, uint256 r, uint256 s) external;
    function execute_lifecycle(uint256 number, uint256 properties, bytes32 document, uint256[] calldata rules) external;
    function cancel(uint256 number) external;
    function leave() external;
}

interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function accesses(address target) external returns (bytes32[] memory reads, bytes32[] memory writes);
    function addr(uint256 privateKey) external pure returns (address);
    function envString(string calldata name) external view returns (string memory);
    function getRecordedLogs() external returns (Log[] memory);
    function load(address target, bytes32 slot) external view returns (bytes32);
    function parseBytes(string calldata text) external pure returns (bytes memory);
    function prank(address sender) external;
    function readFile(string calldata path) external view returns (string memory);
    function record() external;
    function recordLogs() external;
    function roll(uint256 number) external;
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function stopRecord() external;
    function toString(uint256 value) external pure returns (string memory);
    function warp(uint256 time) external;
    function writeLine(string calldata path, string calldata text) external;
}

Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

// What the rules call by name, as docs/contracts.md numbers it.
uint256 constant UNKNOWN_KEY = 1;
uint256 constant KEY_REVOKED = 2;
uint256 constant KEY_EXPIRED = 3;
uint256 constant SCOPE_MISSING = 4;
uint256 constant ORGANISATION_REMOVED = 5;
uint256 constant KEY_IN_USE = 6;
uint256 constant CONSENT_INVALID = 7;
uint256 constant NOT_YOUR_KEY = 8;
uint256 constant OUT_OF_RANGE = 9;
uint256 constant EXISTS = 20;
uint256 constant UNKNOWN_ARTEFACT = 21;
uint256 constant WRONG_SEQUENCE = 22;
uint256 constant NO_TRANSITION = 23;
uint256 constant ROLE_MISSING = 24;
uint256 constant NOT_CUSTODIAN = 25;
uint256 constant DUTY_CONFLICT = 26;
uint256 constant RECORD_MISSING = 27;
uint256 constant SUBJECT_MISSING = 28;
uint256 constant INPUTS_MISSING = 29;
uint256 constant INPUT_UNKNOWN = 30;
uint256 constant INPUT_AHEAD = 31;
uint256 constant INPUT_UNUSABLE = 32;
uint256 constant INPUT_KIND = 33;
uint256 constant EMPTY_ANCHOR = 34;
uint256 constant INPUTS_UNBALANCED = 35;
uint256 constant APPROVALS_MISSING = 36;
uint256 constant APPROVAL_INVALID = 37;
uint256 constant APPROVAL_NOT_ASKED = 38;
uint256 constant APPROVED_ALREADY = 39;
uint256 constant UNKNOWN_PROPOSAL = 40;
uint256 constant PROPOSAL_OPEN = 41;
uint256 constant PROPOSAL_CLOSED = 42;
uint256 constant PROPOSAL_LAPSED = 43;
uint256 constant VOTED_ALREADY = 44;
uint256 constant VOTES_MISSING = 45;
uint256 constant TOO_EARLY = 46;
uint256 constant PROPOSAL_DIFFERS = 47;
uint256 constant NOT_A_MEMBER = 48;
uint256 constant TOO_FEW_MEMBERS = 49;
uint256 constant NOT_YOUR_PROPOSAL = 50;
uint256 constant LIFECYCLE_INVALID = 51;
uint256 constant STILL_A_MEMBER = 52;
uint256 constant NOT_OFFERED = 60;
uint256 constant DISPUTED_ALREADY = 61;
uint256 constant NOT_DISPUTED = 62;
uint256 constant NOT_YOUR_DISPUTE = 63;
uint256 constant INPUTS_NOT_ASKED = 64;
uint256 constant SIGNATURE_MALFORMED = 70;
uint256 constant SIGNATURE_INVALID = 71;
uint256 constant DEADLINE_PASSED = 72;

// Actions that every lifecycle has alike.
uint256 constant OFFER_CUSTODY = 240;
uint256 constant ACCEPT_CUSTODY = 241;
uint256 constant CONTEST = 242;
uint256 constant ANSWER = 243;
uint256 constant SETTLE = 244;

// Which part of a word: `size` bits from bit `first`.
function part(uint256 word, uint256 first, uint256 size) pure returns (uint256) {
    return (word >> first) & ((1 << size) - 1);
}

// The word with that part replaced.
function with(uint256 word, uint256 first, uint256 size, uint256 value) pure returns (uint256) {
    require(value >> size == 0, "a value does not fit its part of the word");
    return (word & ~(((uint256(1) << size) - 1) << first)) | (value << first);
}
