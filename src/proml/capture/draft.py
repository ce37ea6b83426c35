"""Drafts: what capture writes to the journal, before it is sealed into records for the ledger.

A draft knows nothing of the ledger: an artefact is named by 32 random bytes, its *salt*, out of which
the publisher makes its id. The payload of a journal entry is the JSON object of one draft; `"draft"`
names its class. Metrics come in thousands, so `Run.log` writes an `Observed` without this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from proml.errors import JournalProblem


@dataclass(frozen=True, slots=True)
class Subject:
    """The bytes a statement speaks of: a file or a folder, by its digests.

    Attributes:
        name: file or folder name, without the way to it.
        size: bytes in all.
        sha256: of the file, or of the folder's manifest (docs/format.md); `0x` and 64 digits.
        blake3: of the file, None for a folder.
        files: how many files, None for a single file.
    """

    name: str
    size: int
    sha256: str
    blake3: str | None = None
    files: int | None = None

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
    """What the run ran on; comes after the start because looking takes a while."""

    run: str
    environment: Mapping[str, Any]


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
    """A step outside a run: a registration where `salt` is given, else an act on `reference`."""

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


Draft = RunStarted | EnvironmentSeen | Used | Observed | Produced | RunEnded | StepAsked
_KINDS: dict[str, type[Draft]] = {
    kind.__name__: kind
    for kind in (RunStarted, EnvironmentSeen, Used, Observed, Produced, RunEnded, StepAsked)
}


def encode(draft: Draft) -> bytes:
    """The journal payload of a draft: one JSON object, UTF-8."""
    return orjson.dumps({"draft": type(draft).__name__, **_plain(draft)})


def decode(payload: bytes) -> Draft:
    """The draft behind a journal payload.

    Raises:
        JournalProblem: when this version does not know it; a newer one wrote it.
    """
    try:
        content = orjson.loads(payload)
        kind = _KINDS[content.pop("draft")]
        for name in ("subject",):
            if content.get(name) is not None:
                content[name] = Subject(**content[name])
        if content.get("reference") is not None:
            content["reference"] = _reference(content["reference"])
        if "inputs" in content:
            content["inputs"] = tuple((_reference(reference), part) for reference, part in content["inputs"])
        return kind(**content)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise JournalProblem(f"a journal entry is no draft this version knows: {error}") from error


def _plain(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in draft.__slots__}


def _reference(content: Mapping[str, Any]) -> Reference:
    subject = content.get("subject")
    return Reference(content.get("salt"), content.get("artefact"), Subject(**subject) if subject else None)
