"""The outbox: one process at a time, whole changes only, and plain words when its file is no good."""

from __future__ import annotations

import os
import resource
import sqlite3
from pathlib import Path

import pytest

from proml.core.frame import Reach
from proml.errors import Busy, StorageProblem
from proml.node.outbox import DONE, WAITING, Outbox, open_outbox
from proml.node.transactions import SIGNED, Sent

HASH, KEY, ROOT = b"\x01" * 32, b"\x02" * 20, b"\x03" * 32


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "deep" / "outbox.sqlite"


def test_a_second_holder_is_told_that_it_is_busy_and_changes_nothing(path):
    with open_outbox(path) as outbox:
        outbox.add_drafts([(None, None, b"mine", bytes(16))])
        with pytest.raises(Busy, match="another process is publishing"), open_outbox(path, patience=0):
            pytest.fail("two at once")
        assert [payload for _, payload in outbox.drafts()] == [b"mine"]
    with open_outbox(path, patience=0) as outbox:
        assert len(outbox.drafts()) == 1


def test_another_process_waits_for_its_turn(path):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with open_outbox(path) as outbox:
            os.write(write, b"x")
            os.set_blocking(read, True)
            outbox.add_drafts([(None, None, b"first", bytes(16))])
        os._exit(0)
    os.read(read, 1)
    with open_outbox(path) as outbox:
        assert len(outbox.drafts()) == 1
    os.waitpid(child, 0)


def test_the_lock_of_a_killed_process_is_free(path):
    child = os.fork()
    if child == 0:
        with open_outbox(path):
            os._exit(9)
    os.waitpid(child, 0)
    with open_outbox(path, patience=0):
        pass


def write_and_stop(outbox: Outbox) -> None:
    with outbox.together():
        outbox.add_drafts([("0x", None, b"lost", bytes(16))])
        outbox.set_cursor(bytes(16), Reach(1, 2, ROOT))
        raise KeyboardInterrupt


def test_what_is_written_together_is_undone_together(path):
    with open_outbox(path) as outbox:
        with pytest.raises(KeyboardInterrupt):
            write_and_stop(outbox)
        assert outbox.drafts() == []
        assert outbox.cursors() == {}
        with outbox.together():
            outbox.add_drafts([(None, None, b"kept", bytes(16))])
    with open_outbox(path) as outbox:
        assert len(outbox.drafts()) == 1


def test_a_released_transaction_gives_its_intents_back_and_keeps_its_bytes(path):
    with open_outbox(path) as outbox:
        number = outbox.add_intent("anchor", "anchor", ROOT, {"root": "0x", "count": 1}, 1.0)
        done = outbox.add_intent("anchor", "done", ROOT, {}, 1.0)
        outbox.add_tx(Sent(HASH, KEY, 7, b"raw", SIGNED, 1.0), [number, done])
        outbox.settle_intent(done, DONE)
        outbox.release(HASH)
        assert [intent.id for intent in outbox.intents(WAITING)] == [number]
        assert outbox.intent(done).state == DONE
        assert outbox.tx(HASH).raw == b"raw"
        assert outbox.txs(SIGNED) == []
        assert outbox.highest_nonce(KEY) == 7
        assert outbox.highest_nonce(b"\x09" * 20) == -1


@pytest.mark.parametrize("version", [1, 2, 99])
def test_a_file_of_another_version_is_left_alone(path, version):
    with open_outbox(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageProblem, match=f"of version {version}"), open_outbox(path):
        pytest.fail("opened")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"this is no database, and long enough to be looked at" * 20, b"SQLite format 3\0"]
)
def test_a_file_that_is_no_outbox_is_left_alone(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StorageProblem, match="cannot be used"), open_outbox(path):
        pytest.fail("opened")
    assert path.read_bytes() == content


def use(path: Path) -> None:
    with open_outbox(path) as outbox:
        outbox.drafts()
        outbox.cursors()
        outbox.intents()
        with outbox.together():
            outbox.add_drafts([("0x", None, b"more", bytes(16))])


