"""One machine for all contract tests; each test starts from the same fresh deployment."""

from collections.abc import Iterator

import pytest
from boa.environment import Env

from tests.contracts.cast import FOUNDERS, RULES, TABLES
from tests.contracts.side_by_side import SideBySide


@pytest.fixture(scope="session")
def machine() -> Env:
    return Env()


@pytest.fixture(scope="session")
def founded(machine: Env) -> SideBySide:
    return SideBySide(machine, FOUNDERS, RULES, TABLES)


@pytest.fixture
def env(machine: Env) -> Iterator[Env]:
    """The machine; whatever a test does to it is undone."""
    written = {address: set(slots) for address, slots in machine.sstore_trace.items()}
    with machine.anchor():
        yield machine
    machine.sstore_trace.clear()
    machine.sstore_trace.update(written)


@pytest.fixture
def side(founded: SideBySide, env: Env) -> SideBySide:
    return founded.copy()
