"""What every module of proml.export that renders a lineage promises; a new one is tested unasked."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from typing import get_type_hints

import pytest

import proml.export
from proml.export.view import ArtefactView, DerivationView, LineageView
from tests.unit.export.hostile import HARMLESS, HOSTILE

Render = Callable[[LineageView], str]


def found() -> dict[str, Render]:
    renderers = {}
    for module in iter_modules(proml.export.__path__):
        render = getattr(import_module(f"proml.export.{module.name}"), "render", None)
        if render and LineageView in get_type_hints(render).values():
            renderers[module.name] = render
    return renderers


def ring(words: str, count: int = 5) -> LineageView:
    """Artefacts of which each names the next and the last the first, with the same words in every text."""
    ids = [f"0x{number:08x}{'0' * 56}" for number in range(count)]
    artefacts = tuple(ArtefactView(each, words, words, words, words) for each in ids)
    links = tuple(DerivationView(ids[n], ids[(n + 1) % count], 1, 1, words) for n in range(count))
    return LineageView(ids[0], artefacts, links, left_out=7)


@pytest.fixture(params=sorted(found()))
def render(request: pytest.FixtureRequest) -> Render:
    return found()[request.param]


def test_the_formats_that_ship_are_among_them() -> None:
    assert {"mermaid", "svg", "text"} <= set(found())


@pytest.mark.parametrize("words", HOSTILE)
def test_a_text_of_others_adds_no_line_and_nothing_without_ink(render: Render, words: str) -> None:
    drawn = render(ring(words))
    assert all(each.isprintable() or each == "\n" for each in drawn)
    assert drawn.count("\n") == render(ring(HARMLESS)).count("\n")
    drawn.encode("utf-8")


def test_a_cycle_is_drawn_and_every_artefact_is_there(render: Render) -> None:
    view = ring(HARMLESS)
    named = replace(view, artefacts=tuple(replace(each, name=f"n{each.id[2:10]}") for each in view.artefacts))
    drawn = render(named)
    assert all(each.name in drawn for each in named.artefacts)


def test_an_artefact_without_a_name_goes_by_its_id(render: Render) -> None:
    assert "00000003" in render(ring(""))


def test_a_lineage_of_one_is_drawn(render: Render) -> None:
    one = ring(HARMLESS, 1)
    assert HARMLESS in render(replace(one, derivations=(), left_out=0))


def test_what_is_left_out_is_said(render: Render) -> None:
    assert "7 further artefacts" in render(ring(HARMLESS))


def test_the_same_view_gives_the_same_text(render: Render) -> None:
    assert render(ring(HARMLESS, 40)) == render(ring(HARMLESS, 40))
