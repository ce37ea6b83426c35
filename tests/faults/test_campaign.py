"""A sample of the campaign of faults; `make faults` runs all of it (figures: docs/faults.md)."""

import random
import shutil
from pathlib import Path

import pytest

from tests.faults.campaign import bytes as spoilt
from tests.faults.campaign import crowd
from tests.faults.campaign.calls import Point, survive, survive_short_write
from tests.faults.campaign.work import WORKS

pytestmark = pytest.mark.faults

# Of each kind of work some calls that change most: what the long form does with every one.
POINTS = [
    Point("journal, durable", "fdatasync", 3, "error=EIO"),
    Point("journal, durable", "write", 9, "error=ENOSPC", for_good=True),
    Point("journal, durable", "rename", 2, "signal=KILL"),
    Point("journal, plain", "write", 6, "signal=KILL"),
    Point("journal, repair", "ftruncate", 1, "signal=KILL"),
    Point("storage, one by one", "fsync", 4, "error=EIO"),
    Point("storage, together", "rename", 4, "signal=KILL"),
    Point("outbox", "pwrite64", 20, "error=ENOSPC"),
    Point("outbox", "fdatasync", 7, "signal=KILL"),
    Point("outbox", "flock", 1, "error=EIO"),
    Point("outbox", "unlink", 2, "signal=KILL"),
]


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.work}: {point.injection}")
def test_a_call_that_fails_or_kills_loses_doubles_and_misreads_nothing(point: Point, tmp_path: Path) -> None:
    assert survive(point, tmp_path / "place"), "the fault hit nothing: the work makes other calls now"


@pytest.mark.parametrize(
    ("work", "limit"),
    [("journal, durable", 333), ("journal, plain", 104), ("storage, together", 2_000), ("outbox", 30_000)],
)
def test_a_write_that_takes_a_part_only_is_no_write(work: str, limit: int, tmp_path: Path) -> None:
    survive_short_write(work, limit, tmp_path / "place")


def test_every_kind_of_work_is_sampled() -> None:
    assert {point.work for point in POINTS} == set(WORKS)


def test_a_long_journal_cut_or_flipped_anywhere_yields_a_prefix_and_is_named(tmp_path: Path) -> None:
    file, payloads = spoilt.journal_of(tmp_path, 20_000)
    size = file.stat().st_size
    cuts, named = spoilt.cut(file, payloads, range(0, size, 61))
    assert named > cuts * 0.9
    flips, named = spoilt.flip(file, payloads, range(3, 8 * size, 509))
    assert named == flips > 300


def test_random_kills_lose_nothing_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(1)
    acknowledged = [crowd.kill_at_random(tmp_path / str(number), chance) for number in range(25)]
    assert sum(acknowledged) > 25


def test_many_writers_with_jumping_clocks_stay_in_order(tmp_path: Path) -> None:
    kept, refused = crowd.crowd(tmp_path / "journal", writers=16, entries=30)
    assert (kept, refused) == (16 * 30, 0)


def test_a_full_disk_refuses_some_of_many_writers_and_loses_nothing(tmp_path: Path) -> None:
    try:
        with crowd.small_disk(tmp_path / "disk", 300 << 10) as disk:
            kept, refused = crowd.crowd(disk / "journal", writers=16, entries=60, room=300 << 10)
    except PermissionError as error:
        pytest.skip(str(error))
    assert refused
    assert kept + refused == 16 * 60
