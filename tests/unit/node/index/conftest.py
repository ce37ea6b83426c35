"""Both databases: every test that asks for `url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.postgresql import Server, running_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Gives the address of one empty database after another."""
    if request.param == "sqlite":
        numbers = count()
        yield lambda: f"sqlite:///{tmp_path}/index-{next(numbers)}.sqlite"
        return
    server: Server = request.getfixturevalue("postgresql")
    made: list[str] = []

    def new() -> str:
        made.append(server.database())
        return made[-1]

    yield new
    for url in made:
        server.drop(url)


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()
