"""Five organisations with a project each on one embedded chain, and their command lines."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proml.cli.main import main
from proml.core.chronicle import Chronicle
from proml.core.proposal import Governance
from proml.ledger.anvil import EmbeddedChain
from proml.node.founding import Member, found_embedded, join, start_project
from proml.node.participant import Participant
from proml.signing import key_address

PARTS = {
    "Owner": ("data_admin",),
    "Maker": ("developer",),
    "Lab": ("verifier",),
    "Clinic": ("operator", "approver"),
    "Audit": ("auditor", "approver"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    error: str

    @property
    def document(self) -> Any:
        """Its answer as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Members:
    """The five, in folders below `root`."""

    root: Path

    def folder(self, who: str) -> Path:
        return self.root / who

    def participant(self, who: str) -> Participant:
        return Participant.open(self.folder(who))

    def says(self, who: str, *arguments: str) -> Said:
        """Run `proml …` in somebody's folder."""
        out, error = io.StringIO(), io.StringIO()
        before = Path.cwd()
        os.chdir(self.folder(who))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
                code = main(list(arguments))
        finally:
            os.chdir(before)
        return Said(code, out.getvalue(), error.getvalue())

    def does(self, who: str, *arguments: str) -> Said:
        """The same for what must work."""
        said = self.says(who, *arguments)
        assert said.code == 0, f"{who}: proml {' '.join(arguments)}: {said.out}{said.error}"
        return said

    def refused(self, who: str, *arguments: str) -> str:
        """Push something that the contracts must refuse, with nothing changed by it; returns the reason."""
        before = self.heads()
        said = self.says(who, *arguments, "--push", "--json")
        assert said.code == 6, said.out + said.error
        (settled,) = [each for each in said.document["settled"] if each["outcome"] == "refused"]
        assert self.heads() == before
        return str(settled["reason"])

    def file(self, who: str, name: str, content: str = "") -> str:
        """A file in somebody's folder; returns its name."""
        (self.folder(who) / name).write_text(content or f"{who}: {name}")
        return name

    def id_of(self, who: str, name: str) -> str:
        """The id of an artefact whose records somebody has."""
        return str(self.does(who, "show", name, "--json").document["id"])

    def chronicle(self) -> Chronicle:
        return self.participant("Audit").chronicle()

    def heads(self) -> dict[bytes, bytes]:
        return {artefact: stand.head for artefact, stand in self.chronicle().shared.artefacts.items()}


def gathered(root: Path) -> Iterator[Members]:
    """Found the consortium of the five; its chain stops when the block is left."""
    members = Members(root)
    configs = []
    for who in PARTS:
        members.folder(who).mkdir(parents=True)
        configs.append(start_project(members.folder(who), who))
    founders = [
        Member(who, key_address(config.key_file), roles)
        for (who, roles), config in zip(PARTS.items(), configs, strict=True)
    ]
    found_embedded(configs[0], founders, Governance(3))
    for config in configs[1:]:
        join(config, configs[0].ledger_file)
    try:
        yield members
    finally:
        EmbeddedChain(configs[0].chain).down()
