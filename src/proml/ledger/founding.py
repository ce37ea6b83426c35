"""Found a consortium: deploy the contract on a chain and pin what came of it.

The deployer's key gets no right; on the embedded chain it is made for this one transaction and thrown away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from proml.contracts.abi import deployment
from proml.contracts.shipped import artefacts_contract
from proml.core.call import Founder
from proml.core.digest import hexed, keccak256, unhexed
from proml.core.lifecycle import Table
from proml.core.proposal import Governance
from proml.errors import LedgerProblem
from proml.interfaces import Signer, Terms, Transaction
from proml.ledger.rpc import Questions

# Code deposit is 200 gas a byte and each rule a fresh slot; measured 3.1 million for the shipped tables.
DEPLOY_GAS = 12_000_000
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Founding:
    """What a consortium starts with; fixed for ever except through its own votes."""

    founders: Sequence[Founder]
    rules: Governance
    tables: Sequence[Table]


def found(
    rpc: Questions, send: Callable[[bytes], object], deployer: Signer, founding: Founding, finality: int
) -> Terms:
    """Deploy the shipped contract, wait for it, compare its code, and return the terms to pin.

    Args:
        rpc: a connection to the chain.
        send: how signed bytes go out.
        deployer: pays the gas where gas has a price; gets no right.
        founding: members, governance and lifecycles.
        finality: blocks until final on this chain, its own included.

    Raises:
        LedgerProblem: when the chain refuses the deployment, or does not mine it within two minutes.
    """
    compiled = artefacts_contract()
    nonce = int(rpc.call("eth_getTransactionCount", [hexed(deployer.address), "latest"]), 16)
    base = int(rpc.call("eth_getBlockByNumber", ["latest", False]).get("baseFeePerGas", "0x0"), 16)
    tip = int(rpc.call("eth_maxPriorityFeePerGas"), 16) if base else 0
    chain_id = int(rpc.call("eth_chainId"), 16)
    creation = deployment(compiled.bytecode, founding.founders, founding.rules, founding.tables)
    transaction = Transaction(chain_id, nonce, b"", creation, DEPLOY_GAS, 2 * base + tip, tip)
    signed = deployer.sign_transaction(transaction)
    send(signed.raw)
    receipt = _wait(rpc, signed.hash)
    if int(receipt["status"], 16) != 1:
        raise LedgerProblem("the chain refused to deploy the contracts", "does it support the Cancun EVM?")
    contract = unhexed(receipt["contractAddress"].lower(), 20)
    code = bytes.fromhex(rpc.call("eth_getCode", [hexed(contract), "latest"])[2:])
    if code != compiled.runtime:
        raise LedgerProblem("the chain holds other code than was deployed", "do not use this chain")
    return Terms(
        chain_id=chain_id,
        genesis=unhexed(rpc.call("eth_getBlockByNumber", ["0x0", False])["hash"]),
        contract=contract,
        deployed=int(receipt["blockNumber"], 16),
        code=keccak256(code),
        finality=finality,
    )


def _wait(rpc: Questions, transaction: bytes) -> dict[str, str]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        receipt = rpc.call("eth_getTransactionReceipt", [hexed(transaction)])
        if isinstance(receipt, dict):
            return receipt
        time.sleep(0.02)
    raise LedgerProblem(f"transaction {hexed(transaction)} was not mined in {PATIENCE_SECONDS:.0f} seconds")
