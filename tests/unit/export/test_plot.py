"""Plots of metrics: nothing lost that a reader would look for, nothing a name can break."""

import math
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.export.plot import Series, drawing, ticks
from tests.unit.export.hostile import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"


def paths(document: str) -> list[str]:
    root = ET.fromstring(document)
    return [each.get("d", "") for each in root.iter(f"{SVG}path") if each.get("class") == "pm-curve"]


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.floats(width=64)), max_size=40).map(
        lambda points: tuple((float(step), value) for step, value in sorted(points, key=lambda p: p[0]))
    )
)
def test_any_series_gives_well_formed_markup_without_a_word_that_is_no_number(points):
    document = drawing("loss", [Series("run", points)]).document()
    drawn = "".join(paths(document))
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_a_peak_in_a_long_series_is_still_there():
    points = tuple((float(step), 1000.0 if step == 4321 else math.sin(step)) for step in range(10_000))
    (line,) = paths(drawing("loss", [Series("run", points)]).document())
    heights = [float(spot.split()[1]) for spot in line.removeprefix("M").split("L")]
    assert min(heights) == pytest.approx(34.0)
    assert len(heights) <= 600


def test_a_value_that_is_not_finite_breaks_the_line():
    points = ((0.0, 1.0), (1.0, 2.0), (2.0, math.nan), (3.0, 1.0), (4.0, 3.0))
    (line,) = paths(drawing("loss", [Series("run", points)]).document())
    assert line.count("M") == 2


def test_a_single_value_is_a_dot():
    document = drawing("accuracy", [Series("run", ((7.0, 0.93),))]).document()
    assert "<circle" in document
    assert "0.93" in document


def test_several_runs_have_a_legend_and_each_its_own_look():
    names = [f"run {number}" for number in range(7)]
    document = drawing("loss", [Series(name, ((0.0, 1.0), (1.0, 0.5))) for name in names]).document()
    assert all(name in document for name in names)
    looks = {
        (each.get("class"), each.find(f"{SVG}path").get("stroke-dasharray"))
        for each in ET.fromstring(document).iter(f"{SVG}g")
        if each.find(f"{SVG}text") is not None and each.get("class")
    }
    assert len(looks) == 7


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_stays_text(text):
    document = drawing(text, [Series(text, ((0.0, 1.0), (1.0, 2.0))), Series("b", ())]).document()
    tags = {each.tag for each in ET.fromstring(document).iter()}
    assert tags <= {f"{SVG}{name}" for name in ("svg", "title", "desc", "style", "rect", "text", "g", "path")}


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_ticks_are_few_and_lie_within(low, high):
    low, high = sorted((low, high))
    found = ticks(low, high)
    assert 1 <= len(found) <= 7
    slack = (high - low) * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in found)
