"""What processes do while their system calls fail, and what must hold of what they leave behind.

python -m tests.faults.campaign.work NAME FOLDER [LARGEST FILE]

Each prints a number to standard output once that piece is acknowledged, by one write; its errors are the
only way in which it may refuse.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from proml.errors import ProMLError
from proml.journal import Journal, files, read, repair, scan
from proml.node.outbox import open_outbox
from proml.node.transactions import SIGNED, Sent
from proml.storage.file import FileStorage

ENTRIES = 12
OBJECTS = 9


def acknowledge(number: int) -> None:
    """Say that a piece is kept; where even that cannot be written, nobody was told."""
    with suppress(OSError):
        os.write(1, b"%d\n" % number)


def payload(number: int) -> bytes:
    return b'{"entry":%d,"text":"%s"}' % (number, b"x" * (number * 7 % 60))


def content_of(number: int) -> bytes:
    return b"object %d " % number * 400


def named(digest: bytes, content: bytes) -> bool:
    return sha256(content).digest() == digest


# --- what is done -----------------------------------------------------------------------------


def journal_durable(folder: Path) -> None:
    journal = Journal(folder, durable=True, segment_bytes=500)
    for number in range(ENTRIES):
        try:
            journal.append(payload(number))
        except ProMLError:
            continue
        acknowledge(number)


def journal_plain(folder: Path) -> None:
    """Acknowledged once written; a sync in between and at the end may fail without losing any of it."""
    journal = Journal(folder, segment_bytes=500)
    for number in range(ENTRIES):
        try:
            journal.append(payload(number))
            acknowledge(number)
            if number % 4 == 3:
                journal.sync()
        except ProMLError:
            continue


def journal_repair(folder: Path) -> None:
    """Sets torn ends aside; what stands before them is acknowledged from the beginning."""
    for file in files(folder):
        try:
            repair(file)
        except (ProMLError, OSError):
            continue


def storage_put(folder: Path) -> None:
    storage = FileStorage(folder, named)
    for number in range(OBJECTS):
        try:
            storage.put(sha256(content_of(number)).digest(), content_of(number))
        except ProMLError:
            continue
        acknowledge(number)


def storage_put_all(folder: Path) -> None:
    storage = FileStorage(folder, named)
    for first in range(0, OBJECTS, 3):
        numbers = range(first, first + 3)
        try:
            storage.put_all([(sha256(content_of(n)).digest(), content_of(n)) for n in numbers])
        except ProMLError:
            continue
        for number in numbers:
            acknowledge(number)


def outbox(folder: Path) -> None:
    """Intents are queued, tied to a signed transaction, and settled, each in a database transaction."""
    for number in range(4):
        try:
            with open_outbox(folder / "outbox.sqlite") as opened:
                with opened.together():
                    intents = [
                        opened.add_intent("step", f"{number}/{n}", bytes(32), {}, 1.0) for n in range(3)
                    ]
                acknowledge(10 * number)
                signed = Sent(
                    sha256(b"%d" % number).digest(), bytes(20), number, payload(number), SIGNED, 1.0
                )
                with opened.together():
                    opened.add_tx(signed, intents)
                acknowledge(10 * number + 1)
                with opened.together():
                    opened.settle_intent(intents[0], "done")
                acknowledge(10 * number + 2)
        except ProMLError:
            continue


# --- what it starts from, and what must hold --------------------------------------------------


def nothing(_: Path) -> None:
    """An empty folder."""


def torn(folder: Path) -> None:
    """Three journal files with 12 good entries, two of the files torn and one with a broken header."""
    for part in range(3):
        with Journal(folder) as journal:
            for number in range(part * 4, part * 4 + 4):
                journal.append(payload(number))
    for number, file in enumerate(files(folder)[:2]):
        with file.open("ab") as stream:
            stream.write(b"torn" * (number + 5))


def check_journal(folder: Path, acknowledged: set[int]) -> None:
    """Everything acknowledged is there once and in order, and nothing that was never appended."""
    problems: list[Exception] = []
    found = [entry.payload for entry in read(folder, problems=problems)]  # type: ignore[arg-type]
    known = {payload(number): number for number in range(ENTRIES)}
    numbers = [known[each] for each in found]  # KeyError: misread
    assert len(set(numbers)) == len(numbers), "doubled"
    assert acknowledged <= set(numbers), f"lost {acknowledged - set(numbers)}"
    assert [number for number in numbers if number in acknowledged] == sorted(acknowledged), "out of order"
    for file in files(folder):
        repair(file)
        assert scan(file).damage is None
    with Journal(folder) as journal:
        journal.append(payload(ENTRIES))
    assert [entry.payload for entry in read(folder, problems=[])] == [*found, payload(ENTRIES)]


def check_repair(folder: Path, _: set[int]) -> None:
    check_journal(folder, set(range(ENTRIES)))
    aside = b"".join(sorted(path.read_bytes() for path in folder.glob("*.damaged-*")))
    # A copy that was cut short by a kill may lie beside the whole one that the next repair made.
    assert b"torn" * 5 in aside
    assert b"torn" * 6 in aside


def check_storage(folder: Path, acknowledged: set[int]) -> None:
    storage = FileStorage(folder, named)
    there = set(storage.digests())
    for number in range(OBJECTS):
        digest = sha256(content_of(number)).digest()
        if digest in there or number in acknowledged:
            assert storage.get(digest) == content_of(number)
        storage.put(digest, content_of(number))
        assert storage.get(digest) == content_of(number)
    assert len(set(storage.digests())) == OBJECTS


def check_outbox(folder: Path, acknowledged: set[int]) -> None:
    with open_outbox(folder / "outbox.sqlite", patience=0) as opened:
        assert opened._db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        intents = {intent.label: intent for intent in opened.intents()}
        assert len(intents) == len(opened.intents()), "doubled"
        for number in range(4):
            mine = [intents.get(f"{number}/{n}") for n in range(3)]
            hash_ = sha256(b"%d" % number).digest()
            assert all(mine) or not any(mine), "half a transaction"
            if 10 * number in acknowledged:
                assert all(mine), "lost"
            if 10 * number + 1 in acknowledged:
                assert opened.tx(hash_) is not None, "signed bytes lost"
            if (sent := opened.tx(hash_)) is not None:
                assert sent.raw == payload(number), "misread"
                assert [each.tx for each in mine if each] == [hash_] * 3, "half a transaction"
            if 10 * number + 2 in acknowledged:
                assert mine[0]
                assert mine[0].state == "done"
        opened.add_intent("step", "after", bytes(32), {}, 1.0)


@dataclass(frozen=True, slots=True)
class Work:
    """Something a process does in a folder, from where it starts to what must hold afterwards."""

    do: Callable[[Path], None]
    start: Callable[[Path], None]
    check: Callable[[Path, set[int]], None]


WORKS = {
    "journal, durable": Work(journal_durable, nothing, check_journal),
    "journal, plain": Work(journal_plain, nothing, check_journal),
    "journal, repair": Work(journal_repair, torn, check_repair),
    "storage, one by one": Work(storage_put, nothing, check_storage),
    "storage, together": Work(storage_put_all, nothing, check_storage),
    "outbox": Work(outbox, nothing, check_outbox),
}


if __name__ == "__main__":
    if len(sys.argv) > 3:
        # No file may grow beyond this: the write that would make it is a short one, the next fails.
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    WORKS[sys.argv[1]].do(Path(sys.argv[2]))
