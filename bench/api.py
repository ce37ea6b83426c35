"""Measures a node: how soon it answers, its memory when idle, how it answers readers at a steady rate.

python bench/api.py

The rate is offered whatever the answers take, and latency counts from when a request was due, so that a
slow answer is not hidden by the requests that waited behind it.
"""

import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proml.config import load
from proml.ledger.anvil import EmbeddedChain
from proml.node.founding import found_embedded, me, start_project
from proml.node.participant import Participant

ARTEFACTS = 200
OFFERED_PER_S = 500
SECONDS = 10
READERS = 8
PATHS = (
    "/api/v1/artefacts?most=20",
    "/api/v1/artefacts/{id}",
    "/api/v1/artefacts/{id}/history",
    "/api/v1/lately",
)


def measure() -> dict[str, float]:
    """Start a node on a project with some history, and ask it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        start_project(root, "Bench")
        config = load(root, {})
        found_embedded(config, [me(config)])
        own = Participant(config)
        for number in range(ARTEFACTS):
            own.register(None, "dependency", name=f"lib {number}")
        own.push()
        try:
            with running(root) as (process, port, started):
                memory = rss_mb(process.pid)
                rates = [at_full_speed(port) for _ in range(3)]
                latencies = offered(port)
        finally:
            EmbeddedChain(config.chain).down()
    return {
        "node_start_seconds": started,
        "node_idle_rss_mb": memory,
        "api_reads_per_s": statistics.median(rates),
        "api_read_p99_ms": 1000 * statistics.quantiles(latencies, n=100)[98],
    }


@contextmanager
def running(root: Path) -> Iterator[tuple[subprocess.Popen[str], int, float]]:
    """A node until the block ends: its process, its port, and the seconds until every duty was well."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "proml", "node", "up", "--port", "0", "--log", "error"]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = re.search(r":(\d+);", process.stdout.readline())
        assert said
        port = int(said[1])
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while ask(connection, "/readyz")[0] != 200 or not json.loads(ask(connection, PATHS[0])[1]).get(
            "rows"
        ):
            time.sleep(0.01)
        started = time.perf_counter() - began
        time.sleep(3)
        yield process, port, started
    finally:
        process.terminate()
        process.communicate()


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    """Status and body."""
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def paths(port: int) -> list[str]:
    """What to ask, with real ids."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    rows = json.loads(ask(connection, "/api/v1/artefacts?most=50")[1])["rows"]
    return [path.replace("{id}", row["id"]) for row in rows for path in PATHS]


def at_full_speed(port: int) -> float:
    """Answers a second, with as many readers as fit."""
    wanted, counts, end = paths(port), [0] * READERS, time.perf_counter() + 3

    def read(reader: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < end:
            assert ask(connection, wanted[counts[reader] % len(wanted)])[0] == 200
            counts[reader] += 1

    in_threads(read)
    return sum(counts) / 3


def offered(port: int) -> list[float]:
    """Seconds from when each request was due until it was answered."""
    wanted, began, latencies = paths(port), time.perf_counter() + 0.1, list[float]()

    def read(reader: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for number in range(reader, OFFERED_PER_S * SECONDS, READERS):
            due = began + number / OFFERED_PER_S
            time.sleep(max(0.0, due - time.perf_counter()))
            assert ask(connection, wanted[number % len(wanted)])[0] == 200
            latencies.append(time.perf_counter() - due)

    in_threads(read)
    return latencies


def in_threads(read) -> None:
    """Run every reader."""
    threads = [threading.Thread(target=read, args=(reader,)) for reader in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1000


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
