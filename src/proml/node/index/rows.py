"""What the index answers with: plain frozen values, ready to be shown, printed as JSON or sent.

Ids, digests, commitments and transaction hashes are `0x` and 64 lower-case hexadecimal digits, keys `0x` and
40. Names, parameters, metrics and whatever else stems from records may be hostile text: nothing here makes
it harmless, whoever shows it does. Numbers of blocks, sequences and organisations are unsigned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar


class Certainty(StrEnum):
    """How far a row can still change.

    Only `final` is final. `confirmed` stands in a block that may still be exchanged for another. `pending`
    was in a block that was exchanged, and stands in none at the moment.
    """

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the chain a row comes from, and how certain that is.

    Attributes:
        block: number of the block; of a pending row the block it was in.
        position: of the log in its block.
        time: of the block, whole seconds since 1970 UTC as its sealer says.
        transaction: hash of the transaction.
        certainty: see there.
        confirmations: how many blocks stand on it, its own included; 0 when pending.
    """

    block: int
    position: int
    time: int
    transaction: str
    certainty: Certainty
    confirmations: int


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation, as rows mention it; `name` is from the ledger file."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class ArtefactRow:
    """One artefact and where it stands.

    Attributes:
        name: from the newest record at hand that has one; empty when there is none.
        lifecycle: its number on the ledger.
        sequence: how many steps it made; the registration is 1.
        usable: whether it may serve as an input now.
        recalled: whether it stands in a recalled state itself; see `what_taints` for its ancestors.
        terminal: whether no step can follow.
        head: hash over its complete history, 32 bytes as text.
        registered, changed: its first and its latest step.
        offered, contester: who was offered its custody, and who contests it, if anybody.
    """

    id: str
    kind: str
    name: str
    lifecycle: int
    state: str
    sequence: int
    usable: bool
    recalled: bool
    terminal: bool
    creator: Member
    custodian: Member
    head: str
    registered: Place
    changed: Place
    offered: Member | None = None
    contester: Member | None = None


@dataclass(frozen=True, slots=True)
class InputRow:
    """That a step named `artefact`, at `sequence`, as an input."""

    artefact: str
    sequence: int


@dataclass(frozen=True, slots=True)
class RelianceRow:
    """That a step relied on the approval of `organisation`, given in `record`."""

    organisation: Member
    key: str
    record: str


@dataclass(frozen=True, slots=True)
class StepRow:
    """One accepted step of an artefact.

    Attributes:
        before, state: the states it left and led to; `none` before a registration.
        key: of the organisation that signed.
        record: commitment to the step's record.
        subject: digest of the bytes, or a salted commitment to it; None when it named none.
        head: of the artefact after it.
        inputs, approvals: what it rests on.
        document: fields of its record, as far as this node holds them; None when it holds none. See
            `DocumentRow`.
    """

    artefact: str
    kind: str
    name: str
    sequence: int
    action: str
    before: str
    state: str
    organisation: Member
    key: str
    record: str
    subject: str | None
    head: str
    inputs: tuple[InputRow, ...]
    approvals: tuple[RelianceRow, ...]
    place: Place
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """That an organisation approved what shall be step `sequence`; `relied`: that step named it."""

    artefact: str
    kind: str
    name: str
    sequence: int
    action: str
    organisation: Member
    key: str
    subject: str | None
    record: str
    relied: bool
    place: Place


@dataclass(frozen=True, slots=True)
class DerivationRow:
    """That step `sequence` of `artefact` named `source` at `source_sequence` as an input."""

    source: str
    source_sequence: int
    artefact: str
    sequence: int
    action: str


@dataclass(frozen=True, slots=True)
class LineageNode:
    """An artefact of a lineage, and its distance from the focus; negative towards what it was made from."""

    artefact: ArtefactRow
    depth: int


