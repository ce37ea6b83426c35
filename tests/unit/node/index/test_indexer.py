"""The index follows the ledger: what it says is what the ledger said, each row with its certainty."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from proml.core.call import BatchCall
from proml.core.digest import hexed
from proml.core.event import Input
from proml.errors import IndexProblem, NotFound
from proml.node.index import (
    Indexer,
    Wanted,
    artefact,
    find,
    history,
    lately,
    lineage,
    organisations,
    status,
    who_used,
)
from proml.node.index.rows import Certainty
from tests.conformance.ledgers import World, memory_world
from tests.unit.node.index.story import looking


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from memory_world(tmp_path)


def made_from(world: World) -> tuple[bytes, bytes]:
    """A dataset that was collected and approved, and a run that derives from it."""
    salt, run = os.urandom(32), os.urandom(32)
    world.send(BatchCall((), (world.collect(salt),)))
    dataset = world.id_of(salt)
    world.send(BatchCall((), (world.act(dataset, "dataset", "approve", 2),)), world.other)
    world.send(BatchCall((), (world.start(run),)))
    return dataset, world.id_of(run)


def test_what_the_index_says_is_what_the_chronicle_says(url: str, world: World) -> None:
    made_from(world)
    Indexer(url, world.ledger).advance()
    chronicle = world.chronicle()
    with looking(url, world.ledger) as view:
        assert view.head.number == world.ledger.head().number
        found = {row.id: row for row in find(view, Wanted()).rows}
        assert set(found) == {hexed(each) for each in chronicle.histories}
        for each, transitions in chronicle.histories.items():
            row, rows = found[hexed(each)], history(view, each).rows
            assert row.head == hexed(chronicle.shared.artefacts[each].head)
            assert row.sequence == len(transitions) == len(rows)
            assert [step.record for step in rows] == [hexed(t.step.record) for t in transitions]
            assert [step.head for step in rows] == [hexed(t.head) for t in transitions]
            assert row.changed.certainty is Certainty.FINAL
        assert [row.number for row in organisations(view)] == [1, 2]
        assert len(lately(view).rows) == 3 + 11


def test_an_advance_takes_in_only_what_is_new(url: str, world: World) -> None:
    indexer = Indexer(url, world.ledger)
    assert indexer.advance().events == 11
    assert indexer.advance().events == 0
    made_from(world)
    assert indexer.advance().events == 3
    with looking(url, world.ledger) as view:
        told = status(view)
    assert (told.behind, told.problem, told.steps, told.artefacts) == (0, "", 3, 2)


def test_derivations_lead_both_ways(url: str, world: World) -> None:
    dataset, run = made_from(world)
    step = world.act(run, "run", "finish", 2, Input(dataset, 2))
    assert world.send(BatchCall((), (step,))).succeeded
    Indexer(url, world.ledger).advance()
    with looking(url, world.ledger) as view:
        up, down = lineage(view, run), lineage(view, dataset)
        assert {node.artefact.id: node.depth for node in up.artefacts} == {hexed(run): 0, hexed(dataset): -1}
        assert {node.artefact.id: node.depth for node in down.artefacts} == {hexed(run): 1, hexed(dataset): 0}
        assert up.derivations == down.derivations
        assert [row.artefact for row in who_used(view, dataset).rows] == [hexed(run)]


def test_without_an_index_readers_are_told_how_to_make_one(url: str, world: World) -> None:
    with pytest.raises(IndexProblem, match="no index"), looking(url, world.ledger):
        pass


def test_an_unknown_artefact_is_not_found(url: str, world: World) -> None:
    Indexer(url, world.ledger).advance()
    with looking(url, world.ledger) as view, pytest.raises(NotFound):
        artefact(view, bytes(32))
