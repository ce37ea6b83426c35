"""Writes the test vectors of docs/format.md into docs/vectors/, from ProML's own answers.

    python tools/generate_vectors.py            write them anew
    python tools/generate_vectors.py --check    exit with 1 when they are not what is there

A case that ProML answers although it must be refused, or refuses although it must be answered, stops
the generation.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from vector_answers import Case
from vector_cases import hash_cases, json_cases
from vector_documents import disclosure_cases, manifest_cases, observation_cases, record_cases
from vector_ledger import ledger_cases, lifecycle_cases

FILES: Mapping[str, Callable[[], Iterator[Case]]] = {
    "json": json_cases,
    "hashes": hash_cases,
    "records": record_cases,
    "disclosures": disclosure_cases,
    "observations": observation_cases,
    "manifests": manifest_cases,
    "ledger": ledger_cases,
    "lifecycles": lifecycle_cases,
}
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "vectors"


def main() -> int:
    """Write or compare every file; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    made = {FOLDER / f"{name}.json": content_of(name) for name in FILES}
    if check:
        stale = [path for path, content in made.items() if not path.exists() or path.read_text() != content]
        stale += [path for path in sorted(FOLDER.glob("*.json")) if path not in made]
        for path in stale:
            print(f"{path} is stale: run python tools/generate_vectors.py")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for path, content in made.items():
        path.write_text(content)
    return 0


def content_of(name: str) -> str:
    """The text of one file. ASCII only, so that hostile characters in it are seen."""
    cases = FILES[name]
    return json.dumps({"about": cases.__doc__, "cases": list(cases())}, indent=1) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
