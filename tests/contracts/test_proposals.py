"""When a proposal may be voted for, executed or cancelled, and as what; what may be proposed at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proml.core.call import (
    CancelCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    ProposeCall,
    VoteCall,
)
from proml.core.consortium import Actor
from proml.core.event import (
    ProposalCancelled,
)
from proml.core.lifecycle import Rule, Table
from proml.core.proposal import Change, ChangeKind
from proml.core.refusal import Reason
from tests.contracts.cast import (
    APPROVER,
    CONGLOMERATE,
    DATA,
    DEVELOPER,
    FOUNDERS,
    GUEST,
    LABELLER,
    ORGANISATION,
    RULES,
    SPARE,
    TABLES,
    Consent,
    fresh,
)
from tests.contracts.decisions import (
    ADMIT,
    LIFECYCLE,
    NEW,
    RECOVER,
    REMOVE,
    ROLES,
    TABLE,
    THRESHOLD,
    consent,
    give_narrow_key,
    passed,
)
from tests.contracts.deployed import Deployed
from tests.contracts.side_by_side import SideBySide

# --- time -------------------------------------------------------------------------------------


def test_the_delay_begins_with_the_deciding_vote(side: SideBySide) -> None:
    side.accepted(DATA, ProposeCall(ROLES))
    side.advance(7)
    side.accepted(LABELLER, VoteCall(1))
    side.advance(RULES.delay - 1)
    assert side.refused(DATA, ExecuteCall(1, ROLES)) is Reason.TOO_EARLY
    # A later vote, when it is decided, moves nothing.
    side.accepted(DEVELOPER, VoteCall(1))
    side.advance()
    side.accepted(DATA, ExecuteCall(1, ROLES))


def test_a_proposal_ends_with_its_lifetime(side: SideBySide) -> None:
    side.accepted(DATA, ProposeCall(ROLES))
    side.advance(RULES.lifetime - 1)
    assert side.refused(DATA, ProposeCall(REMOVE)) is Reason.PROPOSAL_OPEN
    side.advance()
    assert side.refused(LABELLER, VoteCall(1)) is Reason.PROPOSAL_LAPSED
    assert side.refused(DATA, CancelCall(1)) is Reason.PROPOSAL_LAPSED
    side.accepted(DATA, ProposeCall(REMOVE))


def test_a_vote_in_the_last_block_still_leaves_one_to_execute_in(side: SideBySide) -> None:
    side.accepted(DATA, ProposeCall(ROLES))
    side.advance(RULES.lifetime - 1)
    side.accepted(LABELLER, VoteCall(1))
    side.advance(RULES.delay)
    with side.contract.env.anchor():
        side.copy().accepted(DATA, ExecuteCall(1, ROLES))
    side.advance()
    assert side.refused(DATA, ExecuteCall(1, ROLES)) is Reason.PROPOSAL_LAPSED


# --- once, and as it was voted for ------------------------------------------------------------


def test_a_proposal_is_executed_once(side: SideBySide) -> None:
    side.decide(ROLES, DATA, LABELLER)
    assert side.refused(DATA, ExecuteCall(1, ROLES)) is Reason.PROPOSAL_CLOSED
    assert side.refused(DEVELOPER, VoteCall(1)) is Reason.PROPOSAL_CLOSED
    assert side.refused(DATA, CancelCall(1)) is Reason.PROPOSAL_CLOSED


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": ChangeKind.RECOVER_KEY},
        {"kind": ChangeKind.ADMIT_LIFECYCLE},
        {"organisation": 1},
        {"setting": 127},
        {"key": NEW},
        {"profile": fresh()},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_something_else_than_was_voted_for_is_not_executed(
    side: SideBySide, changed: dict[str, object]
) -> None:
    number = passed(side, ROLES)
    side.advance(RULES.delay)
    assert side.refused(DATA, ExecuteCall(number, replace(ROLES, **changed))) is Reason.PROPOSAL_DIFFERS


@pytest.mark.parametrize("number", [0, 2, 2**255])
def test_what_was_never_proposed_is_unknown(side: SideBySide, number: int) -> None:
    side.accepted(DATA, ProposeCall(ROLES))
    for asked in (VoteCall(number), CancelCall(number), ExecuteCall(number, ROLES)):
        assert side.refused(LABELLER, asked) is Reason.UNKNOWN_PROPOSAL


def test_a_lifecycle_needs_its_own_call_and_its_own_words(side: SideBySide) -> None:
    number = passed(side, LIFECYCLE)
    side.advance(RULES.delay)
    assert side.refused(DATA, ExecuteCall(number, LIFECYCLE)) is Reason.OUT_OF_RANGE
    words = tuple(rule.word for rule in TABLE.rules)
    good = ExecuteLifecycleCall(number, TABLE.properties, TABLE.document, words)
    for other in (
        replace(good, properties=2),
        replace(good, document=fresh()),
        replace(good, rules=()),
        replace(good, rules=(*words, words[0])),
    ):
        assert side.refused(DATA, other) is Reason.PROPOSAL_DIFFERS
    side.accepted(DATA, good)
    assert side.refused(DATA, good) is Reason.PROPOSAL_CLOSED


@pytest.mark.parametrize(
    "table",
    [
        replace(TABLE, kind=0),
        replace(TABLE, rules=()),
        replace(TABLE, rules=(Rule(0, 240, 1, 1),)),
        replace(TABLE, rules=(Rule(0, 1, 0, 1),)),
        replace(TABLE, rules=(Rule(0, 1, 1, 1), Rule(1, 1, 1, 1))),
    ],
)
def test_a_lifecycle_that_contradicts_itself_is_voted_for_in_vain(side: SideBySide, table: Table) -> None:
    number = passed(side, replace(LIFECYCLE, profile=table.id))
    side.advance(RULES.delay)
    words = tuple(rule.word for rule in table.rules)
    asked = ExecuteLifecycleCall(number, table.properties, table.document, words)
    assert side.refused(DATA, asked) is Reason.LIFECYCLE_INVALID


# --- what may be proposed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Change(0), Reason.OUT_OF_RANGE),
        (Change(8), Reason.OUT_OF_RANGE),
        (Change(2**256 - 1), Reason.OUT_OF_RANGE),
        *((replace(change, organisation=0), Reason.NOT_A_MEMBER) for change in (REMOVE, ROLES, RECOVER)),
        *((replace(change, organisation=10), Reason.NOT_A_MEMBER) for change in (REMOVE, ROLES, RECOVER)),
        *((replace(change, organisation=2**16 + 1), Reason.NOT_A_MEMBER) for change in (REMOVE, ROLES)),
        *((replace(change, organisation=1), Reason.OUT_OF_RANGE) for change in (ADMIT, THRESHOLD, LIFECYCLE)),
        *(
            (replace(change, key=NEW), Reason.OUT_OF_RANGE)
            for change in (REMOVE, ROLES, THRESHOLD, LIFECYCLE)
        ),
        *((replace(change, key=bytes(20)), Reason.KEY_IN_USE) for change in (ADMIT, RECOVER)),
        *((replace(change, key=GUEST), Reason.KEY_IN_USE) for change in (ADMIT, RECOVER)),
        *((replace(change, setting=2**64), Reason.OUT_OF_RANGE) for change in (ADMIT, ROLES)),
        *((replace(change, setting=1), Reason.OUT_OF_RANGE) for change in (REMOVE, LIFECYCLE, RECOVER)),
        (replace(THRESHOLD, setting=0), Reason.OUT_OF_RANGE),
        (replace(THRESHOLD, setting=10), Reason.OUT_OF_RANGE),
        *(
            (replace(change, profile=fresh()), Reason.OUT_OF_RANGE)
            for change in (REMOVE, ROLES, THRESHOLD, RECOVER)
        ),
        (replace(LIFECYCLE, profile=bytes(32)), Reason.LIFECYCLE_INVALID),
        (replace(LIFECYCLE, profile=TABLES[0].id), Reason.LIFECYCLE_INVALID),
    ],
)
def test_a_change_that_cannot_be_made_cannot_be_proposed(
    side: SideBySide, change: Change, reason: Reason
) -> None:
    assert side.refused(DATA, ProposeCall(change)) is reason


def test_an_organisation_has_one_open_proposal(side: SideBySide) -> None:
    side.accepted(DATA, ProposeCall(ROLES))
    assert side.refused(DATA, ProposeCall(REMOVE)) is Reason.PROPOSAL_OPEN
    side.accepted(LABELLER, ProposeCall(REMOVE))
    assert side.accepted(DATA, CancelCall(1)) == [ProposalCancelled(1, Actor(1, DATA))]
    side.accepted(DATA, ProposeCall(THRESHOLD))


def test_what_was_possible_when_proposed_is_looked_at_again(side: SideBySide) -> None:
    number = passed(side, ADMIT)
    give = Consent(side.contract.chain_id, side.contract.address, ORGANISATION[DATA], NEW)
    side.accepted(DATA, give.call(SPARE))
    side.advance(RULES.delay)
    assert side.refused(DATA, ExecuteCall(number, ADMIT, consent(side, 0))) is Reason.KEY_IN_USE


# --- consent and objection --------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"organisation": ORGANISATION[DATA]},
        {"scope": 3},
        {"expires": 10_000},
        {"chain_id": 77},
        {"contract": bytes(20)},
        {"key": GUEST},
    ],
    ids=lambda changed: next(iter(changed)),
)
@pytest.mark.parametrize("change", [ADMIT, RECOVER], ids=["admit", "recover"])
def test_a_new_key_that_did_not_consent_to_this_is_not_taken(
    side: SideBySide, change: Change, changed: dict[str, object]
) -> None:
    number = passed(side, change)
    side.advance(RULES.recovery_delay)
    good = consent(side, change.organisation)
    bad = consent(side, **{"organisation": change.organisation, **changed})
    r, s, v = good[:32], int.from_bytes(good[32:64], "big"), good[64]
    twin = r + (0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - s).to_bytes(32, "big")
    for signature in (bad, bytes(65), good[:64] + bytes([v - 27]), twin + bytes([55 - v])):
        asked = ExecuteCall(number, change, signature)
        assert side.refused(DATA, asked, consented=False) is Reason.CONSENT_INVALID
    side.accepted(DATA, ExecuteCall(number, change, good))


def test_a_consent_is_worth_nothing_at_a_second_deployment(side: SideBySide) -> None:
    twin = Deployed.found(side.contract.env, FOUNDERS, RULES, ())
    assert isinstance(twin, Deployed)
    other = SideBySide(side.contract.env, FOUNDERS, RULES, ())
    number = passed(other, ADMIT)
    other.advance(RULES.delay)
    there = ExecuteCall(number, ADMIT, consent(side, 0))
    assert other.refused(DATA, there, consented=False) is Reason.CONSENT_INVALID


@pytest.mark.parametrize("scope", [1, 2, 4, 7])
def test_a_key_that_is_not_lost_stops_a_recovery_whatever_its_scope(side: SideBySide, scope: int) -> None:
    key = give_narrow_key(side, scope, GUEST)
    number = passed(side, RECOVER)
    side.advance(RULES.recovery_delay)
    assert side.refused(DEVELOPER, CancelCall(number)) is Reason.NOT_YOUR_PROPOSAL
    assert side.accepted(key, CancelCall(number)) == [ProposalCancelled(number, Actor(8, key))]
    asked = ExecuteCall(number, RECOVER, consent(side, ORGANISATION[GUEST]))
    assert side.refused(DATA, asked) is Reason.PROPOSAL_CLOSED


@pytest.mark.parametrize("change", [REMOVE, ROLES], ids=["remove", "roles"])
def test_nothing_but_a_recovery_is_stopped_by_whom_it_concerns(side: SideBySide, change: Change) -> None:
    number = passed(side, change)
    for key in (GUEST, APPROVER, CONGLOMERATE):
        assert side.refused(key, CancelCall(number)) is Reason.NOT_YOUR_PROPOSAL
