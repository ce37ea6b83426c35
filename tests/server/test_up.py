"""`proml node up` as people use it: a process over the embedded chain."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.server.place import until


def proml(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proml", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


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


def test_one_command_publishes_what_is_recorded_answers_and_stops_cleanly(tmp_path: Path):
    assert proml(tmp_path, "init").returncode == 0
    assert proml(tmp_path, "ledger", "down").returncode == 0
    (tmp_path / "table.csv").write_text("1,2\n")
    with node(tmp_path) as (process, url):
        assert httpx2.get(f"{url}/readyz").status_code == 200
        assert proml(tmp_path, "register", "table.csv", "--kind", "dataset").returncode == 0
        until(lambda: httpx2.get(f"{url}/api/v1/state").json()["ledger"]["block"] > 1)
        second = proml(tmp_path, "node", "up")
        assert (second.returncode, url in second.stderr) == (10, True)
        process.send_signal(signal.SIGINT)
        output, log = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "stopped" in output
        assert "Traceback" not in log
        assert '"outcome": "done"' in log
    # The chain was down before, so it is down again.
    assert '"running": false' in proml(tmp_path, "ledger", "status", "--json").stdout


@pytest.mark.parametrize("words", [("--port", "0"), ("--port", "99999"), ("--log", "loud")])
def test_without_a_project_or_with_a_typing_error_one_sentence_says_so(
    tmp_path: Path, words: tuple[str, ...]
):
    done = proml(tmp_path, "node", "up", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_a_ledger_nothing_starts(tmp_path: Path):
    assert proml(tmp_path, "init", "--no-ledger").returncode == 0
    done = proml(tmp_path, "node", "up", "--port", "0")
    assert (done.returncode, "no ledger yet" in done.stderr) == (5, True)
