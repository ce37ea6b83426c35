"""Ways through the contract that no ordinary story takes."""

import pytest

from proml.contracts.abi import encode_call
from proml.contracts.forms import selector
from proml.contracts.shipped import artefacts_contract
from proml.core.call import ExecuteLifecycleCall, ProposeCall, VoteCall
from proml.core.digest import word
from proml.core.event import ProposalMade
from proml.core.refusal import Reason
from tests.contracts.cast import DATA, DEVELOPER, LABELLER, ORGANISATION
from tests.contracts.decisions import LIFECYCLE, TABLE, THRESHOLD, passed
from tests.contracts.side_by_side import SideBySide


def has_voted(side: SideBySide, number: int, organisation: int) -> bool:
    answer = side.contract.view(selector("has_voted(uint256,uint256)") + word(number) + word(organisation))
    return bool(int.from_bytes(answer, "big"))


def test_everybody_can_ask_who_spoke_for_a_proposal(side: SideBySide) -> None:
    (made,) = side.accepted(DATA, ProposeCall(THRESHOLD))
    assert isinstance(made, ProposalMade)
    assert [has_voted(side, made.number, each) for each in range(5)] == [False, True, False, False, False]
    side.accepted(LABELLER, VoteCall(made.number))
    spoke = [has_voted(side, made.number, ORGANISATION[key]) for key in (DATA, LABELLER, DEVELOPER)]
    assert spoke == [True, True, False]


@pytest.mark.parametrize("number", [0, 1, 2**256 - 1])
def test_nobody_spoke_for_a_proposal_that_was_never_made(side: SideBySide, number: int) -> None:
    assert not any(has_voted(side, number, organisation) for organisation in (0, 1, 2**256 - 1))


def test_numbers_of_lifecycles_end_where_an_artefact_has_no_room_for_more(side: SideBySide) -> None:
    """Nobody gets there by calls: 65,530 votes. So the count is set as if they had."""
    count = int(artefacts_contract().layout["lifecycles"]["lifecycle_count"]["slot"])
    number = passed(side, LIFECYCLE)
    side.advance(side.history.pace.delay)
    words = tuple(rule.word for rule in TABLE.rules)
    call = encode_call(ExecuteLifecycleCall(number, TABLE.properties, TABLE.document, words))
    side.contract.overwrite(count, 2**16 - 1)
    before = side.contract.storage()
    assert side.contract.send(DATA, call) is Reason.LIFECYCLE_INVALID
    assert side.contract.storage() == before
    side.contract.overwrite(count, 2**16 - 2)
    assert isinstance(side.contract.send(DATA, call), list)
    assert side.contract.slot(count) == 2**16 - 1
