"""The indexer killed at every statement it writes with: the index stands at one block (I2, F1, F17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event

from proml.core.call import AnchorCall, ApproveCall, BatchCall, StepCall
from proml.core.digest import sha256
from proml.core.event import Approval, Input
from proml.node.index import Indexer, index_digest, inspect
from tests.unit.node.index.story import KEYS, Story, looking
from tests.unit.node.killing import Countdown, kill_everywhere

pytestmark = pytest.mark.faults
FINALITY = 70
CHANGING = ("INSERT", "UPDATE", "DELETE", "CREATE")


def digest(text: str) -> bytes:
    return sha256(text.encode())


def two_ways() -> tuple[Story, Story, Story]:
    """A chain, where it was some blocks before, and where it went from there; all kinds of rows each way."""
    story = Story(finality=FINALITY)
    first = story.register()
    on_the_way(story, first.artefact, "one")
    before, between = copied(story), copied(story)
    between.rewind(4)
    after = copied(between)
    on_the_way(after, first.artefact, "other")
    after.register(KEYS[3])
    return before, between, after


def copied(story: Story) -> Story:
    made = Story(finality=FINALITY)
    made.__dict__.update(
        {name: list(held) if isinstance(held, list) else held for name, held in story.__dict__.items()}
    )
    made.rewind(0)
    return made


def on_the_way(story: Story, artefact: bytes, text: str) -> None:
    """An approval and the step that relies on it, a derivation, an anchor and a refusal."""
    other = story.register(KEYS[2], digest(text)).artefact
    (given,) = story.add((KEYS[1], ApproveCall(artefact, 2, 2, digest("subject"), digest("approval" + text))))
    relied = (Approval(given.actor, given.record),)  # type: ignore[union-attr]
    story.step(KEYS[0], StepCall(artefact, 0, 2, 2, digest(text), digest("subject"), (), relied))
    wrong = StepCall(artefact, 0, 4, 9, digest("wrong"), digest("subject"))
    step = StepCall(artefact, 0, 4, 3, digest("duty" + text), digest("subject"), (Input(other, 1),))
    story.add((KEYS[1], BatchCall((AnchorCall(digest(text), 7),), (step, wrong))))


def ticking(countdown: Countdown) -> None:
    """From now on the process may end before every statement that changes something, and each commit."""

    def tick(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(CHANGING):
            countdown.tick()

    event.listen(Engine, "before_cursor_execute", tick)
    event.listen(Engine, "commit", countdown.tick)


def test_killed_anywhere_the_index_stands_at_one_block(new_url: Callable[[], str]) -> None:
    before, between, after = two_ways()
    allowed = []
    for story in (before, between, after):
        allowed_url = new_url()
        Indexer(allowed_url, story).advance()
        with looking(allowed_url, story) as view:
            allowed.append(index_digest(view))
    urls: list[str] = []
    # A server makes each round long.
    stride = 5 if allowed_url.startswith("postgresql") else 1

    def prepare() -> None:
        urls.append(new_url())
        Indexer(urls[-1], before).advance()

    def work(countdown: Countdown) -> None:
        countdown.left *= stride
        ticking(countdown)
        Indexer(urls[-1], after).advance()

    def recover() -> None:
        with looking(urls[-1], after) as view:
            assert index_digest(view) in allowed
        Indexer(urls[-1], after).advance()
        with looking(urls[-1], after) as view:
            assert index_digest(view) == allowed[-1]
        prepare()

    prepare()
    assert kill_everywhere(work, recover) > 20 // stride


def test_what_the_ways_say_is_examined_and_found_right(url: str) -> None:
    before, _, after = two_ways()
    Indexer(url, before).advance()
    Indexer(url, after).advance()
    with looking(url, after) as view:
        assert inspect(view, after) == []
