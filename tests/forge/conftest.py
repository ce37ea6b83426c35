"""The campaigns need forge, which npm installs; where it cannot be had, tests are skipped and say why."""

import os
import sys
from pathlib import Path

import pytest

# The tools are scripts beside each other, and import each other as such.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))

import campaign


@pytest.fixture(scope="session")
def forge() -> None:
    try:
        campaign.install()
    except campaign.CampaignProblem as problem:
        if os.environ.get("PROML_REQUIRE_PROGRAMS"):
            raise
        pytest.skip(str(problem))
