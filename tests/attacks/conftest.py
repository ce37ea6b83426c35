"""One consortium in folders and one by keys alone, each founded once and shared by all attacks on it.

Each attack leaves its evidence as `build/attacks/attack-NN-….json`, for people to read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.attacks import ring
from tests.attacks.catalogue import ATTACKS
from tests.attacks.houses import in_service
from tests.scenario import members

EVIDENCE = Path(__file__).resolve().parents[2] / "build" / "attacks"
Leaves = Callable[..., None]


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ring.Ring]:
    yield from ring.gathered(tmp_path_factory.mktemp("ring"))


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[members.Members]:
    """Organisations with folders, journals and command lines; models and datasets found by their bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROML_DISCOVERABLE", "dataset,model")
        yield from members.gathered(tmp_path_factory.mktemp("houses"))


@pytest.fixture
def leaves(request: pytest.FixtureRequest) -> Leaves:
    """Keeps what an attack leaves behind; nothing may be empty."""
    number = int(request.node.originalname.split("_")[2])
    attack = next(attack for attack in ATTACKS if attack.number == number)

    def keep(**evidence: Any) -> None:
        assert all(evidence.values()), evidence
        EVIDENCE.mkdir(parents=True, exist_ok=True)
        content = {"attack": number, "tries": attack.tries, "verdict": attack.verdict, "evidence": evidence}
        name = request.node.originalname.removeprefix("test_").replace("_", "-")
        (EVIDENCE / f"{name}.json").write_text(json.dumps(content, indent=1, default=_text) + "\n")

    return keep


def _text(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else repr(value)


@pytest.fixture(scope="session")
def model(houses: members.Members) -> str:
    """Id of a model in service: model.bin in the folders of Maker, Lab, Audit and Clinic."""
    return in_service(houses, "model")
