"""Makes docs/vectors/contents/: files of every format and their content digests.

python -m tests.golden.make_contents
"""

import json
from pathlib import Path

from proml.capture.fingerprint import fingerprint
from proml.core.digest import hexed
from tests.conformance.formats import SAMPLES

FOLDER = Path(__file__).parent.parent.parent / "docs" / "vectors" / "contents"
ABOUT = 'Files and their content digests (docs/format.md, "Content digest"); those of one group are equal.'


def main() -> None:
    """Write two files that say the same and one that does not of each format, and expected.json."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = []
    for form, make in SAMPLES.items():
        samples = make()
        alike = [*samples.alike.items()][:2] + [*samples.alike.items()][-1:]
        chosen = [*(("alike", *each) for each in alike), ("other", *next(iter(samples.other.items())))]
        for group, called, raw in chosen:
            magic = "arrow" if raw.startswith(b"ARROW1") else samples.suffix
            file = FOLDER / f"{form}-{called.replace(' ', '-').replace(',', '')}.{magic}"
            file.write_bytes(raw)
            said = fingerprint(file).content
            assert said
            cases.append(
                {"file": file.name, "form": said.form, "group": group, "content": hexed(said.digest)}
            )
    expected = {"about": ABOUT, "cases": cases}
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
