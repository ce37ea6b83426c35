"""What is wrong with the signatures that a call brings along, as the contracts judge them."""

from __future__ import annotations

from proml.contracts.typed import Typed, typed_approval, typed_step
from proml.core.call import ActForCall, ApproveForCall, BatchForCall, ContractCall, Signed
from proml.core.refusal import Reason
from proml.interfaces import Terms
from proml.signing.recovery import is_well_formed, signer_of


def flaws_of(terms: Terms, call: ContractCall) -> tuple[Reason | None, ...]:
    """Of each signed step or approval in turn, None for a good signature; empty for other calls."""
    match call:
        case ActForCall():
            return (_flaw(terms, typed_step(call.signed.step, call.signed.by.deadline), call.signed.by),)
        case BatchForCall():
            return tuple(_flaw(terms, typed_step(s.step, s.by.deadline), s.by) for s in call.steps)
        case ApproveForCall():
            return (_flaw(terms, typed_approval(call.asked, call.by.deadline), call.by),)
    return ()


def _flaw(terms: Terms, typed: Typed, by: Signed) -> Reason | None:
    if not is_well_formed(by.signature):
        return Reason.SIGNATURE_MALFORMED
    good = signer_of(typed.statement(terms).digest, by.signature) == by.signer
    return None if good else Reason.SIGNATURE_INVALID
