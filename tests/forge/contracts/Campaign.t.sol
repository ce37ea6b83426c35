// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./DelegatedPlays.sol";

// Long random stories about the shipped contract. Every call is compared with the rules and watched by the
// witness, in the call itself; what forge asks afterwards is only whether the consortium still stands.
contract Player is DelegatedPlays {
    bytes32[13] private counted = [
        REGISTERED,
        ACTED,
        ACTED_APPROVED,
        keccak256("Approved(bytes32,bytes32,uint256,uint256,uint256,bytes32)"),
        keccak256("Anchored(uint256,bytes32,uint256,uint256)"),
        KEY_ADDED,
        KEY_REVOKED_EVENT,
        PROPOSAL_MADE,
        VOTE_CAST,
        PROPOSAL_EXECUTED,
        keccak256("ProposalCancelled(uint256,uint256)"),
        ORGANISATION_REMOVED_EVENT,
        keccak256("SuccessorNamed(uint256,uint256)")
    ];

    constructor(string memory founding) {
        prepare();
        open(founding);
    }

    function stands() external view returns (bool) {
        return holdsTogether();
    }

    // One line of figures for each story: events, then refusals by their reason.
    function tally() external {
        string memory line = "";
        for (uint256 i = 0; i < counted.length; i++) line = string.concat(line, vm.toString(happened[counted[i]]), " ");
        for (uint256 i = 0; i < refusals.length; i++) line = string.concat(line, vm.toString(refusals[i]), " ");
        vm.writeLine(string.concat(vm.envString("PROML_CAMPAIGN"), "/tally.txt"), line);
    }
}

abstract contract Story {
    Player private player;

    function founding() internal view virtual returns (string memory);

    function setUp() public {
        player = new Player(founding());
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(player);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0].addr = address(player);
        bytes4[] memory plays = new bytes4[](15);
        plays[0] = player.registers.selector;
        plays[1] = player.acts.selector;
        plays[2] = player.approves.selector;
        plays[3] = player.anchors.selector;
        plays[4] = player.batches.selector;
        plays[5] = player.addsKey.selector;
        plays[6] = player.revokesKey.selector;
        plays[7] = player.proposes.selector;
        plays[8] = player.votes.selector;
        plays[9] = player.executes.selector;
        plays[10] = player.cancels.selector;
        plays[11] = player.leaves.selector;
        plays[12] = player.actsFor.selector;
        plays[13] = player.batchesFor.selector;
        plays[14] = player.approvesFor.selector;
        targets[0].selectors = plays;
    }

    function invariant_the_consortium_stands() public view {
        require(player.stands(), "C9: the threshold is out of the members' reach");
    }

    function afterInvariant() public {
        player.tally();
    }
}

// Five organisations decide by two votes, with delays.
contract Quorum is Story {
    function founding() internal pure override returns (string memory) {
        return "quorum.hex";
    }
}

// One vote decides, and at once: keys, members and lifecycles come and go much faster.
contract Haste is Story {
    function founding() internal pure override returns (string memory) {
        return "haste.hex";
    }
}
