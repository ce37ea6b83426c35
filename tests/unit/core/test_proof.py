"""Batches of observations and the proof of a single one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.digest import expand, hexed, sha256
from proml.core.document import CONTENT_DEPTH, canonical, parse
from proml.core.merkle import root
from proml.core.proof import (
    MAX_BATCH_BYTES,
    MAX_OBSERVATIONS,
    ObservationBatch,
    Proof,
    open_batch,
    read_proof,
)
from proml.errors import RecordInvalid

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
OBSERVATIONS = [{"step": step, "loss": 1 / (step + 1)} for step in range(5)]
BATCH = ObservationBatch(OBSERVATIONS, KEY)

observations = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
    max_size=4,
)
batches = st.builds(
    ObservationBatch, st.lists(observations, min_size=1, max_size=20), st.binary(min_size=32, max_size=32)
)


def test_the_root_is_what_the_page_says() -> None:
    leaves = [
        sha256(
            b"\x00" + expand(KEY, "proml/1/observation", index.to_bytes(8, "big")) + canonical(observation)
        )
        for index, observation in enumerate(OBSERVATIONS)
    ]
    assert BATCH.root == root(leaves)


@given(batches)
def test_every_observation_of_a_batch_can_be_proven(batch: ObservationBatch) -> None:
    for index, observation in enumerate(batch.observations):
        proof = read_proof(parse(canonical(batch.prove(index).document()), "a proof"))
        assert proof.holds()
        assert (proof.observation, proof.index, proof.count) == (observation, index, len(batch.observations))
        assert proof.root == batch.root


@given(batches)
def test_a_stored_batch_comes_back_with_its_root(batch: ObservationBatch) -> None:
    opened = open_batch(batch.content)
    assert opened.observations == batch.observations
    assert (opened.key, opened.root, opened.content) == (batch.key, batch.root, batch.content)


def test_equal_observations_have_different_leaves() -> None:
    twice = ObservationBatch([{"loss": 0.5}, {"loss": 0.5}], KEY)
    assert twice.prove(0).siblings != twice.prove(1).siblings
    assert twice.prove(0).salt != twice.prove(1).salt
    assert twice.root != ObservationBatch(twice.observations, OTHER_KEY).root


def test_a_proof_shows_no_byte_of_the_other_observations() -> None:
    batch = ObservationBatch([{"note": f"canary-{number:02}"} for number in range(9)], KEY)
    for index in range(9):
        text = canonical(batch.prove(index).document()).decode()
        assert [number for number in range(9) if f"canary-{number:02}" in text] == [index]
        assert KEY.hex() not in text
        for other in set(range(9)) - {index}:
            assert expand(KEY, "proml/1/observation", other.to_bytes(8, "big")).hex() not in text


def test_every_changed_bit_of_a_proof_is_refused_or_fails_under_the_anchor() -> None:
    proof = BATCH.prove(3)
    anchored = (proof.root, proof.count)
    content = canonical(proof.document())
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            try:
                found = read_proof(parse(bytes(changed), "a proof"))
            except RecordInvalid:
                continue
            if found.holds() and (found.root, found.count) == anchored:
                assert found == proof


@pytest.mark.parametrize(
    "change",
    [
        {"observation": {"step": 3, "loss": 0.2}},
        {"salt": "0x" + "00" * 32},
        {"index": 2},
        {"index": 5},
        {"index": -1},
        {"index": 2**53 - 1},
        {"count": 0},
        {"count": 4},
        {"count": 2**53 - 1},
        {"path": []},
        {"path": ["0x" + "00" * 32] * 3},
        {"path": ["0x" + "00" * 32] * 4},
        {"path": ["0x" + "00" * 32] * 50_000},
        {"root": "0x" + "00" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_proof_of_something_else_does_not_hold(change: dict[str, Any]) -> None:
    document = BATCH.prove(3).document()
    assert read_proof(document).holds()
    assert not read_proof({**document, **change}).holds()


@pytest.mark.parametrize(
    "change",
    [
        {"type": "proml/disclosure"},
        {"version": 2},
        {"version": True},
        {"observation": []},
        {"observation": None},
        {"index": "3"},
        {"index": True},
        {"index": 3.5},
        {"count": None},
        {"count": True},
        {"path": None},
        {"path": "0x"},
        {"path": [1]},
        {"salt": "0x00"},
        {"root": 7},
        {"note": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_no_proof_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RecordInvalid):
        read_proof({**BATCH.prove(3).document(), **change})


@pytest.mark.parametrize("member", sorted(BATCH.prove(0).document()))
def test_a_proof_lacks_nothing(member: str) -> None:
    document = BATCH.prove(3).document()
    del document[member]
    with pytest.raises(RecordInvalid):
        read_proof(document)


@pytest.mark.parametrize("index", [-1, 5, 2**70])
def test_there_is_no_proof_of_what_is_not_in_the_batch(index: int) -> None:
    with pytest.raises(RecordInvalid, match="no observation"):
        BATCH.prove(index)


def test_a_batch_has_at_least_one_observation_and_at_most_ten_thousand() -> None:
    for count in (0, MAX_OBSERVATIONS + 1):
        with pytest.raises(RecordInvalid, match=f"1 to {MAX_OBSERVATIONS} observations, not {count}"):
            ObservationBatch([{}] * count, KEY)
    assert len(ObservationBatch([{}] * MAX_OBSERVATIONS, KEY).observations) == MAX_OBSERVATIONS


def test_a_batch_holds_objects_under_a_key_of_32_bytes() -> None:
    with pytest.raises(RecordInvalid, match="JSON object"):
        ObservationBatch([{}, 7], KEY)  # type: ignore[list-item]
    with pytest.raises(RecordInvalid, match="32 bytes"):
        ObservationBatch([{}], KEY[:31])


def test_a_batch_that_could_not_be_read_again_is_not_written() -> None:
    deep: Any = {}
    for _ in range(CONTENT_DEPTH):
        deep = {"x": deep}
    assert open_batch(ObservationBatch([deep], KEY).content).root
    with pytest.raises(RecordInvalid, match="too deeply"):
        _ = ObservationBatch([{"x": deep}], KEY).root
    long = [{"x": "a" * 1_000_000} for _ in range(17)]
    with pytest.raises(RecordInvalid, match=f"more than the {MAX_BATCH_BYTES} allowed"):
        _ = ObservationBatch(long, KEY).content


@pytest.mark.parametrize(
    "change",
    [
        {"type": "proml/observation"},
        {"version": 2},
        {"version": True},
        {"observations": []},
        {"observations": {}},
        {"observations": [7]},
        {"observations": None},
        {"key": "0x00"},
        {"key": None},
        {"note": 1},
    ],
)
def test_what_is_no_batch_is_refused(change: dict[str, Any]) -> None:
    document = {"type": "proml/observations", "version": 1, "key": hexed(KEY), "observations": OBSERVATIONS}
    assert canonical(document) == BATCH.content
    with pytest.raises(RecordInvalid):
        open_batch(canonical({**document, **change}))


def test_a_stored_batch_has_one_spelling() -> None:
    with pytest.raises(RecordInvalid, match="canonical form"):
        open_batch(BATCH.content + b"\n")


def test_an_observation_without_canonical_form_does_not_get_into_a_root() -> None:
    with pytest.raises(RecordInvalid, match="NaN"):
        _ = ObservationBatch([{"loss": float("nan")}], KEY).root
    with pytest.raises(RecordInvalid, match="NaN"):
        Proof({"loss": float("nan")}, bytes(32), 0, 1, (), bytes(32)).holds()
