"""Runs and processes: forks, spawned workers, kills, ends without a word."""

import signal
import subprocess
import sys
import time

import pytest

from proml.capture.draft import Observed, RunEnded, RunStarted
from proml.journal import files


def ends(project):
    return [(draft.outcome, draft.reason) for draft in project.all(RunEnded)]


def test_a_forked_child_records_into_the_run_and_does_not_end_it(project):
    done = project.python(
        """
import os, sys
import proml
with proml.track("train") as run:
    run.log({"who": 0})
    child = os.fork()
    if child == 0:
        run.log({"who": 1})
        sys.exit(3)                       # leaves the block, and the process by its atexit functions
    assert os.waitpid(child, 0)[1] >> 8 == 3
    run.log({"who": 2})
"""
    )
    assert done.returncode == 0, done.stderr
    assert sorted(draft.metrics["who"] for draft in project.all(Observed)) == [0, 1, 2]
    assert len(project.all(RunStarted)) == 1
    assert ends(project) == [("finished", "")]
    assert len(files(project.journal)) == 2


def test_a_child_forked_while_a_file_is_hashed_neither_hangs_nor_repeats_it(project):
    with open("large.bin", "wb") as file:
        file.truncate(64 << 20)
    done = project.python(
        """
import os
import proml
with proml.track("train") as run:
    run.used("large.bin", part="data")
    child = os.fork()
    if child == 0:
        run.used("large.bin", part="again")
        run._backlog.finish()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
    )
    assert done.returncode == 0, done.stderr
    parts = [draft.part for draft in project.drafts() if type(draft).__name__ == "Used"]
    assert sorted(parts) == ["again", "data"]
    assert ends(project) == [("finished", "")]


SPAWN = """
import multiprocessing, os, sys
import proml

def work(n):
    assert proml.current_run() is None
    with proml.track(f"worker {n}") as run:
        for step in range(100):
            run.log({"n": n}, step=step)

if __name__ == "__main__":
    method = sys.argv[1]
    with proml.track("parent") as run:
        context = multiprocessing.get_context(method)
        workers = [context.Process(target=work, args=(n,)) for n in range(3)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
"""


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_of_any_kind_keep_runs_of_their_own(project, method):
    script = project.root / "script.py"
    script.write_text(
        SPAWN if method == "spawn" else SPAWN.replace("    assert proml.current_run() is None\n", "")
    )
    done = subprocess.run(
        [sys.executable, str(script), method],
        cwd=project.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    runs = {draft.run: draft.name for draft in project.all(RunStarted)}
    assert sorted(runs.values()) == ["parent", "worker 0", "worker 1", "worker 2"]
    for salt, name in runs.items():
        steps = [draft.step for draft in project.all(Observed) if draft.run == salt]
        assert steps == ([] if name == "parent" else list(range(100)))
    assert ends(project) == [("finished", "")] * 4
    assert len(files(project.journal)) == 4


def test_a_run_open_at_the_end_of_the_process_is_closed_as_failed(project):
    done = project.python("import proml; proml.track('train').__enter__().log({'loss': 1})")
    assert done.returncode == 0, done.stderr
    assert ends(project) == [("failed", "the process ended without closing the run")]


def test_an_uncaught_exception_closes_the_run_and_keeps_its_exit_code(project):
    done = project.python("import proml\nwith proml.track('train'): 1 / 0")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert ends(project) == [("failed", "ZeroDivisionError")]


@pytest.mark.parametrize("way", ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)"])
def test_a_process_that_ends_without_a_word_loses_nothing_it_logged(project, way):
    project.python(
        f"""
import os
import proml
with proml.track("train") as run:
    for step in range(1000):
        run.log({{"loss": step}}, step=step)
    {way}
"""
    )
    assert [draft.step for draft in project.all(Observed)] == list(range(1000))
    assert ends(project) == []


def test_a_kill_in_the_middle_of_logging_leaves_a_journal_in_order(project):
    script = """
import proml
with proml.track("train") as run:
    step = 0
    while True:
        run.log({"loss": step}, step=step)
        step += 1
        if step % 100 == 0:
            print(step, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=project.root, stdout=subprocess.PIPE, text=True
    ) as process:
        acknowledged = [process.stdout.readline() for _ in range(20)][-1]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    last = int((rest.split("\n")[-2] if "\n" in rest else acknowledged).strip())
    steps = [draft.step for draft in project.all(Observed)]
    assert steps == list(range(len(steps)))
    assert len(steps) >= last


def test_ctrl_c_closes_the_run_as_interrupted(project):
    script = """
import time
import proml
with proml.track("train") as run:
    print("ready", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        process.stdout.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert ends(project) == [("failed", "interrupted")]


HASHING = """
import os, signal, threading, time
import proml
from proml.capture import run as runs

hashing = threading.Event()
def slow(seen):
    hashing.set()
    time.sleep(60)
runs.Seen.fingerprint = slow

def interrupt():
    hashing.wait(20)
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)

os.mkdir("folder")
threading.Thread(target=interrupt).start()
try:
    with proml.track("train") as run:
        run.used("folder")
        {then}
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("then", ["pass", "time.sleep(60)"], ids=["at the end", "before it"])
def test_ctrl_c_does_not_wait_for_a_large_file(project, then):
    done = project.python(HASHING.replace("{then}", then))
    assert done.stdout == "interrupted\n", done.stderr
    assert ends(project) == [("failed", "interrupted")]
