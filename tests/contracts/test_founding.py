"""The constructor: what it admits, what it refuses, and that the deployer gets nothing by it."""

from dataclasses import replace

import pytest
from boa.environment import Env

from proml.contracts.abi import deployment, encode_call
from proml.contracts.forms import arrays, selector
from proml.contracts.shipped import artefacts_contract
from proml.core.call import AnchorCall, BatchCall, Founder, RevokeKeyCall, StepCall
from proml.core.digest import ZERO, word
from proml.core.event import GovernanceSet, KeyAdded, LifecycleAdmitted, OrganisationAdmitted, ThresholdSet
from proml.core.history import SharedHistory
from proml.core.lifecycle import Rule, Table
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from tests.contracts.cast import FOUNDERS, KEYS, LIFECYCLES, TABLES, account, address, fresh
from tests.contracts.deployed import Deployed, Reverted, address_number, place
from tests.contracts.side_by_side import SideBySide

DATASET = LIFECYCLES["dataset"].table
DEPLOYER = bytes.fromhex("de" * 20)
RULE = Rule(state=0, action=1, following=1, roles=1)
PLAIN = Table(kind=1, usable=0, terminal=2, recalled=0, document=bytes(32), rules=(RULE,))


def many(count: int) -> list[Founder]:
    return [Founder(address(account(1_000 + i)), i, fresh()) for i in range(count)]


# --- what is admitted -------------------------------------------------------------------------


def test_founding_emits_everything_it_admits_in_order(side: SideBySide) -> None:
    organisations, rest = side.contract.founding[: 2 * len(KEYS)], side.contract.founding[2 * len(KEYS) :]
    for number, (key, founder) in enumerate(zip(KEYS, FOUNDERS, strict=True), start=1):
        admitted, added = organisations[2 * number - 2 : 2 * number]
        assert admitted == OrganisationAdmitted(number, founder.roles, founder.profile)
        assert added == KeyAdded(number, key, 7, 0)
    assert rest[:2] == [ThresholdSet(2), GovernanceSet(50, 3, 10)]
    assert [type(event) for event in rest[2:]] == [LifecycleAdmitted] * len(TABLES)
    assert [event.lifecycle for event in rest[2:]] == [table.id for table in TABLES]
    side.compare_reader()


@pytest.mark.parametrize("count", [1, 32])
def test_one_to_thirty_two_found(env: Env, count: int) -> None:
    founders = many(count)
    side = SideBySide(env, founders, Governance(count), TABLES)
    assert side.call(founders[-1].key, BatchCall(anchors=(AnchorCall(fresh(), 1),)))


def test_a_contract_without_lifecycles_still_anchors(env: Env) -> None:
    side = SideBySide(env, FOUNDERS, Governance(1), ())
    assert side.call(KEYS[0], BatchCall(anchors=(AnchorCall(fresh(), 1),)))


def test_a_table_may_use_every_place_up_to_its_edge(env: Env) -> None:
    first = Rule(state=0, action=239, following=63, roles=1 << 63, usable=True, duty=6, subject=True)
    others = tuple(
        Rule(
            state=63,
            action=number,
            following=63,
            roles=1 << 63,
            usable=True,
            differs=127 if number == 1 else 0,
        )
        for number in range(1, 127)
    )
    last = Rule(state=63, action=239, following=62, roles=1 << 63, recall=True)
    table = Table(2**32 - 1, 1 << 63, 1 << 62, 1 << 62, fresh(), (first, *others, last))
    assert len(table.rules) == 128
    founders = [Founder(KEYS[0], 1 << 63, fresh()), Founder(KEYS[1], 2**64 - 1, fresh())]
    side = SideBySide(env, founders, Governance(2), (table,))
    step = side.make(KEYS[0], StepCall(fresh(), 1, 239, 1, fresh(), fresh()))
    assert side.refusal(KEYS[0], StepCall(step.artefact, 0, 1, 2, fresh(), fresh())) is Reason.DUTY_CONFLICT
    side.make(KEYS[1], StepCall(step.artefact, 0, 1, 2, fresh(), fresh()))
    side.make(KEYS[1], StepCall(step.artefact, 0, 239, 3, fresh(), ZERO))
    side.compare_reader()


def test_what_is_deployed_is_byte_for_byte_what_is_shipped(side: SideBySide) -> None:
    assert side.contract.code == artefacts_contract().runtime


def test_the_deployer_ends_with_no_right(side: SideBySide) -> None:
    key = selector("key(address)") + word(address_number(DEPLOYER))
    assert side.contract.view(key) == bytes(32)
    for call in (
        BatchCall(anchors=(AnchorCall(fresh(), 1),)),
        RevokeKeyCall(KEYS[0], 1),
    ):
        assert side.contract.send(DEPLOYER, encode_call(call)) is Reason.UNKNOWN_KEY


