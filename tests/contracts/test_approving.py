"""Approvals at random, in the contract and in the specification side by side.

The lifecycles are made at random, and many of their rules ask for approvals. `SideBySide` compares
everything after every call.
"""

from dataclasses import replace

from boa.environment import Env
from hypothesis import strategies as st
from hypothesis.stateful import rule

from proml.core.call import ApproveCall, BatchCall, StepCall
from proml.core.lifecycle import Rule, Table
from proml.core.refusal import Reason
from tests.contracts.asking import approvals, digests, inputs, open_rules, relied, steps
from tests.contracts.storyline import Storyline, run_campaign

ANYBODY = 2**64 - 1
# Beside the one made at random, a lifecycle in which everybody gets somewhere.
GUARDED = Table(
    kind=7,
    usable=0,
    terminal=0,
    recalled=0,
    document=bytes(32),
    rules=(
        Rule(0, 1, 1, ANYBODY),
        Rule(1, 2, 1, ANYBODY, approvals=1, approver_roles=ANYBODY),
        Rule(1, 3, 2, ANYBODY, approvals=2, approver_roles=ANYBODY, approver_differs=3, subject=True),
        Rule(1, 4, 1, ANYBODY, duty=1),
        Rule(2, 2, 1, ANYBODY, approvals=2, approver_roles=ANYBODY, approver_differs=1),
    ),
)


class Approving(Storyline):
    """What organisations approve, and the steps that rely on it."""

    shipped = (GUARDED,)

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
    def a_step_is_approved_by_all_who_may_and_taken(self, data: st.DataObject) -> None:
        """The whole way, so that campaigns get there often enough."""
        history = self.side.history
        waiting = [
            (artefact, taken)
            for artefact in history.artefacts.values()
            for taken in open_rules(history, artefact)
            if taken.approvals
        ]
        if not waiting:
            return
        artefact, taken = data.draw(st.sampled_from(waiting), "step")
        record, subject = (data.draw(digests) for _ in range(2))
        asked = StepCall(artefact.id, 0, taken.action, artefact.sequence + 1, record, subject)
        for key in tuple(history.keys):
            approval = ApproveCall(artefact.id, taken.action, asked.sequence, subject, record)
            self.note(self.side.call(key, approval))
        asked = replace(asked, inputs=data.draw(inputs(history, taken), "inputs"))
        asked = replace(asked, approvals=data.draw(relied(history, asked), "approvals"))
        for key in tuple(history.keys):
            self.note(self.side.call(key, BatchCall((), (asked,))))

    @rule(data=st.data())
    def the_same_is_approved_twice(self, data: st.DataObject) -> None:
        caller = data.draw(self.callers(), "approver")
        asked = data.draw(approvals(self.side.history, caller), "approval")
        for _ in range(2):
            self.note(self.side.call(caller, asked))


def test_contract_and_specification_approve_alike(env: Env) -> None:
    wanted = {Reason.APPROVALS_MISSING, Reason.APPROVAL_INVALID, Reason.APPROVAL_NOT_ASKED}
    names = {reason.name for reason in wanted | {Reason.APPROVED_ALREADY}}
    names |= {"Registered", "Acted", "Approved", "ActedApproved"}
    run_campaign(Approving, env, names, examples=20, length=40)
