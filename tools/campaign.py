"""Runs forge's invariant campaigns against the compiled contract that is shipped.

    python tools/campaign.py [--calls 1000000] [--seed 1] [--bytecode other.hex]

The contract's creation code and its constructor arguments are written to `build/campaign`, where the
Solidity sources of `tests/forge` read them: nothing of the contract is compiled here. forge and the Solidity
compiler come from npm by `tests/forge/package-lock.json`, which pins the digest of every package.
The `forge` that npm puts on PATH exits with 0 even when a test fails, so the program itself is run.

Prints how often each thing happened, and exits with 1 when an invariant was broken.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eth_abi.abi import encode
from eth_account import Account

from proml.contracts.abi import deployment
from proml.contracts.shipped import artefacts_contract
from proml.core.call import Founder
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import keccak256
from proml.core.lifecycle import Rule, Table, kind_tag
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from proml.lifecycles import shipped

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "tests" / "forge"
BUILT = ROOT / "build" / "campaign"
CALLS = 1_000_000
# Calls in one story; each story begins with a fresh deployment.
DEPTH = 500
STORIES = ("Quorum", "Haste")
EVENTS = (
    *("Registered", "Acted", "ActedApproved", "Approved", "Anchored", "KeyAdded", "KeyRevoked"),
    *("ProposalMade", "VoteCast", "ProposalExecuted", "ProposalCancelled", "OrganisationRemoved"),
    "SuccessorNamed",
)
# Where forge finds and leaves what, for all its commands.
PLACES = (
    *("--root", str(SOURCES), "--use", str(BUILT / "solc")),
    *("--out", str(BUILT / "out"), "--cache-path", str(BUILT / "cache")),
)
# Answers to solc's two questions that forge asks; the compiler is JavaScript and has no program of its own.
SHIM = """#!/bin/sh
case "$*" in *--version*)
  echo "solc, the solidity compiler commandline interface"
  echo "Version: 0.8.37+commit.f401782d.Linux.g++"
  exit 0;;
esac
exec node -e '
const solc = require("{modules}/solc");
let asked = "";
process.stdin.on("data", (part) => (asked += part));
process.stdin.on("end", () => process.stdout.write(solc.compile(asked)));'
"""


class CampaignProblem(Exception):
    """Why no campaign could be run at all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One campaign: whether every invariant held, what happened how often, and what forge printed."""

    held: bool
    seen: Counter[str]
    printed: str
    seconds: float


# --- the programs ---------------------------------------------------------------------------------


def install() -> Path:
    """The forge program, installed into `build/campaign` first where it is missing.

    Raises:
        CampaignProblem: on another platform than Linux x86_64, or when npm fails.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise CampaignProblem("the campaigns run on Linux x86_64 only: forge is pinned for that platform")
    lock = (SOURCES / "package-lock.json").read_bytes()
    folder = BUILT / "npm"
    stamp = folder / f"complete-{keccak256(lock).hex()[:16]}"
    with _alone(BUILT):
        if not stamp.exists():
            _run_npm(folder)
            stamp.touch()
        shim = BUILT / "solc"
        text = SHIM.format(modules=folder / "node_modules")
        if not shim.exists() or shim.read_text() != text:
            shim.write_text(text)
            shim.chmod(0o755)
    return folder / "node_modules" / "@foundry-rs" / "forge-linux-amd64" / "bin" / "forge"


