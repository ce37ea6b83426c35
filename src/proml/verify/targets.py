"""Which artefact is meant: by its id, by the digest of bytes in hand, or by a record's commitment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from proml.core.chronicle import Transition
from proml.core.content import Content
from proml.core.digest import ZERO, hexed
from proml.core.event import spoken_of
from proml.core.verdict import Twin
from proml.errors import NotFound
from proml.verify.grounds import Grounds
from proml.verify.inquiry import subject_step
from proml.verify.records import Records, kept_or_none, names_bytes, says_the_same


@dataclass(frozen=True, slots=True)
class ById:
    """An artefact by its id (32 bytes), and the digests of bytes said to be it, if any are in hand."""

    artefact: bytes
    digest: bytes | None = None
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class ByDigest:
    """Whatever artefact a file or folder is, by 32 bytes.

    SHA-256 of a file or of a folder's manifest. BLAKE3 of a file is found only where the record that
    names it is to be had; so are other bytes that say the same, by their content digest.
    """

    digest: bytes
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class ByRecord:
    """The artefact that a record, by its commitment of 32 bytes, is about."""

    commitment: bytes


Target = ById | ByDigest | ByRecord


@dataclass(frozen=True, slots=True)
class Aim:
    """What a target turned out to be.

    Attributes:
        artefact: 32-byte id.
        question: what was asked, in words.
        digest: of the bytes in hand, None when nobody asked about bytes.
        twins: other artefacts that name the same bytes.
        notes: what the choice among several rests on.
        content: content digest of the bytes in hand, None where they have none.
    """

    artefact: bytes
    question: str
    digest: bytes | None = None
    twins: tuple[Twin, ...] = ()
    notes: tuple[str, ...] = ()
    content: Content | None = None


def find(grounds: Grounds, records: Records, target: Target) -> Aim:
    """The artefact a target means.

    Raises:
        NotFound: when nothing on these grounds answers to it.
    """
    match target:
        case ById():
            return _by_id(grounds, target)
        case ByDigest():
            return _by_digest(grounds, records, target)
        case ByRecord():
            return _by_record(grounds, records, target.commitment)


def _by_id(grounds: Grounds, target: ById) -> Aim:
    known = grounds.chronicle.histories
    if target.artefact not in known:
        grounds.standing(target.artefact)  # brings in a registration made since
    if target.artefact not in known:
        raise NotFound(
            f"no artefact {hexed(target.artefact)} on this ledger",
            "is it the right ledger, and was the artefact pushed? See `proml status`",
        )
    question = f"artefact {hexed(target.artefact)}"
    if target.digest is not None:
        question = f"are the bytes {hexed(target.digest)} the {question}"
    return Aim(target.artefact, question, target.digest, content=target.content)


def _by_record(grounds: Grounds, records: Records, commitment: bytes) -> Aim:
    found = [each for each in _all_steps(grounds) if each.step.record == commitment]
    if not found:
        raise NotFound(f"no step on this ledger has the record {hexed(commitment)}", "was it pushed?")
    # Anybody may put the commitment of somebody else's record into a step of their own; the record
    # says which step it was made for, and without it the first to come must do.
    found.sort(key=_place)
    kept = kept_or_none(records, commitment)
    if kept is not None:
        meant = (kept.fields.get("artefact"), kept.fields.get("sequence"))
        found.sort(key=lambda each: (hexed(each.step.artefact), each.sequence) != meant)
    chosen = found[0]
    question = f"record {hexed(commitment)}, step {chosen.sequence} of artefact {hexed(chosen.step.artefact)}"
    notes = () if len(found) == 1 else (f"{len(found)} steps carry this record; the others copied it",)
    return Aim(chosen.step.artefact, question, None, (), notes)


def _by_digest(grounds: Grounds, records: Records, target: ByDigest) -> Aim:
    digest = target.digest
    plain = dict.fromkeys(each.step.artefact for each in grounds.chronicle.with_subject(digest))
    artefacts = list(plain) or list(dict.fromkeys(_private(grounds, records, digest)))
    if not artefacts and target.content is not None:
        artefacts = list(dict.fromkeys(_with_content(grounds, records, target.content)))
    if not artefacts:
        raise NotFound(
            f"nothing on this ledger has the digest {hexed(digest)}",
            "these bytes were never registered, or were altered since; what was registered as private "
            "is found only where its record is kept",
        )
    twins = [_twin(grounds, records, artefact, digest) for artefact in artefacts]
    twins.sort(key=lambda twin: (not twin.present, twin.registered.number))
    chosen, *others = twins
    notes = _about_twins(others)
    return Aim(chosen.artefact, f"bytes {hexed(digest)}", digest, tuple(others), notes, target.content)


def _about_twins(others: list[Twin]) -> tuple[str, ...]:
    if not others:
        return ()
    choice = f"{len(others)} more artefacts name these bytes; this one did so first, of those that still do"
    recalled = [hexed(twin.artefact) for twin in others if twin.recalled]
    return (choice, *(f"as artefact {artefact} these bytes were recalled" for artefact in recalled))


def _private(grounds: Grounds, records: Records, digest: bytes) -> Iterator[bytes]:
    """Artefacts of which some step names these bytes in a record that is to be had; reads every record."""
    for transition in _all_steps(grounds):
        step = transition.step
        if spoken_of(step) != ZERO:
            kept = kept_or_none(records, step.record)
            if kept is not None and names_bytes(step.subject, kept, digest):
                yield step.artefact


def _with_content(grounds: Grounds, records: Records, content: Content) -> Iterator[bytes]:
    """Artefacts of which some step names bytes that say this, in a record that is to be had."""
    for transition in _all_steps(grounds):
        if transition.step.subject == ZERO:
            continue
        if says_the_same(kept_or_none(records, transition.step.record), content):
            yield transition.step.artefact


def _twin(grounds: Grounds, records: Records, artefact: bytes, digest: bytes) -> Twin:
    history = grounds.chronicle.histories[artefact]
    present = subject_step(history)
    kept = kept_or_none(records, present.step.record) if present else None
    return Twin(
        artefact=artefact,
        organisation=history[0].step.actor.organisation,
        registered=history[0].placed.block,
        present=present is not None and names_bytes(present.step.subject, kept, digest) is True,
        recalled=grounds.chronicle.is_recalled(artefact),
    )


def _all_steps(grounds: Grounds) -> Iterator[Transition]:
    for history in grounds.chronicle.histories.values():
        yield from history


def _place(transition: Transition) -> tuple[int, int]:
    return transition.placed.block.number, transition.placed.index
