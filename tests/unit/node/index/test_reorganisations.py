"""The chain exchanges blocks: the index is then that of a node which never saw the others (I1, I4, I6)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from proml.core.call import AnchorCall, BatchCall, ContractCall, ProposeCall, StepCall, VoteCall
from proml.core.digest import hexed, sha256
from proml.errors import LedgerProblem, WrongLedger
from proml.node.index import Indexer, artefact, displaced, history, index_digest, inspect, status
from proml.node.index.digesting import IndexDigest
from proml.node.index.rows import Certainty
from tests.contracts.asking import approvals, changes, digests, steps
from tests.unit.node.index.story import KEYS, Story, looking

FINALITY = 70
ALL = list(HealthCheck)
EXAMPLES = 300 if os.environ.get("PROML_LONG") else 8


def digest(number: int) -> bytes:
    return sha256(b"%d" % number)


def digest_of(url: str, story: Story) -> IndexDigest:
    with looking(url, story) as view:
        assert view.head.number == story.head().number
        return index_digest(view)


def fresh_digest(story: Story) -> IndexDigest:
    """That of a node which reads the chain for the first time."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/index.sqlite"
        Indexer(url, story).advance()
        return digest_of(url, story)


@st.composite
def calls(draw: st.DrawFn, story: Story) -> tuple[bytes, ContractCall]:
    """What some organisation may well ask for."""
    key, shared = draw(st.sampled_from(KEYS[:4])), story.shared
    match draw(st.sampled_from(("steps", "steps", "steps", "approval", "anchor", "proposal", "vote"))):
        case "steps":
            return key, BatchCall((), tuple(draw(steps(shared, key)) for _ in range(draw(st.integers(1, 3)))))
        case "approval":
            return key, draw(approvals(shared, key))
        case "anchor":
            return key, BatchCall((AnchorCall(draw(digests), draw(st.integers(1, 2**256 - 1))),), ())
        case "proposal":
            return key, ProposeCall(draw(changes(shared, KEYS)))
        case _:
            return key, VoteCall(draw(st.integers(1, len(shared.proposals) + 1)))


def test_whatever_way_the_chain_took_the_index_is_that_of_its_end(new_url: Callable[[], str]) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate], suppress_health_check=ALL)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        story = Story(finality=FINALITY)
        url = new_url()
        indexer = Indexer(url, story)
        for _ in range(data.draw(st.integers(1, 12), "moves")):
            for _ in range(data.draw(st.integers(0, 3), "blocks")):
                asked = [data.draw(calls(story), "call") for _ in range(data.draw(st.integers(0, 3)))]
                story.add(*asked)
            if data.draw(st.booleans(), "look"):
                indexer.advance()
            if depth := data.draw(st.integers(0, min(5, story.head().number - 1)), "taken back"):
                story.rewind(depth)
                # A chain that only became shorter looks like a node that lags behind.
                story.add()
        indexer.advance()
        assert digest_of(url, story) == fresh_digest(story)
        with looking(url, story) as view:
            assert inspect(view, story) == []
        indexer.close()

    check()


def test_a_reorganisation_of_every_depth_heals(url: str) -> None:
    story = Story(finality=FINALITY)
    first = story.register()
    for _ in range(64):
        story.register()
    indexer = Indexer(url, story)
    indexer.advance()
    for depth in range(1, 65):
        story.rewind(depth)
        for _ in range(depth - 1):
            story.add()
        story.register(KEYS[depth % 4])
        assert indexer.advance().taken_back == depth
    assert digest_of(url, story) == fresh_digest(story)
    with looking(url, story) as view:
        assert artefact(view, first.artefact).sequence == 1


def test_two_reorganisations_between_two_looks_are_as_one(url: str) -> None:
    story = Story(finality=FINALITY)
    for _ in range(5):
        story.register()
    indexer = Indexer(url, story)
    indexer.advance()
    story.rewind(2)
    story.register(KEYS[1])
    story.rewind(3)
    for _ in range(4):
        story.register(KEYS[2])
    assert indexer.advance().taken_back == 4
    assert digest_of(url, story) == fresh_digest(story)


