"""A small history to look at: some datasets, a run with metrics, a model, a recall, and hostile names."""

from __future__ import annotations

from pathlib import Path

import pytest

import proml
from proml.core.digest import hexed
from tests.server.place import Place
from tests.unit.export.hostile import HOSTILE

# A lone surrogate is refused when it is to be recorded.
NAMES = [text for text in HOSTILE if text.strip() and "\ud800" not in text and len(text) < 200]
ARTEFACTS = len(NAMES) + 4


def record(place: Place) -> None:
    """Take the history to the ledger of `place`."""
    me, root = place.me, place.me.config.root
    (root / "table.csv").write_text("1,2\n")
    me.register(root / "table.csv", "dataset", "measurements")
    for number, name in enumerate(NAMES):
        (root / f"{number}.csv").write_text(f"{number}\n")
        me.register(root / f"{number}.csv", "dataset", name)
    me.register(None, "dependency", "library 1.0")
    me.push()
    (library,) = [hexed(each) for each, name in me.names(me.chronicle()).items() if name == "library 1.0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROML_PROJECT", str(root))
        _train(root, library)
    me.push()
    me.act(library, "recall")
    me.push()


def count(place: Place) -> int:
    """How many artefacts the node's index has, and a recall among their steps."""
    answer = place.get("/?format=json")
    if answer.status_code != 200:
        return 0
    status, recalled = answer.json()["content"]["status"], answer.json()["content"]["recalled"]
    return int(status["artefacts"]) if recalled and status["documents"] else 0


def _train(root: Path, library: str) -> None:
    with proml.track("train", parameters={"depth": 3}) as run:
        run.used(library, part="library")
        for step in range(5):
            run.log({"loss": 1 / (step + 1), "accuracy": step / 5}, step=step)
        (root / "model.bin").write_bytes(b"weights")
        run.produced(root / "model.bin", kind="model", name="net")
