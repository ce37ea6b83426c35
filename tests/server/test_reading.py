"""What the API tells of artefacts, members and verdicts, over real HTTP."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proml.node.participant import Content
from tests.server.conftest import MEMORY
from tests.server.place import Place, until

API = "/api/v1"
NOWHERE = "0x" + "ab" * 32
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture(scope="module")
def told() -> Iterator[Place]:
    """A dataset that was labelled, and another one with a hostile name."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        place = Place(Path(folder))
        table = Path(folder) / "digits.csv"
        table.write_text("1,2\n")
        place.me.register(table, "dataset", name="digits", content=Content(metrics={"rows": 1}))
        place.me.register(None, "dependency", name=HOSTILE)
        with place.up():
            place.push()
            yield place


def artefact(place: Place, kind: str = "dataset") -> dict[str, Any]:
    (row,) = place.get(f"{API}/artefacts?kind={kind}").json()["rows"]
    return dict(row)


def test_artefacts_are_found_and_told_with_their_history_and_lineage(told: Place):
    row = artefact(told)
    assert (row["kind"], row["sequence"], row["changed"]["certainty"]) == ("dataset", 1, "final")
    one = told.get(f"{API}/artefacts/{row['id']}").json()
    assert one["artefact"] == row
    assert one["next"]
    (step,) = told.get(f"{API}/artefacts/{row['id']}/history").json()["rows"]
    assert (step["action"], step["organisation"]) == ("collect", {"number": 1, "name": "Acme"})
    assert told.get(f"{API}/artefacts/{row['id']}/lineage").json()["complete"] is True
    record = told.get(f"{API}/records/{step['record']}").json()
    assert record["step"]["artefact"] == row["id"]


@pytest.mark.parametrize(
    "path",
    [
        "lately",
        "organisations",
        "organisations/1",
        "proposals",
        "lifecycles",
        "anchors",
        "refusals",
        "index",
        "tainted",
    ],
)
def test_everything_else_is_told_too(told: Place, path: str):
    assert told.get(f"{API}/{path}").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["artefacts/0xabc", "artefacts/latest", f"artefacts/{NOWHERE}", f"artefacts/{NOWHERE}/history",
     f"artefacts/{NOWHERE}/lineage", f"artefacts/{NOWHERE}/verdict", f"artefacts/{NOWHERE}/evidence",
     f"records/{NOWHERE}", "organisations/99", "organisations/x", "proposals/99"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(told: Place, path: str):
    answer = told.get(f"{API}/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert set(answer.json()) == {"type", "title", "status", "detail", "hint"}


@pytest.mark.parametrize(
    "query",
    ["most=0", "most=501", "after=x", "after=-1", "field=nothing", "field=" + "a=1&field=" * 9, "digest=0x",
     "digest=zz", "since=-1", "kind=nothing", "state=nothing", "organisation=99999999999999999999",
     "name=" + "n" * 201,
    ],
)  # fmt: skip
def test_a_question_out_of_bounds_is_refused_with_a_reason(told: Place, query: str):
    answer = told.get(f"{API}/artefacts?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_pages_follow_each_other_without_gap_or_repeat(told: Place):
    seen, after = [], ""
    while True:
        page = told.get(f"{API}/lately?most=1{after}").json()
        seen += [str(row) for row in page["rows"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) == len(told.get(f"{API}/lately?most=500").json()["rows"])


def test_whoever_has_the_present_state_is_not_sent_it_again(told: Place):
    first = told.get(f"{API}/organisations")
    tag = first.headers["etag"]
    again = told.get(f"{API}/organisations", {"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert told.get(f"{API}/organisations", {"if-none-match": '"other"'}).status_code == 200


def test_a_verdict_is_the_ledgers_and_says_how_to_get_it_elsewhere(told: Place):
    row = artefact(told)
    answer = told.get(f"{API}/artefacts/{row['id']}/verdict").json()
    assert answer["verdict"]["grounds"] == "ledger"
    assert len(answer["verdict"]["checks"]) == 9
    assert "proml verify" in answer["elsewhere"]
    evidence = told.get(f"{API}/artefacts/{row['id']}/evidence")
    assert "attachment" in evidence.headers["content-disposition"]
    assert evidence.content.startswith(b'{"digest":"0x')


def test_a_verdict_follows_the_ledger_as_it_grows(told: Place):
    row = artefact(told)
    before = told.get(f"{API}/artefacts/{row['id']}/verdict").json()["verdict"]["tip"]["number"]
    told.me.act(row["id"], "retire")
    told.push()
    after = told.get(f"{API}/artefacts/{row['id']}/verdict").json()["verdict"]
    assert after["tip"]["number"] > before
    assert len(after["steps"]) == 2


def test_news_come_as_they_happen(told: Place):
    lines: list[str] = []
    with told.stream(f"{API}/live") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        received = response.iter_lines()
        assert next(received) == ": listening"
        until(lambda: told.node.bulletin.is_heard)
        told.node.bulletin.post("indexed", {"block": 7, "name": "a\n\nevent: forged"})
        for line in received:
            lines.append(line)
            if line.startswith("data:"):
                break
    assert lines[-2:] == ["event: indexed", 'data: {"block":7,"name":"a\\n\\nevent: forged"}']


def test_every_answer_is_described(told: Place):
    described = told.get(f"{API}/openapi.json").json()
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert {"4XX", "5XX"} <= set(operation["responses"]), path
    assert set(described["components"]["schemas"]["Problem"]["properties"]) >= {"type", "status", "detail"}
