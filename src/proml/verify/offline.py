"""Checking an evidence file: the same numbered checks, without a node.

What is pinned by whoever checks decides how far the verdict can go:

* the ledger's terms: without them the file itself says which ledger it speaks of;
* a block's hash, got from anybody who is trusted to know the chain: the file's state proof hangs on it,
  and with it everything the ledger holds.

Whatever is not proven so leaves its checks `not checked`. A file that says more than it needs, or
contradicts itself in form, is refused; one that contradicts its own proof is `invalid`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from proml.core.chronicle import Chronicle
from proml.core.content import Content
from proml.core.digest import hexed, sha256, unhexed
from proml.core.event import Acted, Anchored, Approved, Block, Refused, Registered
from proml.core.history import SharedHistory
from proml.core.lifecycle import Lifecycle
from proml.core.proof import ObservationBatch
from proml.core.verdict import ACTORS, LEGAL, Finding, Verdict, not_after
from proml.errors import NotFound, RecordInvalid, WrongLedger
from proml.interfaces import Standing, Terms
from proml.trust import Profile
from proml.verify.evidence import Evidence, digest_of, kept_records, read_evidence
from proml.verify.judging import judge
from proml.verify.proving import RESTS_ON_LEDGER, Proven, prove
from proml.verify.records import KeptRecord
from proml.verify.scope import Scope, approvals_relied_on, scope_of
from proml.verify.targets import ById

NO_TERMS = "nobody pinned the ledger: the file itself says which one it speaks of"
NO_BLOCK = "no block was pinned: the file's proof hangs on a block of its maker's choice"
OTHER_BLOCK = "the file's proof hangs on another block than the pinned one"
UNKNOWN_TABLE = "only the file says that the ledger admitted this lifecycle"


@dataclass(frozen=True, slots=True)
class Pins:
    """What the checker trusts before looking at the file.

    Attributes:
        terms: of the ledger, None when the checker knows none.
        block: hash of a final block of its chain, 32 bytes, None when the checker knows none.
        profiles: members' names by organisation number, as in the checker's own ledger file.
    """

    terms: Terms | None = None
    block: bytes | None = None
    profiles: Mapping[int, Profile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvidenceGrounds:
    """What an evidence file tells, and what it proves of that."""

    chronicle: Chronicle
    terms: Terms
    tip: Block
    profiles: Mapping[int, Profile]
    name: str
    gaps: Mapping[int, str]
    contradictions: Sequence[tuple[int, Finding]]
    notes: Sequence[str]
    proven: Proven
    pinned: bool
    blocks_known: bool = False

    def standing(self, artefact: bytes) -> Standing | None:
        """What the file proves that the ledger holds."""
        if artefact not in self.proven.standings:
            raise NotFound(self.proven.silence)
        return self.proven.standings[artefact]

    def is_final(self, block: Block) -> bool:
        """Whatever is in the state of a pinned block is as final as that block."""
        return self.pinned or block.number + self.terms.finality - 1 <= self.tip.number

    def knows_anchors(self, organisation: int) -> bool:
        """Whether the file has the anchors of an organisation."""
        return organisation in self.proven.anchoring


class FiledRecords:
    """The records and batches of an evidence file."""

    faults: Sequence[str] = ()

    def __init__(
        self,
        records: Mapping[bytes, KeptRecord],
        batches: Mapping[bytes, ObservationBatch],
        asks_singles: bool,
    ) -> None:
        """By commitment, and by the SHA-256 of their stored bytes."""
        self.asks_singles = asks_singles
        self._records = records
        self._batches = batches

    def record(self, commitment: bytes) -> KeptRecord:
        """The record behind a commitment; NotFound when the file has none."""
        if commitment not in self._records:
            raise NotFound(f"{hexed(commitment)} is not in the evidence file")
        return self._records[commitment]

    def batch(self, digest: bytes) -> ObservationBatch:
        """A batch; NotFound when the file has it not."""
        if digest not in self._batches:
            raise NotFound(f"{hexed(digest)} is not in the evidence file")
        return self._batches[digest]


def check_evidence(
    content: bytes,
    pins: Pins,
    lifecycles: Sequence[Lifecycle],
    digest: bytes | None = None,
    said: Content | None = None,
) -> Verdict:
    """Make the numbered checks of the artefact that an evidence file is about.

    Args:
        content: the bytes of the file.
        pins: what is trusted.
        lifecycles: those whose files the checker knows from elsewhere.
        digest: of bytes in hand that are said to be the artefact, 32 bytes.
        said: what those bytes say, by their content digest.

    Raises:
        RecordInvalid: when the file is damaged, malformed or says more than it needs.
        WrongLedger: when it speaks of another ledger than the pinned one.
    """
    evidence = read_evidence(content)
    if pins.terms is not None and pins.terms != evidence.terms:
        raise WrongLedger(
            "the evidence speaks of another ledger than the one you trust",
            "check it with the ledger file of that ledger",
        )
    chronicle = Chronicle(SharedHistory(evidence.terms.chain_id, evidence.terms.contract))
    chronicle.take(evidence.events)
    if evidence.focus not in chronicle.histories:
        raise RecordInvalid(f"the evidence has no legal step of its artefact {hexed(evidence.focus)}")
    scope = scope_of(chronicle, evidence.focus)
    kept = kept_records(evidence)
    batches = {sha256(batch.content): batch for batch in evidence.batches}
    _refuse_surplus(evidence, chronicle, scope, kept)
    _refuse_surplus_batches(evidence, scope, chronicle, kept, batches)
    _refuse_surplus_singles(evidence, chronicle, kept, batches)
    proven = prove(evidence, chronicle, scope)
    grounds = EvidenceGrounds(
        chronicle=chronicle,
        terms=evidence.terms,
        tip=evidence.tip,
        profiles={**evidence.profiles, **pins.profiles},
        name=f"evidence file {hexed(digest_of(content))}",
        gaps=_gaps(evidence, pins, proven, _known(chronicle, scope, lifecycles)),
        contradictions=(*proven.contradictions, *_false_names(evidence, chronicle)),
        notes=_notes(evidence, pins),
        proven=proven,
        pinned=_is_pinned(evidence, pins),
    )
    every = {each.table.id: each for each in (*evidence.lifecycles, *lifecycles)}
    records = FiledRecords(kept, batches, bool(evidence.singles))
    verdict = judge(grounds, records, tuple(every.values()), ById(evidence.focus, digest, said))
    if not evidence.singles:
        return verdict
    question = f"are these observations of {verdict.question}"
    return replace(verdict, question=question, singles=evidence.singles)


# --- what the file proves -------------------------------------------------------------------


def _is_pinned(evidence: Evidence, pins: Pins) -> bool:
    return evidence.proof is not None and pins.terms is not None and pins.block == evidence.tip.hash


def _gaps(evidence: Evidence, pins: Pins, proven: Proven, tables_known: bool) -> dict[int, str]:
    """By check number what keeps it from being valid, the deepest reason first."""
    gaps = dict(proven.gaps)
    if evidence.proof is not None and pins.block is None:
        gaps = dict.fromkeys(RESTS_ON_LEDGER, NO_BLOCK)
    elif evidence.proof is not None and pins.block != evidence.tip.hash:
        gaps = dict.fromkeys(RESTS_ON_LEDGER, OTHER_BLOCK)
    if pins.terms is None:
        gaps = dict.fromkeys(RESTS_ON_LEDGER, NO_TERMS)
    if not _is_pinned(evidence, pins) and not tables_known:
        gaps[LEGAL] = UNKNOWN_TABLE
    return gaps


def _notes(evidence: Evidence, pins: Pins) -> tuple[str, ...]:
    bound = f"; proven is that all is {not_after(evidence.tip)}" if _is_pinned(evidence, pins) else ""
    notes = [f"in which block a step was made is the file's word{bound}"]
    unpinned = sorted(set(evidence.profiles) - set(pins.profiles))
    if unpinned:
        notes.append(f"names of organisations are the file's word: {', '.join(map(str, unpinned))}")
    if evidence.singles:
        notes.append("of its observations only those shown here were looked at; the anchors of all stand")
    return tuple(notes)


def _known(chronicle: Chronicle, scope: Scope, lifecycles: Sequence[Lifecycle]) -> bool:
    """Whether the checker knows every table in the scope from elsewhere than the file."""
    known = {each.table.id for each in lifecycles}
    return all(chronicle.shared.tables[number].id in known for number in scope.lifecycles)


def _false_names(evidence: Evidence, chronicle: Chronicle) -> list[tuple[int, Finding]]:
    organisations = chronicle.shared.organisations
    return [
        (ACTORS, Finding(f"organisation {number} is not {profile.name!r}", organisation=number))
        for number, profile in evidence.profiles.items()
        if profile.commitment != organisations[number].profile
    ]


# --- nothing more than it needs -------------------------------------------------------------


def _refuse_surplus(
    evidence: Evidence, chronicle: Chronicle, scope: Scope, kept: Mapping[bytes, KeptRecord]
) -> None:
    """Whatever no check looks at could be altered unseen, so a file may not hold it."""
    artefacts, approvals = set(scope.artefacts), approvals_relied_on(chronicle, scope.artefacts)
    for placed in evidence.events:
        event = placed.event
        if (
            isinstance(event, Refused)
            or (isinstance(event, Registered | Acted) and event.artefact not in artefacts)
            or (isinstance(event, Approved) and event not in approvals)
        ):
            raise RecordInvalid(
                f"the evidence has an event in block {placed.block.number} that it does not need"
            )
        if not evidence.terms.deployed <= placed.block.number <= evidence.tip.number:
            raise RecordInvalid(f"block {placed.block.number} is before the contract, or after the tip")
    blocks = [placed.block for placed in evidence.events] + [evidence.tip]
    for before, after in pairwise(blocks):
        if after.time < before.time or (after.number == before.number and after != before):
            raise RecordInvalid(f"the blocks {before.number} and {after.number} are not of one chain")
    documents = {chronicle.documents[number] for number in scope.lifecycles}
    files = [each.table.document for each in evidence.lifecycles]
    if len(set(files)) != len(files) or not documents.issuperset(files):
        raise RecordInvalid("the evidence has a lifecycle that no artefact in it uses, or has it twice")
    if not set(chronicle.shared.organisations).issuperset(evidence.profiles):
        raise RecordInvalid("the evidence names an organisation that is no member")
    told = {each.step.record for artefact in scope.artefacts for each in chronicle.histories[artefact]}
    if not told.issuperset(kept):
        raise RecordInvalid("the evidence has a record of no step in it")


def _refuse_surplus_batches(
    evidence: Evidence,
    scope: Scope,
    chronicle: Chronicle,
    kept: Mapping[bytes, KeptRecord],
    batches: Mapping[bytes, ObservationBatch],
) -> None:
    named: set[bytes] = set()
    observers: set[int] = set()
    for artefact in scope.artefacts:
        for each in chronicle.histories[artefact]:
            record = kept.get(each.step.record)
            observations = record.fields.get("observations", ()) if record else ()
            named.update(unhexed(entry["batch"]) for entry in observations)
            observers.update([each.step.actor.organisation] if observations else [])
    if len(batches) != len(evidence.batches) or not named.issuperset(batches):
        raise RecordInvalid("the evidence has a batch that no record in it names, or has it twice")
    anchoring = {
        placed.event.actor.organisation for placed in evidence.events if isinstance(placed.event, Anchored)
    }
    if not observers.issuperset(anchoring):
        raise RecordInvalid("the evidence has anchors of an organisation whose observations it does not name")


def _refuse_surplus_singles(
    evidence: Evidence,
    chronicle: Chronicle,
    kept: Mapping[bytes, KeptRecord],
    batches: Mapping[bytes, ObservationBatch],
) -> None:
    """An observation by itself belongs to a batch that a record of the focus names and the file has not."""
    records = (kept.get(each.step.record) for each in chronicle.histories[evidence.focus])
    named = {
        (unhexed(entry["root"]), entry["count"])
        for record in records
        for entry in (record.fields.get("observations", ()) if record else ())
        if unhexed(entry["batch"]) not in batches
    }
    if not named.issuperset((single.root, single.count) for single in evidence.singles):
        raise RecordInvalid(
            "the evidence proves an observation of no batch that the artefact's records in it name, or of "
            "one that it has whole"
        )
