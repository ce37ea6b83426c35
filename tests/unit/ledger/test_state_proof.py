"""Proofs as a node gives them, and a node that answers something else.

Real proofs are in tests/unit/verify/test_evidence_proof.py.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from proml.core.digest import hexed, keccak256
from proml.core.patricia import read_header
from proml.errors import LedgerProblem
from proml.ledger.state_proof import fetch_state_proof

# A block of mainnet's form since Cancun, as `eth_getBlockByNumber` tells it; anvil made it.
BLOCK = json.loads((Path(__file__).parent / "block.json").read_text())
NUMBER = int(BLOCK["number"], 16)
ANSWER = {"accountProof": ["0xc0"], "storageProof": [{"proof": ["0xc0", "0xc180"]}]}


class Node:
    """Answers the two questions as it is told to, and remembers what was asked."""

    def __init__(self, block: Any = BLOCK, proof: Any = ANSWER) -> None:
        self.answers = {"eth_getBlockByNumber": block, "eth_getProof": proof}
        self.asked: list[tuple[str, Sequence[Any]]] = []

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        self.asked.append((method, params))
        return self.answers[method]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self.call(*each) for each in calls]


def fetch(node: Node, slots: int = 1) -> Any:
    return fetch_state_proof(node, bytes(20), [number.to_bytes(32, "big") for number in range(slots)], NUMBER)


def test_the_header_hashes_to_the_block_and_each_node_is_there_once() -> None:
    proof = fetch(Node())
    assert hexed(keccak256(proof.header)) == BLOCK["hash"]
    assert read_header(proof.header)[0].number == NUMBER
    assert sorted(proof.nodes) == [b"\xc0", b"\xc1\x80"]


def test_many_slots_are_asked_for_in_parts() -> None:
    node = Node()
    fetch(node, 600)
    assert [len(params[1]) for method, params in node.asked if method == "eth_getProof"] == [256, 256, 88]


def test_a_header_that_is_not_the_blocks_is_refused() -> None:
    for name in ("stateRoot", "timestamp", "number", "hash", "logsBloom"):
        with pytest.raises(LedgerProblem, match="does not hash"):
            fetch(Node(block=BLOCK | {name: BLOCK[name][:-1] + ("0" if BLOCK[name][-1] != "0" else "1")}))


def test_a_header_with_a_field_of_a_later_fork_is_not_guessed_at() -> None:
    with pytest.raises(LedgerProblem, match="does not hash"):
        fetch(Node(block=BLOCK | {"requestsHash": "0x" + "00" * 32}))


@pytest.mark.parametrize("block", [None, [], "0x", {}, {"hash": 7}, BLOCK | {"number": None, "hash": 3}])
def test_what_is_no_block_is_refused(block: Any) -> None:
    with pytest.raises(LedgerProblem):
        fetch(Node(block=block))


NO_PROOFS = (
    None,
    [],
    {},
    {"accountProof": ["0xc0"]},
    ANSWER | {"accountProof": [7]},
    ANSWER | {"accountProof": ["0xzz"]},
    ANSWER | {"storageProof": [{}]},
    ANSWER | {"storageProof": 7},
)


@pytest.mark.parametrize("proof", NO_PROOFS)
def test_what_is_no_proof_is_refused(proof: Any) -> None:
    with pytest.raises(LedgerProblem, match="else than a proof"):
        fetch(Node(proof=proof))
