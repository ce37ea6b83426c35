"""One project, two keys of its organisation: each counts its own transactions."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Proml = Callable[..., Any]


@pytest.fixture
def proml(tmp_path: Path) -> Iterator[Proml]:
    """Runs `proml … --json` in a project of its own, by the key named first."""

    def run(key: str, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "proml", *arguments, "--json"],
            cwd=tmp_path,
            env={**os.environ, "PROML_KEY": key},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    run("default", "init")
    yield run
    run("default", "ledger", "down")


def test_a_project_that_changes_its_key_goes_on_publishing_with_either(proml: Proml, tmp_path: Path) -> None:
    (tmp_path / "digits.csv").write_text("1,2\n")
    proml("default", "register", "digits.csv", "--kind", "dataset", "--push")
    proml("default", "key", "new", "laptop")
    proml("default", "key", "add", "laptop")
    proml("laptop", "act", "amend", "digits.csv", "--push")
    proml("default", "act", "approve", "digits.csv", "--push")

    signed = [step["key"] for step in proml("default", "show", "digits.csv")["history"]]
    addresses = {key["name"]: key["address"] for key in proml("default", "key", "list")}
    assert signed == [addresses["default"], addresses["laptop"], addresses["default"]]
