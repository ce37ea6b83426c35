"""Damaged, exchanged and missing files of the embedded chain."""

import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from proml.errors import LedgerProblem, NotFound, WrongLedger
from proml.ledger import anvil
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.rpc import RpcError
from tests.faults.embedded_chain.probe import flip, on_disk, send, signed, whole

pytestmark = pytest.mark.faults


# Damaged and exchanged files


def test_a_flipped_bit_in_the_newest_state_sets_it_aside_and_an_older_one_serves(
    chain: EmbeddedChain,
) -> None:
    send(chain, range(25))
    before = whole(chain)
    chain.kill()
    flip(chain.folder / "state-0000000020.dump", -40)
    status = chain.up()
    assert status.set_aside == (chain.folder / "state-0000000020.dump.damaged",)
    assert whole(chain) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: flip(path, 3),
        lambda path: flip(path, 100),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-10]),
        lambda path: path.write_bytes(path.read_bytes()[:50]),
        lambda path: path.unlink(),
    ],
)
def test_without_a_usable_state_the_log_alone_makes_the_same_chain(
    chain: EmbeddedChain, damage: Callable[[Path], None]
) -> None:
    send(chain, range(23))
    before = whole(chain)
    chain.kill()
    for path in chain.folder.glob("*.dump"):
        damage(path)
    EmbeddedChain(chain.folder).up()
    assert whole(chain) == before


def test_a_sound_state_that_anvil_cannot_read_is_set_aside(chain: EmbeddedChain) -> None:
    send(chain, range(12))
    before = whole(chain)
    chain.kill()
    position = chain._newest_saved()
    anvil.write_dump(chain.folder, anvil.VERSION, chain.settings.chain_id, (position, "0x00"), b"not a state")
    assert len(chain.up().set_aside) == 1
    assert whole(chain) == before


def test_a_state_of_another_version_of_anvil_is_passed_over(
    chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(chain, range(12))
    before = whole(chain)
    chain.kill()
    kept = on_disk(chain)
    monkeypatch.setattr(anvil, "VERSION", "1.8.0")
    EmbeddedChain(chain.folder).up()
    assert whole(chain) == before
    assert kept.items() - {("runtime.json", kept["runtime.json"])} <= on_disk(chain).items()


def test_a_state_older_than_the_log_is_brought_up_to_it(chain: EmbeddedChain, tmp_path: Path) -> None:
    send(chain, range(10))
    shutil.copy(chain.folder / "state-0000000010.dump", tmp_path)
    send(chain, range(10, 40))
    before = whole(chain)
    chain.kill()
    for path in chain.folder.glob("*.dump"):
        path.unlink()
    shutil.copy(tmp_path / "state-0000000010.dump", chain.folder)
    assert chain.status().unsaved == 30
    chain.up()
    assert whole(chain) == before


def test_a_log_older_than_the_state_is_refused_by_name_and_nothing_changes(
    chain: EmbeddedChain, tmp_path: Path
) -> None:
    send(chain, range(5))
    shutil.copy(chain.folder / "transactions.log", tmp_path)
    send(chain, range(5, 12))
    before = whole(chain)
    chain.kill()
    newer = (chain.folder / "transactions.log").read_bytes()
    shutil.copy(tmp_path / "transactions.log", chain.folder)
    disk = on_disk(chain)
    for opened in (chain, EmbeddedChain(chain.folder)):
        with pytest.raises(LedgerProblem, match="ends before block") as caught:
            opened.up()
        assert "newer one back" in caught.value.hint
    assert on_disk(chain) == disk
    (chain.folder / "transactions.log").write_bytes(newer)
    chain.up()
    assert whole(chain) == before


def test_a_torn_tail_of_the_log_is_named_set_aside_and_the_rest_is_whole(chain: EmbeddedChain) -> None:
    send(chain, range(12))
    before = whole(chain)
    chain.kill()
    log = chain.folder / "transactions.log"
    whole_log = log.read_bytes()
    log.write_bytes(whole_log + whole_log[32:90])
    status = chain.up()
    assert status.set_aside == (log.with_name(f"transactions.log.cut-short-at-{len(whole_log)}"),)
    assert status.set_aside[0].read_bytes() == whole_log[32:90]
    assert whole(chain) == before
    assert log.read_bytes() == whole_log
    send(chain, range(12, 14))


def test_damage_inside_the_log_is_named_and_nothing_is_cut_off(chain: EmbeddedChain) -> None:
    send(chain, range(8))
    chain.kill()
    flip(chain.folder / "transactions.log", 400)
    disk = on_disk(chain)
    for ask in (EmbeddedChain(chain.folder).up, chain.status):
        with pytest.raises(LedgerProblem, match=r"transactions\.log is damaged behind block \d") as caught:
            ask()
        assert "truncate -s" in caught.value.hint
    assert on_disk(chain) == disk


def test_the_log_of_another_chain_is_refused(chain: EmbeddedChain, tmp_path: Path) -> None:
    other = EmbeddedChain.create(tmp_path / "other")
    chain.kill()
    shutil.copy(other.folder / "transactions.log", chain.folder)
    disk = on_disk(chain)
    with pytest.raises(WrongLedger, match="log of another chain"):
        chain.up()
    assert on_disk(chain) == disk


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), (b"", "damaged at its beginning")])
def test_a_log_that_is_gone_or_empty_is_not_begun_anew(
    chain: EmbeddedChain, content: bytes | None, words: str
) -> None:
    send(chain, range(2))
    chain.kill()
    log = chain.folder / "transactions.log"
    log.unlink() if content is None else log.write_bytes(content)
    with pytest.raises(LedgerProblem, match=words):
        chain.up()
    assert content is not None or not log.exists()


