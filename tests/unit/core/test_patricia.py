"""State proofs, against an independent implementation of the tries (`trie`, `rlp`), and what is none."""

from collections.abc import Mapping

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from proml.core.digest import keccak256
from proml.core.patricia import (
    EMPTY_ROOT,
    MAX_RLP_BYTES,
    ProvenStorage,
    Rlp,
    StateProof,
    decode_rlp,
    encode_rlp,
    mapping_slot,
    read_header,
    state_proof,
)
from proml.errors import NotFound, RecordInvalid

CONTRACT = bytes(range(20))
CODE = keccak256(b"code")
values: st.SearchStrategy[Rlp] = st.recursive(
    st.binary(max_size=80), lambda inner: st.lists(inner, max_size=5), max_leaves=12
)
words = st.integers(1, 2**256 - 1)


def minimal(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def trie_of(content: Mapping[bytes, bytes]) -> HexaryTrie:
    trie = HexaryTrie({})
    for key, value in content.items():
        trie[keccak256(key)] = value
    return trie


def nodes_for(trie: HexaryTrie, key: bytes) -> list[bytes]:
    return [rlp.encode(node) for node in trie.get_proof(keccak256(key)) if rlp.encode(node) != b"\x80"]


def header(root: bytes, number: int = 7, time: int = 1_767_600_000) -> bytes:
    fields: list[Rlp] = [bytes(32)] * 15
    fields[3], fields[8], fields[11] = root, minimal(number), minimal(time)
    return encode_rlp(fields)


def proof_of(
    held: Mapping[int, int],
    asked: list[int],
    contract: bytes = CONTRACT,
    code: bytes = CODE,
    others: int = 20,
) -> StateProof:
    """A proof of some slots of a contract that holds words by slot, among other accounts."""
    storage = trie_of({slot(at): rlp.encode(minimal(value)) for at, value in held.items()})
    account = rlp.encode([b"\x01", b"", storage.root_hash, code])
    accounts = {contract: account} | {
        bytes([i]) * 20: rlp.encode([b"", b"", EMPTY_ROOT, CODE]) for i in range(others)
    }
    state = trie_of(accounts)
    nodes = nodes_for(state, contract)
    for at in asked:
        nodes += nodes_for(storage, slot(at))
    return state_proof(header(state.root_hash), nodes)


def slot(number: int) -> bytes:
    return number.to_bytes(32, "big")


# --- RLP ------------------------------------------------------------------------------------


@given(values)
def test_rlp_is_written_and_read_as_the_library_does(value: Rlp) -> None:
    content = encode_rlp(value)
    assert content == rlp.encode(value)
    assert decode_rlp(content) == value


@given(st.binary(max_size=60))
def test_whatever_is_read_has_one_encoding(content: bytes) -> None:
    try:
        value = decode_rlp(content)
    except RecordInvalid:
        return
    assert encode_rlp(value) == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x81\x01",  # a byte below 0x80 stands for itself
        b"\xb8\x01a",  # a long length for a short string
        b"\xb9\x00\x38" + b"a" * 56,  # a length with a leading zero
        b"\x82a",
        b"\xc2a",
        b"a" + b"b",
        b"\xc1\x82ab",
        b"\xc0" * 2,
        b"\xff" + b"\xff" * 8,
        b"\xbf" + b"\xff" * 8,
        b"\xc1" * 40 + b"\xc0",
    ],
)
def test_rlp_that_is_not_the_one_encoding_is_refused(content: bytes) -> None:
    with pytest.raises(RecordInvalid):
        decode_rlp(content)


def test_rlp_too_long_or_too_deep_is_refused() -> None:
    with pytest.raises(RecordInvalid, match="more than"):
        decode_rlp(encode_rlp(bytes(MAX_RLP_BYTES)))
    deep: Rlp = []
    for _ in range(2_000):
        deep = [deep]
        if len(encode_rlp(deep)) > 900:
            break
    with pytest.raises(RecordInvalid, match="nested"):
        decode_rlp(encode_rlp(deep))


# --- proofs ---------------------------------------------------------------------------------


@given(
    st.dictionaries(st.integers(0, 2**256 - 1), words, max_size=30), st.lists(st.integers(0, 40), max_size=4)
)
def test_what_is_there_and_what_is_not_is_proven_as_the_library_proves_it(
    held: dict[int, int], absent: list[int]
) -> None:
    asked = [*held, *absent]
    storage = ProvenStorage(proof_of(held, asked), CONTRACT, CODE)
    assert [storage.word(slot(at)) for at in asked] == [held.get(at, 0) for at in asked]
    assert storage.surplus == 0
    assert (storage.block.number, storage.block.time) == (7, 1_767_600_000)


