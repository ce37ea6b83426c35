// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Artefacts.sol";
import "./Shipped.sol";

interface Reading {
    function artefact(bytes32 id) external view returns (uint256 word, bytes32 head);
    function key(address key) external view returns (uint256);
    function organisation(uint256 number) external view returns (uint256);
    function member_count() external view returns (uint256);
    function threshold() external view returns (uint256);
    function proposal_count() external view returns (uint256);
    function anchor_head(uint256 organisation) external view returns (bytes32);
    function artefact_id(address creator, bytes32 salt) external view returns (bytes32);
}

interface Symbolic {
    function assume(bool condition) external pure;
    function prank(address sender) external;
    function deal(address who, uint256 balance) external;
}

// Every guard, for all arguments at once: whatever a solver chooses, a call that gets through has met the guard.
// The state is concrete: five founders, one lifecycle, two artefacts (tools/guards.py makes Shipped.sol of it).
contract Guards {
    Symbolic private constant machine = Symbolic(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
    address private target;
    bytes32 private one;
    bytes32 private other;

    function setUp() public {
        bytes memory creation = CREATION;
        address made;
        assembly {
            made := create(0, add(creation, 32), mload(creation))
        }
        require(made != address(0));
        target = made;
        one = begin(ALL_ROLES, bytes32(uint256(1)));
        other = begin(FEW_ROLES, bytes32(uint256(2)));
    }

    function begin(address caller, bytes32 salt) private returns (bytes32) {
        machine.prank(caller);
        return Artefacts(target).register(1, 1, salt, bytes32(uint256(7)), bytes32(uint256(8)), new Input[](0));
    }

    function word(bytes32 id) private view returns (uint256 found) {
        (found, ) = Reading(target).artefact(id);
    }

    function did(address caller, bytes memory call) private returns (bool done) {
        machine.prank(caller);
        (done, ) = target.call(call);
    }

    function isFounder(address caller) private view returns (bool) {
        return Reading(target).key(caller) != 0;
    }

    // --- who may act at all (C4) -----------------------------------------------------------------

    function check_a_stranger_registers_nothing(address caller, uint16 lifecycle, uint8 action, bytes32 salt, bytes32 record, bytes32 subject) public {
        machine.assume(!isFounder(caller));
        assert(!did(caller, abi.encodeCall(Artefacts.register, (lifecycle, action, salt, record, subject, new Input[](0)))));
    }

    function check_a_stranger_moves_nothing(address caller, bytes32 id, uint8 action, uint256 sequence, bytes32 record, bytes32 subject) public {
        machine.assume(!isFounder(caller));
        assert(!did(caller, abi.encodeCall(Artefacts.act, (id, action, sequence, record, subject, new Input[](0)))));
    }

    function check_a_stranger_approves_nothing(address caller, bytes32 id, uint8 action, uint256 sequence, bytes32 subject, bytes32 record) public {
        machine.assume(!isFounder(caller));
        assert(!did(caller, abi.encodeCall(Artefacts.approve, (id, action, sequence, subject, record))));
    }

    function check_a_stranger_anchors_nothing(address caller, bytes32 root, uint256 count) public {
        machine.assume(!isFounder(caller));
        assert(!did(caller, abi.encodeCall(Artefacts.anchor, (root, count))));
    }

    function check_a_stranger_decides_nothing(address caller, uint256 kind, uint256 organisation, uint256 setting, address key, bytes32 profile, uint256 number) public {
        machine.assume(!isFounder(caller));
        assert(!did(caller, abi.encodeCall(Artefacts.propose, (kind, organisation, setting, key, profile))));
        assert(!did(caller, abi.encodeCall(Artefacts.vote, (number))));
        assert(!did(caller, abi.encodeCall(Artefacts.cancel, (number))));
        assert(!did(caller, abi.encodeCall(Artefacts.leave, ())));
    }

    function check_a_stranger_adds_no_key(address caller, address key, uint256 scope, uint256 expires, uint256 v, uint256 r, uint256 s) public {
        machine.assume(!isFounder(caller));
        assert(!did(caller, abi.encodeCall(Artefacts.add_key, (key, scope, expires, v, r, s))));
    }

    function check_only_the_key_or_its_organisation_revokes(address caller, address key, uint256 since) public {
        uint256 owner = Reading(target).key(key) & 0xffff;
        uint256 mine = Reading(target).key(caller) & 0xffff;
        if (did(caller, abi.encodeCall(Artefacts.revoke_key, (key, since)))) {
            assert(owner != 0 && mine == owner && since <= block.number);
        }
    }

    function check_a_revoked_key_is_refused(bytes32 id, uint8 action, uint256 sequence, bytes32 record, bytes32 subject, bytes32 root, uint256 count) public {
        require(did(ALL_ROLES, abi.encodeCall(Artefacts.revoke_key, (ALL_ROLES, block.number))));
        assert(!did(ALL_ROLES, abi.encodeCall(Artefacts.act, (id, action, sequence, record, subject, new Input[](0)))));
        assert(!did(ALL_ROLES, abi.encodeCall(Artefacts.anchor, (root, count))));
        assert(!did(ALL_ROLES, abi.encodeCall(Artefacts.leave, ())));
    }

    // --- what a step may do (C1, C3, C5, C6, C11) ----------------------------------------------------

    function check_a_step_out_of_turn_is_refused(uint8 action, uint256 sequence, bytes32 record, bytes32 subject) public {
        machine.assume(sequence != 2);
        assert(!did(ALL_ROLES, abi.encodeCall(Artefacts.act, (one, action, sequence, record, subject, new Input[](0)))));
    }

    function check_a_step_without_a_record_is_refused(uint8 action, bytes32 subject) public {
        assert(!did(ALL_ROLES, abi.encodeCall(Artefacts.act, (one, action, 2, 0, subject, new Input[](0)))));
    }

    function check_a_step_without_a_rule_is_refused(uint8 action, bytes32 record, bytes32 subject) public {
        machine.assume((RULES >> action) & 1 == 0 && (action < 240 || action > 244));
        assert(!did(ALL_ROLES, abi.encodeCall(Artefacts.act, (one, action, 2, record, subject, new Input[](0)))));
    }

    function check_a_step_of_what_is_unknown_is_refused(bytes32 id, uint8 action, uint256 sequence, bytes32 record, bytes32 subject) public {
        machine.assume(id != one && id != other);
        assert(!did(ALL_ROLES, abi.encodeCall(Artefacts.act, (id, action, sequence, record, subject, new Input[](0)))));
    }

    function check_a_step_rises_by_one_and_touches_no_other_artefact(bytes32 record, bytes32 subject) public {
        (uint256 before, bytes32 head) = Reading(target).artefact(other);
        if (did(ALL_ROLES, abi.encodeCall(Artefacts.act, (one, 3, 2, record, subject, new Input[](0))))) {
            assert(record != 0 && subject != 0 && part(word(one), 24, 40) == 2);
        }
        (uint256 now_, bytes32 headNow) = Reading(target).artefact(other);
        assert(before == now_ && head == headNow);
    }

    function check_only_the_custodian_offers(bytes32 record, bytes32 subject) public {
        assert(!did(FEW_ROLES, abi.encodeCall(Artefacts.act, (one, 240, 2, record, subject, new Input[](0)))));
    }

    function check_nobody_accepts_what_was_not_offered(bytes32 record, bytes32 subject) public {
        assert(!did(FEW_ROLES, abi.encodeCall(Artefacts.act, (one, 241, 2, record, subject, new Input[](0)))));
    }

    function check_an_organisation_without_roles_takes_no_step_of_a_lifecycle(uint8 action, uint256 sequence, bytes32 record, bytes32 subject) public {
        machine.assume(action < 240);
        assert(!did(NO_ROLES, abi.encodeCall(Artefacts.act, (one, action, sequence, record, subject, new Input[](0)))));
    }

    function check_a_registration_has_the_id_of_its_key_and_is_new(uint16 lifecycle, uint8 action, bytes32 salt, bytes32 record, bytes32 subject) public {
        bytes32 id = Reading(target).artefact_id(ALL_ROLES, salt);
        uint256 before = word(id);
        if (did(ALL_ROLES, abi.encodeCall(Artefacts.register, (lifecycle, action, salt, record, subject, new Input[](0))))) {
            assert(before == 0 && part(word(id), 24, 40) == 1 && part(word(id), 104, 16) == 1);
            assert(lifecycle == 1 && record != 0);
        }
    }

    function check_an_input_exists_at_its_sequence(bytes32 id, uint256 sequence, bytes32 salt) public {
        machine.assume(id == one || id == other || word(id) == 0);
        uint256 source = word(id);
        Input[] memory inputs = new Input[](1);
        inputs[0] = Input(id, sequence);
        if (did(ALL_ROLES, abi.encodeCall(Artefacts.register, (1, 2, salt, bytes32(uint256(1)), 0, inputs)))) {
            assert(source != 0 && sequence >= 1 && sequence <= part(source, 24, 40));
        }
    }

    function check_an_anchor_is_not_empty_and_counts_by_one(bytes32 root, uint256 count) public {
        uint256 before = Reading(target).organisation(1);
        if (did(ALL_ROLES, abi.encodeCall(Artefacts.anchor, (root, count)))) {
            assert(root != 0 && count != 0);
            assert(Reading(target).organisation(1) == before + (1 << 160));
        }
    }

    // --- signatures (C7) ---------------------------------------------------------------------------------

    function check_a_consent_has_one_form_and_is_the_keys_own(address key, uint256 scope, uint256 expires, uint256 v, uint256 r, uint256 s) public {
        uint256 before = Reading(target).key(key);
        if (did(ALL_ROLES, abi.encodeCall(Artefacts.add_key, (key, scope, expires, v, r, s)))) {
            assert(before == 0 && key != address(0));
            assert(scope >= 1 && scope <= 7);
            assert(expires == 0 || (expires > block.number && expires < 2 ** 40));
            assert((v == 27 || v == 28) && s <= HALF_ORDER);
        }
    }

    // --- members and votes (C9) ----------------------------------------------------------------------------

    function check_a_proposal_changes_no_member_key_or_threshold(uint256 kind, uint256 organisation, uint256 setting, address key, bytes32 profile) public {
        uint256 members = Reading(target).member_count();
        if (did(ALL_ROLES, abi.encodeCall(Artefacts.propose, (kind, organisation, setting, key, profile)))) {
            assert(kind >= 1 && kind <= 7);
            assert(kind != 4 || (setting >= 1 && setting <= members));
        }
        assert(Reading(target).member_count() == members && Reading(target).threshold() == 2);
    }

    function check_nothing_is_carried_out_without_votes(uint256 kind, uint256 organisation, uint256 setting, address key, bytes32 profile, uint256 number) public {
        did(ALL_ROLES, abi.encodeCall(Artefacts.propose, (4, 0, 3, address(0), 0)));
        assert(!did(ALL_ROLES, abi.encodeCall(Artefacts.execute, (number, kind, organisation, setting, key, profile, 0, 0, 0))));
        assert(Reading(target).threshold() == 2);
    }

    function check_an_organisation_votes_once(uint256 number) public {
        require(did(ALL_ROLES, abi.encodeCall(Artefacts.propose, (4, 0, 3, address(0), 0))));
        assert(!did(ALL_ROLES, abi.encodeCall(Artefacts.vote, (number))));
        if (did(FEW_ROLES, abi.encodeCall(Artefacts.vote, (number)))) {
            assert(number == 1);
            assert(!did(FEW_ROLES, abi.encodeCall(Artefacts.vote, (number))));
        }
    }

    function check_only_the_proposer_withdraws(address caller, uint256 number) public {
        require(did(ALL_ROLES, abi.encodeCall(Artefacts.propose, (4, 0, 3, address(0), 0))));
        if (did(caller, abi.encodeCall(Artefacts.cancel, (number)))) {
            assert(number == 1 && caller == ALL_ROLES);
        }
    }

    // --- ether (C12) -----------------------------------------------------------------------------------------

    function check_no_call_takes_ether(bytes32 a, uint256 b, address c) public {
        assert(!paid(abi.encodeCall(Artefacts.anchor, (a, b))));
        assert(!paid(abi.encodeCall(Artefacts.act, (a, 1, b, a, a, new Input[](0)))));
        assert(!paid(abi.encodeCall(Artefacts.register, (1, 1, a, a, a, new Input[](0)))));
        assert(!paid(abi.encodeCall(Artefacts.approve, (a, 1, b, a, a))));
        assert(!paid(abi.encodeCall(Artefacts.propose, (b, b, b, c, a))));
        assert(!paid(abi.encodeCall(Artefacts.vote, (b))));
        assert(!paid(abi.encodeCall(Artefacts.cancel, (b))));
        assert(!paid(abi.encodeCall(Artefacts.leave, ())));
        assert(!paid(abi.encodeCall(Artefacts.revoke_key, (c, b))));
        assert(!paid(abi.encodeCall(Artefacts.add_key, (c, b, b, b, b, b))));
    }

    function paid(bytes memory call) private returns (bool done) {
        machine.deal(ALL_ROLES, 1 ether);
        machine.prank(ALL_ROLES);
        (done, ) = target.call{value: 1}(call);
    }
}
