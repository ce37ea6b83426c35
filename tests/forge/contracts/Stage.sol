// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./MemberRules.sol";
import "./Witness.sol";

// The deployed contract, the book of what it should hold and the witness of what it says, side by side.
// A play goes: `begin`, the rules say what should happen, `perform` the call, `settle` compares.
abstract contract Stage is MemberRules, Witness {
    // What tools/campaign.py writes: the shipped creation code with its constructor arguments, and the same
    // arguments for the book.
    struct Founding {
        bytes creation;
        Layout places;
        Founder[] founders;
        Pace pace;
        Table[] tables;
    }

    bytes4 private constant REFUSED_ERROR = bytes4(keccak256("Refused(uint256)"));
    bytes4 private constant TEXT_ERROR = bytes4(keccak256("Error(string)"));

    uint256 private now_ = 100;
    uint256 private random;
    bytes32 private code;
    // How often each thing happened: reasons by their number, events and calls by their name.
    uint256[128] internal refusals;
    mapping(bytes32 => uint256) internal happened;
    bool private done;
    bytes private answer;

    function open(string memory file) internal {
        vm.roll(now_);
        bytes memory content = vm.parseBytes(vm.readFile(string.concat(vm.envString("PROML_CAMPAIGN"), "/", file)));
        Founding memory founding = abi.decode(content, (Founding));
        where = founding.places;
        bytes memory creation = founding.creation;
        address made;
        vm.recordLogs();
        vm.record();
        assembly {
            made := create(0, add(creation, 32), mload(creation))
        }
        vm.stopRecord();
        require(made != address(0), "the contract could not be deployed");
        target = made;
        code = made.codehash;
        found(founding.founders, founding.pace, founding.tables);
        for (uint256 i = 0; i < founding.tables.length; i++) {
            tableAdmitted(i + 1, founding.tables[i]);
        }
        done = true;
        compare(address(0));
    }

    // --- one play ----------------------------------------------------------------------------------

    function begin(uint256 seed) internal {
        random = uint256(keccak256(abi.encode(seed)));
        if (draw(6) == 0) now_ += 1 + draw(4);
        vm.roll(now_);
        vm.warp(1_000_000 + now_ * 60 + draw(60));
        nextTurn();
        vm.recordLogs();
    }

    function perform(address caller, bytes memory call) internal {
        vm.record();
        vm.prank(caller);
        (done, answer) = target.call(call);
        vm.stopRecord();
        happened[bytes4(call)]++;
    }

    // `reason`: why the whole call should have been refused; 0 when it should not.
    function settle(address caller, uint256 reason) internal {
        if (reason == 0) {
            require(done, "refused what the rules allow");
        } else {
            require(!done, "allowed what the rules refuse");
            refusals[reason]++;
            bool hasText = reason == LIFECYCLE_INVALID && bytes4(answer) == TEXT_ERROR;
            require(hasText || keccak256(answer) == keccak256(abi.encodeWithSelector(REFUSED_ERROR, reason)), "refused for another reason");
        }
        compare(caller);
    }

    // C10: what is emitted is what the rules say, and nothing else.
    function compare(address caller) private {
        (, bytes32[] memory written) = vm.accesses(target);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 expected = 0;
        uint256 seen = 0;
        bytes32[] memory digests = new bytes32[](logs.length);
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].emitter == address(this)) digests[expected++] = keccak256(abi.encode(logs[i].topics, logs[i].data));
        }
        for (uint256 i = 0; i < logs.length; i++) {
            // What a call emits before it reverts is recorded all the same.
            if (logs[i].emitter != target || !done) continue;
            require(seen < expected && digests[seen] == keccak256(abi.encode(logs[i].topics, logs[i].data)), "events: the contract emitted what the rules do not say");
            seen++;
            happened[logs[i].topics[0]]++;
            if (logs[i].topics[0] == REFUSED) refusals[part(abi.decode(logs[i].data, (Refusal)).reason, 0, 7)]++;
            witness(logs[i], caller);
        }
        require(seen == expected, "events: the contract did not emit what the rules say");
        compareStorage(written);
        require(holdsTogether(), "C9: the threshold is out of the members' reach");
        require(target.balance == 0 && target.codehash == code, "C12: ether held, or another code");
    }

    struct Refusal {
        uint256 item;
        uint256 reason;
    }

    // --- chance --------------------------------------------------------------------------------------

    function draw(uint256 limit) internal returns (uint256) {
        unchecked {
            // A linear congruential generator (Knuth's MMIX constants); its low bits are poor.
            random = random * 6364136223846793005 + 1442695040888963407;
        }
        return (random >> 96) % limit;
    }

    function drawDigest() internal returns (bytes32) {
        draw(1);
        return keccak256(abi.encode(random));
    }

    function often() internal returns (bool) {
        return draw(5) != 0;
    }

    // --- for the witness -------------------------------------------------------------------------------

    function ruleFor(uint256 lifecycle, uint256 state, uint256 action) internal view override returns (uint256) {
        return uint256(vm.load(target, place(where.rules, (lifecycle << 16) | (state << 8) | action)));
    }

    function isTerminal(uint256 lifecycle, uint256 state) internal view override returns (bool) {
        return part(uint256(vm.load(target, place(where.tables, lifecycle))), 96 + state, 1) != 0;
    }

    function standingOf(bytes32 id) internal view override returns (uint256 word, bytes32 head) {
        word = uint256(vm.load(target, place(where.artefacts, uint256(id))));
        head = vm.load(target, place(where.heads, uint256(id)));
    }

    function tableAdmitted(uint256 number, Table memory table) internal virtual;
}
