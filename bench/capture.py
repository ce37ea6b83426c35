"""Measures what tracking costs a training script, and how long the command line takes to start.

python bench/capture.py
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from proml.capture.run import Run
from proml.config import Config

RUNS = 5
CALLS = 50_000
STARTS = 15
GROWING = """
import sys, tempfile
from pathlib import Path
from proml.capture.run import Run
from proml.config import Config

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

count = int(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    run = Run("bench", Config(Path(folder), environment=False)).start()
    for step in range(20_000):
        run.log({"loss": 1 / (step + 1)}, step=step)
    before = held()
    for step in range(count):
        run.log({"loss": 1 / (step + 1)}, step=step)
    print((held() - before) / count)
    run.finish()
"""


def measure() -> dict[str, float]:
    """Mean and 99th percentile in µs of `run.log` on the calling thread; starts of processes in ms.

    Medians of several runs. `import_proml_ms` and `cli_help_ms` are whole processes; the former less what
    Python itself takes to start.
    """
    means, tails = zip(*(logged() for _ in range(RUNS)), strict=True)
    bare, imported = alternating(["-c", "pass"], ["-c", "import proml"])
    (helped,) = alternating(["-m", "proml", "--help"])
    return {
        "log_call_mean_us": statistics.median(means),
        "log_call_p99_us": statistics.median(tails),
        "training_slowdown_percent": slowdown(),
        "memory_growth_bytes_per_record": growth(),
        "python_start_ms": bare,
        "import_proml_ms": imported - bare,
        "cli_help_ms": helped,
    }


def logged() -> tuple[float, float]:
    """Mean and 99th percentile of `run.log({"loss": …, "accuracy": …}, step=…)`, in µs.

    The mean is that of an uninterrupted loop, less the loop itself; the percentile comes of a second loop
    in which each call is timed by itself.
    """
    clock = time.perf_counter_ns
    with tempfile.TemporaryDirectory() as folder:
        run = Run("bench", Config(Path(folder), environment=False)).start()
        log = run.log
        for step in range(1_000):
            log({"loss": 0.123456789, "accuracy": 0.987}, step=step)
        took = loop(lambda step: log({"loss": 0.123456789, "accuracy": 0.987}, step=step))
        idle = loop(lambda step: {"loss": 0.123456789, "accuracy": step})
        single = [0] * CALLS
        for step in range(CALLS):
            before = clock()
            log({"loss": 0.123456789, "accuracy": 0.987}, step=step)
            single[step] = clock() - before
        run.finish()
        assert run.missed == 0
    single.sort()
    return (took - idle) / 1_000, single[CALLS * 99 // 100] / 1_000


def slowdown(steps: int = 600, milliseconds: float = 10.0) -> float:
    """By how much a training step of 10 ms takes longer when it is logged, in percent; never below 0.

    Steps with and without a call take turns, so that whatever else the machine does falls on both;
    compared is the time that a quarter of them stay below, which other programs disturb least.
    """
    rounds = calibrated(milliseconds / 1_000)
    took: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as folder:
        run = Run("bench", Config(Path(folder), environment=False)).start()
        for step in range(steps):
            before = time.perf_counter()
            digest = train(rounds)
            if step % 2:
                run.log({"loss": digest / 255, "accuracy": 0.987}, step=step)
            took[step % 2].append(time.perf_counter() - before)
        run.finish()
    plain, tracked = (statistics.quantiles(each, n=4)[0] for each in took)
    return max(0.0, (tracked - plain) / plain * 100)


def train(rounds: int) -> int:
    """Work of a fixed size."""
    state = b"weights"
    for _ in range(rounds):
        state = hashlib.sha256(state).digest()
    return state[0]


def calibrated(seconds: float) -> int:
    """How many rounds of `train` take so long."""
    before = time.perf_counter()
    train(20_000)
    return max(1, int(20_000 * seconds / (time.perf_counter() - before)))


def growth(records: int = 200_000) -> float:
    """Bytes by which a process of its own grows for each record it logs, after the first 20,000."""
    done = subprocess.run(
        [sys.executable, "-c", GROWING, str(records)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def single_calls() -> float:
    """Median in µs of `run.log` calls that are timed one by one."""
    clock = time.perf_counter_ns
    with tempfile.TemporaryDirectory() as folder:
        run = Run("bench", Config(Path(folder), environment=False)).start()
        took = []
        for step in range(CALLS // 5):
            before = clock()
            run.log({"loss": 0.123456789, "accuracy": 0.987}, step=step)
            took.append(clock() - before)
        run.finish()
    return statistics.median(took) / 1_000


def loop(call: Callable[[int], object]) -> float:
    """Mean duration of a call in ns."""
    before = time.perf_counter_ns()
    for step in range(CALLS):
        call(step)
    return (time.perf_counter_ns() - before) / CALLS


def alternating(*commands: list[str]) -> list[float]:
    """Median duration in ms of each command as a process of its own, taken in turns."""
    took: list[list[float]] = [[] for _ in commands]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    for _ in range(STARTS):
        for command, durations in zip(commands, took, strict=True):
            before = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True, env=environment)
            durations.append((time.perf_counter() - before) * 1_000)
    return [statistics.median(durations) for durations in took]


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
