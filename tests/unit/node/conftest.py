"""A place to publish from."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proml.node import publisher, sending
from tests.unit.node.place import Place

MEMORY = Path("/dev/shm")


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of fsyncs, and nothing here tests the disk."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary() as made:
        yield made


@pytest.fixture
def place(folder: Path) -> Place:
    return Place(folder)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for slow nodes: there are none here."""
    monkeypatch.setattr(sending, "DISPLACED_SECONDS", 0.0)
    monkeypatch.setattr(sending, "RESEND_SECONDS", 0.0)
    monkeypatch.setattr(sending, "GAP_SECONDS", 0.0)
    monkeypatch.setattr(publisher, "FIRST_POLL_SECONDS", 0.0)
    monkeypatch.setattr(publisher, "LAST_POLL_SECONDS", 0.001)
