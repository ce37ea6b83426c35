"""The evidence file: one JSON file from which an artefact's history can be checked without a node.

    {"digest":"0x<64 digits>","evidence":{...}}

The first 90 and the last byte are exactly these; the digest is the SHA-256 of the bytes between. It keeps
accidents away, and says which file a verdict is about; it proves nothing. docs/evidence-format.md has every
member. What is read here is well-formed; what it proves, `offline.py` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from proml.contracts.abi import decode_event, encode_event
from proml.core.digest import hexed, sha256, unhexed
from proml.core.document import EXACT_INTEGER, canonical, is_of_type, parse
from proml.core.event import Block, Event, Placed
from proml.core.lifecycle import Lifecycle
from proml.core.lifecycle_file import read_lifecycle
from proml.core.patricia import StateProof
from proml.core.proof import ObservationBatch, Proof, open_batch, read_proof
from proml.core.record import SealedRecord, open_sealed, read_disclosure
from proml.errors import LedgerProblem, LifecycleInvalid, RecordInvalid
from proml.interfaces import Terms
from proml.trust import Profile
from proml.verify.records import KeptRecord, part, whole

EVIDENCE_TYPE = "proml/evidence"
VERSION = 1
MAX_BYTES = 64 * 1024 * 1024
_ENVELOPE = re.compile(rb'\{"digest":"(0x[0-9a-f]{64})","evidence":')
_ENVELOPE_BYTES = 90
_MEMBERS = {
    "type", "version", "terms", "focus", "tip", "blocks", "events", "lifecycles", "organisations", "records",
    "batches", "proof",
}  # fmt: skip
SINGLES = "singles"
"""The one member that may be missing: only a file about single observations has it."""
_TERMS = {"chain_id", "genesis", "contract", "deployed", "code", "finality"}
_BLOCK = {"number", "hash", "time"}
_EVENT = {"block", "index", "transaction", "topics", "data"}
_HEXED = re.compile("0x(?:[0-9a-f]{2})*")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Shown:
    """A disclosure, and the salt of its private subject if its maker gave that too."""

    document: Mapping[str, Any]
    subject_salt: bytes | None = None

    @property
    def commitment(self) -> bytes:
        """Of the record it is of, as the document says; `kept` checks it."""
        return unhexed(self.document.get("commitment"))

    @property
    def kept(self) -> KeptRecord:
        """What it shows; RecordInvalid when it does not belong to its commitment."""
        return part(read_disclosure(self.document, self.commitment), self.subject_salt)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an evidence file holds.

    Attributes:
        terms: of the ledger.
        focus: 32-byte id of the artefact it is about.
        tip: newest block its maker saw; with a proof the block of the proof.
        events: of the focus and everything upstream, the consortium, lifecycles and some anchors, in
            chain order.
        lifecycles: the files of those lifecycles.
        profiles: members' names and salts by organisation number.
        records: whole, or the fields its maker chose to show.
        batches: of observations.
        proof: of what the ledger holds at `tip`, None when there is none.
        singles: single observations of the focus, each proven by itself.
    """

    terms: Terms
    focus: bytes
    tip: Block
    events: tuple[Placed, ...]
    lifecycles: tuple[Lifecycle, ...]
    profiles: Mapping[int, Profile]
    records: tuple[SealedRecord | Shown, ...]
    batches: tuple[ObservationBatch, ...] = ()
    proof: StateProof | None = None
    singles: tuple[Proof, ...] = ()

    @property
    def content(self) -> bytes:
        """The bytes of the file.

        Raises:
            RecordInvalid: when they would be more than 64 MiB.
        """
        body = canonical(self._document())
        content = b'{"digest":"%s","evidence":%s}' % (hexed(sha256(body)).encode(), body)
        if len(content) > MAX_BYTES:
            raise RecordInvalid(
                f"the evidence would have {len(content)} bytes, more than the {MAX_BYTES} allowed",
                "leave observations out, or disclose fewer fields",
            )
        return content

    def _document(self) -> dict[str, Any]:
        terms = self.terms
        blocks = {placed.block.number: placed.block for placed in self.events}
        singles = {SINGLES: [proof.document() for proof in self.singles]} if self.singles else {}
        return singles | {
            "type": EVIDENCE_TYPE,
            "version": VERSION,
            "terms": {
                "chain_id": terms.chain_id,
                "genesis": hexed(terms.genesis),
                "contract": hexed(terms.contract),
                "deployed": terms.deployed,
                "code": hexed(terms.code),
                "finality": terms.finality,
            },
            "focus": hexed(self.focus),
            "tip": _block_document(self.tip),
            "blocks": [_block_document(block) for _, block in sorted(blocks.items())],
            "events": [_event_document(placed) for placed in self.events],
            "lifecycles": [parse(each.document, "a lifecycle") for each in self.lifecycles],
            "organisations": [
                {"number": number, "name": profile.name, "salt": hexed(profile.salt)}
                for number, profile in sorted(self.profiles.items())
            ],
            "records": [_record_document(record) for record in self.records],
            "batches": [parse(batch.content, "a batch", MAX_BYTES) for batch in self.batches],
            "proof": self.proof
            and {
                "header": hexed(self.proof.header),
                "nodes": [hexed(node) for node in self.proof.nodes],
            },
        }


