"""A duty of the node: something done again and again on a thread of its own, that heals by itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from proml.errors import ProMLError

LOG = logging.getLogger("proml.node")
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


Report = Callable[[ProMLError | None], None]
Work = Callable[[threading.Event, Report], None]
"""Works until the event is set; reports each turn: None when it went well, else what came up."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a duty is: its name, how many turns went well, and what came up at the newest one, if anything."""

    name: str
    turns: int
    problem: str
    hint: str
    is_alive: bool

    @property
    def is_well(self) -> bool:
        """Whether its thread lives and its newest turn went well."""
        return self.is_alive and not self.problem


class Duty:
    """Does its work on a thread of its own until told to stop; see `Work`.

    Work that ends with an error is begun again after a pause that doubles up to half a minute: what a person
    must mend is seen in the meantime, and goes on by itself once it is mended.
    """

    def __init__(self, name: str, work: Work) -> None:
        """Nothing happens before `start`."""
        self.name = name
        self._work = work
        self._turns = 0
        self._problem: ProMLError | None = None
        self._stopping = threading.Event()
        # Daemon: whatever the work waits for, the process may end; all of it survives being killed.
        self._thread = threading.Thread(target=self._run, name=f"proml-{name}", daemon=True)

    @property
    def standing(self) -> Standing:
        """How it is now."""
        problem = self._problem
        return Standing(
            self.name,
            self._turns,
            problem.message if problem else "",
            problem.hint if problem else "",
            self._thread.is_alive(),
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; does not wait."""
        self._stopping.set()

    def ended(self, patience: float) -> bool:
        """Wait for the present turn to end; False when it had not after these seconds."""
        if self._thread.is_alive():
            self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            turns = self._turns
            try:
                self._work(self._stopping, self._report)
            except ProMLError as problem:
                self._report(problem)
            except Exception:
                # A fault of ours must neither end the duty nor pass unseen.
                LOG.exception("a fault in the node", extra={"duty": self.name})
                self._report(ProMLError(f"the {self.name} met a fault of ProML itself", "see the node's log"))
            pause = FIRST_PAUSE_SECONDS if self._turns > turns else min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._stopping.wait(pause)

    def _report(self, problem: ProMLError | None) -> None:
        before, self._problem = self._problem, problem
        if problem is None:
            self._turns += 1
        if problem and (before is None or before.message != problem.message):
            LOG.warning(problem.message, extra={"duty": self.name, "hint": problem.hint})
        elif before and not problem:
            LOG.info("well again", extra={"duty": self.name})