def test_a_deployer_that_is_a_founder_is_one_like_the_others(env: Env) -> None:
    founders = [Founder(DEPLOYER, 0, fresh()), *FOUNDERS]
    side = SideBySide(env, founders, Governance(1), TABLES)
    assert side.contract.slot(place(1, address_number(DEPLOYER))) & 0xFFFF == 1
    assert side.call(DEPLOYER, RevokeKeyCall(KEYS[0], 1)) is Reason.NOT_YOUR_KEY


# --- what is not ------------------------------------------------------------------------------


def refusal(env: Env, founders: list[Founder], rules: int | Governance, tables: tuple[Table, ...]) -> str:
    """The text of the revert; the specification must refuse the same. `rules` may be a threshold."""
    if isinstance(rules, int):
        rules = Governance(rules)
    outcome = Deployed.found(env, founders, rules, tables)
    assert isinstance(outcome, Reverted)
    with pytest.raises(ValueError, match=r"\w"):
        SharedHistory(1, bytes(20)).found(founders, rules, tables, 1)
    return outcome.message


@pytest.mark.parametrize("threshold", [0, 3, 2**255])
def test_a_threshold_out_of_reach_is_refused(env: Env, threshold: int) -> None:
    assert refusal(env, many(2), threshold, TABLES) == "consortium: threshold out of range"


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (Governance(1, lifetime=0), "governance: lifetime out of range"),
        (Governance(1, lifetime=2**32), "governance: lifetime out of range"),
        (Governance(1, delay=2**32), "governance: delay out of range"),
        (Governance(1, recovery_delay=2**32), "governance: delay out of range"),
        (Governance(1, delay=2**256 - 1), "governance: delay out of range"),
    ],
)
def test_a_pace_out_of_range_is_refused(env: Env, rules: Governance, text: str) -> None:
    assert refusal(env, many(1), rules, TABLES) == text


@pytest.mark.parametrize("blocks", [1, 2**32 - 1])
def test_the_shortest_and_the_longest_pace_are_kept(env: Env, blocks: int) -> None:
    rules = Governance(1, blocks, blocks, blocks)
    side = SideBySide(env, FOUNDERS, rules, TABLES)
    assert side.history.pace == GovernanceSet(blocks, blocks, blocks)
    SideBySide(env, FOUNDERS, Governance(1, 1, 0, 0), TABLES)


def test_nobody_founds_nothing(env: Env) -> None:
    assert refusal(env, [], 0, TABLES) == "consortium: no founder"


def test_two_founders_cannot_share_a_key(env: Env) -> None:
    one, two = many(2)
    assert refusal(env, [one, replace(two, key=one.key)], 1, TABLES) == "consortium: key in use"


def test_the_zero_address_founds_nothing(env: Env) -> None:
    (one,) = many(1)
    assert refusal(env, [replace(one, key=bytes(20))], 1, TABLES) == "consortium: zero key"


@pytest.mark.parametrize("roles", [2**64, 2**256 - 1])
def test_roles_beyond_64_bits_are_refused(env: Env, roles: int) -> None:
    (one,) = many(1)
    assert refusal(env, [replace(one, roles=roles)], 1, TABLES) == "consortium: roles out of range"


def test_more_than_thirty_two_founders_are_refused(env: Env) -> None:
    assert refusal(env, many(33), 1, TABLES) == ""


