"""A project in a temporary folder, and what stands in its journal."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proml.capture import run as runs
from proml.capture.draft import Draft, decode
from proml.journal import read


class Project:
    """A project folder that is the current one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = root / ".proml" / "journal"

    def drafts(self) -> list[Draft]:
        """Everything in the journal, in order."""
        return [decode(entry.payload) for entry in read(self.journal)]

    def only(self, kind: type[Any]) -> Any:
        """The one draft of a class."""
        (draft,) = [draft for draft in self.drafts() if isinstance(draft, kind)]
        return draft

    def all(self, kind: type[Any]) -> list[Any]:
        """Every draft of a class."""
        return [draft for draft in self.drafts() if isinstance(draft, kind)]

    def raw(self) -> bytes:
        """Every byte of the journal folder."""
        return b"".join(path.read_bytes() for path in sorted(self.journal.iterdir()))

    def python(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script in a process of its own, in this project."""
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=self.root,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name in [name for name in os.environ if name.startswith("PROML_")]:
        monkeypatch.delenv(name)
    (tmp_path / ".proml").mkdir()
    monkeypatch.chdir(tmp_path)
    made = Project(tmp_path)
    yield made
    journal = runs._journals.pop(made.journal, None)
    if journal is not None:
        journal.close()


@pytest.fixture
def settings(project: Project) -> Callable[[str], None]:
    def write(text: str) -> None:
        (project.root / ".proml" / "config.toml").write_text(text)

    return write
