"""`proml node up` as people use it: a process over the embedded chain; other commands run in this one."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from proml.cli.main import main
from tests.server.place import until

Proml = Callable[..., tuple[int, str]]


@pytest.fixture
def proml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Proml:
    """Runs a command in a folder below this test's; gives its exit code and all that it said."""

    def run(*words: str, within: str = ".") -> tuple[int, str]:
        monkeypatch.chdir(tmp_path / within)
        code = main([*words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@contextmanager
def node(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "proml", "node", "up", "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )
    try:
        assert process.stdout is not None
        said = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert said, process.communicate(timeout=20)
        yield process, said[0]
    finally:
        process.kill()
        process.communicate()


def test_one_command_publishes_answers_and_stops_cleanly_and_what_it_keeps_is_restored(
    tmp_path: Path, proml: Proml
):
    assert proml("init")[0] == 0
    assert proml("ledger", "down")[0] == 0
    assert proml("node", "status") == (
        12,
        "proml: no node of this project runs\n  hint: `proml node up` starts one\n",
    )
    (tmp_path / "table.csv").write_text("1,2\n")
    with node(tmp_path) as (process, url):
        assert httpx2.get(f"{url}/healthz").status_code == 200
        until(lambda: httpx2.get(f"{url}/readyz").status_code == 200)
        assert proml("register", "table.csv", "--kind", "dataset")[0] == 0
        until(lambda: httpx2.get(f"{url}/api/v1/index").json()["steps"] == 1)
        code, said = proml("node", "status", "--json")
        assert (code, json.loads(said)["organisation"]) == (0, "me")
        code, said = proml("node", "up")
        assert (code, url in said) == (10, True)
        assert proml("node", "backup", "b.tar")[0] == 0
        assert proml("node", "fsck")[0] == 0
        process.send_signal(signal.SIGINT)
        output, log = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "stopped" in output
        assert "Traceback" not in log
        assert '"outcome": "done"' in log
    # The chain was down before, so it is down again.
    assert '"running": false' in proml("ledger", "status", "--json")[1]
    assert proml("node", "restore", "b.tar", "again")[0] == 0
    shutil.copytree(tmp_path / ".proml" / "keys", tmp_path / "again" / ".proml" / "keys")
    assert json.loads(proml("log", "--json", within="again")[1])[0]["name"] == "table.csv"
    # It has no index yet; everything else is as the ledger has it.
    assert proml("node", "rebuild-index", within="again")[0] == 0
    assert proml("node", "fsck", within="again")[0] == 0
    assert proml("ledger", "down", within="again")[0] == 0


@pytest.mark.parametrize("words", [("--port", "0"), ("--port", "99999"), ("--log", "loud")])
def test_without_a_project_or_with_a_typing_error_one_sentence_says_so(proml: Proml, words: tuple[str, ...]):
    code, said = proml("node", "up", *words)
    assert (code, "Traceback" in said) == (2, False)


def test_without_a_ledger_nothing_starts(proml: Proml):
    assert proml("init", "--no-ledger")[0] == 0
    code, said = proml("node", "up", "--port", "0")
    assert (code, "no ledger yet" in said) == (5, True)


def test_a_token_is_shown_once_listed_and_revoked(tmp_path: Path, proml: Proml):
    (tmp_path / ".proml").mkdir()
    code, said = proml("node", "token", "create", "ci", "--scope", "record", "--json")
    made = json.loads(said)
    assert (code, made["scopes"]) == (0, ["record"])
    assert made["token"] not in proml("node", "token", "list")[1]
    assert proml("node", "token", "revoke", made["id"])[0] == 0
    assert "revoked" in proml("node", "token", "list")[1]
    assert proml("node", "token", "revoke", "nobody")[0] == 4
    assert proml("node", "token", "create", "ci", "--scope", "all")[0] == 2
