"""The long form: `make faults`. Stops at the first thing lost, doubled or misread.

python -m tests.faults.campaign [--share N]     only every N-th point, kill, cut and flip
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.campaign import bytes as spoilt
from tests.faults.campaign import calls, crowd
from tests.faults.campaign.work import WORKS

KILLS = 10_000
JOURNAL_BYTES = 64 << 10
WRITERS = 64
REPORT = Path(__file__).resolve().parents[3] / "build" / "faults.json"
Figures = dict[str, int]


def system_calls(place: Path, share: int) -> Figures:
    """Fail or kill every file-changing call."""
    found: Figures = {}
    for name in WORKS:
        every = list(calls.points(name, place / "count"))[::share]
        hits = sum(calls.survive(point, place / str(number)) for number, point in enumerate(every))
        found[f"{name}: points"], found[f"{name}: hit"] = len(every), hits
    found["system calls failed or killed in turn"] = sum(
        count for label, count in found.items() if label.endswith(": hit")
    )
    return found


def short_writes(place: Path, share: int) -> Figures:
    """Stop every file of every work at a size, from nothing to all of it."""
    limits = {"journal": range(1, 620, 5), "storage": range(1, 4_000, 50), "outbox": range(1, 70_000, 700)}
    every = [(name, limit) for name in WORKS for limit in limits[name.partition(",")[0].split()[0]]]
    for number, (name, limit) in enumerate(every[::share]):
        calls.survive_short_write(name, limit, place / str(number))
    return {"short writes": len(every[::share])}


def spoilt_bytes(place: Path, share: int) -> Figures:
    """Cut and flip a journal file at every place."""
    file, payloads = spoilt.journal_of(place, JOURNAL_BYTES)
    size = file.stat().st_size
    cuts, _ = spoilt.cut(file, payloads, range(0, size, share))
    flips, named = spoilt.flip(file, payloads, range(0, 8 * size, share), marked=True)
    return {"journal bytes": size, "truncations": cuts, "bits flipped": flips, "flips named": named}


def kills(place: Path, share: int) -> Figures:
    """Kill a writer at random, again and again."""
    chance = random.Random(20_261_120)
    acknowledged = 0
    for number in range(KILLS // share):
        acknowledged += crowd.kill_at_random(place / str(number), chance)
    return {"random kills with signal 9": KILLS // share, "entries acknowledged before them": acknowledged}


def crowds(place: Path, share: int) -> Figures:
    """64 writers at once, half with clocks that jump, on a disk with room and on one without."""
    entries = max(20, 400 // share)
    kept, refused = crowd.crowd(place / "roomy" / "journal", WRITERS, entries)
    assert not refused
    found = {"writers at once": WRITERS, "entries of 64 writers": kept}
    room = WRITERS * entries * 60
    with crowd.small_disk(place / "small", room) as disk:
        kept, refused = crowd.crowd(disk / "journal", WRITERS, entries, room)
    return found | {"entries on a full disk, kept": kept, "entries on a full disk, refused": refused}


PARTS: dict[str, Callable[[Path, int], Figures]] = {
    "calls": system_calls,
    "short": short_writes,
    "bytes": spoilt_bytes,
    "kills": kills,
    "crowds": crowds,
}


def main() -> int:
    """Run every part, write build/faults.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=int, default=1, metavar="N")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    asked = parser.parse_args()
    figures: Figures = {}
    for name in asked.parts or PARTS:
        place = Path(tempfile.mkdtemp(prefix=f"faults-{name}-"))
        began = time.monotonic()
        print(f"{name} …", flush=True)
        figures |= PARTS[name](place, asked.share)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
        shutil.rmtree(place, ignore_errors=True)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(figures, indent=2) + "\n")
    for label, count in figures.items():
        print(f"{count:>10,}  {label}")
    print("0 lost, 0 doubled, 0 misread")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
