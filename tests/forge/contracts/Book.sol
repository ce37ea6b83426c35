// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Artefacts.sol";

// What the contract's storage should hold, slot by slot. Whoever keeps the book writes here alone, and
// after each call everything the contract wrote and everything the book changed must be the same.
abstract contract Book {
    // Where each part of the storage begins; read from the layout that the compiler reported.
    struct Layout {
        uint256 organisations;
        uint256 keys;
        uint256 memberCount;
        uint256 threshold;
        uint256 rules;
        uint256 tables;
        uint256 numbers;
        uint256 lifecycleCount;
        uint256 artefacts;
        uint256 heads;
        uint256 performed;
        uint256 anchorHeads;
        uint256 pace;
        uint256 organisationCount;
        uint256 proposalCount;
        uint256 proposals;
        uint256 digests;
        uint256 votes;
        uint256 newest;
        uint256 approved;
        uint256 disputes;
        uint256 successors;
    }

    Layout internal where;
    address internal target;
    mapping(bytes32 => bytes32) private slots;
    bytes32[] private changed;

    function place(uint256 map, uint256 key) internal pure returns (bytes32) {
        return keccak256(abi.encode(map, key));
    }

    function place(uint256 map, uint256 key, uint256 second) internal pure returns (bytes32) {
        return keccak256(abi.encode(place(map, key), second));
    }

    function get(bytes32 slot) internal view returns (uint256) {
        return uint256(slots[slot]);
    }

    function put(bytes32 slot, uint256 value) internal {
        slots[slot] = bytes32(value);
        changed.push(slot);
    }

    // C5, C10, C11: not one slot more and not one less was written than the rules say.
    function compareStorage(bytes32[] memory written) internal {
        for (uint256 i = 0; i < written.length; i++) {
            require(vm.load(target, written[i]) == slots[written[i]], "storage: the contract wrote what the rules do not say");
        }
        for (uint256 i = 0; i < changed.length; i++) {
            require(vm.load(target, changed[i]) == slots[changed[i]], "storage: the contract did not write what the rules say");
        }
        delete changed;
    }

    // --- the words by their names ----------------------------------------------------------------

    function organisationOf(uint256 number) internal view returns (uint256) {
        return get(place(where.organisations, number));
    }

    function keyWord(address key) internal view returns (uint256) {
        return get(place(where.keys, uint160(key)));
    }

    function artefactWord(bytes32 id) internal view returns (uint256) {
        return get(place(where.artefacts, uint256(id)));
    }

    function ruleWord(uint256 lifecycle, uint256 state, uint256 action) internal view returns (uint256) {
        return get(place(where.rules, (lifecycle << 16) | (state << 8) | action));
    }

    function kindOf(uint256 lifecycle) internal view returns (uint256) {
        return part(get(place(where.tables, lifecycle)), 0, 32);
    }

    function proposalWord(uint256 number) internal view returns (uint256) {
        return get(place(where.proposals, number));
    }

    function total(uint256 slot) internal view returns (uint256) {
        return get(bytes32(slot));
    }

    function isMember(uint256 number) internal view returns (bool) {
        uint256 word = organisationOf(number);
        return part(word, 64, 40) != 0 && part(word, 104, 40) == 0;
    }
}
