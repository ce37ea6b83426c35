"""Steps and approvals that one key signs and another sends, in every form, good and bad."""

from __future__ import annotations

from dataclasses import replace

from eth_account.signers.local import LocalAccount

from proml.contracts.typed import Typed, sign_approval, sign_step, typed_approval, typed_step
from proml.core.call import (
    ActForCall,
    ApproveCall,
    ApproveForCall,
    BatchForCall,
    Signed,
    SignedStep,
    StepCall,
)
from proml.core.digest import word
from proml.core.event import Refused, Step
from proml.core.refusal import Reason
from proml.signing import LocalSigner
from tests.contracts.cast import ACCOUNTS, GUEST, KEYS
from tests.contracts.side_by_side import SideBySide

# secp256k1 (SEC 2, section 2.4.1): the order of the curve.
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HOUR = 3_600


def account_of(key: bytes) -> LocalAccount:
    """The account of one of the cast's keys."""
    return ACCOUNTS[KEYS.index(key)]


def in_an_hour(side: SideBySide) -> int:
    return side.contract.time + HOUR


def signed(side: SideBySide, key: bytes, asked: StepCall, deadline: int | None = None) -> SignedStep:
    """A step that the key signs for this contract."""
    until = in_an_hour(side) if deadline is None else deadline
    return sign_step(LocalSigner(account_of(key)), side.terms, asked, until)


def signed_approval(side: SideBySide, key: bytes, asked: ApproveCall) -> ApproveForCall:
    return sign_approval(LocalSigner(account_of(key)), side.terms, asked, in_an_hour(side))


def by(signer: bytes, statement: Typed, deadline: int, side: SideBySide, **terms: object) -> Signed:
    """What a key signs over any statement, for any ledger."""
    return Signed(
        signer,
        deadline,
        LocalSigner(account_of(signer)).sign_statement(statement.statement(replace(side.terms, **terms))),
    )


def _parts(signature: bytes) -> tuple[int, int, int]:
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]


def _joined(r: int, s: int, v: int) -> bytes:
    return word(r) + word(s) + bytes([v])


def malformed(signature: bytes) -> dict[str, bytes]:
    """The same signature in every form that is not the one there is."""
    r, s, v = _parts(signature)
    compact = s | (v - 27) << 255
    return {
        "its malleable twin": _joined(r, ORDER - s, 55 - v),
        "the twin with the old v": _joined(r, ORDER - s, v),
        "the largest s": _joined(r, 2**256 - 1, v),
        "s just above the half": _joined(r, ORDER // 2 + 1, v),
        "v 0": _joined(r, s, 0),
        "v 1": _joined(r, s, 1),
        "v 26": _joined(r, s, 26),
        "v 29": _joined(r, s, 29),
        "v 255": _joined(r, s, 255),
        "no r": _joined(0, s, v),
        "no s": _joined(r, 0, v),
        "nothing at all": bytes(65),
        "64 bytes, made 65": _joined(r, compact, 0),
    }


def foreign(signature: bytes) -> dict[str, bytes]:
    """Well formed, and not the signer's."""
    r, s, v = _parts(signature)
    return {
        "the other v": _joined(r, s, 55 - v),
        "another r": _joined(r ^ 1, s, v),
        "another s": _joined(r, s ^ 1, v),
        "r beyond the order": _joined(2**256 - 1, s, v),
        "r of the order": _joined(ORDER, s, v),
        "r one, s one": _joined(1, 1, 27),
    }


def over(side: SideBySide, asked: StepCall, signer: bytes, other: StepCall) -> SignedStep:
    """`asked` with a signature over another step."""
    until = in_an_hour(side)
    return SignedStep(asked, by(signer, typed_step(other, until), until, side))


def approval_over(side: SideBySide, asked: ApproveCall, signer: bytes, other: ApproveCall) -> ApproveForCall:
    """`asked` with a signature over another approval."""
    until = in_an_hour(side)
    return ApproveForCall(asked, by(signer, typed_approval(other, until), until, side))


def refusal_for(side: SideBySide, asked: SignedStep, sender: bytes = GUEST) -> Reason:
    """Why a signed step is refused, alone and in a batch alike; nothing may change by either."""
    alone = side.refused(sender, ActForCall(asked))
    before = side.contract.storage()
    (event,) = side.accepted(sender, BatchForCall((asked,)))
    assert isinstance(event, Refused)
    assert side.contract.storage() == before
    assert (event.item, event.reason) == (0, alone)
    return alone


def made_for(side: SideBySide, asked: SignedStep, sender: bytes = GUEST) -> Step:
    """A signed step that must be accepted; its event."""
    (event,) = side.accepted(sender, ActForCall(asked))
    assert isinstance(event, Step)
    return event
