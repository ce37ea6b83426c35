"""What some sign and others send, at random, in the contract and in the specification side by side.

Steps of every kind and approvals, with good and bad signatures, before and after their deadlines, several
signers in one batch. `SideBySide` compares everything after every call.
"""

from collections.abc import Sequence
from dataclasses import replace

from boa.environment import Env
from hypothesis import strategies as st
from hypothesis.stateful import rule

from proml.contracts.typed import sign_approval, sign_step
from proml.core.call import ActForCall, ApproveForCall, BatchForCall, Signed, SignedStep
from proml.core.refusal import Reason
from proml.signing import LocalSigner
from tests.contracts.asking import alike, approvals, often, steps
from tests.contracts.signing import foreign, malformed
from tests.contracts.storyline import ACCOUNTS, POOL, Storyline, run_campaign
from tests.contracts.test_approving import GUARDED


class Delegating(Storyline):
    """What organisations let others send for them."""

    shipped = (GUARDED,)

    @rule(seconds=st.sampled_from((1, 60, 600)))
    def time_goes_by(self, seconds: int) -> None:
        self.side.contract.time += seconds

    @rule(data=st.data())
    def a_signed_step_is_sent(self, data: st.DataObject) -> None:
        signed = self.draw_signed(data)
        self.note(self.side.call(data.draw(self.callers(), "sender"), ActForCall(signed)))

    @rule(data=st.data(), size=st.integers(1, 5))
    def signed_steps_are_sent_together(self, data: st.DataObject, size: int) -> None:
        # Drawn from one view, so that some are stale when their turn comes.
        signed = tuple(self.draw_signed(data) for _ in range(size))
        self.note(self.side.call(data.draw(self.callers(), "sender"), BatchForCall(signed)))

    @rule(data=st.data())
    def signed_approvals_are_sent(self, data: st.DataObject) -> None:
        for _ in range(3):
            signer = self.draw_signer(data)
            asked = data.draw(approvals(self.side.history, signer.address), "approval")
            made = sign_approval(signer, self.side.terms, asked, self.draw_deadline(data))
            made = ApproveForCall(made.asked, self.spoiled(data, made.by))
            self.note(self.side.call(data.draw(self.callers(), "sender"), made))

    # --- what is signed -----------------------------------------------------------------------

    def draw_signed(self, data: st.DataObject) -> SignedStep:
        signer = self.draw_signer(data)
        strategy = steps if data.draw(st.integers(0, 3)) else alike
        asked = data.draw(strategy(self.side.history, signer.address), "step")
        made = sign_step(signer, self.side.terms, asked, self.draw_deadline(data))
        if not data.draw(often, "the step that was signed"):
            made = replace(made, step=replace(made.step, record=bytes(31) + b"\1"))
        return SignedStep(made.step, self.spoiled(data, made.by))

    def draw_signer(self, data: st.DataObject) -> LocalSigner:
        return LocalSigner(ACCOUNTS[POOL.index(data.draw(self.callers(), "signer"))])

    def draw_deadline(self, data: st.DataObject) -> int:
        ahead = data.draw(st.sampled_from((0, 30, 3_600, 3_600, 3_600, -1)), "deadline")
        return self.side.contract.time + ahead

    def spoiled(self, data: st.DataObject, by: Signed) -> Signed:
        if data.draw(often, "a good signature"):
            return by
        forms: Sequence[bytes] = [*malformed(by.signature).values(), *foreign(by.signature).values()]
        if data.draw(st.booleans(), "another signer"):
            return replace(by, signer=data.draw(st.sampled_from(POOL)))
        return replace(by, signature=data.draw(st.sampled_from(forms), "form"))


def test_contract_and_specification_delegate_alike(env: Env) -> None:
    wanted = {reason.name for reason in Reason if reason >= 70} | {"Registered", "Acted", "Approved"}
    wanted |= {"WRONG_SEQUENCE", "ROLE_MISSING", "SCOPE_MISSING", "UNKNOWN_KEY", "KEY_REVOKED"}
    run_campaign(Delegating, env, wanted, examples=15, length=40)
