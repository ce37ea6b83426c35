"""Contracts with a fault planted in them: what a campaign, a proof or a suite must not let pass."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from proml.contracts import build


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the sources written otherwise.

    Attributes:
        name: what is wrong, in words.
        source: the file.
        good: text that stands in it exactly once.
        bad: what stands there instead.
        found: what must be said of it.
    """

    name: str
    source: str
    good: str
    bad: str
    found: str


FAULTS = (
    Fault(
        "a revoked key goes on acting",
        "consortium.vy",
        "if ((word >> KEY_REVOKED) & BLOCK_MASK) != 0:",
        "if ((word >> KEY_REVOKED) & BLOCK_MASK) == 1:",
        "refused for another reason",
    ),
    Fault(
        "the head leaves out the subject",
        "artefacts.vy",
        "convert(step.action, uint256), step.record, step.subject, inputs_digest",
        "convert(step.action, uint256), step.record, step.record, inputs_digest",
        "C2: the head does not follow from the events",
    ),
    Fault(
        "one approval counts twice",
        "artefacts.vy",
        "last = entry.actor >> 160",
        "last = 0",
        "events: the contract emitted what the rules do not say",
    ),
    Fault(
        "a proposal needs no votes",
        "governance.vy",
        "consortium._check(passed != 0, VOTES_MISSING)",
        "consortium._check(passed != 1, VOTES_MISSING)",
        "allowed what the rules refuse",
    ),
    Fault(
        "a step touches another artefact",
        "artefacts.vy",
        "self.heads[artefact] = keccak256(",
        "self.heads[step.record] = artefact\n    self.heads[artefact] = keccak256(",
        "storage: the contract wrote what the rules do not say",
    ),
)


def compile_with(fault: Fault, folder: Path) -> bytes:
    """Creation code of the contract with the fault, compiled in `folder`."""
    for name in build.SOURCES:
        shutil.copy(build.HERE / name, folder / name)
    source = folder / fault.source
    text = source.read_text()
    assert text.count(fault.good) == 1, f"{fault.good!r} does not stand once in {fault.source}"
    source.write_text(text.replace(fault.good, fault.bad))
    with mock.patch.object(build, "HERE", folder):
        compiled = json.loads(build.compile_contracts())
    return bytes.fromhex(compiled["bytecode"][2:])
