"""Pages of rows: newest first, each page continuing where the one before ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proml.errors import UsageProblem
from proml.node.index.rows import Page, Row

MOST = 500
_BEYOND = 1 << 63


@dataclass(frozen=True, slots=True)
class Ask:
    """Which page: at most so many rows, after those of the page whose `next` this is."""

    most: int = 50
    after: str | None = None

    @property
    def limit(self) -> int:
        """The number of rows, 1 to 500.

        Raises:
            UsageProblem: when more or fewer are asked for.
        """
        if not 1 <= self.most <= MOST:
            raise UsageProblem(f"a page holds 1 to {MOST} rows, not {self.most}")
        return self.most

    @property
    def below(self) -> int:
        """Rows of this page are at places before this one.

        Raises:
            UsageProblem: when `after` is not what a page gave as its `next`.
        """
        if self.after is None:
            return _BEYOND - 1
        if not (self.after.isascii() and self.after.isdecimal()) or int(self.after) >= _BEYOND:
            raise UsageProblem(
                "that is not where a page ends", "give the `next` of the page before, unchanged"
            )
        return int(self.after)


FIRST = Ask()


def page(rows: Sequence[Row], places: Sequence[int], ask: Ask) -> Page[Row]:
    """The page of `rows`, of which one more than asked for was looked up, and their places."""
    if len(rows) <= ask.limit:
        return Page(tuple(rows))
    return Page(tuple(rows[: ask.limit]), str(places[ask.limit - 1]))
