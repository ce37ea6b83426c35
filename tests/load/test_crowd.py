"""The crowd in its short form: 20 scripts, 20,000 records."""

from __future__ import annotations

from pathlib import Path

from tests.load import crowd


def test_what_many_scripts_record_at_once_is_all_there_once_and_in_order(tmp_path: Path) -> None:
    report = crowd.run(tmp_path, 20_000, 20)
    assert (report.lost, report.doubled, report.out_of_order) == (0, 0, 0)
