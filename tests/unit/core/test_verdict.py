"""What a verdict concludes from its checks."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.event import Block
from proml.core.verdict import (
    BYTES,
    NAMES,
    Check,
    Conclusion,
    Deed,
    Finding,
    Outcome,
    Stand,
    Twin,
    Verdict,
    not_after,
)

BLOCK = Block(12, bytes(32), 1_767_605_400)
STAND = Stand(bytes(32), "model", None, "candidate", 1, 2, 2, bytes(32))


def verdict(outcomes: Mapping[int, Outcome]) -> Verdict:
    checks = tuple(Check(number, outcome, "because") for number, outcome in outcomes.items())
    return Verdict("a question", STAND, checks, (), (), BLOCK, "ledger")


def all_valid() -> dict[int, Outcome]:
    return dict.fromkeys(NAMES, Outcome.VALID)


def test_nothing_checked_is_not_enough_evidence() -> None:
    assert verdict({}).conclusion is Conclusion.NOT_ENOUGH_EVIDENCE
    assert verdict(dict.fromkeys(NAMES, Outcome.NOT_CHECKED)).conclusion is Conclusion.NOT_ENOUGH_EVIDENCE


def test_all_checks_valid_is_valid() -> None:
    assert verdict(all_valid()).conclusion is Conclusion.VALID


@pytest.mark.parametrize("number", NAMES)
def test_one_check_left_out_is_not_enough_evidence(number: int) -> None:
    outcomes = all_valid()
    del outcomes[number]
    assert verdict(outcomes).conclusion is Conclusion.NOT_ENOUGH_EVIDENCE


@pytest.mark.parametrize("number", NAMES)
def test_only_the_check_of_bytes_may_be_inapplicable(number: int) -> None:
    conclusion = verdict(all_valid() | {number: Outcome.NOT_APPLICABLE}).conclusion
    assert conclusion is (Conclusion.VALID if number == BYTES else Conclusion.NOT_ENOUGH_EVIDENCE)


@given(st.fixed_dictionaries({number: st.sampled_from(Outcome) for number in NAMES}))
def test_one_invalid_check_is_invalid_and_valid_needs_all(outcomes: dict[int, Outcome]) -> None:
    conclusion = verdict(outcomes).conclusion
    assert (conclusion is Conclusion.INVALID) == (Outcome.INVALID in outcomes.values())
    if conclusion is Conclusion.VALID:
        assert set(outcomes.values()) <= {Outcome.VALID, Outcome.NOT_APPLICABLE}


def test_a_time_no_calendar_has_is_shown_as_a_number() -> None:
    assert not_after(BLOCK) == "not after block 12 (2026-01-05 09:30:00 UTC)"
    assert "seconds after 1970" in not_after(Block(1, bytes(32), 2**63))


def test_the_document_is_plain_json_with_every_part() -> None:
    key = bytes(20)
    deed = Deed(
        sequence=1,
        action="propose",
        state="candidate",
        organisation=2,
        organisation_name="Dev",
        key=key,
        block=BLOCK,
        block_known=False,
        transaction=bytes(32),
        record=bytes(32),
        subject=bytes(32),
        has_record=True,
        bytes_match=False,
    )
    finding = Finding("why", bytes(32), 1, 2, (bytes(32), bytes(32)))
    check = Check(BYTES, Outcome.INVALID, "because", (finding,), 3)
    twin = Twin(bytes(32), 3, BLOCK, present=True, recalled=False)
    whole = Verdict("a question", STAND, (check,), (deed,), (twin,), BLOCK, "ledger", ("a note",))
    document = json.loads(json.dumps(whole.document()))
    assert document["conclusion"] == "invalid"
    assert document["checks"][0]["name"] == "bytes match"
    assert document["checks"][0]["findings"][0]["path"] == ["0x" + "00" * 32] * 2
    assert document["steps"][0]["when"] == deed.when == f"as the file says, {not_after(BLOCK)}"
    assert document["twins"][0]["present"] is True
    assert document["notes"] == ["a note"]
    assert whole.check(BYTES) is check
