"""Records in the index: taken in when they are here and fit, shown, searched, and forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from proml.core.call import BatchCall, StepCall
from proml.core.digest import hexed, sha256, unhexed
from proml.core.record import SealedRecord, disclose, is_named, seal
from proml.errors import NotFound, RecordInvalid
from proml.node.index import (
    Ask,
    FieldTest,
    Indexer,
    Wanted,
    document,
    find,
    finding,
    history,
    index_digest,
    inspect,
    match,
)
from proml.storage.file import FileStorage
from tests.unit.node.index.story import GUARDED_NUMBER, KEYS, Story, looking

HOSTILE = "<script>\u202e'; DROP TABLE step;--\x00 %_\\"


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "storage", is_named)


def sealed(number: int, **fields: Any) -> SealedRecord:
    record = {
        "type": "proml/record",
        "version": 1,
        "artefact": hexed(sha256(b"%d" % number)),
        "kind": "run",
        "action": "start",
        "sequence": 1,
        "actor": {"organisation": 1, "key": hexed(KEYS[0])},
        **fields,
    }
    return seal(record, sha256(b"key %d" % number))


def told(story: Story, records: Sequence[SealedRecord]) -> list[bytes]:
    """Each record on the ledger, as the registration of an artefact; their ids."""
    made = []
    for number, record in enumerate(records):
        salt = sha256(b"salt %d" % number)
        asked = StepCall(salt, GUARDED_NUMBER, 1, 1, record.commitment, sha256(salt))
        (event,) = story.add((KEYS[0], BatchCall((), (asked,))))
        made.append(event.artefact)  # type: ignore[union-attr]
    return made


def found(view: Any, **wanted: Any) -> set[bytes]:
    return {unhexed(row.id) for row in find(view, Wanted(**wanted), Ask(500)).rows}


def test_a_record_is_searched_whichever_comes_first(url: str, storage: FileStorage) -> None:
    story = Story()
    early, late = sealed(1, name="Early Bird_2.csv"), sealed(2, metrics={"deep": {"er": [1, 2.5]}})
    storage.put(early.commitment, early.content)
    first, second = told(story, [early, late])
    indexer = Indexer(url, story, storage)
    indexer.advance()
    with looking(url, story) as view:
        for name in ("early", "BIRD", "bird_2", "2.csv", "csv", "early bird_2.csv"):
            assert found(view, name=name) == ({first} if name != "2.csv" else set()), name
        assert found(view, fields=(FieldTest("metrics.deep.er.1", ">", 2),)) == set()
        assert history(view, second).rows[0].document is None
    storage.put(late.commitment, late.content)
    assert (indexer.take_documents(), indexer.take_documents()) == (1, 0)
    with looking(url, story) as view:
        assert found(view, fields=(FieldTest("metrics.deep.er.1", ">", 2),)) == {second}
        assert history(view, second).rows[0].document == late.record
        assert inspect(view, story, storage) == []


def test_which_records_a_node_holds_makes_no_difference_to_its_digest(
    url: str, tmp_path: Path, storage: FileStorage
) -> None:
    story, record = Story(), sealed(1, name="mine")
    storage.put(record.commitment, record.content)
    told(story, [record])
    Indexer(url, story, storage).advance()
    other = f"sqlite:///{tmp_path}/other.sqlite"
    Indexer(other, story).advance()
    with looking(url, story) as here, looking(other, story) as there:
        assert index_digest(here) == index_digest(there)


def test_disclosed_fields_are_shown_and_searched_and_the_others_are_not(url: str) -> None:
    story = Story()
    record = sealed(1, name="digits", metrics={"accuracy": 0.9}, parameters={"rate": 0.1})
    (artefact,) = told(story, [record])
    indexer = Indexer(url, story)
    indexer.advance()
    assert indexer.take_disclosure(disclose(record, ["metrics", "claims"])) == 1
    with looking(url, story) as view:
        held = document(view, record.commitment)
        assert (held.disclosed, held.fields, held.absent) == (
            True,
            {"metrics": {"accuracy": 0.9}},
            ("claims",),
        )
        assert found(view, fields=(FieldTest("metrics.accuracy", "=", 0.9),)) == {artefact}
        assert found(view, name="digits") == set()
    forged = disclose(record, ["metrics"])
    forged["fields"][0]["value"] = {"accuracy": 1}
    with pytest.raises(RecordInvalid):
        indexer.take_disclosure(forged)
    with looking(url, story) as view:
        assert document(view, record.commitment) == held


def test_a_record_that_is_forgotten_is_gone_from_the_file_too(tmp_path: Path, storage: FileStorage) -> None:
    canary = "canary-" + "x" * 40
    story, record = Story(), sealed(1, name=canary, parameters={"secret": canary})
    storage.put(record.commitment, record.content)
    told(story, [record])
    indexer = Indexer(f"sqlite:///{tmp_path}/index.sqlite", story, storage)
    indexer.advance()
    files = lambda: b"".join(path.read_bytes() for path in tmp_path.glob("index.sqlite*"))  # noqa: E731
    assert canary.encode() in files()
    assert indexer.forget(record.commitment) == 1
    assert canary.encode() not in files()
    with looking(f"sqlite:///{tmp_path}/index.sqlite", story) as view, pytest.raises(NotFound):
        document(view, record.commitment)


def test_hostile_texts_are_kept_as_they_are_and_found(url: str, storage: FileStorage) -> None:
    story = Story()
    record = sealed(
        1, name=HOSTILE, parameters={HOSTILE: HOSTILE, "long": "y" * 100_000, "many": list(range(999))}
    )
    storage.put(record.commitment, record.content)
    (artefact,) = told(story, [record])
    Indexer(url, story, storage).advance()
    with looking(url, story) as view:
        assert history(view, artefact).rows[0].document == record.record
        assert found(view, name=HOSTILE) == found(view, name="<SCRIPT>") == {artefact}
        assert found(view, name="%") == set()
        assert found(view, fields=(FieldTest("parameters.long", "=", "y" * 100_000),)) == {artefact}
        assert found(view, fields=(FieldTest(HOSTILE, "=", "x"),)) == set()


def test_pages_hold_everything_once_however_little_is_looked_at(
    url: str, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no condition is rare, and a page breaks off before it is full."""
    records = [
        sealed(n, name=f"run {n}", metrics={"odd": float(n % 2), "third": float(n % 3)}) for n in range(60)
    ]
    story = Story()
    storage.put_all([(each.commitment, each.content) for each in records])
    ids = told(story, records)
    Indexer(url, story, storage).advance()
    tests = (FieldTest("metrics.odd", "=", 1), FieldTest("metrics.third", "!=", 0))
    expected = [each for n, each in enumerate(ids) if n % 2 and n % 3][::-1]
    for few, window, most in ((2_000, 4_000, 20_000), (3, 7, 14), (0, 1, 1), (45, 5, 10)):
        for name, value in (("FEW", few), ("WINDOW", window), ("MOST_LOOKED_AT", most)):
            monkeypatch.setattr(finding, name, value)
        seen, after = list[bytes](), None
        with looking(url, story) as view:
            for _ in range(200):
                page = find(view, Wanted(name="run", fields=tests, usable=True), Ask(4, after))
                assert len(page.rows) <= 4
                seen += [unhexed(row.id) for row in page.rows]
                after = page.next
                if after is None:
                    break
        assert seen == expected


def test_two_histories_are_compared_step_by_step_and_value_by_value(url: str, storage: FileStorage) -> None:
    records = [sealed(n, parameters={"rate": n / 10, "same": 1}) for n in (1, 2)]
    story = Story()
    storage.put_all([(each.commitment, each.content) for each in records])
    first, second = told(story, records)
    story.step(KEYS[1], StepCall(second, 0, 4, 2, sha256(b"r"), sha256(b"s")))
    Indexer(url, story, storage).advance()
    with looking(url, story) as view:
        found_ = match(view, first, second)
    assert [(a.sequence, b.sequence) for a, b in found_.alike] == [(1, 1)]
    assert (found_.only_first, [each.sequence for each in found_.only_second]) == ((), [2])
    assert [(each.path, each.first, each.second) for each in found_.values] == [("parameters.rate", 0.1, 0.2)]
