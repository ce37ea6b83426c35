"""The ledgers that the suites run over."""

import os
from collections.abc import Iterator

import pytest

from tests.conformance.ledgers import WORLDS, World


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from WORLDS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture
def salt() -> bytes:
    return os.urandom(32)
