"""`proml journal status | verify | repair` over journals in every state, through the command itself."""

import io
import json
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from proml.cli.main import main
from proml.journal import Journal, files


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / ".proml").mkdir()
    with chdir(tmp_path):
        yield tmp_path


def proml(*arguments: str) -> tuple[int, Any, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["journal", *arguments, "--json"])
    return code, json.loads(out.getvalue()), err.getvalue()


def journal(project: Path) -> Path:
    return project / ".proml" / "journal"


def written(project: Path, *payloads: bytes) -> Path:
    with Journal(journal(project)) as opened:
        for payload in payloads:
            opened.append(payload)
    return files(journal(project))[-1]


def states(found: list[dict[str, Any]]) -> list[tuple[int, bool, str]]:
    return [(row["entries"], row["sound"], row["found"]) for row in found]


def test_an_empty_project_has_nothing_to_verify_or_repair(project: Path) -> None:
    assert proml("verify") == (0, [], "")
    assert proml("repair") == (0, {"left as they are": [], "set aside": []}, "")
    code, status, _ = proml("status")
    assert (code, status["files"], status["not taken in yet"]) == (0, 0, 0)


def test_damage_is_told_set_aside_and_told_no_more(project: Path) -> None:
    sound, torn = written(project, b"1", b"2"), written(project, b"3")
    with torn.open("ab") as stream:
        stream.write(b"to")
    whole = sound.read_bytes()
    code, found, _ = proml("verify")
    assert code == 1
    assert states(found) == [(2, True, "complete"), (1, False, "the frame is cut short")]

    code, repaired, _ = proml("repair")
    assert code == 0
    (aside,) = repaired["set aside"]
    assert Path(aside).read_bytes() == b"to"
    assert sound.read_bytes() == whole

    assert proml("verify")[0] == 0
    assert proml("repair") == (0, {"left as they are": [], "set aside": []}, "")


def test_a_file_that_is_being_written_is_left_to_its_writer(project: Path) -> None:
    opened = Journal(journal(project))
    opened.append(b"1")
    (file,) = files(journal(project))
    with file.open("ab") as stream:
        stream.write(b"half a fra")
    code, found, _ = proml("verify")
    assert (code, states(found)) == (0, [(1, True, "being written")])
    assert proml("repair")[1] == {"left as they are": [], "set aside": []}
    assert file.read_bytes().endswith(b"half a fra")
    opened.close()


def test_a_newer_journal_is_named_and_left_as_it_is(project: Path) -> None:
    file = written(project, b"1")
    raw = bytearray(file.read_bytes())
    raw[8] = 9
    file.write_bytes(raw)
    assert proml("verify")[0] == 1
    code, repaired, _ = proml("repair")
    assert code == 7
    assert "is a journal of version 9" in repaired["left as they are"][0]
    assert file.read_bytes() == raw


def test_status_counts_what_no_push_has_seen(project: Path) -> None:
    written(project, b'{"draft":1}', b'{"draft":2}')
    code, status, _ = proml("status")
    assert (code, status["files"], status["not taken in yet"]) == (0, 1, 2)
