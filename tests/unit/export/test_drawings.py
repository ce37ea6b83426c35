"""Lineage, lifecycles and timelines as text, Mermaid and SVG: looks, limits, and hostile texts."""

import html
import re
from collections import Counter
from dataclasses import replace
from random import Random
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.export import lanes, lifecycle_diagram, mermaid, svg, text
from proml.export.view import ArtefactView, DerivationView, LineageView, Timeline, TimelineStep
from proml.export.visible import LONGEST, shortened, visible
from tests.unit.export.hostile import HARMLESS, HOSTILE
from tests.unit.export.sample_report import GOLDEN, drawings, lineage_of
from tests.unit.export.story import LIFECYCLES, nine_steps

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED_TAGS = {"svg", "title", "desc", "style", "g", "rect", "path", "text", "tspan", "circle"}
ALLOWED_ATTRIBUTES = {
    "aria-hidden", "aria-labelledby", "class", "cx", "cy", "d", "dx", "height", "id", "r", "role", "rx",
    "text-anchor", "transform", "viewBox", "width", "x", "y",
}  # fmt: skip


def small(words: str) -> LineageView:
    """Two artefacts that name each other, a recalled one, with the same words in every text."""
    ids = [f"0x{number:064x}" for number in range(3)]
    return LineageView(
        ids[1],
        (
            ArtefactView(ids[0], words, words, words, words, is_recalled=True),
            ArtefactView(ids[1], words, words, words, words, is_tainted=True),
            ArtefactView(ids[2], words, words, words, words, is_tainted=True),
        ),
        (
            DerivationView(ids[0], ids[1], 1, 2, words, carries_taint=True),
            DerivationView(ids[1], ids[2], 2, 1, words, carries_taint=True),
            DerivationView(ids[2], ids[1], 1, 3, words, carries_taint=True),
        ),
        ((ids[0], ids[1]),),
        left_out=2,
    )


def steps(words: str) -> Timeline:
    step = TimelineStep(0, 1, words, words, words, words, words, words, words, 1, False, 5, 1.0, 1.0)
    return Timeline((words,), (step, replace(step, is_recall=True, time=10**15)))


def parsed(drawn: str) -> ET.Element:
    return ET.fromstring(drawn)


def skeleton(root: ET.Element) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.tag.removeprefix(SVG), tuple(sorted(each.attrib))) for each in root.iter()]


def big(count: int) -> LineageView:
    """A made-up lineage in which each artefact derives from up to three of the last dozen."""
    chance = Random(7)
    kinds = ("dataset", "run", "model", "evaluation", "dependency")
    artefacts = tuple(
        ArtefactView(f"0x{n:064x}", kinds[n % 5], f"artefact {n}", "approved", f"organisation {n % 6}")
        for n in range(count)
    )
    derivations = tuple(
        DerivationView(artefacts[max(0, n - 1 - chance.randrange(12))].id, artefacts[n].id, 1, 1, "use")
        for n in range(1, count)
        for _ in range(chance.randrange(1, 4))
    )
    return LineageView(artefacts[count // 2].id, artefacts, derivations)


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_a_drawing_is_what_it_was(name: str) -> None:
    assert drawings()[name] == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in drawings() if name.endswith(".svg")])
def test_an_svg_holds_shapes_and_text_and_nothing_that_acts_or_loads(name: str) -> None:
    root = parsed(drawings()[name])
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= ALLOWED_TAGS
    assert {key for each in root.iter() for key in each.attrib} <= ALLOWED_ATTRIBUTES
    style = root.findtext(f"{SVG}style") or ""
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("name", [name for name in drawings() if name.endswith(".svg")])
def test_an_svg_says_to_screen_readers_what_it_shows(name: str) -> None:
    root = parsed(drawings()[name])
    ids = {each.get("id"): each.text for each in root.iter() if each.get("id")}
    assert root.get("role") == "img"
    assert all(ids[each] for each in (root.get("aria-labelledby") or "").split())


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_text_in_a_lineage_is_only_text(words: str) -> None:
    drawn = parsed(svg.render(small(words)))
    assert skeleton(drawn) == skeleton(parsed(svg.render(small(HARMLESS))))
    titles = [each.text or "" for each in drawn.iter(f"{SVG}title")]
    assert any(visible(words)[:100] in title for title in titles)


