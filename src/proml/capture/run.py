"""Runs: the few calls that people place in a training script.

    import proml

    with proml.track("train", parameters={"depth": 3}) as run:
        run.used("data/", part="training data")
        run.log({"loss": 0.31}, step=1)
        run.produced("model.joblib", kind="model")

Rules:

* Everything goes to this machine's journal; nothing here waits for a network.
* `log` returns in microseconds. Files up to 8 MiB are hashed at once, larger ones on another thread,
  for which the end of the run waits.
* A failure of capture never reaches the training code: it is counted, logged under `proml`, and the
  run goes on. In strict mode it is raised instead, before the step it concerns.
* A run that is left by an exception, Ctrl-C or the end of the process is closed as failed. One whose
  process was killed is closed by the publisher, which sees that nobody writes its journal any more.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from proml.capture.draft import (
    Draft,
    EnvironmentSeen,
    Produced,
    Reference,
    RunEnded,
    RunStarted,
    Subject,
    Used,
    encode,
)
from proml.capture.environment import activity, environment
from proml.capture.fingerprint import fingerprint
from proml.capture.plain import is_plain_number, plain
from proml.config import Config, is_off, load
from proml.core.digest import hexed
from proml.errors import ProjectMissing, UsageProblem
from proml.journal import Journal

log = logging.getLogger("proml")

# A file up to this size hashes in a few milliseconds, less than a thread is worth.
AT_ONCE_BYTES = 8 * 1024 * 1024
FINISHED = "finished"
FAILED = "failed"

_current: ContextVar[Run | None] = ContextVar("proml_run", default=None)
_open_runs: weakref.WeakSet[Run] = weakref.WeakSet()
_journals: dict[Path, Journal] = {}
_journals_lock = threading.Lock()


def current_run() -> Run | None:
    """The innermost run that is open in this thread or task, or None."""
    return _current.get()


def journal_of(config: Config) -> Journal:
    """This process's journal of a project; one per folder, however many runs there are."""
    with _journals_lock:
        journal = _journals.get(config.journal)
        if journal is None:
            config.journal.mkdir(mode=0o700, parents=True, exist_ok=True)
            journal = _journals[config.journal] = Journal(config.journal, durable=config.durable)
        return journal


def new_salt() -> str:
    """32 random bytes in text form: what an artefact's id will be made of."""
    return hexed(secrets.token_bytes(32))


