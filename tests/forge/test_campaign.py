"""A short form of the campaigns that `make campaign` and `make prove` run at length.

A campaign that cannot fail proves nothing, so faults are planted in the contract and must be found; and
one that reaches no guard proves nothing either, so what it saw is counted.
"""

import json
import re
from pathlib import Path

import pytest

from proml.contracts.shipped import artefacts_contract
from proml.core.refusal import Reason
from tests.contracts.deployed import signature
from tests.contracts.test_doors import ENTRIES
from tests.forge.planting import FAULTS, Fault, compile_with
from tools import campaign

SHORT = 16_000


@pytest.mark.usefixtures("forge")
def test_no_invariant_breaks_and_every_guard_is_reached() -> None:
    outcome = campaign.run(SHORT, seed=1)
    assert outcome.held, outcome.printed
    assert set(campaign.EVENTS) | {reason.name for reason in Reason} == set(outcome.seen)
    assert outcome.seen["Registered"] + outcome.seen["Acted"] > SHORT / 10


@pytest.mark.usefixtures("forge")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Fault, tmp_path: Path) -> None:
    broken = compile_with(fault, tmp_path)
    assert broken != artefacts_contract().bytecode
    outcome = campaign.run(SHORT, seed=3, bytecode=broken)
    assert not outcome.held
    assert fault.found in outcome.printed


def test_the_campaign_calls_everything_that_writes() -> None:
    """A call that is added to the contract must be added to the plays, too."""
    writing = {entry["name"] for entry in ENTRIES if entry["stateMutability"] not in ("view", "pure")}
    plays = (campaign.SOURCES / "contracts" / "StepPlays.sol").read_text()
    plays += (campaign.SOURCES / "contracts" / "MemberPlays.sol").read_text()
    plays += (campaign.SOURCES / "contracts" / "DelegatedPlays.sol").read_text()
    assert set(re.findall(r"abi\.encodeCall\(\s*Artefacts\.(\w+)", plays)) == writing


@pytest.mark.usefixtures("forge")
def test_the_interface_the_campaign_speaks_is_the_one_that_is_shipped() -> None:
    campaign.build()
    built = campaign.BUILT / "out" / "Artefacts.sol" / "Artefacts.json"
    spoken = {signature(entry) for entry in json.loads(built.read_text())["abi"]}
    assert spoken == {
        signature(entry) for entry in ENTRIES if entry["stateMutability"] not in ("view", "pure")
    }