@given(st.text(st.characters(), min_size=1, max_size=80))
def test_no_text_at_all_changes_the_elements_of_a_lineage(words: str) -> None:
    assert skeleton(parsed(svg.render(small(words)))) == skeleton(parsed(svg.render(small(HARMLESS))))


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_text_in_a_timeline_is_only_text(words: str) -> None:
    drawn, harmless = (skeleton(parsed(lanes.render(steps(each)))) for each in (words, HARMLESS))
    counts, expected = Counter(drawn), Counter(harmless)
    # A name with a space may take two lines in the head of its lane.
    assert set(counts - expected) | set(expected - counts) <= {("text", ("class", "x", "y"))}


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_text_in_a_lifecycle_is_only_text(words: str) -> None:
    def drawn(each: str) -> str:
        dataset = LIFECYCLES[1]
        states = tuple(each for _ in dataset.states)
        actions = tuple(each for _ in dataset.actions)
        return lifecycle_diagram.render(
            replace(dataset, kind=each, about=each, states=states, actions=actions, duties=(each,)), 3
        )

    assert skeleton(parsed(drawn(words))) == skeleton(parsed(drawn(HARMLESS)))


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("plain", [False, True])
def test_hostile_text_forges_no_line_in_a_terminal(words: str, plain: bool) -> None:
    tree = text.render(small(words), plain)
    assert len(tree.splitlines()) == len(text.render(small(HARMLESS), plain).splitlines())
    assert all(each.isprintable() or each == "\n" for each in tree)
    assert tree.isascii() or not plain
    assert max(map(len, tree.splitlines())) < 1_500


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_text_stays_inside_its_mermaid_label(words: str) -> None:
    lines = mermaid.render(small(words)).splitlines()
    expected = mermaid.render(small(HARMLESS)).splitlines()
    hidden = [re.sub(r'\["[^"]*"\]', "[]", each) for each in lines]
    assert hidden == [re.sub(r'\["[^"]*"\]', "[]", each) for each in expected]


@given(st.text(st.characters(), max_size=120))
def test_a_mermaid_label_holds_letters_digits_spaces_and_entity_codes_and_reads_as_it_looks(
    words: str,
) -> None:
    written = mermaid.label(words)
    assert re.fullmatch(r"(?:[^\W_]|[ ._-]|#[0-9]+;)*", written)
    read = html.unescape(re.sub(r"#([0-9]+);", r"&#\1;", written)) if "&" not in written else written
    assert read.replace(" ", "") == shortened(words, 80).replace(" ", "") or "\\" in read or "$" in read


@pytest.mark.parametrize("trap", ["$$x^2$$", "fa:fa-car", "a\\nb"])
def test_what_mermaid_reads_out_of_entity_codes_is_broken_up(trap: str) -> None:
    codes = re.findall(r"#([0-9]+);|(.)", mermaid.label(trap))
    read = "".join(chr(int(code)) if code else plain for code, plain in codes)
    assert not re.search(r"\$\$|:fa-|\\n", read)


def test_a_model_and_its_evaluation_that_name_each_other_are_drawn() -> None:
    view = lineage_of(nine_steps(), "triage-svc")
    links = [each.get("class") or "" for each in parsed(svg.render(view)).iter(f"{SVG}path")]
    assert sum("pm-back" in each for each in links) == 1
    assert text.render(view).count("(above)") == 2


