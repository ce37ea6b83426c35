"""Signed steps in call data that the encoder never makes, and what the encoder refuses to make."""

from dataclasses import replace

import pytest

from proml.contracts.abi import decode_call, encode_call
from proml.contracts.batches import ACT_FOR, BATCH_FOR
from proml.contracts.forms import arrays
from proml.core.call import ActForCall, BatchForCall, Call, SignedStep
from proml.core.consortium import Actor
from proml.core.digest import word
from proml.core.event import Approval, Input, Refused
from proml.core.refusal import Reason
from proml.errors import LedgerProblem, RecordInvalid
from tests.contracts.cast import DATA, DEVELOPER, GUEST, act, fresh, register
from tests.contracts.deployed import Reverted
from tests.contracts.side_by_side import SideBySide
from tests.contracts.signing import signed
from tests.contracts.stories import collected

WORDS = 12


def words_of(asked: SignedStep) -> list[int]:
    """The twelve words of a signed step as it is encoded."""
    data = encode_call(ActForCall(replace(asked, step=replace(asked.step, action=1, lifecycle=0))))[4:]
    words = [int.from_bytes(data[32 * at : 32 * at + 32], "big") for at in range(WORDS)]
    words[1:3] = [asked.step.lifecycle, asked.step.action]
    return words


@pytest.mark.parametrize(
    "change", [{"action": 256}, {"action": 2**256 - 1}, {"lifecycle": 2**16}, {"lifecycle": 2**200}]
)
def test_a_number_that_fits_no_step_is_refused_though_it_was_signed(
    side: SideBySide, change: dict[str, int]
) -> None:
    """As narrower numbers they would be other steps: 260 is 4, `amend`, in eight bits."""
    asked = signed(side, DATA, replace(act("dataset", "amend", collected(side)), **change))
    before = side.contract.storage()
    assert side.contract.send(GUEST, ACT_FOR + arrays(words_of(asked), [], [])) is Reason.OUT_OF_RANGE
    call = Call(GUEST, side.contract.block, side.contract.time)
    assert side.history.act_for(call, asked, None) is Reason.OUT_OF_RANGE
    (event,) = side.contract.send(GUEST, BATCH_FOR + arrays([], [words_of(asked)], [], []))
    assert isinstance(event, Refused)
    assert event.reason == Reason.OUT_OF_RANGE
    assert side.contract.storage() == before


@pytest.mark.parametrize("place", [7, 9])
def test_a_signer_or_a_v_with_more_bits_than_it_has_is_nobodys(side: SideBySide, place: int) -> None:
    words = words_of(signed(side, DATA, act("dataset", "amend", collected(side))))
    words[place] |= 1 << 160
    reason = Reason.SIGNATURE_INVALID if place == 7 else Reason.SIGNATURE_MALFORMED
    assert side.contract.send(GUEST, ACT_FOR + arrays(words, [], [])) is reason


@pytest.mark.parametrize("claimed", [1, 33, 256, 257, 9 << 8, 2**255, 2**256 - 1])
def test_counts_that_do_not_add_up_refuse_the_whole(side: SideBySide, claimed: int) -> None:
    good = words_of(signed(side, DEVELOPER, register("run", "start")))
    words = words_of(signed(side, DATA, act("dataset", "amend", collected(side))))
    words[6] = claimed
    before = side.contract.storage()
    data = BATCH_FOR + arrays([], [good, words], [], [])
    assert side.contract.send(GUEST, data) is Reason.INPUTS_UNBALANCED
    assert side.contract.storage() == before


@pytest.mark.parametrize("rows", [([(1, 1)], []), ([], [(1, 1)])], ids=["an input", "an approval"])
def test_what_no_step_claims_refuses_the_whole(side: SideBySide, rows: tuple[list[object], ...]) -> None:
    words = words_of(signed(side, DEVELOPER, register("run", "start")))
    assert side.contract.send(GUEST, BATCH_FOR + arrays([], [words], *rows)) is Reason.INPUTS_UNBALANCED


def test_beyond_its_caps_a_batch_is_refused_here_and_there(side: SideBySide) -> None:
    one = signed(side, DEVELOPER, register("run", "start"))
    for steps in ((one,) * 51, (replace(one, step=replace(one.step, inputs=(Input(fresh(), 1),) * 32)),) * 3):
        with pytest.raises(RecordInvalid, match="50 steps and 64 inputs"):
            encode_call(BatchForCall(steps))
    data = BATCH_FOR + arrays([], [words_of(one)] * 51, [], [])
    assert side.contract.send(GUEST, data) == Reverted(b"")


def test_a_signature_of_64_bytes_is_never_encoded(side: SideBySide) -> None:
    one = signed(side, DEVELOPER, register("run", "start"))
    short = replace(one, by=replace(one.by, signature=one.by.signature[:64]))
    for call in (ActForCall(short), BatchForCall((short,))):
        with pytest.raises(RecordInvalid, match="a signature has 65 bytes, not 64"):
            encode_call(call)


def test_call_data_reads_back_and_is_canonical(side: SideBySide) -> None:
    approvals = (Approval(Actor(4, GUEST), fresh()), Approval(Actor(5, DATA), fresh()))
    first = signed(side, DEVELOPER, register("model", "propose", [Input(fresh(), 7)]))
    second = signed(side, DATA, replace(act("dataset", "amend", collected(side)), approvals=approvals))
    for call in (ActForCall(first), ActForCall(second), BatchForCall((first, second, first)), BatchForCall()):
        data = encode_call(call)
        assert decode_call(data) == call
        for spoiled in (data + word(0), data[:-32] if len(data) > 160 else data[:-1]):
            with pytest.raises(LedgerProblem):
                decode_call(spoiled)
