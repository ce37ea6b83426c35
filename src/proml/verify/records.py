"""Records as a verification finds them: whole or in part, each checked against its commitment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from proml.core.content import Content
from proml.core.digest import hexed, sha256, unhexed
from proml.core.proof import ObservationBatch, open_batch
from proml.core.record import (
    FIELDS,
    Disclosure,
    SealedRecord,
    open_sealed,
    salted_subject,
    subject_salt,
)
from proml.errors import NotFound, RecordInvalid, StorageProblem
from proml.interfaces import Storage

# What checks look at; the rest of a record may be megabytes.
LOOKED_AT = (
    "artefact", "kind", "name", "action", "sequence", "actor", "subject", "inputs", "observations", "amends",
)  # fmt: skip
CACHED = 64
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True, repr=False)
class KeptRecord:
    """As much of a record as somebody kept and showed, all of it belonging to its commitment.

    Attributes:
        fields: the fields in hand.
        hidden: names of fields of which nothing was shown, not even their absence.
        salt: 32 bytes that open a private subject, None when they were not given.
    """

    fields: Mapping[str, Any]
    hidden: frozenset[str]
    salt: bytes | None

    def opens(self, subject: bytes) -> bool | None:
        """Whether the record's subject is the one of the event (32 bytes, not zero); None: cannot be said."""
        if "subject" in self.hidden:
            return None
        if "subject" not in self.fields:
            return False
        digest = unhexed(self.fields["subject"]["sha256"])
        if digest == subject:
            return True
        return None if self.salt is None else salted_subject(self.salt, digest) == subject


def whole(sealed: SealedRecord) -> KeptRecord:
    """A sealed record, checked by the caller."""
    fields = {name: sealed.record[name] for name in LOOKED_AT if name in sealed.record}
    return KeptRecord(fields, frozenset(), subject_salt(sealed.key))


def part(disclosure: Disclosure, salt: bytes | None) -> KeptRecord:
    """What a disclosure shows, checked by the caller, and perhaps the salt of its subject."""
    shown = {name: disclosure.shown[name] for name in LOOKED_AT if name in disclosure.shown}
    return KeptRecord(shown, frozenset(FIELDS) - set(disclosure.shown) - disclosure.absent, salt)


def names_bytes(subject: bytes, kept: KeptRecord | None, digest: bytes) -> bool | None:
    """Whether a step whose event has this subject speaks of the bytes with this digest; None: cannot be said.

    Args:
        subject: 32 bytes of the event, not zero.
        kept: the step's record, as far as it is to be had.
        digest: SHA-256 of a file or a manifest, or BLAKE3 of a file.
    """
    if subject == digest:
        return True
    if kept is None:
        return None
    if kept.salt is not None and salted_subject(kept.salt, digest) == subject:
        return True
    opened = kept.opens(subject)
    if opened is False or "subject" in kept.hidden:
        return opened
    shown = kept.fields["subject"]
    return hexed(digest) in (shown["sha256"], shown.get("blake3"))


def says_the_same(kept: KeptRecord | None, content: Content | None) -> bool:
    """Whether a record names bytes with this content digest, read as the same form."""
    if kept is None or content is None:
        return False
    subject = kept.fields.get("subject", {})
    return (subject.get("form"), subject.get("content")) == (content.form, hexed(content.digest))


class Records(Protocol):
    """Where a verification finds records and batches of observations."""

    def record(self, commitment: bytes) -> KeptRecord:
        """The record behind a commitment (32 bytes).

        Raises NotFound when nobody has it, StorageProblem when all there is is something else.
        """
        ...

    def batch(self, digest: bytes) -> ObservationBatch:
        """The batch whose stored bytes have this SHA-256; raises as `record`."""
        ...

    @property
    def faults(self) -> Sequence[str]:
        """What was found wrong with copies that were then passed over."""
        ...

    @property
    def asks_singles(self) -> bool:
        """Whether single observations are in question, and so no whole batch is missed."""
        ...


def kept_or_none(records: Records, commitment: bytes) -> KeptRecord | None:
    """A record if it can be had. What hinders that is said where the step itself is checked."""
    try:
        return records.record(commitment)
    except (NotFound, StorageProblem):
        return None


class StoredRecords:
    """Records out of storages, asked in order. Trusts none of them: every byte is checked here again."""

    asks_singles = False

    def __init__(self, storages: Sequence[Storage]) -> None:
        self._storages = storages
        self._recent: OrderedDict[bytes, KeptRecord] = OrderedDict()
        self._faults: list[str] = []

    @property
    def faults(self) -> Sequence[str]:
        """What was found wrong with copies that were then passed over."""
        return self._faults

    def record(self, commitment: bytes) -> KeptRecord:
        """The record behind a commitment; see `Records`."""
        kept = self._recent.get(commitment)
        if kept is None:
            kept = self._recent[commitment] = whole(self.sealed(commitment))
            if len(self._recent) > CACHED:
                self._recent.popitem(last=False)
        return kept

    def sealed(self, commitment: bytes) -> SealedRecord:
        """The record behind a commitment with its key; raises as `record`."""
        return self._read(commitment, _sealed)

    def batch(self, digest: bytes) -> ObservationBatch:
        """A batch by the SHA-256 of its bytes; see `Records`."""
        return self._read(digest, _batch)

    def _read(self, digest: bytes, read: Callable[[bytes, bytes], Kept]) -> Kept:
        problem = ""
        for storage in self._storages:
            try:
                found = read(digest, storage.get(digest))
            except NotFound:
                continue
            except (StorageProblem, RecordInvalid) as fault:
                problem = problem or fault.message
                continue
            if problem and len(self._faults) < CACHED:
                self._faults.append(f"another copy was used, because {problem}")
            return found
        if problem:
            raise StorageProblem(problem)
        raise NotFound(f"{hexed(digest)} is in no storage")


def _sealed(commitment: bytes, content: bytes) -> SealedRecord:
    sealed = open_sealed(content)
    if sealed.commitment != commitment:
        raise StorageProblem(f"what is kept under {hexed(commitment)} is another record")
    return sealed


def _batch(digest: bytes, content: bytes) -> ObservationBatch:
    if sha256(content) != digest:
        raise StorageProblem(f"what is kept under {hexed(digest)} has another SHA-256")
    return open_batch(content)
