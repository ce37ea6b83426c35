"""The write-ahead log of the embedded chain, as a file: every cut, every flipped bit, every order."""

import errno
import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.errors import LedgerProblem, WrongLedger
from proml.ledger.chain_log import HEADER_BYTES, ChainLog, Entry

CHAIN, GENESIS = 1_234_567_890, 1_800_000_000
RAWS = st.binary(min_size=1, max_size=60)


@pytest.fixture
def log(tmp_path: Path) -> ChainLog:
    log = opened(tmp_path)
    log.create()
    return log


def opened(folder: Path) -> ChainLog:
    return ChainLog(folder / "log", CHAIN, GENESIS)


def fill(log: ChainLog) -> list[Entry]:
    """Four transactions, of which the third is taken back."""
    log.append(b"first", GENESIS + 1)
    log.append(b"second" * 20, GENESIS + 1)
    log.append(b"taken back", GENESIS + 2)
    log.take_back("nonce too low")
    log.append(b"third", GENESIS + 3)
    return list(log.entries(log.start))


def test_transactions_come_back_in_order_without_those_taken_back(log: ChainLog, tmp_path: Path) -> None:
    kept = fill(log)
    assert kept == [
        Entry(1, GENESIS + 1, b"first"),
        Entry(2, GENESIS + 1, b"second" * 20),
        Entry(3, GENESIS + 3, b"third"),
    ]
    again = opened(tmp_path)
    assert again.catch_up() is None
    assert again.end == log.end
    assert list(again.entries(again.start)) == kept
    assert again.count_blocks(again.start) == 3


def test_a_reader_may_begin_at_any_place_it_knows(log: ChainLog, tmp_path: Path) -> None:
    log.append(b"first", GENESIS)
    known = log.end
    log.append(b"second", GENESIS)
    again = opened(tmp_path)
    again.catch_up(known)
    assert list(again.entries(known)) == [Entry(2, GENESIS, b"second")]
    assert again.end == log.end


def test_two_writers_taking_turns_see_each_others_transactions(log: ChainLog, tmp_path: Path) -> None:
    other = opened(tmp_path)
    for number in range(6):
        writer = (log, other)[number % 2]
        writer.catch_up()
        assert writer.append(bytes([number + 1]), GENESIS + number).block == number + 1
    log.catch_up()
    assert [entry.raw for entry in log.entries(log.start)] == [bytes([n]) for n in range(1, 7)]


