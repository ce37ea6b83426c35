"""Taking in: journal entries are copied into the outbox, together with the cursor that says how far.

A crash before that repeats it, a crash after it does not: every entry is taken in once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from proml.capture.draft import EnvironmentSeen, Observed, Produced, RunEnded, RunStarted, StepAsked, Used
from proml.errors import JournalProblem
from proml.journal import read
from proml.journal.living import writers
from proml.node.outbox import Outbox

# One SQLite transaction per this many journal entries keeps memory flat and a crash cheap.
TAKE_AT_ONCE = 5_000

START, END, STEP, ENVIRONMENT = (each.__name__ for each in (RunStarted, RunEnded, StepAsked, EnvironmentSeen))
SAID = (ENVIRONMENT, *(each.__name__ for each in (Used, Produced, Observed)))
KINDS = (START, END, STEP, *SAID)


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking in came to.

    Attributes:
        count: how many entries were new.
        writing: ids of journal files that may hold more than was read, now or later.
        damage: what is damaged or missing; it holds nothing else up.
    """

    count: int
    writing: frozenset[bytes]
    damage: tuple[JournalProblem, ...]


def take_in(folder: Path, outbox: Outbox) -> Taken:
    """Copy what is new in the journal into the outbox."""
    # Asked before reading: of a file nobody writes any more, everything is then read. One that was begun
    # since may have been read only in part.
    before = writers(folder)
    writing = {file for file, alive in before.items() if alive}
    problems: list[JournalProblem] = []
    entries = read(folder, outbox.cursors(), problems)
    count = 0
    while chunk := list(islice(entries, TAKE_AT_ONCE)):
        reached = {entry.file_id: entry.reach for entry in chunk}
        with outbox.together():
            outbox.add_drafts([(*_sort(entry.payload), entry.payload, entry.file_id) for entry in chunk])
            for file, reach in reached.items():
                outbox.set_cursor(file, reach)
        count += len(chunk)
        writing |= reached.keys() - before.keys()
    return Taken(count, frozenset(writing), tuple(problems))


def _sort(payload: bytes) -> tuple[str | None, str | None]:
    """The run that an entry of the journal belongs to, and its kind; no kind where it is no draft."""
    try:
        content = orjson.loads(payload)
        run, kind = content.get("run"), content.get("draft")
    except (orjson.JSONDecodeError, AttributeError):
        return None, None
    run = run if isinstance(run, str) else None
    return run, kind if kind in KINDS and (run is not None or kind == STEP) else None