@dataclass(frozen=True, slots=True)
class LineageRows:
    """A part of the derivation graph around one artefact.

    Attributes:
        focus: id of the artefact asked for; the first of `artefacts`.
        artefacts: nearest to the focus first.
        derivations: only among `artefacts`.
        complete: False when a bound was reached and there is more than is shown.
    """

    focus: str
    artefacts: tuple[LineageNode, ...]
    derivations: tuple[DerivationRow, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class TaintRow:
    """That `path[0]` is recalled and each further artefact derives from the one before it."""

    source: ArtefactRow
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of an organisation; blocks, 0 for never and not.

    Attributes:
        scopes: names out of record, approve, govern.
        active: whether it may act in the block after the index's head.
    """

    address: str
    organisation: Member
    scopes: tuple[str, ...]
    start: int
    expires: int
    revoked: int
    compromised_since: int
    active: bool


@dataclass(frozen=True, slots=True)
class OrganisationRow:
    """A member, or a former one: `removed` is the block that ended its membership, 0 while it lasts."""

    number: int
    name: str
    roles: tuple[str, ...]
    profile: str
    admitted: int
    removed: int
    anchors: int
    keys: tuple[KeyRow, ...]


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal and where it stands.

    Attributes:
        change: what kind of change, as `ChangeKind` calls it, in lower case.
        organisation: whom it concerns, if anybody.
        setting: a role mask or a threshold, 0 where the change has none.
        key: the new key, None where the change brings none.
        profile: commitment to a profile, or id of a lifecycle; None where the change has none.
        voters: who spoke for it, the proposer first.
        state: open, passed, executed, cancelled or lapsed.
        passed: block of the deciding vote, 0 before.
        executable: first block in which it may be executed, 0 before it passed.
        ends: first block in which it is closed if nothing is done about it.
    """

    number: int
    change: str
    organisation: Member | None
    setting: int
    key: str | None
    profile: str | None
    proposer: Member
    voters: tuple[Member, ...]
    needed: int
    state: str
    created: int
    passed: int
    executable: int
    ends: int
    place: Place


@dataclass(frozen=True, slots=True)
class AnchorRow:
    """The `number`-th batch of an organisation: a Merkle root over `count` observations."""

    organisation: Member
    number: int
    root: str
    count: int
    key: str
    head: str
    place: Place


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """An item of a batch that was refused; `name` is the artefact's id, or the root of an anchor."""

    name: str
    organisation: Member
    key: str
    item: int
    reason: str
    place: Place


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """An event about members, keys, lifecycles or proposals.

    Attributes:
        event: its name on the ledger, as `core.event` has it.
        fields: its content: numbers, and digests and keys as text.
    """

    event: str
    fields: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """Fields of a record, as far as this node holds them, checked against its commitment.

    Attributes:
        disclosed: only some fields were disclosed; else the whole record is here.
        absent: fields that it is proven not to have; empty for a whole record.
    """

    record: str
    disclosed: bool
    fields: Mapping[str, Any]
    absent: tuple[str, ...] = ()


Happening = StepRow | ApprovalRow | AnchorRow | RefusalRow | DecisionRow


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that an organisation can do next.

    Attributes:
        what: step, approval, vote or execution.
        actions: what may be done, by name.
        artefact, proposal: what it is about; one of them is given.
    """

    what: str
    actions: tuple[str, ...]
    artefact: ArtefactRow | None = None
    proposal: ProposalRow | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """How far the index reads the chain, and which chain that is.

    Attributes:
        number, hash, time: of the newest block in the index.
        final: number of the newest final block, 0 when none is.
        finality: how many blocks, its own included, make a block final.
    """

    chain_id: int
    contract: str
    number: int
    hash: str
    time: int
    final: int
    finality: int


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """Whether the index is well.

    Attributes:
        chain_head: newest block that the indexer saw on the chain; None when it never ran.
        behind: how many blocks it has still to read.
        problem: why it stopped, or its last try failed; empty when it is well.
        checked: when the indexer last ran, seconds since 1970 UTC on this machine's clock; None when never.
        artefacts, steps, documents: how many there are.
    """

    head: Head
    chain_head: int | None
    behind: int
    problem: str
    checked: float | None
    artefacts: int
    steps: int
    documents: int


Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some of the rows that were asked for.

    Attributes:
        next: what to give as `after` for the rows that follow; None when there are none. A page may hold
            fewer rows than asked for, or none, and still have a next one: what a question may cost is
            bounded.
    """

    rows: tuple[Row, ...] = field(default=())
    next: str | None = None
