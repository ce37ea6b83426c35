// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Book.sol";

// The rules of steps, approvals and anchors, written from docs/contracts.md: what is refused and why, what
// is emitted, what is stored. Emits the very events that the contract should emit.
abstract contract StepRules is Book {
    event Registered(bytes32 indexed artefact, bytes32 indexed subject, uint256 indexed actor, uint256 lifecycle, uint256 action, uint256 state, bytes32 record, Input[] inputs);
    event Acted(bytes32 indexed artefact, bytes32 indexed subject, uint256 indexed actor, uint256 sequence, uint256 action, uint256 state, bytes32 record, Input[] inputs);
    event ActedApproved(bytes32 indexed artefact, bytes32 indexed subject, uint256 indexed actor, uint256 sequence, uint256 action, uint256 state, bytes32 record, Input[] inputs, Approval[] approvals);
    event Approved(bytes32 indexed artefact, bytes32 indexed subject, uint256 indexed actor, uint256 action, uint256 sequence, bytes32 record);
    event Anchored(uint256 indexed actor, bytes32 indexed root, uint256 number, uint256 count);
    event Refused(bytes32 indexed artefact, uint256 indexed actor, uint256 item, uint256 reason);

    uint256 internal constant RECORD = 1;
    uint256 internal constant APPROVE = 2;
    uint256 internal constant GOVERN = 4;

    // A step with all that belongs to it.
    struct Asked {
        Step step;
        Input[] inputs;
        Approval[] approvals;
    }

    struct Actor {
        uint256 word;
        uint256 organisation;
        uint256 roles;
        uint256 scope;
    }

    // --- who ---------------------------------------------------------------------------------------

    // Why a key may not act in this block at all; 0 when it may.
    function standing(address key) internal view returns (uint256) {
        uint256 word = keyWord(key);
        if (part(word, 0, 16) == 0) return UNKNOWN_KEY;
        if (part(word, 104, 40) != 0) return KEY_REVOKED;
        uint256 expires = part(word, 64, 40);
        if (expires != 0 && block.number >= expires) return KEY_EXPIRED;
        if (!isMember(part(word, 0, 16))) return ORGANISATION_REMOVED;
        return 0;
    }

    // The same, for a key that must have a scope.
    function refusedFor(address key, uint256 scope) internal view returns (uint256) {
        uint256 reason = standing(key);
        if (reason != 0) return reason;
        return part(keyWord(key), 16, 8) & scope == 0 ? SCOPE_MISSING : 0;
    }

    function actorOf(address key) internal view returns (Actor memory) {
        uint256 number = part(keyWord(key), 0, 16);
        return Actor({
            word: (number << 160) | uint160(key),
            organisation: number,
            roles: part(organisationOf(number), 0, 64),
            scope: part(keyWord(key), 16, 8)
        });
    }

    function idOf(address creator, bytes32 salt) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, target, creator, salt));
    }

    // --- steps -------------------------------------------------------------------------------------

    function takeStep(Actor memory actor, bytes32 id, Asked memory asked) internal returns (uint256) {
        (uint256 reason, uint256 rule) = judge(actor, id, asked);
        if (reason != 0) return reason;
        uint256 word = artefactWord(id);
        if (rule == 0) return takeAlike(actor, id, word, asked);
        bool isNew = word == 0;
        uint256 lifecycle = isNew ? asked.step.lifecycle : part(word, 8, 16);
        bytes32 head = isNew ? id : bytes32(get(place(where.heads, uint256(id))));
        put(place(where.artefacts, uint256(id)), moved(id, word, actor.organisation, lifecycle, rule));
        put(place(where.heads, uint256(id)), uint256(nextHead(head, actor.word, asked)));
        emitStep(actor.word, id, lifecycle, part(rule, 0, 8), isNew, asked);
        return 0;
    }

    function nextHead(bytes32 head, uint256 actor, Asked memory asked) internal pure returns (bytes32) {
        Step memory s = asked.step;
        return keccak256(abi.encode(head, s.sequence, actor, uint256(s.action), s.record, s.subject, digestOver(asked)));
    }

    // What a step rests on: its approvals, then its inputs.
    function digestOver(Asked memory asked) internal pure returns (bytes32 digest) {
        for (uint256 i = 0; i < asked.approvals.length; i++) {
            digest = keccak256(abi.encode(digest, asked.approvals[i].actor, asked.approvals[i].record));
        }
        for (uint256 i = 0; i < asked.inputs.length; i++) {
            digest = keccak256(abi.encode(digest, asked.inputs[i].artefact, asked.inputs[i].sequence));
        }
    }

    function emitStep(uint256 actor, bytes32 id, uint256 lifecycle, uint256 state, bool isNew, Asked memory asked) private {
        Step memory s = asked.step;
        if (isNew) {
            emit Registered(id, s.subject, actor, lifecycle, s.action, state, s.record, asked.inputs);
        } else if (asked.approvals.length == 0) {
            emit Acted(id, s.subject, actor, s.sequence, s.action, state, s.record, asked.inputs);
        } else {
            emit ActedApproved(id, s.subject, actor, s.sequence, s.action, state, s.record, asked.inputs, asked.approvals);
        }
    }

    // Rules 3 to 11 of core/history.py; the rule word when none speaks against the step.
    function judge(Actor memory actor, bytes32 id, Asked memory asked) internal view returns (uint256, uint256) {
        uint256 word = artefactWord(id);
        uint256 lifecycle = asked.step.lifecycle;
        if (lifecycle != 0) {
            if (word != 0) return (EXISTS, 0);
        } else {
            if (word == 0) return (UNKNOWN_ARTEFACT, 0);
            lifecycle = part(word, 8, 16);
        }
        if (asked.step.sequence != part(word, 24, 40) + 1) return (WRONG_SEQUENCE, 0);
        uint256 rule = ruleWord(lifecycle, part(word, 0, 8), asked.step.action);
        bool alike = asked.step.action >= OFFER_CUSTODY && asked.step.action <= SETTLE;
        if (rule == 0) return (word != 0 && alike ? 0 : NO_TRANSITION, 0);
        uint256 reason = judgeActor(actor, id, word, rule);
        if (reason == 0) reason = judgeContent(asked, rule);
        if (reason == 0) reason = judgeApprovals(id, asked, rule);
        return (reason, rule);
    }

    function judgeActor(Actor memory actor, bytes32 id, uint256 word, uint256 rule) private view returns (uint256) {
        uint256 flags = part(rule, 8, 8);
        if (actor.roles & part(rule, 88, 64) == 0) return ROLE_MISSING;
        if (flags & 16 != 0 && actor.scope & APPROVE == 0) return SCOPE_MISSING;
        if (word == 0) return 0;
        if (flags & 4 != 0 && !keeps(word, actor.organisation)) return NOT_CUSTODIAN;
        if (part(rule, 64, 8) & duties(id, word, actor.organisation) != 0) return DUTY_CONFLICT;
        return 0;
    }

    // --- steps that every lifecycle has --------------------------------------------------------------

    // Whether an organisation is the custodian, or stands in for one that went.
    function keeps(uint256 word, uint256 organisation) internal view returns (bool) {
        uint256 custodian = part(word, 104, 16);
        return custodian == organisation || get(place(where.successors, custodian)) == organisation;
    }

    function takeAlike(Actor memory actor, bytes32 id, uint256 word, Asked memory asked) private returns (uint256) {
        Step memory s = asked.step;
        if (s.record == 0) return RECORD_MISSING;
        if (asked.inputs.length != 0) return INPUTS_NOT_ASKED;
        if (asked.approvals.length != 0) return APPROVAL_INVALID;
        bytes32 dispute = place(where.disputes, uint256(id));
        uint256 reason = judgeAlike(actor, word, s, get(dispute));
        if (reason != 0) return reason;
        if (s.action == OFFER_CUSTODY) word = with(word, 120, 16, uint256(s.subject));
        if (s.action == ACCEPT_CUSTODY) word = with(with(word, 104, 16, actor.organisation), 120, 16, 0);
        if (s.action == CONTEST || s.action == SETTLE) {
            word = with(word, 254, 1, s.action == CONTEST ? 1 : 0);
            put(dispute, s.action == CONTEST ? actor.organisation : 0);
        }
        put(place(where.artefacts, uint256(id)), with(word, 24, 40, s.sequence));
        bytes32 head = bytes32(get(place(where.heads, uint256(id))));
        put(place(where.heads, uint256(id)), uint256(nextHead(head, actor.word, asked)));
        emitStep(actor.word, id, 0, part(word, 0, 8), false, asked);
        return 0;
    }

    function judgeAlike(Actor memory actor, uint256 word, Step memory s, uint256 contester) private view returns (uint256) {
        if (s.action == OFFER_CUSTODY) {
            if (!keeps(word, actor.organisation)) return NOT_CUSTODIAN;
            return s.subject == 0 || isMember(uint256(s.subject)) ? 0 : NOT_A_MEMBER;
        }
        if (s.action == ACCEPT_CUSTODY) return part(word, 120, 16) == actor.organisation ? 0 : NOT_OFFERED;
        if (s.action == CONTEST) return contester == 0 ? 0 : DISPUTED_ALREADY;
        if (contester == 0) return NOT_DISPUTED;
        if (s.action == ANSWER) return keeps(word, actor.organisation) ? 0 : NOT_CUSTODIAN;
        bool referee = part(actor.roles, 5, 1) != 0 && !keeps(word, actor.organisation);
        return contester == actor.organisation || referee ? 0 : NOT_YOUR_DISPUTE;
    }

    function judgeContent(Asked memory asked, uint256 rule) private view returns (uint256) {
        if (asked.step.record == 0) return RECORD_MISSING;
        if (part(rule, 11, 1) != 0 && asked.step.subject == 0) return SUBJECT_MISSING;
        if (asked.inputs.length < part(rule, 16, 8)) return INPUTS_MISSING;
        uint256 kind = part(rule, 24, 32);
        bool found = kind == 0;
        for (uint256 i = 0; i < asked.inputs.length; i++) {
            uint256 other = artefactWord(asked.inputs[i].artefact);
            uint256 sequence = asked.inputs[i].sequence;
            uint256 since = part(other, 64, 40);
            if (other == 0) return INPUT_UNKNOWN;
            if (sequence == 0 || sequence > part(other, 24, 40)) return INPUT_AHEAD;
            if (part(rule, 9, 1) != 0 && (since == 0 || sequence < since)) return INPUT_UNUSABLE;
            if (kindOf(part(other, 8, 16)) == kind) found = true;
        }
        return found ? 0 : INPUT_KIND;
    }

    function judgeApprovals(bytes32 id, Asked memory asked, uint256 rule) private view returns (uint256) {
        uint256 last = 0;
        for (uint256 i = 0; i < asked.approvals.length; i++) {
            Approval memory each = asked.approvals[i];
            uint256 organisation = each.actor >> 160;
            address key = address(uint160(each.actor));
            bool given = get(place(where.approved, approvalPlace(id, asked.step, each.actor, each.record))) != 0;
            if (organisation <= last || !given) return APPROVAL_INVALID;
            if (part(keyWord(key), 104, 40) != 0 || !isMember(organisation)) return APPROVAL_INVALID;
            if (organisationOf(organisation) & part(rule, 152, 64) == 0) return APPROVAL_INVALID;
            last = organisation;
        }
        return asked.approvals.length < part(rule, 72, 8) ? APPROVALS_MISSING : 0;
    }

    function approvalPlace(bytes32 id, Step memory s, uint256 actor, bytes32 record) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(id, uint256(s.action), s.sequence, s.subject, actor, record)));
    }

    // What an organisation did on an artefact: bit 0 created it, bit d performed duty d.
    function duties(bytes32 id, uint256 word, uint256 organisation) internal view returns (uint256 mask) {
        mask = get(place(where.performed, uint256(id), organisation));
        if (part(word, 136, 16) == organisation) mask |= 1;
        for (uint256 duty = 1; duty <= 6; duty++) {
            if (part(word, 152 + 16 * (duty - 1), 16) == organisation) mask |= 1 << duty;
        }
    }

    function moved(bytes32 id, uint256 word, uint256 organisation, uint256 lifecycle, uint256 rule) private returns (uint256) {
        uint256 sequence = part(word, 24, 40) + 1;
        uint256 since = part(word, 64, 40);
        if (word == 0) {
            word = with(with(with(word, 8, 16, lifecycle), 104, 16, organisation), 136, 16, organisation);
        }
        word = with(with(word, 0, 8, part(rule, 0, 8)), 24, 40, sequence);
        word = with(word, 64, 40, part(rule, 8, 1) == 0 ? 0 : (since == 0 ? sequence : since));
        uint256 duty = part(rule, 56, 8);
        if (duty == 0) return word;
        uint256 first = part(word, 152 + 16 * (duty - 1), 16);
        if (first == 0) return with(word, 152 + 16 * (duty - 1), 16, organisation);
        if (first == organisation) return word;
        bytes32 slot = place(where.performed, uint256(id), organisation);
        put(slot, get(slot) | (1 << duty));
        return with(word, 248 + duty - 1, 1, 1);
    }

    // --- approvals and anchors -----------------------------------------------------------------------

    function takeApproval(Actor memory actor, Step memory s) internal returns (uint256) {
        uint256 word = artefactWord(s.artefact);
        if (word == 0) return UNKNOWN_ARTEFACT;
        if (s.sequence != part(word, 24, 40) + 1) return WRONG_SEQUENCE;
        uint256 rule = ruleWord(part(word, 8, 16), part(word, 0, 8), s.action);
        if (rule == 0) return NO_TRANSITION;
        if (part(rule, 72, 8) == 0) return APPROVAL_NOT_ASKED;
        if (actor.roles & part(rule, 152, 64) == 0) return ROLE_MISSING;
        if (part(rule, 80, 8) & duties(s.artefact, word, actor.organisation) != 0) return DUTY_CONFLICT;
        if (s.record == 0) return RECORD_MISSING;
        if (part(rule, 11, 1) != 0 && s.subject == 0) return SUBJECT_MISSING;
        bytes32 slot = place(where.approved, approvalPlace(s.artefact, s, actor.word, s.record));
        if (get(slot) != 0) return APPROVED_ALREADY;
        put(slot, 1);
        emit Approved(s.artefact, s.subject, actor.word, s.action, s.sequence, s.record);
        return 0;
    }

    function takeAnchor(Actor memory actor, Anchor memory asked) internal returns (uint256) {
        if (asked.root == 0 || asked.count == 0) return EMPTY_ANCHOR;
        bytes32 slot = place(where.organisations, actor.organisation);
        uint256 number = part(get(slot), 160, 40) + 1;
        put(slot, with(get(slot), 160, 40, number));
        bytes32 chain = place(where.anchorHeads, actor.organisation);
        put(chain, uint256(keccak256(abi.encode(get(chain), number, actor.word, asked.root, asked.count))));
        emit Anchored(actor.word, asked.root, number, asked.count);
        return 0;
    }
}
