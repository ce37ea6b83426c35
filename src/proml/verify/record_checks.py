"""Checks of what records say: 1 (bytes), 2 (records), 6 as far as it is about digests, 9 (observations)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from proml.core.chronicle import Transition
from proml.core.digest import ZERO, hexed, unhexed
from proml.core.event import Anchored, Input, Step, spoken_of
from proml.core.lifecycle import Lifecycle
from proml.core.verdict import BYTES, INPUTS, OBSERVATIONS, RECORDS
from proml.errors import NotFound, StorageProblem
from proml.verify.inquiry import Inquiry
from proml.verify.records import KeptRecord, kept_or_none, names_bytes

# What a disclosure must show to be compared with the event whose commitment it opens.
_COMPARED = ("artefact", "kind", "action", "sequence", "actor", "subject", "inputs")


def check_bytes(inquiry: Inquiry, matches: Mapping[int, bool | None], alike: Collection[int]) -> None:
    """1: the bytes in hand are the artefact's present ones.

    Args:
        inquiry: the verification.
        matches: for each step that names bytes whether they are those in hand; None: cannot be said.
        alike: steps whose records name bytes that say the same as those in hand, by their content digest.
    """
    focus = inquiry.focus
    present = inquiry.subject_step(focus)
    if present is None:
        inquiry.missing(BYTES, "no step names any bytes", focus)
        return
    older = [sequence for sequence, match in matches.items() if match and sequence < present.sequence]
    theirs = f"those in hand are the bytes of step {older[-1]}" if older else "no step names those in hand"
    if matches[present.sequence] is None:
        unopened = any(match is None for match in matches.values())
        theirs = theirs if older or not unopened else "those in hand may be these or others"
        text = f"names bytes that only its record shows, which is not to be had; {theirs}"
        inquiry.missing(BYTES, text, focus, present.step)
    elif not matches[present.sequence] and present.sequence in alike:
        inquiry.equal("names other bytes that say the same: the content digest is equal", focus, present.step)
    elif not matches[present.sequence]:
        inquiry.wrong(BYTES, f"names other bytes, the present ones; {theirs}", focus, present.step)


# --- 2 --------------------------------------------------------------------------------------


def check_record(inquiry: Inquiry, transition: Transition) -> KeptRecord | None:
    """2, of one step: its record belongs to its commitment and agrees with the event."""
    step = transition.step
    artefact = step.artefact
    try:
        kept = inquiry.records.record(step.record)
    except NotFound:
        text = f"has a record that is not to be had: {hexed(step.record)}"
        inquiry.missing(RECORDS, text, artefact, step)
        return None
    except StorageProblem as problem:
        text = f"has a record that was tampered with: {problem.message}"
        inquiry.wrong(RECORDS, text, artefact, step)
        return None
    hidden = [name for name in _COMPARED if name in kept.hidden]
    if hidden:
        text = f"has a record of which {', '.join(hidden)} is not shown"
        inquiry.missing(RECORDS, text, artefact, step)
    for text in _disagreements(step, kept, inquiry.lifecycle_of(artefact)):
        inquiry.wrong(RECORDS, f"has a record that {text}", artefact, step)
    amended = kept.fields.get("amends")
    if amended and not _is_earlier(inquiry, step, amended):
        text = f"has a record that amends {amended}, which is of no earlier step"
        inquiry.wrong(RECORDS, text, artefact, step)
    if spoken_of(step) != ZERO and "subject" not in kept.hidden and kept.opens(step.subject) is None:
        inquiry.missing(RECORDS, "has a private subject whose salt is not shown", artefact, step)
    return kept


def _is_earlier(inquiry: Inquiry, step: Step, commitment: str) -> bool:
    earlier = inquiry.transitions(step.artefact)[: step.sequence - 1]
    return any(hexed(each.step.record) == commitment for each in earlier)


def _disagreements(step: Step, kept: KeptRecord, lifecycle: Lifecycle | None) -> Iterator[str]:
    """In which fields a record says something else than the event it belongs to."""
    expected: dict[str, Any] = {"artefact": hexed(step.artefact), "sequence": step.sequence}
    if lifecycle is not None:
        expected |= {"kind": lifecycle.kind, "action": lifecycle.action_name(step.action)}
    for name, value in expected.items():
        if name in kept.fields and kept.fields[name] != value:
            yield f"says {name} {str(kept.fields[name])[:80]!r}, where the ledger says {value!r}"
    actor = kept.fields.get("actor")
    if actor and (actor["organisation"], actor["key"]) != (step.actor.organisation, hexed(step.actor.key)):
        yield f"says that organisation {actor['organisation']} acted, by key {actor['key']}"
    if "inputs" not in kept.hidden and _registered_inputs(kept) != step.inputs:
        yield "names other inputs than the ledger"
    if spoken_of(step) == ZERO:
        if "subject" in kept.fields:
            yield "names bytes, where the ledger names none"
    elif kept.opens(step.subject) is False:
        yield "names other bytes than the ledger"


def _registered_inputs(kept: KeptRecord) -> tuple[Input, ...]:
    """The inputs a record lists: one that plays several parts there stands in the event once."""
    named = (
        Input(unhexed(entry["artefact"]), entry["sequence"])
        for entry in kept.fields.get("inputs", ())
        if "artefact" in entry
    )
    return tuple(dict.fromkeys(named))


# --- 6 --------------------------------------------------------------------------------------


def check_input_digests(inquiry: Inquiry, step: Step, kept: KeptRecord | None) -> None:
    """6, of one step: what its record says of its inputs' bytes is what they were at that sequence."""
    artefact = step.artefact
    if kept is None or "inputs" in kept.hidden:
        if step.inputs:
            inquiry.missing(INPUTS, "names inputs, and does not show which bytes they had", artefact, step)
        return
    for entry in kept.fields.get("inputs", ()):
        if "artefact" not in entry:
            text = f"used {_part(entry)} {entry['sha256']}, which was never registered"
            inquiry.missing(INPUTS, text, artefact, step)
        elif "digest" in entry:
            _check_input_digest(inquiry, step, entry)


