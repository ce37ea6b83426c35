"""Steps that are asked for over the API: what they may say, and how they get into the journal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proml.capture.draft import Reference, StepAsked, Subject, decode, encode
from proml.capture.plain import plain
from proml.capture.run import new_salt
from proml.core.artefact import artefact_id
from proml.core.digest import hexed, unhexed
from proml.core.lifecycle import Lifecycle
from proml.errors import JournalProblem, UsageProblem
from proml.node.index import View, artefact
from proml.node.participant import Participant


@dataclass(frozen=True, slots=True)
class InputRequest:
    """Something that a step rests on: an artefact by its id, or bytes by their digests; and its part."""

    part: str
    artefact: str | None = None
    subject: Subject | None = None


@dataclass(frozen=True, slots=True)
class StepRequest:
    """A step to be made: of `artefact`, or with a `kind` the registration of a new one.

    Digests are made where the bytes are; the bytes themselves are never sent.
    """

    action: str
    artefact: str | None = None
    kind: str | None = None
    name: str | None = None
    subject: Subject | None = None
    inputs: list[InputRequest] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Noted:
    """A step that is in the journal: the id that its artefact has, or is to have."""

    artefact: str
    action: str


def draft_of(me: Participant, view: View, asked: StepRequest) -> StepAsked:
    """The draft behind a request.

    Raises:
        UsageProblem: when it names no kind or action there is, or says something that no draft may say.
        NotFound: when it names an artefact that is not in the index.
    """
    if (asked.artefact is None) == (asked.kind is None):
        raise UsageProblem("a step names an artefact, or the kind of a new one", "give one of the two")
    if asked.kind is not None:
        lifecycle = next((each for each in reversed(me.lifecycles) if each.kind == asked.kind), None)
        kind, salt, reference = asked.kind, new_salt(), None
    else:
        row = artefact(view, unhexed(asked.artefact))
        lifecycle = view.names.lifecycles.get(row.lifecycle)
        kind, salt, reference = row.kind, None, Reference(artefact=asked.artefact)
    if lifecycle is None or asked.action not in lifecycle.actions:
        known = ", ".join(lifecycle.actions) if lifecycle else "unknown"
        raise UsageProblem(f"a {kind} has no action {asked.action!r}", f"its actions are {known}")
    draft = StepAsked(
        kind=kind,
        action=asked.action,
        at=time.time(),
        salt=salt,
        reference=reference,
        name=asked.name,
        subject=asked.subject,
        inputs=tuple(
            (Reference(artefact=each.artefact, subject=each.subject), each.part) for each in asked.inputs
        ),
        parameters=plain(asked.parameters),
        metrics=plain(asked.metrics),
        claims=plain(asked.claims),
    )
    try:
        decode(encode(draft))
    except (JournalProblem, TypeError) as problem:
        raise UsageProblem(f"this is no step: {problem}") from None
    return draft


def needs_approval(lifecycles: Mapping[int, Lifecycle] | tuple[Lifecycle, ...], draft: StepAsked) -> bool:
    """Whether a key needs the scope `approve` for a step, by any lifecycle that has its action."""
    known = lifecycles.values() if isinstance(lifecycles, Mapping) else lifecycles
    return any(
        rule.approve
        for lifecycle in known
        if draft.action in lifecycle.actions
        for rule in lifecycle.table.rules
        if rule.action == lifecycle.action_number(draft.action)
    )


def note(me: Participant, draft: StepAsked) -> Noted:
    """Write a draft to the journal, on the disk on return."""
    me.note(draft)
    if draft.salt is not None:
        terms = me.ledger_file.terms
        made = artefact_id(terms.chain_id, terms.contract, me.address, unhexed(draft.salt))
        return Noted(hexed(made), draft.action)
    assert draft.reference is not None
    assert draft.reference.artefact is not None
    return Noted(draft.reference.artefact, draft.action)
