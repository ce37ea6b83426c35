"""A PostgreSQL server of the tests' own, from the programs Debian installs; empty databases in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

_PROGRAMS = Path("/usr/lib/postgresql")
_MEMORY = Path("/dev/shm")
# The server refuses to run as root.
_USER = "postgres"
_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "shared_buffers=64MB",
    "max_connections=40",
)


class Server:
    """A running server, reached by a socket in its own folder, so that no port is taken."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self._programs = programs
        self._numbers = count(1)

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"made_{next(self._numbers)}"
        with psycopg.connect(host=str(self.folder), user=_USER, dbname="postgres", autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        return f"postgresql://{_USER}@/{name}?host={self.folder}"

    def drop(self, url: str) -> None:
        """Remove a database, whoever still looks at it."""
        name = url.split("@/")[1].split("?", maxsplit=1)[0]
        with psycopg.connect(host=str(self.folder), user=_USER, dbname="postgres", autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def start(self) -> None:
        options = " ".join(
            f"-c {setting}" for setting in (*_SETTINGS, f"unix_socket_directories={self.folder}")
        )
        self._run(
            "pg_ctl", "start", "-w", "-D", f"{self.folder}/made", "-l", f"{self.folder}/log", "-o", options
        )

    def stop(self, mode: str = "immediate") -> None:
        """At once, as a machine that fails: commits are lost, since none waits for the disk; or "fast"."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", f"{self.folder}/made")

    def make(self) -> None:
        self._run(
            "initdb", "-D", f"{self.folder}/made", "-U", _USER, "-A", "trust", "--no-sync", "-E", "UTF8"
        )

    def _run(self, program: str, *arguments: str) -> None:
        as_user = {"user": _USER} if os.geteuid() == 0 else {}
        # Not through pipes: the server would inherit them, and whoever reads would wait for its end.
        with (self.folder / "said").open("wb") as said:
            subprocess.run(
                [self._programs / program, *arguments],
                check=True, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=self.folder, **as_user,
            )  # fmt: skip


@contextmanager
def running_server() -> Iterator[Server]:
    """A server for as long as the block lasts; the test is skipped where PostgreSQL is not installed."""
    programs = sorted(_PROGRAMS.glob("*/bin/initdb"))
    if not programs:
        reason = "PostgreSQL is not installed: apt-get install postgresql"
        if os.environ.get("PROML_REQUIRE_PROGRAMS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="proml-postgresql-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
        server = Server(folder, programs[-1].parent)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
