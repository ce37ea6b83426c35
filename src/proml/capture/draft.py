"""Drafts: what capture writes to the journal, before it is sealed into records for the ledger.

A draft knows nothing of the ledger: an artefact is named by 32 random bytes, its *salt*, out of which
the publisher makes its id. The payload of a journal entry is the JSON object of one draft; `"draft"`
names its class. Metrics come in thousands, so `Run.log` writes an `Observed` without this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import NoneType
from typing import Any

import orjson

from proml.core.digest import unhexed
from proml.errors import JournalProblem, RecordInvalid

FINISHED = "finished"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Subject:
    """The bytes a statement speaks of: a file or a folder, by its digests.

    Attributes:
        name: file or folder name, without the way to it.
        size: bytes in all.
        sha256: of the file, or of the folder's manifest (docs/format.md); `0x` and 64 digits.
        blake3: of the file, None for a folder.
        files: how many files, None for a single file.
        form: as what the file was read for its content digest, None without one.
        content: content digest (docs/format.md), the same for a file that says the same in other bytes.
    """

    name: str
    size: int
    sha256: str
    blake3: str | None = None
    files: int | None = None
    form: str | None = None
    content: str | None = None

    def document(self) -> dict[str, Any]:
        """As it stands in a record, without what is None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Reference:
    """What an input or a step points at: one of a salt made here, an id, or digests to look up."""

    salt: str | None = None
    artefact: str | None = None
    subject: Subject | None = None


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began. `at` is Unix time in seconds by this machine's clock: a claim, like all times here."""

    run: str
    name: str
    at: float
    parameters: Mapping[str, Any] = field(default_factory=dict)
    activity: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnvironmentSeen:
    """What the run ran on, and which `code` if git tells; comes later because looking takes a while."""

    run: str
    environment: Mapping[str, Any]
    code: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """The run read these bytes, in the given part (`training data`, `base model`, …)."""

    run: str
    reference: Reference
    part: str


