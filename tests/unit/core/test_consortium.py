"""Roles, scopes and the packed words of actors, keys and organisations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.consortium import (
    ALL_SCOPES,
    MAX_ROLE_BIT,
    ROLES,
    SCOPES,
    Actor,
    Key,
    Organisation,
    role_mask,
    role_names,
    scope_names,
)
from proml.core.refusal import Reason
from proml.errors import UsageProblem

blocks = st.integers(0, 2**40 - 1)


@given(st.integers(0, 2**64 - 1))
def test_a_role_mask_comes_back_from_its_names(mask: int) -> None:
    assert role_mask(role_names(mask)) == mask


def test_a_role_has_the_bit_of_its_place_for_ever() -> None:
    # The chain knows bits: a name that moves gives somebody else's rights away.
    assert ROLES[:7] == (
        "operator", "data_admin", "labeller", "developer", "verifier", "auditor", "approver",
    )  # fmt: skip
    assert [role_mask([name]) for name in ROLES] == [1 << bit for bit in range(len(ROLES))]


def test_a_bit_may_be_written_as_a_number_whether_it_has_a_name_or_not() -> None:
    # A file written before a bit got its name must still mean the same.
    assert role_mask(["role-0"]) == role_mask(["operator"])
    assert role_mask(["role-12", "role-63"]) == 1 << 12 | 1 << MAX_ROLE_BIT
    assert role_names(1 << 12 | 1) == ("operator", "role-12")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "author",
        "Operator",
        "role-64",
        "role-012",
        "role-",
        "role--1",
        "role-1 ",
        "role-١٢",
        5,
        None,
        ["x"],
    ],
)
def test_an_unknown_role_is_refused_with_the_known_ones(name: object) -> None:
    with pytest.raises(UsageProblem, match="unknown role") as problem:
        role_mask(["operator", name])
    assert "labeller" in problem.value.hint


def test_scopes_have_names() -> None:
    assert scope_names(ALL_SCOPES) == ("record", "approve", "govern")
    assert scope_names(0) == ()
    assert sum(SCOPES.values()) == ALL_SCOPES


@given(st.integers(0, 2**16 - 1), st.binary(min_size=20, max_size=20))
def test_an_actor_comes_back_from_its_word(organisation: int, key: bytes) -> None:
    actor = Actor(organisation, key)
    assert Actor.from_word(actor.word) == actor
    assert actor.word == organisation << 160 | int.from_bytes(key, "big")


def test_the_parts_of_a_key_word_stand_where_the_contract_has_them() -> None:
    word = Key(0x1111, 0x22, 0x33, expires=0x44, revoked=0x55, compromised_since=0x66).word
    parts = "000000000000000000 0000000066 0000000055 0000000044 0000000033 22 1111"
    assert word == int(parts.replace(" ", ""), 16)


def test_the_parts_of_an_organisation_word_stand_where_the_contract_has_them() -> None:
    organisation = Organisation(9, 0x1111, bytes(32), admitted=0x22, removed=0x33, keys=0x44, anchors=0x55)
    parts = "00000000000000 0000000055 0044 0000000033 0000000022 0000000000001111"
    assert organisation.word == int(parts.replace(" ", ""), 16)
    assert organisation.with_anchor().anchors == 0x56
    assert organisation.anchors == 0x55


def test_a_key_acts_until_the_block_in_which_it_ends() -> None:
    key = Key(1, 7, start=10, expires=20)
    assert [key.refusal(block) for block in (10, 19)] == [None, None]
    assert [key.refusal(block) for block in (20, 10**9)] == [Reason.KEY_EXPIRED] * 2
    revoked = Key(1, 7, start=10, expires=20, revoked=15, compromised_since=12)
    assert revoked.refusal(14) is None
    assert [revoked.refusal(block) for block in (15, 25)] == [Reason.KEY_REVOKED] * 2


def test_what_a_key_signed_between_compromise_and_revocation_is_suspect() -> None:
    key = Key(1, 7, start=10, revoked=15, compromised_since=12)
    assert [block for block in range(10, 18) if key.is_suspect(block)] == [12, 13, 14]
    assert not any(Key(1, 7, start=10).is_suspect(block) for block in range(10, 18))


@given(st.integers(0, 255), blocks, st.integers(0, 2**41))
def test_a_key_in_range_has_a_scope_and_an_end_after_its_start(scope: int, start: int, expires: int) -> None:
    fits = 1 <= scope <= 7 and (expires == 0 or start < expires < 2**40)
    assert Key(1, scope, start, expires).in_range == fits
