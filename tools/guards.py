"""Has a solver prove the contract's guards for all arguments at once.

    python tools/guards.py [--only check_a_consent]

halmos runs the properties of `tests/forge/guards/Guards.t.sol` symbolically against the shipped bytecode: a
property holds when no choice of arguments breaks it, within bounds (lists of one or no element; the state is
five founders, one lifecycle and two artefacts). halmos is AGPL and heavy: it gets an environment of its own
below `build/`, from `tests/forge/halmos.lock`, and is no part of what is shipped.

Exits with 1 when a property does not hold, or could not be decided in time.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from eth_account import Account

import campaign
from proml.contracts.abi import deployment
from proml.contracts.shipped import artefacts_contract

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "tests" / "forge"
BUILT = ROOT / "build" / "guards"
LOCK = SOURCES / "halmos.lock"
# Milliseconds that a solver may take for one question.
PATIENCE = 60_000
RESULT = re.compile(r"\[(PASS|FAIL|TIMEOUT|ERROR)\]\S* (check_\w+)\(")
SETTINGS = """[profile.default]
src = "contracts"
test = "contracts"
libs = []
evm_version = "cancun"
optimizer = true
bytecode_hash = "none"
offline = true
solc = "{compiler}"
"""
SHIPPED = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

address constant ALL_ROLES = {all_roles};
address constant FEW_ROLES = {few_roles};
address constant NO_ROLES = {no_roles};
// Bit n: action n leads on from the first state.
uint256 constant RULES = {rules};
bytes constant CREATION = hex"{creation}";
"""


def write_project(folder: Path, bytecode: bytes) -> None:
    """A project for halmos: the properties, and the contract as a constant with its founding."""
    contracts = folder / "contracts"
    shutil.rmtree(contracts, ignore_errors=True)
    contracts.mkdir(parents=True)
    shutil.copy(SOURCES / "guards" / "Guards.t.sol", contracts)
    shutil.copy(SOURCES / "contracts" / "Artefacts.sol", contracts)
    table = campaign.dense_table()
    named = {
        # Solidity takes an address only in the spelling that carries its checksum.
        name: Account.from_key((at + 1).to_bytes(32, "big")).address
        for name, at in (("all_roles", 0), ("few_roles", 2), ("no_roles", 4))
    }
    rules = sum({1 << rule.action for rule in table.rules if rule.state == 1})
    creation = deployment(bytecode, campaign.founders(), campaign.PACES["quorum"], (table,))
    (contracts / "Shipped.sol").write_text(SHIPPED.format(rules=rules, creation=creation.hex(), **named))
    (folder / "foundry.toml").write_text(SETTINGS.format(compiler=campaign.BUILT / "solc"))


def install() -> Path:
    """The halmos program, installed first where it is missing."""
    folder = BUILT / "venv"
    program = folder / "bin" / "halmos"
    if not program.exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
        subprocess.run([*pip, "-r", str(LOCK)], check=True)
    return program


def prove(only: str, bytecode: bytes) -> dict[str, str]:
    """What became of each property: PASS, FAIL, TIMEOUT or ERROR.

    Raises:
        CampaignProblem: when halmos came to no result at all.
    """
    forge, halmos = campaign.install(), install()
    write_project(BUILT, bytecode)
    # halmos compiles by the forge on PATH.
    environment = {**os.environ, "PATH": f"{forge.parent}:{os.environ['PATH']}"}
    command = [
        *(str(halmos), "--root", str(BUILT), "--storage-layout", "generic", "--loop", "6"),
        *("--solver-timeout-assertion", str(PATIENCE), "--function", only),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = {name: result for result, name in RESULT.findall(done.stdout)}
    if not found:
        raise campaign.CampaignProblem(f"halmos proved nothing:\n{(done.stdout + done.stderr)[-2000:]}")
    return found


def main() -> int:
    """Prove them and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default="check_", help="properties whose names begin so")
    try:
        found = prove(parser.parse_args().only, artefacts_contract().bytecode)
    except campaign.CampaignProblem as problem:
        print(f"guards: {problem}", file=sys.stderr)
        return 2
    for name, result in sorted(found.items()):
        print(f"{result:8} {name.removeprefix('check_').replace('_', ' ')}")
    proved = sum(result == "PASS" for result in found.values())
    print(f"{proved} of {len(found)} guards proved")
    return 0 if proved == len(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
