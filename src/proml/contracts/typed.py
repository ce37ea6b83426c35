"""What keys sign for others to send: EIP-712 statements of the contracts.

Bound to chain id and contract, so they are worth nothing on a fork or at another deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proml.contracts.consent import CONSENT_TYPE, DOMAIN, NAME, VERSION, domain_separator
from proml.core.call import ApproveCall, ApproveForCall, Signed, SignedStep, StepCall
from proml.core.digest import hexed, keccak256, word
from proml.core.event import inputs_digest
from proml.interfaces import Signer, Statement, Terms

STEP = (
    "Step(bytes32 artefact,uint256 lifecycle,uint256 action,uint256 sequence,bytes32 record,bytes32 subject,"
    "bytes32 inputs,uint256 deadline)"
)
APPROVAL = (
    "Approval(bytes32 artefact,uint256 action,uint256 sequence,bytes32 subject,bytes32 record,"
    "uint256 deadline)"
)
# The types of all statements that a key may have to sign.
STATEMENTS = (CONSENT_TYPE, keccak256(STEP.encode()), keccak256(APPROVAL.encode()))


@dataclass(frozen=True, slots=True)
class Typed:
    """A statement before it is bound to a ledger.

    Attributes:
        type: as EIP-712 encodes it: its name, and types and names of its fields.
        values: of the fields, in their order: numbers, and 32 bytes.
    """

    type: str
    values: tuple[int | bytes, ...]

    def statement(self, terms: Terms) -> Statement:
        """What a signer signs."""
        content = keccak256(self.type.encode()) + b"".join(word(value) for value in self.values)
        return Statement(domain_separator(terms.chain_id, terms.contract), content)

    def document(self, terms: Terms) -> dict[str, Any]:
        """The same for a program that shows people what they sign: the argument of `eth_signTypedData_v4`.

        Numbers are decimal strings, since some exceed what JSON readers keep exactly.
        """
        name = self.type.partition("(")[0]
        values = [hexed(each) if isinstance(each, bytes) else str(each) for each in self.values]
        keys = [field["name"] for field in _fields(self.type)]
        return {
            "types": {"EIP712Domain": _fields(DOMAIN), name: _fields(self.type)},
            "primaryType": name,
            "domain": {
                "name": NAME,
                "version": VERSION,
                "chainId": terms.chain_id,
                "verifyingContract": hexed(terms.contract),
            },
            "message": dict(zip(keys, values, strict=True)),
        }


def typed_step(asked: StepCall, deadline: int) -> Typed:
    """That a step is to be taken for the signer, by `deadline` (seconds since 1970).

    Its inputs and the approvals that it relies on are in one digest: that of the artefact's head.
    """
    rests_on = inputs_digest(asked.inputs, asked.approvals)
    what = asked.artefact, asked.lifecycle, asked.action, asked.sequence, asked.record, asked.subject
    return Typed(STEP, (*what, rests_on, deadline))


def typed_approval(asked: ApproveCall, deadline: int) -> Typed:
    """That an approval is to be given for the signer, by `deadline` (seconds since 1970)."""
    what = asked.artefact, asked.action, asked.sequence, asked.subject, asked.record
    return Typed(APPROVAL, (*what, deadline))


def sign_step(signer: Signer, terms: Terms, asked: StepCall, deadline: int) -> SignedStep:
    """A step that anybody may send, once, to this ledger, until `deadline`; the signer takes it.

    Raises KeyProblem when the key cannot be used now, or may not sign such a statement.
    """
    signature = signer.sign_statement(typed_step(asked, deadline).statement(terms))
    return SignedStep(asked, Signed(signer.address, deadline, signature))


def sign_approval(signer: Signer, terms: Terms, asked: ApproveCall, deadline: int) -> ApproveForCall:
    """An approval that anybody may send, once, to this ledger, until `deadline`; the signer gives it.

    Raises KeyProblem when the key cannot be used now, or may not sign such a statement.
    """
    signature = signer.sign_statement(typed_approval(asked, deadline).statement(terms))
    return ApproveForCall(asked, Signed(signer.address, deadline, signature))


def _fields(type_: str) -> list[dict[str, str]]:
    inside = type_[type_.index("(") + 1 : -1]
    return [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in inside.split(",")]
