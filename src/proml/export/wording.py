"""Numbers and moments as people read them; the same words in every format."""

from __future__ import annotations

from datetime import UTC, datetime


def date_of(seconds: int) -> str:
    """The UTC day of a moment given in whole seconds since 1970, `2026-11-30`."""
    return _at(seconds, "%Y-%m-%d")


def time_of(seconds: int) -> str:
    """The UTC time of day, `09:20:04`."""
    return _at(seconds, "%H:%M:%S")


def moment(seconds: int) -> str:
    """Day and time, `2026-11-30 09:20:04 UTC`."""
    return f"{_at(seconds, '%Y-%m-%d %H:%M:%S')} UTC"


def duration(seconds: float) -> str:
    """A duration in the unit that fits it: `14 ms`, `2.4 s`, `2.5 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min"


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its noun: `1 step`, `26 steps`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _at(seconds: int, pattern: str) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(pattern)
    except (OverflowError, ValueError, OSError):  # a sealer may claim a year beyond 9999
        return f"{seconds} s after 1970"
