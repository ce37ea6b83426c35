"""A signer that signs for one ledger only: its chain, its contract, its calls and its statements.

Whatever else asks, be it a fault of ours or a call put together by somebody else, gets no signature.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from proml.core.digest import hexed
from proml.errors import KeyProblem
from proml.interfaces import SignedTransaction, Signer, Statement, Transaction

_HINT = "nothing was signed; if you did not mean another ledger, report it"


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be signed.

    Attributes:
        chain_id: of the one chain.
        contract: the one address calls go to, 20 bytes.
        calls: first 4 bytes of the calls that exist.
        domain: the one EIP-712 domain separator, 32 bytes.
        statements: hashes of the types of statements that exist, 32 bytes each.
    """

    chain_id: int
    contract: bytes
    calls: Collection[bytes]
    domain: bytes
    statements: Collection[bytes]


class PolicySigner:
    """Another signer behind a policy."""

    def __init__(self, signer: Signer, policy: Policy) -> None:
        """Take a signer; nothing is checked before something is to be signed."""
        self._signer = signer
        self._policy = policy

    @property
    def address(self) -> bytes:
        """The key's 20-byte address."""
        return self._signer.address

    def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        """Sign a call of this ledger.

        Raises:
            KeyProblem: when it is for another chain or contract, or no call of ProML; and as the signer.
        """
        policy = self._policy
        if transaction.chain_id != policy.chain_id:
            raise KeyProblem(f"the key may not sign for chain {transaction.chain_id}", _HINT)
        if transaction.to != policy.contract:
            raise KeyProblem(f"the key may not call the contract {hexed(transaction.to)}", _HINT)
        if transaction.call[:4] not in policy.calls:
            raise KeyProblem(f"the key may not make the call {hexed(transaction.call[:4])}", _HINT)
        return self._signer.sign_transaction(transaction)

    def sign_statement(self, statement: Statement) -> bytes:
        """Sign a statement to this ledger.

        Raises:
            KeyProblem: when it is for another one, or of no type of ProML's; and as the signer.
        """
        if statement.domain != self._policy.domain:
            raise KeyProblem("the key may not sign a statement to another ledger", _HINT)
        if statement.content[:32] not in self._policy.statements:
            raise KeyProblem("the key may not sign a statement of that type", _HINT)
        return self._signer.sign_statement(statement)

    def __repr__(self) -> str:
        return f"PolicySigner({self._signer!r})"
