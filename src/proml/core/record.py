"""Records: one immutable statement of provenance, its salted commitment, and disclosing parts of it.

A record is a JSON object with at most the sixteen fields of `FIELDS`. What reaches the ledger is its
*commitment*, 32 bytes: the Merkle root over sixteen leaves, one per name in the order of `FIELDS`,
whether the field is there or not:

    salt(name) = HKDF-Expand(record key, "proml/1/salt", name)
    leaf       = SHA-256(0x00 || salt || canonical JSON of [name, value])    field present
                 SHA-256(0x00 || salt || canonical JSON of [name])           field absent

Sixteen leaves always, so the commitment does not tell how many fields there are, and an absent field
can be proven absent. All salts come from one random 32-byte *record key*: erase it together with the
document and nothing is left to guess (docs/format.md, "Commitment").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from proml.core.digest import expand, hexed, sha256, unhexed
from proml.core.document import canonical, parse
from proml.core.merkle import leaf_hash, path, root, root_from_path
from proml.errors import RecordInvalid

# The position of a name is the position of its leaf: never reorder, never remove.
FIELDS = (
    "type",
    "version",
    "artefact",
    "kind",
    "name",
    "action",
    "sequence",
    "actor",
    "subject",
    "inputs",
    "activity",
    "parameters",
    "metrics",
    "claims",
    "observations",
    "amends",
)
REQUIRED = ("type", "version", "artefact", "kind", "action", "sequence", "actor")
RECORD_TYPE = "proml/record"
SEALED_TYPE = "proml/sealed-record"
DISCLOSURE_TYPE = "proml/disclosure"
VERSION = 1
KEY_BYTES = 32

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class SealedRecord:
    """A record with its key. The `repr` shows neither.

    Attributes:
        record: the JSON object.
        key: 32 random bytes; whoever has them and guesses a field can check the guess.
    """

    record: Record
    key: bytes

    @property
    def commitment(self) -> bytes:
        """What stands on the ledger, 32 bytes."""
        return root(_leaves(self.record, self.key))

    @property
    def content(self) -> bytes:
        """The bytes kept in storage: canonical JSON of the record and its key."""
        return canonical(
            {
                "type": SEALED_TYPE,
                "version": VERSION,
                "key": hexed(self.key),
                "record": dict(self.record),
            }
        )

    def __repr__(self) -> str:
        return f"SealedRecord({hexed(self.commitment)})"


def seal(record: Record, key: bytes) -> SealedRecord:
    """Bind a record to a fresh key.

    Args:
        record: a JSON object with names out of `FIELDS`, all of `REQUIRED` among them.
        key: 32 bytes from a cryptographic random source, used for this record only.

    Raises:
        RecordInvalid: naming the field that is missing, unknown or without a canonical form.
    """
    check(record)
    if len(key) != KEY_BYTES:
        raise RecordInvalid(f"a record key has {KEY_BYTES} bytes, not {len(key)}")
    return SealedRecord(dict(record), key)


def check(record: Record) -> None:
    """Raise RecordInvalid unless the fields are known, complete and canonical.

    Does not check that what they say is true, nor that it agrees with the ledger.
    """
    unknown = sorted(set(record) - set(FIELDS))
    if unknown:
        raise RecordInvalid(f"a record has no field {unknown[0]!r}", "put what is your own under 'claims'")
    missing = [name for name in REQUIRED if name not in record]
    if missing:
        raise RecordInvalid(f"a record needs the field {missing[0]!r}")
    if record["type"] != RECORD_TYPE or record["version"] != VERSION:
        raise RecordInvalid(
            f"record type {record['type']!r} version {record['version']!r} is not one this program knows",
            "a newer ProML may have written it",
        )
    unhexed(record["artefact"])
    canonical(dict(record))


def open_sealed(content: bytes) -> SealedRecord:
    """Read the stored bytes of a sealed record.

    Raises:
        RecordInvalid: when they are not one. Does not check the commitment: compare it with the
            ledger's.
    """
    value = parse(content, "a sealed record")
    if value.get("type") != SEALED_TYPE or value.get("version") != VERSION:
        raise RecordInvalid("not a sealed record of version 1")
    record = value.get("record")
    if not isinstance(record, dict) or set(value) != {"type", "version", "key", "record"}:
        raise RecordInvalid("a sealed record has exactly type, version, key and record")
    return seal(record, unhexed(value.get("key"), KEY_BYTES))


def is_named(digest: bytes, content: bytes) -> bool:
    """Whether `digest` names `content`: its SHA-256, or the commitment of the sealed record it is."""
    if sha256(content) == digest:
        return True
    try:
        return open_sealed(content).commitment == digest
    except RecordInvalid:
        return False


def subject_commitment(key: bytes, digest: bytes) -> bytes:
    """The private form of a subject: SHA-256(0x02 || salt || digest), 32 bytes.

    salt = HKDF-Expand(record key, "proml/1/subject").

    Used where the digest itself could be guessed or must not be discoverable.
    """
    return sha256(b"\x02" + expand(key, "proml/1/subject") + digest)


def disclose(sealed: SealedRecord, names: Iterable[str]) -> dict[str, Any]:
    """A document that shows the named fields, or that they are absent, and proves them; nothing else.

    The salts of other fields are independent under HKDF, so what is shown tells nothing of the rest.

    Raises:
        RecordInvalid: for a name that no record can have.
    """
    leaves = _leaves(sealed.record, sealed.key)
    fields = []
    for name in names:
        if name not in FIELDS:
            raise RecordInvalid(f"a record has no field {name!r}", f"fields are {', '.join(FIELDS)}")
        position = FIELDS.index(name)
        shown: dict[str, Any] = {
            "name": name,
            "salt": hexed(_salt(sealed.key, name)),
            "path": [hexed(sibling) for sibling in path(leaves, position)],
        }
        if name in sealed.record:
            shown["value"] = sealed.record[name]
        fields.append(shown)
    return {
        "type": DISCLOSURE_TYPE,
        "version": VERSION,
        "commitment": hexed(sealed.commitment),
        "fields": fields,
    }


def read_disclosure(document: Mapping[str, Any], commitment: bytes) -> dict[str, Any]:
    """The disclosed fields, each checked against a commitment taken from the ledger.

    A name that is in the result with value None was proven absent if its entry had no `value`.

    Raises:
        RecordInvalid: when any field does not belong to that commitment.
    """
    if document.get("type") != DISCLOSURE_TYPE or document.get("version") != VERSION:
        raise RecordInvalid("not a disclosure of version 1")
    shown: dict[str, Any] = {}
    for entry in document.get("fields", []):
        name = entry.get("name")
        if name not in FIELDS or name in shown:
            raise RecordInvalid(f"a disclosure shows the field {str(name)[:40]!r} twice, or there is none")
        content = [name, entry["value"]] if "value" in entry else [name]
        leaf = leaf_hash(unhexed(entry.get("salt")) + canonical(content))
        siblings = [unhexed(sibling) for sibling in entry.get("path", [])]
        if root_from_path(leaf, FIELDS.index(name), len(FIELDS), siblings) != commitment:
            raise RecordInvalid(f"the disclosed field {name!r} is not part of the record {hexed(commitment)}")
        shown[name] = entry.get("value")
    return shown


def _salt(key: bytes, name: str) -> bytes:
    return expand(key, "proml/1/salt", name.encode("ascii"))


def _leaves(record: Record, key: bytes) -> list[bytes]:
    return [
        leaf_hash(_salt(key, name) + canonical([name, record[name]] if name in record else [name]))
        for name in FIELDS
    ]
