"""Runs: the few calls that people place in a training script.

    import proml

    with proml.track("train", parameters={"depth": 3}) as run:
        run.used("data/", part="training data")
        run.log({"loss": 0.31}, step=1)
        run.produced("model.joblib", kind="model")

Rules:

* Everything goes to this machine's journal; nothing here waits for a network.
* `log` returns in microseconds. Files up to 8 MiB are hashed at once; larger ones, tables and folders on
  another thread, for which the end of the run waits, and as they were at the call or not at all
  (`proml.capture.seen`).
* A failure of capture never reaches the training code: it is counted, logged under `proml`, and the
  run goes on. In strict mode it is raised instead, before the step it concerns.
* A run whose start could not be written (a full disk) writes it with the first call that can.
* A run that is left by an exception, Ctrl-C or the end of the process is closed as failed. One whose
  process was killed is closed by the publisher, which sees that nobody writes its journal any more.
* A child made by fork may go on using a run; only the process that started a run ends it.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import orjson

from proml.capture.backlog import Backlog
from proml.capture.draft import (
    FAILED,
    FINISHED,
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
from proml.capture.environment import code_version, command, environment
from proml.capture.fingerprint import Fingerprint, fingerprint
from proml.capture.hashing import Progress
from proml.capture.known import Known, snapshot
from proml.capture.plain import MAX_TEXT, plain, text
from proml.capture.quick import is_quick
from proml.capture.seen import Seen
from proml.config import Config
from proml.core.deadline import deadline_after
from proml.core.digest import hexed
from proml.errors import UsageProblem
from proml.journal import Journal

log = logging.getLogger("proml")
Said = Mapping[str, Any] | None

INTERRUPTED = "interrupted"

# Looked up once: `log` is called millions of times.
_dumps, _now = orjson.dumps, time.time
_EXACT = orjson.OPT_STRICT_INTEGER

# Runs of this process whose end does not stand in a journal yet.
_open_runs: set[Run] = set()
_journals: dict[Path, Journal] = {}
_journals_lock = threading.Lock()


def journal_of(config: Config) -> Journal:
    """This process's journal of a project; one per folder, however many runs there are."""
    with _journals_lock:
        journal = _journals.get(config.journal)
        if journal is None:
            journal = _journals[config.journal] = Journal(config.journal, durable=config.durable)
        return journal


