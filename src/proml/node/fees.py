"""What a transaction offers, and what it offers next when it waits too long: bounded steps up to a cap."""

from __future__ import annotations

from proml.core.digest import hexed
from proml.errors import LedgerProblem
from proml.interfaces import Fees
from proml.node.transactions import Sent

# Nodes want at least 10 % more before they take another transaction for the same nonce; some want 12.5 %.
STEP_PERCENT = 112.5
# In wei per gas: 500 gwei, ten times what a busy public chain asks. Beyond it somebody shall decide.
CAP = 500_000_000_000
GAS_CAP = 1 << 24


def offered(asked: Fees, cap: int) -> Fees:
    """What to offer at first: what is asked, and never more than the cap."""
    return Fees(min(asked.max_fee, cap), min(asked.max_tip, cap), asked.block_gas)


def raised(sent: Sent, asked: Fees, cap: int) -> Fees | None:
    """What to offer instead of what waits: an eighth more, or what is asked now where that is more.

    None where nothing costs anything: then it is not the fee that it waits for.

    Raises:
        LedgerProblem: when the cap leaves no room for a step that nodes would take.
    """
    if not sent.max_fee and not asked.max_fee:
        return None
    least = Fees(_step(sent.max_fee), _step(sent.max_tip), asked.block_gas)
    if least.max_fee > cap:
        raise LedgerProblem(
            f"transaction {hexed(sent.hash)} waits, and offers {sent.max_fee} wei per gas already",
            f"the cap is {cap}: wait until the chain is cheaper; nothing is lost",
        )
    fee = min(cap, max(least.max_fee, asked.max_fee))
    return Fees(fee, min(fee, max(least.max_tip, asked.max_tip)), asked.block_gas)


def batch_gas(asked: Fees) -> int:
    """The most gas that one transaction should be able to use: most of a block, and what EIP-7825 allows."""
    return min(GAS_CAP, asked.block_gas * 9 // 10) if asked.block_gas else GAS_CAP


def _step(amount: int) -> int:
    return -int(-amount * STEP_PERCENT // 100) if amount else 1
