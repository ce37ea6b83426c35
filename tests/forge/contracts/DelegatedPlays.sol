// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./MemberPlays.sol";

// What some sign and others send, at random.
abstract contract DelegatedPlays is MemberPlays {
    bytes32 private constant STEP_TYPE =
        keccak256("Step(bytes32 artefact,uint256 lifecycle,uint256 action,uint256 sequence,bytes32 record,bytes32 subject,bytes32 inputs,uint256 deadline)");
    bytes32 private constant APPROVAL_TYPE =
        keccak256("Approval(bytes32 artefact,uint256 action,uint256 sequence,bytes32 subject,bytes32 record,uint256 deadline)");

    // A step, what is sent of it, and what is wrong with its signature.
    struct Sent {
        Asked asked;
        SignedStep words;
        uint256 flaw;
    }

    function actsFor(uint256 seed) external {
        begin(seed);
        address sender = someone();
        Sent memory sent = someSent();
        (, uint256 reason) = takeSent(sender, sent);
        perform(sender, abi.encodeCall(Artefacts.act_for, (sent.words, sent.asked.inputs, sent.asked.approvals)));
        settle(sender, reason);
    }

    function batchesFor(uint256 seed) external {
        begin(seed);
        address sender = someone();
        // Counts that do not add up refuse the whole, so nothing of it may reach the book.
        uint256 reason = draw(12) == 0 ? INPUTS_UNBALANCED : 0;
        Sent[] memory all = new Sent[](1 + draw(5));
        for (uint256 i = 0; i < all.length; i++) {
            all[i] = someSent();
            if (reason != 0) continue;
            (uint256 actor, uint256 refusal) = takeSent(sender, all[i]);
            note(idFor(all[i]), actor, i, refusal);
        }
        perform(sender, batchForCall(all, reason != 0));
        settle(sender, reason);
    }

    function approvesFor(uint256 seed) external {
        begin(seed);
        address sender = someone();
        address signer = someone();
        Step memory s = approvable(signer);
        uint256 deadline = someDeadline();
        bytes32 statement =
            keccak256(abi.encode(APPROVAL_TYPE, s.artefact, uint256(s.action), s.sequence, s.subject, s.record, deadline));
        (Signature memory signature, uint256 reason) = signed(signer, statement);
        if (reason == 0 && block.timestamp > deadline) reason = DEADLINE_PASSED;
        if (reason == 0) {
            vouch(signer);
            reason = giveApproval(signer, s);
        }
        perform(
            sender,
            abi.encodeCall(
                Artefacts.approve_for,
                (s.artefact, s.action, s.sequence, s.subject, s.record, signer, deadline, signature.v, signature.r, signature.s)
            )
        );
        settle(sender, reason);
    }

    // The actor that a refusal names, and why the step is refused; 0 when it is taken.
    function takeSent(address sender, Sent memory sent) private returns (uint256, uint256) {
        if (sent.flaw != 0) return (uint160(sender), sent.flaw);
        address signer = address(uint160(sent.words.signer));
        uint256 actor = standing(signer) == 0 ? actorOf(signer).word : uint160(signer);
        if (block.timestamp > sent.words.deadline) return (actor, DEADLINE_PASSED);
        uint256 reason = refusedFor(signer, RECORD);
        if (reason != 0) return (actor, reason);
        vouch(signer);
        return (actor, take(actorOf(signer), idFor(sent), sent.asked));
    }

    function idFor(Sent memory sent) private view returns (bytes32) {
        bytes32 named = sent.words.artefact;
        return sent.words.lifecycle == 0 ? named : idOf(address(uint160(sent.words.signer)), named);
    }

    function batchForCall(Sent[] memory all, bool unbalanced) private returns (bytes memory) {
        Asked[] memory asked = new Asked[](all.length);
        SignedStep[] memory steps = new SignedStep[](all.length);
        for (uint256 i = 0; i < all.length; i++) {
            asked[i] = all[i].asked;
            steps[i] = all[i].words;
            steps[i].inputs = asked[i].inputs.length | (asked[i].approvals.length << 8);
        }
        (Input[] memory inputs, Approval[] memory approvals) = flattened(asked);
        if (unbalanced) {
            uint256 wrong = draw(4);
            if (wrong == 0) steps[0].inputs += 1;
            else if (wrong == 1) steps[0].inputs += 256;
            else if (wrong == 2) inputs = new Input[](inputs.length + 1);
            else approvals = new Approval[](approvals.length + 1);
        }
        return abi.encodeCall(Artefacts.batch_for, (steps, inputs, approvals));
    }

    // --- what is signed ------------------------------------------------------------------------------

    function someSent() private returns (Sent memory sent) {
        address signer = someone();
        sent.asked = draw(4) == 0 ? beginning(signer) : continuation(signer);
        Step memory s = sent.asked.step;
        SignedStep memory w = sent.words;
        (w.artefact, w.lifecycle, w.action, w.sequence) = (s.artefact, s.lifecycle, s.action, s.sequence);
        (w.record, w.subject, w.signer, w.deadline) = (s.record, s.subject, uint160(signer), someDeadline());
        bytes32 statement = keccak256(
            abi.encode(STEP_TYPE, w.artefact, w.lifecycle, w.action, w.sequence, w.record, w.subject, digestOver(sent.asked), w.deadline)
        );
        Signature memory signature;
        (signature, sent.flaw) = signed(signer, statement);
        (w.v, w.r, w.s) = (signature.v, signature.r, signature.s);
        if (sent.flaw != 0) return sent;
        // Signed, and then changed by whoever sends it.
        uint256 wrong = draw(30);
        if (wrong == 0) w.signer = uint160(pool[draw(pool.length)]);
        else if (wrong == 1) w.record = s.record = drawDigest();
        else if (wrong == 2) w.sequence = s.sequence = w.sequence ^ 1;
        else if (wrong == 3) w.deadline += 1;
        else if (wrong == 4) sent.asked.inputs = new Input[](sent.asked.inputs.length + 1);
        bool changed = wrong < 5 && w.signer != uint160(signer);
        if (changed || (wrong != 0 && wrong < 5)) sent.flaw = SIGNATURE_INVALID;
    }

    function someDeadline() private returns (uint256) {
        if (draw(8) == 0) return block.timestamp - 1;
        return block.timestamp + (draw(3) == 0 ? 0 : draw(1000));
    }

    // A signature of a statement, now and then over something else or in another form (C7).
    function signed(address signer, bytes32 statement) private returns (Signature memory, uint256 flaw) {
        uint256 wrong = draw(24);
        uint256 privateKey = privateKeyOf(signer);
        if (wrong == 0) privateKey = privateKey % pool.length + 1;
        if (wrong == 1) statement = keccak256(abi.encode(statement));
        uint256 chain = wrong == 2 ? block.chainid + 1 : block.chainid;
        bytes32 digest = typed(chain, wrong == 3 ? address(this) : target, statement);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKey, digest);
        if (wrong < 4) flaw = SIGNATURE_INVALID;
        if (wrong == 4) return (Signature(v == 27 ? 28 : 27, uint256(r), uint256(s)), SIGNATURE_INVALID);
        if (wrong == 5) return (Signature(v == 27 ? 28 : 27, uint256(r), ORDER - uint256(s)), SIGNATURE_MALFORMED);
        if (wrong == 6) return (Signature(v - 27, uint256(r), uint256(s)), SIGNATURE_MALFORMED);
        if (wrong == 7) return (Signature(v, 0, uint256(s)), SIGNATURE_MALFORMED);
        if (wrong == 8) return (Signature(v, uint256(r), 0), SIGNATURE_MALFORMED);
        return (Signature(v, uint256(r), uint256(s)), flaw);
    }
}
