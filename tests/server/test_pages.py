"""Pages: the same facts for people and for programs, and no word of a record that is more than a word."""

import re
from html.parser import HTMLParser

import pytest

from proml.core.digest import hexed, sha256
from proml.node.pages.shown import STATIC, static_names, version
from proml.node.server.listening import Listening
from tests.server.place import Place

BEHIND_A_PROXY = Listening(port=0, names=("node.example.org",))
BROWSER = {"accept": "text/html,application/xhtml+xml"}
PAGES = ("/", "/artefacts", "/runs", "/participants", "/proposals", "/check")
OF_ONE = ("", "/lineage", "/verdict", "/report")
# Attributes that a page may have; none of them runs anything.
RUNS = re.compile(r"^(on|style$|formaction$|srcdoc$)")


class Markup(HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def rows(place: Place, query: str = "") -> list[dict[str, str]]:
    return place.get(f"/artefacts?format=json{query}").json()["content"]["page"]["rows"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_a_twin_that_says_the_same(told: Place, path: str):
    page, twin = told.get(path, BROWSER), told.get(f"{path}?format=json")
    assert (page.status_code, twin.status_code) == (200, 200)
    assert page.headers["content-type"].startswith("text/html")
    assert twin.json()["block"] == told.memory.head().number
    asked_twice = told.get(path, {"accept": "application/json"}).json()
    assert asked_twice.keys() == twin.json().keys()
    assert asked_twice["title"] in page.text


@pytest.mark.parametrize("part", OF_ONE)
@pytest.mark.parametrize("kind", ["dataset", "run", "model"])
def test_every_artefact_has_its_pages(told: Place, kind: str, part: str):
    (*_, row) = rows(told, f"&kind={kind}")
    answer = told.get(f"/artefacts/{row['id']}{part}", BROWSER)
    assert answer.status_code == 200
    assert row["id"] in answer.text or part == "/report"


def test_no_page_runs_a_word_of_a_record_or_asks_another_host(told: Place):
    addresses = [*PAGES, *(f"/artefacts/{row['id']}{part}" for row in rows(told)[:8] for part in OF_ONE[:3])]
    for address in addresses:
        markup = Markup(told.get(address, BROWSER).text)
        for tag, attributes in markup.tags:
            assert tag not in ("style", "iframe", "object", "embed", "base", "img")
            assert not [name for name in attributes if RUNS.match(name)], (address, tag, attributes)
            for name in ("src", "href", "action"):
                target = attributes.get(name)
                assert target is None or target == "" or target[0] in "/#?", (address, target)
            if tag == "script":
                assert attributes["src"].startswith(f"/static/{version()}/")


def test_the_policy_forbids_what_stands_in_no_page(told: Place):
    policy = told.get("/", BROWSER).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    report = told.get(f"/artefacts/{rows(told)[0]['id']}/report", BROWSER)
    assert "default-src 'none'" in report.headers["content-security-policy"]


def test_a_file_is_found_by_the_digest_its_browser_computed(told: Place):
    digest = hexed(sha256(b"weights"))
    found = told.get(f"/check?digest={digest}&name=model.bin", BROWSER)
    assert found.status_code == 200
    assert "every step legal" in found.text
    bare = told.get(f"/check?digest={digest[2:]}", BROWSER)
    assert bare.status_code == 200


def test_a_digest_that_nobody_knows_is_said_to_be_unknown(told: Place):
    answer = told.get(f"/check?digest={hexed(sha256(b'other'))}&name=x", BROWSER)
    assert answer.status_code == 404
    assert "no history knows it" in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/artefacts/0x" + "00" * 32, 404),
        ("/artefacts/nonsense", 422),
        ("/check?digest=0x12", 422),
        ("/artefacts?q=0xzz", 422),
        ("/artefacts?kind=nothing", 422),
        ("/artefacts?after=nonsense", 422),
        ("/runs/compare", 422),
        ("/runs/compare?run=0x" + "00" * 32, 404),
        ("/artefacts/0x" + "00" * 32 + "/verdict", 404),
    ],
)
def test_what_is_wrong_is_a_page_for_people_and_a_problem_for_programs(told: Place, path: str, status: int):
    page, twin = told.get(path, BROWSER), told.get(path, {"accept": "application/json"})
    assert (page.status_code, twin.status_code) == (status, status)
    assert "Back to the overview" in page.text
    assert twin.json()["type"].startswith("urn:proml:")


