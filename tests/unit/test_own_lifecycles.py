"""Lifecycle files as people write them, and what the commands about them answer."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from proml.cli.main import main
from proml.core.lifecycle_file import read_lifecycle
from proml.errors import LifecycleInvalid, NotFound, UsageProblem
from proml.lifecycles import supplied
from proml.lifecycles.own import MAX_BYTES, keep, kept, read_written
from tests.unit.core.test_lifecycle_file import FILE, changed, transition

PAGE = Path(__file__).resolve().parents[2] / "docs" / "lifecycles.md"
(EXAMPLE,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROML_PROJECT", raising=False)


def write(content: str | bytes | dict[str, Any], name: str = "own.json") -> Path:
    path = Path(name)
    if isinstance(content, dict):
        content = json.dumps(content, indent=2)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["lifecycle", *arguments])
    said = capsys.readouterr()
    return code, said.out + said.err


# --- reading ----------------------------------------------------------------------------------


def test_toml_and_json_of_one_lifecycle_have_one_id() -> None:
    toml = read_written(write(EXAMPLE, "release.toml")).examined.lifecycle
    again = read_written(write(json.dumps(tomllib.loads(EXAMPLE)), "release.json")).examined.lifecycle
    assert toml is not None
    assert again is not None
    assert toml.table.id == again.table.id
    assert toml.document == again.document


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("own.json", "", "not JSON: Expecting value: line 1 column 1"),
        ("own.json", '{\n"type": 1,\n}', "line 3 column 1"),
        ("own.json", '{"a":1,"a":2}', "two members of one name"),
        ("own.json", '{"a": NaN}', "NaN is not a JSON number"),
        ("own.json", "[]", "not a JSON object"),
        ("own.json", b"\xff\xfe{}", "decode"),
        ("own.json", "[" * 5000, "nested too deeply"),
        ("own.json", "{}" + " " * MAX_BYTES, f"more than {MAX_BYTES} bytes"),
        ("own.toml", "kind = \n", "line 1, column 8"),
        ("own.toml", "a = 1\na = 2\n", "Cannot overwrite a value"),
        ("own.toml", "made = 2026-01-01\n", "date"),
        ("own.toml", "a = inf\n", "infinities have no JSON form"),
        ("own.toml", "a = 9007199254740993\n", "an integer is beyond"),
        ("own.toml", b"a = '\xff'", "decode"),
        ("own.toml", "a = " + "[" * 5000, ""),
        ("own.yaml", "kind: release\n", "is YAML, which is not read here"),
        ("own.yml", "kind: release\n", "write it as JSON or TOML"),
    ],
)
def test_what_is_no_json_or_toml_gets_one_clear_sentence(
    name: str, content: str | bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(content, name)
    code, said = told(capsys, "check", name)
    assert code == 2
    assert said.startswith(f"proml: {name} ")
    assert words in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["missing.json", ".", "pipe"])
def test_what_is_no_file_is_not_waited_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("pipe")
    code, said = told(capsys, "check", name)
    assert code == NotFound.exit_code
    assert name in said


# --- check ------------------------------------------------------------------------------------


def test_all_problems_are_listed_with_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    file = changed(usable=["publc"])
    file["transitions"][1]["roles"] = ["verifyer"]
    path = write(file)
    lines = path.read_text().splitlines()
    code, said = told(capsys, "check", str(path))
    assert code == 1
    for word, way in (("publc", "usable 1"), ("verifyer", "transitions 2, roles 1")):
        (line,) = [number for number, text in enumerate(lines, 1) if word in text]
        assert f"line {line}: {way}" in said
    assert "2 problem(s)" in said


def test_a_toml_file_is_corrected_by_its_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = EXAMPLE.replace('to = "public"', 'to = "publik"').replace('kind = "release"', 'kind = "Release"')
    write(wrong, "own.toml")
    code, said = told(capsys, "check", "own.toml")
    assert code == 1
    headers = [number for number, text in enumerate(wrong.splitlines(), 1) if text == "[[transitions]]"]
    assert f"line {headers[2]}: transitions 3, to" in said
    (kind,) = [number for number, text in enumerate(wrong.splitlines(), 1) if '"Release"' in text]
    assert f"line {kind}: kind" in said


@pytest.mark.parametrize(
    "file",
    [
        changed(states=["none", *(f"s{number}" for number in range(64))]),
        changed(kind="\x1b[2J\u202e"),
        changed(states=["none", "[red]draft[/]"]),
        transition(0, roles=["\x1b]0;gone\x07"]),
        changed(transitions=FILE["transitions"] * 50),
        changed(transitions=[None, 1, "x", [], {}]),
    ],
)
def test_hostile_tables_get_sentences_and_nothing_else(
    file: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = told(capsys, "check", str(write(file)))
    assert code == 1
    assert "problem(s)" in said
    assert all(character.isprintable() or character == "\n" for character in said)


def test_a_sound_file_is_drawn_and_its_required_steps_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    write(EXAMPLE, "release.toml")
    code, said = told(capsys, "check", "release.toml", "--svg", "r.svg", "--mermaid", "r.mmd")
    assert code == 0
    assert "publish   build, test" in said
    assert "release can be proposed" in said
    assert Path("r.svg").read_text().startswith("<svg")
    assert Path("r.mmd").read_text().startswith("stateDiagram-v2")


def test_a_broken_file_is_not_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = told(capsys, "check", str(write(changed(states=["none"]))), "--svg", "r.svg")
    assert code == 1
    assert not Path("r.svg").exists()


def test_a_program_gets_the_problems_as_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = told(capsys, "check", str(write(transition(0, roles=["author"]))), "--json")
    document = json.loads(said)
    assert code == 1
    assert document["id"] is None
    assert [each["text"] for each in document["problems"]] == ["unknown role 'author'"]


# --- show, list, diff -------------------------------------------------------------------------


def test_a_lifecycle_is_shown_by_its_kind_or_id(capsys: pytest.CaptureFixture[str]) -> None:
    (model,) = [each for each in supplied() if each.kind == "model"]
    code, by_kind = told(capsys, "show", "model")
    assert code == 0
    assert "deploy     propose, evaluate, approve, hand_over" in by_kind
    assert told(capsys, "show", f"0x{model.table.id.hex()[:8]}") == (0, by_kind)
    assert told(capsys, "show", "modle")[0] == NotFound.exit_code


def test_the_json_of_a_lifecycle_is_the_file_its_digest_is_of(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = told(capsys, "show", "dataset", "--format", "json")
    assert code == 0
    assert read_lifecycle(said.encode()) in supplied()


def test_the_list_says_that_nothing_is_admitted_where_there_is_no_ledger(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, said = told(capsys, "list", "--json")
    assert code == 0
    assert [each["kind"] for each in json.loads(said)] == [each.kind for each in supplied()]
    assert {each["number"] for each in json.loads(said)} == {None}


def test_a_difference_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    write(FILE, "old.json")
    write(transition(2, approve=None), "new.json")
    code, said = told(capsys, "diff", "old.json", "new.json")
    assert code == 1
    assert "~ publish in draft: only if" in said
    assert told(capsys, "diff", "old.json", "old.json") == (0, "they decide alike\n")


# --- keeping ----------------------------------------------------------------------------------


def test_a_kept_lifecycle_is_found_again(tmp_path: Path) -> None:
    lifecycle = read_lifecycle(json.dumps(FILE).encode())
    assert kept(tmp_path / "lifecycles") == ()
    keep(tmp_path / "lifecycles", lifecycle)
    keep(tmp_path / "lifecycles", lifecycle)
    assert kept(tmp_path / "lifecycles") == (lifecycle,)


def test_a_lifecycle_that_is_added_later_is_seen_by_whoever_looked_before(tmp_path: Path) -> None:
    first = read_lifecycle(json.dumps(FILE).encode())
    second = read_lifecycle(json.dumps(changed(about="Otherwise.")).encode())
    keep(tmp_path, first)
    assert kept(tmp_path) == (first,)
    keep(tmp_path, second)
    assert set(kept(tmp_path)) == {first, second}


def test_a_damaged_kept_file_is_named(tmp_path: Path) -> None:
    path = keep(tmp_path, read_lifecycle(json.dumps(FILE).encode()))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LifecycleInvalid, match=path.name):
        kept(tmp_path)


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "lifecycles").write_text("in the way")
    with pytest.raises(UsageProblem, match="cannot be written"):
        keep(tmp_path / "lifecycles", read_lifecycle(json.dumps(FILE).encode()))
    assert [path.name for path in tmp_path.iterdir()] == ["lifecycles"]
