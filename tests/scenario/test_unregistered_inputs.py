"""A run that reads what nobody registered: allowed, and said where the one who pushes cannot miss it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Proml = Callable[..., str]


@pytest.fixture
def proml(tmp_path: Path) -> Iterator[Proml]:
    """Runs `proml …` in a project of its own and gives what it prints."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "proml", *arguments],
            cwd=tmp_path,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("init")
    yield run
    run("ledger", "down")


def test_a_push_names_the_inputs_that_no_recall_reaches(proml: Proml, tmp_path: Path) -> None:
    for name in ("known.csv", "found[red].csv"):
        (tmp_path / name).write_text(name)
    proml("register", "known.csv", "--kind", "dataset")
    proml("act", "approve", "known.csv", "--push")

    proml("exec", "--name", "clean", "--used", "known.csv", "--", "true")
    proml("exec", "--name", "blind", "--used", "known.csv", "--used", "found[red].csv", "--", "true")
    told = json.loads(proml("push", "--json"))
    assert told["unregistered"] == {"finish run blind": ["found[red].csv"]}

    proml("exec", "--name", "again", "--used", "found[red].csv", "--", "true")
    assert "finish run again rests on what nobody registered" in proml("push")
