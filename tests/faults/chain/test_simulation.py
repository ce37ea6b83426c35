"""The seeded simulation in its short form: some seeds, and every one that ever failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from proml.ledger.anvil_binary import find_anvil
from tests.faults.chain.model import Model
from tests.faults.chain.plan import Plan
from tests.faults.chain.simulate import simulate

SEEDS = Path(__file__).with_name("seeds.txt")
# With rates of 0.02, 0.3, 0.05 and 0, finalities of 1, 65, 2 and 12, kills and foreign use of the key.
CHOSEN = (3, 5, 8, 12)


def remembered() -> list[int]:
    lines = SEEDS.read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("seed", [*CHOSEN, *remembered()])
def test_what_happens_is_what_the_model_says_whatever_fails(seed: int) -> None:
    find_anvil()
    assert simulate(seed)["items"] > 0


def test_a_seed_picks_everything_and_another_one_something_else() -> None:
    def drawn(seed: int) -> tuple[object, ...]:
        plan = Plan(seed)
        return plan.rate, plan.finality, plan.items, plan.ticks

    assert drawn(7) == drawn(7)
    assert len({drawn(seed) for seed in range(20)}) > 10


def test_the_model_knows_what_no_rule_allows() -> None:
    model = Model()
    for action in ("approve", "collect", "amend", "approve", "amend", "retire", "amend"):
        model.ask("d", action)
    assert model.datasets == {"d": ["collect", "amend", "approve", "amend", "retire"]}
    assert (model.refused, model.may_go_on("d")) == (2, False)