def test_a_full_disk_refuses_the_transaction_and_keeps_the_log(chain: EmbeddedChain) -> None:
    send(chain, range(3))
    before, disk = whole(chain), on_disk(chain)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(disk["transactions.log"]) + 20, hard))
    try:
        with pytest.raises(LedgerProblem, match="cannot be written") as caught:
            chain.send_raw(signed(chain, 3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not isinstance(caught.value, RpcError)
    assert on_disk(chain) == disk
    assert whole(chain) == before
    send(chain, range(3, 5))


def test_a_state_that_cannot_be_saved_does_not_fail_the_send(chain: EmbeddedChain) -> None:
    send(chain, range(9))
    limit = (chain.folder / "transactions.log").stat().st_size + 1_000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        chain.send_raw(signed(chain, 9))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert chain.status().unsaved == 10
    chain.kill()
    chain.up()
    assert len(whole(chain)[0]) == 11


# Making and finding a chain


def test_no_chain_in_the_folder_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no embedded chain") as caught:
        EmbeddedChain(tmp_path)
    assert "proml init" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_chain_is_never_made_over_another(tmp_path: Path) -> None:
    chain = EmbeddedChain.create(tmp_path)
    disk = on_disk(chain)
    with pytest.raises(LedgerProblem, match="there is a chain in"):
        EmbeddedChain.create(tmp_path)
    assert on_disk(chain) == disk


def test_a_chain_is_never_made_over_the_transactions_of_another(chain: EmbeddedChain) -> None:
    chain.send_raw(signed(chain, 0))
    (chain.folder / "chain.json").unlink()
    disk = on_disk(chain)
    with pytest.raises(LedgerProblem, match=r"whose chain\.json is missing"):
        EmbeddedChain.create(chain.folder)
    assert on_disk(chain) == disk


def test_making_a_chain_that_was_interrupted_can_be_repeated(tmp_path: Path) -> None:
    first = EmbeddedChain.create(tmp_path)
    (tmp_path / "chain.json").unlink()
    assert EmbeddedChain.create(tmp_path).settings.chain_id != first.settings.chain_id


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerProblem, match="no chain can be made in"):
        EmbeddedChain.create(tmp_path / "file" / "chain")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "cannot be understood"),
        ("[]", "cannot be understood"),
        ('{"version": 1, "chain_id": "1", "genesis_time": 1}', "cannot be understood"),
        ('{"version": 2, "chain_id": 1, "genesis_time": 1}', "newer version"),
    ],
)
def test_settings_that_make_no_sense_or_are_newer_are_refused(
    tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "chain.json").write_text(content)
    with pytest.raises(LedgerProblem, match=words):
        EmbeddedChain(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["chain.json"]


def test_a_program_that_does_not_start_is_quoted(
    chain: EmbeddedChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.kill()
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho libfoo not found >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(anvil, "find_anvil", lambda: broken)
    with pytest.raises(LedgerProblem, match="ended at once: libfoo not found"):
        chain.up()
    monkeypatch.setattr(anvil, "find_anvil", lambda: tmp_path / "nowhere")
    with pytest.raises(LedgerProblem, match="ended at once"):
        chain.up()
    monkeypatch.undo()
    chain.up()


def test_nothing_is_left_in_the_users_home(
    chain: EmbeddedChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    chain.kill()
    monkeypatch.setenv("PROML_ANVIL", str(anvil.find_anvil()))
    monkeypatch.setenv("HOME", str(home))
    chain.up()
    send(chain, range(450))  # anvil begins to write its past states to files after some 400
    chain.kill()
    assert list(home.iterdir()) == []
    assert list((chain.folder / "anvil-home").rglob("*.json")) == []
