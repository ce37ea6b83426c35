"""Lineage as a tree for a terminal: what an artefact was made from, and what was made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from proml.export.view import ArtefactView, LineageView
from proml.export.visible import ascii_only, short_id, shortened

_LONGEST_NAME = 60
# How a branch, the last branch, a continued and an ended level are drawn.
_LINES = ("├─ ", "└─ ", "│  ", "   ")
_PLAIN_LINES = ("|- ", "`- ", "|  ", "   ")


def render(view: LineageView, plain: bool = False) -> str:
    """The tree, one artefact a line, each drawn out once. `plain` uses nothing but ASCII.

    Holds no colours and, whatever the names hold, no control characters but the line feeds.
    """
    lines = _PLAIN_LINES if plain else _LINES
    artefacts = {each.id: each for each in view.artefacts}
    sources: dict[str, list[str]] = {}
    targets: dict[str, list[str]] = {}
    for derivation in view.derivations:
        sources.setdefault(derivation.target, []).append(derivation.source)
        targets.setdefault(derivation.source, []).append(derivation.target)
    written = [_line(artefacts[view.focus])]
    for title, neighbours in (("made from", sources), ("used by", targets)):
        if neighbours.get(view.focus):
            written += [title, *_tree(view.focus, neighbours, lambda each: _line(artefacts[each]), lines)]
    for path in view.taint_paths:
        way = (" > " if plain else " → ").join(_name(artefacts[each]) for each in path)
        written.append(f"recalled, and so tainted: {way}")
    waiting: dict[str, list[str]] = {}
    for each in view.acknowledgements:
        if each.block is None:
            waiting.setdefault(each.organisation, []).append(_name(artefacts[each.artefact]))
    for organisation, names in waiting.items():
        who = shortened(organisation, _LONGEST_NAME)
        written.append(f"{who} must acknowledge: {', '.join(dict.fromkeys(names))}")
    if view.left_out:
        written.append(f"{view.left_out:,} further artefacts are not shown")
    text = "\n".join(written) + "\n"
    return ascii_only(text) if plain else text


def _tree(
    root: str, neighbours: dict[str, list[str]], line: Callable[[str], str], lines: tuple[str, ...]
) -> Iterator[str]:
    """Depth first without recursion, since a lineage may be deeper than Python's stack."""
    branch, last, level, end = lines
    seen = {root}
    waiting = _branches(root, "", neighbours)
    while waiting:
        here, indent, is_last = waiting.pop()
        known = here in seen
        again = " (above)" if known and neighbours.get(here) else ""
        yield f"{indent}{last if is_last else branch}{line(here)}{again}"
        if not known:
            seen.add(here)
            waiting += _branches(here, indent + (end if is_last else level), neighbours)


def _branches(here: str, indent: str, neighbours: dict[str, list[str]]) -> list[tuple[str, str, bool]]:
    """The branches below an artefact, last first, as a stack wants them."""
    found = list(dict.fromkeys(neighbours.get(here, [])))
    return [(each, indent, each == found[-1]) for each in reversed(found)]


def _line(artefact: ArtefactView) -> str:
    flags = "  RECALLED" if artefact.is_recalled else ""
    flags += "  TAINTED" if artefact.is_tainted else ""
    flags += "  ABANDONED" if artefact.is_abandoned else ""
    organisation = shortened(artefact.organisation, _LONGEST_NAME)
    state = shortened(artefact.state, _LONGEST_NAME)
    return f"{_name(artefact)} [{state}] {organisation}, {short_id(artefact.id)}{flags}"


def _name(artefact: ArtefactView) -> str:
    name = shortened(artefact.name, _LONGEST_NAME) if artefact.name else short_id(artefact.id)
    return f"{shortened(artefact.kind, _LONGEST_NAME)} {name}"
