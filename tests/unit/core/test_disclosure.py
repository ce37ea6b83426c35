"""Disclosing chosen fields of a record, and nothing else."""

from copy import deepcopy
from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.digest import expand, hexed, unhexed
from proml.core.document import canonical, parse
from proml.core.merkle import leaf_hash, path, root
from proml.core.record import FIELDS, Disclosure, disclose, read_disclosure, seal
from proml.errors import RecordInvalid

KEY = bytes(range(32))


def canary(number: int) -> str:
    return f"canary-{number:02}"


# Every field that may hold a text of one's own holds one that stands nowhere else.
RECORD: dict[str, Any] = {
    "type": "proml/record",
    "version": 1,
    "artefact": "0x" + "c0" * 32,
    "kind": canary(3),
    "name": canary(4),
    "action": canary(5),
    "sequence": 123_456_789,
    "actor": {"organisation": 54_321, "key": "0x" + "c7" * 20},
    "subject": {"sha256": "0x" + "c8" * 32, "name": canary(8)},
    "inputs": [{"sha256": "0x" + "c9" * 32, "part": canary(9)}],
    "activity": {"outcome": canary(10)},
    "parameters": {canary(11): 1},
    "metrics": {"accuracy": 0.123454321},
    "claims": {"note": canary(13)},
    "observations": [{"root": "0x" + "ce" * 32, "count": 987_654_321, "batch": "0x" + "cf" * 32}],
}
# What tells that a field's value is there, by field.
TRACES = {
    "artefact": ["c0" * 32], "kind": [canary(3)], "name": [canary(4)], "action": [canary(5)],
    "sequence": ["123456789"], "actor": ["organisation", "c7" * 20], "subject": ["c8" * 32, canary(8)],
    "inputs": ["c9" * 32, canary(9)], "activity": [canary(10)], "parameters": [canary(11)],
    "metrics": ["0.123454321", "accuracy"], "claims": [canary(13)],
    "observations": ["ce" * 32, "cf" * 32, "987654321"],
}  # fmt: skip
SEALED = seal(RECORD, KEY)
subsets = st.lists(st.sampled_from(FIELDS), unique=True)


@given(subsets)
def test_any_choice_of_fields_is_proven_and_shows_no_byte_of_the_others(names: list[str]) -> None:
    check(names)


def test_every_one_and_two_fields_and_all_but_them_are_proven_alone() -> None:
    for names in chain.from_iterable(combinations(FIELDS, size) for size in (0, 1, 2)):
        check(list(names))
        check([name for name in FIELDS if name not in names])


def check(names: list[str]) -> None:
    content = canonical(disclose(SEALED, names))
    assert read_disclosure(parse(content, "a disclosure"), SEALED.commitment) == Disclosure(
        {name: RECORD[name] for name in names if name in RECORD},
        frozenset(name for name in names if name not in RECORD),
    )
    text = content.decode()
    assert KEY.hex() not in text
    for name in set(FIELDS) - set(names):
        assert expand(KEY, "proml/1/salt", name.encode()).hex() not in text
        for trace in TRACES.get(name, []):
            assert trace not in text


def test_an_absent_field_is_told_from_one_that_was_not_spoken_of() -> None:
    proven = read_disclosure(disclose(SEALED, ["amends", "kind"]), SEALED.commitment)
    assert proven.absent == {"amends"}
    assert proven.shown == {"kind": canary(3)}


def test_a_field_that_is_there_cannot_be_shown_as_absent() -> None:
    document = disclose(SEALED, ["claims"])
    del document["fields"][0]["value"]
    refused(document, "not part of the record")


def test_an_absent_field_cannot_be_given_a_value() -> None:
    document = disclose(SEALED, ["amends"])
    document["fields"][0]["value"] = "0x" + "00" * 32
    refused(document, "not part of the record")


def test_a_value_of_one_field_cannot_be_shown_as_that_of_another() -> None:
    document = disclose(SEALED, ["kind"])
    document["fields"][0]["name"] = "name"
    refused(document, "not part of the record")


