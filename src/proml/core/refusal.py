"""The reasons for which the contracts refuse, with their numbers and what to do about each."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Number of a refusal as it stands in the `Refused` event and error."""

    UNKNOWN_KEY = 1
    KEY_REVOKED = 2
    KEY_EXPIRED = 3
    SCOPE_MISSING = 4
    ORGANISATION_REMOVED = 5
    KEY_IN_USE = 6
    CONSENT_INVALID = 7
    NOT_YOUR_KEY = 8
    OUT_OF_RANGE = 9
    EXISTS = 20
    UNKNOWN_ARTEFACT = 21
    WRONG_SEQUENCE = 22
    NO_TRANSITION = 23
    ROLE_MISSING = 24
    NOT_CUSTODIAN = 25
    DUTY_CONFLICT = 26
    RECORD_MISSING = 27
    SUBJECT_MISSING = 28
    INPUTS_MISSING = 29
    INPUT_UNKNOWN = 30
    INPUT_AHEAD = 31
    INPUT_UNUSABLE = 32
    INPUT_KIND = 33
    EMPTY_ANCHOR = 34
    INPUTS_UNBALANCED = 35
    APPROVALS_MISSING = 36
    APPROVAL_INVALID = 37
    APPROVAL_NOT_ASKED = 38
    APPROVED_ALREADY = 39
    UNKNOWN_PROPOSAL = 40
    PROPOSAL_OPEN = 41
    PROPOSAL_CLOSED = 42
    PROPOSAL_LAPSED = 43
    VOTED_ALREADY = 44
    VOTES_MISSING = 45
    TOO_EARLY = 46
    PROPOSAL_DIFFERS = 47
    NOT_A_MEMBER = 48
    TOO_FEW_MEMBERS = 49
    NOT_YOUR_PROPOSAL = 50
    LIFECYCLE_INVALID = 51
    STILL_A_MEMBER = 52
    NOT_OFFERED = 60
    DISPUTED_ALREADY = 61
    NOT_DISPUTED = 62
    NOT_YOUR_DISPUTE = 63
    INPUTS_NOT_ASKED = 64
    SIGNATURE_MALFORMED = 70
    SIGNATURE_INVALID = 71
    DEADLINE_PASSED = 72

    @property
    def text(self) -> str:
        """One phrase for people."""
        return _TEXTS[self][0]

    @property
    def hint(self) -> str:
        """What to do about it."""
        return _TEXTS[self][1]


