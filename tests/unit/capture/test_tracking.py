"""Runs around blocks, functions, coroutines and generators, and how each of them ends."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

import proml
from proml.capture.draft import EnvironmentSeen, Observed, RunEnded, RunStarted
from proml.errors import UsageProblem


def ends(project):
    return [(draft.outcome, draft.reason) for draft in project.all(RunEnded)]


def test_a_block_is_a_run_from_its_start_to_its_end(project):
    with proml.track("train", parameters={"depth": 3}) as run:
        run.log({"loss": 0.5}, step=1)
    started, ended = project.only(RunStarted), project.only(RunEnded)
    assert (started.run, started.name, started.parameters) == (run.salt, "train", {"depth": 3})
    assert (ended.run, ended.outcome, ended.reason) == (run.salt, "finished", "")
    assert project.only(Observed).metrics == {"loss": 0.5}
    assert "packages" in project.only(EnvironmentSeen).environment
    assert started.at <= project.only(Observed).at <= ended.at
    assert project.drafts()[0] == started
    assert project.drafts()[-1] == ended


def test_every_call_of_a_decorated_function_is_a_run_of_its_own(project):
    @proml.track("train", parameters={"depth": 3})
    def train(x: int) -> int:
        """Train."""
        proml.current_run().log({"x": x})
        return 2 * x

    assert [train(1), train(2)] == [2, 4]
    assert train.__doc__ == "Train."
    assert len({draft.run for draft in project.all(RunStarted)}) == 2
    assert [draft.parameters for draft in project.all(RunStarted)] == [{"depth": 3}] * 2
    assert ends(project) == [("finished", "")] * 2


def test_recursion_of_a_decorated_function_nests(project):
    @proml.track("count")
    def count(n: int) -> str:
        mine = proml.current_run()
        if n:
            count(n - 1)
        assert proml.current_run() is mine
        return mine.salt

    count(2)
    assert len(project.all(RunEnded)) == 3
    assert proml.current_run() is None


def test_the_innermost_of_nested_runs_is_the_current_one(project):
    with proml.track("outer") as outer:
        with proml.track("inner") as inner:
            assert proml.current_run() is inner
        assert proml.current_run() is outer
    assert proml.current_run() is None
    assert [draft.run for draft in project.all(RunEnded)] == [inner.salt, outer.salt]


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (ValueError("secret text"), ("failed", "ValueError")),
        (KeyboardInterrupt(), ("failed", "interrupted")),
        (SystemExit(1), ("failed", "SystemExit")),
        (SystemExit("no data"), ("failed", "SystemExit")),
        (SystemExit(0), ("finished", "")),
        (SystemExit(), ("finished", "")),
    ],
    ids=repr,
)
def test_an_exception_passes_through_and_closes_the_run(project, error, end):
    with pytest.raises(type(error)) as raised, proml.track("train"):
        raise error
    assert raised.value is error
    assert ends(project) == [end]
    assert b"secret" not in project.raw()


def test_a_coroutine_function_is_a_run_until_it_ends(project):
    @proml.track("task")
    async def work(n: int) -> str:
        await asyncio.sleep(0)
        proml.current_run().log({"n": n})
        await asyncio.sleep(0)
        return proml.current_run().salt

    async def both() -> list[str]:
        return await asyncio.gather(work(1), work(2))

    salts = asyncio.run(both())
    assert {draft.metrics["n"]: draft.run for draft in project.all(Observed)} == dict(
        zip((1, 2), salts, strict=True)
    )
    assert ends(project) == [("finished", "")] * 2


def test_a_cancelled_task_is_a_failed_run(project):
    async def work() -> None:
        with proml.track("task"):
            await asyncio.sleep(60)

    async def cancel() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancel())
    assert ends(project) == [("failed", "CancelledError")]


def test_a_generator_function_is_a_run_until_it_is_exhausted(project):
    @proml.track("epochs")
    def epochs(n: int) -> Iterator[int]:
        yield from range(n)

    numbers = epochs(3)
    assert next(numbers) == 0
    assert project.all(RunEnded) == []
    assert list(numbers) == [1, 2]
    assert ends(project) == [("finished", "")]


def test_a_generator_left_early_is_a_failed_run(project):
    @proml.track("epochs")
    def epochs() -> Iterator[int]:
        yield 1
        yield 2

    numbers = epochs()
    next(numbers)
    numbers.close()
    assert ends(project) == [("failed", "GeneratorExit")]


def test_an_asynchronous_generator_may_be_ended_by_another_task(project):
    @proml.track("stream")
    async def stream() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def leave() -> None:
        items = stream()
        assert await asyncio.create_task(anext(items)) == 1
        await asyncio.create_task(items.aclose())  # type: ignore[attr-defined]

    asyncio.run(leave())
    assert ends(project) == [("failed", "GeneratorExit")]


def test_threads_have_current_runs_of_their_own(project):
    tracking = proml.track("shared")
    inside = threading.Barrier(4)
    seen = []

    def work() -> None:
        with tracking as run:
            inside.wait(10)
            seen.append(proml.current_run() is run)
            run.log({"thread": threading.get_native_id()})
            inside.wait(10)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 4
    assert proml.current_run() is None
    assert len({draft.run for draft in project.all(Observed)}) == 4
    assert ends(project) == [("finished", "")] * 4


def test_a_thread_started_inside_a_run_may_use_it(project):
    with proml.track("train") as run:
        threads = [
            threading.Thread(target=lambda n=n: [run.log({"n": n}, step=i) for i in range(200)])
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    observed = project.all(Observed)
    for n in range(4):
        assert [draft.step for draft in observed if draft.metrics == {"n": n}] == list(range(200))


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_run_without_a_name_is_refused_before_it_starts(project, name):
    with pytest.raises(UsageProblem, match="needs a name"):
        proml.track(name)
    assert not project.journal.exists()


def test_a_run_closed_by_hand_is_closed_once(project):
    with proml.track("train") as run:
        run.fail("no convergence")
    run.finish()
    assert ends(project) == [("failed", "no convergence")]


def test_what_is_said_after_the_end_is_counted_and_not_recorded(project, caplog):
    with proml.track("train") as run:
        pass
    before = project.raw()
    run.log({"late": 1})
    run.used(__file__)
    run.produced(__file__)
    assert run.missed == 3
    assert "is closed" in caplog.text
    assert project.raw() == before


def test_with_capture_switched_off_nothing_is_read_or_written(project, settings, monkeypatch, caplog):
    monkeypatch.setenv("PROML_OFF", "1")
    settings("this is no TOML")
    with proml.track("train") as run:
        run.used("missing")
        run.log({"loss": 1})
        run.produced("missing")
    assert run.missed == 0
    assert caplog.text == ""
    assert not project.journal.exists()


def test_outside_a_project_the_script_runs_and_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("PROML_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)
    with proml.track("train") as run:
        run.log({"loss": 1})
    assert "nothing is recorded" in caplog.text
    assert "proml init" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_outside_a_project_strict_mode_refuses_before_the_block(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROML_STRICT", "1")
    with pytest.raises(proml.ProMLError, match="no ProML project"), proml.track("train"):
        pytest.fail("the block ran")


def test_a_broken_configuration_does_not_break_training(project, settings, caplog):
    settings("strict = maybe")
    with proml.track("train") as run:
        run.log({"loss": 1})
    assert "is not TOML" in caplog.text
    assert not project.journal.exists()
