"""Members deciding together at random, in the contract and in the specification side by side.

Proposals of every kind, votes, executions, objections and departures, with time going by, keys coming and
going, and one thing spoiled now and then. `SideBySide` compares everything after every call.
"""

from dataclasses import replace

from boa.environment import Env
from hypothesis import strategies as st
from hypothesis.stateful import rule

from proml.contracts.abi import SIGNATURES
from proml.core.call import (
    AnchorCall,
    BatchCall,
    CancelCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    LeaveCall,
    ProposeCall,
    VoteCall,
)
from proml.core.proposal import Change
from proml.core.refusal import Reason
from tests.contracts.asking import EXTRA, changes, often
from tests.contracts.cast import Consent, fresh
from tests.contracts.storyline import ACCOUNTS, POOL, Storyline, run_campaign

# What decisions never emit.
OF_ARTEFACTS = {"Registered", "Acted", "ActedApproved", "Approved", "Refused", "GovernanceSet"}


class Government(Storyline):
    """What organisations decide."""

    @rule(data=st.data())
    def somebody_anchors(self, data: st.DataObject) -> None:
        batch = BatchCall(anchors=(AnchorCall(fresh(), 1),))
        self.note(self.side.call(data.draw(self.callers()), batch))

    @rule(data=st.data())
    def a_change_is_proposed(self, data: st.DataObject) -> None:
        change = data.draw(changes(self.side.history, POOL), "change")
        self.note(self.side.call(data.draw(self.callers(), "caller"), ProposeCall(change)))

    @rule(data=st.data())
    def a_change_is_decided_and_carried_out(self, data: st.DataObject) -> None:
        """The whole way, so that campaigns get there often enough."""
        change = data.draw(changes(self.side.history, POOL), "change")
        caller = data.draw(self.callers(), "caller")
        self.note(self.side.call(caller, ProposeCall(change)))
        number = len(self.side.history.proposals)
        for _ in range(self.side.history.threshold):
            self.note(self.side.call(data.draw(self.callers(), "voter"), VoteCall(number)))
        self.side.advance(data.draw(st.sampled_from((0, 2, 3, 3)), "blocks"))
        self.carry_out(data, caller, number)

    @rule(data=st.data())
    def a_vote_is_cast(self, data: st.DataObject) -> None:
        self.note(self.side.call(data.draw(self.callers()), VoteCall(self.draw_number(data))))

    @rule(data=st.data())
    def a_proposal_is_carried_out(self, data: st.DataObject) -> None:
        self.carry_out(data, data.draw(self.callers(), "caller"), self.draw_number(data))

    @rule(data=st.data())
    def a_proposal_is_cancelled(self, data: st.DataObject) -> None:
        self.note(self.side.call(data.draw(self.callers()), CancelCall(self.draw_number(data))))

    @rule(data=st.data(), really=st.integers(0, 2))
    def somebody_leaves(self, data: st.DataObject, really: int) -> None:
        if not really:
            self.note(self.side.call(data.draw(self.callers()), LeaveCall()))

    @rule(really=st.integers(0, 4))
    def everybody_tries_to_leave(self, really: int) -> None:
        if not really:
            for key in tuple(self.side.history.keys):
                self.note(self.side.call(key, LeaveCall()))

    def draw_number(self, data: st.DataObject) -> int:
        newest = len(self.side.history.proposals)
        return data.draw(
            st.sampled_from((newest, newest, newest, max(newest - 1, 0), 1, newest + 1)), "number"
        )

    def carry_out(self, data: st.DataObject, caller: bytes, number: int) -> None:
        known = self.side.history.proposals.get(number)
        change = known.change if known else Change(4, setting=1)
        if data.draw(st.integers(0, 4), "another change") == 0:
            change = replace(change, setting=change.setting + 1)
        table = EXTRA.get(change.profile)
        if table is not None and data.draw(often, "in its own call"):
            words = tuple(each.word for each in table.rules)
            if data.draw(st.integers(0, 9), "another table") == 0:
                words = words[1:]
            asked = ExecuteLifecycleCall(number, table.properties, table.document, words)
            self.note(self.side.call(caller, asked))
            return
        if change.key not in POOL:
            self.note(self.side.call(caller, ExecuteCall(number, change), consented=False))
            return
        good = data.draw(often, "consent")
        index = POOL.index(change.key)
        consent = Consent(
            self.side.contract.chain_id, self.side.contract.address, change.organisation, change.key
        )
        signature = consent.signature(ACCOUNTS[index if good else (index + 1) % len(ACCOUNTS)])
        self.note(self.side.call(caller, ExecuteCall(number, change, signature), consented=good))


def test_contract_and_specification_govern_alike(env: Env) -> None:
    wanted = {reason.name for reason in Reason if reason < 10 or 40 <= reason < 60}
    wanted |= {kind.__name__ for kind in SIGNATURES} - OF_ARTEFACTS
    run_campaign(Government, env, wanted, examples=30, length=50)
