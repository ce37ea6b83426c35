"""What can be wrong with the database, or be done to it: a clear message, and nothing lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from proml.core.event import Placed
from proml.errors import Busy, ConfigInvalid, IndexProblem, LedgerProblem
from proml.lifecycles import shipped
from proml.node.index import Index, Indexer, index_digest, inspect, opening, status
from proml.node.index.opening import SCHEMA
from tests.postgresql import running_server
from tests.unit.node.index.story import KEYS, Story, looking


@pytest.fixture
def story() -> Story:
    made = Story()
    made.register()
    made.register(KEYS[1])
    return made


def change(url: str, *statements: str) -> None:
    """What somebody does to the database by hand."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SET search_path = {SCHEMA}"))
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize(("name", "other"), [("version", "1"), ("chain id", "1"), ("genesis", "0x00")])
def test_an_index_of_another_version_or_ledger_is_not_read_and_made_anew(
    url: str, story: Story, name: str, other: str
) -> None:
    Indexer(url, story).advance()
    with looking(url, story) as view:
        before = index_digest(view)
    change(url, f"UPDATE pin SET value = '{other}' WHERE name = '{name}'", "CREATE TABLE of_old (x integer)")
    with pytest.raises(IndexProblem, match=f"has {name} {other}"), looking(url, story):
        pass
    Indexer(url, story).advance()
    with looking(url, story) as view:
        assert index_digest(view) == before


def test_a_database_of_another_program_is_left_alone(url: str, story: Story) -> None:
    name = f"{SCHEMA}.theirs" if url.startswith("postgresql") else "theirs"
    if url.startswith("postgresql"):
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        engine.dispose()
    change(url, f"CREATE TABLE {name} (x integer)", f"INSERT INTO {name} VALUES (1)")
    with pytest.raises(IndexProblem, match="holds something else"):
        Indexer(url, story).advance()
    with pytest.raises(IndexProblem, match="holds something else"):
        Indexer(url, story).rebuild()
    change(url, f"UPDATE {name} SET x = 2 WHERE x = 1")


def test_a_second_indexer_that_finds_the_index_moved_reads_it_anew(url: str, story: Story) -> None:
    first, second = Indexer(url, story), Indexer(url, story)
    first.advance()
    second.advance()
    story.register(KEYS[2])
    first.advance()
    story.register(KEYS[2])
    with pytest.raises(Busy, match="another indexer"):
        second.advance()
    assert second.advance().events == 1
    with looking(url, story) as view:
        assert inspect(view, story) == []


def test_a_locked_database_is_busy_and_nothing_changes(
    url: str, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "PATIENCE", 0.05)
    Indexer(url, story).advance()
    story.register()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as holder:
        if engine.dialect.name == "postgresql":
            holder.execute(text(f"SELECT * FROM {SCHEMA}.cursor FOR UPDATE"))
        else:
            holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="locked"):
            Indexer(url, story).advance()
        with looking(url, story) as view:
            assert view.head.number == story.head().number - 1
        holder.rollback()
    engine.dispose()
    assert Indexer(url, story).advance().events == 1


def test_a_full_disk_stops_the_indexer_and_it_goes_on_when_there_is_room(
    tmp_path: Path, story: Story
) -> None:
    url = f"sqlite:///{tmp_path}/index.sqlite"
    indexer = Indexer(url, story)
    indexer.advance()
    for _ in range(40):
        story.register()
    real = opening.sqlite3.connect  # type: ignore[attr-defined]

    def full(*arguments, **options):
        made = real(*arguments, **options)
        pages = made.execute("PRAGMA page_count").fetchone()[0]
        made.execute(f"PRAGMA max_page_count = {pages}")
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening.sqlite3, "connect", full)  # type: ignore[attr-defined]
        with pytest.raises(IndexProblem, match="full") as told:
            indexer.advance()
    assert "make room" in told.value.hint
    with looking(url, story) as view:
        assert view.head.number == story.head().number - 40
    assert indexer.advance().events == 40


