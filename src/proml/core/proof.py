"""Observations: how a batch of them becomes one Merkle root, and the proof of a single one.

An observation is a small JSON object (a metric, a checkpoint, an epoch). Its leaf is

    SHA-256(0x00 || salt || canonical JSON of the observation)
    salt = HKDF-Expand(batch key, "proml/1/observation", index as 8 bytes, big-endian)

with one random 32-byte key per batch. The root and the number of leaves are anchored on the ledger.
What a proof says of its leaf's place holds only under that anchored number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proml.core.digest import DIGEST_BYTES, expand, hexed, unhexed
from proml.core.document import CONTENT_DEPTH, canonical, is_of_type, parse_canonical
from proml.core.merkle import leaf_hash, path, root, root_from_path
from proml.errors import RecordInvalid

BATCH_TYPE = "proml/observations"
PROOF_TYPE = "proml/proof"
VERSION = 1
# One batch document must stay well under what storage and a reader's memory take at once.
MAX_OBSERVATIONS = 10_000
MAX_BATCH_BYTES = 16 * 1024 * 1024
_PROOF_MEMBERS = {"type", "version", "observation", "salt", "index", "count", "path", "root"}


@dataclass(frozen=True, slots=True)
class Proof:
    """That one observation is leaf `index` of `count` under `root` (32 bytes)."""

    observation: Mapping[str, Any]
    salt: bytes
    index: int
    count: int
    siblings: tuple[bytes, ...]
    root: bytes

    def holds(self) -> bool:
        """Whether the path leads from the observation to the root.

        Not whether the root is anchored, nor with this count: compare both with the ledger.
        """
        leaf = leaf_hash(self.salt + canonical(dict(self.observation), CONTENT_DEPTH))
        try:
            return root_from_path(leaf, self.index, self.count, self.siblings) == self.root
        except RecordInvalid:  # no such leaf, or a path of another length
            return False

    def document(self) -> dict[str, Any]:
        """The proof as a JSON object (docs/format.md, "Proof")."""
        return {
            "type": PROOF_TYPE,
            "version": VERSION,
            "observation": dict(self.observation),
            "salt": hexed(self.salt),
            "index": self.index,
            "count": self.count,
            "path": [hexed(sibling) for sibling in self.siblings],
            "root": hexed(self.root),
        }


@dataclass(frozen=True, slots=True, repr=False)
class ObservationBatch:
    """Observations in order, and the 32-byte key their salts come from.

    Raises:
        RecordInvalid: for none, more than 10,000, one that is not a JSON object, or a key of another
            length. The 16 MiB are checked when `content` is made.
    """

    observations: Sequence[Mapping[str, Any]]
    key: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.observations) <= MAX_OBSERVATIONS:
            raise RecordInvalid(
                f"a batch has 1 to {MAX_OBSERVATIONS} observations, not {len(self.observations)}"
            )
        if not all(isinstance(observation, Mapping) for observation in self.observations):
            raise RecordInvalid("an observation is a JSON object")
        if len(self.key) != DIGEST_BYTES:
            raise RecordInvalid(f"a batch key has {DIGEST_BYTES} bytes, not {len(self.key)}")

    @property
    def root(self) -> bytes:
        """Merkle root over all observations, 32 bytes."""
        return root(self._leaves())

    @property
    def content(self) -> bytes:
        """The bytes kept in storage, named by their SHA-256."""
        content = canonical(
            {
                "type": BATCH_TYPE,
                "version": VERSION,
                "key": hexed(self.key),
                "observations": [dict(observation) for observation in self.observations],
            }
        )
        if len(content) > MAX_BATCH_BYTES:
            raise RecordInvalid(
                f"the batch would have {len(content)} bytes, more than the {MAX_BATCH_BYTES} allowed"
            )
        return content

    def prove(self, index: int) -> Proof:
        """Proof of the observation at `index`, counted from 0; RecordInvalid when there is none."""
        if not 0 <= index < len(self.observations):
            raise RecordInvalid(f"no observation {index} in a batch of {len(self.observations)}")
        leaves = self._leaves()
        return Proof(
            observation=self.observations[index],
            salt=self._salt(index),
            index=index,
            count=len(leaves),
            siblings=tuple(path(leaves, index)),
            root=root(leaves),
        )

    def _salt(self, index: int) -> bytes:
        return expand(self.key, "proml/1/observation", index.to_bytes(8, "big"))

    def _leaves(self) -> list[bytes]:
        return [
            leaf_hash(self._salt(index) + canonical(dict(observation), CONTENT_DEPTH))
            for index, observation in enumerate(self.observations)
        ]


def open_batch(content: bytes) -> ObservationBatch:
    """Read the stored bytes of a batch, canonical JSON; raises RecordInvalid when they are not one."""
    value = parse_canonical(content, "a batch of observations", MAX_BATCH_BYTES)
    observations = value.get("observations")
    if not is_of_type(value, BATCH_TYPE) or not isinstance(observations, list):
        raise RecordInvalid("not a batch of observations of version 1")
    if set(value) != {"type", "version", "key", "observations"}:
        raise RecordInvalid("a batch has exactly type, version, key and observations")
    return ObservationBatch(observations, unhexed(value["key"]))


def read_proof(document: Mapping[str, Any]) -> Proof:
    """Read a proof document; raises RecordInvalid when it breaks the format. Call `holds` next."""
    if not is_of_type(document, PROOF_TYPE) or set(document) != _PROOF_MEMBERS:
        raise RecordInvalid("not a proof of version 1")
    observation, index, count = (document[name] for name in ("observation", "index", "count"))
    siblings = document["path"]
    if not isinstance(observation, dict) or not isinstance(siblings, list):
        raise RecordInvalid("a proof has an observation and a path")
    if type(index) is not int or type(count) is not int:
        raise RecordInvalid("a proof has an index and a count")
    return Proof(
        observation=observation,
        salt=unhexed(document["salt"]),
        index=index,
        count=count,
        siblings=tuple(unhexed(sibling) for sibling in siblings),
        root=unhexed(document["root"]),
    )
