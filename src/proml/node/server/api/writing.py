"""Writing: steps for the journal; approvals and decisions, each after a fresh signature over what it says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import orjson

from proml.capture.draft import StepAsked, decode, encode
from proml.core.consortium import SCOPES
from proml.core.digest import hexed, unhexed
from proml.errors import RecordInvalid, UsageProblem
from proml.node.government import Government
from proml.node.index import artefact, proposal
from proml.node.server.asking import DigestText
from proml.node.server.callers import Approver, Governor, Recorder, TheNode
from proml.node.server.node import active_key
from proml.node.server.noting import Noted, StepRequest, draft_of, needs_approval, note
from proml.node.server.problems import Rejected
from proml.node.server.routes import writing
from proml.node.server.signatures import signer_of
from proml.node.server.statements import new_statement
from proml.signing.recovery import SIGNATURE_BYTES

router = writing("", "writing")
ROUTERS = (router,)
APPROVE, GOVERN = "approve", "govern"


class Decision(StrEnum):
    """What the node can do about proposals for its organisation."""

    VOTE = "vote"
    EXECUTE = "execute"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """Something to be done about a proposal."""

    decision: Decision
    proposal: int


@dataclass(frozen=True, slots=True)
class ToSign:
    """What a person signs: `typed` by `eth_signTypedData_v4`, or `id`, its digest, by any other way."""

    id: str
    text: str
    deadline: int
    typed: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Signature:
    """65 bytes r, s, v as `0x` and 130 digits, by a key of this organisation with the scope needed."""

    signature: str


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, in words, and by whose signature."""

    text: str
    signed_by: str


@router.post("/steps", status_code=HTTPStatus.ACCEPTED)
def ask_for_step(node: TheNode, _: Recorder, asked: StepRequest) -> Noted:
    """Note a step in the journal; the publisher takes it to the ledger, `live` tells what became of it.

    A step that approves is refused here: it needs a signature, see `approvals`.
    """
    with node.index.reading() as view:
        draft = draft_of(node.me, view, asked)
    if needs_approval(node.me.lifecycles, draft):
        raise Rejected(
            HTTPStatus.FORBIDDEN,
            "signature-needed",
            f"the step {asked.action!r} approves, and needs a signature over what it says",
            "POST it to approvals instead",
        )
    return note(node.me, draft)


@router.post("/approvals", status_code=HTTPStatus.CREATED)
def ask_for_approval(node: TheNode, _: Approver, asked: StepRequest) -> ToSign:
    """Get what has to be signed for a step that approves; nothing happens before it is."""
    with node.index.reading() as view:
        draft = draft_of(node.me, view, asked)
        if draft.reference is None or draft.reference.artefact is None:
            raise UsageProblem("an approval speaks of an artefact that is there", "name it by its id")
        row = artefact(view, unhexed(draft.reference.artefact))
    step = f"{asked.action} the {row.kind} {row.id} as its step {row.sequence + 1}"
    text = f"{step}, as {node.me.config.organisation}"
    if draft.subject:
        text += f", with the content {draft.subject.sha256}"
    return _kept(node, APPROVE, text, {"draft": encode(draft).decode(), "sequence": row.sequence})


@router.post("/approvals/{identifier}/signature", status_code=HTTPStatus.ACCEPTED)
def sign_approval(node: TheNode, _: Approver, identifier: DigestText, signed: Signature) -> Done:
    """Note the step that was signed for; the signature becomes part of its record."""
    kept = orjson.loads(node.access.statement(unhexed(identifier), APPROVE))
    by = _signer(node, unhexed(identifier), APPROVE, signed)
    draft = decode(kept["draft"].encode())
    assert isinstance(draft, StepAsked)
    assert draft.reference is not None
    with node.index.reading() as view:
        if artefact(view, unhexed(draft.reference.artefact)).sequence != kept["sequence"]:
            raise Rejected(
                HTTPStatus.CONFLICT,
                "moved-on",
                "the artefact moved on since",
                "look at it again, and sign anew",
            )
    _used(node, unhexed(identifier))
    said = {"text": kept["text"], "signed by": by, "signature": signed.signature, "statement": identifier}
    note(node.me, replace(draft, claims={**draft.claims, "approval": said}))
    return Done(kept["text"], by)


@router.post("/decisions", status_code=HTTPStatus.CREATED)
def ask_for_decision(node: TheNode, _: Governor, asked: DecisionRequest) -> ToSign:
    """Get what has to be signed to vote for a proposal, execute or cancel it; nothing happens before."""
    with node.index.reading() as view:
        row = proposal(view, asked.proposal)
    doing = {Decision.VOTE: "vote for", Decision.EXECUTE: "execute", Decision.CANCEL: "cancel"}[
        asked.decision
    ]
    text = f"{doing} proposal {row.number} ({row.change}), as {node.me.config.organisation}"
    return _kept(node, GOVERN, text, asdict(asked))


@router.post("/decisions/{identifier}/signature")
def sign_decision(node: TheNode, _: Governor, identifier: DigestText, signed: Signature) -> Done:
    """Do what was signed for, at once; answered when it is on the ledger."""
    kept = orjson.loads(node.access.statement(unhexed(identifier), GOVERN))
    by = _signer(node, unhexed(identifier), GOVERN, signed)
    _used(node, unhexed(identifier))
    government = Government(node.me)
    number = kept["proposal"]
    match Decision(kept["decision"]):
        case Decision.VOTE:
            government.vote(number)
        case Decision.EXECUTE:
            government.execute(number)
        case Decision.CANCEL:
            government.cancel(number)
    return Done(kept["text"], by)


def _kept(node: TheNode, scope: str, text: str, content: dict[str, Any]) -> ToSign:
    document = orjson.dumps({**content, "text": text})
    statement = new_statement(text, document)
    terms = node.me.ledger_file.terms
    digest = statement.digest(terms)
    node.access.keep_statement(digest, scope, document.decode(), statement.deadline)
    return ToSign(hexed(digest), text, statement.deadline, statement.typed(terms))


def _signer(node: TheNode, digest: bytes, scope: str, signed: Signature) -> str:
    """The key that signed, which must be this organisation's and have the scope on the ledger.

    Raises:
        Rejected: 403.
    """
    try:
        address = signer_of(digest, unhexed(signed.signature, SIGNATURE_BYTES))
    except RecordInvalid as error:
        raise _refused(error.message) from None
    with node.index.reading() as view:
        key = active_key(view, address)
        if key is None or not node.is_own(key.organisation, view):
            raise _refused("the signature is not by a key of this organisation")
        if not key.scope & SCOPES[scope]:
            raise _refused(f"the key that signed does not have the scope {scope}")
    return hexed(address)


def _used(node: TheNode, digest: bytes) -> None:
    if not node.access.use_statement(digest):
        raise Rejected(HTTPStatus.CONFLICT, "signed-already", "somebody signed this a moment ago")


def _refused(detail: str) -> Rejected:
    return Rejected(HTTPStatus.FORBIDDEN, "signature-refused", detail)
