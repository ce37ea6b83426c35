"""Processes that are killed at random, crowded, out of disk, and whose clock jumps (F1, F6, F8, F31)."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from proml.errors import JournalProblem
from proml.journal import Journal, files, read, repair, scan

YEARS = 365 * 86_400 * 10**9


def kill_at_random(place: Path, chance: random.Random) -> int:
    """Kill a process with two threads at a random moment; returns how many entries were acknowledged."""
    durable = chance.random() < 0.3
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _append_without_end(place, durable, writing)
        finally:
            os._exit(1)
    os.close(writing)
    try:
        select.select([reading], [], [], 10)
        time.sleep(chance.random() * 0.004)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said = b""
        while piece := os.read(reading, 1 << 16):
            said += piece
    finally:
        os.close(reading)
    acknowledged = said.decode().rpartition("\n")[0].split("\n") if said else []
    _check(place, [line for line in acknowledged if line])
    shutil.rmtree(place, ignore_errors=True)
    return len(acknowledged)


def _append_without_end(folder: Path, durable: bool, told: int) -> None:
    journal = Journal(folder, durable, segment_bytes=3_000)

    def work(name: str) -> None:
        number = 0
        while True:
            line = f"{name} {number}"
            journal.append(line.encode())
            os.write(told, line.encode() + b"\n")
            number += 1

    threading.Thread(target=work, args=("a",), daemon=True).start()
    work("b")


def _check(folder: Path, acknowledged: list[str]) -> None:
    found = [entry.payload.decode() for entry in read(folder, problems=[])]
    assert len(set(found)) == len(found), "doubled"
    assert set(acknowledged) <= set(found), f"lost {set(acknowledged) - set(found)}"
    for name in "ab":
        numbers = [int(line.split()[1]) for line in found if line.startswith(name)]
        assert numbers == list(range(len(numbers))), "out of order, or a hole"
    for file in files(folder):
        repair(file)
        assert scan(file).damage is None


def crowd(folder: Path, writers: int, entries: int, room: int | None = None) -> tuple[int, int]:
    """Many processes append at once, some with clocks that jump; returns entries acknowledged and refused.

    Args:
        folder: of the one journal they share.
        writers: how many processes.
        entries: of each.
        room: whether the disk is full from time to time: then so many bytes are freed again and again.
    """
    ballast = folder.parent / "ballast"
    if room:
        _squeeze(ballast, room)
    children = []
    for number in range(writers):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            status = 1
            with suppress(BaseException):
                _append_some(folder, number, entries, writing)
                status = 0
            os._exit(status)
        os.close(writing)
        children.append((child, reading))
    acknowledged: set[str] = set()
    refused = 0
    for child, reading in children:
        said = b""
        while piece := os.read(reading, 1 << 16):
            said += piece
            if room:
                _squeeze(ballast, room)
        os.close(reading)
        assert os.waitpid(child, 0)[1] == 0, "a writer failed"
        lines = said.decode().split("\n")[:-1]
        acknowledged |= {line for line in lines if not line.startswith("refused")}
        refused += sum(line.startswith("refused") for line in lines)
    with suppress(FileNotFoundError):
        ballast.unlink()
    found = [entry.payload.decode() for entry in read(folder)]
    assert len(set(found)) == len(found), "doubled"
    assert acknowledged <= set(found), "lost"
    if not refused:
        assert len(found) == writers * entries
    for number in range(writers):
        order = [int(line.split()[1]) for line in found if line.split()[0] == str(number)]
        assert order == sorted(order), "out of order"
    assert all(scan(file).damage is None for file in files(folder))
    return len(acknowledged), refused


def _append_some(folder: Path, number: int, entries: int, told: int) -> None:
    chance = random.Random(number)
    real = time.time_ns
    if number % 2:
        # This one's clock is set back and forth by up to ten years between any two looks at it.
        time.time_ns = lambda: real() + chance.randrange(-10 * YEARS, 10 * YEARS)
    journal = Journal(folder, durable=number % 8 == 0, segment_bytes=2_000)
    for entry in range(entries):
        line = f"{number} {entry} {'z' * 60}"
        try:
            journal.append(line.encode())
            os.write(told, line.encode() + b"\n")
        except JournalProblem:
            os.write(told, b"refused\n")
            time.sleep(0.001)
    journal.close()


def _squeeze(ballast: Path, room: int) -> None:
    """Fill the disk, or give some of it back."""
    if ballast.exists():
        ballast.unlink()
        return
    with suppress(OSError), ballast.open("wb") as stream:
        stream.write(bytes(room))


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path]:
    """A file system of its own, of so many bytes; PermissionError where none may be mounted."""
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, check=False, capture_output=True).returncode:
        raise PermissionError("needs the right to mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
