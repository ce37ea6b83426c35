"""Intake: from the journal into the outbox, and from drafts to statements that can be sealed.

Two steps, each written as a whole or not at all:

1. `take_in` copies journal entries and the cursor that says how far. A crash before that repeats it, a
   crash after it does not: every entry is taken in once.
2. `seal_drafts` turns what was taken in into intents. A run is told in three parts: its start as soon as
   it is seen, its observations batch by batch, its end with all it used and produced. A run whose
   journal nobody writes any more and that was never closed is closed as failed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from proml.capture.draft import (
    Draft,
    EnvironmentSeen,
    Observed,
    Produced,
    Reference,
    RunEnded,
    RunStarted,
    StepAsked,
    Subject,
    Used,
    decode,
    encode,
)
from proml.capture.plain import plain
from proml.core.call import AnchorCall
from proml.core.digest import hexed, sha256, unhexed
from proml.core.proof import MAX_BATCH_BYTES, MAX_OBSERVATIONS, ObservationBatch
from proml.errors import JournalProblem, NotFound, ProMLError, RecordInvalid, UsageProblem
from proml.interfaces import Storage
from proml.journal import read
from proml.journal.living import living
from proml.node.outbox import INVALID, Outbox
from proml.node.sealing import Sealer, Statement, anchor_document
from proml.node.view import LedgerView, registering_action

KILLED = "its process ended without closing the run"
# One SQLite transaction per this many journal entries keeps memory flat and a crash cheap.
TAKE_AT_ONCE = 5_000
# Half of what a batch may have: canonical JSON of numbers may be longer than what is counted here.
BATCH_BYTES = MAX_BATCH_BYTES // 2


def take_in(folder: Path, outbox: Outbox) -> tuple[int, list[JournalProblem]]:
    """Copy what is new in the journal into the outbox.

    Returns:
        How many entries were new, and what is damaged or missing; damage holds nothing else up.
    """
    problems: list[JournalProblem] = []
    entries = read(folder, outbox.cursors(), problems)
    taken = 0
    while True:
        with outbox.together():
            count = 0
            for entry in entries:
                outbox.add_draft(_run_of(entry.payload), entry.payload, entry.file_id)
                outbox.set_cursor(entry.file_id, entry.reach)
                count += 1
                if count == TAKE_AT_ONCE:
                    break
        taken += count
        if count < TAKE_AT_ONCE:
            return taken, problems


def _run_of(payload: bytes) -> str | None:
    try:
        run = orjson.loads(payload).get("run")
    except (orjson.JSONDecodeError, AttributeError):
        return None
    return run if isinstance(run, str) else None


class Intake:
    """Turns one project's drafts into intents."""

    def __init__(self, outbox: Outbox, storage: Storage, sealer: Sealer, view: LedgerView) -> None:
        """Seal with `sealer`, which writes to the same outbox and storage."""
        self._outbox = outbox
        self._storage = storage
        self._sealer = sealer
        self._view = view

    def seal_drafts(self, journal: Path) -> None:
        """Seal everything that was taken in, as far as it is complete."""
        alive = living(journal)
        with self._outbox.together():
            drafts = self._read_drafts()
            self._complete(drafts, alive)
            environments = {d.run: d.environment for _, d in drafts if isinstance(d, EnvironmentSeen)}
            observed: dict[str, list[Observed]] = {}
            for _, draft in drafts:
                if isinstance(draft, Observed):
                    observed.setdefault(draft.run, []).append(draft)
                elif isinstance(draft, RunEnded):
                    # What was measured goes first, so that the run's end can name its anchors.
                    self._anchor(draft.run, observed.pop(draft.run, []))
                    self._end(draft)
                elif isinstance(draft, StepAsked):
                    self._try(f"{draft.action} {draft.kind}", draft.at, lambda d=draft: self._ask(d))
                else:
                    self._tell(draft, environments)
            for run, waiting in observed.items():
                self._anchor(run, waiting)
            self._outbox.remove_drafts([number for number, _ in drafts])

    def _read_drafts(self) -> list[tuple[int, Draft]]:
        known: list[tuple[int, Draft]] = []
        for number, payload in self._outbox.drafts():
            try:
                known.append((number, decode(payload)))
            except JournalProblem as problem:
                self._refuse("read a journal entry", time.time(), problem)
                self._outbox.remove_drafts([number])
        return known

    def _complete(self, drafts: list[tuple[int, Draft]], alive: set[bytes]) -> None:
        """Add the missing end of every run that nobody can end any more."""
        ended = {draft.run for _, draft in drafts if isinstance(draft, RunEnded)}
        started = {draft.run for _, draft in drafts if isinstance(draft, RunStarted)}
        for run in [*self._outbox.open_runs(), *started]:
            if run not in ended and not self._outbox.writers(run) & alive:
                ended.add(run)
                drafts.append((-1, RunEnded(run, time.time(), "failed", KILLED)))

    # --- runs -------------------------------------------------------------------------------

    def _tell(self, draft: Draft, environments: dict[str, Any]) -> None:
        """Take a draft into its run's story; the start is sealed at once."""
        if isinstance(draft, RunStarted):
            doing = {"start": _when(draft.at), **draft.activity}
            environment = environments.pop(draft.run, None)
            if environment:
                doing["environment"] = environment
            story: dict[str, Any] = {"name": draft.name, "start": _when(draft.at), "metrics": {}}
            story |= {"used": [], "produced": [], "batches": []}
            self._save(draft.run, story)
            content = {"activity": doing, "parameters": draft.parameters}
            self._try(
                f"start run {draft.name}", draft.at, lambda: self._seal_run(draft, "start", content, draft.at)
            )
            return
        assert isinstance(draft, EnvironmentSeen | Used | Produced)
        story_or_none = self._outbox.run(draft.run)
        if story_or_none is None:
            return  # its start stood in a part of the journal that is damaged; nothing to add it to
        story = story_or_none
        content_of = orjson.loads(encode(draft))
        if isinstance(draft, Used):
            story["used"].append(content_of)
        elif isinstance(draft, Produced):
            story["produced"].append(content_of)
        elif draft.run in environments:
            story["environment"] = draft.environment
        self._save(draft.run, story)

    def _anchor(self, run: str, observed: list[Observed]) -> None:
        story = self._outbox.run(run)
        if story is None or not observed:
            return
        artefact = hexed(self._view.id_of(unhexed(run)))
        contents = [
            plain({"run": artefact, "at": _when(o.at), "step": o.step, "metrics": o.metrics})
            for o in observed
        ]
        for part in _parts(contents):
            label = f"anchor {len(part)} observations"
            self._try(label, observed[-1].at, partial(self._anchor_part, part, label, story, observed[-1].at))
        for content in contents:
            story["metrics"] |= content["metrics"]
        self._save(run, story)

    def _anchor_part(self, part: list[dict[str, Any]], label: str, story: dict[str, Any], at: float) -> None:
        batch = ObservationBatch(part, secrets.token_bytes(32))
        document, root = batch.content, batch.root
        digest = sha256(document)
        self._storage.put(digest, document)
        self._outbox.add_intent("anchor", label, root, anchor_document(AnchorCall(root, len(part))), at)
        story["batches"].append({"root": hexed(root), "count": len(part), "batch": hexed(digest)})

    def _end(self, draft: RunEnded) -> None:
        story = self._outbox.run(draft.run)
        if story is None or "end" in story:
            return
        story["end"] = _when(draft.at)
        finished = draft.outcome == "finished"
        doing = {
            "start": story["start"],
            "end": story["end"],
            "outcome": draft.outcome,
            "reason": draft.reason,
        }
        if "environment" in story:
            doing["environment"] = story["environment"]
        content = {
            "activity": {name: value for name, value in doing.items() if value},
            "metrics": story["metrics"],
            "observations": story["batches"],
            "claims": {"produced": [_claimed(entry) for entry in story["produced"]]}
            if story["produced"]
            else {},
        }
        action = "finish" if finished else "fail"
        name = story["name"]
        self._save(draft.run, story)
        self._try(f"{action} run {name}", draft.at, lambda: self._seal_run(draft, action, content, draft.at))
        if finished:
            for entry in story["produced"]:
                if entry["kind"]:
                    produced = decode(orjson.dumps(entry))
                    assert isinstance(produced, Produced)
                    what = f"register {produced.kind} {produced.name}"
                    self._try(what, draft.at, lambda p=produced: self._register(p, draft.at))

    def _seal_run(
        self, draft: RunStarted | RunEnded, action: str, content: dict[str, Any], at: float
    ) -> None:
        salt = unhexed(draft.run)
        story = self._outbox.run(draft.run)
        assert story is not None
        inputs = tuple(_input(entry) for entry in story["used"]) if action != "start" else ()
        statement = Statement(
            artefact=self._view.id_of(salt),
            lifecycle=self._view.lifecycle_for("run"),
            action=action,
            name=story["name"],
            salt=salt if action == "start" else None,
            inputs=inputs,
            content=content,
        )
        self._sealer.seal(statement, at)

    def _register(self, produced: Produced, at: float) -> None:
        assert produced.kind is not None
        assert produced.salt is not None
        lifecycle = self._view.lifecycle_for(produced.kind)
        salt = unhexed(produced.salt)
        statement = Statement(
            artefact=self._view.id_of(salt),
            lifecycle=lifecycle,
            action=registering_action(lifecycle),
            name=produced.name,
            salt=salt,
            subject=produced.subject,
            inputs=((Reference(salt=produced.run), "run"),),
        )
        self._sealer.seal(statement, at)

    # --- steps outside runs -----------------------------------------------------------------

    def _ask(self, draft: StepAsked) -> None:
        content = {
            "parameters": draft.parameters,
            "metrics": draft.metrics,
            "claims": draft.claims,
            "activity": {"end": _when(draft.at)},
        }
        salt = unhexed(draft.salt) if draft.salt else None
        if salt is not None:
            artefact, lifecycle = self._view.id_of(salt), self._view.lifecycle_for(draft.kind)
        else:
            assert draft.reference is not None
            found = self._sealer.find(draft.reference)
            if found is None:
                raise NotFound("no artefact on the ledger has these bytes", "register it first")
            artefact = found[0]
            lifecycle = self._view.lifecycle_of(artefact) or self._view.lifecycle_for(draft.kind)
        statement = Statement(
            artefact, lifecycle, draft.action, draft.name, salt, draft.subject, draft.inputs, content
        )
        self._sealer.seal(statement, draft.at)

    # --- keeping going ----------------------------------------------------------------------

    def _try(self, label: str, at: float, job: Any) -> None:
        """Do one part; what cannot be sealed is kept as an invalid intent and holds nothing else up."""
        try:
            job()
        except (NotFound, RecordInvalid, UsageProblem) as problem:
            self._refuse(label, at, problem)

    def _refuse(self, label: str, at: float, problem: ProMLError) -> None:
        intent = self._outbox.add_intent("step", label, bytes(32), {}, at)
        self._outbox.settle_intent(intent, INVALID, f"{problem.message}; {problem.hint}".rstrip("; "))

    def _save(self, run: str, story: dict[str, Any]) -> None:
        self._outbox.save_run(run, "closed" if "end" in story else "open", story)


def _parts(contents: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Observations in batches that stay within what one batch may hold, by number and by bytes."""
    part: list[dict[str, Any]] = []
    size = 0
    for content in contents:
        weight = len(orjson.dumps(content))
        if part and (len(part) == MAX_OBSERVATIONS or size + weight > BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(content)
        size += weight
    if part:
        yield part


def _input(entry: dict[str, Any]) -> tuple[Reference, str]:
    used = decode(orjson.dumps(entry))
    assert isinstance(used, Used)
    return used.reference, used.part


def _claimed(entry: dict[str, Any]) -> dict[str, Any]:
    subject = Subject(**entry["subject"])
    return {"name": entry["name"] or subject.name, "kind": entry["kind"] or "file", **subject.document()}


def _when(at: float) -> str:
    """RFC 3339 in UTC to the millisecond; a claim of the machine's clock."""
    seconds = time.gmtime(at)
    return time.strftime("%Y-%m-%dT%H:%M:%S", seconds) + f".{int(at % 1 * 1000):03d}Z"
