"""Deadlines: when they are, and what is none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.deadline import LONGEST_SECONDS, deadline_after, deadline_in
from proml.core.fields import check_field
from proml.errors import UsageProblem


@given(st.floats(0, 4e9), st.floats(0.001, LONGEST_SECONDS))
def test_a_deadline_is_never_too_early_and_less_than_a_second_late(start: float, seconds: float) -> None:
    activity = {"deadline": deadline_after(start, seconds)}
    check_field("activity", activity)
    deadline = deadline_in({"activity": activity})
    assert deadline is not None
    assert 0 <= deadline.timestamp() - (start + seconds) < 1


@pytest.mark.parametrize(
    "seconds", [0, -1, LONGEST_SECONDS + 1, float("nan"), float("inf"), True, "6h", None]
)
def test_what_is_no_time_is_no_deadline(seconds: object) -> None:
    with pytest.raises(UsageProblem):
        deadline_after(0, seconds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2026-01-05T09:30:00Z", datetime(2026, 1, 5, 9, 30, tzinfo=UTC)),
        ("2026-01-05T09:30:00.999999999Z", datetime(2026, 1, 5, 9, 30, tzinfo=UTC)),
        # Of a right shape, which is all that is asked of a record, and no day.
        ("2026-02-31T09:30:00Z", None),
        ("0000-01-01T00:00:00Z", None),
    ],
)
def test_a_record_of_others_is_read_as_far_as_it_means_something(told: str, meant: datetime | None) -> None:
    check_field("activity", {"deadline": told})
    assert deadline_in({"activity": {"deadline": told}}) == meant
    assert deadline_in({}) is None
