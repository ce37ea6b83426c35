"""Starts and stops the program behind an embedded chain, and tells truly whether it runs.

The program holds a lock on the file `alive` for as long as it lives: the lock is taken here, handed over
when the program is started, and released by the operating system when it ends, however it ends. So a process
id that now belongs to somebody else, a restarted machine or a stale file never count as running.

Which process it is, and on which port, stands in `runtime.json`. It is written by the very process that
then turns into anvil, so there is no moment at which anvil runs and nobody knows its number.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proml.errors import LedgerProblem

HOST = "127.0.0.1"
_PAUSE_SECONDS = 0.005
_START_SECONDS = 30.0
_TERMINATE_SECONDS = 10.0
_KILL_SECONDS = 10.0
# The outer shell starts the inner one in the background and ends, so that nobody has to wait for anvil.
_DETACH = '"$@" &'
_BECOME = """
printf '{"pid": %s, "port": %s}\\n' "$$" "$2" >"$1.new" && mv -f "$1.new" "$1" || exit 1
shift 2
exec "$@"
"""
# No more past states in memory than a reader a few blocks behind may ask for. Without this bound anvil writes
# a file per block into its home folder, a gigabyte for 4,000 blocks, and leaves them there when killed.
_PAST_STATES = 64
_BLOCK_GAS = 30_000_000


class _PortTaken(LedgerProblem):
    """Another program listens on the port that was chosen."""


@dataclass(frozen=True, slots=True)
class Running:
    """A live anvil: its process id, and the port it listens on at 127.0.0.1."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Its JSON-RPC address."""
        return f"http://{HOST}:{self.port}"


class AnvilProcess:
    """The program of the chain in one folder; starting and stopping needs the lock of that folder.

    Args:
        folder: the chain's folder.
        chain_id: EIP-155 chain id.
        genesis_time: seconds since 1970 UTC.
    """

    def __init__(self, folder: Path, chain_id: int, genesis_time: int) -> None:
        self._folder = folder
        self._alive = folder / "alive"
        self._runtime = folder / "runtime.json"
        self._log = folder / "anvil.log"
        self._home = folder / "anvil-home"
        self._settings = (
            "--chain-id", str(chain_id), "--timestamp", str(genesis_time), "--hardfork", "cancun",
            "--gas-limit", str(_BLOCK_GAS), "--gas-price", "0", "--block-base-fee-per-gas", "0",
            "--accounts", "0", "--disable-default-create2-deployer", "--order", "fifo", "--no-mining",
            "--prune-history", str(_PAST_STATES), "--host", HOST, "--no-cors", "--no-request-size-limit",
            "--quiet",
        )  # fmt: skip

    def running(self) -> Running | None:
        """The live program, or None when there is none or it has not got as far as saying where it is."""
        if not self._lives():
            return None
        try:
            said = json.loads(self._runtime.read_bytes())
            return Running(int(said["pid"]), int(said["port"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def start(self, program: Path, ready: Callable[[Running], bool]) -> Running:
        """Start it on the port it had last, or on a free one, and return when it is ready.

        Args:
            program: a native anvil.
            ready: whether it answers, and as this chain.

        Raises:
            LedgerProblem: it ended at once, was not ready in time, or no port could be had.
        """
        port = self._last_port()
        if port is None or not _is_free(port):
            port = _free_port()
        for _ in range(8):
            try:
                return self._start_on(port, program, ready)
            except _PortTaken:
                port = _free_port()
        raise LedgerProblem(
            "no free port could be found for the embedded chain", "see `ss -lnt` for what listens"
        )

    def stop(self) -> None:
        """End it, kindly first, and return when it is gone; nothing happens when it is not running.

        Raises:
            LedgerProblem: it cannot be ended.
        """
        for sign, seconds in ((signal.SIGTERM, _TERMINATE_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
            if self._end(sign, seconds):
                self._forget_home()
                return
        raise LedgerProblem(
            f"the embedded chain in {self._folder} does not end",
            f"see which process holds {self._alive} and end it",
        )

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if not self._end(signal.SIGKILL, _KILL_SECONDS):
            raise LedgerProblem(f"the embedded chain in {self._folder} does not end")

    def _start_on(self, port: int, program: Path, ready: Callable[[Running], bool]) -> Running:
        self._forget_home()
        self._home.mkdir(mode=0o700, exist_ok=True)
        self._runtime.unlink(missing_ok=True)
        become = [
            "/bin/sh",
            "-c",
            _BECOME,
            "sh",
            str(self._runtime),
            str(port),
            str(program),
            "--port",
            str(port),
        ]
        command = ["/bin/sh", "-c", _DETACH, "sh", *become, *self._settings, "--cache-path", str(self._home)]
        alive = self._take_life()
        try:
            with self._log.open("wb") as log:
                subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._home,
                    pass_fds=[alive], start_new_session=True, check=True,
                    env={"HOME": str(self._home), "TMPDIR": str(self._home), "PATH": os.defpath},
                )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as problem:
            raise LedgerProblem(
                f"the embedded chain's program {program} cannot be started: {problem}"
            ) from problem
        finally:
            # Closed, not unlocked: the program holds the same lock through its own copy.
            os.close(alive)
        return self._wait_until(ready, program)

    def _wait_until(self, ready: Callable[[Running], bool], program: Path) -> Running:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            running = self.running()
            if running is not None and ready(running):
                return running
            if not self._lives():
                raise self._why_it_ended(program)
            time.sleep(_PAUSE_SECONDS)
        self.kill()
        raise LedgerProblem(
            f"the embedded chain did not answer within {_START_SECONDS:.0f} seconds",
            f"its own words are in {self._log}",
        )

    def _why_it_ended(self, program: Path) -> LedgerProblem:
        words = self._log.read_text("utf-8", "replace").strip()
        if "address already in use" in words.lower():
            return _PortTaken("the port of the embedded chain is taken")
        return LedgerProblem(
            f"the embedded chain's program {program} ended at once: {words[-300:] or 'it said nothing'}",
            "run that program with --version by hand to see whether it works on this machine",
        )

    def _lives(self) -> bool:
        try:
            descriptor = os.open(self._alive, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _take_life(self) -> int:
        """Lock the file `alive`, and return the descriptor that holds the lock."""
        descriptor = os.open(self._alive, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Somebody asking whether it lives holds the lock for an instant.
        deadline = time.monotonic() + 2.0
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(_PAUSE_SECONDS)
                    continue
                os.close(descriptor)
                raise LedgerProblem(
                    f"a program of the embedded chain in {self._folder} runs already and cannot be reached",
                    f"see which process holds {self._alive} and end it",
                ) from None
            return descriptor

    def _end(self, sign: signal.Signals, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        told = False
        while self._lives():
            running = self.running()
            if running is not None and not told and self._is_ours(running.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running.pid, sign)
                told = True
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    def _is_ours(self, pid: int) -> bool:
        """Whether the process was started for this folder; guards against a forged or copied runtime file."""
        words = Path(f"/proc/{pid}/cmdline")
        if Path("/proc/self/cmdline").exists():
            with contextlib.suppress(OSError):
                return os.fsencode(self._home) in words.read_bytes().split(b"\0")
            return False
        said = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
        )
        return os.fsencode(self._home) in said.stdout

    def _forget_home(self) -> None:
        shutil.rmtree(self._home, ignore_errors=True)

    def _last_port(self) -> int | None:
        try:
            port = int(json.loads(self._runtime.read_bytes())["port"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return port if 1024 <= port < 1 << 16 else None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As anvil does: connections that ended a moment ago do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
