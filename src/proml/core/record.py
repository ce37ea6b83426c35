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
from proml.core.document import CONTENT_DEPTH, MAX_BYTES, MAX_DEPTH, canonical, is_of_type, parse_canonical
from proml.core.fields import check_field
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

_DISCLOSURE_MEMBERS = {"type", "version", "commitment", "fields"}

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What a disclosure proves of a record.

    Attributes:
        shown: the disclosed fields and their values.
        absent: names that the record proves not to have; a name in neither was not spoken of.
    """

    shown: Record
    absent: frozenset[str]


@dataclass(frozen=True, slots=True, repr=False)
class SealedRecord:
    """A record with its key. The `repr` shows neither.

    Attributes:
        record: the JSON object; not to be changed any more.
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
        RecordInvalid: naming the field that is missing, unknown, of another shape or without a
            canonical form, or saying that the sealed record would have more than 4 MiB.
    """
    check(record)
    if len(key) != KEY_BYTES:
        raise RecordInvalid(f"a record key has {KEY_BYTES} bytes, not {len(key)}")
    return SealedRecord(dict(record), key)


def check(record: Record) -> None:
    """Raise RecordInvalid unless the fields are known, complete, of their shapes and canonical.

    Does not check that what they say is true, nor that it agrees with the ledger.
    """
    _check_shape(record)
    size = len(canonical(dict(record), CONTENT_DEPTH)) + _ENVELOPE_BYTES
    if size > MAX_BYTES:
        raise RecordInvalid(
            f"the sealed record would have {size} bytes, more than the {MAX_BYTES} allowed",
            "log what is long as observations, or keep it in a file and name that as an input",
        )


def _check_shape(record: Record) -> None:
    unknown = [name for name in record if name not in FIELDS]
    if unknown:
        raise RecordInvalid(f"a record has no field {unknown[0]!r}", "put what is your own under 'claims'")
    missing = [name for name in REQUIRED if name not in record]
    if missing:
        raise RecordInvalid(f"a record needs the field {missing[0]!r}")
    if not is_of_type(record, RECORD_TYPE, VERSION):
        raise RecordInvalid(
            f"record type {record['type']!r} version {record['version']!r} is not one this program knows",
            "a newer ProML may have written it",
        )
    for name, value in record.items():
        check_field(name, value)


def open_sealed(content: bytes) -> SealedRecord:
    """Read the stored bytes of a sealed record, which are canonical JSON and nothing else.

    Raises:
        RecordInvalid: when they are not one. Does not check the commitment: compare it with the
            ledger's.
    """
    # The envelope is one level; size and canonical form of the record are those of the whole.
    value = parse_canonical(content, "a sealed record", depth=CONTENT_DEPTH + 1)
    if not is_of_type(value, SEALED_TYPE):
        raise RecordInvalid("not a sealed record of version 1")
    record = value.get("record")
    if not isinstance(record, dict) or set(value) != {"type", "version", "key", "record"}:
        raise RecordInvalid("a sealed record has exactly type, version, key and record")
    _check_shape(record)
    return SealedRecord(record, unhexed(value["key"], KEY_BYTES))


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

    Used where the digest itself could be guessed or must not be discoverable.
    """
    return salted_subject(subject_salt(key), digest)


def subject_salt(key: bytes) -> bytes:
    """HKDF-Expand(record key, "proml/1/subject"), 32 bytes: opens a private subject and nothing else."""
    return expand(key, "proml/1/subject")


def salted_subject(salt: bytes, digest: bytes) -> bytes:
    """`subject_commitment` for whoever was given the salt and not the record's key."""
    return sha256(b"\x02" + salt + digest)


def disclose(sealed: SealedRecord, names: Iterable[str]) -> dict[str, Any]:
    """A document that shows the named fields, or that they are absent, and proves them; nothing else.

    The salts of other fields are independent under HKDF, so what is shown tells nothing of the rest.

    Args:
        sealed: the record with its key.
        names: out of `FIELDS`; one given twice is shown once.

    Raises:
        RecordInvalid: for a name that no record can have.
    """
    leaves = _leaves(sealed.record, sealed.key)
    fields = []
    for name in dict.fromkeys(names):
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


def read_disclosure(document: Mapping[str, Any], commitment: bytes) -> Disclosure:
    """The disclosed fields, each checked against a commitment taken from the ledger.

    Args:
        document: the parsed document; every member is checked, unknown ones are refused.
        commitment: 32 bytes that stand on the ledger, not those that the document names.

    Raises:
        RecordInvalid: when any field does not belong to that commitment or has not its shape.
    """
    entries = document.get("fields")
    if not is_of_type(document, DISCLOSURE_TYPE) or not isinstance(entries, list):
        raise RecordInvalid("not a disclosure of version 1")
    if set(document) != _DISCLOSURE_MEMBERS or unhexed(document["commitment"]) != commitment:
        raise RecordInvalid(f"the disclosure does not speak of the record {hexed(commitment)}")
    shown: dict[str, Any] = {}
    absent: set[str] = set()
    for entry in entries:
        name = _disclosed(entry, commitment)
        if name in shown or name in absent:
            raise RecordInvalid(f"a disclosure shows the field {name!r} twice")
        if "value" in entry:
            shown[name] = entry["value"]
        else:
            absent.add(name)
    return Disclosure(shown, frozenset(absent))


def _disclosed(entry: Any, commitment: bytes) -> str:
    """The name of the field that an entry of a disclosure shows, or shows to be absent."""
    if not isinstance(entry, dict) or set(entry) - {"value"} != {"name", "salt", "path"}:
        raise RecordInvalid("each field of a disclosure has name, salt, path and perhaps value")
    name, siblings = entry["name"], entry["path"]
    if name not in FIELDS or not isinstance(siblings, list):
        raise RecordInvalid(f"a record has no field {str(name)[:40]!r}, or its path is not an array")
    content = [name]
    if "value" in entry:
        check_field(name, entry["value"])
        content.append(entry["value"])
    leaf = leaf_hash(unhexed(entry["salt"]) + canonical(content))
    hashes = [unhexed(sibling) for sibling in siblings]
    if root_from_path(leaf, FIELDS.index(name), len(FIELDS), hashes) != commitment:
        raise RecordInvalid(f"the disclosed field {name!r} is not part of the record {hexed(commitment)}")
    return str(name)


def _salt(key: bytes, name: str) -> bytes:
    return expand(key, "proml/1/salt", name.encode("ascii"))


def _leaves(record: Record, key: bytes) -> list[bytes]:
    return [leaf_hash(_salt(key, name) + _field(record, name)) for name in FIELDS]


def _field(record: Record, name: str) -> bytes:
    """Canonical JSON of [name, value], or of [name] where the field is absent."""
    if name not in record:
        return _ABSENT[name]
    return b"".join((_ABSENT[name][:-1], b",", canonical(record[name], MAX_DEPTH - 1), b"]"))


_ABSENT = {name: canonical([name]) for name in FIELDS}

# What a sealed record has besides the record itself; canonical JSON nests byte for byte.
_ENVELOPE_BYTES = len(SealedRecord({}, bytes(KEY_BYTES)).content) - len(canonical({}))