@given(kept=st.lists(st.tuples(RAWS, st.booleans()), max_size=8))
def test_whatever_is_taken_back_the_blocks_are_numbered_without_gaps(
    kept: list[tuple[bytes, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = opened(tmp_path_factory.mktemp("chain"))
    log.create()
    for raw, stays in kept:
        log.append(raw, GENESIS)
        if not stays:
            log.take_back("no")
    entries = list(log.entries(log.start))
    assert [entry.raw for entry in entries] == [raw for raw, stays in kept if stays]
    assert [entry.block for entry in entries] == list(range(1, len(entries) + 1))
    assert log.end.blocks == len(entries)


def test_a_log_cut_at_any_byte_keeps_every_whole_frame_and_sets_the_rest_aside(
    log: ChainLog, tmp_path: Path
) -> None:
    kept = fill(log)
    content = (tmp_path / "log").read_bytes()
    for size in range(HEADER_BYTES, len(content)):
        (tmp_path / "log").write_bytes(content[:size])
        cut = opened(tmp_path)
        aside = cut.catch_up()
        whole = (tmp_path / "log").read_bytes()
        rest = aside.read_bytes() if aside else b""
        assert whole + rest == content[:size]
        entries = list(cut.entries(cut.start))
        # A cut between a transaction and its refusal leaves it standing: the chain will refuse it again.
        standing = [entry for entry in entries if entry.raw != b"taken back"]
        assert standing == kept[: len(standing)]
        assert len(entries) == cut.end.blocks
        if aside:
            aside.unlink()
        cut.append(b"goes on", GENESIS + 9)
        assert opened(tmp_path).count_blocks(cut.start) == cut.end.blocks


def test_a_frame_that_was_never_filled_in_is_set_aside_too(log: ChainLog, tmp_path: Path) -> None:
    kept = fill(log)
    content = (tmp_path / "log").read_bytes()
    for zeros in (1, 7, 39, 40, 41, 4_096):
        (tmp_path / "log").write_bytes(content + bytes(zeros))
        again = opened(tmp_path)
        aside = again.catch_up()
        assert aside is not None
        assert aside.read_bytes() == bytes(zeros)
        aside.unlink()
        assert list(again.entries(again.start)) == kept
    frame_length_only = content + (80).to_bytes(4, "little") + bytes(116)
    (tmp_path / "log").write_bytes(frame_length_only)
    assert opened(tmp_path).catch_up() is not None


def test_any_flipped_bit_is_noticed_and_nothing_is_changed(log: ChainLog, tmp_path: Path) -> None:
    fill(log)
    content = (tmp_path / "log").read_bytes()
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << (bit % 8)
        (tmp_path / "log").write_bytes(damaged)
        with pytest.raises(LedgerProblem, match="damaged"):
            opened(tmp_path).catch_up()
        assert (tmp_path / "log").read_bytes() == damaged
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_frame_left_out_or_exchanged_is_noticed(log: ChainLog, tmp_path: Path) -> None:
    ends = [log.end.offset]
    for raw in (b"first", b"other", b"third"):
        log.append(raw, GENESIS)
        ends.append(log.end.offset)
    content = (tmp_path / "log").read_bytes()
    header, one, two, three = (
        content[: ends[0]],
        *(content[a:b] for a, b in itertools.pairwise(ends)),
    )
    for spoilt in (header + two + three, header + one + three, header + two + one + three):
        (tmp_path / "log").write_bytes(spoilt)
        with pytest.raises(LedgerProblem, match="damaged"):
            opened(tmp_path).catch_up()


def test_the_log_of_another_chain_or_genesis_is_told_from_a_damaged_one(
    log: ChainLog, tmp_path: Path
) -> None:
    for other in (
        ChainLog(tmp_path / "log", CHAIN + 1, GENESIS),
        ChainLog(tmp_path / "log", CHAIN, GENESIS + 1),
    ):
        with pytest.raises(WrongLedger):
            other.catch_up()


def test_a_log_that_shrank_under_a_writer_is_noticed(log: ChainLog, tmp_path: Path) -> None:
    log.append(b"first", GENESIS)
    older = (tmp_path / "log").read_bytes()
    log.append(b"second", GENESIS)
    (tmp_path / "log").write_bytes(older)
    with pytest.raises(LedgerProblem, match="ends before block 2"):
        log.catch_up()
    assert (tmp_path / "log").read_bytes() == older


def test_a_log_is_never_made_over_another(log: ChainLog, tmp_path: Path) -> None:
    fill(log)
    content = (tmp_path / "log").read_bytes()
    with pytest.raises(FileExistsError):
        opened(tmp_path).create()
    assert (tmp_path / "log").read_bytes() == content


def test_what_a_failed_write_left_is_cut_off_before_the_next(
    log: ChainLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = fill(log)
    content, end = (tmp_path / "log").read_bytes(), log.end

    def broken(*_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", broken)
        disk.setattr(os, "ftruncate", broken)
        for _ in range(2):
            with pytest.raises(LedgerProblem, match="cannot be written"):
                log.append(b"long" * 1_000, GENESIS + 4)
            assert log.end == end
    assert len((tmp_path / "log").read_bytes()) > len(content)
    log.append(b"short", GENESIS + 5)
    again = opened(tmp_path)
    assert again.catch_up() is None
    assert list(again.entries(again.start)) == [*kept, Entry(4, GENESIS + 5, b"short")]
    assert (tmp_path / "log").read_bytes().startswith(content)
