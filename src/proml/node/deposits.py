"""Deposits: records on their way into storage, many at once, because each alone would wait for the disk."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from proml.interfaces import Storage

# So much is collected, which keeps the memory it takes flat.
MOST = 1_000
MOST_BYTES = 32 * 1024 * 1024


class Deposits:
    """What is put inside its `with` block is in storage when the block is left.

    Or the block raises what went wrong: StorageProblem, as `Storage.put`. What else was put may then be there
    or not, which is harmless.
    """

    def __init__(self, storage: Storage) -> None:
        """Put into `storage`."""
        self._storage = storage
        self._collected: list[tuple[bytes, bytes]] = []
        self._bytes = 0

    def put(self, digest: bytes, content: bytes) -> None:
        """Put soon; see `Storage.put`."""
        self._collected.append((digest, content))
        self._bytes += len(content)
        if len(self._collected) == MOST or self._bytes > MOST_BYTES:
            self._store()

    def _store(self) -> None:
        collected, self._collected, self._bytes = self._collected, [], 0
        if collected:
            self._storage.put_all(collected)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._store()
        self._collected, self._bytes = [], 0
