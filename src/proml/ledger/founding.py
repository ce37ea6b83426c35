"""Found a consortium: deploy the contract on a chain and pin what came of it.

The deployer's key gets no right; on the embedded chain it is made for this one transaction and thrown away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from proml.contracts.abi import deployment
from proml.contracts.shipped import artefacts_contract
from proml.core.call import Founder
from proml.core.digest import hexed, keccak256, unhexed
from proml.core.lifecycle import Table
from proml.core.proposal import Governance
from proml.errors import LedgerProblem
from proml.interfaces import Signer, Terms, Transaction
from proml.ledger.answers import content, quantity, strictly
from proml.ledger.blocks import Blocks
from proml.ledger.rpc import Questions

# Code deposit is 200 gas a byte and each rule a fresh slot; measured 3.1 million for the shipped tables.
DEPLOY_GAS = 12_000_000
# Without a new block; a chain that is slow to finality is waited for.
PATIENCE_SECONDS = 120.0
FIRST_POLL_SECONDS = 0.01
LAST_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Founding:
    """What a consortium starts with; fixed for ever except through its own votes."""

    founders: Sequence[Founder]
    rules: Governance
    tables: Sequence[Table]


def found(
    rpc: Questions, send: Callable[[bytes], object], deployer: Signer, founding: Founding, finality: int
) -> Terms:
    """Deploy the shipped contract, wait until it is final, compare its code, and return the terms to pin.

    Args:
        rpc: a connection to the chain.
        send: how signed bytes go out.
        deployer: pays the gas where gas has a price; gets no right.
        founding: members, governance and lifecycles.
        finality: blocks until final on this chain, its own included.

    Raises:
        LedgerProblem: when the chain refuses the deployment, does not mine it within two minutes, or makes
            no block for two minutes before it is final; or when an answer cannot be read.
    """
    compiled = artefacts_contract()
    nonce = quantity(rpc.call("eth_getTransactionCount", [hexed(deployer.address), "latest"]))
    latest = rpc.call("eth_getBlockByNumber", ["latest", False])
    with strictly("eth_getBlockByNumber"):
        base = quantity(latest.get("baseFeePerGas", "0x0"))
    tip = quantity(rpc.call("eth_maxPriorityFeePerGas")) if base else 0
    chain_id = quantity(rpc.call("eth_chainId"))
    creation = deployment(compiled.bytecode, founding.founders, founding.rules, founding.tables)
    transaction = Transaction(chain_id, nonce, b"", creation, DEPLOY_GAS, 2 * base + tip, tip)
    signed = deployer.sign_transaction(transaction)
    send(signed.raw)
    deployed = _wait(rpc, signed.hash, finality)
    code = content(rpc.call("eth_getCode", [hexed(deployed.contract), "latest"]))
    if code != compiled.runtime:
        raise LedgerProblem("the chain holds other code than was deployed", "do not use this chain")
    genesis = Blocks(rpc).at(0)
    if genesis is None:
        raise LedgerProblem("the ledger does not have the chain's first block", "use a node that has it")
    return Terms(
        chain_id=chain_id,
        genesis=genesis.hash,
        contract=deployed.contract,
        deployed=deployed.block,
        code=keccak256(code),
        finality=finality,
    )


class _Deployed(NamedTuple):
    """Where the contract is: number and hash of the block that deployed it, and its address."""

    block: int
    hash: bytes
    contract: bytes


def _wait(rpc: Questions, transaction: bytes, finality: int) -> _Deployed:
    """Wait until a deployment is final: in a block of the chain, with enough blocks upon it.

    A reorganisation may put it into another block, or into none for a while. As long as the chain grows or
    changes, this goes on.
    """
    blocks = Blocks(rpc)
    seen: tuple[_Deployed, int] | None = None
    pause, deadline = FIRST_POLL_SECONDS, time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        deployed = _receipt(rpc, transaction)
        if deployed is not None:
            head = blocks.newest().number
            # The head before the block: a block that is the chain's after that lies as deep at least.
            block = blocks.at(deployed.block)
            on_chain = block is not None and block.hash == deployed.hash
            if on_chain and head - deployed.block + 1 >= finality:
                return deployed
            if on_chain and seen != (deployed, head):
                seen, deadline = (deployed, head), time.monotonic() + PATIENCE_SECONDS
        time.sleep(pause)
        pause = min(2 * pause, LAST_POLL_SECONDS)
    what = "mined" if seen is None else f"final (block {seen[0].block}, newest block {seen[1]})"
    raise LedgerProblem(
        f"transaction {hexed(transaction)} was not {what} after {PATIENCE_SECONDS:.0f} s without a change",
        "nothing was pinned; founding again deploys another contract",
    )


def _receipt(rpc: Questions, transaction: bytes) -> _Deployed | None:
    """Where a deployment was put, None while it is in no block; LedgerProblem when it failed."""
    receipt = rpc.call("eth_getTransactionReceipt", [hexed(transaction)])
    # Some nodes give a receipt without a block while the transaction waits.
    if receipt is None or (isinstance(receipt, dict) and receipt.get("blockNumber") is None):
        return None
    with strictly("eth_getTransactionReceipt"):
        if unhexed(receipt["transactionHash"]) != transaction:
            raise LedgerProblem("the ledger answered with the receipt of another transaction", "try again")
        if quantity(receipt["status"]) != 1:
            raise LedgerProblem(
                "the chain refused to deploy the contracts", "does it support the Cancun EVM?"
            )
        number, block_hash = quantity(receipt["blockNumber"]), unhexed(receipt["blockHash"])
        return _Deployed(number, block_hash, unhexed(receipt["contractAddress"].lower(), 20))
