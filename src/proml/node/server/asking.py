"""What requests may ask with: ids, pages, tests of fields; each bounded before anything looks at it."""

from __future__ import annotations

import math
import re
from typing import Annotated

from fastapi import Depends, Path, Query

from proml.core.digest import unhexed
from proml.errors import UsageProblem
from proml.node.index import Ask, FieldTest
from proml.node.index.paging import MOST

DIGEST = "^0x[0-9a-f]{64}$"
MOST_NUMBER = 2**31 - 1
LAST_SECOND = 253_402_300_799
MOST_TESTS = 8
_TEST = re.compile(r"([^<>=!]{1,200}?)(<=|>=|!=|=|<|>)([^\x00]{1,200})", re.DOTALL)

DigestText = Annotated[str, Path(pattern=DIGEST, description="0x and 64 lower-case hexadecimal digits.")]
Number = Annotated[int, Path(ge=0, le=MOST_NUMBER)]
OfNumber = Annotated[int | None, Query(ge=0, le=MOST_NUMBER)]
Second = Annotated[int | None, Query(ge=0, le=LAST_SECOND, description="Seconds since 1970 UTC.")]
Word = Annotated[str | None, Query(min_length=1, max_length=200)]
Most = Annotated[int, Query(ge=1, le=MOST, description="Rows on a page.")]
After = Annotated[
    str | None, Query(pattern="^[0-9]{1,18}$", description="The `next` of the page before, unchanged.")
]


def digest_of(text: DigestText) -> bytes:
    """The 32 bytes behind an id, digest or commitment in the path."""
    return unhexed(text)


def ask_of(most: Most = 50, after: After = None) -> Ask:
    """The page asked for."""
    return Ask(most, after)


def field_tests(
    field: Annotated[
        list[str],
        Query(
            max_length=MOST_TESTS,
            description="PATH, a comparison (= != < <= > >=) and a value, as metrics.accuracy>=0.9.",
        ),
    ] = [],  # noqa: B006 -- how the framework is told that it may be left out
) -> tuple[FieldTest, ...]:
    """The tests of fields asked for.

    Raises:
        UsageProblem: for one that is none.
    """
    return tuple(map(_test, field))


Asked = Annotated[Ask, Depends(ask_of)]
Tests = Annotated[tuple[FieldTest, ...], Depends(field_tests)]


def _test(text: str) -> FieldTest:
    match = _TEST.fullmatch(text)
    if match is None:
        raise UsageProblem("a test of a field is PATH, a comparison and a value", "as metrics.accuracy>=0.9")
    path, comparison, value = match.groups()
    try:
        number = float(value)
    except ValueError:
        return FieldTest(path, comparison, value)
    return FieldTest(path, comparison, number if math.isfinite(number) else value)
