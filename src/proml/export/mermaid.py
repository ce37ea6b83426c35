"""Lineage and lifecycles as Mermaid source, for pages and README files that draw it themselves.

Names in Mermaid may turn into HTML, Markdown or syntax, depending on who renders. So no name is ever an
identifier, and in a label everything but letters, digits and spaces is an entity code.
"""

from __future__ import annotations

import re

from proml.export.view import ArtefactView, LineageView
from proml.export.visible import short_id, shortened

_LONGEST = 80
# A dot, hyphen or underscore between letters or digits means nothing to Mermaid or Markdown.
_PLAIN = re.compile(r"[^\W_]+(?:[._-](?=[^\W_])[^\W_]+)*| ")
_CLASSES = (
    "classDef dataset fill:#eaf2fa,stroke:#0a5fa5,color:#1b1e22",
    "classDef run fill:#e6f3f0,stroke:#00705a,color:#1b1e22",
    "classDef model fill:#f5edf7,stroke:#86379b,color:#1b1e22",
    "classDef evaluation fill:#f8f1e4,stroke:#8a5a00,color:#1b1e22",
    "classDef dependency fill:#eeeff1,stroke:#4d5561,color:#1b1e22",
    "classDef other fill:#f2f2f2,stroke:#575e69,color:#1b1e22",
    "classDef focus stroke-width:4px,stroke:#0b57d0",
    "classDef tainted stroke:#b3261e,stroke-width:3px,stroke-dasharray:6 4",
    "classDef recalled fill:#b3261e,stroke:#7d1a15,stroke-width:3px,color:#ffffff",
)
_KINDS = frozenset(line.split()[1] for line in _CLASSES[:5])


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
        lines.append(f"  linkStyle {','.join(thin)} stroke:#b3261e")
    if thick:
        lines.append(f"  linkStyle {','.join(thick)} stroke:#b3261e,stroke-width:4px")
    if view.left_out:
        lines.append(f"  %% {view.left_out} further artefacts are not drawn")
    return "\n".join(lines) + "\n"


def label(text: str) -> str:
    """A text as the inside of a quoted Mermaid label: visible, shortened, with entity codes."""
    shown = shortened(text, _LONGEST)
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
    rows = [
        f"{label(artefact.kind)} #183; {label(artefact.state)}",
        label(name),
        label(artefact.organisation),
    ]
    return "<br/>".join(rows) + flag


def _styles(artefact: ArtefactView, is_focus: bool) -> list[str]:
    classes = [artefact.kind if artefact.kind in _KINDS else "other"]
    classes += ["tainted"] if artefact.is_tainted else []
    classes += ["recalled"] if artefact.is_recalled else []
    return [*classes, "focus"] if is_focus else classes
