"""`proml prove`: one metric of a run that was tracked, proven by one file, checked without the node."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from proml.cli.main import main
from proml.node.participant import Participant

SCRIPT = """
import proml
with proml.track("training") as run:
    for step in range(20):
        run.log({"loss": 1 / (step + 1), "accuracy": step / 20}, step=step)
    run.log({"checkpoint": "0xabc"}, step=19)
"""


@dataclass(frozen=True)
class Answer:
    returncode: int
    stdout: str
    stderr: str


def _proml(folder: Path, *arguments: str) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err):
        code = main(list(arguments))
    return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    assert _proml(folder, "init").returncode == 0
    try:
        subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, check=True)
        assert _proml(folder, "push").returncode == 0
        yield folder
    finally:
        _proml(folder, "ledger", "down")


def test_a_metric_is_proven_to_somebody_without_a_project(project: Path, tmp_path: Path) -> None:
    made = _proml(project, "prove", "training", "--step", "7", "-o", str(tmp_path / "m.proof"), "--json")
    assert made.returncode == 0, made.stderr
    document = json.loads(made.stdout)
    assert document["observation"]["metrics"] == {"loss": 0.125, "accuracy": 0.35}
    ledger = Participant.open(project).config.ledger_file
    pinned = ("--ledger", str(ledger), "--block", document["block hash"])
    checked = _proml(tmp_path, "verify", "m.proof", *pinned)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert '"loss": 0.125' in checked.stdout
    assert _proml(tmp_path, "verify", "m.proof").returncode == 3
    content = bytearray((tmp_path / "m.proof").read_bytes())
    content[-300] ^= 4
    (tmp_path / "flipped.proof").write_bytes(content)
    assert _proml(tmp_path, "verify", "flipped.proof", *pinned).returncode == 2


def test_what_is_not_meant_clearly_writes_no_file(project: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "m.proof")
    for arguments, says, code in (
        (("training",), "21 of 21 observations are like that", 2),
        (("training", "--step", "19"), "choose one by --number: 20, 21", 2),
        (("training", "--step", "99"), "none of the 21 observations", 4),
        (("training", "--metric", "los"), "none of the 21 observations", 4),
        (("trainin", "--step", "7"), "nothing here is called 'trainin'", 4),
    ):
        failed = _proml(project, "prove", *arguments, "-o", target)
        assert (failed.returncode, says in failed.stderr) == (code, True), failed.stderr
    assert list(tmp_path.iterdir()) == []
    assert _proml(project, "prove", "training", "--metric", "checkpoint", "-o", target).returncode == 0


def test_tensors_that_were_saved_again_are_told_apart_from_the_recorded_bytes(project: Path) -> None:
    weights = {"w": np.arange(6.0)}
    for name, metadata in (("model", None), ("again", {"format": "np"})):
        (project / f"{name}.safetensors").write_bytes(save(weights, metadata))
    (project / "other.safetensors").write_bytes(save({"w": np.arange(7.0)}))
    assert _proml(project, "register", "model.safetensors", "--kind", "dataset", "--push").returncode == 0
    assert _proml(project, "verify", "model.safetensors").returncode == 0

    again = _proml(project, "verify", "again.safetensors", "--json")
    assert again.returncode == 11
    document = json.loads(again.stdout)
    assert document["conclusion"] == "equal content, other bytes"
    assert document["checks"][0]["outcome"] == "equal content"
    assert _proml(project, "gate", "again.safetensors").returncode == 1
    assert _proml(project, "verify", "other.safetensors").returncode == 4
    assert _proml(project, "verify", "other.safetensors", "--as", "model.safetensors").returncode == 1
