"""State proofs: what a contract's storage holds at a block, from nothing but the block's hash.

A block's hash covers its header, the header names the root of the state, and every value of the state
hangs on that root by a chain of hashes (Ethereum Yellow Paper, appendices B and D; the same nodes that
`eth_getProof` of EIP-1186 gives). Nodes are found by their Keccak-256, so their order says nothing; they
are kept in ascending order of it, once each, and one that no lookup needs makes the proof surplus.

RLP is read strictly: one encoding per value, no byte left over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from proml.core.digest import ZERO, hexed, keccak256
from proml.core.event import Block
from proml.errors import NotFound, RecordInvalid

Rlp = bytes | list["Rlp"]

MAX_RLP_BYTES = 64 * 1024
# A branch may hold small nodes inside itself, and those again; deeper than this is no state node.
MAX_RLP_DEPTH = 8
# Positions of the header's fields (Yellow Paper 4.4.2); later forks append and never reorder.
STATE_ROOT, NUMBER, TIMESTAMP = 3, 8, 11
LEAST_HEADER_FIELDS = 15
EMPTY_ROOT = keccak256(b"\x80")
# The 64 half-bytes of a hashed key and the root, one node each, and no more.
MAX_PATH_NODES = 65


def encode_rlp(value: Rlp) -> bytes:
    """The one encoding of byte strings and lists of them."""
    if isinstance(value, bytes):
        if len(value) == 1 and value[0] < 0x80:
            return value
        return _length(len(value), 0x80) + value
    content = b"".join(encode_rlp(item) for item in value)
    return _length(len(content), 0xC0) + content


def _length(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size


def decode_rlp(content: bytes) -> Rlp:
    """The value behind an encoding of at most 64 KiB and 8 levels.

    Raises:
        RecordInvalid: for anything but the one encoding of a value.
    """
    if len(content) > MAX_RLP_BYTES:
        raise RecordInvalid(f"RLP of {len(content)} bytes, more than the {MAX_RLP_BYTES} allowed")
    value, end = _decode(content, 0, MAX_RLP_DEPTH)
    # Strictness in one line: whatever was read must encode to the very same bytes.
    if end != len(content) or encode_rlp(value) != content:
        raise RecordInvalid("RLP that is not in canonical form")
    return value


def _decode(content: bytes, at: int, depth: int) -> tuple[Rlp, int]:
    if at >= len(content) or depth < 0:
        raise RecordInvalid("RLP ends too early, or is nested too deeply")
    first = content[at]
    if first < 0x80:
        return content[at : at + 1], at + 1
    start, end = _extent(content, at, first - (0xC0 if first >= 0xC0 else 0x80))
    if first < 0xC0:
        return content[start:end], end
    items: list[Rlp] = []
    while start < end:
        item, start = _decode(content, start, depth - 1)
        items.append(item)
    if start != end:
        raise RecordInvalid("RLP list whose last item reaches beyond it")
    return items, end


def _extent(content: bytes, at: int, size: int) -> tuple[int, int]:
    """Where the content of the item at `at` begins and ends."""
    start = at + 1
    if size > 55:
        start += size - 55
        size = int.from_bytes(content[at + 1 : start], "big")
    if start + size > len(content):
        raise RecordInvalid("RLP ends too early")
    return start, start + size


@dataclass(frozen=True, slots=True)
class StateProof:
    """A block header and the state nodes that hang on it.

    Attributes:
        header: RLP of the header; its Keccak-256 is the block's hash.
        nodes: RLP of trie nodes, each once, ascending by their Keccak-256.
    """

    header: bytes
    nodes: tuple[bytes, ...]

    @property
    def block(self) -> Block:
        """The block the proof is about; RecordInvalid when the header cannot be read."""
        return read_header(self.header)[0]


def state_proof(header: bytes, nodes: Iterable[bytes]) -> StateProof:
    """Put nodes, in any order and as often as they come, into a proof."""
    by_hash = {keccak256(node): node for node in nodes}
    return StateProof(header, tuple(by_hash[name] for name in sorted(by_hash)))


def read_header(header: bytes) -> tuple[Block, bytes]:
    """The block a header is of, and its state root (32 bytes).

    Raises:
        RecordInvalid: when it is no header. Does not say that the block is on any chain: compare
            its hash with one you trust.
    """
    fields = decode_rlp(header)
    if not isinstance(fields, list) or len(fields) < LEAST_HEADER_FIELDS:
        raise RecordInvalid("the block header has too few fields")
    number, time, root = fields[NUMBER], fields[TIMESTAMP], fields[STATE_ROOT]
    if not isinstance(number, bytes) or not isinstance(time, bytes) or not isinstance(root, bytes):
        raise RecordInvalid("the block header holds a list where a value belongs")
    if len(root) != 32 or max(len(number), len(time)) > 8 or number[:1] == b"\0" or time[:1] == b"\0":
        raise RecordInvalid("the block header holds a number or a root of the wrong length")
    block = Block(int.from_bytes(number, "big"), keccak256(header), int.from_bytes(time, "big"))
    return block, root


class ProvenStorage:
    """One contract's storage at one block, as far as a proof shows it.

    Args:
        proof: the proof.
        contract: 20-byte address.
        code: Keccak-256 of the code the contract must have.

    Raises:
        RecordInvalid: when the proof is damaged, or shows no such contract, or one with other code.
    """

    def __init__(self, proof: StateProof, contract: bytes, code: bytes) -> None:
        names = [keccak256(node) for node in proof.nodes]
        if any(first >= second for first, second in pairwise(names)):
            raise RecordInvalid("the nodes of a state proof are not in order, or one is there twice")
        self._nodes: Mapping[bytes, bytes] = dict(zip(names, proof.nodes, strict=True))
        self._used: set[bytes] = set()
        self.block, root = read_header(proof.header)
        try:
            account = self._lookup(root, keccak256(contract))
        except NotFound as missing:
            raise RecordInvalid("the state proof does not reach the contract") from missing
        fields = decode_rlp(account) if account is not None else None
        if not isinstance(fields, list) or len(fields) != 4:
            raise RecordInvalid(f"the state proof shows no contract at {hexed(contract)}")
        storage, found = fields[2], fields[3]
        if not isinstance(storage, bytes) or len(storage) != 32 or found != code:
            raise RecordInvalid(f"the state proof shows another contract at {hexed(contract)}")
        self._root = storage

    def word(self, slot: bytes) -> int:
        """What a slot (32 bytes) holds, 0 where the proof shows that it was never written.

        Raises:
            NotFound: the proof says nothing about this slot.
            RecordInvalid: it says something that no chain says.
        """
        value = self._lookup(self._root, keccak256(slot))
        if value is None:
            return 0
        content = decode_rlp(value)
        if not isinstance(content, bytes) or not 1 <= len(content) <= 32 or content[0] == 0:
            raise RecordInvalid(f"the state proof holds no word in slot {hexed(slot)}")
        return int.from_bytes(content, "big")

    @property
    def surplus(self) -> int:
        """How many nodes no lookup so far has needed."""
        return len(self._nodes) - len(self._used)

    def _lookup(self, root: bytes, key: bytes) -> bytes | None:
        """The value under a hashed key; None when the nodes show that there is none."""
        if root == EMPTY_ROOT:
            return None
        path = [half for byte in key for half in (byte >> 4, byte & 15)]
        node = self._node(root)
        for _ in range(MAX_PATH_NODES):
            below = _descend(node, path)
            if below is None or isinstance(below, _Value):
                return below.content if below else None
            if isinstance(below, bytes):
                # A node shorter than a hash stands in its parent itself; a hash is never short.
                if len(below) != 32:
                    raise RecordInvalid("a state node points at something that is no hash")
                node = self._node(below)
            else:
                node = below
        raise RecordInvalid("a state path is longer than its key")

    def _node(self, name: bytes) -> Sequence[Rlp]:
        content = self._nodes.get(name)
        if content is None:
            raise NotFound(f"the state proof lacks the node {hexed(name)}")
        self._used.add(name)
        node = decode_rlp(content)
        if not isinstance(node, list):
            raise RecordInvalid("a state node is not a list")
        return node


@dataclass(frozen=True, slots=True)
class _Value:
    content: bytes


def _descend(node: Sequence[Rlp], path: list[int]) -> _Value | bytes | Sequence[Rlp] | None:
    """One node further along `path`, which is shortened: a value, a hash, an inner node, or nothing."""
    if len(node) == 17:
        if not path:
            raise RecordInvalid("a state path ends in a branch, which a hashed key cannot")
        below = node[path.pop(0)]
        return None if below == b"" else below
    if len(node) != 2 or not isinstance(node[0], bytes) or not node[0]:
        raise RecordInvalid("a state node has neither 2 nor 17 items")
    leaf, part = _unpacked(node[0])
    if path[: len(part)] != part:
        return None
    del path[: len(part)]
    if not leaf:
        return node[1]
    if path or not isinstance(node[1], bytes):
        raise RecordInvalid("a state leaf stands too high, or holds no value")
    return _Value(node[1])


def _unpacked(packed: bytes) -> tuple[bool, list[int]]:
    """Whether a node is a leaf, and its part of the path (Yellow Paper, appendix C)."""
    flag = packed[0] >> 4
    if flag > 3 or (not flag & 1 and packed[0] & 15):
        raise RecordInvalid("a state node's path is not in canonical form")
    halves = [half for byte in packed for half in (byte >> 4, byte & 15)]
    return flag >= 2, halves[1 if flag & 1 else 2 :]


def mapping_slot(number: int, key: bytes) -> bytes:
    """The slot of `key` (32 bytes, left-padded) in the Vyper HashMap at slot `number`.

    keccak256(slot || key), in this order; Solidity has the other (Vyper documentation, storage layout).
    """
    return keccak256(number.to_bytes(32, "big") + ZERO[len(key) :] + key)
