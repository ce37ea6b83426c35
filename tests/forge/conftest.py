"""The campaigns need forge, which npm installs; where it cannot be had, tests are skipped and say why."""

import os

import pytest

from tools import campaign


@pytest.fixture(scope="session")
def forge() -> None:
    try:
        campaign.install()
    except campaign.CampaignProblem as problem:
        if os.environ.get("PROML_REQUIRE_PROGRAMS"):
            raise
        pytest.skip(str(problem))
