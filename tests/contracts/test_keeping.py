"""Custody and disputes at random, in the contract and in the specification side by side.

Artefacts are offered, accepted, contested, answered for and settled between ordinary steps, while members
go and votes name who stands in for them. `SideBySide` compares everything after every call.
"""

from boa.environment import Env
from hypothesis import strategies as st
from hypothesis.stateful import rule

from proml.core.call import BatchCall, ExecuteCall, LeaveCall, ProposeCall, VoteCall
from proml.core.lifecycle import Rule, Table
from proml.core.proposal import Change, ChangeKind
from proml.core.refusal import Reason
from tests.contracts.asking import alike, often, steps
from tests.contracts.storyline import Storyline, run_campaign

ANYBODY = 2**64 - 1
# Beside the one made at random, a lifecycle in which everybody gets somewhere, the custodian furthest.
OPEN = Table(
    kind=8,
    usable=2,
    terminal=8,
    recalled=8,
    document=bytes(32),
    rules=(
        Rule(0, 1, 1, ANYBODY, usable=True),
        Rule(1, 2, 1, ANYBODY, usable=True),
        Rule(1, 3, 2, ANYBODY, custodian=True),
        Rule(2, 4, 1, ANYBODY, custodian=True, usable=True),
        Rule(1, 5, 3, ANYBODY, custodian=True, recall=True),
    ),
)


class Keeping(Storyline):
    """What organisations keep, hand over and contest."""

    shipped = (OPEN,)

    @rule(data=st.data(), size=st.integers(1, 3))
    def steps_are_taken(self, data: st.DataObject, size: int) -> None:
        caller = data.draw(self.callers(), "caller")
        asked = tuple(data.draw(steps(self.side.history, caller)) for _ in range(size))
        self.note(self.side.call(caller, BatchCall((), asked)))

    @rule(data=st.data())
    def custody_or_a_dispute_moves(self, data: st.DataObject) -> None:
        for _ in range(4):
            caller = data.draw(self.callers(), "caller")
            asked = data.draw(alike(self.side.history, caller), "step")
            self.note(self.side.call(caller, BatchCall((), (asked,))))

    @rule(data=st.data())
    def the_same_alone(self, data: st.DataObject) -> None:
        caller = data.draw(self.callers(), "caller")
        asked = data.draw(alike(self.side.history, caller), "step")
        if not asked.approvals:  # `act` has no such argument
            self.note(self.side.single(caller, asked))

    @rule(data=st.data(), really=st.integers(0, 2))
    def a_member_goes(self, data: st.DataObject, really: int) -> None:
        if not really:
            self.note(self.side.call(data.draw(self.callers(), "caller"), LeaveCall()))

    @rule(data=st.data())
    def somebody_stands_in(self, data: st.DataObject) -> None:
        history = self.side.history
        gone = [each.number for each in history.organisations.values() if each.removed]
        if not gone:
            return
        change = Change(
            ChangeKind.NAME_SUCCESSOR,
            data.draw(st.sampled_from(gone if data.draw(often) else tuple(history.organisations))),
            data.draw(st.sampled_from((1, 1, *history.organisations, 0, 99))),
        )
        keys = [founder.key for founder in self.founders]
        for key in keys[:2]:
            self.note(self.side.call(key, ProposeCall(change)))
        number = len(history.proposals)
        for key in keys:
            self.note(self.side.call(key, VoteCall(number)))
        self.side.advance(2)
        for key in keys[:2]:
            self.note(self.side.call(key, ExecuteCall(number, change)))


def test_contract_and_specification_keep_alike(env: Env) -> None:
    wanted = {reason.name for reason in Reason if 60 <= reason < 70}
    wanted |= {"NOT_A_MEMBER", "STILL_A_MEMBER", "NOT_CUSTODIAN"}
    wanted |= {"SuccessorNamed", "OrganisationRemoved", "Acted"}
    run_campaign(Keeping, env, wanted, examples=15, length=40)
