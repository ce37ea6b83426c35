"""Every step of a push broken twice, "failed" and "failed but happened": nothing is lost or done twice."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proml.errors import ProMLError, StorageProblem
from tests.unit.node.conftest import temporary
from tests.unit.node.faults import Crash, FaultyLedger, FaultyStorage, Plan, break_statements
from tests.unit.node.place import Place, asked, collected, observed, produced, used

LABELS = [
    "collect dataset digits",
    "approve dataset",
    "start run train",
    "anchor 2 observations",
    "finish run train",
    "propose model m",
]


def story(place: Place) -> None:
    place.write(collected(), asked("approve"))
    place.run(observed(0), observed(1), used(), produced())


def push_with(place: Place, plan: Plan, items: int = 2) -> None:
    """One push in which something breaks, and which may end by it."""
    place.ledger, place.storage = FaultyLedger(place.memory, plan), FaultyStorage(place.storage, plan)
    try:
        place.push(items=items)
    except (Crash, ProMLError):
        pass
    finally:
        place.ledger, place.storage = place.memory, place.storage.inner


def assert_all_done_once(place: Place) -> None:
    place.push()
    assert sorted(place.labels()) == sorted(LABELS)
    assert set(place.labels("done")) == set(LABELS)
    assert len(place.events()) == len(LABELS)
    assert place.refusals() == []
    place.check()


def count_steps(with_statements: bool) -> Plan:
    """Everything an undisturbed push does."""
    plan = Plan()
    with temporary() as folder, pytest.MonkeyPatch.context() as patch:
        place = Place(folder)
        story(place)
        if with_statements:
            break_statements(patch, plan)
        push_with(place, plan)
        assert_all_done_once(place)
    return plan


@pytest.mark.parametrize("crash", [True, False], ids=["crash", "problem"])
@pytest.mark.parametrize("way", ["failed", "happened"])
def test_any_call_to_ledger_or_storage_may_break(way, crash):
    steps = count_steps(with_statements=False).done
    assert {"ledger.send", "ledger.receipt", "ledger.nonce", "ledger.prepare", "storage.put"} <= set(steps)
    for at in range(len(steps)):
        with temporary() as folder:
            place = Place(folder)
            story(place)
            push_with(place, Plan(at, way, crash))
            assert_all_done_once(place)


@pytest.mark.parametrize("crash", [True, False], ids=["crash", "full disk"])
@pytest.mark.parametrize("way", ["failed", "happened"])
def test_any_statement_of_the_outbox_may_break(way, crash, monkeypatch):
    steps = count_steps(with_statements=True).done
    broken = [at for at, name in enumerate(steps) if name.startswith("sql.") and name != "sql.select"]
    assert len(broken) > 50
    for at in broken:
        with temporary() as folder, pytest.MonkeyPatch.context() as patch:
            place = Place(folder)
            story(place)
            plan = Plan(at, way, crash)
            break_statements(patch, plan)
            push_with(place, plan)
            plan.at = -1
            assert_all_done_once(place)


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["failed", "happened"]), st.booleans()), max_size=6
    )
)
@settings(max_examples=25)
def test_pushes_may_break_one_after_another_while_more_is_written(plans):
    with temporary() as folder:
        place = Place(folder)
        for number, (at, way, crash) in enumerate(plans):
            place.write(collected(bytes([number]), f"d{number}"))
            place.run(observed(number), name=f"r{number}")
            push_with(place, Plan(at, way, crash), items=1 + number)
        place.push()
        names = [
            name
            for n in range(len(plans))
            for name in (f"collect dataset d{n}", f"start run r{n}", f"finish run r{n}")
        ]
        assert sorted(label for label in place.labels("done") if "anchor" not in label) == sorted(names)
        assert place.refusals() == []
        place.check()


def test_a_send_that_always_times_out_although_it_is_done_is_one_effect_each(place):
    class TimesOut(Plan):
        def do(self, name, work, error):
            result = work()
            if name == "ledger.send":
                raise error
            return result

    story(place)
    place.ledger = FaultyLedger(place.memory, TimesOut())
    published = place.push(items=1)
    assert sorted(intent.label for intent in published.settled) == sorted(LABELS)
    assert_all_done_once(place)


def test_a_send_that_always_fails_ends_the_push_with_its_reason_and_loses_nothing(place):
    class Fails(Plan):
        def do(self, name, work, error):
            if name == "ledger.send":
                raise error
            return work()

    story(place)
    place.ledger = FaultyLedger(place.memory, Fails())
    for _ in range(3):
        with pytest.raises(ProMLError, match="the ledger did not answer"):
            place.push()
        assert place.events() == []
        assert {intent.state for intent in place.intents()} == {"sent"}
    place.ledger = place.memory
    assert_all_done_once(place)


def test_every_fourth_call_may_fail_in_either_way(place):
    class Unreliable(Plan):
        def do(self, name, work, error):
            self.done.append(name)
            if len(self.done) % 4 == 0:
                raise error
            result = work()
            if len(self.done) % 4 == 2:
                raise error
            return result

    story(place)
    plan = Unreliable()
    place.ledger = FaultyLedger(place.memory, plan)
    for _ in range(100):
        try:
            place.push(items=1)
        except ProMLError:
            continue
        break
    place.ledger = place.memory
    assert_all_done_once(place)


FULL = 7


@pytest.mark.parametrize("room", [0, 2_000, 8_000, 40_000])
def test_on_a_full_disk_nothing_is_lost(folder: Path, room: int):
    place = Place(folder)
    story(place)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        try:
            place.push()
        except StorageProblem:
            os._exit(FULL)
        os._exit(0)
    assert os.waitpid(child, 0)[1] >> 8 == FULL
    assert_all_done_once(place)
