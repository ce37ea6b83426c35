"""What a seed decides: every parameter of a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a seed decides; each by a draw of its own, so that adding one shifts none of the others."""

    seed: int

    def draw(self, tag: str) -> Random:
        return Random(f"{self.seed}:{tag}")

    @property
    def rate(self) -> float:
        return self.draw("rate").choice((0.0, 0.02, 0.05, 0.3))

    @property
    def finality(self) -> int:
        return self.draw("finality").choice((1, 1, 2, 3, 5, 12, 65))

    @property
    def items(self) -> int:
        return self.draw("items").choice((1, 2, 3, 8, 64))

    @property
    def ticks(self) -> int:
        return self.draw("ticks").randint(40, 120)

    def often(self, what: str, *chances: float) -> float:
        """How often something happens in a tick."""
        return self.draw(what).choice(chances)
