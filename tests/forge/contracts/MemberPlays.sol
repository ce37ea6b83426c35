// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "./StepPlays.sol";

// Keys, proposals and votes at random.
abstract contract MemberPlays is StepPlays {
    bytes32 private constant DOMAIN_TYPE = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant CONSENT_TYPE = keccak256("KeyConsent(uint256 organisation,address key,uint256 scope,uint256 expires)");
    uint256 internal constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    Change[] private proposed;
    // Tables that were proposed, by id, and whether they keep the rules of tables.
    mapping(bytes32 => Table) private drafted;
    mapping(bytes32 => bool) private admissible;

    // --- plays ---------------------------------------------------------------------------------------

    function addsKey(uint256 seed) external {
        begin(seed);
        address caller = someone();
        uint256 which = freshKey();
        address key = draw(40) == 0 ? address(0) : pool[which];
        uint256 scope = often() ? 1 + draw(7) : (draw(2) == 0 ? 0 : 8 + draw(250));
        uint256 expires = often() ? 0 : (draw(3) == 0 ? 2 ** 40 - draw(2) : block.number + draw(30));
        uint256 organisation = part(keyWord(caller), 0, 16);
        (Signature memory signature, bool consented) = consent(which + 1, organisation, key, scope, expires);
        uint256 reason = addKey(caller, key, scope, expires, consented);
        perform(caller, abi.encodeCall(Artefacts.add_key, (key, scope, expires, signature.v, signature.r, signature.s)));
        settle(caller, reason);
    }

    function revokesKey(uint256 seed) external {
        begin(seed);
        if (draw(3) == 0) return playAct();
        // Founders' keys go rarely, the first founder's never, or the story would end early.
        address key = draw(12) == 0 ? pool[1 + draw(4)] : pool[5 + draw(pool.length - 5)];
        address caller = draw(4) == 0 ? key : someone();
        uint256 start = part(keyWord(key), 24, 40);
        uint256 since = start + draw(block.number - start + 1);
        uint256 wrong = draw(16);
        if (wrong == 0) since = block.number + 1;
        else if (wrong == 1 && start != 0) since = start - 1;
        uint256 reason = revokeKey(caller, key, since);
        perform(caller, abi.encodeCall(Artefacts.revoke_key, (key, since)));
        settle(caller, reason);
    }

    function proposes(uint256 seed) external {
        begin(seed);
        address caller = someone();
        Change memory change = someChange();
        uint256 reason = propose(caller, change);
        if (reason == 0) proposed.push(change);
        perform(caller, abi.encodeCall(Artefacts.propose, (change.kind, change.organisation, change.setting, change.key, change.profile)));
        settle(caller, reason);
    }

    function votes(uint256 seed) external {
        begin(seed);
        address caller = someone();
        uint256 number = someProposal();
        uint256 reason = vote(caller, number);
        perform(caller, abi.encodeCall(Artefacts.vote, (number)));
        settle(caller, reason);
    }

    function executes(uint256 seed) external {
        begin(seed);
        address caller = someone();
        uint256 number = someProposal();
        Change memory change;
        if (number >= 1 && number <= proposed.length) change = proposed[number - 1];
        if (change.kind == ADMIT_LIFECYCLE && draw(12) != 0) return executesLifecycle(caller, number, change.profile);
        if (draw(12) == 0) change.setting += 1;
        uint256 named = change.kind == ADMIT ? 0 : change.organisation;
        (Signature memory signature, bool consented) = consent(privateKeyOf(change.key), named, change.key, 7, 0);
        uint256 reason = execute(caller, number, change, consented);
        perform(
            caller,
            abi.encodeCall(
                Artefacts.execute,
                (number, change.kind, change.organisation, change.setting, change.key, change.profile, signature.v, signature.r, signature.s)
            )
        );
        settle(caller, reason);
    }

    function executesLifecycle(address caller, uint256 number, bytes32 id) private {
        Table memory table = drafted[id];
        if (draw(15) == 0) table.document = drawDigest();
        uint256 reason = executeLifecycle(caller, number, table, admissible[id]);
        if (reason == 0) tableAdmitted(total(where.lifecycleCount), table);
        perform(caller, abi.encodeCall(Artefacts.execute_lifecycle, (number, table.properties, table.document, table.rules)));
        settle(caller, reason);
    }

    function cancels(uint256 seed) external {
        begin(seed);
        address caller = someone();
        uint256 number = someProposal();
        uint256 reason = cancel(caller, number);
        perform(caller, abi.encodeCall(Artefacts.cancel, (number)));
        settle(caller, reason);
    }

    function leaves(uint256 seed) external {
        begin(seed);
        // Rarely, or nobody is left to play.
        if (draw(12) != 0) return playAct();
        address caller = pool[draw(6) == 0 ? 1 + draw(4) : 5 + draw(pool.length - 5)];
        uint256 reason = depart(caller);
        perform(caller, abi.encodeCall(Artefacts.leave, ()));
        settle(caller, reason);
    }

    // --- what is asked for -----------------------------------------------------------------------------

    // Index of a key that belongs to nobody, mostly.
    function freshKey() private returns (uint256 which) {
        which = draw(pool.length);
        for (uint256 tries = 0; tries < 6 && keyWord(pool[which]) != 0 && draw(20) != 0; tries++) {
            which = draw(pool.length);
        }
    }

    function privateKeyOf(address key) internal view returns (uint256) {
        for (uint256 i = 0; i < pool.length; i++) {
            if (pool[i] == key) return i + 1;
        }
        return 1;
    }

    // A signature of the new key's consent, now and then over something else or in another form (C7).
    function consent(uint256 privateKey, uint256 organisation, address key, uint256 scope, uint256 expires)
        private
        returns (Signature memory, bool good)
    {
        uint256 wrong = draw(24);
        good = wrong >= 9 && key != address(0);
        if (wrong == 2) organisation += 1;
        if (wrong == 3) scope ^= 1;
        if (wrong == 4) expires += 1;
        bytes32 statement = keccak256(abi.encode(CONSENT_TYPE, organisation, key, scope, expires));
        if (wrong == 5) privateKey = privateKey % pool.length + 1;
        uint256 chain = wrong == 0 ? block.chainid + 1 : block.chainid;
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKey, typed(chain, wrong == 1 ? address(this) : target, statement));
        if (wrong == 6) return (Signature(v == 27 ? 28 : 27, uint256(r), ORDER - uint256(s)), good);
        if (wrong == 7) return (Signature(v - 27, uint256(r), uint256(s)), good);
        if (wrong == 8) return (Signature(v, 0, 0), good);
        return (Signature(v, uint256(r), uint256(s)), good);
    }

    // The digest of a statement by EIP-712.
    function typed(uint256 chain, address contract_, bytes32 statement) internal pure returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, keccak256("ProML"), keccak256("1"), chain, contract_));
        return keccak256(abi.encodePacked(hex"1901", domain, statement));
    }

    function someProposal() private returns (uint256) {
        uint256 count = proposed.length;
        if (count == 0 || draw(25) == 0) return draw(4) == 0 ? type(uint256).max : draw(3);
        uint256 window = count < 5 ? count : 5;
        uint256 number = count - draw(window);
        for (uint256 tries = 0; tries < 4 && closed(proposalWord(number)) != 0; tries++) number = count - draw(window);
        return number;
    }

    function someChange() private returns (Change memory c) {
        uint256 organisation = 1 + draw(total(where.organisationCount));
        c.kind = 1 + draw(7);
        if (c.kind == REMOVE && draw(3) != 0) c.kind = ADMIT;
        if (c.kind == REMOVE || c.kind == SET_ROLES || c.kind == RECOVER) c.organisation = organisation;
        if (c.kind == REMOVE && organisation == 1) c.organisation = 5;
        if (c.kind == NAME_SUCCESSOR) {
            c.setting = 1 + draw(total(where.organisationCount));
            for (uint256 tries = 0; tries < 12 && isMember(organisation); tries++) {
                organisation = 1 + draw(total(where.organisationCount));
            }
            c.organisation = organisation;
        }
        if (c.kind == ADMIT || c.kind == RECOVER) c.key = pool[freshKey()];
        if (c.kind == ADMIT || c.kind == SET_ROLES) c.setting = draw(3) == 0 ? draw(2 ** 64) : 2 ** 64 - 1;
        if (c.kind == SET_ROLES && draw(8) == 0) c.setting = 0;
        if (c.kind == SET_THRESHOLD) c.setting = 1 + draw(total(where.memberCount) < 3 ? total(where.memberCount) : 3);
        // Sometimes all decide together, and then nobody can go.
        if (c.kind == SET_THRESHOLD && draw(6) == 0) c.setting = total(where.memberCount);
        if (c.kind == ADMIT) c.profile = drawDigest();
        if (c.kind == ADMIT_LIFECYCLE) c.profile = someTable();
        uint256 wrong = draw(80);
        if (wrong == 0) c.kind = 0;
        else if (wrong == 1) c.kind = 8 + draw(300);
        else if (wrong == 2) c.organisation = draw(2) == 0 ? 99 : 2 ** 16 + 1;
        else if (wrong == 3) c.setting = 2 ** 64;
        else if (wrong == 4) c.setting = total(where.memberCount) + 1;
        else if (wrong == 5) c.setting = 0;
        else if (wrong == 6) c.key = address(0);
        else if (wrong == 7) c.key = pool[0];
        else if (wrong == 8) c.profile = 0;
        else if (wrong == 9) c.profile = drawDigest();
    }

    // Drafts a lifecycle of four states with at least one way in; every third breaks one rule of tables.
    function someTable() private returns (bytes32 id) {
        uint256 usable = draw(8) << 1;
        uint256 recalled = (draw(16) << 1) & ~usable & (1 << (1 + draw(4)));
        uint256 terminal = draw(2) << 4;
        Table memory table;
        table.properties = (1 + draw(9)) | (usable << 32) | (terminal << 96) | (recalled << 160);
        table.document = drawDigest();
        table.rules = new uint256[](5);
        for (uint256 i = 0; i < 5; i++) {
            uint256 state = i < 2 ? 0 : i - 1;
            uint256 following = 1 + draw(4);
            uint256 flags = (draw(16) << 1) | ((usable >> following) & 1) | (((recalled >> following) & 1) << 5);
            uint256 rule = following | (flags << 8) | ((draw(4) == 0 ? 1 : 0) << 16) | (draw(7) << 56);
            rule |= ((draw(3) == 0 ? draw(128) : 0) << 64) | ((2 ** 64 - 1) << 88) | (state << 216) | ((i + 1) << 224);
            if (state != 0 && draw(2) == 0) rule |= ((1 + draw(2)) << 72) | ((draw(2) * draw(128)) << 80) | ((2 ** 64 - 1) << 152);
            table.rules[i] = rule;
        }
        bool good = draw(3) != 0;
        if (!good) spoilTable(table);
        id = tableId(table);
        drafted[id] = table;
        admissible[id] = good;
    }

    function spoilTable(Table memory table) private {
        uint256 wrong = draw(17);
        uint256[] memory rules = table.rules;
        uint256 last = rules[4];
        bool approved = part(last, 72, 8) != 0;
        if (wrong == 0) table.rules = new uint256[](0);
        else if (wrong == 1) table.properties = with(table.properties, 0, 32, 0);
        else if (wrong == 2) table.properties |= 1 << 224;
        else if (wrong == 3) table.properties |= 1 << 32;
        else if (wrong == 4) table.properties |= (1 << 40) | (1 << 168);
        else if (wrong == 5) rules[4] = with(last, 0, 8, 64);
        else if (wrong == 6) rules[4] = with(last, 0, 8, 0);
        else if (wrong == 7) rules[4] = with(last, 224, 8, draw(2) == 0 ? 0 : 240);
        else if (wrong == 8) table.properties |= 1 << (96 + part(last, 216, 8));
        else if (wrong == 9) rules[4] = last ^ (1 << 8);
        else if (wrong == 10) rules[4] = last ^ (1 << 13);
        else if (wrong == 11) rules[4] = with(last, 56, 8, 7);
        else if (wrong == 12) rules[4] = last | (1 << 71);
        else if (wrong == 13) rules[4] = with(last, 152, 64, approved ? 0 : 1);
        else if (wrong == 14) rules[4] = with(with(with(last, 72, 8, draw(2) * 9), 80, 8, 128), 152, 64, 1);
        else if (wrong == 15) rules[4] = last | (1 << (232 + draw(24)));
        else rules[4] = with(with(last, 216, 8, part(rules[3], 216, 8)), 224, 8, part(rules[3], 224, 8));
    }
}