def _check_input_digest(inquiry: Inquiry, step: Step, entry: Mapping[str, Any]) -> None:
    source = inquiry.subject_step(unhexed(entry["artefact"]), entry["sequence"])
    used = f"used {_part(entry)} {entry['artefact']} at sequence {entry['sequence']}"
    if source is None:
        text = f"{used} with the bytes {entry['digest']}, and it names none"
        inquiry.missing(INPUTS, text, step.artefact, step)
        return
    match = names_bytes(
        source.step.subject, kept_or_none(inquiry.records, source.step.record), unhexed(entry["digest"])
    )
    if match is None:
        text = f"{used}, whose bytes only a record shows that is not to be had"
        inquiry.missing(INPUTS, text, step.artefact, step)
    elif not match:
        text = f"{used} with the bytes {entry['digest']}, which were not its bytes then"
        inquiry.wrong(INPUTS, text, step.artefact, step)


def _part(entry: Mapping[str, Any]) -> str:
    return str(entry.get("part") or entry.get("name") or "an input")[:80]


# --- 9 --------------------------------------------------------------------------------------


def check_observations(inquiry: Inquiry, step: Step, kept: KeptRecord | None) -> None:
    """9, of one step: each batch its record names was anchored by the same organisation, and is whole.

    Upstream neither a record nor a batch that cannot be had is missed; nor a batch where the question is
    about single observations.
    """
    if kept is None or "observations" in kept.hidden:
        if step.artefact == inquiry.focus:
            text = "may name observations; its record does not show"
            inquiry.missing(OBSERVATIONS, text, step.artefact, step)
        return
    for entry in kept.fields.get("observations", ()):
        _check_batch(inquiry, step, entry)


def _check_batch(inquiry: Inquiry, step: Step, entry: Mapping[str, Any]) -> None:
    artefact, root, count = step.artefact, entry["root"], entry["count"]
    placed = inquiry.chronicle.anchor(unhexed(root), step.actor.organisation)
    if placed is None and not inquiry.grounds.knows_anchors(step.actor.organisation):
        inquiry.missing(OBSERVATIONS, f"names observations {root}; their anchor is not here", artefact, step)
        return
    if placed is None or not isinstance(placed.event, Anchored):
        text = f"names observations {root}, which its organisation never anchored"
        inquiry.wrong(OBSERVATIONS, text, artefact, step)
        return
    if placed.event.count != count:
        text = f"counts {count} observations in {root}, where {placed.event.count} were anchored"
        inquiry.wrong(OBSERVATIONS, text, artefact, step)
    try:
        batch = inquiry.records.batch(unhexed(entry["batch"]))
    except NotFound:
        if artefact == inquiry.focus and not inquiry.records.asks_singles:
            text = f"names observations {root}, which are not to be had; their anchor stands"
            inquiry.missing(OBSERVATIONS, text, artefact, step)
        return
    except StorageProblem as problem:
        text = f"names observations {root}, which were tampered with: {problem.message}"
        inquiry.wrong(OBSERVATIONS, text, artefact, step)
        return
    if hexed(batch.root) != root or len(batch.observations) != count:
        inquiry.wrong(OBSERVATIONS, f"names observations {root}, and keeps others", artefact, step)
