"""Programs and senders killed at any moment: what was acknowledged stays as it was."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from proml.errors import LedgerProblem
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.rpc import Rpc
from tests.faults.embedded_chain.probe import (
    SEND_ALL,
    UP,
    programs_of,
    run,
    send,
    signed,
    whole,
)

pytestmark = pytest.mark.faults


# Kills


@pytest.mark.parametrize("blocks", [1, 9, 10, 11, 29])
def test_a_killed_chain_comes_back_with_every_block_hash_the_same(chain: EmbeddedChain, blocks: int) -> None:
    send(chain, range(blocks))
    before = whole(chain)
    chain.kill()
    assert chain.status().pid is None
    chain.up()
    assert whole(chain) == before
    send(chain, range(blocks, blocks + 2))


def test_a_chain_killed_while_somebody_sends_keeps_all_that_was_acknowledged(
    chain: EmbeddedChain, tmp_path: Path
) -> None:
    raws = [signed(chain, nonce) for nonce in range(120)]
    left, acknowledged = list(raws), []
    for _ in range(3):
        (tmp_path / "raws").write_text("\n".join(raw.hex() for raw in left))
        with run(SEND_ALL, chain.folder, tmp_path / "raws") as sender:
            assert sender.stdout is not None
            acknowledged += [sender.stdout.readline().strip() for _ in range(20)]
            before = whole(chain)
            chain.kill()
            rest, complaint = sender.communicate()
        acknowledged += rest.split()
        assert "cannot be reached" in complaint or "does not run" in complaint
        chain.up()
        after = whole(chain)
        assert after[0][: len(before[0])] == before[0]
        mined = [receipt["transactionHash"] for receipt in after[1]]
        assert mined[: len(acknowledged)] == ["0x" + name for name in acknowledged]
        # One at most is there without its sender knowing; sending it again does no harm.
        assert len(mined) - len(acknowledged) <= 1
        left = raws[len(acknowledged) :]


def test_a_sender_killed_at_any_moment_leaves_the_chain_whole(chain: EmbeddedChain, tmp_path: Path) -> None:
    raws = [signed(chain, nonce) for nonce in range(200)]
    (tmp_path / "raws").write_text("\n".join(raw.hex() for raw in raws))
    acknowledged = 0
    for round_ in range(4):
        with run(SEND_ALL, chain.folder, tmp_path / "raws") as sender:
            assert sender.stdout is not None
            for _ in range(acknowledged + 10 + round_):
                sender.stdout.readline()
            time.sleep(round_ / 1_000)
            sender.kill()
            acknowledged += 10 + round_ + len(sender.communicate()[0].split())
        chain.up()
        assert chain.status().blocks >= acknowledged
        assert len(whole(chain)[0]) == chain.status().blocks + 1


def test_a_transaction_whose_sender_died_before_anvil_heard_of_it_gets_its_block(
    chain: EmbeddedChain,
) -> None:
    chain.send_raw(signed(chain, 0))
    chain._log.append(signed(chain, 1), int(time.time()))
    chain.send_raw(signed(chain, 2))
    assert len(whole(chain)[0]) == 4


def test_a_transaction_whose_sender_died_before_its_block_was_made_gets_its_block(
    chain: EmbeddedChain,
) -> None:
    chain._log.append(signed(chain, 0), int(time.time()))
    with Rpc(chain.url) as rpc:
        rpc.call("eth_sendRawTransaction", ["0x" + signed(chain, 0).hex()])
    chain.up()
    assert len(whole(chain)[0]) == 2


@pytest.mark.parametrize("gas", [20_000, 21_001])
def test_a_refusal_that_its_sender_did_not_live_to_hear_is_not_told_to_the_next(
    chain: EmbeddedChain, gas: int
) -> None:
    chain._log.append(signed(chain, 0, gas=gas), int(time.time()))
    chain.send_raw(signed(chain, 0))
    assert len(whole(chain)[0]) == 2
    assert chain.status().blocks == 1


def test_up_killed_at_any_moment_can_be_repeated(chain: EmbeddedChain) -> None:
    send(chain, range(29))
    before = whole(chain)
    for pause in (0.0, 0.01, 0.03, 0.06, 0.1):
        chain.kill()
        (chain.folder / "runtime.json").unlink()
        with run(UP, chain.folder, start_new_session=True) as starter:
            deadline = time.monotonic() + 30
            while not (chain.folder / "runtime.json").exists() and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(pause)
            starter.kill()
        chain.up()
        assert whole(chain) == before
        assert len(programs_of(chain)) == 1


def test_a_program_that_hangs_is_replaced(chain: EmbeddedChain, quick_to_give_up: None) -> None:
    send(chain, range(3))
    before, pid = whole(chain), chain.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    assert chain.up().pid != pid
    assert programs_of(chain) == [chain.status().pid]
    assert whole(chain) == before


def test_several_ups_at_once_start_one_program(chain: EmbeddedChain) -> None:
    send(chain, range(12))
    before = whole(chain)
    chain.kill()
    starters = [run(UP, chain.folder) for _ in range(4)]
    pids = {starter.communicate()[0].strip() for starter in starters}
    assert pids == {str(chain.status().pid)}
    assert [str(pid) for pid in programs_of(chain)] == list(pids)
    assert whole(chain) == before


def test_the_program_outlives_the_command_that_started_it_and_its_terminal(chain: EmbeddedChain) -> None:
    chain.kill()
    with run(UP, chain.folder, start_new_session=True) as starter:
        pid = int(starter.communicate()[0])
        assert starter.returncode == 0
        assert os.getsid(pid) != starter.pid
    assert programs_of(chain) == [pid]


# Ports and process ids


def test_a_taken_port_is_left_to_whoever_has_it(chain: EmbeddedChain) -> None:
    port = int(chain.url.rpartition(":")[2])
    chain.down()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        chain.up()
        assert chain.url != f"http://127.0.0.1:{port}"
    chain.send_raw(signed(chain, 0))


def test_the_port_stays_the_same_while_it_is_free(chain: EmbeddedChain) -> None:
    url = chain.url
    chain.kill()
    chain.up()
    assert chain.url == url


def test_another_chain_on_the_remembered_port_is_not_taken_for_ours(
    chain: EmbeddedChain, tmp_path: Path
) -> None:
    send(chain, range(2))
    before = whole(chain)
    chain.down()
    with EmbeddedChain.create(tmp_path / "other") as other:
        shutil.copy(other.folder / "runtime.json", chain.folder / "runtime.json")
        assert chain.status().url is None
        chain.up()
        assert chain.url != other.url
        assert whole(chain) == before
        assert len(whole(other)[0]) == 1


def test_a_stale_process_id_that_somebody_else_has_now_is_left_alone(
    chain: EmbeddedChain, bystander: "subprocess.Popen[bytes]"
) -> None:
    send(chain, range(2))
    chain.kill()
    stale = {"pid": bystander.pid, "port": int(chain.folder.stat().st_mtime) % 20_000 + 30_000}
    (chain.folder / "runtime.json").write_text(json.dumps(stale))
    assert chain.status().pid is None
    chain.down()
    chain.up()
    assert chain.status().pid != bystander.pid


def test_a_forged_process_id_of_a_running_chain_ends_nobody(
    chain: EmbeddedChain, bystander: "subprocess.Popen[bytes]", quick_to_give_up: None
) -> None:
    runtime = chain.folder / "runtime.json"
    truth = runtime.read_text()
    runtime.write_text(json.dumps({**json.loads(truth), "pid": bystander.pid}))
    with pytest.raises(LedgerProblem, match="does not end"):
        chain.down()
    runtime.write_text(truth)
    assert programs_of(chain) == [chain.status().pid]


@pytest.mark.parametrize("content", ["", "[]", '{"pid": "x", "port": 1}', "\0\0\0"])
def test_an_unreadable_runtime_file_does_not_keep_a_chain_from_starting(
    chain: EmbeddedChain, content: str
) -> None:
    chain.kill()
    (chain.folder / "runtime.json").write_text(content)
    chain.up()
    chain.send_raw(signed(chain, 0))
