"""Canonical JSON and strict reading."""

import json
import math
import struct
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.document import (
    CONTENT_DEPTH,
    EXACT_INTEGER,
    MAX_BYTES,
    MAX_DEPTH,
    canonical,
    is_of_type,
    parse,
    parse_canonical,
)
from proml.errors import RecordInvalid

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-EXACT_INTEGER, EXACT_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(texts, values, max_size=5)


def nested(levels: int) -> Any:
    """A number inside so many arrays."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@given(objects)
def test_what_was_written_is_read_back_and_written_alike(value: dict[str, Any]) -> None:
    content = canonical(value)
    assert parse(content, "it") == value
    assert canonical(parse_canonical(content, "it")) == content


@given(objects)
def test_spelling_does_not_matter_to_the_canonical_form(value: dict[str, Any]) -> None:
    spelt_otherwise = json.dumps(dict(reversed(value.items())), indent=3, ensure_ascii=True)
    assert canonical(parse(spelt_otherwise.encode(), "it")) == canonical(value)


@given(st.binary(min_size=8, max_size=8))
def test_every_double_comes_back_as_itself(raw: bytes) -> None:
    (value,) = struct.unpack("<d", raw)
    if math.isfinite(value):
        assert parse_canonical(canonical({"x": value}), "it")["x"] == value


# Appendix B of RFC 8785: the double's bits, and its form.
@pytest.mark.parametrize(
    ("bits", "form"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_have_the_forms_of_the_rfc_and_are_read_again(bits: str, form: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical({"x": value}) == b'{"x":%s}' % form.encode()
    assert parse_canonical(b'{"x":%s}' % form.encode(), "it") == {"x": value}


def test_a_whole_number_is_an_int_however_it_is_spelt() -> None:
    for spelling in ("100", "100.0", "1e2", "1E+2"):
        value = parse(b'{"x":%s}' % spelling.encode(), "it")["x"]
        assert (value, type(value)) == (100, int)


def test_minus_zero_is_zero() -> None:
    for spelling in ("-0", "-0.0", "-0e9"):
        value = parse(b'{"x":%s}' % spelling.encode(), "it")["x"]
        assert (value, type(value), math.copysign(1, value)) == (0, int, 1)
    assert canonical({"x": -0.0}) == b'{"x":0}'


def test_members_are_sorted_by_utf_16_units_not_by_code_points() -> None:
    # U+FB33 sorts after the surrogates that U+1F600 begins with (RFC 8785 section 3.2.3).
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_cannot_be_written(value: float) -> None:
    with pytest.raises(RecordInvalid, match="NaN") as refused:
        canonical({"x": value})
    assert "NaN" in refused.value.hint


@pytest.mark.parametrize("value", [2**53, -(2**53), pytest.param(10**5000, id="one that cannot be printed")])
def test_an_integer_beyond_the_exact_ones_cannot_be_written(value: int) -> None:
    with pytest.raises(RecordInvalid, match="integer is beyond") as refused:
        canonical({"x": value})
    assert "string" in refused.value.hint
    assert canonical({"x": EXACT_INTEGER}) == b'{"x":9007199254740991}'


@pytest.mark.parametrize(
    "value", [{1: 2}, {None: 1}, {"x": b"bytes"}, {"x": {1, 2}}, {"x": object()}, {("a",): 1}]
)
def test_what_json_does_not_know_cannot_be_written(value: Any) -> None:
    with pytest.raises(RecordInvalid):
        canonical(value)


@pytest.mark.parametrize("value", [{"x": "\ud800"}, {"\udfff": 1}, {"x": ["\udc80"]}])
def test_half_of_a_surrogate_pair_cannot_be_written(value: Any) -> None:
    with pytest.raises(RecordInvalid, match="surrogate"):
        canonical(value)


def test_a_loop_is_found_out() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(RecordInvalid, match="too deeply"):
        canonical(loop)


def test_the_depth_is_bounded_when_writing_and_when_reading() -> None:
    deepest = canonical({"x": nested(MAX_DEPTH - 1)})
    assert canonical(parse(deepest, "it")) == deepest
    with pytest.raises(RecordInvalid, match="too deeply"):
        canonical({"x": nested(MAX_DEPTH)})
    with pytest.raises(RecordInvalid, match="too deeply"):
        parse(b'{"x":' + b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH + b"}", "it")
    with pytest.raises(RecordInvalid, match="too deeply"):
        canonical(nested(CONTENT_DEPTH + 1), CONTENT_DEPTH)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}{}", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"1", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{'x':1}", "not JSON"),
        (b'{"x":1,}', "not JSON"),
        (b'{"x":01}', "not JSON"),
        (b'{"x":.5}', "not JSON"),
        (b'{"x":+1}', "not JSON"),
        (b'{"x":"\t"}', "not JSON"),
        (b'{"x":"\\x41"}', "not JSON"),
        (b'{"x":NaN}', "NaN is not a JSON number"),
        (b'{"x":Infinity}', "Infinity is not"),
        (b'{"x":-Infinity}', "-Infinity is not"),
        (b'{"x":1,"x":1}', "two members of one name"),
        (b'{"x":1,"\\u0078":2}', "two members of one name"),
        (b'{"y":[{"x":1,"x":1}]}', "two members of one name"),
        (b'{"x":9007199254740993}', "beyond"),
        (b'{"x":-9007199254740993}', "beyond"),
        (b'{"x":18446744073709551615}', "beyond"),
        pytest.param(b'{"x":' + b"9" * 400 + b"}", "beyond", id="400 digits"),
        pytest.param(b'{"x":' + b"9" * 5000 + b"}", "beyond", id="5,000 digits"),
        (b'{"x":1e400}', "too large"),
        (b'{"x":-1e400}', "too large"),
        (b'{"x":1e999999999999999999}', "too large"),
        (b'{"x":"\\ud800"}', "surrogate"),
        (b'{"\\udc00":1}', "surrogate"),
        (b'{"x":"\\udc00\\ud800"}', "surrogate"),
        (b'{"x":"\xed\xa0\x80"}', "not JSON"),
        (b'{"x":"\xff"}', "not JSON"),
        (b'{"x":"\xc0\x80"}', "not JSON"),
        (b'\xef\xbb\xbf{"x":1}', "not JSON"),
        ('{"x":1}'.encode("utf-16"), "not JSON"),
        ('{"x":1}'.encode("utf-32-le"), "not JSON"),
        pytest.param(b"[" * 100_000, "too deeply", id="100,000 arrays"),
        pytest.param(b'{"x":' * 100_000, "too deeply", id="100,000 objects"),
    ],
)
def test_what_is_not_strict_json_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(RecordInvalid, match=words):
        parse(content, "it")


def test_brackets_beyond_any_stack_are_counted_before_they_are_read() -> None:
    # Libraries raise the recursion limit; with 100,000 levels Python's own reader ends the process.
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        with pytest.raises(RecordInvalid, match="too deeply"):
            parse(b'{"x":' * 500_000, "it")
    finally:
        sys.setrecursionlimit(limit)


def test_brackets_in_strings_and_side_by_side_do_not_count() -> None:
    value = {"x": "[" * 5_000 + '"{\\' * 9, "y": [[]] * 3_000}
    assert parse(canonical(value), "it") == value


def test_a_surrogate_pair_spelt_out_is_one_character() -> None:
    assert parse(b'{"x":"\\ud83d\\ude00"}', "it") == {"x": "\U0001f600"}


def test_the_size_is_bounded_before_anything_is_read() -> None:
    content = b'{"x":"' + b"a" * (MAX_BYTES - 8) + b'"}'
    assert len(content) == MAX_BYTES
    assert len(parse(content, "it")["x"]) == MAX_BYTES - 8
    with pytest.raises(RecordInvalid, match=f"{MAX_BYTES + 1} bytes, more than the {MAX_BYTES}"):
        parse(content + b" ", "it")


@pytest.mark.parametrize(
    "content",
    [
        b'{"x":1} ',
        b'{ "x":1}',
        b'{"x":1.0}',
        b'{"x":-0}',
        b'{"b":1,"a":2}',
        b'{"x":"\\u0041"}',
        b'{"x":1E+21}',
    ],
)
def test_another_spelling_is_refused_where_only_one_is_allowed(content: bytes) -> None:
    parse(content, "it")
    with pytest.raises(RecordInvalid, match="not in canonical form"):
        parse_canonical(content, "it")


@given(st.binary(max_size=60) | st.text('{}[]",:0123456789.eE+-\\utrflasn ', max_size=40).map(str.encode))
def test_reading_refuses_or_gives_something_that_can_be_written(content: bytes) -> None:
    try:
        value = parse(content, "it")
    except RecordInvalid:
        return
    assert parse(canonical(value), "it") == value


def test_true_is_not_version_one() -> None:
    assert is_of_type({"type": "t", "version": 1}, "t")
    for document in (
        {"type": "t", "version": True},
        {"type": "t", "version": "1"},
        {"type": "t"},
        {"version": 1},
    ):
        assert not is_of_type(document, "t")
