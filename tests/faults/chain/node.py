"""A chain of its own for a test: anvil as other nodes are, making blocks when told, for a price."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from proml.errors import LedgerProblem
from proml.ledger.anvil_binary import find_anvil
from proml.ledger.rpc import Rpc

START_SECONDS = 30.0
CHAIN_ID = 31_337


@contextmanager
def anvil(chain_id: int = CHAIN_ID) -> Iterator[tuple[str, int]]:
    """A fresh chain for as long as the block lasts; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(find_anvil()), "--port", str(port), "--chain-id", str(chain_id), "--no-mining", "--quiet",
        "--accounts", "0", "--hardfork", "cancun", "--order", "fifo",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(process, port)
            yield "127.0.0.1", port
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(LedgerProblem), Rpc(f"http://127.0.0.1:{port}") as rpc:
            rpc.call("eth_chainId")
            return
        time.sleep(0.02)
    raise AssertionError("anvil does not start")
