"""Many training scripts at once, one node, one chain: is every record there, once, and in order?

    python -m tests.load.crowd --records 20000 --writers 20
    python -m tests.load.crowd --records 1000000 --writers 200 --folder /somewhere/empty

Each writer is a process that tracks a run and logs in it as any script does. One more process publishes what
is recorded as it is recorded. In the end chain and storage are read by a bystander and compared with what the
writers say they logged.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import proml
from proml.core.digest import sha256
from proml.core.event import Anchored
from proml.core.proof import open_batch
from proml.errors import RecordInvalid
from proml.ledger.anvil import EmbeddedChain
from proml.node.outbox import INVALID, REFUSED, open_outbox
from proml.node.participant import Participant
from proml.node.watching import publish_until

LOOK_SECONDS = 0.5
PAGE_KB = resource.getpagesize() // 1024
PROML = Path(sys.executable).with_name("proml")


@dataclass(frozen=True, slots=True)
class Report:
    """What a crowd came to; times in seconds, memory of the publishing process in MiB."""

    records: int
    writers: int
    writing_seconds: float
    publishing_seconds: float
    records_per_second: float
    anchors: int
    transactions: int
    memory_half: int
    memory_end: int
    lost: int
    doubled: int
    out_of_order: int


def run(folder: Path, records: int, writers: int) -> Report:
    """Let so many writers record so many records in all, publish them meanwhile, and compare."""
    subprocess.run([PROML, "init", "--organisation", "crowd"], cwd=folder, check=True, capture_output=True)
    with (folder / ".proml" / "config.toml").open("a") as config:
        config.write("\nenvironment = false\n")
    try:
        return _run(folder, records, writers)
    finally:
        EmbeddedChain(folder / ".proml" / "chain").down()


def _run(folder: Path, records: int, writers: int) -> Report:
    began = time.monotonic()
    each, more = divmod(records, writers)
    children = [_write(folder, each + (number < more)) for number in range(writers)]
    publisher = _publish(folder)
    memory: list[int] = []
    for child in children:
        assert os.waitpid(child, 0)[1] == 0, "a writer failed"
        memory.append(_memory(publisher))
    wrote = time.monotonic()
    while not _is_done(folder, writers):
        assert os.waitpid(publisher, os.WNOHANG)[0] == 0, "the publisher ended"
        memory.append(_memory(publisher))
        time.sleep(LOOK_SECONDS)
    done = time.monotonic()
    os.kill(publisher, signal.SIGTERM)
    os.waitpid(publisher, 0)
    seen, in_order, anchors = _read(folder)
    missing = Counter({number: each + (number < more) for number in range(writers)})
    me = Participant.open(folder)
    with open_outbox(me.config.outbox) as outbox:
        transactions = outbox.count_txs("final")
        assert outbox.count(REFUSED) == outbox.count(INVALID) == 0
    return Report(
        records,
        writers,
        round(wrote - began, 1),
        round(done - began, 1),
        round(records / (done - began), 1),
        anchors,
        transactions,
        max(memory[: len(memory) // 2] or memory) * PAGE_KB // 1024,
        max(memory) * PAGE_KB // 1024,
        lost=sum(max(0, count - seen[number]) for number, count in missing.items()),
        doubled=sum(max(0, seen[number] - count) for number, count in missing.items()),
        out_of_order=0 if in_order else 1,
    )


_numbers = iter(range(1 << 30))


def _write(folder: Path, count: int) -> int:
    """A process that tracks a run and logs so many times in it; returns its id."""
    number = next(_numbers)
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ["PROML_PROJECT"] = str(folder)
        with proml.track("train", parameters={"writer": number}) as tracked:
            for step in range(count):
                tracked.log({"loss": 1 / (1 + step), "writer": number}, step=step)
        code = 0
    finally:
        os._exit(code)


def _publish(folder: Path) -> int:
    """A process that publishes until it is told to stop; returns its id."""
    child = os.fork()
    if child:
        return child
    try:
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        publish_until(Participant.open(folder), stop, alarmed=lambda problem: print(problem, file=sys.stderr))
    finally:
        os._exit(0)


def _memory(process: int) -> int:
    """Pages that a process holds."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return 0


def _is_done(folder: Path, writers: int) -> bool:
    """Whether every run's end is on the ledger and nothing waits."""
    me = Participant.open(folder)
    standings = me.chronicle().shared.artefacts.values() if me.ledger.head().number > 1 else []
    if sum(standing.sequence == 2 for standing in standings) < writers:
        return False
    backlog = me.backlog()
    return backlog is not None and not (backlog.unread or backlog.waiting or backlog.sent)


def _read(folder: Path) -> tuple[Counter[int], bool, int]:
    """How much of each writer is anchored, whether all of it in its order, and by how many anchors."""
    me = Participant.open(folder)
    batches = {root: digest for digest, root in _batches(me)}
    seen: Counter[int] = Counter()
    in_order, anchors = True, 0
    ledger = me.ledger
    for placed in ledger.events(ledger.terms.deployed, ledger.head().number):
        if isinstance(placed.event, Anchored):
            anchors += 1
            for observation in open_batch(me.storage.get(batches[placed.event.root])).observations:
                writer = int(observation["metrics"]["writer"])
                in_order = in_order and observation["step"] == seen[writer]
                seen[writer] += 1
    return seen, in_order, anchors


def _batches(me: Participant) -> Iterator[tuple[bytes, bytes]]:
    for digest in me.storage.digests():
        content = me.storage.get(digest)
        if sha256(content) == digest:  # others are records
            with contextlib.suppress(RecordInvalid):
                yield digest, open_batch(content).root


def main() -> int:
    """Print the report as JSON; the exit code says whether everything is there once and in order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--writers", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="an empty folder; a temporary one by default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="proml-crowd-") as temporary:
        report = run(asked.folder or Path(temporary), asked.records, asked.writers)
    print(json.dumps(asdict(report), indent=2))
    return 1 if report.lost or report.doubled or report.out_of_order else 0


if __name__ == "__main__":
    raise SystemExit(main())
