"""The compiled contract this version of ProML ships: creation code, runtime code, storage layout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from proml.core.digest import keccak256


@dataclass(frozen=True, slots=True)
class Compiled:
    """One compiled contract.

    Attributes:
        bytecode: creation code; the encoded constructor arguments follow it in a deployment.
        runtime: the code that ends up on the chain, byte for byte (there are no immutables).
        layout: storage layout as the compiler reports it, by module and name.
    """

    bytecode: bytes
    runtime: bytes
    layout: dict[str, Any]

    @property
    def code_digest(self) -> bytes:
        """Keccak-256 of the runtime code, 32 bytes: what a ledger's terms pin."""
        return keccak256(self.runtime)


@cache
def artefacts_contract() -> Compiled:
    """The artefacts contract with consortium and lifecycles in it."""
    content = json.loads((files("proml.contracts.compiled") / "artefacts.json").read_text())
    return Compiled(
        bytecode=bytes.fromhex(content["bytecode"][2:]),
        runtime=bytes.fromhex(content["runtime"][2:]),
        layout=content["layout"],
    )