def _block_document(block: Block) -> dict[str, Any]:
    return {"number": block.number, "hash": hexed(block.hash), "time": block.time}


def _event_document(placed: Placed) -> dict[str, Any]:
    topics, data = encode_event(placed.event)
    return {
        "block": placed.block.number,
        "index": placed.index,
        "transaction": hexed(placed.transaction),
        "topics": [hexed(topic) for topic in topics],
        "data": hexed(data),
    }


def _record_document(record: SealedRecord | Shown) -> dict[str, Any]:
    if isinstance(record, SealedRecord):
        return {"sealed": parse(record.content, "a sealed record")}
    shown: dict[str, Any] = {"disclosure": dict(record.document)}
    return shown if record.subject_salt is None else shown | {"subject_salt": hexed(record.subject_salt)}


# --- reading --------------------------------------------------------------------------------


def digest_of(content: bytes) -> bytes:
    """SHA-256 of what an evidence file says, 32 bytes.

    Raises:
        RecordInvalid: when the file is no evidence, too large, or not the bytes its digest names.
    """
    if len(content) > MAX_BYTES:
        raise RecordInvalid(f"an evidence file of {len(content)} bytes, more than the {MAX_BYTES} allowed")
    envelope = _ENVELOPE.match(content)
    if envelope is None or content[-1:] != b"}":
        raise RecordInvalid("not an evidence file", 'it begins with {"digest":"0x')
    digest = sha256(content[_ENVELOPE_BYTES:-1])
    if hexed(digest).encode() != envelope[1]:
        raise RecordInvalid("the evidence file is damaged: its digest is of other bytes", "get it again")
    return digest


def read_evidence(content: bytes) -> Evidence:
    """Read an evidence file strictly: every member known, every value of its shape, every event decoded.

    Raises:
        RecordInvalid: saying what it breaks. What the file claims is not checked here; disclosures are
            opened by `kept_records`.
    """
    digest_of(content)
    body = parse(content[_ENVELOPE_BYTES:-1], "the evidence", MAX_BYTES)
    if not is_of_type(body, EVIDENCE_TYPE, VERSION):
        raise RecordInvalid("not evidence of version 1", "a newer ProML may have written it")
    _exactly(body, _MEMBERS | {SINGLES} if SINGLES in body else _MEMBERS, "evidence")
    terms = _exactly(body["terms"], _TERMS, "terms")
    blocks = {block.number: block for block in _each(body, "blocks", _block)}
    if list(blocks) != sorted(blocks) or len(blocks) != len(body["blocks"]):
        raise RecordInvalid("the blocks of the evidence are not in order")
    organisations = _each(body, "organisations", _organisation)
    profiles = dict(organisations)
    if list(profiles) != sorted(profiles) or len(profiles) != len(organisations):
        raise RecordInvalid("the organisations of the evidence are not in order")
    return Evidence(
        terms=Terms(
            chain_id=_whole(terms["chain_id"]),
            genesis=unhexed(terms["genesis"]),
            contract=unhexed(terms["contract"], 20),
            deployed=_whole(terms["deployed"]),
            code=unhexed(terms["code"]),
            finality=_whole(terms["finality"]),
        ),
        focus=unhexed(body["focus"]),
        tip=_block(body["tip"]),
        events=_events(body, blocks),
        lifecycles=_each(body, "lifecycles", _lifecycle),
        profiles=profiles,
        records=_each(body, "records", _record),
        batches=_each(body, "batches", lambda value: open_batch(canonical(value))),
        proof=_proof(body["proof"]),
        singles=_singles(body) if SINGLES in body else (),
    )


def _each(body: Mapping[str, Any], name: str, make: Callable[[Any], Made]) -> tuple[Made, ...]:
    values = body[name]
    if not isinstance(values, list):
        raise RecordInvalid(f"the {name} of the evidence are not an array")
    return tuple(make(value) for value in values)


