"""The specification as a verifier: forged, missing and reordered events are refused, and change nothing."""

from copy import deepcopy
from dataclasses import replace

import pytest

from proml.core.call import AnchorCall, BatchCall, RevokeKeyCall
from proml.core.consortium import Actor
from proml.core.digest import ZERO
from proml.core.event import (
    Acted,
    Anchored,
    Event,
    Input,
    KeyAdded,
    KeyRevoked,
    LifecycleAdmitted,
    OrganisationAdmitted,
    Refused,
    Registered,
    ThresholdSet,
)
from proml.core.history import SharedHistory
from tests.contracts.cast import CONGLOMERATE, DATA, DEVELOPER, KEYS, STRANGER, act, fresh, register
from tests.contracts.side_by_side import SideBySide
from tests.contracts.stories import approved, collected, evaluated

BLOCK = 1
ACTOR = Actor(1, KEYS[0])


@pytest.fixture
def refused(side: SideBySide):
    """Offers events to a verifier that has read everything so far: each is refused and changes nothing."""

    def offer(*events: Event) -> list[str]:
        reasons = []
        for event in events:
            before = deepcopy(side.reader)
            reason = side.reader.accept(event, side.contract.block)
            assert reason, event
            assert side.reader == before
            reasons.append(reason)
        return reasons

    return offer


def test_a_real_next_step_is_accepted_and_its_forgeries_are_not(side: SideBySide, refused) -> None:
    collected_step = collected(side)
    before = deepcopy(side.reader)
    event = side.make(DATA, act("dataset", "approve", collected_step))
    side.reader = before
    assert isinstance(event, Acted)
    refused(
        replace(event, artefact=fresh()),
        replace(event, sequence=3),
        replace(event, sequence=1),
        replace(event, action=5),
        replace(event, state=1),
        replace(event, record=ZERO),
        replace(event, subject=ZERO),
        replace(event, actor=Actor(2, DATA)),
        replace(event, actor=Actor(1, STRANGER)),
        replace(event, actor=Actor(3, DEVELOPER)),
        replace(event, inputs=(Input(fresh(), 1),)),
        Registered(event.artefact, event.subject, event.actor, 1, 1, 1, event.record),
    )
    assert side.reader.accept(event, side.contract.block) is None


def test_a_registration_is_forged_in_no_part(side: SideBySide, refused) -> None:
    before = deepcopy(side.reader)
    event = side.make(DATA, register("dataset", "collect"))
    side.reader = before
    assert isinstance(event, Registered)
    refused(
        replace(event, lifecycle=0),
        replace(event, lifecycle=9),
        replace(event, lifecycle=2),
        replace(event, action=2),
        replace(event, state=2),
        replace(event, actor=Actor(9, CONGLOMERATE), record=ZERO),
        replace(event, inputs=(Input(event.artefact, 1),)),
    )


def test_a_step_with_more_inputs_than_the_contract_takes_is_refused(side: SideBySide, refused) -> None:
    dataset = approved(side)
    many = (Input(dataset.artefact, 2),) * 33
    (reason,) = refused(Registered(fresh(), ZERO, Actor(3, DEVELOPER), 2, 1, 1, fresh(), many))
    assert "32 inputs" in reason


def test_a_missing_step_shows_at_the_next_one(side: SideBySide, refused) -> None:
    first = collected(side)
    before = deepcopy(side.reader)
    second = side.make(DATA, act("dataset", "approve", first))
    third = side.make(DATA, act("dataset", "amend", second))
    side.reader = before
    refused(third)


def test_a_step_after_the_revocation_of_its_key_is_refused(side: SideBySide, refused) -> None:
    first = collected(side)
    event = side.make(CONGLOMERATE, act("dataset", "label", first))
    side.call(CONGLOMERATE, RevokeKeyCall(CONGLOMERATE, 1))
    refused(replace(event, sequence=3))


