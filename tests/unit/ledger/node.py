"""A JSON-RPC node over the ledger in memory, so that a test can make it lie."""

# ruff: noqa: N802 -- the methods are called what JSON-RPC calls them
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proml.contracts.abi import encode_event
from proml.core.digest import hexed, keccak256, word
from proml.core.event import Block, Placed
from proml.ledger.memory import MemoryLedger
from proml.ledger.rpc import RpcError

CODE = b"\x60\x80"


class Node:
    """Answers as an honest node would, with exactly what the ledger in memory holds."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self.ledger = ledger

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        return getattr(self, method)(*params)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self.call(method, params) for method, params in calls]

    def eth_chainId(self) -> str:
        return hex(self.ledger.terms.chain_id)

    def eth_getCode(self, contract: str, which: str) -> str:
        return hexed(CODE) if contract == hexed(self.ledger.terms.contract) else "0x"

    def eth_getBlockByNumber(self, which: str, whole: bool) -> Any:
        head = self.ledger.head()
        block = head if which == "latest" else self.ledger.block(int(which, 16))
        return None if block is None else self._block(block)

    def eth_getTransactionCount(self, key: str, which: str) -> str:
        return hex(self.ledger.nonce(bytes.fromhex(key[2:])))

    def eth_maxPriorityFeePerGas(self) -> str:
        return "0x3"

    def eth_call(self, call: dict[str, str], which: str) -> str:
        if str(call["data"])[:10] != hexed(keccak256(b"artefact(bytes32)")[:4]):
            raise RpcError("eth_call", 3, "execution reverted", self._revert)
        standing = self.ledger.standing(bytes.fromhex(call["data"][10:]))
        return hexed(word(standing.word) + standing.head if standing else bytes(64))

    _revert = keccak256(b"Refused(uint256)")[:4] + word(1)

    def eth_getLogs(self, asked: dict[str, str]) -> list[Any]:
        if "blockHash" in asked:
            first = last = self._number(asked["blockHash"])
        else:
            first, last = int(asked["fromBlock"], 16), int(asked["toBlock"], 16)
        return [self._log(placed) for placed in self.ledger.events(first, last)]

    def eth_getTransactionReceipt(self, transaction: str) -> Any:
        receipt = self.ledger.receipt(bytes.fromhex(transaction[2:]))
        if receipt is None:
            return None
        return {
            "transactionHash": transaction,
            "blockNumber": hex(receipt.block.number),
            "blockHash": hexed(receipt.block.hash),
            "status": hex(receipt.succeeded),
            "gasUsed": hex(receipt.gas_used),
            "logs": [self._log(placed) for placed in receipt.events],
        }

    def eth_getTransactionByHash(self, transaction: str) -> Any:
        return {
            "from": hexed(bytes(20)),
            "to": hexed(self.ledger.terms.contract),
            "gas": "0x1",
            "input": "0x",
        }

    def _number(self, name: str) -> int:
        for number in range(self.ledger.head().number + 1):
            block = self.ledger.block(number)
            if block is not None and hexed(block.hash) == name:
                return number
        raise RpcError("eth_getLogs", -32000, "unknown block")

    def _block(self, block: Block) -> dict[str, Any]:
        before = self.ledger.block(block.number - 1) if block.number else None
        return {
            "parentHash": hexed(before.hash if before else bytes(32)),
            "number": hex(block.number),
            "hash": hexed(block.hash),
            "timestamp": hex(block.time),
            "baseFeePerGas": "0x7",
        }

    def _log(self, placed: Placed) -> dict[str, Any]:
        topics, content = encode_event(placed.event)
        return {
            "address": hexed(self.ledger.terms.contract),
            "topics": [hexed(topic) for topic in topics],
            "data": hexed(content),
            "blockNumber": hex(placed.block.number),
            "blockHash": hexed(placed.block.hash),
            "transactionHash": hexed(placed.transaction),
            "logIndex": hex(placed.index),
            "removed": False,
        }
