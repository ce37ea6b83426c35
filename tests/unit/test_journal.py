"""The journal as one process sees it: appending, reading on, recognising and setting aside damage."""

import os
import stat
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core import frame
from proml.core.frame import Continuation, Header
from proml.errors import Busy, JournalProblem, NotFound
from proml.journal import Entry, Journal, Position, files, read, reading, repair, scan, writing

LINES = [b'{"n":%d}' % number for number in range(5)]


def payloads(folder: Path) -> list[bytes]:
    return [entry.payload for entry in read(folder)]


def written(folder: Path, lines: list[bytes] = LINES) -> Path:
    with Journal(folder) as journal:
        for line in lines:
            journal.append(line)
    (file,) = files(folder)
    return file


def file_of(folder: Path, header: Header, lines: list[bytes]) -> Path:
    """A file made by hand, as a writer in another state of mind would have left it."""
    raw = frame.encode_header(header)
    chain = frame.beginning(raw).chain
    for line in lines:
        content, chain = frame.encode_frame(line, chain)
        raw += content
    file = folder / f"{header.created_ns:020d}-1-{header.file_id.hex()}.journal"
    file.write_bytes(raw)
    return file


@given(st.lists(st.binary(max_size=2_000), max_size=12), st.booleans(), st.integers(200, 3_000))
def test_what_was_appended_is_read_in_order(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], durable: bool, segment_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with Journal(folder, durable, segment_bytes) as journal:
        positions = [journal.append(line) for line in lines]
        entries = list(read(folder))
    assert [entry.payload for entry in entries] == lines
    assert [Position(entry.file_id, entry.number) for entry in entries] == positions
    assert list(read(folder)) == entries