def _run_npm(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise CampaignProblem("forge comes from npm, and there is no npm (Debian: apt install npm)")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / name, folder / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CampaignProblem(f"npm could not install forge: {done.stderr.strip()[:500]}")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "install.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


# --- the founding -----------------------------------------------------------------------------------


def founders() -> tuple[Founder, ...]:
    """Five organisations whose keys are the private keys 1 to 5: one with every role, one with none."""
    roles = (
        role_mask(ROLES) | 1 << 63,
        role_mask(["data_admin", "labeller", "developer"]) | 1 << 63,
        role_mask(["verifier", "approver", "labeller"]) | 1 << 63,
        role_mask(["operator", "auditor", "data_admin"]),
        0,
    )
    keys = [bytes.fromhex(Account.from_key(word).address[2:]) for word in _private_keys(len(roles))]
    return tuple(
        Founder(key, mask, keccak256(b"profile" + key)) for key, mask in zip(keys, roles, strict=True)
    )


def _private_keys(count: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in range(1, count + 1)]


def dense_table() -> Table:
    """A lifecycle in which every kind of rule is two or three steps away."""
    anybody, few = 2**64 - 1, 1 << 63
    kind = kind_tag("campaign")
    rules = (
        Rule(0, 1, 1, anybody, usable=True),
        Rule(0, 2, 1, anybody, usable=True, least_inputs=1, inputs_usable=True, input_kind=kind),
        Rule(1, 3, 1, anybody, usable=True, duty=1, subject=True),
        Rule(1, 4, 2, anybody, usable=True, duty=2, differs=1 | 2),
        Rule(
            2, 5, 3, anybody, duty=3, subject=True, approvals=2, approver_differs=2, approver_roles=few | 31
        ),
        Rule(2, 6, 1, anybody, usable=True, custodian=True, differs=8),
        Rule(3, 7, 4, anybody, approve=True),
        Rule(3, 8, 2, anybody, usable=True, approvals=1, approver_roles=few, least_inputs=1),
        *(Rule(state, 9, 5, anybody, recall=True, duty=6) for state in (1, 2, 3)),
    )
    return Table(kind, 0b000110, 0b110000, 0b100000, keccak256(b"campaign"), rules)


PACES = {
    "quorum": Governance(threshold=2, lifetime=40, delay=2, recovery_delay=5),
    "haste": Governance(threshold=1, lifetime=25, delay=0, recovery_delay=1),
}
LAYOUT = (
    *("consortium.organisations", "consortium.keys", "consortium.member_count", "consortium.threshold"),
    *("lifecycles.rules", "lifecycles.tables", "lifecycles.numbers", "lifecycles.lifecycle_count"),
    *("artefacts", "heads", "performed", "anchor_heads", "governance.pace", "governance.organisation_count"),
    *("governance.proposal_count", "governance.proposals", "governance.digests", "governance.votes"),
    *("governance.newest", "approved", "custody.disputes", "custody.successors"),
)
# The struct `Founding` of tests/forge/contracts/Stage.sol.
FOUNDING = (
    f"(bytes,({','.join(['uint256'] * len(LAYOUT))}),(address,uint256,bytes32)[],"
    "(uint256,uint256,uint256,uint256),(uint256,bytes32,uint256[])[])"
)


def write_foundings(folder: Path, bytecode: bytes) -> None:
    """What the Solidity sources read: creation code with arguments, storage layout, the arguments again."""
    everybody = founders()
    tables = (dense_table(), *(lifecycle.table for lifecycle in shipped()))
    layout = tuple(_slot(name) for name in LAYOUT)
    for name, pace in PACES.items():
        creation = deployment(bytecode, everybody, pace, tables)
        content = encode(
            [FOUNDING],
            [
                (
                    creation,
                    layout,
                    [("0x" + founder.key.hex(), founder.roles, founder.profile) for founder in everybody],
                    (pace.threshold, pace.lifetime, pace.delay, pace.recovery_delay),
                    [(table.properties, table.document, [r.word for r in table.rules]) for table in tables],
                )
            ],
        )
        (folder / f"{name}.hex").write_text("0x" + content.hex())


def _slot(name: str) -> int:
    entry = artefacts_contract().layout
    for part in name.split("."):
        entry = entry[part]
    return int(entry["slot"])


# --- the campaign -----------------------------------------------------------------------------------


def run(
    calls: int, seed: int, bytecode: bytes | None = None, stories: Sequence[str] = STORIES, threads: int = 2
) -> Outcome:
    """Play `calls` calls in all, shared among the stories, against this creation code or the shipped one.

    Raises:
        CampaignProblem: when forge cannot be had, or cannot compile the sources.
    """
    forge = build()
    depth = min(DEPTH, max(calls // len(stories), 1))
    with tempfile.TemporaryDirectory(prefix="story-", dir=BUILT) as work:
        write_foundings(Path(work), artefacts_contract().bytecode if bytecode is None else bytecode)
        environment = {
            **os.environ,
            "PROML_CAMPAIGN": work,
            "FOUNDRY_INVARIANT_RUNS": str(max(calls // len(stories) // depth, 1)),
            "FOUNDRY_INVARIANT_DEPTH": str(depth),
            "FOUNDRY_INVARIANT_FAILURE_PERSIST_DIR": f"{work}/failures",
            # Shrinking explains a failure to people; whoever only wants to know may be spared.
            "FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0" if bytecode is not None else "500",
        }
        command = [
            *(str(forge), "test", *PLACES),
            *("--match-contract", f"^({'|'.join(stories)})$"),
            *("--fuzz-seed", str(seed), "--threads", str(threads)),
        ]
        started = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        tally = Path(work, "tally.txt")
        seen = _seen(tally.read_text() if tally.exists() else "")
    printed = done.stdout + done.stderr
    if "invariant_the_consortium_stands" not in printed:
        raise CampaignProblem(f"forge did not run the campaign:\n{printed[-3000:]}")
    return Outcome(done.returncode == 0, seen, printed, seconds)


def build() -> Path:
    """Compile the Solidity sources, once for all who ask at a time; the forge program.

    Raises:
        CampaignProblem: when forge cannot be had, or cannot compile the sources.
    """
    forge = install()
    with _alone(BUILT):
        done = subprocess.run([str(forge), "build", *PLACES], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CampaignProblem(f"the sources in {SOURCES} do not compile:\n{done.stderr[-3000:]}")
    return forge


def _seen(tally: str) -> Counter[str]:
    names = [*EVENTS, *(_reason_name(number) for number in range(128))]
    seen: Counter[str] = Counter()
    for line in tally.splitlines():
        for name, count in zip(names, map(int, line.split()), strict=True):
            if count:
                seen[name] += count
    return seen


def _reason_name(number: int) -> str:
    return Reason(number).name if number in Reason.__members__.values() else f"reason-{number}"


def main() -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=CALLS, help="calls in all (default: 1,000,000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed plays the same stories")
    parser.add_argument("--bytecode", type=Path, help="creation code in hex to try instead of the shipped")
    arguments = parser.parse_args()
    other = bytes.fromhex(arguments.bytecode.read_text().strip()[2:]) if arguments.bytecode else None
    try:
        outcome = run(arguments.calls, arguments.seed, other)
    except CampaignProblem as problem:
        print(f"campaign: {problem}", file=sys.stderr)
        return 2
    for name, count in sorted(outcome.seen.items()):
        print(f"{count:>10,}  {name}")
    rate = arguments.calls / outcome.seconds
    print(f"{arguments.calls:,} calls, seed {arguments.seed}, {outcome.seconds:.0f} s, {rate:,.0f} calls/s")
    if not outcome.held:
        print(outcome.printed[-6000:])
    print("every invariant held" if outcome.held else "AN INVARIANT WAS BROKEN")
    return 0 if outcome.held else 1


if __name__ == "__main__":
    raise SystemExit(main())
