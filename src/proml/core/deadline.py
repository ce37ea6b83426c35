"""Deadlines: until when something that was begun shall be over.

The plan, the record of the first step, may name a `deadline` in its `activity`. What is still open when
the chain has a block of a later time is abandoned: the blocks' clock counts, nobody's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from proml.errors import UsageProblem

# A deadline that nobody will live to see says nothing.
LONGEST_SECONDS = 10 * 366 * 86_400.0
# Up to the second; what follows is a fraction and the letter Z.
_TO_THE_SECOND = len("2026-01-05T09:30:00")


def deadline_after(start: float, seconds: float) -> str:
    """The RFC 3339 time so many seconds after a Unix time, to the second, rounded up.

    Raises:
        UsageProblem: when it is no positive time, or more than ten years.
    """
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)  # type: ignore[redundant-expr]
    if not is_number or not 0 < seconds <= LONGEST_SECONDS:
        raise UsageProblem(
            f"a run cannot have {seconds!r} seconds until its deadline", "it is a number, up to ten years"
        )
    at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=-int(-(start + seconds) // 1))
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def deadline_in(plan: Mapping[str, Any]) -> datetime | None:
    """The deadline that a record of a checked shape names, to the second; None where it names none.

    Also None where it is of no day that has a date, such as the 31st of February.
    """
    told = plan.get("activity", {}).get("deadline")
    if told is None:
        return None
    try:
        return datetime.fromisoformat(f"{told[:_TO_THE_SECOND]}+00:00")
    except ValueError:
        return None
