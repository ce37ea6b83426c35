"""Making an evidence file out of a ledger and storages, showing of each record what its maker chose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from proml.core.chronicle import Transition
from proml.core.digest import ZERO, unhexed
from proml.core.event import Acted, Anchored, Approved, Placed, Refused, Registered, spoken_of
from proml.core.lifecycle import Lifecycle
from proml.core.patricia import StateProof
from proml.core.proof import ObservationBatch, Proof
from proml.core.record import SealedRecord, disclose, subject_salt
from proml.errors import NotFound
from proml.interfaces import Storage
from proml.verify.evidence import Evidence, Shown
from proml.verify.grounds import LedgerGrounds
from proml.verify.records import StoredRecords
from proml.verify.scope import Scope, anchor_chains, approvals_relied_on, scope_of, slots_of

# What a record must show so that every check can be made of it.
ENOUGH = ("artefact", "kind", "action", "sequence", "actor", "subject", "inputs", "observations")
# Names of the fields to show of a record, by its commitment: None for all with its key, none at all to
# leave the record out.
Choice = Callable[[bytes], Sequence[str] | None]
# The state proof of storage slots (32 bytes each) at a block: `EvmLedger.prove`.
Prover = Callable[[Sequence[bytes], int], StateProof]


@dataclass(frozen=True, slots=True)
class Showing:
    """What a maker puts into an evidence file.

    Attributes:
        choice: what to show of each record.
        batches: whether to add the observations of the records shown.
        prover: where to get the proof of what the ledger holds, None to do without.
        singles: single observations of the artefact that the file shall prove.
    """

    choice: Choice = lambda _: None
    batches: bool = False
    prover: Prover | None = None
    singles: tuple[Proof, ...] = ()


def enough(_: bytes) -> Sequence[str]:
    """A choice: of every record what the checks need, and nothing of parameters, metrics or environment."""
    return ENOUGH


def make_evidence(
    grounds: LedgerGrounds,
    storages: Sequence[Storage],
    lifecycles: Sequence[Lifecycle],
    focus: bytes,
    showing: Showing,
) -> Evidence:
    """Collect everything a verdict about an artefact rests on.

    Args:
        grounds: the ledger as `read_ledger` found it; the file is about this moment.
        storages: where records and batches are looked for; what is in none is left out.
        lifecycles: those whose files are known.
        focus: 32-byte id.
        showing: what to show.

    Raises:
        NotFound: when the ledger has no such artefact.
        StorageProblem: when a record is to be had only as something else than it was.
        RecordInvalid: when its lineage is too large for a file.
        LedgerProblem: when the ledger cannot be asked.
    """
    chronicle = grounds.chronicle
    if focus not in chronicle.histories:
        raise NotFound(f"no artefact 0x{focus.hex()} on this ledger", "was it pushed? See `proml status`")
    scope = scope_of(chronicle, focus)
    records: list[SealedRecord | Shown] = []
    batches: dict[bytes, ObservationBatch] = {}
    anchoring: set[int] = set()
    stored = StoredRecords(storages)
    for transition, sealed in _records(grounds, stored, scope):
        names = showing.choice(sealed.commitment)
        if names is None or names:
            records.append(sealed if names is None else _shown(transition, sealed, names))
        if names is None or "observations" in names:
            for entry in sealed.record.get("observations", ()):
                anchoring.add(transition.step.actor.organisation)
                if showing.batches:
                    _add_batch(batches, stored, unhexed(entry["batch"]))
    tables = {chronicle.shared.tables[number].id for number in scope.lifecycles}
    evidence = Evidence(
        terms=grounds.terms,
        focus=focus,
        tip=grounds.tip,
        events=tuple(_events(grounds, scope, anchoring)),
        lifecycles=tuple(each for each in lifecycles if each.table.id in tables),
        profiles={
            number: profile
            for number, profile in sorted(grounds.profiles.items())
            if number in chronicle.shared.organisations
        },
        records=tuple(records),
        batches=tuple(batches.values()),
        singles=showing.singles,
    )
    if showing.prover is None:
        return evidence
    slots = slots_of(chronicle, scope, anchor_chains(evidence.events))
    return replace(evidence, proof=showing.prover(slots, grounds.tip.number))


def _records(
    grounds: LedgerGrounds, stored: StoredRecords, scope: Scope
) -> Iterator[tuple[Transition, SealedRecord]]:
    """Every step of the scope whose record is to be had; a record that was copied into another step once."""
    seen: set[bytes] = set()
    for artefact in scope.artefacts:
        for transition in grounds.chronicle.histories[artefact]:
            if transition.step.record in seen:
                continue
            seen.add(transition.step.record)
            try:
                yield transition, stored.sealed(transition.step.record)
            except NotFound:
                continue


def _shown(transition: Transition, sealed: SealedRecord, names: Sequence[str]) -> Shown:
    subject = spoken_of(transition.step)
    private = "subject" in names and subject != ZERO
    digest = sealed.record.get("subject", {}).get("sha256")
    salt = subject_salt(sealed.key) if private and digest is not None and unhexed(digest) != subject else None
    return Shown(disclose(sealed, names), salt)


def _add_batch(batches: dict[bytes, ObservationBatch], stored: StoredRecords, digest: bytes) -> None:
    try:
        batches[digest] = stored.batch(digest)
    except NotFound:
        return


def _events(grounds: LedgerGrounds, scope: Scope, anchoring: set[int]) -> Iterator[Placed]:
    artefacts, approvals = set(scope.artefacts), approvals_relied_on(grounds.chronicle, scope.artefacts)
    for placed in grounds.ledger.events(grounds.terms.deployed, grounds.tip.number):
        match placed.event:
            case Registered(artefact=artefact) | Acted(artefact=artefact):
                needed = artefact in artefacts
            case Approved() as approval:
                needed = approval in approvals
            case Anchored(actor=actor):
                needed = actor.organisation in anchoring
            case Refused():
                needed = False
            case _:
                needed = True
        if needed:
            yield placed
