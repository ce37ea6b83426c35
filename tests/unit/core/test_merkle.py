"""Merkle trees: roots and inclusion paths (RFC 6962)."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.merkle import MAX_PATH, leaf_hash, node_hash, path, root, root_from_path
from proml.errors import RecordInvalid

MOST = 40


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(bytes([number])) for number in range(count)]


def root_by_definition(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, literally: split at the largest power of two below the count."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    left, right = root_by_definition(hashes[:split]), root_by_definition(hashes[split:])
    return sha256(b"\x01" + left + right).digest()


# The test leaves of RFC 6962's reference implementation, and the roots of its first n.
REFERENCE_LEAVES = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
REFERENCE_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("count", range(1, 9))
def test_roots_are_those_of_certificate_transparency(count: int) -> None:
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in REFERENCE_LEAVES[:count]]
    assert root(hashes).hex() == REFERENCE_ROOTS[count - 1]


@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_the_root_is_the_one_the_rfc_defines(count: int) -> None:
    assert root(leaves(count)) == root_by_definition(leaves(count))


@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_every_leaf_has_a_path_to_the_root(count: int) -> None:
    hashes = leaves(count)
    for index in range(count):
        assert root_from_path(hashes[index], index, count, path(hashes, index)) == root(hashes)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7, 8, 13, 16])
def test_no_changed_bit_of_leaf_or_path_leads_to_the_root(count: int) -> None:
    hashes = leaves(count)
    expected = root(hashes)
    for index in range(count):
        parts = [hashes[index], *path(hashes, index)]
        for number, part in enumerate(parts):
            for bit in range(256):
                flipped = (int.from_bytes(part, "big") ^ 1 << bit).to_bytes(32, "big")
                leaf, *siblings = [*parts[:number], flipped, *parts[number + 1 :]]
                assert root_from_path(leaf, index, count, siblings) != expected


@pytest.mark.parametrize("count", range(1, 25))
def test_a_leaf_is_proven_at_its_own_index_only(count: int) -> None:
    hashes = leaves(count)
    for index in range(count):
        siblings = path(hashes, index)
        for other in range(count):
            try:
                reached = root_from_path(hashes[index], other, count, siblings)
            except RecordInvalid:
                continue
            assert (reached == root(hashes)) == (other == index)


@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_a_path_one_too_short_or_too_long_is_refused(count: int) -> None:
    hashes = leaves(count)
    for index in range(count):
        siblings = path(hashes, index)
        if siblings:
            with pytest.raises(RecordInvalid, match="too short"):
                root_from_path(hashes[index], index, count, siblings[:-1])
        with pytest.raises(RecordInvalid, match="too long"):
            root_from_path(hashes[index], index, count, [*siblings, bytes(32)])


def test_a_path_beyond_any_tree_is_refused_before_it_is_walked() -> None:
    with pytest.raises(RecordInvalid, match="too long"):
        root_from_path(bytes(32), 0, 2**60, [bytes(32)] * (MAX_PATH + 1))


@pytest.mark.parametrize(("index", "count"), [(0, 0), (-1, 3), (3, 3), (7, 3), (0, -1)])
def test_an_impossible_place_is_refused(index: int, count: int) -> None:
    with pytest.raises(RecordInvalid, match="no leaf"):
        root_from_path(bytes(32), index, count, [])
    with pytest.raises(RecordInvalid, match="no leaf"):
        path(leaves(max(count, 0)), index)


def test_there_is_no_empty_tree() -> None:
    with pytest.raises(RecordInvalid, match="at least one"):
        root([])


@given(st.binary(max_size=80), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_leaf_cannot_pass_for_a_node(content: bytes, left: bytes, right: bytes) -> None:
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(content) == sha256(b"\x00" + content).digest()
    assert node_hash(left, right) == sha256(b"\x01" + left + right).digest()


def test_a_root_alone_does_not_tell_the_count() -> None:
    # Why a verifier compares the count with the anchored one: the same path serves two trees.
    hashes = leaves(3)
    assert root_from_path(hashes[2], 2, 3, path(hashes, 2)) == root(hashes)
    assert root_from_path(hashes[2], 1, 2, path(hashes, 2)) == root(hashes)
