"""Changes the contracts' sources in one place at a time, and says which changes no test notices.

    python tools/mutants.py [--size 300] [--seed 1] [--workers 2]

universalmutator writes every mutant of the `.vy` files; a seeded random sample of them is tried. A mutant
that does not compile, or compiles to the same bytecode, is skipped. Each of the others meets a short campaign
(tools/campaign.py), then a longer one, then the tests of `tests/contracts`, until one of them fails: then it
is killed. What was found is kept below `build/mutants`, so a run that is stopped goes on where it was.

Survivors must be explained in `tests/forge/survivors.json`. Exits with 1 when one is not, or when fewer than
95 % of the mutants that are not explained as equivalent were killed. universalmutator (MIT) is installed into
an environment of its own below `build/`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import venv
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

from vyper.ast import parse_to_ast

import campaign
from proml.contracts import build
from proml.contracts.shipped import artefacts_contract

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "build" / "mutants"
SURVIVORS = ROOT / "tests" / "forge" / "survivors.json"
LOCK = ROOT / "tests" / "forge" / "mutation.lock"
GOAL = 0.95
NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
# Calls of the two campaigns, with the seeds they are played with.
SHORT, LONG = (3_000, 5), (60_000, 6)
# The likeliest first. Tests that compare sources or measure gas know nothing of what the contract does, and
# the random stories in Python have no better eyes than the campaigns.
TESTS = (
    *("founding", "rare_ways", "delegated", "doors", "refusals", "batches", "keys", "inputs", "duties"),
    *("approvals", "custody", "governance", "proposals", "storage"),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One line of one source, written otherwise."""

    source: str
    line: int
    before: str
    after: str

    @property
    def name(self) -> str:
        """Sixteen digits that stay the same when lines move."""
        content = f"{self.source}\0{self.before.strip()}\0{self.after.strip()}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a mutant: `broken` or `identical` (skipped), `survived`, or by what it was killed."""

    mutant: Mutant
    outcome: str

    @property
    def counts(self) -> bool:
        """Whether it compiled to something else than is shipped."""
        return self.outcome not in ("broken", "identical")


# --- making them ------------------------------------------------------------------------------------


def mutants() -> list[Mutant]:
    """Every mutant of the four sources whose changed line is code."""
    program = _generator()
    made = []
    names = {name for source in build.SOURCES for name in NAME.findall((build.HERE / source).read_text())}
    for source in build.SOURCES:
        lines = (build.HERE / source).read_text().split("\n")
        folder = BUILT / "made" / hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            command = [
                str(program),
                str(build.HERE / source),
                "vyper",
                "--noCheck",
                "--mutantDir",
                str(folder),
            ]
            subprocess.run(command, check=True, capture_output=True, cwd=folder)
            (folder / "complete").touch()
        code = set(_code_lines(lines))
        for file in sorted(folder.glob("*.mutant.*.vy")):
            mutant = _difference(source, lines, file.read_text().split("\n"))
            # A name that stands nowhere in the sources is a misspelt one: no need to ask the compiler.
            if mutant is not None and mutant.line in code and not set(NAME.findall(mutant.after)) - names:
                made.append(mutant)
    return sorted(set(made), key=lambda mutant: (mutant.source, mutant.line, mutant.after))


def _generator() -> Path:
    folder = BUILT / "venv"
    program = folder / "bin" / "mutate"
    if not program.exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=True)
    return program


def _difference(source: str, lines: list[str], changed: list[str]) -> Mutant | None:
    differing = [at for at, pair in enumerate(zip(lines, changed, strict=False)) if pair[0] != pair[1]]
    if len(differing) != 1 or len(lines) != len(changed):
        return None
    at = differing[0]
    return Mutant(source, at + 1, lines[at], changed[at])


def _code_lines(lines: list[str]) -> Iterator[int]:
    """Numbers of the lines that are neither blank, comment nor text."""
    inside = False
    for number, line in enumerate(lines, start=1):
        quotes = line.count('"""')
        if not inside and quotes == 0 and line.strip() and not line.strip().startswith("#"):
            yield number
        if quotes % 2:
            inside = not inside


# --- trying them --------------------------------------------------------------------------------------


