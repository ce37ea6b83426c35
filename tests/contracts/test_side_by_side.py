"""Contract and specification driven through the same random story, compared whole after every call.

Organisations with all roles, some and none; keys that are narrow, expired, revoked or nobody's; the
shipped lifecycles and one made at random; right and wrong arguments at every guard. `SideBySide`
compares outcome, storage and reader. A short campaign by default; `PROML_LONG=1` makes it a long one.
"""

from dataclasses import replace

from boa.environment import Env
from hypothesis import strategies as st
from hypothesis.stateful import rule

from proml.core.call import AnchorCall, BatchCall
from proml.core.digest import ZERO
from proml.core.refusal import Reason
from tests.contracts.asking import digests, often, steps
from tests.contracts.storyline import Storyline, run_campaign

roots = often.flatmap(lambda good: digests if good else st.just(ZERO))


class Story(Storyline):
    """What organisations do to artefacts."""

    @rule(data=st.data())
    def a_step_alone(self, data: st.DataObject) -> None:
        caller = data.draw(self.callers(), "caller")
        asked = data.draw(steps(self.side.history, caller), "step")
        asked = replace(asked, approvals=())  # neither `register` nor `act` has such an argument
        if asked.lifecycle:
            asked = replace(asked, sequence=1)  # `register` has no such argument
        self.note(self.side.single(caller, asked))

    @rule(data=st.data())
    def another_step_alone(self, data: st.DataObject) -> None:
        self.a_step_alone(data)

    @rule(data=st.data())
    def a_full_day(self, data: st.DataObject) -> None:
        for _ in range(3):
            self.a_batch(data, [], 4)

    @rule(data=st.data(), root=roots, count=st.sampled_from((1, 7, 10_000, 10_000, 2**256 - 1, 0)))
    def an_anchor_alone(self, data: st.DataObject, root: bytes, count: int) -> None:
        self.note(self.side.single(data.draw(self.callers()), AnchorCall(root, count)))

    @rule(data=st.data(), roots=st.lists(roots, max_size=2), size=st.integers(1, 6))
    def a_batch(self, data: st.DataObject, roots: list[bytes], size: int) -> None:
        caller = data.draw(self.callers(), "caller")
        asked = tuple(data.draw(steps(self.side.history, caller)) for _ in range(size))
        anchors = tuple(AnchorCall(root, number) for number, root in enumerate(roots, start=1))
        self.note(self.side.call(caller, BatchCall(anchors, asked)))


# What no call of this story can bring about: nobody leaves (test_government.py), and the encoder makes
# no batch whose inputs do not add up (test_batches.py).
# Approvals have a story of their own (test_approving.py).
ELSEWHERE = {
    Reason.ORGANISATION_REMOVED,
    Reason.INPUTS_UNBALANCED,
    Reason.APPROVAL_NOT_ASKED,
    Reason.APPROVED_ALREADY,
}


def test_contract_and_specification_never_disagree(env: Env) -> None:
    wanted = {reason.name for reason in Reason if reason < 40 and reason not in ELSEWHERE}
    wanted |= {"Registered", "Acted", "Anchored", "KeyAdded", "KeyRevoked"}
    run_campaign(Story, env, wanted, examples=45, length=60)
    assert Story.seen["Registered"] + Story.seen["Acted"] > sum(Story.seen.values()) / 12
