"""Measures other tools in the same run as ours, and says how many times as long they take.

python bench/peers.py

They live in an environment of their own, build/peers, made from the hashed bench/peers.lock when it is
missing. A tool that cannot be installed or does not run is named, and its ratio is missing.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import capture
import hashing

from proml.capture.fingerprint import fingerprint, matches
from proml.capture.known import SETTLED_NS, Known
from proml.capture.run import subject_known

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / "build" / "peers"
PYTHON = PEERS / "bin" / "python"
LOCK = HERE / "peers.lock"
RUNS = 3
# Calls of each tool: enough for about half a second.
CALLS = {
    "mlflow_file": 1_000,
    "mlflow_sqlite": 200,
    "openlineage_file": 3_000,
    "wandb_offline": 3_000,
    "provlight_like": 5_000,
}
FOUR_GIB = 4 << 30


def measure() -> dict[str, float]:
    """Ratios: how many times as long another tool takes for the same; medians of runs taken in turns."""
    missing = "" if PYTHON.exists() else _install()
    if missing:
        print(f"peers are missing: {missing}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = _calls(folder)
        figures |= _hashes(folder)
        figures |= _unchanged(folder)
    return figures


def _install() -> str:
    """Make build/peers; returns what went wrong, if anything."""
    commands = (
        [sys.executable, "-m", "venv", str(PEERS)],
        [str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(LOCK)],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "installing them failed"
    return ""


def _peer(script: str, *arguments: object) -> float | None:
    """What a peer measured of itself, None when it could not."""
    command = [str(PYTHON), str(HERE / "peer" / script), *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROML")}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=600
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{arguments[0]} is missing: {error}", file=sys.stderr)
        return None
    lines = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("MEASURED ")]
    if done.returncode or not lines:
        why = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        print(f"{arguments[0]} is missing: {why[0]}", file=sys.stderr)
        return None
    return float(lines[-1])


def _calls(folder: Path) -> dict[str, float]:
    """`run.log` against other tools' calls, in turns; medians of single calls."""
    figures = {}
    for tool, count in CALLS.items():
        ours, theirs = [], []
        for number in range(RUNS):
            place = folder / f"{tool}{number}"
            place.mkdir()
            found = _peer("calls.py", tool, place, count)
            if found is None:
                break
            theirs.append(found)
            ours.append(capture.single_calls())
        if len(theirs) == RUNS:
            figures[f"{tool}_call_us"] = statistics.median(theirs)
            figures[f"log_call_vs_{tool}"] = statistics.median(theirs) / statistics.median(ours)
    return figures


def _hashes(folder: Path) -> dict[str, float]:
    few = hashing.files(folder / "few", 2_000, 1 << 20)
    many = hashing.files(folder / "many", 20_000, 4 << 10)
    large = folder / "large" / "model.bin"
    large.parent.mkdir()
    with large.open("wb") as stream:
        for _ in range(64):
            stream.write(os.urandom(FOUR_GIB // 64))
    expected = fingerprint(large).digest
    assert matches(large, expected)
    against = (
        ("hash_vs_model_signing_2000x1MiB", "model_signing", few, lambda: fingerprint(few)),
        ("hash_vs_model_signing_20000x4KiB", "model_signing", many, lambda: fingerprint(many)),
        ("hash_vs_dvc_20000x4KiB", "dvc", many, lambda: fingerprint(many)),
        ("verify_4GiB_vs_model_signing", "model_signing", large, lambda: matches(large, expected)),
    )
    figures = {}
    for name, tool, path, ours in against:
        theirs, own = [], []
        for _ in range(RUNS):
            found = _peer("hashes.py", tool, path)
            if found is None:
                break
            theirs.append(found)
            own += [_seconds(ours), _seconds(ours)]
        if len(theirs) == RUNS:
            # The best of each: what the machine does besides only ever adds.
            figures[name] = min(theirs) / min(own)
    large.unlink()
    return figures


def _unchanged(folder: Path) -> dict[str, float]:
    """Recording an unchanged tree of 20,000 files again, against asking for the state of each."""
    many, known = folder / "many", Known(folder / "known")
    time.sleep(SETTLED_NS / 1e9)
    subject_known(many, known)
    pairs = [_seconds(lambda: subject_known(many, known)) / _seconds(lambda: _walk(many)) for _ in range(9)]
    return {"rehash_unchanged_vs_walk_stat": statistics.median(pairs)}


def _walk(root: Path) -> None:
    folders = [str(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)


def _seconds(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
