// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./StepRules.sol";

// The rules of members, keys and proposals, written from docs/contracts.md and docs/contracts-governance.md.
abstract contract MemberRules is StepRules {
    event OrganisationAdmitted(uint256 indexed organisation, uint256 roles, bytes32 profile);
    event ThresholdSet(uint256 threshold);
    event KeyAdded(uint256 indexed organisation, address indexed key, uint256 scope, uint256 expires);
    event KeyRevoked(uint256 indexed organisation, address indexed key, uint256 compromised_since);
    event GovernanceSet(uint256 lifetime, uint256 delay, uint256 recovery_delay);
    event ProposalMade(uint256 indexed number, uint256 indexed actor, uint256 kind, uint256 organisation, uint256 setting, address key, bytes32 profile);
    event VoteCast(uint256 indexed number, uint256 indexed actor);
    event ProposalExecuted(uint256 indexed number, uint256 indexed actor);
    event ProposalCancelled(uint256 indexed number, uint256 indexed actor);
    event OrganisationRemoved(uint256 indexed organisation, uint256 indexed actor);
    event RolesSet(uint256 indexed organisation, uint256 roles);
    event SuccessorNamed(uint256 indexed organisation, uint256 indexed successor);
    event LifecycleAdmitted(uint256 indexed number, bytes32 indexed lifecycle, uint256 properties, bytes32 document, uint256[] rules);

    uint256 internal constant ADMIT = 1;
    uint256 internal constant REMOVE = 2;
    uint256 internal constant SET_ROLES = 3;
    uint256 internal constant SET_THRESHOLD = 4;
    uint256 internal constant ADMIT_LIFECYCLE = 5;
    uint256 internal constant RECOVER = 6;
    uint256 internal constant NAME_SUCCESSOR = 7;

    // --- founding ------------------------------------------------------------------------------------

    function found(Founder[] memory founders, Pace memory pace, Table[] memory tables) internal {
        for (uint256 i = 0; i < founders.length; i++) {
            admit(i + 1, founders[i].roles, founders[i].profile);
            giveKey(i + 1, founders[i].key, 7, 0);
        }
        put(bytes32(where.threshold), pace.threshold);
        emit ThresholdSet(pace.threshold);
        put(bytes32(where.organisationCount), founders.length);
        put(bytes32(where.pace), pace.lifetime | (pace.delay << 40) | (pace.recovery << 80));
        emit GovernanceSet(pace.lifetime, pace.delay, pace.recovery);
        for (uint256 i = 0; i < tables.length; i++) {
            admitTable(tables[i]);
        }
    }

    function admit(uint256 number, uint256 roles, bytes32 profile) private {
        put(place(where.organisations, number), roles | (block.number << 64));
        put(bytes32(where.memberCount), total(where.memberCount) + 1);
        emit OrganisationAdmitted(number, roles, profile);
    }

    function giveKey(uint256 organisation, address key, uint256 scope, uint256 expires) private {
        put(place(where.keys, uint160(key)), organisation | (scope << 16) | (block.number << 24) | (expires << 64));
        countKeys(organisation, part(organisationOf(organisation), 144, 16) + 1);
        emit KeyAdded(organisation, key, scope, expires);
    }

    function countKeys(uint256 organisation, uint256 number) private {
        put(place(where.organisations, organisation), with(organisationOf(organisation), 144, 16, number));
    }

    function admitTable(Table memory table) private {
        uint256 number = total(where.lifecycleCount) + 1;
        bytes32 id = keccak256(abi.encode(table.properties, table.document, table.rules));
        put(bytes32(where.lifecycleCount), number);
        put(place(where.tables, number), table.properties);
        put(place(where.numbers, uint256(id)), number);
        for (uint256 i = 0; i < table.rules.length; i++) {
            uint256 rule = table.rules[i];
            put(place(where.rules, (number << 16) | (part(rule, 216, 8) << 8) | part(rule, 224, 8)), rule);
        }
        emit LifecycleAdmitted(number, id, table.properties, table.document, table.rules);
    }

    // --- keys ------------------------------------------------------------------------------------------

    // `consented`: whether the new key signed for this organisation, scope and end, on this chain.
    function addKey(address caller, address key, uint256 scope, uint256 expires, bool consented) internal returns (uint256) {
        uint256 reason = refusedFor(caller, GOVERN);
        if (reason != 0) return reason;
        if (scope == 0 || scope > 7) return OUT_OF_RANGE;
        if (expires != 0 && (expires <= block.number || expires >= 2 ** 40)) return OUT_OF_RANGE;
        if (key == address(0) || keyWord(key) != 0) return KEY_IN_USE;
        if (!consented) return CONSENT_INVALID;
        giveKey(part(keyWord(caller), 0, 16), key, scope, expires);
        return 0;
    }

    function revokeKey(address caller, address key, uint256 since) internal returns (uint256) {
        uint256 word = keyWord(key);
        if (word == 0) return UNKNOWN_KEY;
        if (part(word, 104, 40) != 0) return KEY_REVOKED;
        if (caller != key) {
            uint256 reason = refusedFor(caller, GOVERN);
            if (reason != 0) return reason;
            if (part(keyWord(caller), 0, 16) != part(word, 0, 16)) return NOT_YOUR_KEY;
        }
        if (since < part(word, 24, 40) || since > block.number) return OUT_OF_RANGE;
        put(place(where.keys, uint160(key)), with(with(word, 104, 40, block.number), 144, 40, since));
        uint256 organisation = part(word, 0, 16);
        countKeys(organisation, part(organisationOf(organisation), 144, 16) - 1);
        emit KeyRevoked(organisation, key, since);
        return 0;
    }

    // --- proposals ---------------------------------------------------------------------------------------

    function propose(address caller, Change memory change) internal returns (uint256) {
        uint256 reason = refusedFor(caller, GOVERN);
        if (reason == 0) reason = objection(change);
        if (reason != 0) return reason;
        Actor memory actor = actorOf(caller);
        bytes32 slot = place(where.newest, actor.organisation);
        if (closed(proposalWord(get(slot))) == 0) return PROPOSAL_OPEN;
        uint256 number = total(where.proposalCount) + 1;
        uint256 word = change.kind | (actor.organisation << 8) | (block.number << 24) | (1 << 104);
        word |= (epoch() << 120) | (1 << 160) | (change.organisation << 168);
        if (total(where.threshold) == 1) word |= block.number << 64;
        put(bytes32(where.proposalCount), number);
        put(place(where.proposals, number), word);
        put(place(where.digests, number), uint256(digestOf(change)));
        put(slot, number);
        emit ProposalMade(number, actor.word, change.kind, change.organisation, change.setting, change.key, change.profile);
        return 0;
    }

    function vote(address caller, uint256 number) internal returns (uint256) {
        uint256 reason = refusedFor(caller, GOVERN);
        uint256 word = proposalWord(number);
        if (reason == 0) reason = closed(word);
        if (reason != 0) return reason;
        Actor memory actor = actorOf(caller);
        bytes32 slot = place(where.votes, number, actor.organisation);
        if (part(word, 8, 16) == actor.organisation || get(slot) != 0) return VOTED_ALREADY;
        put(slot, 1);
        word = with(word, 104, 16, part(word, 104, 16) + 1);
        if (part(word, 64, 40) == 0 && part(word, 104, 16) >= total(where.threshold)) {
            word = with(word, 64, 40, block.number);
        }
        put(place(where.proposals, number), word);
        emit VoteCast(number, actor.word);
        return 0;
    }

    // What stands against carrying a proposal out now, leaving aside what it would change.
    function untimely(address caller, uint256 number, bytes32 digest) internal view returns (uint256) {
        uint256 reason = refusedFor(caller, GOVERN);
        uint256 word = proposalWord(number);
        if (reason == 0) reason = closed(word);
        if (reason != 0) return reason;
        uint256 passed = part(word, 64, 40);
        if (passed == 0) return VOTES_MISSING;
        if (block.number < passed + delay(word)) return TOO_EARLY;
        return bytes32(get(place(where.digests, number))) == digest ? 0 : PROPOSAL_DIFFERS;
    }

    function execute(address caller, uint256 number, Change memory change, bool consented) internal returns (uint256) {
        uint256 reason = untimely(caller, number, digestOf(change));
        if (reason == 0 && change.kind == ADMIT_LIFECYCLE) reason = OUT_OF_RANGE;
        if (reason == 0) reason = objection(change);
        if (reason == 0 && (change.kind == ADMIT || change.kind == RECOVER) && !consented) reason = CONSENT_INVALID;
        if (reason != 0) return reason;
        uint256 actor = actorOf(caller).word;
        finish(number, actor);
        if (change.kind == ADMIT) {
            uint256 admitted = total(where.organisationCount) + 1;
            put(bytes32(where.organisationCount), admitted);
            admit(admitted, change.setting, change.profile);
            giveKey(admitted, change.key, 7, 0);
        } else if (change.kind == REMOVE) {
            remove(change.organisation, actor);
        } else if (change.kind == SET_ROLES) {
            put(place(where.organisations, change.organisation), with(organisationOf(change.organisation), 0, 64, change.setting));
            emit RolesSet(change.organisation, change.setting);
        } else if (change.kind == SET_THRESHOLD) {
            put(bytes32(where.threshold), change.setting);
            raiseEpoch();
            emit ThresholdSet(change.setting);
        } else if (change.kind == NAME_SUCCESSOR) {
            put(place(where.successors, change.organisation), change.setting);
            emit SuccessorNamed(change.organisation, change.setting);
        } else {
            giveKey(change.organisation, change.key, 7, 0);
        }
        return 0;
    }

    // `admissible`: whether the table keeps the rules of tables, which the caller of this knows.
    function executeLifecycle(address caller, uint256 number, Table memory table, bool admissible) internal returns (uint256) {
        Change memory change = Change(ADMIT_LIFECYCLE, 0, 0, address(0), tableId(table));
        uint256 reason = untimely(caller, number, digestOf(change));
        if (reason != 0) return reason;
        if (!admissible || get(place(where.numbers, uint256(change.profile))) != 0) return LIFECYCLE_INVALID;
        finish(number, actorOf(caller).word);
        admitTable(table);
        return 0;
    }

    function cancel(address caller, uint256 number) internal returns (uint256) {
        uint256 reason = standing(caller);
        uint256 word = proposalWord(number);
        if (reason == 0) reason = closed(word);
        if (reason != 0) return reason;
        Actor memory actor = actorOf(caller);
        if (part(word, 0, 8) != RECOVER || part(word, 168, 16) != actor.organisation) {
            if (part(word, 8, 16) != actor.organisation) return NOT_YOUR_PROPOSAL;
            if (actor.scope & GOVERN == 0) return SCOPE_MISSING;
        }
        put(place(where.proposals, number), with(word, 160, 8, 3));
        emit ProposalCancelled(number, actor.word);
        return 0;
    }

    function depart(address caller) internal returns (uint256) {
        uint256 reason = refusedFor(caller, GOVERN);
        if (reason != 0) return reason;
        if (total(where.memberCount) <= total(where.threshold)) return TOO_FEW_MEMBERS;
        Actor memory actor = actorOf(caller);
        remove(actor.organisation, actor.word);
        return 0;
    }

    function digestOf(Change memory change) internal pure returns (bytes32) {
        return keccak256(abi.encode(change.kind, change.organisation, change.setting, change.key, change.profile));
    }

    function tableId(Table memory table) internal pure returns (bytes32) {
        return keccak256(abi.encode(table.properties, table.document, table.rules));
    }

    // Why a proposal can be neither voted for nor executed nor cancelled; 0 when it is open.
    function closed(uint256 word) internal view returns (uint256) {
        if (word == 0) return UNKNOWN_PROPOSAL;
        if (part(word, 160, 8) != 1) return PROPOSAL_CLOSED;
        uint256 end = part(word, 24, 40) + part(total(where.pace), 0, 40);
        if (part(word, 64, 40) != 0) end += delay(word);
        return block.number >= end || part(word, 120, 40) != epoch() ? PROPOSAL_LAPSED : 0;
    }

    // Why a change cannot be made as things stand, or 0.
    function objection(Change memory c) internal view returns (uint256) {
        if (c.kind == 0 || c.kind > 7) return OUT_OF_RANGE;
        if (c.kind == NAME_SUCCESSOR) {
            if (isMember(c.organisation)) return STILL_A_MEMBER;
            if (organisationOf(c.organisation) == 0 || !isMember(c.setting)) return NOT_A_MEMBER;
            return c.key != address(0) || c.profile != 0 ? OUT_OF_RANGE : 0;
        }
        bool concerning = c.kind == REMOVE || c.kind == SET_ROLES || c.kind == RECOVER;
        bool keyed = c.kind == ADMIT || c.kind == RECOVER;
        if (concerning && !isMember(c.organisation)) return NOT_A_MEMBER;
        if (!concerning && c.organisation != 0) return OUT_OF_RANGE;
        if (keyed && (c.key == address(0) || keyWord(c.key) != 0)) return KEY_IN_USE;
        if (!keyed && c.key != address(0)) return OUT_OF_RANGE;
        if (c.kind == ADMIT || c.kind == SET_ROLES) {
            if (c.setting >> 64 != 0) return OUT_OF_RANGE;
        } else if (c.kind == SET_THRESHOLD) {
            if (c.setting == 0 || c.setting > total(where.memberCount)) return OUT_OF_RANGE;
        } else if (c.setting != 0) {
            return OUT_OF_RANGE;
        }
        if (c.kind == ADMIT_LIFECYCLE) {
            if (c.profile == 0 || get(place(where.numbers, uint256(c.profile))) != 0) return LIFECYCLE_INVALID;
        } else if (c.kind != ADMIT && c.profile != 0) {
            return OUT_OF_RANGE;
        }
        return c.kind == REMOVE && total(where.memberCount) <= total(where.threshold) ? TOO_FEW_MEMBERS : 0;
    }

    function delay(uint256 word) private view returns (uint256) {
        return part(total(where.pace), part(word, 0, 8) == RECOVER ? 80 : 40, 40);
    }

    function epoch() private view returns (uint256) {
        return total(where.pace) >> 120;
    }

    function raiseEpoch() private {
        put(bytes32(where.pace), total(where.pace) + (1 << 120));
    }

    function finish(uint256 number, uint256 actor) private {
        put(place(where.proposals, number), with(proposalWord(number), 160, 8, 2));
        emit ProposalExecuted(number, actor);
    }

    function remove(uint256 organisation, uint256 actor) private {
        put(place(where.organisations, organisation), with(organisationOf(organisation), 104, 40, block.number));
        put(bytes32(where.memberCount), total(where.memberCount) - 1);
        raiseEpoch();
        emit OrganisationRemoved(organisation, actor);
    }
}
