"""Two implementations of docs/format.md, ProML and one written from the page alone, agree on every vector.

And on what becomes of the vectors when they are altered: where one refuses, so does the other.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proml.core.digest import hexed
from proml.errors import ProMLError
from tests.golden import second_reader
from tests.golden.second_json import Refused
from tools import vector_answers

ROOT = Path(__file__).parent.parent.parent
VECTORS = sorted((ROOT / "docs" / "vectors").glob("*.json"))
CASES = [case for path in VECTORS for case in json.loads(path.read_text())["cases"]]
REFUSED = "refused"


def answers(case: dict[str, Any]) -> tuple[Any, Any]:
    """What ProML and the second reader say; any other exception is a failure of the test."""
    try:
        ours: Any = vector_answers.answer(case["check"], case["input"])
    except ProMLError:
        ours = REFUSED
    try:
        theirs: Any = second_reader.answer(case["check"], case["input"])
    except Refused:
        theirs = REFUSED
    return ours, theirs


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['check']}: {case['name']}")
def test_both_readers_answer_as_expected(case: dict[str, Any]) -> None:
    assert ("expect" in case) != (case.get("refused") is True)
    expected = case.get("expect", REFUSED)
    assert answers(case) == (expected, expected)


def test_there_are_enough_vectors_and_most_of_them_must_fail() -> None:
    assert len(CASES) >= 200
    assert sum("refused" in case for case in CASES) >= 140
    taken = {case["check"] for case in CASES if "expect" in case}
    page = (ROOT / "docs" / "format.md").read_text()
    assert taken == set(vector_answers.CHECKS)
    for check in taken:
        assert f"| `{check}` |" in page


def test_the_second_reader_shares_nothing_with_the_first() -> None:
    for path in (ROOT / "tests" / "golden").glob("second_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in names:
                standard = name.split(".")[0] in sys.stdlib_module_names
                assert standard or name == "sha3" or name.startswith("tests.golden.second_"), (path, name)


def run(*paths: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.golden.second_reader", *map(str, paths)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_second_reader_runs_by_itself() -> None:
    done = run(*VECTORS)
    assert (done.returncode, done.stdout) == (0, f"{len(CASES)} cases, 0 wrong\n")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x", "check": "text form", "input": {"text": "0x00", "length": 1}, "expect": {"hex": "01"}},
        {"name": "x", "check": "text form", "input": {"text": "0x00", "length": 1}, "refused": True},
        {"name": "x", "check": "text form", "input": {"text": "0x", "length": 1}, "expect": {"hex": ""}},
    ],
)
def test_the_second_reader_says_what_it_answers_otherwise(wrong: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({"about": "", "cases": [wrong]}))
    done = run(path)
    assert done.returncode == 1
    assert "x: " in done.stdout
    assert "1 cases, 1 wrong" in done.stdout


def content_of(case: dict[str, Any]) -> bytes:
    asked = case["input"]
    return bytes.fromhex(asked["bytes"][2:]) if "bytes" in asked else asked["text"].encode()


DOCUMENTS = [
    case for case in CASES if {"text", "bytes"} & set(case["input"]) and case["check"] != "text form"
]
PIECES = [
    *(letter.encode() for letter in '\n ,:"\\{}[]01-.eE+\x00\x7fü'),
    *(b"", b"00", b"null", b"true", b"false", b"{}", b"[]", b'"a":1,', b"0x", b"creator", b"none", b"role-7"),
    *(b"1e400", b"9007199254740993", b"1e20", b"-0", b"0.5"),
    *(b"\\u00", b"\\ud800", b"\\u001F", b"\xff", b"\xed\xa0\x80"),
]


@settings(max_examples=500)
@given(
    st.sampled_from(DOCUMENTS),
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 12), st.sampled_from(PIECES)), max_size=3),
)
def test_both_readers_agree_on_altered_documents(
    case: dict[str, Any], changes: list[tuple[int, int, bytes]]
) -> None:
    content = content_of(case)
    for place, length, piece in changes:
        at = place % (len(content) + 1)
        content = content[:at] + piece + content[at + length :]
    ours, theirs = answers(altered(case, content))
    assert ours == theirs


@settings(max_examples=500)
@given(st.sampled_from(DOCUMENTS), st.integers(0, 40_000))
def test_both_readers_agree_when_one_bit_is_flipped(case: dict[str, Any], bit: int) -> None:
    content = bytearray(content_of(case))
    if content:
        content[bit // 8 % len(content)] ^= 1 << bit % 8
    ours, theirs = answers(altered(case, bytes(content)))
    assert ours == theirs


def altered(case: dict[str, Any], content: bytes) -> dict[str, Any]:
    asked = {name: value for name, value in case["input"].items() if name != "text"}
    return {**case, "input": {**asked, "bytes": hexed(content)}}


MEMBERS = [
    *(None, True, 0, 1, -1, 33, 256, 2**40, 0.5, 1e20),
    *("", "x", "none", "creator", "0x" + "00" * 32, "0x" + "00" * 20, "ab" * 20, "2026-01-05T09:30:00Z"),
    *([], [None], [{}], [1], ["none"], ["creator"], [["x"]], {}, {"a": 1}),
]


@settings(max_examples=500)
@given(st.sampled_from(DOCUMENTS), st.data())
def test_both_readers_agree_on_members_of_another_shape(case: dict[str, Any], data: st.DataObject) -> None:
    try:
        document = json.loads(content_of(case))
    except ValueError:
        return
    places = list(places_in(document))
    if not places:
        return
    for holder, name in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=2), label="places"):
        holder[name] = data.draw(st.sampled_from(MEMBERS), label="value")
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, UnicodeEncodeError):
        return
    changed = altered(case, text)
    if case["check"] == "sealed record":
        changed["input"]["commitment"] = commitment_of(document)
    ours, theirs = answers(changed)
    assert ours == theirs


def commitment_of(document: dict[str, Any]) -> str:
    """The commitment of whatever stands where a record should, so that only its shape decides."""
    try:
        key, record = second_reader.unshown(document["key"]), dict(document["record"])
        leaves = []
        for name in second_reader.FIELDS:
            salt = second_reader.derive(key, "proml/1/salt", name.encode())
            value = [record[name]] if name in record else []
            leaves.append(second_reader.field_leaf(salt, name, *value))
        return second_reader.shown(second_reader.root(leaves))
    except (Refused, KeyError, TypeError, ValueError):
        return "0x" + "00" * 32


def places_in(value: Any) -> Any:
    """Every (container, name or index) in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for name, inner in items:
        yield value, name
        yield from places_in(inner)