def test_an_empty_storage_proves_that_nothing_is_there() -> None:
    storage = ProvenStorage(proof_of({}, []), CONTRACT, CODE)
    assert storage.word(slot(3)) == 0


def test_a_slot_the_proof_does_not_reach_is_not_known() -> None:
    held = {number: number + 1 for number in range(50)}
    storage = ProvenStorage(proof_of(held, [1, 2]), CONTRACT, CODE)
    with pytest.raises(NotFound, match="lacks the node"):
        [storage.word(slot(number)) for number in range(50)]


def test_nodes_that_nothing_needs_are_counted() -> None:
    held = {number: number + 1 for number in range(50)}
    storage = ProvenStorage(proof_of(held, [1, 2]), CONTRACT, CODE)
    storage.word(slot(1))
    assert storage.surplus > 0
    storage.word(slot(2))
    assert storage.surplus == 0


def test_another_contract_or_other_code_is_refused() -> None:
    proof = proof_of({1: 2}, [1])
    with pytest.raises(RecordInvalid, match="another contract"):
        ProvenStorage(proof, CONTRACT, keccak256(b"other code"))
    with pytest.raises(RecordInvalid, match=r"no contract|does not reach"):
        ProvenStorage(proof, bytes(20), CODE)


def test_every_flipped_bit_of_a_proof_is_refused_or_proves_another_block() -> None:
    held = {number: number + 1 for number in range(20)}
    proof = proof_of(held, [5], others=3)
    genuine = ProvenStorage(proof, CONTRACT, CODE)
    assert genuine.word(slot(5)) == 6
    flips = 0
    for part in range(-1, len(proof.nodes)):
        content = proof.header if part < 0 else proof.nodes[part]
        for bit in range(8 * len(content)):
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            nodes = [*proof.nodes]
            if part >= 0:
                nodes[part] = bytes(changed)
            forged = state_proof(bytes(changed) if part < 0 else proof.header, nodes)
            try:
                storage = ProvenStorage(forged, CONTRACT, CODE)
                storage.word(slot(5))
            except (RecordInvalid, NotFound):
                flips += 1
                continue
            assert storage.block.hash != genuine.block.hash
            flips += 1
    assert flips == 8 * (len(proof.header) + sum(map(len, proof.nodes)))


def test_nodes_out_of_order_or_twice_are_refused() -> None:
    proof = proof_of({1: 2, 3: 4}, [1, 3])
    for nodes in (proof.nodes[::-1], (*proof.nodes[:1], *proof.nodes)):
        with pytest.raises(RecordInvalid, match="order"):
            ProvenStorage(StateProof(proof.header, nodes), CONTRACT, CODE)


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        encode_rlp(b"header"),
        encode_rlp([bytes(32)] * 14),
        encode_rlp([[bytes(32)]] * 15),
        encode_rlp([bytes(32)] * 3 + [bytes(31)] + [b""] * 11),
        encode_rlp([bytes(32)] * 8 + [b"\0\1"] + [b""] * 6),
        encode_rlp([bytes(32)] * 8 + [b"\1" * 9] + [b""] * 6),
    ],
)
def test_what_is_no_header_is_refused(forged: bytes) -> None:
    with pytest.raises(RecordInvalid):
        read_header(forged)


@pytest.mark.parametrize(
    "node",
    [
        b"string",
        [],
        [b"", b""],
        [b"\x40", b"value"],  # a flag that does not exist
        [b"\x01\x00", b"value"],  # even length, but padding that is not zero
        [[], b"value"],
        [b"\x20", b"value"],  # a leaf that ends too early
        [b"\x00", b"short"],  # an extension to something that is no hash
        [b""] * 16,
    ],
)
def test_a_node_of_another_form_is_refused(node: Rlp) -> None:
    content = encode_rlp(node)
    with pytest.raises(RecordInvalid):
        ProvenStorage(state_proof(header(keccak256(content)), [content]), CONTRACT, CODE)


def test_nodes_that_lead_on_for_ever_are_refused() -> None:
    # An extension over no path at all leads to itself in effect: a chain of them never ends by its key.
    nodes = [encode_rlp([b"\x00", keccak256(b"end")])]
    for _ in range(100):
        nodes.append(encode_rlp([b"\x00", keccak256(nodes[-1])]))
    with pytest.raises(RecordInvalid, match="longer than its key"):
        ProvenStorage(state_proof(header(keccak256(nodes[-1])), nodes), CONTRACT, CODE)


def test_a_slot_of_a_vyper_mapping_is_the_number_and_then_the_key() -> None:
    key = bytes(range(20))
    assert mapping_slot(9, key) == keccak256(slot(9) + bytes(12) + key)
