"""Publishing as it comes: a loop for a node, or for `proml push --watch`, until it is told to stop."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from proml.errors import Busy, LedgerProblem, ProMLError, StorageProblem, WrongLedger
from proml.node.outbox import Intent
from proml.node.outbox_file import locked
from proml.node.participant import Participant

# How often the journal is looked at: what is recorded alone and in quiet waits so long at most.
LOOK_SECONDS = 0.25
# How often a push is made although nothing was written: runs whose process died are closed by it.
AT_LEAST_SECONDS = 30.0
# How often it is looked what became of transactions, while some are not final.
BLOCK_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 1.0
LAST_PAUSE_SECONDS = 60.0

Looks = frozenset[tuple[str, int]]


def publish_until(
    me: Participant,
    stop: Event,
    told: Callable[[Intent], None] = lambda _: None,
    alarmed: Callable[[ProMLError], None] = lambda _: None,
    pushed: Callable[[], None] = lambda: None,
) -> None:
    """Publish what is recorded in a project, as it is recorded, until `stop` is set.

    A ledger that is away, a full disk, or another command that publishes at the moment are waited for, with
    longer and longer pauses; nothing is lost meanwhile. What is under way when `stop` is set is finished
    by the next push, here or elsewhere.

    Args:
        me: the project.
        stop: ends the loop within about a second, once what is being sealed and sent has left.
        told: hears of each item as it is settled.
        alarmed: hears of each failure that is waited out.
        pushed: hears of each push that went well, whether it settled anything or not.

    Raises:
        Busy: another process watches this project already.
        KeyProblem, WrongLedger, UsageProblem: what waiting cannot mend; see `Publisher.push`.
    """
    path = me.config.outbox.with_suffix(".watch")
    with locked(path, f"another process publishes {me.config.outbox.parent.parent} as it comes", patience=0):
        seen: Looks = frozenset()
        last = 0.0
        pause, left = 0.0, 0
        while not stop.wait(pause or LOOK_SECONDS):
            looks = _looks(me.config.journal)
            quiet_for = BLOCK_SECONDS if left else AT_LEAST_SECONDS
            if not pause and looks == seen and time.monotonic() - last < quiet_for:
                continue
            try:
                left = me.push(told, wait=False).left
            except WrongLedger:
                raise
            except (LedgerProblem, StorageProblem, Busy) as problem:
                alarmed(problem)
                # Not all members' nodes at once, when their common chain comes back.
                pause = min(LAST_PAUSE_SECONDS, max(FIRST_PAUSE_SECONDS, 2 * pause)) * random.uniform(0.8, 1)  # noqa: S311
            else:
                seen, last, pause = looks, time.monotonic(), 0.0
                pushed()


def _looks(journal: Path) -> Looks:
    """What tells that something was written: names and sizes of the journal's files."""
    try:
        with os.scandir(journal) as entries:
            return frozenset((entry.name, entry.stat().st_size) for entry in entries)
    except OSError:
        return frozenset()