def test_a_chain_that_comes_back_to_its_first_blocks(url: str) -> None:
    story = Story(finality=FINALITY)
    story.register()
    indexer = Indexer(url, story)
    indexer.advance()
    before = digest_of(url, story)
    first = story.headers_held[-1], story._events[-1], story._shared[-1]
    story.rewind(1)
    story.register(KEYS[1])
    indexer.advance()
    assert digest_of(url, story) != before
    story.rewind(1)
    for held, entry in zip((story.headers_held, story._events, story._shared), first, strict=True):
        held.append(entry)
    indexer.advance()
    assert digest_of(url, story) == before


def test_a_reorganisation_to_a_shorter_chain_heals(url: str) -> None:
    story = Story(finality=FINALITY)
    for _ in range(6):
        story.register()
    indexer = Indexer(url, story)
    indexer.advance()
    story.rewind(4)
    story.register(KEYS[1])
    assert indexer.advance().taken_back == 4
    assert digest_of(url, story) == fresh_digest(story)


def test_a_node_that_lags_behind_is_no_reorganisation(url: str) -> None:
    story = Story(finality=FINALITY)
    for _ in range(6):
        story.register()
    indexer = Indexer(url, story)
    indexer.advance()
    before = digest_of(url, story)
    behind = story.headers_held.pop()
    assert indexer.advance().taken_back == 0
    story.headers_held.append(behind)
    assert digest_of(url, story) == before


def test_a_final_block_that_was_exchanged_stops_the_indexer_loudly(url: str) -> None:
    story = Story(finality=3)
    for _ in range(6):
        story.register()
    indexer = Indexer(url, story)
    indexer.advance()
    before = digest_of(url, story)
    head = story.head()
    story.rewind(3)
    for _ in range(5):
        story.register(KEYS[1])
    for _ in range(2):
        with pytest.raises(WrongLedger, match="was final"):
            indexer.advance()
    with looking(url, story) as view:
        assert view.head.number == head.number
        assert index_digest(view) == before
        assert "was final" in status(view).problem


def test_what_a_reorganisation_displaced_is_pending_until_it_is_back(url: str) -> None:
    story = Story(finality=FINALITY)
    made = story.register()
    story.step(KEYS[1], StepCall(made.artefact, 0, 4, 2, digest(1), digest(2)))
    indexer = Indexer(url, story)
    indexer.advance()
    with looking(url, story) as view:
        assert [row.place.certainty for row in history(view, made.artefact).rows] == [Certainty.CONFIRMED] * 2
        assert displaced(view) == []
    story.rewind(1)
    story.add()
    indexer.advance()
    with looking(url, story) as view:
        assert [row.sequence for row in history(view, made.artefact).rows] == [1]
        (pending,) = displaced(view)
        assert (pending.artefact, pending.sequence) == (hexed(made.artefact), 2)
        assert (pending.place.certainty, pending.place.confirmations) == (Certainty.PENDING, 0)
    story.step(KEYS[1], StepCall(made.artefact, 0, 4, 2, digest(1), digest(2)))
    indexer.advance()
    with looking(url, story) as view:
        assert [row.sequence for row in history(view, made.artefact).rows] == [1, 2]
        assert displaced(view) == []


def test_logs_of_a_block_that_went_away_while_it_was_read_are_refused(url: str) -> None:
    story = Story(finality=FINALITY)
    indexer = Indexer(url, story)
    indexer.advance()
    story.register()
    before = digest_before(url, story)
    exchange = story.events_of

    def while_reading(blocks):
        story.rewind(1)
        story.register(KEYS[1])
        return exchange(blocks)

    story.events_of = while_reading  # type: ignore[method-assign]
    with pytest.raises(LedgerProblem):
        indexer.advance()
    assert digest_before(url, story) == before
    story.events_of = exchange  # type: ignore[method-assign]
    indexer.advance()
    assert digest_of(url, story) == fresh_digest(story)


def digest_before(url: str, story: Story) -> IndexDigest:
    with looking(url, story) as view:
        return index_digest(view)
