"""Saved states of an embedded chain: they only make its next start quick, and may be lost.

One file per state, `state-<block>.dump`: a line of text, then anvil's own dump as it gave it. The line is
the SHA-256 of the JSON after it, a space, that JSON, and a line feed. The JSON names the program's
version, the chain, the last block and its hash, the place in the log up to which the state reaches, and
length and SHA-256 of the dump. The two newest are kept; a file that is damaged is renamed, never used.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proml.ledger.chain_log import Position
from proml.ledger.durable import replace_file, sync_folder

_KEPT = 2
_LINE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ChainDump:
    """A saved state whose first line is sound; its content has not been read yet.

    Attributes:
        path: the file.
        program: version of the program that wrote it.
        chain_id: EIP-155 chain id.
        position: the place in the log that it reaches to.
        head: hash of its last block, `0x` and 64 hexadecimal digits.
        sha256: of the content, 64 hexadecimal digits.
    """

    path: Path
    program: str
    chain_id: int
    position: Position
    head: str
    sha256: str

    def content(self) -> bytes | None:
        """The bytes that anvil gave, or None when they are not those that were written."""
        try:
            content = self.path.read_bytes().partition(b"\n")[2]
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == self.sha256 else None

    def set_aside(self) -> None:
        """Rename the file so that it is not looked at again."""
        self.path.replace(self.path.with_name(self.path.name + ".damaged"))


def write_dump(
    folder: Path, program: str, chain_id: int, place: tuple[Position, str], content: bytes
) -> None:
    """Save a state durably and drop all but the newest two.

    Args:
        folder: the chain's folder.
        program: version of anvil.
        chain_id: EIP-155 chain id.
        place: where in the log it reaches to, and the hash of its last block.
        content: what anvil gave.
    """
    position, head = place
    line = json.dumps({
        "program": program,
        "chain_id": chain_id,
        "offset": position.offset,
        "blocks": position.blocks,
        "chain": position.chain.hex(),
        "head": head,
        "sha256": hashlib.sha256(content).hexdigest(),
    }).encode()  # fmt: skip
    check = hashlib.sha256(line).hexdigest().encode()
    replace_file(folder / f"state-{position.blocks:010}.dump", check + b" " + line + b"\n" + content)
    for old in _paths(folder)[_KEPT:]:
        old.unlink(missing_ok=True)
    sync_folder(folder)


def sound_dumps(folder: Path, program: str, chain_id: int) -> Iterator[ChainDump]:
    """Saved states of this chain and program with a sound first line, newest first."""
    for path in _paths(folder):
        dump = _read_line(path)
        if dump is not None and (dump.program, dump.chain_id) == (program, chain_id):
            yield dump


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.dump"), reverse=True)


def _read_line(path: Path) -> ChainDump | None:
    try:
        with path.open("rb") as file:
            check, _, line = file.readline(_LINE_BYTES).rstrip(b"\n").partition(b" ")
    except OSError:
        return None
    if hashlib.sha256(line).hexdigest().encode() != check:
        return None
    said: dict[str, Any] = json.loads(line)
    return ChainDump(
        path=path,
        program=said["program"],
        chain_id=said["chain_id"],
        position=Position(said["offset"], said["blocks"], bytes.fromhex(said["chain"])),
        head=said["head"],
        sha256=said["sha256"],
    )
