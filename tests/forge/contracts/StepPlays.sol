// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./Stage.sol";

// Steps, approvals and anchors at random: mostly what the lifecycles allow, now and then one thing spoiled.
abstract contract StepPlays is Stage {
    struct Way {
        uint16 lifecycle;
        uint8 action;
    }

    struct Given {
        uint8 action;
        uint256 sequence;
        bytes32 subject;
        uint256 actor;
        bytes32 record;
    }

    uint256 private constant KEYS = 20;
    address[] internal pool;
    bytes32[] private ids;
    Way[] private beginnings;
    mapping(uint256 => uint8[]) private actions;
    mapping(bytes32 => Given[]) private givens;
    // What somebody approved a step of, newest last.
    bytes32[] private waiting;

    function prepare() internal {
        for (uint256 i = 1; i <= KEYS; i++) pool.push(vm.addr(i));
    }

    function tableAdmitted(uint256 number, Table memory table) internal override {
        for (uint256 i = 0; i < table.rules.length; i++) {
            uint8 action = uint8(part(table.rules[i], 224, 8));
            uint256 state = part(table.rules[i], 216, 8);
            if (state == 0) beginnings.push(Way(uint16(number), action));
            else actions[(number << 8) | state].push(action);
        }
    }

    // --- plays ---------------------------------------------------------------------------------------

    function registers(uint256 seed) external {
        begin(seed);
        address caller = someone();
        Asked memory asked = beginning(caller);
        asked.step.sequence = 1;
        asked.approvals = new Approval[](0);
        bytes32 id = idOf(caller, asked.step.artefact);
        uint256 reason = refusedFor(caller, RECORD);
        if (asked.step.lifecycle == 0) reason = NO_TRANSITION;
        else if (reason == 0) reason = take(actorOf(caller), id, asked);
        Step memory s = asked.step;
        perform(caller, abi.encodeCall(Artefacts.register, (s.lifecycle, s.action, s.artefact, s.record, s.subject, asked.inputs)));
        settle(caller, reason);
    }

    function acts(uint256 seed) external {
        begin(seed);
        playAct();
    }

    function playAct() internal {
        address caller = someone();
        Asked memory asked = continuation(caller);
        asked.step.lifecycle = 0;
        asked.approvals = new Approval[](0);
        uint256 reason = refusedFor(caller, RECORD);
        if (reason == 0) reason = take(actorOf(caller), asked.step.artefact, asked);
        Step memory s = asked.step;
        perform(caller, abi.encodeCall(Artefacts.act, (s.artefact, s.action, s.sequence, s.record, s.subject, asked.inputs)));
        settle(caller, reason);
    }

    function approves(uint256 seed) external {
        begin(seed);
        address caller = someone();
        Step memory s = approvable(caller);
        uint256 reason = giveApproval(caller, s);
        perform(caller, abi.encodeCall(Artefacts.approve, (s.artefact, s.action, s.sequence, s.subject, s.record)));
        settle(caller, reason);
    }

    function giveApproval(address key, Step memory s) internal returns (uint256 reason) {
        reason = refusedFor(key, APPROVE);
        Actor memory actor = actorOf(key);
        if (reason == 0) reason = takeApproval(actor, s);
        if (reason == 0) {
            givens[s.artefact].push(Given(s.action, s.sequence, s.subject, actor.word, s.record));
            waiting.push(s.artefact);
        }
    }

    function anchors(uint256 seed) external {
        begin(seed);
        address caller = someone();
        Anchor memory asked = someAnchor();
        uint256 reason = refusedFor(caller, RECORD);
        if (reason == 0) reason = takeAnchor(actorOf(caller), asked);
        perform(caller, abi.encodeCall(Artefacts.anchor, (asked.root, asked.count)));
        settle(caller, reason);
    }

    function batches(uint256 seed) external {
        begin(seed);
        address caller = someone();
        uint256 reason = refusedFor(caller, RECORD);
        // Counts that do not add up refuse the whole, so nothing of it may reach the book.
        bool unbalanced = draw(12) == 0;
        if (reason == 0 && unbalanced) reason = INPUTS_UNBALANCED;
        Actor memory actor = actorOf(caller);
        Anchor[] memory roots = new Anchor[](draw(3));
        Asked[] memory all = new Asked[](1 + draw(5));
        for (uint256 i = 0; i < roots.length; i++) {
            roots[i] = someAnchor();
            if (reason == 0) note(roots[i].root, actor.word, i, takeAnchor(actor, roots[i]));
        }
        for (uint256 i = 0; i < all.length; i++) {
            all[i] = ids.length == 0 || draw(4) == 0 ? beginning(caller) : continuation(caller);
            Step memory s = all[i].step;
            bytes32 id = s.lifecycle == 0 ? s.artefact : idOf(caller, s.artefact);
            if (reason == 0) note(id, actor.word, roots.length + i, take(actor, id, all[i]));
        }
        perform(caller, batchCall(roots, all, unbalanced));
        settle(caller, reason);
    }

    function note(bytes32 id, uint256 actor, uint256 item, uint256 reason) internal {
        if (reason != 0) emit Refused(id, actor, item, reason);
    }

    function take(Actor memory actor, bytes32 id, Asked memory asked) internal returns (uint256 reason) {
        reason = takeStep(actor, id, asked);
        if (reason == 0 && asked.step.lifecycle != 0) ids.push(id);
    }

    function batchCall(Anchor[] memory roots, Asked[] memory all, bool unbalanced) private returns (bytes memory) {
        Step[] memory steps = new Step[](all.length);
        for (uint256 i = 0; i < all.length; i++) {
            steps[i] = all[i].step;
            steps[i].inputs = all[i].inputs.length | (all[i].approvals.length << 8);
        }
        (Input[] memory allInputs, Approval[] memory allApprovals) = flattened(all);
        if (unbalanced) {
            // One input or approval too many, in the counts or in the lists.
            uint256 wrong = draw(4);
            if (wrong == 0) steps[0].inputs += 1;
            else if (wrong == 1) steps[0].inputs += 256;
            else if (wrong == 2) allInputs = new Input[](allInputs.length + 1);
            else allApprovals = new Approval[](allApprovals.length + 1);
        }
        return abi.encodeCall(Artefacts.batch, (roots, steps, allInputs, allApprovals));
    }

    // The inputs of all steps one after another, and the approvals.
    function flattened(Asked[] memory all) internal pure returns (Input[] memory, Approval[] memory) {
        uint256 inputs = 0;
        uint256 approvals = 0;
        for (uint256 i = 0; i < all.length; i++) {
            inputs += all[i].inputs.length;
            approvals += all[i].approvals.length;
        }
        Input[] memory allInputs = new Input[](inputs);
        Approval[] memory allApprovals = new Approval[](approvals);
        (inputs, approvals) = (0, 0);
        for (uint256 i = 0; i < all.length; i++) {
            for (uint256 j = 0; j < all[i].inputs.length; j++) allInputs[inputs++] = all[i].inputs[j];
            for (uint256 j = 0; j < all[i].approvals.length; j++) allApprovals[approvals++] = all[i].approvals[j];
        }
        return (allInputs, allApprovals);
    }

    // --- what is asked for -----------------------------------------------------------------------------

    // Founders mostly; the first of them, who has every role, most.
    function someone() internal returns (address) {
        uint256 which = draw(10);
        if (which < 3) return pool[0];
        if (which < 8) return pool[draw(5)];
        return pool[draw(pool.length)];
    }

    function someAnchor() private returns (Anchor memory) {
        return Anchor(draw(9) == 0 ? bytes32(0) : drawDigest(), draw(9) == 0 ? 0 : 1 + draw(1000));
    }

    function rolesOf(address key) private view returns (uint256) {
        return part(organisationOf(part(keyWord(key), 0, 16)), 0, 64);
    }

    function beginning(address caller) internal returns (Asked memory asked) {
        // The first lifecycle is the one in which everything is near.
        Way memory way = beginnings[draw(draw(2) == 0 ? 2 : beginnings.length)];
        for (uint256 tries = 0; tries < 5 && !fits(caller, ruleWord(way.lifecycle, 0, way.action)); tries++) {
            way = beginnings[draw(beginnings.length)];
        }
        // Few salts, so that the same one comes twice.
        bytes32 salt = bytes32(draw(400));
        asked.step = Step(salt, way.lifecycle, way.action, 1, drawDigest(), drawDigest(), 0);
        asked.inputs = inputsFor(ruleWord(way.lifecycle, 0, way.action));
        spoil(asked);
    }

    function continuation(address caller) internal returns (Asked memory asked) {
        if (ids.length == 0) return beginning(caller);
        if (draw(5) == 0) return alike(caller);
        (bytes32 id, uint8 action) = approvedStep();
        for (uint256 tries = 0; tries < 6 && !fits(caller, ruleNow(id, action)); tries++) {
            id = recent();
            action = next(id);
        }
        asked.step = Step(id, 0, action, part(artefactWord(id), 24, 40) + 1, drawDigest(), drawDigest(), 0);
        uint256 rule = ruleNow(id, action);
        if (rule != 0) asked.inputs = inputsFor(rule);
        if (part(rule, 72, 8) != 0) rely(asked);
        spoil(asked);
    }

    // One of the steps that every lifecycle has, mostly one that is due.
    function alike(address caller) private returns (Asked memory asked) {
        uint256 own = part(keyWord(caller), 0, 16);
        bytes32 id = recent();
        for (uint256 tries = 0; tries < 4 && part(artefactWord(id), 120, 16) != own; tries++) id = recent();
        uint256 word = artefactWord(id);
        uint256 action = OFFER_CUSTODY + draw(5);
        if (often()) {
            if (part(word, 120, 16) == own && draw(2) == 0) action = ACCEPT_CUSTODY;
            else if (part(word, 254, 1) == 0) action = draw(2) == 0 ? OFFER_CUSTODY : CONTEST;
            else action = ANSWER + draw(2);
        }
        bytes32 subject = drawDigest();
        if (action == OFFER_CUSTODY && often()) subject = bytes32(draw(total(where.organisationCount) + 1));
        asked.step = Step(id, 0, uint8(action), part(word, 24, 40) + 1, drawDigest(), subject, 0);
        spoil(asked);
    }

    // A step that waits for somebody to take it or for more approvals, or any.
    function approvedStep() private returns (bytes32 id, uint8 action) {
        if (waiting.length == 0 || draw(3) != 0) {
            id = recent();
            return (id, next(id));
        }
        uint256 window = waiting.length < 4 ? waiting.length : 4;
        id = waiting[waiting.length - 1 - draw(window)];
        return (id, givens[id][givens[id].length - 1].action);
    }

    function fits(address caller, uint256 rule) private returns (bool) {
        return rolesOf(caller) & part(rule, 88, 64) != 0 || draw(12) == 0;
    }

    function recent() private returns (bytes32) {
        uint256 window = ids.length < 12 ? ids.length : 12;
        return often() ? ids[ids.length - 1 - draw(window)] : ids[draw(ids.length)];
    }

    function next(bytes32 id) private returns (uint8) {
        uint256 word = artefactWord(id);
        uint8[] storage here = actions[(part(word, 8, 16) << 8) | part(word, 0, 8)];
        return here.length == 0 || draw(20) == 0 ? uint8(draw(256)) : here[draw(here.length)];
    }

    function ruleNow(bytes32 id, uint8 action) private view returns (uint256) {
        uint256 word = artefactWord(id);
        return ruleWord(part(word, 8, 16), part(word, 0, 8), action);
    }

    function inputsFor(uint256 rule) private returns (Input[] memory inputs) {
        if (ids.length == 0) return inputs;
        inputs = new Input[](part(rule, 16, 8) % 4 + (draw(3) == 0 ? draw(3) : 0));
        uint256 kind = part(rule, 24, 32);
        for (uint256 i = 0; i < inputs.length; i++) {
            bytes32 id = recent();
            for (uint256 tries = 0; tries < 6; tries++) {
                uint256 candidate = artefactWord(id);
                if (part(candidate, 64, 40) != 0 && (kind == 0 || kindOf(part(candidate, 8, 16)) == kind)) break;
                id = ids[draw(ids.length)];
            }
            uint256 word = artefactWord(id);
            uint256 reached = part(word, 24, 40);
            uint256 since = part(word, 64, 40);
            if (since == 0 || draw(8) == 0) since = 1;
            inputs[i] = Input(id, since + draw(reached - since + 1));
        }
    }

    // The approvals there are for a step, one of each organisation in ascending order; now and then others.
    function rely(Asked memory asked) private {
        Given[] storage all = givens[asked.step.artefact];
        if (all.length == 0) return;
        uint256[9] memory chosen;
        uint256 count = 0;
        for (uint256 organisation = 1; organisation <= 12 && count < 8; organisation++) {
            for (uint256 i = 0; i < all.length; i++) {
                if (all[i].actor >> 160 != organisation || all[i].action != asked.step.action) continue;
                if (all[i].sequence != asked.step.sequence && draw(4) != 0) continue;
                chosen[count++] = i;
                break;
            }
        }
        if (count == 0) return;
        if (draw(10) == 0) chosen[count++] = chosen[0];
        if (draw(10) == 0) count--;
        asked.approvals = new Approval[](count > 8 ? 8 : count);
        for (uint256 i = 0; i < asked.approvals.length; i++) {
            asked.approvals[i] = Approval(all[chosen[i]].actor, draw(25) == 0 ? drawDigest() : all[chosen[i]].record);
        }
        if (often()) asked.step.subject = all[chosen[0]].subject;
    }

    function approvable(address caller) internal returns (Step memory s) {
        if (ids.length == 0) return Step(drawDigest(), 0, 1, 2, drawDigest(), drawDigest(), 0);
        (bytes32 id, uint8 action) = approvedStep();
        for (uint256 tries = 0; tries < 8; tries++) {
            if (rolesOf(caller) & part(ruleNow(id, action), 152, 64) != 0) break;
            id = recent();
            action = next(id);
        }
        s = Step(id, 0, action, part(artefactWord(id), 24, 40) + 1, bytes32(1 + draw(40)), bytes32(1 + draw(2)), 0);
        uint256 wrong = draw(24);
        if (wrong == 0) s.sequence = draw(4);
        else if (wrong == 1) s.record = 0;
        else if (wrong == 2) s.subject = 0;
        else if (wrong == 3) s.artefact = drawDigest();
    }

    function spoil(Asked memory asked) private {
        uint256 wrong = draw(60);
        Step memory s = asked.step;
        if (wrong == 0) s.sequence += 1;
        else if (wrong == 1) s.sequence -= 1;
        else if (wrong == 2) s.sequence = type(uint256).max;
        else if (wrong == 3) s.action = uint8(draw(256));
        else if (wrong == 4) s.record = 0;
        else if (wrong == 5) s.subject = 0;
        else if (wrong == 6) s.artefact = drawDigest();
        else if (wrong == 7 && ids.length != 0) s.artefact = ids[draw(ids.length)];
        else if (wrong == 8) s.lifecycle = uint16(draw(2) == 0 ? 0 : draw(65536));
        else if (wrong == 9) asked.inputs = new Input[](0);
        else if (wrong == 10) asked.inputs = new Input[](1 + draw(3));
        else if (wrong == 11 && asked.inputs.length != 0) asked.inputs[0].sequence = draw(2) == 0 ? 0 : 2 ** 40;
        else if (wrong == 12 && asked.inputs.length != 0) asked.inputs[asked.inputs.length - 1].artefact = drawDigest();
        else if (wrong == 13) asked.approvals = new Approval[](1 + draw(2));
    }
}
