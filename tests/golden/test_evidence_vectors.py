"""Two readers of docs/evidence-format.md agree on every vector, and on what comes of altered ones."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proml.contracts.shipped import artefacts_contract
from proml.core.digest import hexed, sha256, unhexed
from proml.core.document import canonical
from proml.core.verdict import Conclusion, Verdict
from proml.errors import RecordInvalid, WrongLedger
from proml.interfaces import Terms
from proml.lifecycles import shipped
from proml.trust import Profile
from proml.verify import Pins, check_evidence, read_evidence
from tests.golden.second_evidence import findings
from tests.golden.second_json import Refused

FOLDER = Path(__file__).parent.parent.parent / "docs" / "vectors" / "evidence"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
CASES = EXPECTED["cases"]
TERMS = Terms(
    **{
        name: value if isinstance(value, int) else unhexed(value, len(value) // 2 - 1)
        for name, value in EXPECTED["terms"].items()
    }
)


def pins(case: dict[str, Any]) -> Pins:
    return Pins(TERMS, unhexed(case["block"]), profiles())


def profiles() -> dict[int, Profile]:
    body = json.loads((FOLDER / "valid.json").read_bytes())["evidence"]
    return {each["number"]: Profile(each["name"], unhexed(each["salt"])) for each in body["organisations"]}


def ours(content: bytes, case: dict[str, Any]) -> Verdict | None:
    try:
        digest = unhexed(case["digest"]) if case["digest"] else None
        return check_evidence(content, pins(case), shipped(), digest)
    except (RecordInvalid, WrongLedger):
        return None


def theirs(content: bytes) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = findings(content)
    except Refused:
        return None
    return found


def test_the_vectors_are_of_the_contract_that_is_shipped() -> None:
    # Otherwise: python -m tests.golden.make_evidence
    assert EXPECTED["terms"]["code"] == hexed(artefacts_contract().code_digest)
    assert {case["file"] for case in CASES} | {"expected.json"} == {path.name for path in FOLDER.iterdir()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_both_readers_find_what_the_vectors_say(case: dict[str, Any]) -> None:
    content = (FOLDER / case["file"]).read_bytes()
    if case.get("refused"):
        with pytest.raises(RecordInvalid):
            check_evidence(content, Pins(), shipped())
        assert theirs(content) is None
        return
    verdict = ours(content, case)
    assert verdict is not None
    assert [check.outcome.value for check in verdict.checks] == case["outcomes"]
    assert verdict.conclusion.value == case["conclusion"]
    assert read_evidence(content).content == content
    if case.get("contradicted"):
        assert verdict.conclusion is Conclusion.INVALID
        assert theirs(content) is None
    else:
        assert theirs(content) == {"heads": case["heads"], "words": case["words"]}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from leaves(item, (*path, name))
    if not isinstance(value, dict | list):
        yield path


def altered(body: dict[str, Any], path: tuple[Any, ...]) -> bytes:
    other = copy.deepcopy(body)
    at = other
    for name in path[:-1]:
        at = at[name]
    value = at[path[-1]]
    if isinstance(value, str):
        at[path[-1]] = value[:-1] + ("0" if value[-1:] != "0" else "1")
    else:
        at[path[-1]] = not value if isinstance(value, bool) else value + 1
    raw = canonical(other)
    return b'{"digest":"%s","evidence":%s}' % (hexed(sha256(raw)).encode(), raw)


@pytest.mark.parametrize("name", ["valid.json", "single.json"])
def test_what_one_reader_refuses_the_other_does_not_call_valid(name: str) -> None:
    case = next(case for case in CASES if case["file"] == name)
    body = json.loads((FOLDER / case["file"]).read_bytes())["evidence"]
    stricter = set()
    for path in list(leaves(body))[::4]:  # the second reader is short rather than quick
        content = altered(body, path)
        verdict, found = ours(content, case), theirs(content)
        if found is None:
            assert verdict is None or verdict.conclusion is not Conclusion.VALID, path
        elif verdict is None:
            stricter.add(path[:1])
    # What only the rules of the contract can tell, or the pins, which the second reader does not know.
    assert stricter <= {("terms",), ("events",), ("organisations",)}
