"""Says which branches of the contracts the tests took: every `if`, `and`, `or`, `assert`, `for`, both ways.

    PROML_BRANCHES=build/branches make test
    python tools/contract_coverage.py build/branches

The tests run the compiled bytecode, and leave in that folder which conditional jumps were taken and which not
(tests/contracts/branches.py). Here the sources are compiled again, compared with what is shipped, and each
jump is traced back to the expression it was made of. Jumps that the compiler adds of its own (is the call
data long enough, does an addition overflow) are no branches of the sources and are not counted.

Exits with 1 when a branch went one way only, unless `UNREACHABLE` says why it cannot go the other.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vyper import ast as vy
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.phases import CompilerData
from vyper.ir.compile_ir import assembly_to_evm

from proml.contracts.build import HERE
from proml.contracts.shipped import artefacts_contract

JUMPI = 0x57
PUSH1, PUSH32 = 0x60, 0x7F
BRANCHING = (vy.If, vy.BoolOp, vy.Assert, vy.For, vy.IfExp)
# Branches that go one way only, by file and source text, and why the other way cannot be taken.
UNREACHABLE: dict[tuple[str, str], str] = {}


@dataclass(frozen=True, slots=True, order=True)
class Branch:
    """One place in the sources where the compiled code may go either way."""

    file: str
    line: int
    column: int
    text: str


def branches() -> dict[tuple[bool, int], Branch]:
    """Every branch of the sources, by whether it is in the creation code and the position of its jump."""
    bundle = FilesystemInputBundle([HERE])
    source = bundle.load_file("artefacts.vy")
    made = CompilerData(source, bundle, no_bytecode_metadata=True)
    shipped = artefacts_contract()
    if (made.bytecode, made.bytecode_runtime) != (shipped.bytecode, shipped.runtime):
        sys.exit("the sources compile to something else than is shipped: run python -m proml.contracts.build")
    found: dict[tuple[bool, int], Branch] = {}
    for creates, assembly in ((True, made.assembly), (False, made.assembly_runtime)):
        code, maps = assembly_to_evm(assembly, compiler_metadata=None)
        nodes = maps["pc_raw_ast_map"]
        # The creation code carries the runtime code behind it, which no creation runs.
        end = len(code) - len(made.bytecode_runtime) if creates else len(code)
        for position in _jumps(code[:end]):
            node = nodes.get(position)
            if isinstance(node, BRANCHING) and "bounds check" not in maps["error_map"].get(position, ""):
                found[creates, position] = _branch(node)
    return found


def _jumps(code: bytes) -> Iterator[int]:
    position = 0
    while position < len(code):
        instruction = code[position]
        if instruction == JUMPI:
            yield position
        position += 1 + (instruction - PUSH1 + 1 if PUSH1 <= instruction <= PUSH32 else 0)


def _branch(node: Any) -> Branch:
    text = " ".join(node.node_source_code.split("\n")[0].split())
    return Branch(Path(node.module_node.resolved_path).name, node.lineno, node.col_offset, text)


def missing(folder: Path) -> tuple[int, list[tuple[Branch, bool]]]:
    """How many ways there are, and those never taken: True for the jump, False for going on."""
    seen: set[tuple[bool, int, bool]] = set()
    notes = sorted(folder.glob("*.json"))
    if not notes:
        sys.exit(f"no test left notes in {folder}: run PROML_BRANCHES={folder} make test")
    for note in notes:
        seen |= {(creates, position, taken) for creates, position, taken in json.loads(note.read_text())}
    ways: dict[Branch, set[bool]] = defaultdict(set)
    for (creates, position), branch in branches().items():
        ways[branch] |= {taken for taken in (True, False) if (creates, position, taken) in seen}
    never = [
        (branch, taken) for branch in sorted(ways) for taken in (True, False) if taken not in ways[branch]
    ]
    return 2 * len(ways), never


def main() -> int:
    """Print what is missing; exit code 1 when anything is that is not explained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where the tests left their notes")
    count, never = missing(parser.parse_args().folder)
    unexplained = [
        (branch, taken) for branch, taken in never if (branch.file, branch.text) not in UNREACHABLE
    ]
    for branch, taken in unexplained:
        print(f"{branch.file}:{branch.line}: never {'jumped' if taken else 'fell through'}: {branch.text}")
    print(f"{count - len(never)} of {count} ways taken, {len(never) - len(unexplained)} explained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
