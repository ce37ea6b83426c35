"""The layout: what must hold for every graph, and graphs that have hurt other layouts."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.export.cycles import components
from proml.export.layering import Box, Layout, Spacing, layered

SPACING = Spacing(layers=50, boxes=30, waypoints=16)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Box], list[tuple[str, str]]]:
    count = draw(st.integers(1, 14))
    sizes = st.integers(8, 220)
    boxes = [Box(f"b{number}", draw(sizes), draw(sizes)) for number in range(count)]
    keys = st.sampled_from([box.key for box in boxes])
    return boxes, draw(st.lists(st.tuples(keys, keys), max_size=40))


def test_nothing_is_laid_out_as_nothing() -> None:
    assert layered([], [], SPACING) == Layout({}, (), 0, 0)


@given(graphs())
def test_boxes_never_overlap(graph: tuple[list[Box], list[tuple[str, str]]]) -> None:
    layout = layered(*graph, SPACING)
    assert set(layout.places) == {box.key for box in graph[0]}
    for one, other in combinations(layout.places.values(), 2):
        apart_along = one.along + one.length <= other.along or other.along + other.length <= one.along
        apart_across = one.across + one.breadth <= other.across or other.across + other.breadth <= one.across
        assert apart_along or apart_across


@given(graphs())
def test_links_run_left_to_right_except_those_that_close_a_cycle(
    graph: tuple[list[Box], list[tuple[str, str]]],
) -> None:
    boxes, links = graph
    layout = layered(boxes, links, SPACING)
    numbers = {box.key: number for number, box in enumerate(boxes)}
    component = components(len(boxes), [(numbers[a], numbers[b]) for a, b in links])
    assert {(each.source, each.target) for each in layout.routes} == {(a, b) for a, b in links if a != b}
    for route in layout.routes:
        left, right = layout.places[route.source], layout.places[route.target]
        if route.is_back:
            assert component[numbers[route.source]] == component[numbers[route.target]]
            left, right = right, left
        assert left.along + left.length < right.along
        assert len(route.points) == 2 * (right.layer - left.layer - 1)
        along = [point[0] for point in (reversed(route.points) if route.is_back else route.points)]
        assert along == sorted(along)


@given(graphs())
def test_no_link_passes_through_a_box(graph: tuple[list[Box], list[tuple[str, str]]]) -> None:
    layout = layered(*graph, SPACING)
    for route in layout.routes:
        for (start, across), (end, _) in list(pairwise(route.points))[::2]:
            for place in layout.places.values():
                beside = place.along + place.length <= min(start, end) or place.along >= max(start, end)
                assert beside or not place.across <= across <= place.across + place.breadth


@given(graphs())
def test_everything_lies_within_the_extent(graph: tuple[list[Box], list[tuple[str, str]]]) -> None:
    layout = layered(*graph, SPACING)
    for place in layout.places.values():
        assert place.along >= 0 <= place.across
        assert place.along + place.length <= layout.length + 1
        assert place.across + place.breadth <= layout.breadth
    assert all(0 <= across <= layout.breadth for route in layout.routes for _, across in route.points)


@given(graphs())
def test_the_same_graph_gives_the_same_layout(graph: tuple[list[Box], list[tuple[str, str]]]) -> None:
    assert layered(*graph, SPACING) == layered(*graph, SPACING)


@given(graphs())
def test_two_vertices_share_a_component_exactly_when_each_reaches_the_other(
    graph: tuple[list[Box], list[tuple[str, str]]],
) -> None:
    boxes, links = graph
    numbers = {box.key: number for number, box in enumerate(boxes)}
    pairs = [(numbers[a], numbers[b]) for a, b in links]
    reached = [_reached(start, pairs) for start in range(len(boxes))]
    component = components(len(boxes), pairs)
    for one, other in combinations(range(len(boxes)), 2):
        assert (component[one] == component[other]) == (other in reached[one] and one in reached[other])


def test_a_link_to_a_box_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        layered([Box("a", 1, 1)], [("a", "b")], SPACING)


def test_a_chain_of_three_thousand_needs_no_deep_stack() -> None:
    boxes = [Box(str(number), 10, 10) for number in range(3_000)]
    layout = layered(boxes, [(str(n), str(n + 1)) for n in range(2_999)], SPACING)
    assert layout.places["2999"].layer == 2_999
    assert layout.breadth == 10


def test_a_ring_is_cut_where_its_oldest_box_is() -> None:
    boxes = [Box(str(number), 10, 10) for number in range(50)]
    layout = layered(boxes, [(str(n), str((n + 1) % 50)) for n in range(50)], SPACING)
    assert [(each.source, each.target) for each in layout.routes if each.is_back] == [("49", "0")]


def test_crossings_that_can_be_avoided_are() -> None:
    left, right = [f"l{n}" for n in range(8)], [f"r{n}" for n in range(8)]
    links = [(f"l{n}", f"r{(n * 3) % 8}") for n in range(8)]
    layout = layered([Box(key, 10, 10) for key in left + right], links, SPACING)
    ends = sorted((layout.places[a].across, layout.places[b].across) for a, b in links)
    assert [b for _, b in ends] == sorted(b for _, b in ends)


def test_a_source_stands_just_before_what_it_feeds() -> None:
    boxes = [Box(key, 10, 10) for key in "abcdx"]
    layout = layered(boxes, [("a", "b"), ("b", "c"), ("c", "d"), ("x", "d")], SPACING)
    assert layout.places["x"].layer == layout.places["d"].layer - 1


def _reached(start: int, pairs: list[tuple[int, int]]) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        new = {b for a, b in pairs if a == here} - found
        found |= new
        waiting += new
    return found
