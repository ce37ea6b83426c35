"""The six organisations: each a folder of its own with key, journal, outbox and storage, on one ledger."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from proml.config import Config
from proml.core.proposal import Governance
from proml.ledger.anvil import EmbeddedChain
from proml.node.founding import Member, found_embedded, join, start_project
from proml.node.participant import Participant
from proml.signing import key_address

# So many of the six have to agree before anything about members or rules may change.
THRESHOLD = 4


@dataclass(frozen=True, slots=True)
class Part:
    """A part in the story: the name of its folder, who plays it, and its roles in the consortium."""

    folder: str
    name: str
    roles: tuple[str, ...]


CAST = (
    Part("client", "Harbour Clinics", ("operator", "approver")),
    Part("dataset-administrator", "Tidal Data", ("data_admin",)),
    Part("labelling-firm", "Label & Sons", ("labeller",)),
    # It also verifies models that others make, so that nothing but the separation of duties keeps it from
    # passing its own.
    Part("developer", "Northwind Models", ("developer", "verifier")),
    Part("verifier", "Veritas Laboratory", ("verifier",)),
    Part("auditor", "Aldgate Audit", ("auditor",)),
)


@dataclass
class Organisation:
    """One of the six.

    Attributes:
        number: its number in the consortium, from 1.
        part: who it is.
        folder: everything it has.
    """

    number: int
    part: Part
    folder: Path

    @property
    def name(self) -> str:
        """What the others call it."""
        return self.part.name

    @cached_property
    def participant(self) -> Participant:
        """Its project, opened once."""
        return Participant.open(self.folder)

    @cached_property
    def key(self) -> bytes:
        """The 20-byte address of its key."""
        return key_address(self.participant.config.key_file)

    def receive(self, sent: Path, name: str = "") -> Path:
        """Copy a file or folder into this organisation's folder, as a courier would; returns the copy."""
        copy = self.folder / (name or sent.name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if sent.is_dir():
            shutil.copytree(sent, copy, dirs_exist_ok=True)
        else:
            shutil.copyfile(sent, copy)
        return copy


@dataclass(frozen=True, slots=True)
class Consortium:
    """All six, with their parts; the client hosts the embedded chain that all of them use."""

    client: Organisation
    administrator: Organisation
    labeller: Organisation
    developer: Organisation
    verifier: Organisation
    auditor: Organisation

    @property
    def members(self) -> tuple[Organisation, ...]:
        """In the order of their numbers."""
        return (
            self.client,
            self.administrator,
            self.labeller,
            self.developer,
            self.verifier,
            self.auditor,
        )

    def stop(self) -> None:
        """Save the chain's state and end its program; the next question to the ledger starts it again."""
        chain_in(self.client.folder.parent).down()


def gather(root: Path) -> Consortium:
    """Start six projects below `root`, found the consortium in the client's, and have the others join."""
    members = [Organisation(number, part, root / part.folder) for number, part in enumerate(CAST, start=1)]
    configs = []
    for member in members:
        member.folder.mkdir(parents=True)
        configs.append(start_project(member.folder, member.name))
    founders = [Member(member.name, member.key, member.part.roles) for member in members]
    found_embedded(configs[0], founders, Governance(THRESHOLD))
    for config in configs[1:]:
        join(config, configs[0].ledger_file)
    return Consortium(*members)


def chain_in(root: Path) -> EmbeddedChain:
    """The embedded chain of a demo folder; NotFound when there is none yet."""
    return EmbeddedChain(Config(root / CAST[0].folder).chain)
