"""Records: their shape, sealing them, and the commitment."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.digest import expand, hexed, sha256
from proml.core.document import CONTENT_DEPTH, MAX_BYTES, canonical
from proml.core.merkle import root
from proml.core.record import (
    FIELDS,
    REQUIRED,
    SealedRecord,
    is_named,
    open_sealed,
    seal,
    subject_commitment,
)
from proml.errors import RecordInvalid

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
DIGEST = "0x" + "5a" * 32

LEAST = {
    "type": "proml/record",
    "version": 1,
    "artefact": "0x" + "11" * 32,
    "kind": "model",
    "action": "propose",
    "sequence": 1,
    "actor": {"organisation": 4, "key": "0x" + "22" * 20},
}
WHOLE = {
    **LEAST,
    "name": "digits classifier",
    "subject": {"name": "model.joblib", "size": 48_213, "sha256": DIGEST, "blake3": DIGEST},
    "inputs": [
        {"artefact": "0x" + "33" * 32, "sequence": 2, "digest": DIGEST, "part": "run"},
        {"name": "notes.txt", "size": 12, "sha256": DIGEST, "part": "notes"},
    ],
    "activity": {
        "start": "2026-01-05T09:30:00.25Z",
        "end": "2026-01-05T09:31:00Z",
        "command": ["train.py", "(2 arguments)"],
        "code": {"commit": "ab" * 20, "dirty": True, "diff": DIGEST, "untracked": 3},
        "environment": {"python": "3.11.7", "packages": {"scikit-learn": "1.7.0"}},
        "outcome": "finished",
    },
    "parameters": {"C": 0.5, "seed": 7},
    "metrics": {"accuracy": 0.975},
    "claims": {"licence": "CC-BY-4.0"},
    "observations": [{"root": DIGEST, "count": 1_000, "batch": DIGEST}],
    "amends": "0x" + "44" * 32,
}
LEAST_COMMITMENT = "0xb0cb81f3f54a315536a713eee75e7cbac8fc18ef97e071527c9ce469e6f6559e"
WHOLE_COMMITMENT = "0x81e483ee754f16cdf465aa8684f341a5d6de65b57faa94570c7ddb283a51b1b7"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False) | texts
)
plain = st.dictionaries(texts, scalars.filter(lambda value: value not in (float("inf"), -float("inf"))))
records = st.fixed_dictionaries(
    {name: st.just(value) for name, value in LEAST.items()},
    optional={"parameters": plain, "metrics": plain, "claims": plain, "name": texts.filter(bool)},
)
keys = st.binary(min_size=32, max_size=32)


def refused(record: dict[str, Any], words: str) -> None:
    before = deepcopy(record)
    with pytest.raises(RecordInvalid, match=words):
        seal(record, KEY)
    assert record == before


def test_all_sixteen_fields_together_make_a_record() -> None:
    assert set(WHOLE) == set(FIELDS)
    assert len(FIELDS) == 16
    assert set(LEAST) == set(REQUIRED)
    assert open_sealed(seal(WHOLE, KEY).content).record == WHOLE


def test_the_commitment_has_not_changed() -> None:
    # Final form: another figure here breaks every history there is. docs/vectors has more of them.
    assert hexed(seal(LEAST, KEY).commitment) == LEAST_COMMITMENT
    assert hexed(seal(WHOLE, KEY).commitment) == WHOLE_COMMITMENT


def test_the_commitment_is_what_the_page_says() -> None:
    leaves = []
    for name in FIELDS:
        shown = [name, LEAST[name]] if name in LEAST else [name]
        leaves.append(sha256(b"\x00" + expand(KEY, "proml/1/salt", name.encode()) + canonical(shown)))
    assert seal(LEAST, KEY).commitment == root(leaves)


@given(records, keys)
def test_a_sealed_record_comes_back_with_its_commitment(record: dict[str, Any], key: bytes) -> None:
    sealed = seal(record, key)
    opened = open_sealed(sealed.content)
    assert opened == sealed
    assert opened.commitment == sealed.commitment
    assert is_named(sealed.commitment, sealed.content)
    assert is_named(sha256(sealed.content), sealed.content)


@given(records, keys, keys)
def test_one_record_under_two_keys_cannot_be_linked(record: dict[str, Any], key: bytes, other: bytes) -> None:
    if key == other:
        return
    one, two = seal(record, key), seal(record, other)
    assert one.commitment != two.commitment
    shown, also_shown = (set(_leaf_hashes(sealed)) for sealed in (one, two))
    assert not shown & also_shown


def test_two_fields_of_equal_value_have_different_leaves() -> None:
    record = {**LEAST, "parameters": {}, "metrics": {}, "claims": {}}
    assert len(set(_leaf_hashes(seal(record, KEY)))) == len(FIELDS)


def _leaf_hashes(sealed: SealedRecord) -> list[bytes]:
    return [
        sha256(
            b"\x00"
            + expand(sealed.key, "proml/1/salt", name.encode())
            + canonical([name, sealed.record[name]] if name in sealed.record else [name])
        )
        for name in FIELDS
    ]


def test_an_absent_field_differs_from_an_empty_one() -> None:
    assert seal({**LEAST, "claims": {}}, KEY).commitment != seal(LEAST, KEY).commitment


def test_every_changed_bit_of_a_sealed_record_is_refused_or_changes_the_commitment() -> None:
    # Spellings that only one bit tells apart are among them: 1e+21 and 1E+21, \u001f and \u001F.
    record = {**LEAST, "metrics": {"loss": 1e21, "odd\x1f": 0.1}}
    sealed = seal(record, KEY)
    content = sealed.content
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            assert not is_named(sealed.commitment, bytes(changed))


def test_every_cut_of_a_sealed_record_is_refused() -> None:
    content = seal(LEAST, KEY).content
    for length in range(len(content)):
        with pytest.raises(RecordInvalid):
            open_sealed(content[:length])


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content + b" ",
        lambda content: content.replace(b'"version":1', b'"version":1.0'),
        lambda content: content.replace(b'"sequence":1', b'"sequence":1e0'),
        lambda content: content.replace(b"model", b"\\u006dodel"),
        lambda content: content.replace(b'{"key"', b'{ "key"'),
    ],
)
def test_a_sealed_record_has_one_spelling(change: Any) -> None:
    sealed = seal(LEAST, KEY)
    changed = change(sealed.content)
    assert changed != sealed.content
    assert not is_named(sealed.commitment, changed)
    with pytest.raises(RecordInvalid, match="canonical form"):
        open_sealed(changed)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "proml/record"},
        {"version": 2},
        {"version": True},
        {"note": 1},
        {"record": []},
        {"record": None},
        {"key": "0x" + "00" * 31},
        {"key": None},
    ],
)
def test_what_is_no_sealed_record_is_refused(change: dict[str, Any]) -> None:
    document = {"type": "proml/sealed-record", "version": 1, "key": hexed(KEY), "record": LEAST}
    open_sealed(canonical(document))
    with pytest.raises(RecordInvalid):
        open_sealed(canonical({**document, **change}))
    for name in document:
        with pytest.raises(RecordInvalid):
            open_sealed(canonical({other: document[other] for other in document if other != name}))


def test_a_digest_names_no_other_bytes() -> None:
    sealed = seal(LEAST, KEY)
    assert not is_named(sealed.commitment, seal(LEAST, OTHER_KEY).content)
    assert not is_named(sealed.commitment, b"")
    assert not is_named(sha256(b"a"), b"b")


def test_the_key_has_32_bytes() -> None:
    for key in (b"", bytes(31), bytes(33)):
        with pytest.raises(RecordInvalid, match="32 bytes"):
            seal(LEAST, key)


def test_neither_record_nor_key_stand_in_a_log() -> None:
    shown = repr(seal(WHOLE, KEY))
    assert shown == f"SealedRecord({WHOLE_COMMITMENT})"
    assert KEY.hex() not in shown


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_field_is_missed_by_name(name: str) -> None:
    refused({field: LEAST[field] for field in LEAST if field != name}, f"needs the field '{name}'")


@pytest.mark.parametrize("name", ["note", "Type", "", "type "])
def test_an_unknown_field_is_refused_with_the_place_for_it(name: str) -> None:
    with pytest.raises(RecordInvalid, match="no field") as problem:
        seal({**LEAST, name: 1}, KEY)
    assert "claims" in problem.value.hint
    refused({**LEAST, 7: 1}, "no field 7")  # type: ignore[dict-item]


def test_a_newer_version_is_told_from_a_broken_one() -> None:
    for change in ({"version": 2}, {"type": "proml/statement"}, {"version": True}):
        with pytest.raises(RecordInvalid, match="not one this program knows") as problem:
            seal({**LEAST, **change}, KEY)
        assert "newer" in problem.value.hint


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("artefact", "0x11", "64 lower-case"),
        ("artefact", "0x" + "AA" * 32, "64 lower-case"),
        ("kind", 3, "text"),
        ("kind", "", "text"),
        ("name", None, "text"),
        ("action", ["propose"], "text"),
        ("sequence", 0, "whole number from 1"),
        ("sequence", 2**40, "whole number from 1"),
        ("sequence", True, "whole number from 1"),
        ("sequence", "1", "whole number from 1"),
        ("actor", "0x" + "22" * 20, "not an object"),
        ("actor", {"organisation": 4}, "has no 'key'"),
        ("actor", {"organisation": 0, "key": "0x" + "22" * 20}, "'organisation' that is not a whole number"),
        ("actor", {"organisation": 4, "key": "0x" + "22" * 32}, "'key' that is not 0x and 40"),
        ("subject", {}, "has no 'sha256'"),
        ("subject", {"sha256": "5a" * 32}, "'sha256' that is not"),
        ("subject", {"sha256": DIGEST, "size": -1}, "'size' that is not"),
        ("subject", {"sha256": DIGEST, "blake3": "?"}, "'blake3' that is not"),
        ("subject", {"sha256": DIGEST, "files": 1.5}, "'files' that is not"),
        ("inputs", {}, "not an array"),
        ("inputs", [{"artefact": DIGEST}], "number 0, that has no 'sequence'"),
        ("inputs", [{"artefact": DIGEST, "sequence": 0}], "'sequence' that is not"),
        ("inputs", [{"sha256": DIGEST}, {"name": "x"}], "number 1, that has no 'sha256'"),
        ("inputs", [{"sha256": DIGEST, "part": 1}], "'part' that is not a text"),
        ("inputs", ["x"], "number 0, that is not an object"),
        ("activity", [], "not an object"),
        ("activity", {"start": 1_700_000_000}, "'start' that is not a time"),
        ("activity", {"end": "2026-01-05 09:30:00"}, "'end' that is not a time"),
        ("activity", {"end": "2026-01-05T09:30:00+00:00"}, "'end' that is not a time"),
        ("activity", {"command": 1}, "'command' that is not"),
        ("activity", {"command": [1]}, "'command' that is not"),
        ("activity", {"code": {"commit": "HEAD"}}, "'code' that holds a 'commit' that is not 40 or 64"),
        ("activity", {"code": {"dirty": 1}}, "'dirty' that is not true or false"),
        ("activity", {"environment": "linux"}, "'environment' that is not an object"),
        ("activity", {"outcome": ""}, "'outcome' that is not"),
        ("parameters", [], "not an object"),
        ("metrics", 0.9, "not an object"),
        ("claims", "true", "not an object"),
        ("observations", [{"root": DIGEST, "count": 0, "batch": DIGEST}], "'count' that is not"),
        ("observations", [{"root": DIGEST, "count": 1}], "has no 'batch'"),
        ("amends", 1, "64 lower-case"),
    ],
)
def test_a_field_of_another_shape_is_named(field: str, value: Any, words: str) -> None:
    refused({**WHOLE, field: value}, f"the field '{field}' .*{words}")


def test_members_that_are_not_known_are_left_alone() -> None:
    subject = {"sha256": DIGEST, "meaning": "a digest that a later version knows"}
    assert open_sealed(seal({**LEAST, "subject": subject}, KEY).content).record["subject"] == subject


@pytest.mark.parametrize("value", [float("nan"), 2**53, "\ud800", b"", {1: 2}])
def test_a_value_without_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(RecordInvalid):
        seal({**LEAST, "claims": {"x": value}}, KEY)


def test_a_large_float_that_json_shows_without_exponent_is_kept() -> None:
    record = {**LEAST, "metrics": {"diverged": 1e17, "further": 2.0**53, "beyond": 1.5e300}}
    sealed = seal(record, KEY)
    assert open_sealed(sealed.content).record == record
    assert is_named(sealed.commitment, sealed.content)


def test_whatever_is_sealed_can_be_opened_however_deep_or_long() -> None:
    value: Any = 1
    for _ in range(CONTENT_DEPTH - 2):
        value = {"x": value}
    sealed = seal({**LEAST, "claims": {"x": value}}, KEY)
    assert open_sealed(sealed.content) == sealed
    refused({**LEAST, "claims": {"x": {"x": value}}}, "too deeply")

    room = MAX_BYTES - len(seal({**LEAST, "claims": {"x": ""}}, KEY).content)
    sealed = seal({**LEAST, "claims": {"x": "a" * room}}, KEY)
    assert len(sealed.content) == MAX_BYTES
    assert open_sealed(sealed.content) == sealed
    refused({**LEAST, "claims": {"x": "a" * (room + 1)}}, f"{MAX_BYTES + 1} bytes")


def test_a_private_subject_cannot_be_guessed_without_the_key() -> None:
    digest = sha256(b"yes")
    private = subject_commitment(KEY, digest)
    assert private == sha256(b"\x02" + expand(KEY, "proml/1/subject") + digest)
    assert private not in (digest, sha256(digest), sha256(b"\x02" + digest))
    assert private != subject_commitment(OTHER_KEY, digest)
