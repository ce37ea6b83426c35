"""Keys, founders and lifecycles the contracts cannot have admitted: refused, and nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from proml.core.consortium import SCOPES, Actor
from proml.core.digest import keccak256
from proml.core.event import (
    Event,
    GovernanceSet,
    KeyAdded,
    KeyRevoked,
    LifecycleAdmitted,
    OrganisationAdmitted,
    ThresholdSet,
)
from proml.core.history import MAX_TABLES, SharedHistory
from proml.core.membership import MAX_FOUNDERS
from proml.core.refusal import Reason
from proml.lifecycles import shipped
from tests.unit.core.forging import (
    ANCHORED,
    APPROVED,
    COLLECTED,
    DATASET,
    FOUNDING,
    KEYS,
    LABELLED,
    LABELLER,
    LAX,
    NOW,
    SPARE,
    STORY,
    STRANGER,
    admitted,
    after,
    founded,
    refused,
)


def test_a_revoked_key_makes_no_step_from_the_block_of_its_revocation_on() -> None:
    history = after(COLLECTED, KeyRevoked(2, LABELLER.key, FOUNDING))
    refused(history, LABELLED, Reason.KEY_REVOKED.text)
    refused(history, LABELLED, Reason.KEY_REVOKED.text, NOW + 1)


def test_an_earlier_block_does_not_revive_a_key() -> None:
    history = after(COLLECTED, KeyRevoked(2, LABELLER.key, FOUNDING))
    refused(history, LABELLED, "came after one of block", NOW - 1)


def test_an_expired_key_makes_no_step() -> None:
    history = after(COLLECTED, KeyAdded(2, SPARE, SCOPES["record"], NOW + 2))
    step = replace(LABELLED, actor=Actor(2, SPARE))
    refused(history, step, Reason.KEY_EXPIRED.text, NOW + 2)
    assert history.accept(step, NOW + 1) is None


@pytest.mark.parametrize(("kind", "step"), [("label", LABELLED), ("approve", APPROVED), ("anchor", ANCHORED)])
def test_a_key_without_the_scope_makes_no_step(kind: str, step: Any) -> None:
    organisation = step.actor.organisation
    scope = SCOPES["record"] if kind == "approve" else SCOPES["govern"]
    story = (COLLECTED, LABELLED) if kind == "approve" else (COLLECTED,)
    history = after(*story, KeyAdded(organisation, SPARE, scope, 0))
    refused(history, replace(step, actor=Actor(organisation, SPARE)), Reason.SCOPE_MISSING.text)


def test_a_removed_organisation_makes_no_step_and_gets_no_key() -> None:
    history = after(COLLECTED)
    history.organisations[2] = replace(history.organisations[2], removed=NOW)
    refused(history, LABELLED, Reason.ORGANISATION_REMOVED.text)
    refused(history, KeyAdded(2, SPARE, 7, 0), "no key could add one to")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (KeyAdded(2, LABELLER.key, 7, 0), "added twice"),
        (KeyAdded(3, LABELLER.key, 7, 0), "added twice"),
        (KeyAdded(0, SPARE, 7, 0), "to nobody"),
        (KeyAdded(9, SPARE, 7, 0), "to nobody"),
        (KeyAdded(2, bytes(20), 7, 0), "to nobody"),
        (KeyAdded(2, SPARE, 0, 0), "out of range"),
        (KeyAdded(2, SPARE, 8, 0), "out of range"),
        (KeyAdded(2, SPARE, 7, NOW), "out of range"),
        (KeyAdded(2, SPARE, 7, 2**40), "out of range"),
        (KeyRevoked(2, SPARE, FOUNDING), "nobody's"),
        (KeyRevoked(1, LABELLER.key, FOUNDING), "nobody's"),
        (KeyRevoked(2, LABELLER.key, FOUNDING - 1), "cannot have been compromised"),
        (KeyRevoked(2, LABELLER.key, NOW + 1), "cannot have been compromised"),
    ],
)
def test_a_change_of_keys_no_contract_made_is_refused(event: Event, words: str) -> None:
    refused(after(*STORY), event, words)


def test_a_key_is_revoked_once() -> None:
    refused(after(KeyRevoked(2, LABELLER.key, NOW)), KeyRevoked(2, LABELLER.key, FOUNDING), "revoked twice")


def test_a_revoked_key_stays_revoked() -> None:
    refused(after(KeyRevoked(2, LABELLER.key, NOW)), KeyAdded(2, LABELLER.key, 7, 0), "added twice")


def test_an_organisation_without_a_governing_key_gets_no_key() -> None:
    story = (KeyAdded(2, SPARE, SCOPES["record"], 0), KeyRevoked(2, LABELLER.key, NOW))
    refused(after(*story), KeyAdded(2, STRANGER, 7, 0), "no key could add one to")


# --- what only the founding emits -------------------------------------------------------------


def test_a_lifecycle_slipped_in_later_is_refused() -> None:
    # The attack: rules that let everybody approve, admitted by an invented event.
    number = len(shipped()) + 1
    refused(after(*STORY), admitted(number, LAX), "by vote only")
    refused(founded()[0], admitted(number, LAX), "by vote only", FOUNDING + 1)
    for first in (
        replace(COLLECTED),
        ANCHORED,
        KeyRevoked(2, LABELLER.key, FOUNDING),
        KeyAdded(2, SPARE, 7, 0),
    ):
        history, _ = founded()
        assert history.accept(first, FOUNDING) is None
        refused(history, admitted(number, LAX), "by vote only", FOUNDING)
    history, _ = founded()
    assert history.accept(admitted(number, LAX), FOUNDING) is None


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (replace(admitted(6, LAX), lifecycle=bytes(32)), "not the table its id names"),
        (replace(admitted(6, LAX), document=bytes(32)), "not the table its id names"),
        (admitted(7, LAX), "out of turn"),
        (admitted(5, LAX), "out of turn"),
        (admitted(6, DATASET.table), "admitted before"),
        (replace(admitted(6, LAX), rules=()), "1 to 128 transitions"),
        (replace(admitted(6, LAX), rules=(2**255,)), "reserved"),
        (replace(admitted(6, LAX), properties=LAX.properties | 2**255), "reserved"),
    ],
)
def test_a_lifecycle_no_contract_admits_is_refused(event: LifecycleAdmitted, words: str) -> None:
    history, _ = founded()
    refused(history, event, words, FOUNDING)


@pytest.mark.parametrize("block", [FOUNDING, NOW])
def test_nobody_joins_and_no_threshold_moves_after_the_founding(block: int) -> None:
    history, _ = founded()
    refused(history, OrganisationAdmitted(5, 2**64 - 1, bytes(32)), "by vote only", block)
    refused(history, ThresholdSet(1), "by vote only", block)


def test_the_founding_itself_comes_in_its_order() -> None:
    _, events = founded()
    for number in range(len(events)):
        for event in (COLLECTED, ANCHORED, KeyRevoked(1, KEYS[0], FOUNDING)):
            history = taken(events[:number])
            if not history.is_founded:
                refused(history, event, "before the founding is complete", FOUNDING)
        for later in range(number + 1, len(events)):
            before = taken(events[:number])
            if before.accept(events[later], FOUNDING) is None:
                # Only a threshold may come sooner, and lifecycles only in their order.
                assert isinstance(events[later], ThresholdSet)
    assert taken(events) == founded()[0]


def taken(events: list[Event]) -> SharedHistory:
    history = SharedHistory(1337, b"\xc0" * 20)
    for event in events:
        assert history.accept(event, FOUNDING) is None
    return history


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda event: replace(event, organisation=2), "out of turn"),
        (lambda event: replace(event, roles=2**64), "roles that do not exist"),
    ],
)
def test_a_founder_out_of_turn_is_refused(change: Callable[[Any], Event], words: str) -> None:
    _, events = founded()
    refused(SharedHistory(1337, b"\xc0" * 20), change(events[0]), words, FOUNDING)


@pytest.mark.parametrize("change", [{"organisation": 2}, {"scope": 1}, {"expires": 99}, {"key": bytes(20)}])
def test_a_founder_begins_with_one_key_of_every_scope(change: dict[str, Any]) -> None:
    _, events = founded()
    first = events[1]
    assert isinstance(first, KeyAdded)
    refused(taken(events[:1]), replace(first, **change), "key 0x", FOUNDING)
    refused(taken(events[:1]), first, "not the one key", FOUNDING + 1)
    refused(taken(events[:2]), replace(first, key=SPARE), "not the one key", FOUNDING)


def test_founders_come_from_one_block_each_with_a_key() -> None:
    _, events = founded()
    refused(taken(events[:1]), events[2], "by vote only", FOUNDING)
    refused(taken(events[:1]), ThresholdSet(1), "by vote only", FOUNDING)
    refused(taken(events[:2]), events[2], "by vote only", FOUNDING + 1)
    refused(taken(events[:2]), ThresholdSet(1), "by vote only", FOUNDING + 1)
    refused(taken(events[:2]), ThresholdSet(0), "out of range", FOUNDING)
    refused(taken(events[:2]), ThresholdSet(2), "out of range", FOUNDING)


def test_no_more_founders_and_lifecycles_than_a_constructor_takes() -> None:
    history = SharedHistory(1337, b"\xc0" * 20)
    for number in range(1, MAX_FOUNDERS + 1):
        assert history.accept(OrganisationAdmitted(number, 1, bytes(32)), FOUNDING) is None
        assert history.accept(KeyAdded(number, bytes([number]) * 20, 7, 0), FOUNDING) is None
    refused(history, OrganisationAdmitted(MAX_FOUNDERS + 1, 1, bytes(32)), "out of turn", FOUNDING)
    assert history.accept(ThresholdSet(1), FOUNDING) is None
    assert history.accept(GovernanceSet(1, 0, 0), FOUNDING) is None
    for number in range(1, MAX_TABLES + 1):
        table = replace(LAX, document=keccak256(b"%d" % number))
        assert history.accept(admitted(number, table), FOUNDING) is None
    refused(history, admitted(MAX_TABLES + 1, LAX), "by vote only", FOUNDING)
