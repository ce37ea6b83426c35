"""Starting a project: a failure leaves nothing half made behind, and the same command works the next time."""

import os
import subprocess
import sys
from pathlib import Path


def _proml(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proml", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_start_without_the_chain_program_can_be_repeated(tmp_path: Path) -> None:
    failed = _proml(tmp_path, "init", PROML_ANVIL="/nonexistent/anvil")
    assert failed.returncode == 5
    assert "PROML_ANVIL names" in failed.stderr
    assert list(tmp_path.iterdir()) == []

    try:
        assert _proml(tmp_path, "init").returncode == 0
    finally:
        _proml(tmp_path, "ledger", "down")


def test_joining_by_a_file_that_is_not_there_makes_no_project(tmp_path: Path) -> None:
    failed = _proml(tmp_path, "init", "--ledger", "missing.json")
    assert failed.returncode == 2
    assert "there is no ledger file missing.json" in failed.stderr
    assert list(tmp_path.iterdir()) == []


def test_who_waits_for_the_others_does_not_found_alone_by_a_slip(tmp_path: Path) -> None:
    assert _proml(tmp_path, "init", "--organisation", "Clinic", "--no-ledger").returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    again = _proml(tmp_path, "init")
    assert again.returncode == 2
    assert "there is a project of 'Clinic'" in again.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_interrupted_start_is_taken_up_with_its_key_and_settings(tmp_path: Path) -> None:
    assert _proml(tmp_path, "init", "--no-ledger").returncode == 0
    settings = tmp_path / ".proml" / "config.toml"
    settings.write_text(settings.read_text() + "durable = true\n")
    before = _proml(tmp_path, "key", "list", "--json").stdout, settings.read_text()

    try:
        assert _proml(tmp_path, "init").returncode == 0
        assert (_proml(tmp_path, "key", "list", "--json").stdout, settings.read_text()) == before
    finally:
        _proml(tmp_path, "ledger", "down")


def test_a_project_without_a_ledger_says_how_to_get_one_and_records_all_the_same(tmp_path: Path) -> None:
    _proml(tmp_path, "init", "--no-ledger")
    (tmp_path / "digits.csv").write_text("1,2\n")

    assert _proml(tmp_path, "register", "digits.csv", "--kind", "dataset").returncode == 0
    pushed = _proml(tmp_path, "push")
    assert pushed.returncode == 5
    assert "this project has no ledger yet" in pushed.stderr
    assert "proml ledger join" in pushed.stderr
    assert "to publish       1" in _proml(tmp_path, "status").stdout


def test_a_project_that_is_moved_takes_its_chain_along(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    assert _proml(first, "init").returncode == 0
    (first / "digits.csv").write_text("1,2\n")
    assert _proml(first, "register", "digits.csv", "--kind", "dataset", "--push").returncode == 0
    assert _proml(first, "ledger", "down").returncode == 0
    first.rename(second)

    try:
        assert "collected" in _proml(second, "show", "digits.csv").stdout
    finally:
        _proml(second, "ledger", "down")


def test_a_chain_that_is_gone_is_named_and_the_project_still_answers(tmp_path: Path) -> None:
    assert _proml(tmp_path, "init").returncode == 0
    assert _proml(tmp_path, "ledger", "down").returncode == 0
    (tmp_path / ".proml" / "chain").rename(tmp_path / "elsewhere")

    status = _proml(tmp_path, "status")
    assert status.returncode == 5
    assert "to publish" in status.stdout
    assert "there is no embedded chain in" in status.stdout
