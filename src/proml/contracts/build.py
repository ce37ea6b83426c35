"""Compile the contracts and keep the result beside them; `--check` fails when it is stale.

Run as `python -m proml.contracts.build [--check]`. Needs Vyper, which users never do: what is shipped is
`compiled/artefacts.json`. Refuses any byte of a `.vy` file outside printable ASCII and LF, because
Vyper 0.4.3 silently compiles other constants after a form feed or U+2028 in a comment (CVE-2026-114114).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from vyper.compiler import compile_from_file_input
from vyper.compiler.input_bundle import FileInput, FilesystemInputBundle

HERE = Path(__file__).parent
SOURCES = ("artefacts.vy", "consortium.vy", "custody.vy", "governance.vy", "lifecycles.vy", "statements.vy")
COMPILED = HERE / "compiled" / "artefacts.json"
# EIP-170: a larger contract cannot be deployed on a public chain.
CODE_LIMIT = 24_576


def odd_bytes(content: bytes) -> list[tuple[int, int]]:
    """Every (line, byte) that is neither printable ASCII nor LF; lines count from 1."""
    return [
        (number, byte)
        for number, line in enumerate(content.split(b"\n"), start=1)
        for byte in line
        if not 0x20 <= byte <= 0x7E
    ]


def compile_contracts() -> str:
    """The compiled contract as the JSON text that is kept.

    Raises:
        SystemExit: naming the file and line of a byte that may not be there.
    """
    for name in SOURCES:
        for line, byte in odd_bytes((HERE / name).read_bytes()):
            sys.exit(
                f"{name}:{line}: byte 0x{byte:02x} is neither printable ASCII nor LF; Vyper may miscompile it"
            )
    outputs = ("abi", "bytecode", "bytecode_runtime", "layout")
    bundle = FilesystemInputBundle([HERE])
    source = bundle.load_file("artefacts.vy")
    assert isinstance(source, FileInput)
    made = compile_from_file_input(
        source, input_bundle=bundle, output_formats=outputs, no_bytecode_metadata=True
    )
    runtime = bytes.fromhex(made["bytecode_runtime"][2:])
    if len(runtime) > CODE_LIMIT:
        sys.exit(f"the contract has {len(runtime)} bytes of code, more than {CODE_LIMIT} (EIP-170)")
    kept = {
        "compiler": "vyper 0.4.3",
        "evm_version": "cancun",
        "sources": {name: hashlib.sha256((HERE / name).read_bytes()).hexdigest() for name in SOURCES},
        "runtime_bytes": len(runtime),
        "abi": made["abi"],
        "layout": made["layout"]["storage_layout"],
        "bytecode": made["bytecode"],
        "runtime": made["bytecode_runtime"],
    }
    return json.dumps(kept, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Write the compiled file, or with --check compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail instead of writing when it differs")
    arguments = parser.parse_args()
    text = compile_contracts()
    if not arguments.check:
        COMPILED.parent.mkdir(exist_ok=True)
        COMPILED.write_text(text)
    elif not COMPILED.exists() or COMPILED.read_text() != text:
        sys.exit(f"{COMPILED.name} is not what the sources compile to; run python -m proml.contracts.build")


if __name__ == "__main__":
    main()
