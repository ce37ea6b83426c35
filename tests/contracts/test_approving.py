"""Approvals at random, in the contract and in the specification side by side.

The lifecycles are made at random, and many of their rules ask for approvals. `SideBySide` compares
everything after every call.
"""

from collections import Counter

from boa.environment import Env
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from proml.core.call import BatchCall
from proml.core.refusal import Reason
from tests.contracts.asking import approvals, steps
from tests.contracts.storyline import CAMPAIGN, LONG, Storyline


class Approving(Storyline):
    """What organisations approve, and the steps that rely on it."""

    shipped = ()

    @rule(data=st.data(), size=st.integers(1, 4))
    def steps_are_taken(self, data: st.DataObject, size: int) -> None:
        caller = data.draw(self.callers(), "caller")
        asked = tuple(data.draw(steps(self.side.history, caller)) for _ in range(size))
        self.note(self.side.call(caller, BatchCall((), asked)))

    @rule(data=st.data())
    def others_approve_and_steps_are_taken(self, data: st.DataObject) -> None:
        for _ in range(4):
            caller = data.draw(self.callers(), "approver")
            self.note(self.side.call(caller, data.draw(approvals(self.side.history, caller), "approval")))
        self.steps_are_taken(data, 2)

    @rule(data=st.data())
    def the_same_is_approved_twice(self, data: st.DataObject) -> None:
        caller = data.draw(self.callers(), "approver")
        asked = data.draw(approvals(self.side.history, caller), "approval")
        for _ in range(2):
            self.note(self.side.call(caller, asked))


def test_contract_and_specification_approve_alike(env: Env) -> None:
    Approving.machine, Approving.seen = env, Counter()
    campaign = settings(CAMPAIGN, max_examples=1_000 if LONG else 30, stateful_step_count=40)
    run_state_machine_as_test(Approving, settings=campaign)
    # A campaign that reaches no guard proves nothing.
    wanted = {Reason.APPROVALS_MISSING, Reason.APPROVAL_INVALID, Reason.APPROVAL_NOT_ASKED}
    assert {reason.name for reason in wanted | {Reason.APPROVED_ALREADY}} <= Approving.seen.keys()
    assert {"Registered", "Acted", "ActedApproved", "Approved"} <= Approving.seen.keys()
