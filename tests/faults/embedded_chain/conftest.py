"""A running chain for each test, and what may stand beside it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from proml.ledger import anvil, anvil_process
from proml.ledger.anvil import EmbeddedChain


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[EmbeddedChain]:
    """A running chain that saves its state every ten blocks and never outlives its test."""
    chain = EmbeddedChain.create(tmp_path / "chain", dump_every=10)
    chain.up()
    yield chain
    chain.kill()


@pytest.fixture
def quick_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anvil, "_PROBE_SECONDS", 0.3)
    monkeypatch.setattr(anvil_process, "_TERMINATE_SECONDS", 0.3)
    monkeypatch.setattr(anvil_process, "_KILL_SECONDS", 0.3)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's process, which must survive."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        assert process.poll() is None
        process.kill()
