"""Signed files: steps and approvals that a key signed, for any node to take to the ledger and pay for.

Nothing in them is secret, and nothing in them can be changed: they hold for one chain, one contract, one
artefact, one sequence and until a deadline, once. docs/delegation.md has the format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proml.contracts.forms import SIGNATURE_BYTES
from proml.core.call import ApproveCall, ApproveForCall, Signed, SignedStep
from proml.core.digest import hexed, unhexed
from proml.core.document import is_of_type, parse
from proml.errors import ConfigInvalid, ProMLError, RecordInvalid
from proml.interfaces import Terms
from proml.node.sealing import read_step, step_document

SIGNED_TYPE = "proml/signed"
# Some 20,000 steps; more go into several files.
MAX_BYTES = 16 * 1024 * 1024
_KEYS = {"type", "version", "chain_id", "contract", "steps", "approvals"}


@dataclass(frozen=True, slots=True)
class SignedFile:
    """What one file holds.

    Attributes:
        chain_id: EIP-155 chain id of the ledger it is for.
        contract: 20-byte address of its contract.
        steps: in the order in which they are to be taken.
        approvals: to be given before them.
    """

    chain_id: int
    contract: bytes
    steps: tuple[SignedStep, ...] = ()
    approvals: tuple[ApproveForCall, ...] = ()

    def check(self, terms: Terms) -> None:
        """Raise ConfigInvalid unless it is for the ledger with these terms; signatures are not looked at."""
        if (self.chain_id, self.contract) != (terms.chain_id, terms.contract):
            raise ConfigInvalid(
                "what is in this file was signed for another ledger", "relay it at a node of that ledger"
            )

    def written(self) -> bytes:
        """The bytes of the file."""
        document = {
            "type": SIGNED_TYPE,
            "version": 1,
            "chain_id": self.chain_id,
            "contract": hexed(self.contract),
            "steps": [step_document(each.step) | _by(each.by) for each in self.steps],
            "approvals": [_approval(each.asked) | _by(each.by) for each in self.approvals],
        }
        return (json.dumps(document, indent=1) + "\n").encode("ascii")


def read_signed_file(path: Path) -> SignedFile:
    """Read a file of signed steps and approvals.

    Raises:
        ConfigInvalid: when it is missing, or is not what docs/delegation.md says.
    """
    hint = "`proml sign` writes such files"
    try:
        return read_signed(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigInvalid(f"the file {path} cannot be read: {error.strerror}", hint) from error


def read_signed(content: bytes, called: str) -> SignedFile:
    """The same of bytes from anywhere, named `called` where something is wrong with them."""
    try:
        document = parse(content, called, MAX_BYTES)
        if not is_of_type(document, SIGNED_TYPE) or set(document) != _KEYS:
            raise RecordInvalid(f"it is not of type {SIGNED_TYPE!r}, version 1")
        return SignedFile(
            _whole(document["chain_id"]),
            unhexed(document["contract"], 20),
            tuple(SignedStep(read_step(_checked(each)), _read_by(each)) for each in document["steps"]),
            tuple(ApproveForCall(_read_approval(each), _read_by(each)) for each in document["approvals"]),
        )
    except (ProMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigInvalid(
            f"{called} is no file of signed steps: {error}", "`proml sign` writes such files"
        ) from None


def _by(by: Signed) -> dict[str, Any]:
    return {"signer": hexed(by.signer), "deadline": by.deadline, "signature": hexed(by.signature)}


def _read_by(entry: Mapping[str, Any]) -> Signed:
    signature = unhexed(entry["signature"], SIGNATURE_BYTES)
    return Signed(unhexed(entry["signer"], 20), _whole(entry["deadline"]), signature)


def _checked(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same entry, its numbers being numbers; bytes are looked at where they are read."""
    for name in ("lifecycle", "action", "sequence"):
        _whole(entry[name])
    for _, sequence in entry["inputs"]:
        _whole(sequence)
    for organisation, _, _ in entry["approvals"]:
        _whole(organisation)
    return entry


def _approval(asked: ApproveCall) -> dict[str, Any]:
    return {
        "artefact": hexed(asked.artefact),
        "action": asked.action,
        "sequence": asked.sequence,
        "subject": hexed(asked.subject),
        "record": hexed(asked.record),
    }


def _read_approval(entry: Mapping[str, Any]) -> ApproveCall:
    return ApproveCall(
        unhexed(entry["artefact"]),
        _whole(entry["action"]),
        _whole(entry["sequence"]),
        unhexed(entry["subject"]),
        unhexed(entry["record"]),
    )


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise RecordInvalid(f"{value!r} must be a whole number")
    return value
