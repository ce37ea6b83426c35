"""The nine-step story, played once and shared by every test that looks at it."""

import fcntl
import os
import pickle
import sys
from pathlib import Path

import pytest

# The example is a handful of scripts beside each other, not a package.
sys.path.append(str(Path(__file__).resolve().parents[2] / "examples" / "nine_steps"))

from demo import Played, chain_in, play, room
from table import Table


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """What one performance came to; processes that test at the same time share it."""
    own = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return perform(own / "demo")
    shared = own.parent
    with (shared / "demo.turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        kept = shared / "demo.played"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(perform(shared / "demo")))
        found: Played = pickle.loads(kept.read_bytes())
        return found


def perform(folder: Path) -> Played:
    with room(folder) as root:
        result = play(root, Table(quiet=True))
    assert chain_in(folder).status().pid is None, "the chain goes on after the story"
    return result
