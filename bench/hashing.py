"""Measures fingerprinting and verifying, on files the system still holds in memory.

python bench/hashing.py
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from proml.capture.fingerprint import fingerprint, matches

RUNS = 5
LARGE_BYTES = 1 << 30


def measure() -> dict[str, float]:
    """GB/s and files/s of the whole call, both digests and the manifest included; medians of several runs.

    `hash_file_GB_per_s` and `verify_file_GB_per_s` are of one file of 1 GiB.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = files(folder / "few", 2_000, 1 << 20)
        many = files(folder / "many", 20_000, 4 << 10)
        large = files(folder / "large", 1, LARGE_BYTES) / "000" / "00000.bin"
        expected = fingerprint(large).digest
        expected_few = fingerprint(few).digest
        gigabytes = 2_000 * (1 << 20) / 1e9
        return {
            "hash_2000x1MiB_GB_per_s": gigabytes / _seconds(lambda: fingerprint(few)),
            "hash_20000x4KiB_files_per_s": 20_000 / _seconds(lambda: fingerprint(many)),
            "hash_file_GB_per_s": LARGE_BYTES / 1e9 / _seconds(lambda: fingerprint(large)),
            "verify_2000x1MiB_GB_per_s": gigabytes / _seconds(lambda: matches(few, expected_few)),
            "verify_file_GB_per_s": LARGE_BYTES / 1e9 / _seconds(lambda: matches(large, expected)),
        }


def files(folder: Path, count: int, size: int) -> Path:
    """A folder of random files, a hundred to a subfolder."""
    piece = os.urandom(min(size, 16 << 20))
    for number in range(count):
        file = folder / f"{number // 100:03d}" / f"{number:05d}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            stream.write(number.to_bytes(4, "big") + piece[4:])
            for _ in range(size // len(piece) - 1):
                stream.write(piece)
    return folder


def _seconds(call: Callable[[], object]) -> float:
    call()  # into memory
    took = []
    for _ in range(RUNS):
        before = time.perf_counter()
        call()
        took.append(time.perf_counter() - before)
    return statistics.median(took)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