def test_a_forged_performer_cannot_hide_a_conflict_of_duties(side: SideBySide, refused) -> None:
    model = evaluated(side, CONGLOMERATE)
    refused(Acted(model.artefact, fresh(), Actor(9, CONGLOMERATE), 3, 3, 3, fresh()))


def test_anchors_out_of_turn_are_refused(side: SideBySide, refused) -> None:
    actor = Actor(3, DEVELOPER)
    refused(
        Anchored(actor, fresh(), 2, 5),
        Anchored(actor, fresh(), 0, 5),
        Anchored(actor, ZERO, 1, 5),
        Anchored(actor, fresh(), 1, 0),
        Anchored(Actor(2, DEVELOPER), fresh(), 1, 5),
        Anchored(Actor(3, STRANGER), fresh(), 1, 5),
    )
    side.single(DEVELOPER, AnchorCall(fresh(), 5))
    refused(Anchored(actor, fresh(), 1, 5), Anchored(actor, fresh(), 3, 5))


def test_keys_that_the_contract_cannot_have_added_are_refused(side: SideBySide, refused) -> None:
    refused(
        KeyAdded(1, DATA, 7, 0),
        KeyAdded(99, STRANGER, 7, 0),
        KeyAdded(1, bytes(20), 7, 0),
        KeyAdded(1, STRANGER, 0, 0),
        KeyAdded(1, STRANGER, 8, 0),
        KeyAdded(1, STRANGER, 7, side.contract.block),
        KeyAdded(1, STRANGER, 7, 2**40),
    )


def test_revocations_that_cannot_have_happened_are_refused(side: SideBySide, refused) -> None:
    side.advance(3)
    refused(
        KeyRevoked(1, STRANGER, 2),
        KeyRevoked(2, DATA, 2),
        KeyRevoked(1, DATA, 0),
        KeyRevoked(1, DATA, side.contract.block + 1),
    )
    side.call(DATA, RevokeKeyCall(DATA, 1))
    refused(KeyRevoked(1, DATA, 2))


def test_nothing_is_founded_twice(side: SideBySide, refused) -> None:
    refused(
        OrganisationAdmitted(10, 1, fresh()),
        OrganisationAdmitted(1, 1, fresh()),
        ThresholdSet(1),
    )
    empty = SharedHistory(1, bytes(20))
    assert empty.accept(OrganisationAdmitted(1, 2**64, fresh()), BLOCK)
    assert empty.accept(OrganisationAdmitted(2, 1, fresh()), BLOCK)
    assert empty.accept(ThresholdSet(1), BLOCK)
    assert empty == SharedHistory(1, bytes(20))


def test_lifecycles_that_were_never_admitted_are_refused(side: SideBySide, refused) -> None:
    event = side.contract.founding[-1]
    assert isinstance(event, LifecycleAdmitted)
    again = replace(event, number=event.number + 1)
    rules = event.rules
    changed = (
        again,
        replace(again, document=fresh()),
        replace(again, lifecycle=fresh()),
        replace(again, rules=()),
        replace(again, rules=(*rules, rules[0])),
        replace(again, rules=(rules[0] | 1 << 14, *rules[1:])),
        replace(again, rules=(rules[0] | 1 << 80, *rules[1:])),
        replace(again, properties=event.properties | 1 << 224),
        replace(again, properties=event.properties & ~(2**32 - 1)),
    )
    refused(*changed, event)


def test_a_refusal_is_no_change_and_always_taken(side: SideBySide) -> None:
    before = deepcopy(side.reader)
    assert side.reader.accept(Refused(fresh(), ACTOR, 0, 20), side.contract.block) is None
    assert side.reader == before


def test_a_batch_changes_nothing_of_what_it_refuses(side: SideBySide) -> None:
    start = register("run", "start")
    side.make(DEVELOPER, start)
    before = deepcopy(side.history)
    side.call(DEVELOPER, BatchCall((AnchorCall(ZERO, 1),), (start, replace(start, lifecycle=77))))
    assert side.history == before