_TEXTS = {
    Reason.UNKNOWN_KEY: ("the key belongs to no member", "ask a member to add it: proml key show"),
    Reason.KEY_REVOKED: ("the key was revoked", "use another key of your organisation"),
    Reason.KEY_EXPIRED: ("the key has expired", "use another key of your organisation"),
    Reason.SCOPE_MISSING: (
        "the key's scope does not cover this",
        "use a key with that scope: proml key list",
    ),
    Reason.ORGANISATION_REMOVED: (
        "the organisation is no longer a member",
        "history stays readable; writing ended",
    ),
    Reason.KEY_IN_USE: ("the key belongs to an organisation already", "make a new one: proml key new"),
    Reason.CONSENT_INVALID: ("the new key did not sign its consent", "sign again with the new key itself"),
    Reason.NOT_YOUR_KEY: (
        "the key belongs to another organisation",
        "only its own organisation may revoke it",
    ),
    Reason.OUT_OF_RANGE: ("a number is out of range", "see docs/contracts.md for the bounds"),
    Reason.EXISTS: (
        "an artefact with this id exists already",
        "it was registered before; nothing more to do",
    ),
    Reason.UNKNOWN_ARTEFACT: ("no such artefact", "register it first"),
    Reason.WRONG_SEQUENCE: (
        "somebody else moved the artefact first",
        "look at it again, then repeat the step",
    ),
    Reason.NO_TRANSITION: (
        "its present state does not allow this action",
        "see proml show for what is allowed",
    ),
    Reason.ROLE_MISSING: ("the organisation lacks the role for this", "see proml show for who may"),
    Reason.NOT_CUSTODIAN: ("only the custodian may do this", "ask the custodian, or take custody first"),
    Reason.DUTY_CONFLICT: (
        "whoever did an earlier step may not do this one",
        "another organisation must do it",
    ),
    Reason.RECORD_MISSING: ("the record commitment is empty", "seal a record first"),
    Reason.SUBJECT_MISSING: ("this action needs a subject", "name the file or folder it speaks of"),
    Reason.INPUTS_MISSING: ("this action needs more inputs", "name what it derives from"),
    Reason.INPUT_UNKNOWN: ("an input is not registered", "register the input first"),
    Reason.INPUT_AHEAD: ("an input is named at a sequence it has not reached", "look at the input again"),
    Reason.INPUT_UNUSABLE: ("an input is not in a usable state", "it needs approval, or it was recalled"),
    Reason.INPUT_KIND: ("no input is of the kind this action needs", "name an input of that kind"),
    Reason.EMPTY_ANCHOR: ("an anchor needs a root and a count", "anchor at least one observation"),
    Reason.INPUTS_UNBALANCED: (
        "the inputs of a batch do not add up",
        "this is a fault of the sending program",
    ),
    Reason.APPROVALS_MISSING: (
        "too few organisations approved this step",
        "ask for their approvals: proml show says whose",
    ),
    Reason.APPROVAL_INVALID: (
        "an approval is not for this step, is stale, or its giver may not approve any more",
        "ask for the approval again",
    ),
    Reason.APPROVAL_NOT_ASKED: ("this action needs no approvals", "take the step itself"),
    Reason.APPROVED_ALREADY: ("the same approval was given before", "nothing more to do"),
    Reason.UNKNOWN_PROPOSAL: ("there is no proposal of this number", "proposals are counted from 1"),
    Reason.PROPOSAL_OPEN: (
        "the organisation has an open proposal already",
        "wait until it is decided, or cancel it",
    ),
    Reason.PROPOSAL_CLOSED: ("the proposal was executed or cancelled", "propose it again if need be"),
    Reason.PROPOSAL_LAPSED: (
        "the proposal expired, or a member or the threshold changed since",
        "propose it again",
    ),
    Reason.VOTED_ALREADY: ("the organisation voted for this already", "each organisation counts once"),
    Reason.VOTES_MISSING: ("too few organisations voted for this", "ask the others to vote"),
    Reason.TOO_EARLY: ("the delay after the deciding vote is not over", "try again some blocks later"),
    Reason.PROPOSAL_DIFFERS: ("this is not what was voted for", "execute exactly what was proposed"),
    Reason.NOT_A_MEMBER: ("the organisation concerned is no member", "look at its number again"),
    Reason.TOO_FEW_MEMBERS: (
        "fewer members than the threshold would be left",
        "lower the threshold first, or admit somebody",
    ),
    Reason.NOT_YOUR_PROPOSAL: (
        "another organisation made this proposal",
        "its proposer may cancel it; a recovery also the organisation concerned",
    ),
    Reason.LIFECYCLE_INVALID: (
        "the lifecycle is not one that can be admitted, or was admitted before",
        "check the lifecycle's file and its id",
    ),
    Reason.STILL_A_MEMBER: (
        "the organisation is still a member",
        "only one that went can have a successor; a member offers custody itself",
    ),
    Reason.NOT_OFFERED: (
        "custody was not offered to this organisation",
        "ask the custodian to offer it",
    ),
    Reason.DISPUTED_ALREADY: ("somebody contests it already", "wait until that is settled"),
    Reason.NOT_DISPUTED: ("nobody contests it", "there is nothing to answer or to settle"),
    Reason.NOT_YOUR_DISPUTE: (
        "another organisation contests it",
        "whoever contested it settles, or an auditor that is not its custodian",
    ),
    Reason.INPUTS_NOT_ASKED: ("this action derives from nothing", "name no inputs"),
    Reason.SIGNATURE_MALFORMED: (
        "the signature is not in the one form there is",
        "65 bytes: r and s not zero, s in the lower half of the order, v 27 or 28",
    ),
    Reason.SIGNATURE_INVALID: (
        "the signature is not the named signer's, or not over exactly this",
        "sign it again for this ledger, with the signer's key",
    ),
    Reason.DEADLINE_PASSED: ("its signer's deadline has passed", "sign it again with a later one"),
}