def new_salt() -> str:
    """32 random bytes in text form: what an artefact's id will be made of."""
    return hexed(os.urandom(32))


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
        self._started: RunStarted | None = None
        self._ended: RunEnded | None = None
        self._journal: Journal | None = None  # set while the run is open and its start stands there
        self._is_begun = False
        self._process = os.getpid()
        self._closed = False
        self._backlog = Backlog()
        self._observed = b'{"draft":"Observed","run":"%s",' % self.salt.encode()
        self._stepless = self._observed + b'"step":null,'

    # --- what a script calls ----------------------------------------------------------------

    def used(self, what: str | os.PathLike[str], part: str = "input") -> None:
        """Say that the run reads a file, a folder, or an artefact by its id (`0x` and 64 digits).

        Call it before the bytes are read. What is recorded is the digest of the bytes at the call; that
        the script reads the same ones is not checked. Files up to 8 MiB are hashed before this returns,
        and everything in strict mode. The rest is hashed later: a larger file may be replaced or removed
        meanwhile; one that is written to or renamed, and a folder in which anything changes, is not
        recorded, which is counted in `missed` and warned of.
        """
        if isinstance(what, str) and _is_id(what):
            self._guarded("used", lambda: self._write(Used(self.salt, Reference(artefact=what), text(part))))
        else:
            self._with_subject("used", what, lambda s: Used(self.salt, Reference(subject=s), text(part)))

    def log(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record measurements: names to numbers. Thousands of these become one anchor on the ledger."""
        try:
            journal = self._journal or self._opened()
            if journal is not None:
                if step is None:
                    content, before = _dumps({"at": _now(), "metrics": metrics}, None, _EXACT), self._stepless
                else:
                    content = _dumps({"at": _now(), "step": step, "metrics": metrics}, None, _EXACT)
                    before = self._observed
                if b"null" in content or len(content) > MAX_TEXT or metrics.__class__ is not dict:
                    # Perhaps a NaN, which would be lost, or a text that is too long.
                    content, before = _measured(metrics, step), self._observed
                journal.append(before + content[1:])
        except TypeError:
            self._log_odd(metrics, step)
        except Exception as error:  # noqa: BLE001 -- capture never makes training fail
            self._missed("log", error)

    def produced(
        self, path: str | os.PathLike[str], kind: str | None = None, name: str | None = None
    ) -> None:
        """Say that the run made a file or folder.

        Args:
            path: the file or folder, complete. As for `used`, the digest is that of the bytes at the
                call: leave large files and folders unwritten until the end of the run, or replace them
                as a whole (`os.replace`, files only).
            kind: makes it an artefact of that kind (`model`, `dataset`, …), which needs the run to
                finish; without it the run's record lists it and no more.
            name: what to call the artefact; the file's name if not given.
        """
        salt = new_salt() if kind else None
        self._with_subject(
            "produced",
            path,
            lambda s: Produced(self.salt, s, text(kind) if kind else None, text(name or s.name), salt),
        )

    def finish(self) -> None:
        """Close the run as finished. Leaving the `with` block without an exception does the same."""
        self._close(FINISHED, "")

    def fail(self, reason: str) -> None:
        """Close the run as failed, with a short reason that may be read by other organisations."""
        self._close(FAILED, text(reason))

    # --- life -------------------------------------------------------------------------------

    def start(self, parameters: Said = None, doing: Said = None, within: float | None = None) -> Self:
        """Write the start of the run. `track` calls this; call it once.

        Args:
            parameters: names to JSON values; what has no JSON form is kept as its text.
            doing: command and code version, in place of those of this process.
            within: seconds after which the run counts as abandoned if it is still open.
        """
        try:
            self._guarded("start", lambda: self._start(parameters, doing, within))
        except Exception:  # strict: there is no run
            _open_runs.discard(self)
            raise
        return self

    def _start(self, parameters: Said, doing: Said, within: float | None) -> None:
        config = self._config
        if config is None:
            return
        if doing is None:
            # A program that embeds Python may have no sys.argv.
            doing = {"command": command(getattr(sys, "argv", []), config.root)} if config.environment else {}
        at = time.time()
        if within is not None:
            doing = {**doing, "deadline": deadline_after(at, within)}
        self._started = RunStarted(self.salt, text(self.name), at, plain(parameters or {}), plain(doing))
        _open_runs.add(self)
        self._opened()

    def _opened(self) -> Journal | None:
        """The journal with the run's start in it, for one more entry; None for a run that records nothing."""
        if self._config is None or self._started is None:
            return None
        if self._closed:
            raise UsageProblem(f"run {self.name!r} is closed", "record before the end of its `with` block")
        self._journal = self._begin(self._config, self._started)
        return self._journal

    def _begin(self, config: Config, started: RunStarted) -> Journal:
        journal = journal_of(config)
        if not self._is_begun:
            # After a failure it may come to stand there twice; readers take the first.
            journal.append(encode(started))
            self._is_begun = True
            if config.environment:
                self._later("environment", lambda: self._write(self._looked_around(config.root, started)))
        return journal

    def _looked_around(self, root: Path, started: RunStarted) -> EnvironmentSeen:
        code = None if "code" in started.activity else code_version(root)
        return EnvironmentSeen(self.salt, environment(), plain(code))

    def _close(self, outcome: str, reason: str) -> None:
        if self._closed or self._process != os.getpid():
            return
        try:
            if reason != INTERRUPTED:  # who presses Ctrl-C does not want to wait for a large file
                self._backlog.finish()
        except BaseException:
            outcome, reason = FAILED, INTERRUPTED
            raise
        finally:
            self._closed, self._journal = True, None
            self._ended = RunEnded(self.salt, time.time(), outcome, reason)
            self._guarded("end", self._end)
        if self.missed:
            log.warning("run %r: %d captures failed; the rest is recorded", self.name, self.missed)

    def _end(self) -> None:
        if self._config is not None and self._started is not None and self._ended is not None:
            journal = self._begin(self._config, self._started)
            journal.append(encode(self._ended))
            _open_runs.discard(self)
            journal.sync()

    def _close_at_exit(self) -> None:
        if self._closed:
            self._end()  # the disk may have room again
        else:
            self.fail("the process ended without closing the run")

    def _closed_by(self, error: BaseException | None) -> None:
        """Close as `error` demands. Only its class is recorded: its text may hold anything."""
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.finish()
            return
        try:
            self.fail(INTERRUPTED if isinstance(error, KeyboardInterrupt) else type(error).__name__)
        except Exception as problem:  # noqa: BLE001 -- even in strict mode nothing takes the place of `error`
            log.warning("proml could not record the end of run %r: %s", self.name, problem)

    def _log_odd(self, metrics: Any, step: Any) -> None:
        """`log`, for what is no plain number: slower."""

        def write() -> None:
            journal = self._opened()
            if journal is not None:
                journal.append(self._observed + _measured(metrics, step)[1:])

        self._guarded("log", write)

    # --- writing ----------------------------------------------------------------------------

    def _with_subject(
        self, call: str, what: str | os.PathLike[str], make: Callable[[Subject], Draft]
    ) -> None:
        config = self._config
        if config is None:
            return

        def capture() -> None:
            if not os.fspath(what):
                raise UsageProblem("an empty path names no file", "'.' is the current folder")
            if self._strict or is_quick(what):
                self._write(make(subject_of(Path(what))))
            else:
                seen, known = Seen(Path(what)), Known(config.known)
                self._later(call, lambda: self._write(make(seen.subject(known, _subject))))

        self._guarded(call, capture)

    def _write(self, draft: Draft) -> None:
        journal = self._opened()
        if journal is not None:
            journal.append(encode(draft))

    @property
    def _strict(self) -> bool:
        return self._config is not None and self._config.strict

    def _later(self, call: str, job: Callable[[], None]) -> None:
        """Do a job on another thread; in strict mode here and now, where it can still be raised."""
        if self._strict:
            job()
        else:
            self._backlog.add(lambda: self._guarded(call, job))

    def _guarded(self, call: str, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 -- capture never makes training fail
            self._missed(call, error)

    def _missed(self, call: str, error: Exception) -> None:
        if self._strict:
            raise error
        self.missed += 1
        if self.missed & (self.missed - 1) == 0:  # 1, 2, 4, 8 …: a full disk must not flood the output
            log.warning("proml could not record %s of run %r: %s", call, self.name, error)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"Run({self.name!r}, {state}, {self.salt[:10]})"


def subject_of(path: Path, progress: Progress | None = None) -> Subject:
    """Fingerprint a file or folder; FileRefused or NotFound say why it cannot be.

    `progress` is called with the bytes and files read so far.
    """
    return _subject(fingerprint(path, progress))


def subject_known(path: Path, known: Known, progress: Progress | None = None) -> Subject:
    """`subject_of`, without reading what is as it was when it was last hashed. Never to verify."""
    try:
        before = snapshot(path)
    except OSError:
        return subject_of(path, progress)  # which says why
    found = known.find(path, before)
    if found is not None:
        return found
    subject = subject_of(path, progress)
    if snapshot(path).digest == before.digest:
        known.keep(path, before, subject)
    return subject


def _subject(found: Fingerprint) -> Subject:
    blake3 = hexed(found.blake3) if found.blake3 else None
    said = found.content
    form, content = (said.form, hexed(said.digest)) if said else (None, None)
    return Subject(found.name, found.size, hexed(found.sha256), blake3, found.files, form, content)


def _measured(metrics: Any, step: Any) -> bytes:
    """The rest of an `Observed` draft, for whatever a script may pass."""
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics map names to numbers; {type(metrics).__name__} does not")
    return _dumps({"at": _now(), "step": plain(step), "metrics": plain(metrics)})


def _is_id(what: str) -> bool:
    return len(what) == 66 and what.startswith("0x")


@atexit.register
def _close_open_runs() -> None:
    """A run nobody closed ends as failed; one inherited through a fork is the parent's to close."""
    for run in list(_open_runs):
        if run._process != os.getpid():  # noqa: SLF001 -- end of the process, not a call of a user
            continue
        try:
            run._close_at_exit()  # noqa: SLF001
        except Exception as error:  # noqa: BLE001 -- nobody is left to raise it to
            log.warning("proml could not record the end of run %r: %s", run.name, error)
