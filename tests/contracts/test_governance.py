"""Members decide together: who may propose, vote and execute, when, and that nobody can bend it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from boa.environment import Env

from proml.core.call import (
    AnchorCall,
    CancelCall,
    ContractCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    LeaveCall,
    ProposeCall,
    RevokeKeyCall,
    VoteCall,
)
from proml.core.consortium import Actor
from proml.core.event import (
    KeyAdded,
    LifecycleAdmitted,
    OrganisationAdmitted,
    OrganisationRemoved,
    ProposalExecuted,
    ProposalMade,
    RolesSet,
    ThresholdSet,
    VoteCast,
)
from proml.core.proposal import Change, ChangeKind, Governance
from proml.core.refusal import Reason
from tests.contracts.cast import (
    AUDITOR,
    DATA,
    DEVELOPER,
    FOUNDERS,
    GUEST,
    KEYS,
    LABELLER,
    OPERATOR,
    ORGANISATION,
    RULES,
    STRANGER,
    TABLES,
    VERIFIER,
    account,
    address,
    fresh,
    register,
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
from tests.contracts.side_by_side import SideBySide

# --- what each kind does ----------------------------------------------------------------------


def test_a_new_organisation_is_admitted_and_writes_at_once(side: SideBySide) -> None:
    events = side.decide(ADMIT, DATA, LABELLER, consent=consent(side, 0))
    number = len(KEYS) + 1
    assert events == [
        ProposalExecuted(1, Actor(1, DATA)),
        OrganisationAdmitted(number, ADMIT.setting, ADMIT.profile),
        KeyAdded(number, NEW, 7, 0),
    ]
    side.make(NEW, register("run", "start"))
    assert side.history.member_count == number
    side.compare_reader()


def test_a_removed_organisation_ends_and_its_number_is_not_given_again(side: SideBySide) -> None:
    events = side.decide(REMOVE, DATA, LABELLER)
    assert events[1:] == [OrganisationRemoved(ORGANISATION[GUEST], Actor(1, DATA))]
    assert side.refusal(GUEST, AnchorCall(fresh(), 1)) is Reason.ORGANISATION_REMOVED
    admitted = side.decide(ADMIT, DATA, LABELLER, consent=consent(side, 0))[1]
    assert isinstance(admitted, OrganisationAdmitted)
    assert admitted.organisation == len(KEYS) + 1
    side.compare_reader()


def test_roles_change_and_nothing_else_of_the_organisation_does(side: SideBySide) -> None:
    side.single(GUEST, AnchorCall(fresh(), 1))
    before = side.history.organisations[ORGANISATION[GUEST]]
    assert side.decide(ROLES, DATA, LABELLER)[1:] == [RolesSet(ORGANISATION[GUEST], ROLES.setting)]
    assert side.history.organisations[ORGANISATION[GUEST]] == replace(before, roles=ROLES.setting)
    side.make(GUEST, register("run", "start"))
    side.decide(replace(ROLES, setting=0), DATA, LABELLER)
    assert side.refusal(GUEST, register("run", "start")) is Reason.ROLE_MISSING


def test_a_threshold_counts_from_the_next_proposal_on(side: SideBySide) -> None:
    assert side.decide(THRESHOLD, DATA, LABELLER)[1:] == [ThresholdSet(3)]
    number = passed(side, ROLES)
    side.advance(RULES.delay)
    assert side.refused(DATA, ExecuteCall(number, ROLES)) is Reason.VOTES_MISSING
    side.accepted(DEVELOPER, VoteCall(number))
    side.advance(RULES.delay)
    side.accepted(DATA, ExecuteCall(number, ROLES))


def test_a_lifecycle_is_admitted_and_can_be_registered_under(side: SideBySide) -> None:
    number = passed(side, LIFECYCLE)
    side.advance(RULES.delay)
    words = tuple(rule.word for rule in TABLE.rules)
    asked = ExecuteLifecycleCall(number, TABLE.properties, TABLE.document, words)
    events = side.accepted(VERIFIER, asked)
    at = len(TABLES) + 1
    assert events[1:] == [LifecycleAdmitted(at, TABLE.id, TABLE.properties, TABLE.document, words)]
    operator = replace(register("run", "start"), lifecycle=at)
    side.make(OPERATOR, operator)
    side.compare_reader()


def test_a_lost_key_is_recovered_after_the_longer_delay(side: SideBySide) -> None:
    number = passed(side, RECOVER)
    asked = ExecuteCall(number, RECOVER, consent(side, ORGANISATION[GUEST]))
    side.advance(RULES.recovery_delay - 1)
    assert side.refused(DATA, asked) is Reason.TOO_EARLY
    side.advance()
    assert side.accepted(DATA, asked)[1:] == [KeyAdded(ORGANISATION[GUEST], NEW, 7, 0)]
    side.accepted(NEW, RevokeKeyCall(GUEST, 1))
    side.compare_reader()


def test_one_organisation_decides_alone_where_the_threshold_is_one(env: Env) -> None:
    side = SideBySide(env, FOUNDERS, Governance(1, delay=0), TABLES)
    side.decide(ROLES, DATA)
    side.make(GUEST, register("run", "start"))


# --- who --------------------------------------------------------------------------------------

CALLS: tuple[ContractCall, ...] = (
    ProposeCall(THRESHOLD),
    VoteCall(1),
    ExecuteCall(1, ROLES),
    ExecuteLifecycleCall(1, TABLE.properties, TABLE.document, ()),
    CancelCall(1),
    LeaveCall(),
)


@pytest.mark.parametrize("asked", CALLS, ids=lambda call: type(call).__name__)
def test_nobody_but_a_member_takes_part(side: SideBySide, asked: ContractCall) -> None:
    passed(side, ROLES)
    side.advance(RULES.delay)
    assert side.refused(STRANGER, asked) is Reason.UNKNOWN_KEY
    side.accepted(GUEST, LeaveCall())
    assert side.refused(GUEST, asked) is Reason.ORGANISATION_REMOVED
    side.accepted(AUDITOR, RevokeKeyCall(AUDITOR, 1))
    assert side.refused(AUDITOR, asked) is Reason.KEY_REVOKED


@pytest.mark.parametrize("scope", [1, 2, 3])
@pytest.mark.parametrize("asked", CALLS, ids=lambda call: type(call).__name__)
def test_a_key_needs_the_scope_to_govern(side: SideBySide, asked: ContractCall, scope: int) -> None:
    passed(side, ROLES)
    key = give_narrow_key(side, scope)
    side.advance(RULES.delay)
    assert side.refused(key, asked) is Reason.SCOPE_MISSING


@pytest.mark.parametrize("key", KEYS)
def test_every_member_may_take_part_whatever_its_roles(side: SideBySide, key: bytes) -> None:
    other = LABELLER if key != LABELLER else DATA
    side.decide(replace(THRESHOLD, setting=1), key, other)
    side.decide(THRESHOLD, other)
    side.accepted(key, LeaveCall())


# --- votes ------------------------------------------------------------------------------------


def test_an_organisation_counts_once_whichever_keys_it_has(side: SideBySide) -> None:
    key = give_narrow_key(side, 4)
    side.decide(THRESHOLD, DATA, LABELLER)
    (made,) = side.accepted(DATA, ProposeCall(ROLES))
    assert made == ProposalMade(2, Actor(1, DATA), ROLES)
    assert side.refused(DATA, VoteCall(2)) is Reason.VOTED_ALREADY
    assert side.refused(key, VoteCall(2)) is Reason.VOTED_ALREADY
    assert side.accepted(LABELLER, VoteCall(2)) == [VoteCast(2, Actor(2, LABELLER))]
    assert side.refused(LABELLER, VoteCall(2)) is Reason.VOTED_ALREADY
    assert side.refused(DATA, ExecuteCall(2, ROLES)) is Reason.VOTES_MISSING


def test_the_votes_of_removed_members_do_not_count(side: SideBySide) -> None:
    """C9: two votes, one voter removed; the proposal lapses rather than pass on its vote."""
    number = passed(side, ROLES, DATA, GUEST)
    side.accepted(GUEST, LeaveCall())
    side.advance(RULES.delay)
    assert side.refused(DATA, ExecuteCall(number, ROLES)) is Reason.PROPOSAL_LAPSED
    assert side.refused(LABELLER, VoteCall(number)) is Reason.PROPOSAL_LAPSED
    assert side.refused(DATA, CancelCall(number)) is Reason.PROPOSAL_LAPSED
    side.accepted(DATA, ProposeCall(replace(REMOVE, organisation=2)))


def test_a_threshold_cannot_be_walked_down_within_one_set_of_votes(env: Env) -> None:
    side = SideBySide(env, FOUNDERS, Governance(3, 50, 0, 0), TABLES)
    down, further = replace(THRESHOLD, setting=2), replace(THRESHOLD, setting=1)
    for proposer, change in ((DATA, down), (LABELLER, further)):
        side.accepted(proposer, ProposeCall(change))
    for number in (1, 2):
        for voter in (DEVELOPER, VERIFIER):
            side.accepted(voter, VoteCall(number))
    side.accepted(DATA, ExecuteCall(1, down))
    assert side.refused(LABELLER, ExecuteCall(2, further)) is Reason.PROPOSAL_LAPSED


def test_the_membership_never_falls_below_the_threshold(env: Env) -> None:
    side = SideBySide(env, FOUNDERS[:3], Governance(2, 50, 0, 0), TABLES)
    side.accepted(DATA, LeaveCall())
    assert side.refused(LABELLER, LeaveCall()) is Reason.TOO_FEW_MEMBERS
    remove = Change(ChangeKind.REMOVE, 3)
    assert side.refused(LABELLER, ProposeCall(remove)) is Reason.TOO_FEW_MEMBERS
    assert side.refused(LABELLER, ProposeCall(THRESHOLD)) is Reason.OUT_OF_RANGE
    side.decide(replace(THRESHOLD, setting=1), LABELLER, DEVELOPER)
    side.accepted(LABELLER, LeaveCall())
    assert side.refused(DEVELOPER, LeaveCall()) is Reason.TOO_FEW_MEMBERS


# --- whose business it is not -----------------------------------------------------------------


def test_a_decision_touches_no_artefact(side: SideBySide) -> None:
    run = side.make(DEVELOPER, register("run", "start"))
    before = side.history.artefacts[run.artefact]
    side.decide(ADMIT, DATA, LABELLER, consent=consent(side, 0))
    side.decide(REMOVE, DATA, LABELLER)
    assert side.history.artefacts[run.artefact] == before


def test_gas_does_not_grow_with_the_membership(env: Env) -> None:
    """C8: 3 members or 32, each call of a decision costs the same within 1 %."""
    costs = []
    for count in (3, 32):
        founders = [
            replace(FOUNDERS[0], key=address(account(3_000 + number)), profile=fresh())
            for number in range(count)
        ]
        side = SideBySide(env, founders, Governance(2, 50, 0, 0), ())
        spent = []
        for key, asked in (
            (founders[0].key, ProposeCall(Change(ChangeKind.REMOVE, 3))),
            (founders[1].key, VoteCall(1)),
            (founders[0].key, ExecuteCall(1, Change(ChangeKind.REMOVE, 3))),
        ):
            side.accepted(key, asked)
            spent.append(side.contract.gas_used)
        costs.append(spent)
    for few, many in zip(*costs, strict=True):
        assert abs(few - many) <= few // 100