def attempt(mutant: Mutant) -> Tried:
    """Compile one mutant and set everything on it, the fastest first."""
    folder = BUILT / "work" / f"{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in build.SOURCES:
        shutil.copy(build.HERE / name, folder / name)
    lines = (build.HERE / mutant.source).read_text().split("\n")
    lines[mutant.line - 1] = mutant.after
    (folder / mutant.source).write_text("\n".join(lines))
    try:
        parse_to_ast("\n".join(lines))
        with mock.patch.object(build, "HERE", folder):
            compiled = build.compile_contracts()
    except (Exception, SystemExit):  # noqa: BLE001 - whatever the compiler stumbles over
        return Tried(mutant, "broken")
    bytecode = bytes.fromhex(json.loads(compiled)["bytecode"][2:])
    if bytecode == artefacts_contract().bytecode:
        return Tried(mutant, "identical")
    (folder / "artefacts.json").write_text(compiled)
    for calls, seed in (SHORT, LONG):
        try:
            if not campaign.run(calls, seed, bytecode, threads=1).held:
                return Tried(mutant, "killed by the campaign")
        except campaign.CampaignProblem:
            return Tried(mutant, "killed by the campaign")
    return Tried(mutant, "survived" if _tests_pass(folder) else "killed by the tests")


def _tests_pass(folder: Path) -> bool:
    """Whether the tests of the contract pass on what is in this folder instead of what is shipped."""
    command = [
        *(
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-n",
            "0",
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.forge.swap",
        ),
        *(f"tests/contracts/test_{name}.py" for name in TESTS),
    ]
    environment = {**os.environ, "PROML_SWAPPED_CONTRACT": str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return done.returncode == 0


def sample(size: int, seed: int, workers: int) -> list[Tried]:
    """Try mutants in a random order that the seed fixes, until `size` of them count."""
    every = mutants()
    random.Random(seed).shuffle(every)  # noqa: S311 - which sample, and nothing secret
    results = BUILT / f"results-{hashlib.sha256(artefacts_contract().bytecode).hexdigest()[:16]}.jsonl"
    known = dict(_read(results))
    taken: list[Tried] = []
    position = 0
    with ProcessPoolExecutor(workers) as pool, results.open("a") as kept:
        while sum(tried.counts for tried in taken) < size and position < len(every):
            part = every[position : position + 8 * workers]
            position += len(part)
            running = [pool.submit(attempt, mutant) for mutant in part if mutant.name not in known]
            for future in as_completed(running):
                tried = future.result()
                known[tried.mutant.name] = tried
                kept.write(json.dumps(asdict(tried)) + "\n")
                kept.flush()
            taken += [known[mutant.name] for mutant in part]
            counts = Counter(tried.outcome for tried in taken)
            print(f"{position} of {len(every)}: {dict(counts)}", flush=True)
    return taken


def _read(results: Path) -> Iterator[tuple[str, Tried]]:
    if results.exists():
        for line in results.read_text().splitlines():
            content = json.loads(line)
            tried = Tried(Mutant(**content["mutant"]), content["outcome"])
            yield tried.mutant.name, tried


# --- judging --------------------------------------------------------------------------------------------


def main() -> int:
    """Try a sample and print the score and every survivor that nobody explained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=300, help="how many mutants that count (default: 300)")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--workers", type=int, default=2, help="how many at a time")
    arguments = parser.parse_args()
    campaign.build()
    counted = [tried for tried in sample(arguments.size, arguments.seed, arguments.workers) if tried.counts]
    explained = json.loads(SURVIVORS.read_text()) if SURVIVORS.exists() else {}
    survivors = [tried.mutant for tried in counted if tried.outcome == "survived"]
    unexplained = [mutant for mutant in survivors if mutant.name not in explained]
    for mutant in unexplained:
        print(f"{mutant.name} {mutant.source}:{mutant.line}")
        print(f"  - {mutant.before.strip()}\n  + {mutant.after.strip()}")
    equivalent = sum(explained.get(mutant.name, {}).get("equivalent", False) for mutant in survivors)
    killed = len(counted) - len(survivors)
    raw, score = killed / len(counted), killed / (len(counted) - equivalent)
    print(
        f"{len(counted)} mutants, {killed} killed ({raw:.1%}), {len(survivors)} survived, "
        f"{equivalent} of them equivalent: {score:.1%} of the others killed"
    )
    return 1 if unexplained or score < GOAL else 0


if __name__ == "__main__":
    raise SystemExit(main())