class Run:
    """One execution of something, from start to end. Make it with `track`.

    Attributes:
        name: what the caller called it.
        salt: `0x` and 64 digits; the run's name until the ledger gives it an id.
        missed: how many captures failed and were let go.
    """

    def __init__(self, name: str, config: Config | None) -> None:
        """Open nothing yet; `config` None makes a run that records nothing."""
        self.name = name
        self.salt = new_salt()
        self.missed = 0
        self._config = config
        self._journal: Journal | None = None
        self._process = os.getpid()
        self._closed = False
        self._jobs: list[threading.Thread] = []
        self._observed = b'{"draft":"Observed","run":"%s",' % self.salt.encode()

    # --- what a script calls ----------------------------------------------------------------

    def used(self, what: str | os.PathLike[str], part: str = "input") -> None:
        """Say that the run reads a file, a folder, or an artefact by its id (`0x` and 64 digits).

        Call it before the bytes are read. The bytes are hashed as they are now; that the script reads
        the same ones is not checked.
        """
        if isinstance(what, str) and _is_id(what):
            self._guarded("used", lambda: self._write(Used(self.salt, Reference(artefact=what), part)))
        else:
            self._with_subject("used", Path(what), lambda s: Used(self.salt, Reference(subject=s), part))

    def log(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record measurements: names to numbers. Thousands of these become one anchor on the ledger."""
        if self._journal is None:
            return
        try:
            if not all(map(is_plain_number, metrics.values())):
                metrics = {str(name): plain(value) for name, value in metrics.items()}
            content = orjson.dumps({"at": time.time(), "step": step, "metrics": metrics})
            self._journal.append(self._observed + content[1:])
        except Exception as error:  # noqa: BLE001 -- capture never makes training fail
            self._missed("log", error)

    def produced(
        self, path: str | os.PathLike[str], kind: str | None = None, name: str | None = None
    ) -> None:
        """Say that the run made a file or folder.

        Args:
            path: the file or folder, complete; its bytes are hashed now.
            kind: makes it an artefact of that kind (`model`, `dataset`, …), which needs the run to
                finish; without it the run's record lists it and no more.
            name: what to call the artefact; the file's name if not given.
        """
        salt = new_salt() if kind else None
        self._with_subject(
            "produced", Path(path), lambda s: Produced(self.salt, s, kind, name or s.name, salt)
        )

    def finish(self) -> None:
        """Close the run as finished. Leaving the `with` block without an exception does the same."""
        self._close(FINISHED, "")

    def fail(self, reason: str) -> None:
        """Close the run as failed, with a short reason that may be read by other organisations."""
        self._close(FAILED, reason)

    # --- life -------------------------------------------------------------------------------

    def start(
        self, parameters: Mapping[str, Any] | None = None, doing: Mapping[str, Any] | None = None
    ) -> Self:
        """Write the start of the run. `track` calls this; call it once.

        Args:
            parameters: names to JSON values; what has no JSON form is kept as its text.
            doing: command and code version, in place of those of this process.
        """
        if self._config is not None:
            self._guarded("start", lambda: self._start(self._config, parameters, doing))
        return self

    def _start(
        self, config: Config | None, parameters: Mapping[str, Any] | None, doing: Mapping[str, Any] | None
    ) -> None:
        assert config is not None
        chosen = {str(name): plain(value) for name, value in (parameters or {}).items()}
        if doing is None:
            doing = activity(config.root) if config.environment else {}
        self._journal = journal_of(config)
        self._write(RunStarted(self.salt, self.name, time.time(), chosen, doing))
        _open_runs.add(self)
        if config.environment:
            self._background(lambda: self._write(EnvironmentSeen(self.salt, environment())))

    def _close(self, outcome: str, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        _open_runs.discard(self)
        for job in self._jobs:
            job.join()
        if self._journal is not None:
            self._guarded("end", lambda: self._write(RunEnded(self.salt, time.time(), outcome, reason)))
            self._guarded("end", self._journal.sync)
        if self.missed:
            log.warning("run %r: %d captures failed; the rest is recorded", self.name, self.missed)

    def _closed_by(self, error: BaseException | None) -> None:
        """Close as `error` demands. Only its class is recorded: its text may hold anything."""
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.finish()
        elif isinstance(error, KeyboardInterrupt):
            self.fail("interrupted")
        else:
            self.fail(type(error).__name__)

    # --- writing ----------------------------------------------------------------------------

    def _with_subject(self, call: str, path: Path, make: Callable[[Subject], Draft]) -> None:
        if self._journal is None:
            return

        def capture() -> None:
            self._write(make(subject_of(path)))

        if self._strict or _is_small(path):
            self._guarded(call, capture)
        else:
            self._background(lambda: self._guarded(call, capture))

    def _write(self, draft: Draft) -> None:
        if self._journal is not None:
            self._journal.append(encode(draft))

    def _background(self, job: Callable[[], None]) -> None:
        thread = threading.Thread(target=job, name="proml-capture", daemon=True)
        self._jobs.append(thread)
        thread.start()

    @property
    def _strict(self) -> bool:
        return self._config is not None and self._config.strict

    def _guarded(self, call: str, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 -- capture never makes training fail
            self._missed(call, error)

    def _missed(self, call: str, error: Exception) -> None:
        if self._strict:
            raise error
        self.missed += 1
        log.warning("proml could not record %s of run %r: %s", call, self.name, error)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"Run({self.name!r}, {state}, {self.salt[:10]})"


class Tracking(ContextDecorator):
    """What `track` gives: a context manager that yields the Run, and a decorator around a function.

    As a decorator every call of the function is a run of its own; inside, `proml.current_run()` is it.
    """

    def __init__(self, name: str, parameters: Mapping[str, Any] | None) -> None:
        """Remember what the run shall be called; nothing is recorded yet."""
        self._name = name
        self._parameters = parameters
        self._entered: list[tuple[Run, Token[Run | None]]] = []

    def _recreate_cm(self) -> Self:
        return type(self)(self._name, self._parameters)

    def __enter__(self) -> Run:
        run = Run(self._name, _configuration()).start(self._parameters)
        self._entered.append((run, _current.set(run)))
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run, token = self._entered.pop()
        _current.reset(token)
        run._closed_by(error)  # noqa: SLF001 -- the two are one thing in two classes


def track(name: str, *, parameters: Mapping[str, Any] | None = None) -> Tracking:
    """Track a run: `with proml.track("train") as run:` or `@proml.track("train")`.

    Args:
        name: what the run is called; members of the consortium may come to read it.
        parameters: settings worth keeping, names to JSON values.

    Raises:
        ProjectMissing, ConfigInvalid: in strict mode only, when entered; otherwise a warning is logged
            under `proml` and nothing is recorded.
    """
    if not name:
        raise UsageProblem(f"a run needs a name, not {name!r}", 'proml.track("train")')
    return Tracking(name, parameters)


def subject_of(path: Path) -> Subject:
    """Fingerprint a file or folder; FileRefused or NotFound say why it cannot be."""
    found = fingerprint(path)
    blake3 = hexed(found.blake3) if found.blake3 else None
    return Subject(found.name, found.size, hexed(found.sha256), blake3, found.files)


def _configuration() -> Config | None:
    if is_off():
        return None
    try:
        return load()
    except Exception as error:
        if os.environ.get("PROML_STRICT", "").lower() in ("1", "true", "yes", "on"):
            raise
        hint = getattr(error, "hint", "")
        level = logging.WARNING if isinstance(error, ProjectMissing) else logging.ERROR
        log.log(level, "nothing is recorded: %s%s", error, f" ({hint})" if hint else "")
        return None


def _is_id(text: str) -> bool:
    return len(text) == 66 and text.startswith("0x")


def _is_small(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= AT_ONCE_BYTES
    except OSError:
        return True


@atexit.register
def _close_open_runs() -> None:
    """A run nobody closed ends as failed; one inherited through a fork is the parent's to close."""
    for run in list(_open_runs):
        if run._process == os.getpid():  # noqa: SLF001 -- end of the process, not a call of a user
            run.fail("the process ended without closing the run")
