"""Running the developer's script in the developer's folder, while its run is already being published."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from organisations import Organisation
from stage import Outcome, Stage, Surprise

from proml.node.outbox import Intent

SCRIPT = Path(__file__).with_name("train.py")
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Job:
    """What to train.

    Attributes:
        candidate: `network` or `forest`.
        dataset: folder below the developer's.
        model: file below the developer's.
        libraries: names of dependencies that the run uses.
    """

    candidate: str
    dataset: str
    model: str
    libraries: Sequence[str]


def train(stage: Stage, step: str, job: Job, *outcomes: Outcome) -> list[Intent]:
    """Train one candidate in a process of its own, which knows no ledger, and publish what it notes.

    The start of the run is published while it goes on: from then on nobody can pretend it never was.

    Args:
        stage: where it happens.
        step: what the first column says.
        job: what to train.
        outcomes: what must become of the run's end and of its model.

    Returns:
        The items that were published.

    Raises:
        Surprise: when the script fails, or the ledger makes something else of its run.
    """
    developer = stage.consortium.developer
    command = [sys.executable, str(SCRIPT), job.candidate, job.dataset, job.model]
    for library in job.libraries:
        command += ["--library", stage.ids[library]]
    # Its own words are shown only when something goes wrong.
    with subprocess.Popen(
        command,
        cwd=developer.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    ) as process:
        try:
            with stage.table.busy(f"{developer.name} trains {Path(job.model).stem} …"):
                while process.poll() is None and not _noted_something(developer):
                    time.sleep(PAUSE_SECONDS)
            published = stage.push(developer, step)
            with stage.table.busy(f"{developer.name} trains {Path(job.model).stem} …"):
                said, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise Surprise(f"{SCRIPT.name} ended with exit code {process.returncode}: {said[-2000:]}")
    published += stage.push(developer, step)
    stage.compare(step, published, ("started", *outcomes))
    return [intent for intent, _ in published]


def _noted_something(who: Organisation) -> bool:
    backlog = who.participant.backlog()
    return backlog is not None and backlog.unread > 0
