"""Writes docs/api.md and docs/openapi.json: what a node answers over REST, taken from its routes.

python tools/generate_api.py            write them anew
python tools/generate_api.py --check    exit with 1 when they are not what is there
"""

import argparse
import json
from pathlib import Path
from typing import Any

from proml.node.server.app import openapi_document
from proml.node.server.routes import PREFIX

FOLDER = Path(__file__).resolve().parent.parent / "docs"
INTRODUCTION = """\
# REST API

<!-- Written by tools/generate_api.py; change the code and run it. -->

Every [node](node.md) answers these under `{prefix}`, described in full by [openapi.json](openapi.json),
which it also answers itself under `{prefix}/openapi.json`. The answers are the data classes of the code;
`proml.node.client.NodeClient` gives them back as such.

- **Who asks**: `Authorization: Bearer TOKEN`, with a token made by `proml node token create`, or the cookie
  of a sign-in with a member's key (EIP-4361). On loopback, reading needs neither.
- **Pages**: `most` rows at a time; `next` of one page is `after` of the next, until it is null.
- **Once**: what changes something needs an `Idempotency-Key`. The same request under the same key has one
  effect and one answer, for a day; another request under it is refused with 422. Journals need none: what
  arrived before is known by its place.
- **Unchanged**: every answer to GET has an `ETag`; show it in `If-None-Match` and get 304 while nothing
  changed.
- **Errors** are problem details (RFC 9457): `type` for programs, `detail` and `hint` for people. 503 comes
  with `Retry-After`.
- **Limits**: a JSON body of 1 MiB, nested 32 deep, 30 seconds to send it; a query of 8 KiB; 500 rows on a
  page; 10,000 artefacts in a lineage.

"""


def main() -> int:
    """Write or compare both files; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    document = openapi_document()
    made = {
        FOLDER / "api.md": page(document),
        FOLDER / "openapi.json": json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
    }
    if check:
        stale = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
        for path in stale:
            print(f"{path.name} is stale: run python tools/generate_api.py")
        return 1 if stale else 0
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


def page(document: dict[str, Any]) -> str:
    """The page: one table per part of the API."""
    parts: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            shown = path.removeprefix(PREFIX)
            about = operation.get("description", operation["summary"]).split("\n\n")[0].replace("\n", " ")
            scope = operation.get("x-scope", "none")
            parts.setdefault(operation["tags"][0], []).append(
                f"| {method.upper()} | `{shown}` | {scope} | {about} |"
            )
    lines = [INTRODUCTION.format(prefix=PREFIX)]
    for part, rows in parts.items():
        lines += [f"## {part.capitalize()}\n", "| | path | scope | |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
