// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Artefacts.sol";

// Somebody who knows nothing but what the contract emits and where it stands, and holds it to the
// invariants (C1 to C14) without the book of rules.
abstract contract Witness {
    bytes32 internal constant REGISTERED = keccak256("Registered(bytes32,bytes32,uint256,uint256,uint256,uint256,bytes32,(bytes32,uint256)[])");
    bytes32 internal constant ACTED = keccak256("Acted(bytes32,bytes32,uint256,uint256,uint256,uint256,bytes32,(bytes32,uint256)[])");
    bytes32 internal constant ACTED_APPROVED = keccak256("ActedApproved(bytes32,bytes32,uint256,uint256,uint256,uint256,bytes32,(bytes32,uint256)[],(uint256,bytes32)[])");
    bytes32 internal constant REFUSED = keccak256("Refused(bytes32,uint256,uint256,uint256)");
    bytes32 internal constant KEY_ADDED = keccak256("KeyAdded(uint256,address,uint256,uint256)");
    bytes32 internal constant KEY_REVOKED_EVENT = keccak256("KeyRevoked(uint256,address,uint256)");
    bytes32 internal constant VOTE_CAST = keccak256("VoteCast(uint256,uint256)");
    bytes32 internal constant PROPOSAL_MADE = keccak256("ProposalMade(uint256,uint256,uint256,uint256,uint256,address,bytes32)");
    bytes32 internal constant PROPOSAL_EXECUTED = keccak256("ProposalExecuted(uint256,uint256)");
    bytes32 internal constant ORGANISATION_ADMITTED = keccak256("OrganisationAdmitted(uint256,uint256,bytes32)");
    bytes32 internal constant ORGANISATION_REMOVED_EVENT = keccak256("OrganisationRemoved(uint256,uint256)");
    bytes32 internal constant THRESHOLD_SET = keccak256("ThresholdSet(uint256)");

    mapping(bytes32 => uint256) private sequences;
    mapping(bytes32 => bytes32) private heads;
    mapping(bytes32 => uint256) private states;
    mapping(bytes32 => uint256) private lifecycles;
    mapping(address => bool) private added;
    mapping(address => bool) private revoked;
    mapping(uint256 => mapping(uint256 => bool)) private spoke;
    mapping(uint256 => uint256[]) private speakers;
    mapping(uint256 => bool) private members;
    // Whose good signatures a call brings.
    mapping(uint256 => mapping(address => bool)) private vouched;
    uint256 private turn;
    uint256 private memberCount;
    uint256 private threshold;

    function witness(Vm.Log memory log, address caller) internal {
        bytes32 kind = log.topics[0];
        if (kind == REGISTERED) witnessRegistration(log, caller);
        else if (kind == ACTED || kind == ACTED_APPROVED) witnessStep(log, caller, kind == ACTED_APPROVED);
        else if (kind == KEY_ADDED) witnessKey(log);
        else if (kind == KEY_REVOKED_EVENT) revoked[address(uint160(uint256(log.topics[2])))] = true;
        else if (kind != REFUSED) witnessDecision(log, caller, kind);
    }

    function vouch(address key) internal {
        vouched[turn][key] = true;
    }

    function nextTurn() internal {
        turn++;
    }

    // C9: at least one member, and a threshold that the members can reach.
    function holdsTogether() internal view returns (bool) {
        return memberCount >= 1 && threshold >= 1 && threshold <= memberCount;
    }

    // C4, C5: only the caller and those who signed speak, with a key that was added and not revoked.
    function witnessActor(bytes32 topic, address caller) private view returns (uint256) {
        address key = address(uint160(uint256(topic)));
        require(key == caller || vouched[turn][key], "C5: an event speaks for somebody else");
        require(added[key] && !revoked[key], "C4: a key acted that may not");
        uint256 organisation = uint256(topic) >> 160;
        require(members[organisation], "C4: an organisation acted that is no member");
        return organisation;
    }

    function witnessRegistration(Vm.Log memory log, address caller) private {
        witnessActor(log.topics[3], caller);
        (uint256 lifecycle, uint256 action, uint256 state, bytes32 record, Input[] memory inputs) =
            abi.decode(log.data, (uint256, uint256, uint256, bytes32, Input[]));
        bytes32 id = log.topics[1];
        require(sequences[id] == 0, "C1: registered twice");
        lifecycles[id] = lifecycle;
        heads[id] = id;
        follow(log, 1, action, state, record, fold(0, inputs));
    }

    function witnessStep(Vm.Log memory log, address caller, bool approved) private {
        uint256 organisation = witnessActor(log.topics[3], caller);
        require(organisation != 0, "C4: nobody acted");
        uint256 sequence;
        uint256 action;
        uint256 state;
        bytes32 record;
        Input[] memory inputs;
        bytes32 digest = 0;
        if (approved) {
            Approval[] memory approvals;
            (sequence, action, state, record, inputs, approvals) =
                abi.decode(log.data, (uint256, uint256, uint256, bytes32, Input[], Approval[]));
            uint256 last = 0;
            for (uint256 i = 0; i < approvals.length; i++) {
                uint256 giver = approvals[i].actor >> 160;
                require(giver > last && members[giver], "C14: an approval of nobody, or counted twice");
                require(!revoked[address(uint160(approvals[i].actor))], "C14: an approval by a revoked key");
                last = giver;
                digest = keccak256(abi.encode(digest, approvals[i].actor, approvals[i].record));
            }
        } else {
            (sequence, action, state, record, inputs) =
                abi.decode(log.data, (uint256, uint256, uint256, bytes32, Input[]));
        }
        follow(log, sequence, action, state, record, fold(digest, inputs));
    }

    function fold(bytes32 digest, Input[] memory inputs) private view returns (bytes32) {
        for (uint256 i = 0; i < inputs.length; i++) {
            uint256 reached = sequences[inputs[i].artefact];
            require(inputs[i].sequence >= 1 && inputs[i].sequence <= reached, "C13: derived from what did not happen");
            digest = keccak256(abi.encode(digest, inputs[i].artefact, inputs[i].sequence));
        }
        return digest;
    }

    function follow(Vm.Log memory log, uint256 sequence, uint256 action, uint256 state, bytes32 record, bytes32 digest) private {
        bytes32 id = log.topics[1];
        require(sequence == sequences[id] + 1, "C1: the sequence did not rise by one");
        if (action >= OFFER_CUSTODY) {
            require(action <= SETTLE && state == states[id] && state != 0, "C3: moved by a step that moves nothing");
        } else {
            uint256 rule = ruleFor(lifecycles[id], states[id], action);
            require(rule != 0 && part(rule, 0, 8) == state && state != 0, "C3: no edge of the state graph");
            require(!isTerminal(lifecycles[id], states[id]), "C3: left a terminal state");
        }
        sequences[id] = sequence;
        states[id] = state;
        heads[id] = keccak256(abi.encode(heads[id], sequence, log.topics[3], action, record, log.topics[2], digest));
        (uint256 word, bytes32 head) = standingOf(id);
        // In a batch an artefact may move again; what it says at the end is compared by the book.
        require(part(word, 24, 40) >= sequence, "C1: the sequence is behind its events");
        require(part(word, 24, 40) != sequence || head == heads[id], "C2: the head does not follow from the events");
        require(part(word, 24, 40) != sequence || part(word, 0, 8) == state, "C3: the state is not the one emitted");
    }

    function witnessKey(Vm.Log memory log) private {
        address key = address(uint160(uint256(log.topics[2])));
        require(!added[key], "C7: a key was added twice");
        added[key] = true;
    }

    function witnessDecision(Vm.Log memory log, address caller, bytes32 kind) private {
        if (kind == PROPOSAL_MADE || kind == VOTE_CAST) {
            uint256 organisation = witnessActor(log.topics[2], caller);
            uint256 number = uint256(log.topics[1]);
            require(!spoke[number][organisation], "C9: an organisation counted twice");
            spoke[number][organisation] = true;
            speakers[number].push(organisation);
        } else if (kind == PROPOSAL_EXECUTED) {
            witnessActor(log.topics[2], caller);
            uint256 votes = 0;
            uint256[] storage all = speakers[uint256(log.topics[1])];
            for (uint256 i = 0; i < all.length; i++) {
                if (members[all[i]]) votes++;
            }
            require(votes >= threshold, "C9: carried out without the votes of enough members");
        } else if (kind == ORGANISATION_ADMITTED) {
            members[uint256(log.topics[1])] = true;
            memberCount++;
        } else if (kind == ORGANISATION_REMOVED_EVENT) {
            require(members[uint256(log.topics[1])], "C9: removed who was no member");
            members[uint256(log.topics[1])] = false;
            memberCount--;
        } else if (kind == THRESHOLD_SET) {
            threshold = abi.decode(log.data, (uint256));
        }
    }

    function ruleFor(uint256 lifecycle, uint256 state, uint256 action) internal view virtual returns (uint256);
    function isTerminal(uint256 lifecycle, uint256 state) internal view virtual returns (bool);
    function standingOf(bytes32 id) internal view virtual returns (uint256 word, bytes32 head);
}