def test_an_artefact_that_names_itself_is_drawn_without_hanging() -> None:
    view = small("self")
    itself = DerivationView(view.focus, view.focus, 1, 2, "amend")
    view = replace(view, derivations=(*view.derivations, itself))
    assert len(parsed(svg.render(view)).findall(f".//{SVG}text")) > 3
    assert "(above)" in text.render(view)
    assert "a1 --> a1" in mermaid.render(view)


def test_three_hundred_artefacts_are_drawn_and_none_is_missing() -> None:
    view = big(300)
    root = parsed(svg.render(view))
    names = [each.text for each in root.iter(f"{SVG}text") if each.get("class") == "pm-name"]
    assert sorted(names) == sorted(each.name for each in view.artefacts)
    assert len(svg.render(view)) < 1_000_000


def test_the_same_view_gives_the_same_bytes() -> None:
    assert svg.render(big(60)) == svg.render(big(60))
    assert mermaid.render(big(60)) == mermaid.render(big(60))


def test_a_chain_deeper_than_the_stack_is_written_as_a_tree() -> None:
    ids = [f"0x{number:064x}" for number in range(3_000)]
    artefacts = tuple(ArtefactView(each, "run", each[-4:], "finished", "o") for each in ids)
    links = tuple(DerivationView(ids[n], ids[n + 1], 1, 1, "use") for n in range(2_999))
    assert len(text.render(LineageView(ids[0], artefacts, links)).splitlines()) == 3_001


def test_an_artefact_without_a_known_name_is_still_recognisable() -> None:
    view = small("")
    assert "name not at hand" in svg.render(view)
    assert "00000000" in text.render(view)
    assert "00000000" in mermaid.render(view)


def test_a_long_text_is_cut_in_the_box_and_whole_in_the_title() -> None:
    long = "a-dataset-with-a-very-long-name-indeed-and-still-going-on.csv"
    root = parsed(svg.render(small(long)))
    names = [each.text or "" for each in root.iter(f"{SVG}text") if each.get("class") == "pm-name"]
    assert all("…" in name and name.endswith(".csv") for name in names)
    assert any(long in (each.text or "") for each in root.iter(f"{SVG}title"))


def test_an_enormous_text_does_not_blow_up_a_drawing() -> None:
    assert len(svg.render(small("x" * 1_000_000))) < 60 * LONGEST


def test_what_is_left_out_is_said() -> None:
    assert "2 further artefacts are not drawn" in svg.render(small("x"))
    assert "2 further artefacts are not shown" in text.render(small("x"))
    assert "2 further artefacts are not drawn" in mermaid.render(small("x"))


def test_a_recall_and_its_taint_are_words_and_signs_and_not_only_colours() -> None:
    words = [each.text for each in parsed(svg.render(small("x"))).iter(f"{SVG}text")]
    assert words.count("recalled") == 1
    assert words.count("tainted") == 2


@pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=lambda each: each.kind)
def test_a_lifecycle_diagram_names_every_state_and_action_and_marks_the_present_one(lifecycle) -> None:
    root = parsed(lifecycle_diagram.render(lifecycle, present=1))
    words = [each.text for each in root.iter(f"{SVG}text")]
    assert {each.replace("_", " ") for each in (*lifecycle.states[1:], *lifecycle.actions)} <= set(words)
    assert words.count("now") == 1
    source = lifecycle_diagram.render_mermaid(lifecycle, present=1)
    assert "class s1 present" in source
    assert source.count("-->") >= len({(rule.state, rule.following) for rule in lifecycle.table.rules})


def test_a_long_timeline_is_drawn_in_pieces_that_fit_a_page() -> None:
    one = steps("x").steps[0]
    pieces = lanes.drawings(Timeline(("x",), tuple(replace(one, block=n) for n in range(70))))
    assert [piece.height < 1_600 for piece in pieces] == [True, True, True]


def test_a_timeline_without_steps_is_no_drawing() -> None:
    assert lanes.drawings(Timeline((), ())) == []
