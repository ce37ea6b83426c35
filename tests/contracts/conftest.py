"""One machine for all contract tests; each test starts from the same fresh deployment."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from boa.environment import Env

from tests.contracts.branches import noted
from tests.contracts.cast import FOUNDERS, RULES, TABLES
from tests.contracts.side_by_side import SideBySide


@pytest.fixture(scope="session", autouse=True)
def branches() -> Iterator[None]:
    """Where branch coverage is asked for, note which ways the contract's branches go."""
    folder = os.environ.get("PROML_BRANCHES")
    if not folder:
        yield
        return
    with noted(Path(folder)):
        yield


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
