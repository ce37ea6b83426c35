"""What the tests of the embedded chain do to it and read from it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from eth_account import Account

from proml.ledger.anvil import EmbeddedChain
from proml.ledger.rpc import Rpc

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


def plain(chain: EmbeddedChain, nonce: int) -> dict[str, Any]:
    return {
        "chainId": chain.settings.chain_id, "nonce": nonce, "to": "0x" + "22" * 20, "value": 0, "gas": 30_000,
        "maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "type": 2,
    }  # fmt: skip


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
