"""Measures what tracking costs a training script, and how long the command line takes to start.

python bench/capture.py
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

from proml.capture.run import Run
from proml.config import Config

RUNS = 5
CALLS = 50_000
STARTS = 15


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
