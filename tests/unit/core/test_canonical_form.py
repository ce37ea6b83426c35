"""Canonical JSON has two writers, ours for ordinary values and rfc8785 for all: they must agree."""

import json
import math
import struct
from enum import IntEnum, StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from proml.core.document import EXACT_INTEGER, canonical

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-EXACT_INTEGER, EXACT_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


class Size(IntEnum):
    SMALL = 1


class Colour(StrEnum):
    RED = "red"


@given(values)
def test_both_writers_agree_on_every_value(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.binary(min_size=8, max_size=8))
@example(struct.pack("<d", 1e-4))
@example(struct.pack("<d", math.nextafter(1e-4, 0)))
@example(struct.pack("<d", math.nextafter(1e16, 0)))
@example(struct.pack("<d", 1e16))
def test_both_writers_agree_on_every_double(raw: bytes) -> None:
    (value,) = struct.unpack("<d", raw)
    if math.isfinite(value):
        assert canonical([value, -value]) == rfc8785.dumps([value, -value])


@pytest.mark.parametrize("code", [*range(0x80), 0x85, 0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFF, 0x10FFFF])
def test_both_writers_escape_the_same_characters(code: int) -> None:
    assert canonical({chr(code): chr(code)}) == rfc8785.dumps({chr(code): chr(code)})


def test_numbers_and_texts_of_other_classes_are_written_by_their_value() -> None:
    value = {"size": Size.SMALL, "colour": Colour.RED}
    assert json.loads(canonical(value)) == {"size": 1, "colour": "red"}
