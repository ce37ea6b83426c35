"""Which journal files somebody may still write to."""

from pathlib import Path

from proml.journal import Journal, living
from tests.unit.test_journal import LINES, written


def test_all_files_of_a_writer_live_until_it_closes_its_journal(tmp_path: Path) -> None:
    journal, other = Journal(tmp_path, segment_bytes=200), Journal(tmp_path)
    mine = set()
    for line in LINES * 3:
        mine.add(journal.append(line).file_id)
        assert living(tmp_path) == mine  # also when the file is full and the next is not begun
    theirs = other.append(b"x").file_id
    assert len(mine) > 3
    assert living(tmp_path) == mine | {theirs}
    journal.close()
    assert living(tmp_path) == {theirs}
    other.close()
    assert living(tmp_path) == set()


def test_a_damaged_file_does_not_hide_who_is_living(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.write_bytes(b"damaged")
    (tmp_path / "link.journal").symlink_to("/etc/passwd")
    with Journal(tmp_path) as journal:
        own = journal.append(b"x").file_id
        assert living(tmp_path) == {own}
    assert living(tmp_path / "nowhere") == set()