def _exactly(value: Any, members: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or set(value) != members:
        raise RecordInvalid(f"{what} must have exactly {', '.join(sorted(members))}")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= EXACT_INTEGER:
        raise RecordInvalid(f"{str(value)[:40]!r} is not a whole number from 0 to 2**53 - 1")
    return value


def _unhexed(value: Any) -> bytes:
    """Bytes of any length."""
    if not isinstance(value, str) or not _HEXED.fullmatch(value):
        raise RecordInvalid(f"{str(value)[:40]!r} is not 0x and lower-case hexadecimal digits, two a byte")
    return bytes.fromhex(value[2:])


def _block(value: Any) -> Block:
    block = _exactly(value, _BLOCK, "a block")
    return Block(_whole(block["number"]), unhexed(block["hash"]), _whole(block["time"]))


def _organisation(value: Any) -> tuple[int, Profile]:
    entry = _exactly(value, {"number", "name", "salt"}, "an organisation")
    if not isinstance(entry["name"], str):
        raise RecordInvalid("the name of an organisation is a text")
    return _whole(entry["number"]), Profile(entry["name"], unhexed(entry["salt"]))


def _lifecycle(value: Any) -> Lifecycle:
    try:
        return read_lifecycle(canonical(value))
    except LifecycleInvalid as invalid:
        raise RecordInvalid(f"a lifecycle of the evidence is none: {invalid.message}") from invalid


def _record(value: Any) -> SealedRecord | Shown:
    if isinstance(value, dict) and set(value) == {"sealed"}:
        return open_sealed(canonical(value["sealed"]))
    if not isinstance(value, dict) or set(value) - {"subject_salt"} != {"disclosure"}:
        raise RecordInvalid("a record of the evidence is sealed, or a disclosure and perhaps subject_salt")
    if not isinstance(value["disclosure"], dict):
        raise RecordInvalid("a disclosure is an object")
    return Shown(value["disclosure"], unhexed(value["subject_salt"]) if "subject_salt" in value else None)


def _singles(body: Mapping[str, Any]) -> tuple[Proof, ...]:
    singles = _each(body, SINGLES, _single)
    places = [(single.root, single.index) for single in singles]
    if not singles or len(set(places)) != len(places):
        raise RecordInvalid("the evidence proves no single observation, or one of them twice")
    return singles


def _single(value: Any) -> Proof:
    proof = read_proof(value if isinstance(value, dict) else {})
    if not proof.holds():
        raise RecordInvalid("the evidence has an observation whose path does not lead to its root")
    return proof


def _proof(value: Any) -> StateProof | None:
    if value is None:
        return None
    proof = _exactly(value, {"header", "nodes"}, "a proof")
    return StateProof(_unhexed(proof["header"]), _each(proof, "nodes", _unhexed))


def _events(body: Mapping[str, Any], blocks: Mapping[int, Block]) -> tuple[Placed, ...]:
    events = _each(body, "events", lambda value: _placed(value, blocks))
    places = [(placed.block.number, placed.index) for placed in events]
    if any(first >= second for first, second in pairwise(places)):
        raise RecordInvalid("the events of the evidence are not in chain order")
    if {number for number, _ in places} != set(blocks):
        raise RecordInvalid("the evidence lists blocks in which it has no event")
    return events


def _placed(value: Any, blocks: Mapping[int, Block]) -> Placed:
    entry = _exactly(value, _EVENT, "an event")
    number = _whole(entry["block"])
    if number not in blocks:
        raise RecordInvalid(f"an event is in block {number}, which the evidence does not list")
    event = _event(_each(entry, "topics", unhexed), _unhexed(entry["data"]))
    return Placed(event, blocks[number], unhexed(entry["transaction"]), _whole(entry["index"]))


def _event(topics: Sequence[bytes], data: bytes) -> Event:
    try:
        return decode_event(topics, data)
    except LedgerProblem as problem:
        raise RecordInvalid(f"an event of the evidence is none: {problem.message}") from problem


def kept_records(evidence: Evidence) -> dict[bytes, KeptRecord]:
    """Records of an evidence file by their commitments.

    Raises:
        RecordInvalid: when there is more than one for a commitment, or a disclosure does not belong to its.
    """
    kept = {
        record.commitment: whole(record) if isinstance(record, SealedRecord) else record.kept
        for record in evidence.records
    }
    if len(kept) != len(evidence.records):
        raise RecordInvalid("the evidence has two records of one commitment")
    return kept