def test_a_damaged_page_is_a_problem_in_words(path):
    with open_outbox(path) as outbox, outbox.together():
        for number in range(200):
            outbox.add_drafts([("0x", None, bytes(100), number.to_bytes(16, "big"))])
    content = bytearray(path.read_bytes())
    for place in range(4096, len(content), 512):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(StorageProblem):
        use(path)


def test_a_folder_in_its_place_is_a_problem_in_words(path):
    path.mkdir(parents=True)
    with pytest.raises(StorageProblem, match="cannot be used"), open_outbox(path):
        pytest.fail("opened")


def test_a_place_nobody_can_write_is_a_problem_in_words(path):
    path.parent.write_text("in the way")
    with pytest.raises(StorageProblem, match="cannot be used"), open_outbox(path):
        pytest.fail("opened")


def test_a_full_disk_keeps_what_was_written_before(path):
    with open_outbox(path) as outbox:
        outbox.add_drafts([(None, None, b"before", bytes(16))])
    child = os.fork()
    if child == 0:
        size = path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            with open_outbox(path) as outbox, outbox.together():
                for _ in range(100):
                    outbox.add_drafts([(None, None, bytes(1000), bytes(16))])
        except StorageProblem as problem:
            os._exit(7 if "cannot be" in problem.message else 1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] >> 8 == 7
    with open_outbox(path) as outbox:
        assert [payload for _, payload in outbox.drafts()] == [b"before"]
        with outbox.together():
            outbox.add_drafts([(None, None, b"after", bytes(16))])
        assert len(outbox.drafts()) == 2


USED = b'{"draft":"Used","run":"0x01"}'
VERSION_3 = """
CREATE TABLE cursor (
    file BLOB PRIMARY KEY, frames INTEGER NOT NULL, size INTEGER NOT NULL, chain BLOB NOT NULL
);
CREATE TABLE draft (id INTEGER PRIMARY KEY, run TEXT, payload BLOB NOT NULL);
CREATE INDEX draft_run ON draft (run);
CREATE TABLE writer (run TEXT NOT NULL, file BLOB NOT NULL, PRIMARY KEY (run, file));
CREATE TABLE run (salt TEXT PRIMARY KEY, state TEXT NOT NULL, story TEXT NOT NULL);
CREATE TABLE intent (
    id INTEGER PRIMARY KEY, what TEXT NOT NULL, label TEXT NOT NULL, artefact BLOB NOT NULL,
    call TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', created REAL NOT NULL,
    tx BLOB, item INTEGER, reason TEXT
);
CREATE INDEX intent_state ON intent (state);
CREATE INDEX intent_tx ON intent (tx);
CREATE TABLE tx (
    hash BLOB PRIMARY KEY, key BLOB NOT NULL, nonce INTEGER NOT NULL, raw BLOB NOT NULL, state TEXT NOT NULL,
    signed REAL NOT NULL, block INTEGER, block_hash BLOB, gas INTEGER, included REAL, final REAL
);
CREATE INDEX tx_state ON tx (state);
CREATE TABLE sealing (key BLOB NOT NULL);
CREATE TABLE known (subject BLOB NOT NULL, artefact BLOB NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (subject, artefact, sequence));
PRAGMA user_version = 3;
"""


def test_a_file_of_the_version_before_is_brought_up_to_date_with_all_that_is_in_it(path):
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_3)
    connection.execute("INSERT INTO draft (run, payload) VALUES ('0x01', ?)", (USED,))
    connection.execute("INSERT INTO draft (run, payload) VALUES (NULL, ?)", (b"\xff no JSON",))
    connection.execute(
        "INSERT INTO tx (hash, key, nonce, raw, state, signed) VALUES (?, ?, 7, x'00', 'signed', 1.0)",
        (HASH, KEY),
    )
    connection.commit()
    connection.close()
    for _ in range(2):
        with open_outbox(path) as outbox:
            assert [payload for _, payload in outbox.drafts(("Used",), "0x01")] == [USED]
            assert [payload for _, payload in outbox.strange_drafts(("Used",))] == [b"\xff no JSON"]
            assert [(sent.nonce, sent.max_fee) for sent in outbox.unsettled(9)] == [(7, 0)]
            assert outbox.replaced(HASH) == {}
