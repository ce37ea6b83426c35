"""Which ways the contract's branches went: every conditional jump of the code, as the tests drive it.

With `PROML_BRANCHES=folder` in the environment each test process leaves what it saw in that folder;
`tools/contract_coverage.py` puts it together and names the source line of every way that was never taken.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from boa.vm.py_evm import patch_opcode
from eth.vm.forks.cancun.opcodes import CANCUN_OPCODES

from proml.contracts.shipped import artefacts_contract

JUMPI = 0x57


class NotedJump:
    """The instruction as it is, and a note of where it went."""

    mnemonic = "JUMPI"

    def __init__(self) -> None:
        self.instruction = CANCUN_OPCODES[JUMPI]
        self.gas_cost = self.instruction.gas_cost
        # (whether the code creates the contract, position of the jump, whether it was taken)
        self.seen: set[tuple[bool, int, bool]] = set()
        self._runtime = len(artefacts_contract().runtime)

    def __call__(self, computation: Any) -> None:
        code = computation.code
        following = code.program_counter
        self.instruction(computation)
        creates = bool(computation.msg.is_create)
        # Told by its length: nothing else in these tests is as long.
        if creates or len(code) == self._runtime:
            self.seen.add((creates, following - 1, code.program_counter != following))


@contextmanager
def noted(folder: Path) -> Iterator[None]:
    """Note every conditional jump, and leave the notes in `folder` at the end."""
    jump = NotedJump()
    patch_opcode(JUMPI, jump)
    try:
        yield
    finally:
        patch_opcode(JUMPI, jump.instruction)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{os.getpid()}.json").write_text(json.dumps(sorted(jump.seen)))