@pytest.mark.parametrize(
    "name",
    ["..%2fshown.py", "%2e%2e/shown.py", "/etc/passwd", "vendor/%2e%2e/site.css", "nothing.js"],
)
def test_nothing_beside_the_listed_files_is_served(told: Place, name: str):
    assert told.get(f"/static/{version()}/{name}").status_code == 404


def test_every_listed_file_is_served_and_may_be_kept(told: Place):
    for name in sorted(static_names()):
        answer = told.get(f"/static/{version()}/{name}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        if not name.endswith("site.css"):
            assert answer.content == STATIC.joinpath(name).read_bytes()
    assert told.get("/static/0000000000000000/site.css").status_code == 404


def test_without_an_index_the_page_says_what_to_do(unstarted: Place):
    with unstarted.up():
        unstarted.me.config.folder.joinpath("index.sqlite").unlink()
        unstarted.node.index.close()
        answer = unstarted.get("/", BROWSER)
        assert answer.status_code == 503
        assert "rebuild-index" in answer.text


def test_beyond_this_machine_nobody_reads_without_a_token(unstarted: Place):
    with unstarted.up(BEHIND_A_PROXY):
        assert unstarted.get("/", BROWSER | {"host": "node.example.org"}).status_code == 401


def test_hostile_names_are_shown_as_what_they_are(told: Place):
    words = "".join(Markup(told.get("/artefacts", BROWSER).text).words)
    assert "<script>alert(1)</script>" in words
    assert "\\u202e" in words
    assert "\x1b" not in words


def test_a_run_shows_what_it_measured(told: Place):
    (run,) = rows(told, "&kind=run")
    answer = told.get(f"/artefacts/{run['id']}?format=json").json()["content"]
    accuracy, loss = answer["measured"]["metrics"]
    assert (accuracy["name"], accuracy["last"]) == ("accuracy", 0.8)
    assert (loss["name"], len(loss["points"]), loss["last"]) == ("loss", 5, 0.2)


def test_a_batch_that_was_changed_on_the_disk_is_not_shown(told: Place):
    (run,) = rows(told, "&kind=run")
    before = told.get(f"/artefacts/{run['id']}?format=json").json()["content"]
    finished = next(step for step in before["steps"]["rows"] if step["document"].get("observations"))
    (entry,) = finished["document"]["observations"]
    (kept,) = [path for path in told.me.config.storage.rglob("*") if path.name.endswith(entry["batch"][6:])]
    content = kept.read_bytes()
    mode = kept.stat().st_mode
    kept.chmod(0o600)
    kept.write_bytes(content.replace(b"0.2", b"0.1"))
    try:
        after = told.get(f"/artefacts/{run['id']}?format=json").json()["content"]["measured"]
        assert (after["metrics"], after["absent"]) == ([], 1)
    finally:
        kept.write_bytes(content)
        kept.chmod(mode)


def test_the_list_narrows_by_words_and_facets(told: Place):
    assert {row["kind"] for row in rows(told, "&kind=model")} == {"model"}
    assert [row["name"] for row in rows(told, "&q=measure")] == ["measurements"]
    (row,) = rows(told, "&q=measure")
    assert [each["id"] for each in rows(told, f"&q={row['id'][:12]}")] == [row["id"]]
    assert [row["name"] for row in rows(told, "&recalled=true")] == ["library 1.0"]
    assert rows(told, "&unfinished=true&kind=model") == []


@pytest.mark.parametrize(("ending", "begins"), [("svg", "<svg"), ("mmd", "flowchart"), ("txt", "model net")])
def test_a_lineage_can_be_taken_along_as_a_file(told: Place, ending: str, begins: str):
    (model,) = rows(told, "&kind=model")
    answer = told.get(f"/artefacts/{model['id']}/lineage.{ending}")
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith(begins)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert told.get(f"/artefacts/{model['id']}/lineage.exe").status_code == 404
