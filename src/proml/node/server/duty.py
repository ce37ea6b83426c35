"""A duty of the node: something done again and again on a thread of its own, that heals by itself."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from proml.errors import ProMLError

LOG = logging.getLogger("proml.node")
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


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
    """Calls `turn` until told to stop; it returns the seconds to wait before the next, cut short by `wake`.

    A turn that fails is tried again after a pause that doubles up to half a minute.
    """

    def __init__(self, name: str, turn: Callable[[], float]) -> None:
        """Nothing happens before `start`."""
        self.name = name
        self._turn = turn
        self._turns = 0
        self._problem: ProMLError | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        # Daemon: whatever a turn waits for, the process may end; every turn survives being killed.
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

    def wake(self) -> None:
        """Do not wait any longer: there is something to do."""
        self._wake.set()

    def stop(self, patience: float) -> bool:
        """Let the present turn end and begin no other; False when it had not ended after the patience."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            problem = self._attempt()
            if problem is None:
                wait, pause = self._next_wait, FIRST_PAUSE_SECONDS
            else:
                wait, pause = pause, min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._tell(problem, time.monotonic() - began)
            self._wake.wait(wait)
            self._wake.clear()

    _next_wait = 0.0

    def _attempt(self) -> ProMLError | None:
        try:
            self._next_wait = self._turn()
            self._turns += 1
        except ProMLError as problem:
            return problem
        except Exception:  # a fault of ours must neither end the duty nor pass unseen
            LOG.exception("a fault in the node", extra={"duty": self.name})
            return ProMLError(
                f"the {self.name} met a fault of ProML itself", "the log has it; please report it"
            )
        return None

    def _tell(self, problem: ProMLError | None, seconds: float) -> None:
        before, self._problem = self._problem, problem
        if problem and (before is None or before.message != problem.message):
            LOG.warning(problem.message, extra={"duty": self.name, "hint": problem.hint})
        elif before and not problem:
            LOG.info("well again", extra={"duty": self.name, "seconds": round(seconds, 3)})
