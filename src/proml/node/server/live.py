"""Live updates: what is new, told to every page and program that listens (server-sent events)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson

# A listener that is further behind is told to look again at everything instead.
MOST_WAITING = 64
MOST_LISTENERS = 128
HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something new: what kind of news (`published`, `overrun`, …) and a JSON object about it."""

    kind: str
    content: dict[str, object]

    def encoded(self) -> bytes:
        """As a server-sent event (HTML standard, section 9.2): one line of JSON, so nothing can break out."""
        return b"event: " + self.kind.encode("ascii") + b"\ndata: " + orjson.dumps(self.content) + b"\n\n"


class Bulletin:
    """Takes notices from any thread and gives them to listeners on the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: set[asyncio.Queue[Notice | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def is_full(self) -> bool:
        """Whether nobody else may listen now."""
        return len(self._queues) >= MOST_LISTENERS

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._queues)

    def post(self, kind: str, content: dict[str, object]) -> None:
        """Tell everybody who listens; never waits for them."""
        self._hand_over(Notice(kind, content))

    def close(self) -> None:
        """Let every listener go."""
        self._closed = True
        self._hand_over(None)

    async def listen(self) -> AsyncIterator[bytes]:
        """Events as bytes, with a comment now and then so that a dead connection is noticed."""
        queue: asyncio.Queue[Notice | None] = asyncio.Queue(MOST_WAITING)
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._queues.add(queue)
        try:
            yield b": listening\n\n"
            while not self._closed:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        notice = await queue.get()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if notice is None:
                    return
                yield notice.encoded()
        finally:
            with self._lock:
                self._queues.discard(queue)

    def _hand_over(self, notice: Notice | None) -> None:
        with self._lock:
            loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._put, notice)

    def _put(self, notice: Notice | None) -> None:
        with self._lock:
            queues = list(self._queues)
        for queue in queues:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(Notice("overrun", {}))
            if not queue.full():
                queue.put_nowait(notice)