@dataclass(frozen=True, slots=True)
class Observed:
    """Something measured inside a run; `metrics` maps names to numbers, or strings for NaN and Infinity."""

    run: str
    at: float
    step: int | None
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Produced:
    """The run made these bytes. With a `kind` they become an artefact, with the `salt` as its name."""

    run: str
    subject: Subject
    kind: str | None = None
    name: str | None = None
    salt: str | None = None


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is over: `outcome` is `finished` or `failed`, `reason` says why it failed."""

    run: str
    at: float
    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StepAsked:
    """A step outside a run: a registration where `salt` is given, else an act on `reference`.

    `amends` is the commitment of the earlier record that the step corrects, `offered` the number of the
    organisation that custody is offered to (0: to nobody any more).
    """

    kind: str
    action: str
    at: float
    salt: str | None = None
    reference: Reference | None = None
    name: str | None = None
    subject: Subject | None = None
    inputs: tuple[tuple[Reference, str], ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)
    amends: str | None = None
    offered: int | None = None


Draft = RunStarted | EnvironmentSeen | Used | Observed | Produced | RunEnded | StepAsked
_KINDS: dict[str, type[Draft]] = {
    kind.__name__: kind
    for kind in (RunStarted, EnvironmentSeen, Used, Observed, Produced, RunEnded, StepAsked)
}


# What the members of a draft may be, by their names, which mean the same in every class.
_TEXT, _TEXT_OR_NONE, _CONTENT, _CONTENT_OR_NONE = (str,), (str, NoneType), (dict,), (dict, NoneType)
_TYPES: dict[str, tuple[type, ...]] = {
    "run": _TEXT,
    "name": _TEXT_OR_NONE,
    "at": (int, float),
    "parameters": _CONTENT,
    "activity": _CONTENT,
    "environment": _CONTENT,
    "code": _CONTENT_OR_NONE,
    "metrics": _CONTENT,
    "claims": _CONTENT,
    "part": _TEXT,
    "step": (int, float, str, NoneType),
    "kind": _TEXT_OR_NONE,
    "action": _TEXT,
    "salt": _TEXT_OR_NONE,
    "outcome": _TEXT,
    "reason": _TEXT,
    "subject": (Subject, NoneType),
    "reference": (Reference, NoneType),
    "inputs": (tuple,),
    "amends": _TEXT_OR_NONE,
    "offered": (int, NoneType),
}
# 9999-12-31, the last day that has a date.
_LAST_MOMENT = 253_402_300_799


def encode(draft: Draft) -> bytes:
    """The journal payload of a draft: one JSON object, UTF-8.

    Raises:
        RecordInvalid: for text that is no Unicode, such as a name given in another encoding.
    """
    try:
        return orjson.dumps({"draft": type(draft).__name__, **_plain(draft)})
    except TypeError as error:
        raise RecordInvalid(f"this cannot be recorded: {error}", "write names in UTF-8") from None


def decode(payload: bytes) -> Draft:
    """The draft behind a journal payload.

    Raises:
        JournalProblem: when this version does not know it; a newer one wrote it, or nobody's.
    """
    try:
        content = orjson.loads(payload)
        kind = _KINDS[content.pop("draft")]
        if content.get("subject") is not None:
            content["subject"] = _subject(content["subject"])
        if content.get("reference") is not None:
            content["reference"] = _reference(content["reference"])
        if "inputs" in content:
            content["inputs"] = tuple((_reference(reference), part) for reference, part in content["inputs"])
        draft = kind(**content)
        _check(draft)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, RecordInvalid) as error:
        raise JournalProblem(f"a journal entry is no draft this version knows: {error}") from error
    return draft


def _plain(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in draft.__slots__}


def _check(draft: Draft) -> None:
    """Raise ValueError or RecordInvalid unless every member is something `draft` can hold."""
    for name in draft.__slots__:
        value = getattr(draft, name)
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            raise ValueError(f"its {name} cannot be {str(value)[:40]!r}")  # noqa: TRY004 -- a value, read from a file
    if isinstance(draft, StepAsked):
        _check_step(draft)
    else:
        unhexed(draft.run)
    if isinstance(draft, RunStarted | Observed | RunEnded | StepAsked) and not 0 <= draft.at <= _LAST_MOMENT:
        raise ValueError("it is of no day that has a date")
    if isinstance(draft, RunStarted) and not draft.name:
        raise ValueError("a run needs a name")
    if isinstance(draft, RunEnded) and draft.outcome not in (FINISHED, FAILED):
        raise ValueError("a run ends finished or failed")
    if isinstance(draft, Used) and draft.reference is None:
        raise ValueError("it does not say what was used")
    if isinstance(draft, Produced):
        _check_produced(draft)


def _check_step(step: Any) -> None:
    if (step.salt is None) == (step.reference is None):
        raise ValueError("a step registers something new, or speaks of something known")
    for digest in (step.salt, step.amends):
        if digest is not None:
            unhexed(digest)
    if step.offered is not None and (not 0 <= step.offered < 2**16 or step.subject is not None):
        raise ValueError("custody is offered to an organisation by its number, and names no bytes")
    if step.kind is None or not all(isinstance(part, str) for _, part in step.inputs):
        raise ValueError("its kind and the parts of its inputs must be texts")


def _check_produced(made: Any) -> None:
    if made.subject is None or (made.kind is None) != (made.salt is None):
        raise ValueError("what was made has a subject, and a salt where it has a kind")
    if made.salt is not None:
        unhexed(made.salt)


def _subject(content: Mapping[str, Any]) -> Subject:
    subject = Subject(**content)
    unhexed(subject.sha256)
    if subject.blake3 is not None:
        unhexed(subject.blake3)
    if subject.content is not None:
        unhexed(subject.content)
    if (subject.form is None) != (subject.content is None) or not isinstance(subject.form, str | None):
        raise ValueError("a content digest has a form")
    counts = (subject.size, 0 if subject.files is None else subject.files)
    if type(subject.name) is not str or any(type(count) is not int or count < 0 for count in counts):
        raise ValueError("a subject has a name, a size, and a number of files")
    return subject


def _reference(content: Mapping[str, Any]) -> Reference:
    subject = content.get("subject")
    reference = Reference(content.get("salt"), content.get("artefact"), subject and _subject(subject))
    named = [text for text in (reference.salt, reference.artefact) if text is not None]
    for text in named:
        unhexed(text)
    if len(named) + (reference.subject is not None) != 1:
        raise ValueError("a reference names one thing")
    return reference
