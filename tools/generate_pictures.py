"""Draws the state diagrams of the shipped lifecycles into docs/pictures/.

python tools/generate_pictures.py            draw them anew
python tools/generate_pictures.py --check    exit with 1 when they are not what is there
"""

import argparse
from pathlib import Path

from proml.export.lifecycle_diagram import render
from proml.lifecycles import supplied

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"


def main() -> int:
    """Write or compare every picture; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    drawn = {FOLDER / f"lifecycle-{each.kind}.svg": render(each) for each in supplied()}
    if check:
        stale = [path for path, svg in drawn.items() if not path.exists() or path.read_text("utf-8") != svg]
        stale += [path for path in sorted(FOLDER.glob("lifecycle-*.svg")) if path not in drawn]
        for path in stale:
            print(f"{path.name} is stale: run python tools/generate_pictures.py")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for path, svg in drawn.items():
        path.write_text(svg, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
