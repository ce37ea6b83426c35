"""Lineage and lifecycles as Mermaid source, for pages and README files that draw it themselves.

Names in Mermaid may turn into HTML, Markdown or syntax, depending on who renders. So no name is ever an
identifier, and in a label everything but letters, digits and spaces is an entity code.
"""

from __future__ import annotations

import re

from proml.export.palette import COLOURS, KINDS
from proml.export.view import ArtefactView, LineageView
from proml.export.visible import short_id, shortened

_LONGEST = 80
# A dot, hyphen or underscore between letters or digits means nothing to Mermaid or Markdown.
_PLAIN = re.compile(r"[^\W_]+(?:[._-](?=[^\W_])[^\W_]+)*| ")
# What Mermaid 11 reads as mathematics, an icon or a line break even out of entity codes.
_READ_ANYWAY = re.compile(r"\$(?=\$)|:(?=fa-)|\\(?=n)")
# Fills of kinds; strokes and texts are those of the other drawings, in light.
_FILLS = {
    "dataset": "#e9eff8",
    "run": "#e6f3f0",
    "model": "#f9ecf9",
    "evaluation": "#f6f2e2",
    "dependency": "#eeeff1",
    "other": "#f4f4f4",
}
_INK, _MUTED, _BAD, _ACCENT = (COLOURS[each][0] for each in ("ink", "muted", "bad", "accent"))
_CLASSES = (
    *(
        f"classDef {kind} fill:{fill},stroke:{COLOURS[kind][0] if kind in COLOURS else _MUTED},color:{_INK}"
        for kind, fill in _FILLS.items()
    ),
    f"classDef focus stroke-width:4px,stroke:{_ACCENT}",
    f"classDef tainted stroke:{_BAD},stroke-width:3px,stroke-dasharray:6 4",
    f"classDef recalled fill:{_BAD},stroke:{_INK},stroke-width:3px,color:#ffffff",
)


def render(view: LineageView) -> str:
    """A flowchart from left to right, with classes for kinds, focus, tainted and recalled.

    Mermaid as delivered draws at most 500 links and 50,000 characters (`maxEdges`, `maxTextSize`).
    """
    numbers = {each.id: f"a{place}" for place, each in enumerate(view.artefacts)}
    lines = ["flowchart LR", *(f"  {each}" for each in _CLASSES)]
    members: dict[str, list[str]] = {}
    for artefact in view.artefacts:
        lines.append(f'  {numbers[artefact.id]}["{_label(artefact)}"]')
        for style in _styles(artefact, artefact.id == view.focus):
            members.setdefault(style, []).append(numbers[artefact.id])
    lines += [f"  class {','.join(each)} {style}" for style, each in members.items()]
    pairs: dict[tuple[str, str], bool] = {}
    for each in view.derivations:
        pair = (each.source, each.target)
        pairs[pair] = pairs.get(pair, False) or each.carries_taint
    for (source, target), carries in pairs.items():
        lines.append(f"  {numbers[source]} {'-.->' if carries else '-->'} {numbers[target]}")
    on_path = view.path_links
    thick = [str(place) for place, pair in enumerate(pairs) if pair in on_path]
    thin = [str(place) for place, pair in enumerate(pairs) if pairs[pair] and pair not in on_path]
    if thin:
        lines.append(f"  linkStyle {','.join(thin)} stroke:{_BAD}")
    if thick:
        lines.append(f"  linkStyle {','.join(thick)} stroke:{_BAD},stroke-width:4px")
    if view.left_out:
        lines.append(f"  %% {view.left_out} further artefacts are not drawn")
    return "\n".join(lines) + "\n"


def label(text: str) -> str:
    """A text as the inside of a quoted Mermaid label: visible, shortened, with entity codes.

    `$$`, `:fa-` and a backslash before n get a space in between, since entity codes do not disarm them.
    """
    shown = _READ_ANYWAY.sub(r"\g<0> ", shortened(text, _LONGEST))
    written, place = [], 0
    for plain in _PLAIN.finditer(shown):
        written += [f"#{ord(character)};" for character in shown[place : plain.start()]]
        written.append(plain[0])
        place = plain.end()
    written += [f"#{ord(character)};" for character in shown[place:]]
    return "".join(written)


def _label(artefact: ArtefactView) -> str:
    name = artefact.name or short_id(artefact.id)
    flag = "<br/>RECALLED" if artefact.is_recalled else ""
    flag += "<br/>TAINTED" if artefact.is_tainted else ""
    flag += "<br/>ABANDONED" if artefact.is_abandoned else ""
    rows = [
        f"{label(artefact.kind)} #183; {label(artefact.state)}",
        label(name),
        label(artefact.organisation),
    ]
    return "<br/>".join(rows) + flag


def _styles(artefact: ArtefactView, is_focus: bool) -> list[str]:
    classes = [artefact.kind if artefact.kind in KINDS else "other"]
    classes += ["tainted"] if artefact.is_tainted else []
    classes += ["recalled"] if artefact.is_recalled else []
    return [*classes, "focus"] if is_focus else classes
