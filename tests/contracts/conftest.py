"""One machine for all contract tests; each test starts from the same fresh deployment."""

from collections.abc import Iterator

import pytest
from boa.environment import Env

from tests.contracts.cast import FOUNDERS, TABLES
from tests.contracts.side_by_side import SideBySide


@pytest.fixture(scope="session")
def machine() -> Env:
    return Env()


@pytest.fixture
def env(machine: Env) -> Iterator[Env]:
    with machine.anchor():
        machine.sstore_trace.clear()
        yield machine


@pytest.fixture
def side(env: Env) -> SideBySide:
    return SideBySide(env, FOUNDERS, 2, TABLES)
