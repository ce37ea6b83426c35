"""The journal of processes that are killed, forked, crowded or out of disk space (F1, F2, F6, F8)."""

import json
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from proml.errors import JournalProblem
from proml.journal import Journal, files, living, read, scan

pytestmark = pytest.mark.faults


def payloads(folder: Path) -> list[bytes]:
    return [entry.payload for entry in read(folder)]


def program(text: str, *arguments: object) -> list[str]:
    return [
        sys.executable,
        "-B",
        "-c",  # writing bytecode would be among the calls that fail
        textwrap.dedent(text),
        *map(str, arguments),
    ]


CROWD = """
    import os, sys, threading
    from pathlib import Path
    from proml.journal import Journal
    folder, durable = Path(sys.argv[1]), sys.argv[2] == "durable"
    processes, threads, calls = 8, 3, 40
    journal = Journal(folder, durable, segment_bytes=4_000)

    def work(name):
        for call in range(calls):
            journal.append(b"%s %d" % (name, call))
            if call == calls // 2 and name.endswith(b"0"):
                child = os.fork()
                if child == 0:
                    for inner in range(calls):
                        journal.append(b"%s-child %d" % (name, inner))
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0

    journal.append(b"parent 0")
    children = []
    for process in range(processes):
        child = os.fork()
        if child == 0:
            names = [b"%d/%d" % (process, number) for number in range(threads)]
            workers = [threading.Thread(target=work, args=(name,)) for name in names]
            [worker.start() for worker in workers]
            [worker.join() for worker in workers]
            os._exit(0)
        children.append(child)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    journal.append(b"parent 1")
"""


@pytest.mark.parametrize("mode", ["plain", "durable"])
def test_processes_threads_and_forks_never_mix_or_lose_an_entry(tmp_path: Path, mode: str) -> None:
    subprocess.run(program(CROWD, tmp_path, mode), check=True, timeout=120)
    by_name: dict[str, list[int]] = {}
    for entry in read(tmp_path):
        name, number = entry.payload.decode().split(" ")
        by_name.setdefault(name, []).append(int(number))
    assert by_name.pop("parent") == [0, 1]
    assert len(by_name) == 8 * 3 + 8
    assert all(numbers == list(range(40)) for numbers in by_name.values())


def test_kill_9_while_appending_loses_nothing_acknowledged(tmp_path: Path) -> None:
    text = """
        import os, sys
        from pathlib import Path
        from proml.journal import Journal
        journal = Journal(Path(sys.argv[1]), segment_bytes=20_000)
        number = 0
        while True:
            journal.append(b"%d" % number)
            os.write(1, b"%d\\n" % number)
            number += 1
    """
    for attempt in range(6):
        folder = tmp_path / str(attempt)
        process = subprocess.Popen(program(text, folder), stdout=subprocess.PIPE)
        assert process.stdout is not None
        seen = process.stdout.read(500 * (attempt + 1) ** 2)
        process.send_signal(signal.SIGKILL)
        seen += process.stdout.read()
        process.wait()
        process.stdout.close()
        acknowledged = seen.count(b"\n")
        found = [int(line) for line in payloads(folder)]
        assert found == list(range(len(found)))
        # The one after the last acknowledged may have been written when the kill came.
        assert acknowledged <= len(found) <= acknowledged + 1


STRACED = """
    import sys
    from pathlib import Path
    from proml.errors import JournalProblem
    from proml.journal import Journal
    journal = Journal(Path(sys.argv[1]), durable=True, segment_bytes=300)
    for number in range(8):
        try:
            journal.append(b"%d" % number)
            print(number, flush=True)
        except JournalProblem:
            pass
"""


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize(
    "fault",
    [
        *(f"fdatasync:{what}:when={n}" for what in ("error=EIO", "signal=KILL") for n in (1, 4, 8)),
        *(f"rename:{what}:when={n}" for what in ("error=ENOSPC", "signal=KILL") for n in (1, 2)),
        *(f"fsync:{what}:when=2" for what in ("error=EIO", "signal=KILL")),
        "fdatasync:error=EIO:when=3+",
        "ftruncate:error=EIO:when=1+",
    ],
)
def test_a_system_call_that_fails_or_kills_loses_and_doubles_nothing(tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "journal"
    call = fault.split(":", maxsplit=1)[0]
    strace = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={fault}"]
    done = subprocess.run(
        [*strace, *program(STRACED, folder)], stdout=subprocess.PIPE, check=False, timeout=60, text=True
    )
    acknowledged = [int(line) for line in done.stdout.split()]
    problems: list[JournalProblem] = []
    found = [int(entry.payload) for entry in read(folder, problems=problems)]
    assert found == sorted(set(found))
    assert set(acknowledged) <= set(found)
    assert not problems
    if "EIO:when=3+" not in fault and "KILL" not in fault and call != "fsync":
        assert acknowledged == list(range(8))


def test_a_limit_on_file_sizes_ends_a_file_and_loses_nothing(tmp_path: Path) -> None:
    text = """
        import resource, sys
        from pathlib import Path
        from proml.journal import Journal
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
        journal = Journal(Path(sys.argv[1]))
        for number in range(50):
            journal.append(b"%d" % number * 20)
        assert journal.faults > 0
    """
    subprocess.run(program(text, tmp_path), check=True, timeout=60)
    assert payloads(tmp_path) == [b"%d" % number * 20 for number in range(50)]
    assert all(scan(file).damage is None for file in files(tmp_path))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("durable", [False, True])
def test_a_full_disk_refuses_and_a_free_one_goes_on(tiny_disk: Path, durable: bool) -> None:
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(32 << 10))
    journal = Journal(tiny_disk / "journal", durable)
    acknowledged, refused, hints = [], 0, set()
    for number in range(60):
        try:
            journal.append(b"%d" % number * 500)
            acknowledged.append(b"%d" % number * 500)
        except JournalProblem as problem:
            refused += 1
            hints.add(problem.hint)
            assert len(living(journal.folder)) == 1
            if refused == 5:
                ballast.unlink()
    assert refused == 5
    assert journal.faults == refused
    assert hints == {"free some disk space, or check that the folder is writable"}
    assert len(files(journal.folder)) == 2
    assert payloads(journal.folder) == acknowledged
    assert not list(journal.folder.glob("*.new"))


def test_a_child_writes_its_own_file_and_keeps_no_hold_of_its_parents(tmp_path: Path) -> None:
    text = """
        import json, os, sys
        from pathlib import Path
        from proml.journal import Journal, files, scan
        folder = Path(sys.argv[1])
        journal = Journal(folder)
        journal.append(b"parent")
        (own,) = files(folder)
        ready, go = os.pipe(), os.pipe()
        if os.fork() == 0:
            journal.append(b"child")
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
        journal.append(b"parent again")
        before = scan(own).writing
        journal.close()
        print(json.dumps([before, scan(own).writing]))
        os.write(go[1], b"x")
        os.wait()
    """
    done = subprocess.run(program(text, tmp_path), check=True, timeout=60, stdout=subprocess.PIPE)
    assert json.loads(done.stdout) == [True, False]
    assert payloads(tmp_path) == [b"parent", b"parent again", b"child"]
