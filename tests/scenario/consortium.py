"""Organisations that found a consortium on one embedded chain, each in a project folder of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proml.cli.main import main
from proml.core.digest import hexed
from proml.node.participant import Participant


class Consortium:
    """Runs `proml … --json` in the folder of an organisation, as its people would."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._patch = patch
        self._capsys = capsys

    def run(self, who: str, *arguments: str) -> tuple[int, Any]:
        """Exit code and answer of a command that `who` runs in its folder."""
        folder = self.root / who
        folder.mkdir(exist_ok=True)
        with self._patch.context() as patch:
            patch.chdir(folder)
            self._capsys.readouterr()
            code = main([*arguments, "--json"])
        told = self._capsys.readouterr().out
        return code, json.loads(told)

    def did(self, who: str, *arguments: str) -> Any:
        """The answer of a command that must succeed."""
        code, answer = self.run(who, *arguments)
        assert code == 0, answer
        return answer

    def refused(self, who: str, *arguments: str) -> dict[str, str]:
        """The error of a command that must fail, and change nothing."""
        before = self.events()
        code, answer = self.run(who, *arguments)
        assert code != 0, answer
        assert self.events() == before
        error: dict[str, str] = answer["error"]
        return error | {"code": str(code)}

    def events(self) -> list[Any]:
        """Everything on the ledger."""
        ledger = self.participant(next(iter(self.names))).ledger
        return list(ledger.events(1, ledger.head().number))

    def participant(self, who: str) -> Participant:
        return Participant.open(self.root / who)

    def found(self, roles: dict[str, list[str]], **rules: int) -> None:
        """Each makes a key; the first of them founds; the others join by its ledger file."""
        self.names = list(roles)
        members = [f"{name} = {number}" for name, number in rules.items()]
        for who, its in roles.items():
            key = self.did(who, "init", "--organisation", who, "--no-ledger")["key"]
            members.append(f"[[member]]\nname = {who!r}\nkey = {key!r}\nroles = {its!r}")
        founder, *others = self.names
        (self.root / founder / "members.toml").write_text("\n".join(members))
        self.did(founder, "ledger", "found", "members.toml")
        for who in others:
            self.did(who, "ledger", "join", str(self.ledger_file))

    @property
    def ledger_file(self) -> Path:
        return self.root / self.names[0] / ".proml" / "ledger.json"

    def address(self, who: str) -> str:
        return hexed(self.participant(who).address)

    def pass_blocks(self, count: int) -> None:
        """Let so many blocks go by: each of these registrations makes one."""
        founder = self.names[0]
        for _ in range(count):
            me = self.participant(founder)
            me.register(None, "dependency", "anything")
            me.push()

    def close(self) -> None:
        self.did(self.names[0], "ledger", "down")
