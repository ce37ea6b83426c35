"""`pip install .` of the README: everything the program needs at run time is in the package."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Read while the program runs; a wheel without one of them imports well and fails later.
NEEDED = ("lifecycles/*.json", "contracts/compiled/*.json", "export/*.css", "export/templates/*", "py.typed")


def test_the_wheel_holds_what_the_program_reads_and_the_command(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--wheel-dir", str(tmp_path), str(ROOT)],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("proml-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entries,) = [archive.read(name) for name in names if name.endswith("entry_points.txt")]
    assert b"proml = proml.cli.main:run" in entries
    for pattern in NEEDED:
        sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src" / "proml").rglob(pattern)}
        assert sources, pattern
        assert sources <= names
