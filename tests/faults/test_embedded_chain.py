"""The embedded chain, with the real anvil: whatever breaks, what was acknowledged stays as it was."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from proml.errors import LedgerProblem, NotFound, WrongLedger
from proml.ledger import anvil, anvil_process
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.rpc import Rpc, RpcError

pytestmark = pytest.mark.faults

KEY = Account.from_key("0x" + "11" * 32)
# Creates a contract without code; burns all its gas; says nothing wrong until it runs.
ENDLESS = bytes.fromhex("5b600056")

SEND_ALL = """
import sys
from pathlib import Path
from proml.errors import LedgerProblem
from proml.ledger.anvil import EmbeddedChain
chain = EmbeddedChain(Path(sys.argv[1]), dump_every=7)
for line in Path(sys.argv[2]).read_text().split():
    try:
        print(chain.send_raw(bytes.fromhex(line)).hex(), flush=True)
    except LedgerProblem as problem:
        sys.exit(problem.message)
"""
UP = """
import sys
from pathlib import Path
from proml.ledger.anvil import EmbeddedChain
print(EmbeddedChain(Path(sys.argv[1])).up().pid)
"""


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[EmbeddedChain]:
    """A running chain that saves its state every ten blocks and never outlives its test."""
    chain = EmbeddedChain.create(tmp_path / "chain", dump_every=10)
    chain.up()
    yield chain
    chain.kill()


@pytest.fixture
def quick_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anvil, "_PROBE_SECONDS", 0.3)
    monkeypatch.setattr(anvil_process, "_TERMINATE_SECONDS", 0.3)
    monkeypatch.setattr(anvil_process, "_KILL_SECONDS", 0.3)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's process, which must survive."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        assert process.poll() is None
        process.kill()


def signed(chain: EmbeddedChain, nonce: int, **changes: Any) -> bytes:
    fields = {
        "type": 2,
        "chainId": chain.settings.chain_id,
        "nonce": nonce,
        "to": "0x" + "22" * 20,
        "value": 0,
        "data": nonce.to_bytes(4, "big"),
        "gas": 60_000,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
    }
    fields.update(changes)
    return bytes(KEY.sign_transaction({k: v for k, v in fields.items() if v is not None}).raw_transaction)


def send(chain: EmbeddedChain, nonces: range) -> None:
    for nonce in nonces:
        chain.send_raw(signed(chain, nonce))


def whole(chain: EmbeddedChain) -> list[Any]:
    """Every block with its transactions, hashes, time, and every receipt."""
    with Rpc(chain.url) as rpc:
        height = int(rpc.call("eth_blockNumber"), 16)
        blocks = rpc.batch([("eth_getBlockByNumber", [hex(n), True]) for n in range(height + 1)])
        hashes = [transaction["hash"] for block in blocks for transaction in block["transactions"]]
        receipts = rpc.batch([("eth_getTransactionReceipt", [name]) for name in hashes])
    assert None not in receipts
    assert [len(block["transactions"]) for block in blocks] == [0] + [1] * height
    return [blocks, receipts]


def on_disk(chain: EmbeddedChain) -> dict[str, bytes]:
    """The files that must not change when something is refused."""
    kept = [*chain.folder.glob("*.dump"), *chain.folder.glob("*.json"), chain.folder / "transactions.log"]
    return {path.name: path.read_bytes() for path in kept}


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def run(code: str, *words: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def programs_of(chain: EmbeddedChain) -> list[int]:
    home = os.fsencode(chain.folder / "anvil-home")
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if home in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


# The ordinary course


def test_a_transaction_is_in_the_next_block_when_send_returns(chain: EmbeddedChain) -> None:
    transaction = chain.send_raw(signed(chain, 0))
    with Rpc(chain.url) as rpc:
        receipt = rpc.call("eth_getTransactionReceipt", ["0x" + transaction.hex()])
    assert (receipt["status"], receipt["blockNumber"]) == ("0x1", "0x1")
    assert chain.status().blocks == 1


def test_a_transaction_that_fails_inside_the_evm_is_in_its_block_all_the_same(chain: EmbeddedChain) -> None:
    transaction = chain.send_raw(signed(chain, 0, to=None, data=ENDLESS, gas=20_000_000))
    with Rpc(chain.url) as rpc:
        receipt = rpc.call("eth_getTransactionReceipt", ["0x" + transaction.hex()])
    assert receipt["status"] == "0x0"
    send(chain, range(1, 3))  # a full block must not make the next ones cost something


def test_sending_the_same_bytes_again_changes_nothing(chain: EmbeddedChain) -> None:
    raw = signed(chain, 0)
    first = chain.send_raw(raw)
    before = whole(chain), on_disk(chain)
    assert chain.send_raw(raw) == first
    assert EmbeddedChain(chain.folder).send_raw(raw) == first
    assert (whole(chain), on_disk(chain)) == before


def test_two_chains_never_share_a_chain_id_and_refuse_each_others_transactions(
    chain: EmbeddedChain, tmp_path: Path
) -> None:
    with EmbeddedChain.create(tmp_path / "other") as other:
        assert other.settings.chain_id != chain.settings.chain_id
        assert 1 << 30 <= other.settings.chain_id < 1 << 31
        with pytest.raises(RpcError, match="chain id"):
            other.send_raw(signed(chain, 0))
        assert other.status().blocks == 0


def test_up_on_a_running_chain_is_the_same_program(chain: EmbeddedChain) -> None:
    before = chain.status()
    assert chain.up() == before
    assert EmbeddedChain(chain.folder).up() == before


def test_down_saves_everything_and_up_brings_back_the_same_chain(chain: EmbeddedChain) -> None:
    send(chain, range(13))
    before = whole(chain)
    chain.down()
    stopped = chain.status()
    assert (stopped.url, stopped.pid, stopped.blocks, stopped.unsaved) == (None, None, 13, 0)
    assert programs_of(chain) == []
    chain.down()
    chain.up()
    assert whole(chain) == before


def test_the_state_is_saved_now_and_then_and_two_saves_are_kept(chain: EmbeddedChain) -> None:
    send(chain, range(35))
    assert [path.name for path in sorted(chain.folder.glob("*.dump"))] == [
        "state-0000000020.dump",
        "state-0000000030.dump",
    ]
    assert chain.status().unsaved == 5


def test_the_block_time_is_the_clock_and_never_runs_backwards(tmp_path: Path) -> None:
    now = 1_800_000_000.9
    with EmbeddedChain.create(tmp_path / "chain", clock=lambda: now) as chain:
        for nonce, passed in enumerate((5.0, 5.2, -3_600.0, -10.0, 60.0)):
            now = 1_800_000_000.9 + passed
            chain.send_raw(signed(chain, nonce))
        times = [int(block["timestamp"], 16) - 1_800_000_000 for block in whole(chain)[0]]
        assert times == [0, 5, 6, 6, 6, 60]
        before = whole(chain)
        chain.kill()
        chain.up()
        assert whole(chain) == before


def test_threads_sending_at_once_each_get_a_block_of_their_own(chain: EmbeddedChain) -> None:
    keys = [Account.from_key(bytes([n]) * 32) for n in range(1, 6)]
    raws = [bytes(key.sign_transaction(_plain(chain, n)).raw_transaction) for key in keys for n in range(4)]
    sent: set[bytes] = set()

    def send_four(first: int) -> None:
        for raw in raws[first : first + 4]:
            sent.add(chain.send_raw(raw))

    threads = [threading.Thread(target=send_four, args=(first,)) for first in range(0, 20, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 20
    assert len(whole(chain)[0]) == 21


def _plain(chain: EmbeddedChain, nonce: int) -> dict[str, Any]:
    return {
        "chainId": chain.settings.chain_id, "nonce": nonce, "to": "0x" + "22" * 20, "value": 0, "gas": 30_000,
        "maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "type": 2,
    }  # fmt: skip


# Refusals


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (lambda chain: signed(chain, 0, data=b"other"), "nonce too low"),
        (lambda chain: signed(chain, 4), "nonce too high"),
        (lambda chain: signed(chain, 2, chainId=1), "chain id"),
        (lambda chain: signed(chain, 2, value=1), "funds"),
        (lambda chain: signed(chain, 2, gas=20_000), "intrinsic gas too low"),
        (lambda chain: signed(chain, 2, gas=21_001), "dropped while its block was made"),
        (lambda chain: signed(chain, 2, gas=2_000_000_000), "gas"),
        (lambda chain: signed(chain, 2, to=None, data=bytes(60_000), gas=9_000_000), "initcode"),
        (lambda chain: b"\x02 nonsense", "decode"),
        (lambda chain: b"", "1 to 1,048,576 bytes"),
        (lambda chain: bytes((1 << 20) + 1), "1 to 1,048,576 bytes"),
    ],
)
def test_a_refused_transaction_makes_no_block_and_is_void_for_good(
    chain: EmbeddedChain, spoilt: Callable[[EmbeddedChain], bytes], words: str
) -> None:
    send(chain, range(2))
    before = whole(chain)
    with pytest.raises(RpcError, match=words):
        chain.send_raw(spoilt(chain))
    assert whole(chain) == before
    assert chain.status().blocks == 2
    send(chain, range(2, 4))
    after = whole(chain)
    assert after[0][:3] == before[0]
    chain.kill()
    chain.up()
    assert whole(chain) == after


def test_a_stopped_chain_takes_nothing_and_says_how_to_start_it(chain: EmbeddedChain) -> None:
    raw = signed(chain, 0)
    chain.down()
    before = on_disk(chain)
    with pytest.raises(LedgerProblem, match="does not run") as caught:
        chain.send_raw(raw)
    assert not isinstance(caught.value, RpcError)
    assert "proml ledger up" in caught.value.hint
    with pytest.raises(LedgerProblem, match="does not run"):
        _ = chain.url
    assert on_disk(chain) == before


def test_what_reaches_anvil_past_the_log_never_gets_into_a_block(chain: EmbeddedChain) -> None:
    with Rpc(chain.url) as rpc:
        foreign = rpc.call("eth_sendRawTransaction", ["0x" + signed(chain, 0, data=b"foreign").hex()])
        rpc.call("eth_sendRawTransaction", ["0x" + signed(chain, 7).hex()])
        chain.send_raw(signed(chain, 0))
        assert rpc.call("eth_getTransactionReceipt", [foreign]) is None
    assert len(whole(chain)[0]) == 2


def test_blocks_made_past_the_log_are_noticed_and_gone_after_a_restart(chain: EmbeddedChain) -> None:
    send(chain, range(2))
    before = whole(chain)
    with Rpc(chain.url) as rpc:
        rpc.call("evm_mine")
    disk = on_disk(chain)
    with pytest.raises(WrongLedger, match="has 3 blocks and its log 2"):
        chain.send_raw(signed(chain, 2))
    with pytest.raises(WrongLedger):
        chain.up()
    assert on_disk(chain) == disk
    chain.down()
    chain.up()
    assert whole(chain) == before


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
