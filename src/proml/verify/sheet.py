"""The sheet of one verification: what each numbered check found wrong, and what it could not check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from proml.core.verdict import BYTES, NAMES, Check, Finding, Outcome

# A broken history of a million steps must not fill the memory with a million sentences.
MAX_FINDINGS = 20


class Sheet:
    """Collects findings by the number of their check."""

    def __init__(self) -> None:
        self._wrong: dict[int, list[Finding]] = defaultdict(list)
        self._missing: dict[int, list[Finding]] = defaultdict(list)
        self._more: dict[int, int] = defaultdict(int)
        self._equal: Finding | None = None

    def equal(self, finding: Finding) -> None:
        """The bytes in hand are others and say the same: check 1 is neither valid nor plainly invalid."""
        self._equal = finding

    def wrong(self, number: int, finding: Finding) -> None:
        """Something that makes check `number` invalid."""
        self._keep(self._wrong[number], number, finding)

    def missing(self, number: int, finding: Finding) -> None:
        """Something that check `number` would need and nobody has."""
        self._keep(self._missing[number], number, finding)

    def _keep(self, findings: list[Finding], number: int, finding: Finding) -> None:
        if len(findings) < MAX_FINDINGS:
            findings.append(finding)
        else:
            self._more[number] += 1

    def checks(self, good: Mapping[int, str], gaps: Mapping[int, str]) -> tuple[Check, ...]:
        """All checks, in order.

        Args:
            good: by number what to say where nothing was found; a number that is not in it was not
                asked for.
            gaps: by number why the check cannot be called valid on these grounds, whatever it found.
        """
        return tuple(self._check(number, good.get(number), gaps.get(number, "")) for number in NAMES)

    def _check(self, number: int, good: str | None, gap: str) -> Check:
        wrong, missing = self._wrong[number], list(self._missing[number])
        if gap:
            missing.append(Finding(gap))
        if number == BYTES and self._equal and not wrong:
            return Check(number, Outcome.EQUAL_CONTENT, self._equal.text, (self._equal,))
        found = (*wrong, *missing)
        if found:
            outcome = Outcome.INVALID if wrong else Outcome.NOT_CHECKED
            return Check(number, outcome, found[0].text, found, self._more[number])
        if good is None:
            return Check(number, Outcome.NOT_APPLICABLE, "nobody asked")
        return Check(number, Outcome.VALID, good)