def test_a_disclosure_of_one_record_proves_nothing_of_another() -> None:
    other = seal({**RECORD, "sequence": 2}, KEY)
    with pytest.raises(RecordInvalid, match="does not speak of"):
        read_disclosure(disclose(SEALED, ["kind"]), other.commitment)
    renamed = {**disclose(SEALED, ["kind"]), "commitment": hexed(other.commitment)}
    with pytest.raises(RecordInvalid, match="not part of the record"):
        read_disclosure(renamed, other.commitment)


def test_a_name_given_twice_is_shown_once() -> None:
    assert disclose(SEALED, ["kind", "kind"]) == disclose(SEALED, ["kind"])


def test_a_name_that_no_record_has_cannot_be_disclosed() -> None:
    with pytest.raises(RecordInvalid, match="no field 'note'") as problem:
        disclose(SEALED, ["note"])
    assert "artefact" in problem.value.hint


def test_a_malformed_value_is_refused_even_where_its_owner_committed_to_it() -> None:
    # Nobody can seal this with ProML, but an owner may compute such a commitment by other means.
    salts = [expand(KEY, "proml/1/salt", name.encode()) for name in FIELDS]
    leaves = [leaf_hash(salt + canonical([name, None])) for name, salt in zip(FIELDS, salts, strict=True)]
    position = FIELDS.index("metrics")
    siblings = [hexed(sibling) for sibling in path(leaves, position)]
    entry = {"name": "metrics", "salt": hexed(salts[position]), "path": siblings, "value": None}
    document = {
        "type": "proml/disclosure", "version": 1, "commitment": hexed(root(leaves)), "fields": [entry],
    }  # fmt: skip
    with pytest.raises(RecordInvalid, match="'metrics' is not an object"):
        read_disclosure(document, root(leaves))


def test_every_changed_bit_of_a_disclosure_is_refused_or_says_the_same() -> None:
    content = canonical(disclose(SEALED, ["metrics", "amends"]))
    proven = read_disclosure(parse(content, "a disclosure"), SEALED.commitment)
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            try:
                document = parse(bytes(changed), "a disclosure")
                assert read_disclosure(document, SEALED.commitment) == proven
            except RecordInvalid:
                continue


@pytest.mark.parametrize(
    "change",
    [
        {"type": "proml/proof"},
        {"version": 2},
        {"version": True},
        {"commitment": None},
        {"commitment": "0x" + "00" * 32},
        {"fields": None},
        {"fields": {}},
        {"fields": ["kind"]},
        {"fields": [None]},
        {"fields": [{}]},
        {"fields": 7},
        {"note": 1},
    ],
)
def test_what_is_no_disclosure_is_refused(change: dict[str, Any]) -> None:
    refused({**disclose(SEALED, ["kind"]), **change})


@pytest.mark.parametrize(
    "change",
    [
        {"name": "note"},
        {"name": None},
        {"name": ["kind"]},
        {"salt": None},
        {"salt": "0x" + "00" * 31},
        {"path": None},
        {"path": "0x" + "00" * 32},
        {"path": []},
        {"path": [None] * 4},
        {"path": ["0x" + "00" * 32] * 4},
        {"path": ["0x" + "00" * 32] * 5},
        {"path": ["0x" + "00" * 32] * 100_000},
        {"value": "other"},
        {"value": None},
        {"note": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_entry_is_refused(change: dict[str, Any]) -> None:
    document = disclose(SEALED, ["kind"])
    document["fields"][0] |= change
    refused(document)


@pytest.mark.parametrize("member", ["type", "version", "commitment", "fields"])
def test_a_missing_member_is_refused(member: str) -> None:
    document = disclose(SEALED, ["kind"])
    del document[member]
    refused(document)


def test_a_field_shown_twice_is_refused() -> None:
    for name in ("kind", "amends"):
        document = disclose(SEALED, [name])
        document["fields"] *= 2
        refused(document, "twice")


def refused(document: dict[str, Any], words: str = ".") -> None:
    before = deepcopy(document)
    with pytest.raises(RecordInvalid, match=words):
        read_disclosure(document, SEALED.commitment)
    assert document == before


def test_a_salt_that_is_shown_is_not_enough_for_another_field() -> None:
    shown = disclose(SEALED, ["kind"])["fields"][0]
    assert unhexed(shown["salt"]) == expand(KEY, "proml/1/salt", b"kind")
    assert len(shown["path"]) == 4
