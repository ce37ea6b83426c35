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
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from proml.capture.draft import (
    FAILED,
    FINISHED,
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
from proml.journal.living import writers
from proml.node.outbox import INVALID, Outbox
from proml.node.sealing import Sealer, Statement, anchor_document
from proml.node.view import LedgerView, registering_action

KILLED = "its process ended without closing the run"
# One SQLite transaction per this many journal entries keeps memory flat and a crash cheap.
TAKE_AT_ONCE = 5_000
# Half of what a batch may have: canonical JSON of numbers may be longer than what is counted here.
BATCH_BYTES = MAX_BATCH_BYTES // 2


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking in came to.

    Attributes:
        count: how many entries were new.
        writing: ids of journal files that may hold more than was read, now or later.
        damage: what is damaged or missing; it holds nothing else up.
    """

    count: int
    writing: frozenset[bytes]
    damage: tuple[JournalProblem, ...]


def take_in(folder: Path, outbox: Outbox) -> Taken:
    """Copy what is new in the journal into the outbox."""
    # Asked before reading: of a file nobody writes any more, everything is then read. One that was begun
    # since may have been read only in part.
    before = writers(folder)
    writing = {file for file, alive in before.items() if alive}
    problems: list[JournalProblem] = []
    entries = read(folder, outbox.cursors(), problems)
    count = 0
    while True:
        reached = {}
        with outbox.together():
            for entry in islice(entries, TAKE_AT_ONCE):
                outbox.add_draft(_run_of(entry.payload), entry.payload, entry.file_id)
                reached[entry.file_id] = entry.reach
                count += 1
            for file, reach in reached.items():
                outbox.set_cursor(file, reach)
        writing |= reached.keys() - before.keys()
        if not reached:
            return Taken(count, frozenset(writing), tuple(problems))


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

    def seal_drafts(self, writing: frozenset[bytes]) -> None:
        """Seal everything that was taken in, as far as it is complete; `writing` is `Taken.writing`."""
        with self._outbox.together():
            drafts = self._read_drafts()
            self._complete(drafts, writing)
            # Several processes may have written to one run, and their files come one after the other: what
            # all of them said goes before the end of the run.
            told: dict[str, list[Draft]] = {}
            for _, draft in drafts:
                if isinstance(draft, EnvironmentSeen | Used | Produced | Observed):
                    told.setdefault(draft.run, []).append(draft)
            for _, draft in drafts:
                if isinstance(draft, RunStarted):
                    self._start(draft, told)
                elif isinstance(draft, RunEnded):
                    self._tell(draft.run, told.pop(draft.run, []))
                    self._end(draft)
                elif isinstance(draft, StepAsked):
                    self._try(f"{draft.action} {draft.kind}", draft.at, partial(self._ask, draft))
            for run, said in told.items():
                self._tell(run, said)
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

    def _complete(self, drafts: list[tuple[int, Draft]], writing: frozenset[bytes]) -> None:
        """Add the missing end of every run that nobody can end any more."""
        ended = {draft.run for _, draft in drafts if isinstance(draft, RunEnded)}
        started = [draft.run for _, draft in drafts if isinstance(draft, RunStarted)]
        open_runs = [run for run in dict.fromkeys([*self._outbox.open_runs(), *started]) if run not in ended]
        drafts.extend(
            (-1, RunEnded(run, time.time(), FAILED, KILLED))
            for run in open_runs
            if not self._outbox.writers(run) & writing
        )

    # --- runs -------------------------------------------------------------------------------

    def _start(self, draft: RunStarted, told: dict[str, list[Draft]]) -> None:
        """Begin a run's story and seal its start at once, with its environment if that was told in time."""
        if self._outbox.run(draft.run) is not None:
            return  # written twice, after a failure
        doing = {"start": _when(draft.at), **draft.activity}
        said = told.get(draft.run, [])
        seen = [each for each in said if isinstance(each, EnvironmentSeen)]
        if seen:
            doing["environment"] = seen[0].environment
            told[draft.run] = [each for each in said if each not in seen]
        story: dict[str, Any] = {
            "name": draft.name,
            # Kept, because a later part of the story may be told with another key.
            "artefact": hexed(self._view.id_of(unhexed(draft.run))),
            "start": _when(draft.at),
            "metrics": {},
            "used": [],
            "produced": [],
            "batches": [],
        }
        self._save(draft.run, story)
        content = {"activity": doing, "parameters": draft.parameters}
        salt = unhexed(draft.run)
        self._try(
            f"start run {draft.name}",
            draft.at,
            lambda: self._seal_run(story, "start", content, draft.at, salt),
        )

    def _tell(self, run: str, said: list[Draft]) -> None:
        """Add what was said in a run to its story, and anchor what was measured."""
        story = self._outbox.run(run)
        if not said:
            return
        if story is None:
            self._lost(f"{len(said)} entries of a run", f"the start of run {run} is not in the journal")
            return
        observed = [draft for draft in said if isinstance(draft, Observed)]
        late = [draft for draft in said if not isinstance(draft, Observed)] if "end" in story else []
        if late:
            self._lost(f"{len(late)} entries of run {story['name']}", "they came after the end of the run")
        for draft in said:
            if draft in late:
                continue
            if isinstance(draft, Used):
                story["used"].append(orjson.loads(encode(draft)))
            elif isinstance(draft, Produced):
                story["produced"].append(orjson.loads(encode(draft)))
            elif isinstance(draft, EnvironmentSeen):
                story["environment"] = draft.environment
        self._anchor(story, observed)
        self._save(run, story)

    def _anchor(self, story: dict[str, Any], observed: list[Observed]) -> None:
        artefact = story["artefact"]
        contents = [
            plain({"run": artefact, "at": _when(o.at), "step": o.step, "metrics": o.metrics})
            for o in observed
        ]
        for part in _parts(contents):
            label = f"anchor {len(part)} observations"
            self._try(label, observed[-1].at, partial(self._anchor_part, part, label, story, observed[-1].at))
        for content in contents:
            story["metrics"] |= content["metrics"]

    def _anchor_part(self, part: list[dict[str, Any]], label: str, story: dict[str, Any], at: float) -> None:
        batch = ObservationBatch(part, secrets.token_bytes(32))
        document, root = batch.content, batch.root
        digest = sha256(document)
        self._storage.put(digest, document)
        self._outbox.add_intent("anchor", label, root, anchor_document(AnchorCall(root, len(part))), at)
        story["batches"].append({"root": hexed(root), "count": len(part), "batch": hexed(digest)})

    def _end(self, draft: RunEnded) -> None:
        story = self._outbox.run(draft.run)
        if story is None:
            self._lost("the end of a run", f"the start of run {draft.run} is not in the journal")
            return
        if "end" in story:
            return
        story["end"] = _when(draft.at)
        self._save(draft.run, story)
        doing = {name: story[name] for name in story.keys() & {"start", "end", "environment"}}
        doing["outcome"] = draft.outcome
        if draft.reason:
            doing["reason"] = draft.reason
        produced = [_claimed(entry) for entry in story["produced"]]
        content = {
            "activity": doing,
            "metrics": story["metrics"],
            "observations": story["batches"],
            "claims": {"produced": produced} if produced else {},
        }
        finished = draft.outcome == FINISHED
        action = "finish" if finished else "fail"
        self._try(
            f"{action} run {story['name']}",
            draft.at,
            lambda: self._seal_run(story, action, content, draft.at),
        )
        if finished:
            for entry in story["produced"]:
                if entry["kind"]:
                    label = f"register {entry['kind']} {entry['name']}"
                    self._try(label, draft.at, partial(self._register, entry, story, draft.at))

    def _seal_run(
        self,
        story: dict[str, Any],
        action: str,
        content: dict[str, Any],
        at: float,
        salt: bytes | None = None,
    ) -> None:
        statement = Statement(
            artefact=unhexed(story["artefact"]),
            lifecycle=self._view.lifecycle_for("run"),
            action=action,
            name=story["name"],
            salt=salt,
            inputs=tuple(_input(entry) for entry in story["used"]) if salt is None else (),
            content=content,
        )
        self._sealer.seal(statement, at)

    def _register(self, entry: dict[str, Any], story: dict[str, Any], at: float) -> None:
        lifecycle = self._view.lifecycle_for(entry["kind"])
        salt = unhexed(entry["salt"])
        statement = Statement(
            artefact=self._view.id_of(salt),
            lifecycle=lifecycle,
            action=registering_action(lifecycle),
            name=entry["name"],
            salt=salt,
            subject=Subject(**entry["subject"]),
            inputs=((Reference(artefact=story["artefact"]), "run"),),
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

    def _lost(self, label: str, why: str) -> None:
        """Say that something in the journal can be part of nothing."""
        self._refuse(label, time.time(), JournalProblem(why, "see `proml journal verify`"))

    def _refuse(self, label: str, at: float, problem: ProMLError) -> None:
        intent = self._outbox.add_intent("entry", label, bytes(32), {}, at)
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
    return {**subject.document(), "name": entry["name"] or subject.name, "kind": entry["kind"] or "file"}


def _when(at: float) -> str:
    """RFC 3339 in UTC to the millisecond; a claim of the machine's clock."""
    seconds = time.gmtime(at)
    return time.strftime("%Y-%m-%dT%H:%M:%S", seconds) + f".{int(at % 1 * 1000):03d}Z"
