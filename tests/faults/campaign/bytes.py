"""Every truncation and every flipped bit of a journal file (F5): a prefix, and the damage named."""

from __future__ import annotations

import os
from bisect import bisect
from collections.abc import Iterable
from pathlib import Path

from proml.errors import JournalProblem
from proml.journal import Journal, files, read, scan

Found = tuple[int, int]


def journal_of(folder: Path, size: int) -> tuple[Path, list[bytes]]:
    """A finished journal file of about so many bytes, and its payloads."""
    payloads = []
    with Journal(folder) as journal:
        total = number = 0
        while total < size:
            payloads.append(b'{"number":%d,"text":"%s"}' % (number, b"y" * (number % 300)))
            total += 40 + len(payloads[-1])
            number += 1
            journal.append(payloads[-1])
    (file,) = files(folder)
    return file, payloads


def cut(file: Path, payloads: list[bytes], lengths: Iterable[int]) -> Found:
    """Cut the file at each length; returns how many cuts there were, and how many were named as damage."""
    whole = file.read_bytes()
    ends = _ends(payloads)
    cuts = told = 0
    for length in lengths:
        file.write_bytes(whole[:length])
        problems: list[JournalProblem] = []
        found = [entry.payload for entry in read(file.parent, problems=problems)]
        frames = sum(end <= length for end in ends)
        assert found == payloads[:frames], f"misread when cut at {length}"
        # Between two frames the file only ends earlier: whoever wrote the next one says how many there were.
        between = length in ends or length == 104
        assert bool(problems) != between, f"cut at {length}: {problems}"
        cuts, told = cuts + 1, told + bool(problems)
    file.write_bytes(whole)
    return cuts, told


def flip(file: Path, payloads: list[bytes], bits: Iterable[int], marked: bool = False) -> Found:
    """Flip each bit; returns how many flips there were, and how many were named: all of them.

    `marked` reads on from the frame before the flipped one, as a publisher does who took what stands
    before: much quicker where every bit is flipped.
    """
    whole = file.read_bytes()
    entries = list(read(file.parent))
    frames = [bisect(_ends(payloads), bit // 8) for bit in range(0, 8 * len(whole), 8)]
    fd = os.open(file, os.O_RDWR)
    flips = told = 0
    try:
        for bit in bits:
            at, mask = bit // 8, 1 << bit % 8
            taken = max(0, frames[at] - 1) if marked else 0
            after = {entries[0].file_id: entries[taken - 1].reach} if taken else {}
            os.pwrite(fd, bytes([whole[at] ^ mask]), at)
            problems: list[JournalProblem] = []
            found = [entry.payload for entry in read(file.parent, after, problems)]
            assert found == payloads[taken : taken + len(found)], f"misread with bit {bit} flipped"
            assert taken + len(found) <= frames[at], f"bit {bit} flipped and its frame taken"
            assert problems, f"bit {bit} flipped unseen"
            os.pwrite(fd, bytes([whole[at]]), at)
            flips, told = flips + 1, told + 1
    finally:
        os.close(fd)
    assert scan(file).damage is None
    return flips, told


def _ends(payloads: list[bytes]) -> list[int]:
    """Where each frame ends."""
    ends, at = [], 104
    for payload in payloads:
        at += 40 + len(payload)
        ends.append(at)
    return ends
