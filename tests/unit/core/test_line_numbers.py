"""Line numbers of JSON texts: where somebody who corrects a file has to look."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proml.core.line_numbers import Place, lines_of

KEYS = st.text('ab"\\{}[],: \n', max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def spread(value: Any, here: Place, lines: list[str], found: dict[Place, int]) -> None:
    """Write every bracket, name, value and comma on a line of its own, and note where each place begins."""
    found.setdefault(here, len(lines) + 1)
    if isinstance(value, dict):
        lines.append("{")
        for number, (key, inner) in enumerate(value.items()):
            lines.extend([","] if number else [])
            found[(*here, key)] = len(lines) + 1
            lines.extend([json.dumps(key), ":"])
            spread(inner, (*here, key), lines, found)
        lines.append("}")
    elif isinstance(value, list):
        lines.append("[")
        for number, inner in enumerate(value):
            lines.extend([","] if number else [])
            spread(inner, (*here, number), lines, found)
        lines.append("]")
    else:
        lines.append(json.dumps(value))


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_every_place_of_a_json_text_has_its_line(value: dict[str, Any]) -> None:
    lines: list[str] = []
    expected: dict[Place, int] = {}
    spread(value, (), lines, expected)
    assert lines_of("\n".join(lines)) == expected


def test_a_text_on_one_line_is_all_on_line_one() -> None:
    assert set(lines_of('{"a": [1, {"b": "}"}], "c": {}}').values()) == {1}
