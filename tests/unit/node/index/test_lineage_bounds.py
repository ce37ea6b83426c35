"""Lineage is bounded whatever the graph (attack 43); events of other contracts do not count (attack 21)."""

from __future__ import annotations

from typing import Any

import pytest

from proml.core.call import BatchCall, StepCall
from proml.core.digest import hexed, keccak256, sha256
from proml.core.event import Input
from proml.core.lineage import lineage as lineage_of
from proml.errors import LedgerProblem, UsageProblem
from proml.ledger.evm import EvmLedger
from proml.node.index import Indexer, Reach, index_digest, lineage, tainted, what_taints
from proml.node.view import chronicle_of
from tests.conformance.ledgers import memory_world
from tests.unit.ledger.node import Node
from tests.unit.node.index.story import KEYS, Story, looking

DUTY, RECALL = 4, 5


def dense(width: int, layers: int) -> tuple[Story, list[list[bytes]]]:
    """Layers in which everything derives from everything of the layer before: paths beyond number."""
    story = Story()
    made: list[list[bytes]] = []
    for layer in range(layers):
        here = [story.register(KEYS[0], sha256(b"%d %d" % (layer, n))).artefact for n in range(width)]
        if made:
            inputs = tuple(Input(each, 1) for each in made[-1])
            asked = [StepCall(each, 0, DUTY, 2, sha256(each), sha256(each), inputs) for each in here]
            assert len(story.add((KEYS[1], BatchCall((), tuple(asked))))) == width
        made.append(here)
    return story, made


@pytest.mark.attack
def test_attack_43_a_graph_of_endlessly_many_paths_costs_what_its_artefacts_cost(url: str) -> None:
    story, layers = dense(6, 12)
    Indexer(url, story).advance()
    with looking(url, story) as view:
        whole = lineage(view, layers[-1][0])
        assert (len(whole.artefacts), len(whole.derivations), whole.complete) == (67, 66 * 6 - 30, True)
        assert {node.depth for node in whole.artefacts} == set(range(-11, 1))
        few = lineage(view, layers[-1][0], Reach(most=10))
        assert (len(few.artefacts), few.complete) == (10, False)
        near = lineage(view, layers[5][0], Reach(depth=1))
        assert (len(near.artefacts), near.complete) == (13, False)
        assert {each.source for each in near.derivations} <= {node.artefact.id for node in near.artefacts}
        for most in (0, 10_001):
            with pytest.raises(UsageProblem):
                lineage(view, layers[0][0], Reach(most=most))


def test_the_index_and_the_chronicle_see_the_same_lineage(url: str) -> None:
    story, layers = dense(3, 5)
    Indexer(url, story).advance()
    chronicle = chronicle_of(story)  # type: ignore[arg-type]
    with looking(url, story) as view:
        for layer in layers:
            told, expected = lineage(view, layer[0]), lineage_of(chronicle, layer[0])
            assert {node.artefact.id for node in told.artefacts} == set(map(hexed, expected.artefacts))
            assert {(each.source, each.artefact) for each in told.derivations} == {
                (hexed(each.source), hexed(each.artefact)) for each in expected.derivations
            }


def test_what_a_recall_taints_and_by_which_way(url: str) -> None:
    story, layers = dense(2, 4)
    recalled = layers[1][0]
    story.step(KEYS[2], StepCall(recalled, 0, RECALL, 3, sha256(b"r"), sha256(b"s")))
    Indexer(url, story).advance()
    with looking(url, story) as view:
        rows, complete = tainted(view)
        assert {row.id for row in rows} == {hexed(each) for layer in layers[2:] for each in layer}
        assert complete
        (taint,) = what_taints(view, layers[3][1])
        assert (taint.source.id, len(taint.path), taint.path[-1]) == (hexed(recalled), 3, hexed(layers[3][1]))
        assert what_taints(view, recalled) == what_taints(view, layers[1][1]) == []


@pytest.mark.attack
def test_attack_21_a_look_alike_contract_changes_nothing(url: str, tmp_path: Any) -> None:
    """A node that gives its events all the same is not believed, and those asked for by address never are."""
    world = next(memory_world(tmp_path))
    node = Node(world.ledger)  # type: ignore[arg-type]
    ledger = EvmLedger(node, world.ledger.terms)
    Indexer(url, ledger).advance()
    with looking(url, ledger) as view:
        before = index_digest(view)
    world.send(BatchCall((), (world.collect(b"\1" * 32),)))
    honest = node.eth_getLogs

    def with_another(asked: dict[str, str]) -> list[Any]:
        theirs = [{**log, "address": hexed(keccak256(b"theirs")[12:])} for log in honest(asked)]
        return [*honest(asked), *({**log, "logIndex": hex(int(log["logIndex"], 16) + 1)} for log in theirs)]

    node.eth_getLogs = with_another  # type: ignore[method-assign]
    with pytest.raises(LedgerProblem, match="another contract"):
        Indexer(url, ledger).advance()
    with looking(url, ledger) as view:
        assert index_digest(view) == before
