"""A small legal stream of events, to forge from: four organisations, a dataset, a run, a model, an anchor."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

from proml.core.call import Founder
from proml.core.consortium import Actor, role_mask
from proml.core.digest import keccak256
from proml.core.event import (
    Acted,
    Anchored,
    Event,
    Input,
    LifecycleAdmitted,
    Registered,
)
from proml.core.history import SharedHistory
from proml.core.lifecycle import Table
from proml.core.proposal import Governance
from proml.lifecycles import shipped

DATASET, RUN, MODEL = (lifecycle for lifecycle in shipped() if lifecycle.kind in ("dataset", "run", "model"))
NUMBER = {lifecycle.kind: number for number, lifecycle in enumerate(shipped(), start=1)}
ROLES = ("data_admin", "labeller", "developer", "verifier")
KEYS = tuple(bytes([number]) * 20 for number in range(1, len(ROLES) + 1))
ADMIN, LABELLER, DEVELOPER, VERIFIER = (Actor(number, key) for number, key in enumerate(KEYS, start=1))
SPARE = b"\x5a" * 20
STRANGER = b"\xee" * 20
FOUNDING = 3
NOW = 10


def record(number: int) -> bytes:
    return keccak256(b"record %d" % number)


def founded() -> tuple[SharedHistory, list[Event]]:
    history = SharedHistory(1337, b"\xc0" * 20)
    founders = [
        Founder(key, role_mask([role]), keccak256(key)) for key, role in zip(KEYS, ROLES, strict=True)
    ]
    events = history.found(founders, Governance(2), [lifecycle.table for lifecycle in shipped()], FOUNDING)
    return history, events


def registered(kind: str, actor: Actor, name: bytes, **changes: Any) -> Registered:
    lifecycle = shipped()[NUMBER[kind] - 1]
    rule = next(rule for rule in lifecycle.table.rules if rule.state == 0)
    event = Registered(
        keccak256(name), keccak256(b"subject"), actor, NUMBER[kind], rule.action, rule.following, record(1)
    )
    return replace(event, **changes)


def acted(kind: str, action: str, actor: Actor, name: bytes, **changes: Any) -> Acted:
    lifecycle = shipped()[NUMBER[kind] - 1]
    number = lifecycle.action_number(action)
    rule = next(rule for rule in lifecycle.table.rules if rule.action == number)
    event = Acted(keccak256(name), keccak256(b"subject"), actor, 2, number, rule.following, record(2))
    return replace(event, **changes)


COLLECTED = registered("dataset", ADMIN, b"digits")
LABELLED = acted("dataset", "label", LABELLER, b"digits")
APPROVED = acted("dataset", "approve", ADMIN, b"digits", sequence=3)
STARTED = registered("run", DEVELOPER, b"training")
FINISHED = acted("run", "finish", DEVELOPER, b"training", inputs=(Input(keccak256(b"digits"), 3),))
PROPOSED = registered("model", DEVELOPER, b"classifier", inputs=(Input(keccak256(b"training"), 2),))
ANCHORED = Anchored(DEVELOPER, keccak256(b"root"), 1, 7)
STORY = (COLLECTED, LABELLED, APPROVED, STARTED, FINISHED, PROPOSED, ANCHORED)


def after(*events: Event) -> SharedHistory:
    history, _ = founded()
    for event in events:
        assert history.accept(event, NOW) is None
    return history


def refused(history: SharedHistory, event: Event, words: str, block: int = NOW) -> None:
    before = deepcopy(history)
    problem = history.accept(event, block)
    assert problem is not None
    assert words in problem
    assert history == before
    assert history.latest == before.latest


def admitted(number: int, table: Table) -> LifecycleAdmitted:
    words = tuple(rule.word for rule in table.rules)
    return LifecycleAdmitted(number, table.id, table.properties, table.document, words)


LAX = replace(
    DATASET.table,
    document=keccak256(b"lax"),
    rules=tuple(replace(rule, roles=2**64 - 1, differs=0, approve=False) for rule in DATASET.table.rules),
)
