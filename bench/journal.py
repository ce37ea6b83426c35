"""Measures one append to the journal on the calling thread.

python bench/journal.py
"""

import json
import statistics
import tempfile
import threading
import time
from pathlib import Path

from proml.journal import Journal

RUNS = 5
CALLS = 100_000
PAYLOAD = json.dumps(
    {
        "type": "observation",
        "run": "0x1f9c3a77",
        "step": 12345,
        "metrics": {"loss": 0.123456789, "accuracy": 0.987},
    }
).encode()


def measure() -> dict[str, float]:
    """Mean and 99th percentile in µs of a plain append of about 100 bytes; durable appends per second.

    Medians of several runs. Each call is timed by itself; the time that reading the clock takes is
    measured the same way and taken off the mean.
    """
    means, tails = [], []
    for _ in range(RUNS):
        mean, tail = plain_appends()
        means.append(mean)
        tails.append(tail)
    return {
        "log_append_mean_us": statistics.median(means),
        "log_append_p99_us": statistics.median(tails),
        "log_append_durable_per_s": statistics.median(durable_appends() for _ in range(RUNS)),
        "durable_records_per_s": statistics.median(durable_together() for _ in range(RUNS)),
    }


def plain_appends() -> tuple[float, float]:
    """Mean and 99th percentile of a plain append, in µs."""
    clock = time.perf_counter_ns
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder)) as journal:
        append = journal.append
        for _ in range(1_000):
            append(PAYLOAD)
        took = [0] * CALLS
        for call in range(CALLS):
            before = clock()
            append(PAYLOAD)
            took[call] = clock() - before
        idle = [0] * CALLS
        for call in range(CALLS):
            before = clock()
            idle[call] = clock() - before
    took.sort()
    return (sum(took) - sum(idle)) / CALLS / 1_000, took[CALLS * 99 // 100] / 1_000


def durable_appends(calls: int = 500) -> float:
    """Durable appends per second from one thread, each waiting for its own fdatasync."""
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder), durable=True) as journal:
        journal.append(PAYLOAD)
        before = time.perf_counter()
        for _ in range(calls):
            journal.append(PAYLOAD)
        return calls / (time.perf_counter() - before)


def durable_together(threads: int = 32, calls: int = 100) -> float:
    """Durable appends per second of many threads at once, which share a sync: group commit."""
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder), durable=True) as journal:
        journal.append(PAYLOAD)
        workers = [
            threading.Thread(target=lambda: [journal.append(PAYLOAD) for _ in range(calls)])
            for _ in range(threads)
        ]
        before = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return threads * calls / (time.perf_counter() - before)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
