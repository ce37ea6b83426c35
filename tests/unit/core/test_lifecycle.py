"""Rules and tables in the form the ledger holds them."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.digest import keccak256
from proml.core.lifecycle import MAX_ACTIONS, MAX_DUTIES, MAX_RULES, Rule, Table, admission_problem, kind_tag
from proml.errors import LifecycleInvalid
from proml.lifecycles import shipped

rules = st.builds(
    Rule,
    state=st.integers(0, 255),
    action=st.integers(0, 255),
    following=st.integers(0, 255),
    roles=st.integers(0, 2**64 - 1),
    usable=st.booleans(),
    least_inputs=st.integers(0, 255),
    inputs_usable=st.booleans(),
    input_kind=st.integers(0, 2**32 - 1),
    duty=st.integers(0, 255),
    differs=st.integers(0, 255),
    custodian=st.booleans(),
    subject=st.booleans(),
    approve=st.booleans(),
    recall=st.booleans(),
)

# none -> 1 (usable) -> 2 (recalled, terminal)
REGISTER = Rule(state=0, action=1, following=1, roles=1, usable=True)
RECALL = Rule(state=1, action=2, following=2, roles=1, recall=True)
TABLE = Table(kind_tag("report"), 0b010, 0b100, 0b100, bytes(32), (REGISTER, RECALL))
LARGEST = Rule(
    state=255,
    action=255,
    following=255,
    roles=2**64 - 1,
    least_inputs=255,
    input_kind=2**32 - 1,
    duty=255,
    differs=255,
    approvals=255,
    approver_differs=255,
    approver_roles=2**64 - 1,
    **dict.fromkeys(("usable", "inputs_usable", "custodian", "subject", "approve", "recall"), True),
)


@given(rules)
def test_a_rule_comes_back_from_its_word(rule: Rule) -> None:
    assert Rule.from_word(rule.word) == rule


def test_every_part_of_a_rule_has_its_own_bits() -> None:
    seen = 0
    for part in fields(Rule):
        nothing = Rule(state=0, action=0, following=0, roles=0)
        word = replace(nothing, **{part.name: getattr(LARGEST, part.name)}).word
        assert word
        assert not word & seen
        seen |= word
    assert seen == LARGEST.word


def test_the_places_in_a_rule_word_are_those_of_the_contract() -> None:
    word = Rule(7, 9, 5, 0x1234, True, 3, False, 0xAABBCCDD, 2, 0b101, subject=True).word
    # From the top: reserved, action, state, approver roles, roles, approvals, differs, duty, kind, least,
    # flags, next state.
    parts = "000000 09 07 0000000000000000 0000000000001234 0000 05 02 aabbccdd 03 09 05"
    assert word == int(parts.replace(" ", ""), 16)


# Two flags and the top 24 bits mean nothing.
RESERVED = [*range(14, 16), *range(232, 256)]


@pytest.mark.parametrize("bit", RESERVED)
def test_a_reserved_bit_of_a_rule_is_refused(bit: int) -> None:
    with pytest.raises(LifecycleInvalid, match="reserved"):
        Rule.from_word(LARGEST.word | 1 << bit)
    assert LARGEST.word | sum(1 << each for each in RESERVED) == 2**256 - 1


def test_a_kind_is_known_by_the_first_four_bytes_of_its_hash() -> None:
    assert kind_tag("model") == int.from_bytes(keccak256(b"model")[:4], "big")


@pytest.mark.parametrize("lifecycle", shipped(), ids=lambda lifecycle: lifecycle.kind)
def test_a_table_comes_back_from_its_words(lifecycle: Any) -> None:
    table = lifecycle.table
    words = tuple(rule.word for rule in table.rules)
    assert Table.from_words(table.properties, table.document, words) == table


def test_the_id_is_the_hash_of_the_encoded_table() -> None:
    def word(value: int) -> bytes:
        return value.to_bytes(32, "big")

    encoded = [word(TABLE.properties), bytes(32), word(0x60), word(2), word(REGISTER.word), word(RECALL.word)]
    assert TABLE.id == keccak256(b"".join(encoded))


def test_a_rule_is_found_by_state_and_action() -> None:
    assert TABLE.rule(1, 2) is RECALL
    assert TABLE.rule(1, 1) is None
    assert TABLE.rule(2, 2) is None


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (replace(TABLE, rules=()), "1 to 128 transitions, not 0"),
        (replace(TABLE, rules=(REGISTER,) * (MAX_RULES + 1)), "not 129"),
        (replace(TABLE, kind=0), "kind has no tag"),
        (replace(TABLE, usable=0b011), "cannot be usable"),
        (replace(TABLE, usable=0b110), "cannot be usable"),
        (replace(TABLE, rules=(REGISTER, REGISTER)), "two transitions for 'action-1' in 'state-0'"),
        (replace(TABLE, rules=(REGISTER, replace(RECALL, state=64))), "out of range"),
        (replace(TABLE, rules=(REGISTER, replace(RECALL, following=64))), "out of range"),
        (replace(TABLE, rules=(REGISTER, replace(RECALL, action=0))), "out of range"),
        (replace(TABLE, rules=(REGISTER, replace(RECALL, state=2))), "leaves a terminal state"),
        (replace(TABLE, rules=(REGISTER, replace(REGISTER, state=1, following=0))), "leads back to 'none'"),
        (replace(TABLE, rules=(replace(REGISTER, usable=False),)), "disagrees with the usable states"),
        (replace(TABLE, rules=(replace(RECALL, usable=True),)), "disagrees with the usable states"),
        (replace(TABLE, rules=(replace(REGISTER, recall=True),)), "is a recall exactly when"),
        (replace(TABLE, rules=(replace(RECALL, recall=False),)), "is a recall exactly when"),
        (replace(TABLE, rules=(replace(REGISTER, duty=MAX_DUTIES + 1),)), "duty that does not exist"),
        (replace(TABLE, rules=(replace(REGISTER, differs=1 << MAX_DUTIES + 1),)), "duty that does not exist"),
    ],
)
def test_a_table_the_contracts_do_not_admit_is_refused(table: Table, words: str) -> None:
    assert admission_problem(TABLE) is None
    problem = admission_problem(table)
    assert problem is not None
    assert words in problem
    with pytest.raises(LifecycleInvalid, match=words):
        Table.from_words(table.properties, table.document, tuple(rule.word for rule in table.rules))


@pytest.mark.parametrize("bit", [224, 240, 255])
def test_a_reserved_bit_of_the_properties_is_refused(bit: int) -> None:
    with pytest.raises(LifecycleInvalid, match="reserved"):
        Table.from_words(TABLE.properties | 1 << bit, bytes(32), (REGISTER.word, RECALL.word))


def test_the_bounds_themselves_are_admitted() -> None:
    last = replace(RECALL, action=MAX_ACTIONS, duty=MAX_DUTIES, differs=2 ** (MAX_DUTIES + 1) - 1)
    far = replace(REGISTER, action=3, state=1, following=63, usable=False)
    assert admission_problem(replace(TABLE, rules=(REGISTER, last, far))) is None
