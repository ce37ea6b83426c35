"""Digests, their text form, key derivation and ABI words."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.digest import expand, hexed, keccak256, keccak_words, unhexed, word
from proml.errors import RecordInvalid

KEY = bytes(range(32))


@given(st.binary(max_size=64))
def test_a_text_form_comes_back_as_the_bytes_it_stands_for(content: bytes) -> None:
    assert unhexed(hexed(content), len(content)) == content


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "0x" + "ab" * 31,
        "0x" + "ab" * 33,
        "0x" + "AB" * 32,
        "0X" + "ab" * 32,
        "ab" * 33,
        "0x" + "g0" * 32,
        "0x" + "ab" * 32 + "\n",
        # bytes.fromhex alone would skip the spaces and give 31 bytes.
        "0x" + "ab" * 15 + "  " + "ab" * 16,
        "0x" + "ab" * 31 + " a",
        "0x" + "٣٣" * 32,
        None,
        7,
        pytest.param(10**5000, id="an integer that cannot be printed"),
        ["0x" + "ab" * 32],
    ],
)
def test_any_other_text_is_no_digest(text: object) -> None:
    with pytest.raises(RecordInvalid, match="64 lower-case hexadecimal digits"):
        unhexed(text)


def test_the_length_asked_for_counts() -> None:
    assert unhexed("0x" + "00" * 20, 20) == bytes(20)
    with pytest.raises(RecordInvalid, match="40 lower-case"):
        unhexed("0x" + "00" * 32, 20)


def test_keccak_is_the_one_of_ethereum_not_the_one_of_the_standard() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"") != hashlib.sha3_256(b"").digest()


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40))
def test_expand_is_one_block_of_hkdf(key: bytes, suffix: bytes) -> None:
    info = b"proml/1/salt\x00" + suffix
    assert expand(key, "proml/1/salt", suffix) == hmac.digest(key, info + b"\x01", "sha256")


def test_what_a_key_gives_for_two_purposes_or_two_names_differs() -> None:
    given_out = [
        expand(KEY, "proml/1/salt", b"name"),
        expand(KEY, "proml/1/salt", b"kind"),
        expand(KEY, "proml/1/salt"),
        expand(KEY, "proml/1/subject"),
        expand(KEY, "proml/1/observation", bytes(8)),
    ]
    assert len(set(given_out)) == len(given_out)


@given(st.integers(0, 2**256 - 1))
def test_an_integer_is_right_aligned_in_its_word(value: int) -> None:
    assert word(value) == value.to_bytes(32, "big")


@pytest.mark.parametrize("value", [-1, 2**256, b"", bytes(31), bytes(33)])
def test_what_does_not_fill_a_word_is_refused(value: int | bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        word(value)


def test_words_are_hashed_one_after_another() -> None:
    assert keccak_words(1, KEY) == keccak256(bytes(31) + b"\x01" + KEY)
