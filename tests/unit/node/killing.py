"""Ends a process at the n-th thing it does, for every n: the test of everything that must survive kill -9."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from proml.node import outbox_file as outboxes

KILLED = 9


class Countdown:
    """Ends this process without a word when it was counted down."""

    def __init__(self, left: int) -> None:
        self.left = left

    def tick(self, *_: object) -> None:
        if self.left == 0:
            os._exit(KILLED)
        self.left -= 1


def kill_everywhere(work: Callable[[Countdown], None], recover: Callable[[], None]) -> int:
    """Do the work in a child process killed at its first tick, then at its second, until one ends well.

    After each, `recover` checks what was left behind and puts everything back to where the work began.
    Returns how many were killed.
    """
    for left in range(10_000):
        child = os.fork()
        if child == 0:
            try:
                work(Countdown(left))
            except BaseException:  # noqa: BLE001 -- told by the exit code
                os._exit(1)
            os._exit(0)
        status = os.waitpid(child, 0)[1] >> 8
        assert status in (0, KILLED), f"the work itself failed at tick {left}"
        recover()
        if status == 0:
            return left
    raise AssertionError("it never ends")


class Watched(sqlite3.Connection):
    """A connection that ticks before and after every statement."""

    countdown: Countdown

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        self.countdown.tick()
        cursor = super().execute(*arguments)
        self.countdown.tick()
        return cursor

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        self.countdown.tick()
        cursor = super().executemany(*arguments)
        self.countdown.tick()
        return cursor


def watch(monkeypatch: pytest.MonkeyPatch, countdown: Countdown) -> None:
    """From now on, every statement of every outbox ticks."""

    def connect(path: Any, **options: Any) -> sqlite3.Connection:
        connection = Watched(path, **options)
        connection.countdown = countdown
        return connection

    monkeypatch.setattr(outboxes.sqlite3, "connect", connect)
