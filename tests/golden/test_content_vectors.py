"""Content digests never change: the files of docs/vectors/contents/ have those that stand beside them."""

import json
from pathlib import Path
from typing import Any

import pytest

from proml.capture.fingerprint import fingerprint
from proml.core.digest import hexed
from proml.extensions import formats
from tests.golden.own_libraries import READERS, content_digest

FOLDER = Path(__file__).parent.parent.parent / "docs" / "vectors" / "contents"
CASES = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))["cases"]
PAGE = (FOLDER.parent.parent / "format.md").read_text(encoding="utf-8")


def test_every_file_is_listed_and_every_format_has_some() -> None:
    assert {case["file"] for case in CASES} | {"expected.json"} == {path.name for path in FOLDER.iterdir()}
    assert {case["form"] for case in CASES} == set(formats())
    for form in formats():
        assert f"| `{form}` |" in PAGE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_a_file_has_the_digest_that_is_written_down(case: dict[str, Any]) -> None:
    said = fingerprint(FOLDER / case["file"]).content
    assert said is not None
    assert (said.form, hexed(said.digest)) == (case["form"], case["content"])
    alike = {each["content"] for each in CASES if (each["form"], each["group"]) == (case["form"], "alike")}
    assert (case["content"] in alike) == (case["group"] == "alike")
    assert len(alike) == 1


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["form"] in READERS], ids=lambda case: case["file"]
)
def test_the_formats_own_libraries_come_to_the_same(case: dict[str, Any]) -> None:
    assert content_digest(case["form"], FOLDER / case["file"]) == case["content"]