def test_more_than_sixteen_lifecycles_are_refused(env: Env) -> None:
    tables = tuple(replace(PLAIN, kind=kind) for kind in range(1, 18))
    assert refusal(env, many(1), 1, tables) == ""
    assert isinstance(Deployed.found(env, many(1), Governance(1), tables[:16]), Deployed)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (replace(PLAIN, rules=()), "no rule"),
        (replace(PLAIN, rules=(RULE,) * 129), "rules missing"),
        (replace(PLAIN, kind=0), "no kind"),
        (replace(PLAIN, usable=4, recalled=4), "unusable state"),
        (replace(PLAIN, usable=1), "unusable state"),
        (replace(PLAIN, rules=(replace(RULE, state=64),)), "state out of range"),
        (replace(PLAIN, rules=(replace(RULE, following=0),)), "state out of range"),
        (replace(PLAIN, rules=(replace(RULE, following=64),)), "state out of range"),
        (replace(PLAIN, rules=(replace(RULE, action=0),)), "action out of range"),
        (replace(PLAIN, rules=(replace(RULE, action=240),)), "action out of range"),
        (replace(PLAIN, rules=(replace(RULE, action=255),)), "action out of range"),
        (replace(PLAIN, rules=(RULE, replace(RULE, state=1, action=2))), "exit from a terminal state"),
        (replace(PLAIN, terminal=1), "exit from a terminal state"),
        (replace(PLAIN, usable=2), "usable flag"),
        (replace(PLAIN, rules=(replace(RULE, usable=True),)), "usable flag"),
        (replace(PLAIN, recalled=2), "recall flag"),
        (replace(PLAIN, rules=(replace(RULE, recall=True),)), "recall flag"),
        (replace(PLAIN, rules=(replace(RULE, duty=7),)), "duty out of range"),
        (replace(PLAIN, rules=(replace(RULE, differs=128),)), "duty out of range"),
        (replace(PLAIN, rules=(RULE, replace(RULE, following=2, roles=2))), "ambiguous"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_table_that_contradicts_itself_is_refused(env: Env, table: Table, text: str) -> None:
    assert refusal(env, many(1), 1, (DATASET, table)) == f"lifecycles: {text}"


def test_the_same_lifecycle_is_admitted_once(env: Env) -> None:
    assert refusal(env, many(1), 1, (DATASET, PLAIN, DATASET)) == "lifecycles: admitted already"


@pytest.mark.parametrize(
    ("bit", "text"),
    [
        (8 + 6, "reserved bits"),
        (8 + 7, "reserved bits"),
        (72, "approvals"),
        (79, "approvals"),
        (80, "approvals"),
        (87, "approvals"),
        (152, "approvals"),
        (215, "approvals"),
        (232, "reserved bits"),
        (255, "reserved bits"),
    ],
)
def test_a_rule_that_asks_for_what_is_not_enforced_is_refused(env: Env, bit: int, text: str) -> None:
    """Half of what approvals need is no rule either, and nothing is approved before it exists."""
    creation = bytearray(deployment(artefacts_contract().bytecode, many(1), Governance(1), [PLAIN]))
    creation[-32:] = word(RULE.word | 1 << bit)
    outcome = Deployed.create(env, bytes(creation))
    assert isinstance(outcome, Reverted)
    assert outcome.message == f"lifecycles: {text}"


APPROVED = Rule(state=1, action=2, following=1, roles=1, approvals=2, approver_roles=1, approver_differs=1)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"approvals": 0}, "approvals"),
        ({"approvals": 9}, "approvals"),
        ({"approvals": 255}, "approvals"),
        ({"approver_roles": 0}, "approvals"),
        ({"approvals": 0, "approver_roles": 0}, "approvals"),
        ({"state": 0, "action": 3}, "approvals"),
        ({"approver_differs": 128}, "duty out of range"),
    ],
)
def test_approvals_that_make_no_sense_are_refused(env: Env, changed: dict[str, int], text: str) -> None:
    open_ended = replace(PLAIN, terminal=0)
    table = replace(open_ended, rules=(RULE, replace(APPROVED, **changed)))
    assert refusal(env, many(1), 1, (table,)) == f"lifecycles: {text}"
    SideBySide(env, many(1), Governance(1), (replace(open_ended, rules=(RULE, APPROVED)),))
    most = replace(APPROVED, approvals=8, approver_roles=2**64 - 1, approver_differs=127)
    SideBySide(env, many(1), Governance(1), (replace(open_ended, rules=(RULE, most)),))


@pytest.mark.parametrize("bit", [224, 255])
def test_a_property_word_with_reserved_bits_is_refused(env: Env, bit: int) -> None:
    outcome = Deployed.create(env, creation(rules=[RULE.word], properties=PLAIN.properties | 1 << bit))
    assert isinstance(outcome, Reverted)
    assert outcome.message == "lifecycles: reserved bits"


def test_rules_that_belong_to_no_table_are_refused(env: Env) -> None:
    other = replace(RULE, action=2).word
    outcome = Deployed.create(env, creation(rules=[RULE.word, other], claimed=1))
    assert isinstance(outcome, Reverted)
    assert outcome.message == "lifecycles: rules left over"
    assert isinstance(Deployed.create(env, creation(rules=[RULE.word, other], claimed=2)), Deployed)


@pytest.mark.parametrize("claimed", [2, 129, 2**255, 2**256 - 1])
def test_a_table_that_claims_rules_that_are_not_there_is_refused(env: Env, claimed: int) -> None:
    outcome = Deployed.create(env, creation(rules=[RULE.word], claimed=claimed))
    assert isinstance(outcome, Reverted)
    assert outcome.message == "lifecycles: rules missing"


def test_ether_sent_along_is_refused(env: Env) -> None:
    env.set_balance("0x" + DEPLOYER.hex(), 10)
    bytecode = deployment(artefacts_contract().bytecode, FOUNDERS, Governance(1), TABLES)
    _, computation = env.deploy(sender="0x" + DEPLOYER.hex(), bytecode=bytecode, value=1)
    assert computation.is_error


def creation(rules: list[int], claimed: int = 1, properties: int = PLAIN.properties) -> bytes:
    """Creation data with one founder and one table, whose parts need not fit together."""
    founder = [(address_number(KEYS[0]), 1, fresh())]
    table = [(properties, bytes(32), claimed)]
    three = arrays([], founder, table, [(rule,) for rule in rules])
    # `arrays` puts static words first; the four of the governance stand second, so the offsets move on.
    offsets = [word(int.from_bytes(three[i : i + 32], "big") + 128) for i in (0, 32, 64)]
    head = [offsets[0], word(1), word(1), word(0), word(0), offsets[1], offsets[2]]
    return artefacts_contract().bytecode + b"".join(head) + three[96:]
