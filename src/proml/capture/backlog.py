"""Work put off the calling thread: one thread per run and only while there is work, in order."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


class Backlog:
    """Jobs of one run. They must not raise: nobody would hear of it.

    A child made by fork has neither the thread nor the jobs: they stay its parent's.
    """

    def __init__(self) -> None:
        """Nothing runs before the first `add`."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._thread: threading.Thread | None = None

    def add(self, job: Job) -> None:
        """Do a job soon; at once, on the calling thread, where no other thread can be had."""
        if self._process != os.getpid():
            self._process, self._lock, self._jobs, self._thread = os.getpid(), threading.Lock(), deque(), None
        with self._lock:
            self._jobs.append(job)
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._work, name="proml-capture", daemon=True)
            try:
                thread.start()
                self._thread = thread
                return
            except RuntimeError:
                pass  # no more threads, or the interpreter is ending
        self._work()

    def finish(self) -> None:
        """Wait until every job is done."""
        while self._process == os.getpid() and (thread := self._thread) is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.popleft()
            job()
