"""Observations: how a batch of them becomes one Merkle root, and the proof of a single one.

An observation is a small JSON object (a metric, a checkpoint, an epoch). Its leaf is

    SHA-256(0x00 || salt || canonical JSON of the observation)
    salt = HKDF-Expand(batch key, "proml/1/observation", index as 8 bytes, big-endian)

with one random 32-byte key per batch. The root and the number of leaves are anchored on the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proml.core.digest import expand, hexed, unhexed
from proml.core.document import canonical, parse
from proml.core.merkle import leaf_hash, path, root, root_from_path
from proml.errors import RecordInvalid

BATCH_TYPE = "proml/observations"
PROOF_TYPE = "proml/proof"
VERSION = 1
# One batch document must stay well under what storage and a reader's memory take at once.
MAX_OBSERVATIONS = 10_000
MAX_BATCH_BYTES = 16 * 1024 * 1024


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
        """Whether the path leads from the observation to the root; not whether the root is anchored."""
        leaf = leaf_hash(self.salt + canonical(dict(self.observation)))
        return root_from_path(leaf, self.index, self.count, self.siblings) == self.root

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
    """Observations in order, and the 32-byte key their salts come from."""

    observations: Sequence[Mapping[str, Any]]
    key: bytes

    @property
    def root(self) -> bytes:
        """Merkle root over all observations, 32 bytes."""
        return root(self._leaves())

    @property
    def content(self) -> bytes:
        """The bytes kept in storage, named by their SHA-256."""
        return canonical(
            {
                "type": BATCH_TYPE,
                "version": VERSION,
                "key": hexed(self.key),
                "observations": [dict(observation) for observation in self.observations],
            }
        )

    def prove(self, index: int) -> Proof:
        """Proof of the observation at `index`, counted from 0."""
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
            leaf_hash(self._salt(index) + canonical(dict(observation)))
            for index, observation in enumerate(self.observations)
        ]


def open_batch(content: bytes) -> ObservationBatch:
    """Read the stored bytes of a batch; raises RecordInvalid when they are not one."""
    value = parse(content, "a batch of observations", MAX_BATCH_BYTES)
    observations = value.get("observations")
    if (
        value.get("type") != BATCH_TYPE
        or value.get("version") != VERSION
        or not isinstance(observations, list)
    ):
        raise RecordInvalid("not a batch of observations of version 1")
    if not observations or len(observations) > MAX_OBSERVATIONS:
        raise RecordInvalid(f"a batch has 1 to {MAX_OBSERVATIONS} observations, not {len(observations)}")
    if not all(isinstance(observation, dict) for observation in observations):
        raise RecordInvalid("an observation is a JSON object")
    return ObservationBatch(observations, unhexed(value.get("key")))


def read_proof(document: Mapping[str, Any]) -> Proof:
    """Read a proof document; raises RecordInvalid when it breaks the format. Call `holds` next."""
    if document.get("type") != PROOF_TYPE or document.get("version") != VERSION:
        raise RecordInvalid("not a proof of version 1")
    observation, index, count = (document.get(name) for name in ("observation", "index", "count"))
    siblings = document.get("path")
    if not isinstance(observation, dict) or not isinstance(siblings, list):
        raise RecordInvalid("a proof has an observation and a path")
    if not isinstance(index, int) or not isinstance(count, int):
        raise RecordInvalid("a proof has an index and a count")
    return Proof(
        observation=observation,
        salt=unhexed(document.get("salt")),
        index=index,
        count=count,
        siblings=tuple(unhexed(sibling) for sibling in siblings),
        root=unhexed(document.get("root")),
    )