@given(st.integers(0, 12), st.integers(200, 1_000))
def test_reading_goes_on_after_any_entry(
    tmp_path_factory: pytest.TempPathFactory, taken: int, segment_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    lines = [b"%d" % number * 40 for number in range(12)]
    with Journal(folder, segment_bytes=segment_bytes) as journal:
        for line in lines:
            journal.append(line)
    cursors = {entry.file_id: entry.reach for entry in list(read(folder))[:taken]}
    assert [entry.payload for entry in read(folder, cursors)] == lines[taken:]


def test_no_file_is_made_before_the_first_append(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    with Journal(folder) as journal:
        assert not folder.exists()
        assert list(read(folder)) == []
        journal.append(b"x")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in files(folder)] == [0o600]


def test_a_file_is_named_by_time_process_and_id(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        position = journal.append(b"x")
    (file,) = files(tmp_path)
    moment, pid, rest = file.name.split("-")
    assert moment.endswith("Z")
    assert (pid, rest) == (str(os.getpid()), position.file_id.hex() + ".journal")


def test_a_full_file_is_followed_by_one_that_names_it(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=200) as journal:
        for line in LINES * 2:
            journal.append(line)
    scans = [scan(file) for file in files(tmp_path)]
    assert len(scans) > 2
    for before, after in pairwise(scans):
        assert before.header is not None
        assert after.header is not None
        assert after.header.previous is not None
        assert after.header.previous.file_id == before.header.file_id
        assert after.header.previous.frames == before.frames
    assert payloads(tmp_path) == LINES * 2


def test_files_stay_in_order_when_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([2_000_000_000_000_000_000, 1_000_000_000_000_000_000, 0, 5, 6, 7])
    monkeypatch.setattr(writing.time, "time_ns", lambda: next(clock))
    with Journal(tmp_path, segment_bytes=110) as journal:
        for line in LINES:
            journal.append(line)
    assert payloads(tmp_path) == LINES
    assert len(files(tmp_path)) == len(LINES)


def test_an_entry_longer_than_the_readers_piece_is_read(tmp_path: Path) -> None:
    long = [b"short", b"l" * (3 << 20), b"short again", b"m" * frame.MAX_PAYLOAD, b"end"]
    written(tmp_path, long)
    assert payloads(tmp_path) == long


def test_an_entry_beyond_the_limit_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(b"before")
        with pytest.raises(JournalProblem, match="16777216 is the limit"):
            journal.append(bytes(frame.MAX_PAYLOAD + 1))
        journal.append(b"after")
    assert payloads(tmp_path) == [b"before", b"after"]


def test_every_truncation_yields_a_prefix_and_names_what_was_torn(tmp_path: Path) -> None:
    file = written(tmp_path)
    whole = file.read_bytes()
    ends = [104, *(entry.reach.size for entry in read(tmp_path))]
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        problems: list[JournalProblem] = []
        found = [entry.payload for entry in read(tmp_path, problems=problems)]
        assert found == LINES[: sum(end <= length for end in ends[1:])]
        checked = scan(file)
        assert checked.frames == len(found)
        if length in ends:
            assert not problems
            assert checked.damage is None
        else:
            assert len(problems) == 1
            assert str(file) in problems[0].message
            assert checked.damage is not None
            assert checked.damage.offset == checked.good_bytes == max([0, *(e for e in ends if e <= length)])
            assert "cut short" in checked.damage.what


def test_every_flipped_bit_is_named_and_never_misread(tmp_path: Path) -> None:
    file = written(tmp_path, LINES[:3])
    whole = bytearray(file.read_bytes())
    ends = [entry.reach.size for entry in read(tmp_path)]
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        problems: list[JournalProblem] = []
        found = [entry.payload for entry in read(tmp_path, problems=problems)]
        assert found == (LINES[: sum(end <= bit // 8 for end in ends)] if bit // 8 >= 104 else [])
        assert len(problems) == 1


def test_without_a_list_for_problems_damage_is_raised_after_everything_good(tmp_path: Path) -> None:
    file = written(tmp_path)
    with Journal(tmp_path) as journal:
        journal.append(b"of another writer")
    file.write_bytes(file.read_bytes()[:-1])
    found = []
    with pytest.raises(JournalProblem, match=r"damaged at byte \d+, frame 4: the frame is cut short"):
        found.extend(entry.payload for entry in read(tmp_path))
    problems: list[JournalProblem] = []
    assert [e.payload for e in read(tmp_path, problems=problems)] == [*LINES[:4], b"of another writer"]
    assert "proml journal repair" in problems[0].hint


def test_a_torn_frame_is_no_damage_while_its_writer_lives(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"one")
    (file,) = files(tmp_path)
    with file.open("ab") as stream:
        stream.write(b"\x07\x00")
    assert payloads(tmp_path) == [b"one"]
    checked = scan(file)
    assert (checked.damage, checked.writing) == (None, True)
    with pytest.raises(Busy):
        repair(file)
    journal.close()
    assert scan(file).damage is not None


@pytest.mark.parametrize("durable", [False, True])
def test_a_writer_keeps_few_files_open(tmp_path: Path, durable: bool) -> None:
    before = len(os.listdir("/proc/self/fd"))
    journal = Journal(tmp_path, durable, segment_bytes=150)
    for line in LINES * 20:
        journal.append(line)
        assert len(os.listdir("/proc/self/fd")) <= before + 2
    assert len(files(tmp_path)) > 20
    journal.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_flipped_bit_in_the_tail_is_named_and_set_aside(tmp_path: Path) -> None:
    file = written(tmp_path)
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    good = scan(file).good_bytes
    aside = repair(file)
    assert aside == file.with_name(f"{file.name}.damaged-{good}")
    assert aside.read_bytes() == raw[good:]
    assert file.read_bytes() == raw[:good]
    assert payloads(tmp_path) == LINES[:4]
    assert repair(file) is None


def test_a_file_with_a_broken_header_is_set_aside_whole(tmp_path: Path) -> None:
    file = written(tmp_path)
    raw = bytearray(file.read_bytes())
    raw[50] ^= 1
    file.write_bytes(raw)
    aside = repair(file)
    assert aside is not None
    assert aside.read_bytes() == raw
    assert files(tmp_path) == []


def test_setting_aside_never_overwrites_what_was_set_aside_before(tmp_path: Path) -> None:
    file = written(tmp_path)
    good = len(file.read_bytes())
    for _ in range(2):
        with file.open("ab") as stream:
            stream.write(b"junk")
        repair(file)
    names = sorted(path.name for path in tmp_path.glob("*.damaged-*"))
    assert names == [f"{file.name}.damaged-{good}", f"{file.name}.damaged-{good}.2"]


def test_a_journal_of_a_newer_version_is_refused_politely_and_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "VERSION", 2)
    file = written(tmp_path)
    monkeypatch.undo()
    before = file.read_bytes()
    written(tmp_path / "other")
    for attempt in (lambda: list(read(tmp_path)), lambda: scan(file), lambda: repair(file)):
        with pytest.raises(JournalProblem, match="is a journal of version 2; this ProML reads up to 1"):
            attempt()
    assert file.read_bytes() == before
    assert list(tmp_path.glob("*.damaged-*")) == []


def test_a_journal_of_an_older_version_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    monkeypatch.setattr(frame, "VERSION", 2)
    assert payloads(tmp_path) == LINES


def test_a_file_that_vanished_is_missed_by_the_one_that_names_it(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=200) as journal:
        for line in LINES:
            journal.append(line)
    first, *_ = files(tmp_path)
    taken = scan(first).frames
    cursors = {entry.file_id: entry.reach for entry in list(read(tmp_path))[:taken]}
    first.unlink()
    with pytest.raises(JournalProblem, match=f"a journal file of {taken} frames is missing"):
        list(read(tmp_path))
    assert [entry.payload for entry in read(tmp_path, cursors)] == LINES[taken:]


def test_frames_that_vanished_from_the_end_of_a_finished_file_are_missed(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=200) as journal:
        for line in LINES:
            journal.append(line)
    first, *_ = files(tmp_path)
    entries = [entry for entry in read(tmp_path) if entry.file_id.hex() in first.name]
    os.truncate(first, entries[-2].reach.size)
    with pytest.raises(JournalProblem, match="1 frames are missing"):
        list(read(tmp_path))


def test_a_file_shorter_than_what_was_read_from_it_is_named(tmp_path: Path) -> None:
    file = written(tmp_path)
    entries = list(read(tmp_path))
    os.truncate(file, entries[2].reach.size)
    with pytest.raises(JournalProblem, match="5 frames were read from it before and it is shorter now"):
        list(read(tmp_path, {entries[-1].file_id: entries[-1].reach}))


def test_a_file_rewritten_before_the_readers_mark_is_not_read_on(tmp_path: Path) -> None:
    file = written(tmp_path)
    entries = list(read(tmp_path))
    header = scan(file).header
    assert header is not None
    forged = file_of(tmp_path, header, [line.replace(b"n", b"m") for line in LINES])
    forged.rename(file)
    with pytest.raises(JournalProblem, match="has been altered"):
        list(read(tmp_path, {entries[1].file_id: entries[1].reach}))


def test_a_finished_file_replaced_by_another_with_a_chain_of_its_own_is_named(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=200) as journal:
        for line in LINES:
            journal.append(line)
    first, *_ = files(tmp_path)
    found = scan(first)
    assert found.header is not None
    file_of(tmp_path, found.header, [b"forged"] * found.frames).rename(first)
    with pytest.raises(JournalProblem, match="its frames are not those that the next file follows on"):
        list(read(tmp_path))


def test_known_damage_is_not_told_again_once_set_aside(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=300) as journal:
        for line in LINES * 2:
            journal.append(line)
    first, second, *_ = files(tmp_path)
    for file, at in ((first, -1), (second, 20)):
        raw = bytearray(file.read_bytes())
        raw[at] ^= 1
        file.write_bytes(raw)
    problems: list[JournalProblem] = []
    before = list(read(tmp_path, problems=problems))
    assert problems
    repair(first)
    repair(second)
    assert list(read(tmp_path)) == before


def test_frames_beyond_what_the_next_file_says_are_void(tmp_path: Path) -> None:
    one, two = b"\x01" * 16, b"\x02" * 16
    file = file_of(tmp_path, Header(one, 1, 1), [b"a", b"b", b"c"])
    entries = list(read(tmp_path))
    earlier = Continuation(one, 1, entries[0].reach.chain, frame.SYNC_FAILED)
    file_of(tmp_path, Header(two, 2, 1, earlier), [b"b", b"c", b"d"])
    assert payloads(tmp_path) == [b"a", b"b", b"c", b"d"]
    # A reader who saw b and c before they were moved does not get them again.
    for taken in range(4):
        cursors = {entry.file_id: entry.reach for entry in entries[:taken]}
        assert [e.payload for e in read(tmp_path, cursors)] == [b"a", b"b", b"c", b"d"][taken:]
    assert scan(file).frames == 3


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        scan(tmp_path / "x.journal")
    (tmp_path / "x.journal").write_bytes(b"SQLite format 3\0" * 20)
    with pytest.raises(JournalProblem, match="this is not a journal file"):
        list(read(tmp_path))
    (tmp_path / "notes.txt").write_text("not looked at")
    (tmp_path / "link.journal").symlink_to("/etc/passwd")
    with pytest.raises(JournalProblem, match="cannot be opened"):
        scan(tmp_path / "link.journal")


def test_a_reader_may_be_slower_than_the_writer(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(b"0")
        found: list[Entry] = []
        for entry in read(tmp_path):
            found.append(entry)
            if len(found) < 5:
                journal.append(b"%d" % len(found))
        found.extend(read(tmp_path, {found[-1].file_id: found[-1].reach}))
    assert [entry.payload for entry in found] == [b"0", b"1", b"2", b"3", b"4"]


def test_a_reader_holds_no_more_than_a_piece_of_a_large_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    pread = os.pread
    monkeypatch.setattr(reading.os, "pread", lambda fd, n, at: asked.append(n) or pread(fd, n, at))
    written(tmp_path, [b"x" * 1_000] * 5_000)
    assert sum(1 for _ in read(tmp_path)) == 5_000
    assert max(asked) <= 1 << 20
