"""The report: self-contained, complete, and proof against every text in it."""

import base64
import hashlib
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from proml.core.event import Block
from proml.core.lifecycle import Lifecycle
from proml.core.verdict import NAMES, Check, Finding, Outcome, Stand, Verdict
from proml.export.report import gas_by_action, latencies, render, verdict_view
from proml.export.report_view import AttackResult, LedgerView, Report
from proml.export.view import Timeline
from proml.export.visible import visible
from tests.unit.export.hostile import HARMLESS, HOSTILE
from tests.unit.export.sample_report import sample

VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """Tags, attributes and text of a page, and whether every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.style = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        elif data.strip():
            self.texts.append(data.strip())

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def with_text(value: Any, words: str) -> Any:
    """The same values with every text replaced, lifecycles apart (their names are checked when admitted)."""
    if isinstance(value, StrEnum | Lifecycle):
        return value
    if isinstance(value, str):
        # Ids link the parts of a drawing; they are the program's own words.
        return value if value.startswith("0x") and len(value) == 66 else words
    if isinstance(value, tuple):
        return tuple(with_text(each, words) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{each.name: with_text(getattr(value, each.name), words) for each in fields(value)}
        )
    return value


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(sample()))


def test_the_page_needs_nothing_from_outside_and_runs_nothing(page: Page) -> None:
    assert not {"script", "img", "link", "iframe", "object", "embed", "form", "base"} & {
        tag for tag, _ in page.tags
    }
    for _, name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in {"src", "style", "action", "srcset"}
        assert name != "href" or value.startswith("#")
    assert "url(" not in page.style
    assert "@import" not in page.style


def test_the_page_forbids_everything_but_its_own_style_sheet(page: Page) -> None:
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_links_and_labels_lead_to_ids_that_are_there_once(page: Page) -> None:
    ids = Counter(value for _, name, value in page.attributes if name == "id")
    assert max(ids.values()) == 1
    for _, name, value in page.attributes:
        if name == "href":
            assert value[1:] in ids
        if name in {"aria-labelledby", "aria-describedby"}:
            assert set(value.split()) <= set(ids)


def test_headings_go_down_one_level_at_a_time(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_everything_that_scrolls_can_be_reached_by_keyboard_and_has_a_name(page: Page) -> None:
    scrolling = [dict.fromkeys(names) for tag, names in page.tags if tag == "div" and "tabindex" in names]
    assert scrolling
    assert all("aria-label" in names or "aria-labelledby" in names for names in scrolling)


def test_tiles_attacks_verdicts_and_figures_say_what_the_report_holds(page: Page) -> None:
    for words in (
        "10 artefacts",
        "26 accepted steps",
        "6 organisations",
        "5 of 5 attacks refused or found",
        "6 artefacts tainted by a recall",
        "is tainted:",
        "Label & Sons turned 40 of 1,437 labels",
        "not enough evidence",
        "2 · records match their commitments not checked",
        "about 16 s one block",
        "about 2.5 min twelve blocks",
        "the chain’s figure, hardly the platform’s",
        "1 block makes a step final",
        "proml verify triage-svc.joblib",
    ):
        assert words in page.text


def test_outcomes_are_words_and_signs_and_not_only_colours(page: Page) -> None:
    counts = Counter(page.texts)
    for word in ("valid", "invalid", "not checked", "not applicable"):
        assert counts[word] >= 2  # in the legend and in the table, for screen readers


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_text_in_every_field_is_only_text(words: str) -> None:
    hostile = Page(render(with_text(sample(), words)))
    harmless = Page(render(with_text(sample(), HARMLESS)))
    counts, expected = Counter(hostile.tags), Counter(harmless.tags)
    # A name with a space may take two lines in the head of its lane.
    assert {tag for tag, _ in set(counts - expected) | set(expected - counts)} <= {"text"}
    assert " ".join(visible(words)[:100].split()) in hostile.text
    assert all(each.isprintable() or each.isspace() for each in hostile.text)


def test_a_missed_attack_is_not_counted_as_a_success() -> None:
    report = sample()
    missed = replace(report.attacks[0], result=AttackResult.MISSED)
    page = Page(render(replace(report, attacks=(missed, *report.attacks[1:]))))
    assert "4 of 5 attacks refused or found" in page.text
    assert "missed" in page.texts


def test_a_report_without_anything_is_still_a_page() -> None:
    ledger = LedgerView("rpc", 1, "0x" + "0" * 64, "0x" + "0" * 40, "0x" + "0" * 64, 12, 0)
    page = Page(render(Report("Empty", "", 0, "ProML", ledger, Timeline((), ()))))
    assert "0 accepted steps" in page.text
    assert [tag for tag, _ in page.tags if tag in {"h2", "table"}] == []


def test_a_report_is_the_same_bytes_for_the_same_content() -> None:
    assert render(sample()) == render(sample())


def test_gas_is_the_median_of_each_action_the_dearest_first() -> None:
    step = sample().timeline.steps[0]
    costs = [("label", 10), ("label", 30), ("label", 20), ("approve", 40), ("approve", None)]
    rows = gas_by_action(replace(step, action=action, gas=gas) for action, gas in costs)
    assert [(row.action, row.times, row.median, row.largest, row.share) for row in rows] == [
        ("approve", 1, 40, 40, 100),
        ("label", 3, 20, 30, 50),
    ]


def test_latencies_that_nobody_measured_are_left_out() -> None:
    step = replace(sample().timeline.steps[0], first_block=None, final=2.0)
    assert [(row.name, row.median, row.paper) for row in latencies([step])] == [("to final", 2.0, 150.0)]
    assert latencies([]) == []


def test_a_verdict_becomes_a_view_that_names_the_organisation_of_each_finding() -> None:
    block = Block(41, bytes(32), 0)
    checks = tuple(Check(number, Outcome.VALID, "as it should be") for number in NAMES if number != 5)
    revoked = Finding("step 2 by a revoked key", organisation=3)
    bad = Check(5, Outcome.INVALID, revoked.text, (revoked, Finding("step 4 too", organisation=2)), more=1)
    stand = Stand(b"\x01" * 32, "model", None, "deployed", 2, 1, 1, bytes(32))
    verdict = Verdict(
        "Is it sound?", stand, (*checks[:4], bad, *checks[4:]), (), (), block, "ledger", ("old",)
    )
    view = verdict_view("The model", verdict, lambda number: f"organisation {number}")
    assert (view.conclusion, view.artefact, view.name) == ("invalid", "0x" + "01" * 32, "")
    assert view.grounds == "ledger, up to block 41"
    assert [check.number for check in view.checks] == list(range(1, 10))
    assert view.checks[4].reason == "step 2 by a revoked key (organisation 3)"
    assert view.checks[4].findings == ("step 4 too (organisation 2)", "and 1 further finding")
