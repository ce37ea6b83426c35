"""The lock of an embedded chain's folder, where it cannot be had."""

import errno
import os
from pathlib import Path

import pytest

from proml.errors import LedgerProblem
from proml.ledger import chain_folder
from proml.ledger.chain_folder import alone, create_chain


def test_a_lock_that_cannot_be_opened_is_told_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(LedgerProblem, match="cannot be taken: Is a directory") as caught, alone(tmp_path):
        raise AssertionError("nobody may get here")
    assert "write in its folder" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_is_read_only_is_told_with_a_hint(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(LedgerProblem, match="Permission denied"), alone(tmp_path):
            raise AssertionError("nobody may get here")
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o700)


def test_a_file_system_without_locks_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(chain_folder.fcntl, "flock", refused)
    with pytest.raises(LedgerProblem, match="No locks available"), alone(tmp_path):
        raise AssertionError("nobody may get here")


def test_no_chain_is_made_where_the_lock_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(LedgerProblem, match="cannot be taken"):
        create_chain(tmp_path, 1_800_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_what_goes_wrong_under_the_lock_is_not_called_a_lock_that_failed(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk on fire"), alone(tmp_path):
        raise OSError("disk on fire")
    with alone(tmp_path):
        pass
