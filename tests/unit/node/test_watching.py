"""Publishing as it comes: what is recorded meanwhile goes out, and what fails is waited out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from proml.errors import Busy, KeyProblem, LedgerProblem
from proml.node import watching
from proml.node.outbox import open_outbox
from proml.node.publisher import Published
from proml.node.watching import publish_until
from proml.signing import throwaway_key
from tests.unit.node.faults import Chain
from tests.unit.node.place import Place, collected, observed


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(watching, "FIRST_PAUSE_SECONDS", 0.001)


class Project(SimpleNamespace):
    """As much of a participant as the loop looks at."""

    def __init__(self, place: Place) -> None:
        super().__init__(config=SimpleNamespace(outbox=place.path, journal=place.folder))
        self.place = place
        self.ails: list[Exception] = []

    def push(self, told: Any, wait: bool) -> Published:
        if self.ails:
            raise self.ails.pop()
        with open_outbox(self.place.path, patience=0) as outbox:
            return self.place.publisher(outbox).push(told, wait)


class Watch:
    """The loop in a thread, and what it told."""

    def __init__(self) -> None:
        self.stop, self.news = threading.Event(), threading.Condition()
        self.told: list[str] = []
        self.alarms: list[str] = []

    def tell(self, intent: Any) -> None:
        with self.news:
            self.told.append(intent.label)
            self.news.notify()

    def alarm(self, problem: Any) -> None:
        self.alarms.append(problem.message)

    def wait_for(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: len(self.told) >= count, 30), self.told


@contextmanager
def watched(project: Project) -> Iterator[Watch]:
    watch = Watch()
    thread = threading.Thread(target=publish_until, args=(project, watch.stop, watch.tell, watch.alarm))
    thread.start()
    try:
        yield watch
    finally:
        watch.stop.set()
        thread.join()


def test_what_is_recorded_while_it_runs_is_published(place):
    with watched(Project(place)) as watch:
        for count in range(1, 4):
            place.write(collected(bytes([count]), f"d{count}"))
            watch.wait_for(count)
    assert watch.told == ["collect dataset d1", "collect dataset d2", "collect dataset d3"]
    place.check()


def test_a_ledger_that_is_away_and_a_busy_outbox_are_waited_out_and_told(place):
    project = Project(place)
    project.ails = [Busy("another push"), LedgerProblem("away"), LedgerProblem("away")]
    place.run(observed())
    with watched(project) as watch:
        watch.wait_for(3)
    assert watch.alarms == ["away", "away", "another push"]
    assert len(place.labels("done")) == 3
    place.check()


def test_what_is_not_final_yet_keeps_nothing_else_waiting_and_is_settled_later(place, monkeypatch):
    monkeypatch.setattr(watching, "BLOCK_SECONDS", 0.001)
    chain = place.ledger = Chain(place.memory, finality=9)
    with watched(Project(place)) as watch:
        for number in range(3):
            place.write(collected(bytes([number]), f"d{number}"))
            wait_until(lambda n=number: len(chain.sent) > n and place.memory.head().number > n + 1)
        assert watch.told == []
        chain.mine(9)
        watch.wait_for(3)
    assert watch.told == ["collect dataset d0", "collect dataset d1", "collect dataset d2"]
    place.check()


def wait_until(so: Any) -> None:
    deadline = time.monotonic() + 30
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_second_one_refuses_to_start_and_the_first_goes_on(place):
    with watched(Project(place)) as watch:
        place.write(collected())
        watch.wait_for(1)
        with pytest.raises(Busy, match="as it comes"):
            publish_until(Project(place), threading.Event())
        place.write(collected(b"more", "more"))
        watch.wait_for(2)


def test_what_waiting_cannot_mend_ends_it(place):
    place.write(collected())
    place.signer = throwaway_key()
    with pytest.raises(KeyProblem, match="belongs to no member"):
        publish_until(Project(place), threading.Event())
    assert place.intents() == []
    publish_until(Project(place), _set())


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event
