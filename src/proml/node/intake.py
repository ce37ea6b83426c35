"""Intake: from drafts that were taken from the journal to statements that can be sealed.

`slices` turns what was taken in into intents, a slice at a time so that memory stays flat, each written as
a whole or not at all. A run is told in three parts: its start as soon as it is seen, its observations batch
by batch, its end with all it used and produced. A run whose journal nobody writes any more and that was
never closed is closed as failed. Several processes may have written to one run, and their files come one
after the other: so starts come first, then what was said in runs, then their ends and steps outside of
runs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from functools import partial
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
from proml.core.proof import MAX_OBSERVATIONS, ObservationBatch
from proml.errors import JournalProblem, NotFound, ProMLError, RecordInvalid, UsageProblem
from proml.node.deposits import Deposits
from proml.node.outbox import DONE, INVALID, REFUSED, Intent, Outbox
from proml.node.sealing import Sealer, Statement, anchor_document
from proml.node.story import ending, input_of, parts, when
from proml.node.taking import END, ENVIRONMENT, KINDS, SAID, START, STEP
from proml.node.view import LedgerView, registering_action

FINISH, FAIL = "finish", "fail"
KILLED = "its process ended without closing the run"
# Steps, starts and ends that are sealed together.
AT_ONCE = 512


class Intake:
    """Turns one project's drafts into intents."""

    def __init__(self, outbox: Outbox, deposits: Deposits, sealer: Sealer, view: LedgerView) -> None:
        """Seal with `sealer`, which writes to the same outbox and deposits."""
        self._outbox = outbox
        self._deposits = deposits
        self._sealer = sealer
        self._view = view
        self._invalid: list[Intent] = []
        # Done by a copy of this outbox that is lost, and in the journal all the same.
        self._found = outbox.taken_over() if outbox.nonces_elsewhere(view.key) else {}

    def look_again(self, sealer: Sealer, view: LedgerView) -> None:
        """Go on with the ledger as it is now."""
        self._sealer, self._view = sealer, view

    def slices(self, writing: frozenset[bytes]) -> Iterator[list[Intent]]:
        """Seal everything that was taken in, as far as it is complete; `writing` is `Taken.writing`.

        After each slice it gives what could not be sealed in it. Nothing is held open meanwhile.
        """
        yield self._slice(self._begin)
        while starts := self._outbox.drafts((START,), limit=AT_ONCE):
            yield self._slice(partial(self._each, starts))
        while runs := self._outbox.runs_with(SAID):
            for run in runs:
                yield self._slice(partial(self._tell_some, run))
        while rest := self._outbox.drafts((END, STEP), limit=AT_ONCE):
            yield self._slice(partial(self._each, rest))
        abandoned = [run for run in self._outbox.open_runs() if not self._outbox.writers(run) & writing]
        if abandoned:
            yield self._slice(partial(self._close, abandoned))

    def _slice(self, work: Callable[[], None]) -> list[Intent]:
        # All is in storage before any of it is in the outbox: an intent never names a record that is lost.
        with self._outbox.together(), self._deposits:
            work()
        invalid, self._invalid = self._invalid, []
        return invalid

    def _begin(self) -> None:
        for number, _ in (strange := self._outbox.strange_drafts(KINDS)):
            problem = JournalProblem(
                f"entry {number} is no draft this version knows", "a newer ProML wrote it?"
            )
            self._refuse("read a journal entry", time.time(), problem)
        self._outbox.remove_drafts([number for number, _ in strange])
        self._offer_again()

    def _each(self, drafts: list[tuple[int, bytes]]) -> None:
        for draft in self._decoded(drafts):
            if isinstance(draft, RunStarted):
                self._start(draft)
            elif isinstance(draft, RunEnded):
                self._end(draft)
            elif isinstance(draft, StepAsked):
                self._try(f"{draft.action} {draft.kind}", draft.at, partial(self._ask, draft))

    def _tell_some(self, run: str) -> None:
        # Never more than one batch may hold, so that full batches are made of many.
        said = self._decoded(self._outbox.drafts(SAID, run, MAX_OBSERVATIONS))
        self._tell(run, said)

    def _decoded(self, drafts: list[tuple[int, bytes]]) -> list[Draft]:
        """What these drafts say; they are taken from the outbox by that."""
        known: list[Draft] = []
        for _, payload in drafts:
            try:
                known.append(decode(payload))
            except JournalProblem as problem:
                self._refuse("read a journal entry", time.time(), problem)
        self._outbox.remove_drafts([number for number, _ in drafts])
        return known

    def _close(self, runs: list[str]) -> None:
        """Add the missing end of every run that nobody can end any more."""
        for run in runs:
            self._end(RunEnded(run, time.time(), FAILED, KILLED))

    # --- runs -------------------------------------------------------------------------------

    def _start(self, draft: RunStarted) -> None:
        """Begin a run's story and seal its start at once, with its environment if that was told in time."""
        if self._outbox.run(draft.run) is not None:
            return  # written twice, after a failure
        doing = {"start": when(draft.at), **draft.activity}
        for seen in self._decoded(self._outbox.drafts((ENVIRONMENT,), draft.run, 1)):
            if isinstance(seen, EnvironmentSeen):
                doing |= _around(seen)
        story: dict[str, Any] = {
            "name": draft.name,
            # Kept, because a later part of the story may be told with another key.
            "artefact": hexed(self._view.id_of(unhexed(draft.run))),
            "start": when(draft.at),
            "metrics": {},
            "used": [],
            "produced": [],
            "batches": [],
        }
        self._save(draft.run, story)
        if unhexed(story["artefact"]) in self._found:
            return
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
        if self._was_ended(story):
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
                story |= _around(draft)
        self._anchor(story, observed)
        self._save(run, story)

    def _anchor(self, story: dict[str, Any], observed: list[Observed]) -> None:
        artefact = story["artefact"]
        contents = [
            plain({"run": artefact, "at": when(o.at), "step": o.step, "metrics": o.metrics}) for o in observed
        ]
        for part in parts(contents):
            label = f"anchor {len(part)} observations"
            self._try(label, observed[-1].at, partial(self._anchor_part, part, label, story, observed[-1].at))
        for content in contents:
            story["metrics"] |= content["metrics"]

    def _anchor_part(self, part: list[dict[str, Any]], label: str, story: dict[str, Any], at: float) -> None:
        batch = ObservationBatch(part, secrets.token_bytes(32))
        document, root = batch.content, batch.root
        digest = sha256(document)
        self._deposits.put(digest, document)
        self._outbox.add_intent("anchor", label, root, anchor_document(AnchorCall(root, len(part))), at)
        story["batches"].append({"root": hexed(root), "count": len(part), "batch": hexed(digest)})

    def _end(self, draft: RunEnded) -> None:
        story = self._outbox.run(draft.run)
        if story is None:
            self._lost("the end of a run", f"the start of run {draft.run} is not in the journal")
            return
        if "end" in story:
            return
        story["end"] = when(draft.at)
        if draft.reason:
            story["reason"] = draft.reason
        self._save(draft.run, story)
        if self._was_ended(story):
            return
        if draft.outcome == FINISHED:
            self._finish(draft.run, story, draft.at)
        else:
            self._fail(story, draft.at)

    def _was_ended(self, story: dict[str, Any]) -> bool:
        """Whether the ledger had the run's end, and all that was said in it, before this outbox knew it."""
        return any(sequence > 1 for sequence, _, _ in self._found.get(unhexed(story["artefact"]), ()))

    def _finish(self, run: str, story: dict[str, Any], at: float) -> None:
        """Seal a run's good end and what it made; where its inputs cannot be told, its failure instead."""
        try:
            story["finish"] = self._seal_run(story, FINISH, ending(story, FINISHED), at)
        except (NotFound, RecordInvalid, UsageProblem) as problem:
            self._refuse(f"finish run {story['name']}", at, problem)
            self._fail({**story, "reason": f"it could not be finished: {problem.message}"}, at)
            return
        self._save(run, story)
        for entry in story["produced"]:
            if entry["kind"]:
                label = f"register {entry['kind']} {entry['name']}"
                self._try(label, at, partial(self._register, entry, story, at))

    def _fail(self, story: dict[str, Any], at: float) -> None:
        """Seal a run's failure; inputs that cannot be told are left out, because an end there must be."""
        content = ending(story, FAILED)
        try:
            self._seal_run(story, FAIL, content, at)
        except (NotFound, RecordInvalid, UsageProblem) as problem:
            self._refuse(f"name the inputs of run {story['name']}", at, problem)
            label = f"fail run {story['name']}"
            self._try(label, at, partial(self._seal_run, {**story, "used": []}, FAIL, content, at))

    def _offer_again(self) -> None:
        """Seal the end of a run again that was refused because an input was not usable, and now is."""
        for run in self._outbox.unfinished():
            story = self._outbox.run(run)
            assert story is not None
            intent = self._outbox.intent(story["finish"])
            if intent.state == DONE:
                del story["finish"]
                self._save(run, story)
            elif intent.state == REFUSED and self._sealer.are_usable(tuple(map(input_of, story["used"]))):
                standing = self._view.chronicle.shared.artefacts.get(intent.artefact)
                if standing is not None and standing.sequence == 1:
                    self._finish(run, story, time.time())

    def _seal_run(
        self,
        story: dict[str, Any],
        action: str,
        content: dict[str, Any],
        at: float,
        salt: bytes | None = None,
    ) -> int:
        artefact = unhexed(story["artefact"])
        # By now the members may have admitted another lifecycle of runs; this one keeps its own.
        lifecycle = self._view.lifecycle_for("run", action) if salt else self._sealer.lifecycle_of(artefact)
        statement = Statement(
            artefact=artefact,
            lifecycle=lifecycle,
            action=action,
            name=story["name"],
            salt=salt,
            inputs=tuple(input_of(entry) for entry in story["used"]) if salt is None else (),
            content=content,
        )
        return self._sealer.seal(statement, at)

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
            "activity": {"end": when(draft.at)},
            "amends": draft.amends,
        }
        salt = unhexed(draft.salt) if draft.salt else None
        if salt is not None:
            artefact, lifecycle = self._view.id_of(salt), self._view.lifecycle_for(draft.kind, draft.action)
        else:
            assert draft.reference is not None
            found = self._sealer.find(draft.reference)
            if found is None:
                raise NotFound("no artefact on the ledger has these bytes", "register it first")
            artefact = found[0]
            lifecycle = self._sealer.lifecycle_of(artefact)
            if draft.action == FINISH and self._outbox.has_story(hexed(artefact)):
                raise UsageProblem(
                    "a run that was tracked here finishes with what it used, and not without",
                    "push offers its end again once its inputs are usable; `proml act fail` closes it",
                )
        before = self._found.get(artefact, ())
        if (salt and before) or (draft.action, when(draft.at)) in [found[1:] for found in before]:
            return
        statement = Statement(
            artefact,
            lifecycle,
            draft.action,
            draft.name,
            salt,
            draft.subject,
            draft.inputs,
            content,
            draft.offered,
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
        number = self._outbox.add_intent("entry", label, bytes(32), {}, at)
        reason = f"{problem.message}; {problem.hint}".rstrip("; ")
        self._outbox.settle_intent(number, INVALID, reason)
        self._invalid.append(Intent(number, "entry", label, bytes(32), {}, INVALID, at, reason=reason))

    def _save(self, run: str, story: dict[str, Any]) -> None:
        self._outbox.save_run(run, "closed" if "end" in story else "open", story)


def _around(draft: EnvironmentSeen) -> dict[str, Any]:
    """What a record's activity says of it."""
    return {"environment": draft.environment, **({"code": draft.code} if draft.code else {})}
