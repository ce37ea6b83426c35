"""Merkle trees over byte strings: root, inclusion path and its check (RFC 6962 section 2.1).

Leaves and inner nodes are hashed under different prefixes, so that neither can pass for the other:

    leaf(x)    = SHA-256(0x00 || x)
    node(l, r) = SHA-256(0x01 || l || r)
    root of n leaves = node(root of the first k, root of the rest), k the largest power of two < n

An inclusion path is the list of sibling hashes from the leaf upwards. A tree has at least one leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from proml.errors import RecordInvalid

# 2**40 leaves is far beyond any batch; a longer path can only be an attempt to waste time.
MAX_PATH = 40


def leaf_hash(content: bytes) -> bytes:
    """Hash of a leaf holding `content`, 32 bytes."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node over two 32-byte hashes."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over leaf hashes (already hashed, 32 bytes each), at least one."""
    level = list(leaves)
    if not level:
        raise RecordInvalid("a Merkle tree needs at least one leaf")
    # Pairing level by level, the odd one carried up, gives RFC 6962's tree.
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Sibling hashes proving that leaf `index` (from 0) is in the tree, lowest first."""
    if not 0 <= index < len(leaves):
        raise RecordInvalid(f"no leaf {index} in a tree of {len(leaves)}")
    siblings = []
    level = list(leaves)
    while len(level) > 1:
        if index ^ 1 < len(level):
            siblings.append(level[index ^ 1])
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level, index = paired, index // 2
    return siblings


def root_from_path(leaf: bytes, index: int, count: int, siblings: Sequence[bytes]) -> bytes:
    """The root that `leaf` at `index` of `count` leaves has under this path (RFC 9162 section 2.1.3.2).

    Does not say whether that root is anchored anywhere: compare it with one you trust, and `count` with
    the count that is anchored beside it, since a root alone does not tell how many leaves it has.

    Raises:
        RecordInvalid: when index and count are impossible or the path is too short or too long.
    """
    if not 0 <= index < count:
        raise RecordInvalid(f"no leaf {index} in a tree of {count}")
    if len(siblings) > MAX_PATH:
        raise RecordInvalid("the Merkle path is too long")
    remaining = list(siblings)
    last = count - 1
    result = leaf
    while last > 0:
        if index % 2 or index < last:
            if not remaining:
                raise RecordInvalid("the Merkle path is too short")
            sibling = remaining.pop(0)
            result = node_hash(sibling, result) if index % 2 else node_hash(result, sibling)
        index, last = index // 2, last // 2
    if remaining:
        raise RecordInvalid("the Merkle path is too long")
    return result