def test_a_damaged_file_is_told_as_one(tmp_path: Path, story: Story) -> None:
    path = tmp_path / "index.sqlite"
    Indexer(f"sqlite:///{path}", story).advance()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[:100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(IndexProblem) as told, looking(f"sqlite:///{path}", story):
        pass
    assert "rebuild-index" in told.value.hint
    assert Indexer(f"sqlite:///{path}", story).rebuild().head == story.head().number


def test_an_address_that_names_no_database_is_refused(story: Story) -> None:
    for wrong in ("mysql://x/y", "sqlite://", "index.sqlite", "http://"):
        with pytest.raises(ConfigInvalid):
            Index(wrong, story.terms, shipped(), str)


def test_a_postgresql_that_goes_away_is_waited_for(story: Story) -> None:
    with running_server() as server:
        url = server.database()
        indexer = Indexer(url, story)
        indexer.advance()
        index = Index(url, story.terms, shipped(), str)
        with index.reading() as view:
            before = index_digest(view)
        server.stop("fast")
        story.register()
        with pytest.raises(IndexProblem, match="cannot be used"):
            indexer.advance()
        with pytest.raises(IndexProblem, match="cannot be used"), index.reading():
            pass
        server.start()
        with index.reading() as view:
            assert index_digest(view) == before
        assert indexer.advance().events == 1
        index.close()


# --- attacks ----------------------------------------------------------------------------------------


@pytest.mark.attack
@pytest.mark.parametrize(
    "by_hand",
    [
        "UPDATE step SET organisation = 3 WHERE place = (SELECT max(place) FROM step)",
        "DELETE FROM step WHERE place = (SELECT max(place) FROM step)",
        "UPDATE artefact SET state = 4 WHERE place = (SELECT max(place) FROM artefact)",
        "UPDATE artefact SET usable = NOT usable",
        "UPDATE block SET time = time + 1 WHERE number = (SELECT max(number) FROM block)",
        "DELETE FROM decision WHERE place = (SELECT max(place) FROM decision)",
        "UPDATE decision SET event = 'KeyRevoked' WHERE place = (SELECT min(place) FROM decision)",
    ],
)
def test_attack_12_an_index_edited_by_hand_is_found(url: str, story: Story, by_hand: str) -> None:
    Indexer(url, story).advance()
    with looking(url, story) as view:
        assert inspect(view, story) == []
    change(url, by_hand)
    with looking(url, story) as view:
        assert inspect(view, story) != []
    Indexer(url, story).rebuild()
    with looking(url, story) as view:
        assert inspect(view, story) == []


@pytest.mark.attack
def test_attack_14_a_ledger_that_leaves_out_an_event_stops_the_indexer(url: str, story: Story) -> None:
    """F15: one log missing, one doubled; what was read before stays."""
    indexer = Indexer(url, story)
    indexer.advance()
    made = story.register()
    honest = story.events_of
    story.register(KEYS[1])

    def doubled(blocks):
        events: list[Placed] = list(honest(blocks))
        return iter([*events, replace(events[-1], index=events[-1].index + 1)])

    story.events_of = doubled  # type: ignore[method-assign]
    with pytest.raises(LedgerProblem, match="gap"):
        indexer.advance()
    story.events_of = honest  # type: ignore[method-assign]
    with looking(url, story) as view:
        assert view.head.number == story.head().number - 2
        assert "gap" in status(view).problem
    assert indexer.advance().events == 2
    assert made.sequence == 1


def test_two_nodes_with_an_index_of_their_own_agree(new_url: Callable[[], str], story: Story) -> None:
    ours, theirs = new_url(), new_url()
    indexer = Indexer(ours, story)
    indexer.advance()
    story.register(KEYS[3])
    indexer.advance()
    Indexer(theirs, story).advance()
    with looking(ours, story) as here, looking(theirs, story) as there:
        assert index_digest(here) == index_digest(there)
        assert index_digest(here, 2) == index_digest(there, 2) != index_digest(here)
