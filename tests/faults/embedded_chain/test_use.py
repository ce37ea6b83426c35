"""The embedded chain in ordinary use, and what it refuses."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account

from proml.errors import LedgerProblem, WrongLedger
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.rpc import Rpc, RpcError
from tests.faults.embedded_chain.probe import ENDLESS, on_disk, plain, programs_of, send, signed, whole

pytestmark = pytest.mark.faults


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
    raws = [bytes(key.sign_transaction(plain(chain, n)).raw_transaction) for key in keys for n in range(4)]
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
