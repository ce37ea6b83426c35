"""Small signs and measured text for drawings: what a kind, a warning or a verdict looks like."""

from __future__ import annotations

import unicodedata

from markupsafe import Markup

from proml.export.markup import element
from proml.export.visible import ELLIPSIS, visible

# Outlines on a square of 16 units, drawn with round ends.
_KIND_SIGNS = {
    "dataset": "M2.5 4c0-3 11-3 11 0v8c0 3-11 3-11 0zM2.5 4c0 3 11 3 11 0M2.5 8c0 3 11 3 11 0",
    "run": "M8 1.5a6.5 6.5 0 1 0 .01 0zM6.3 5.2 11 8l-4.7 2.8z",
    "model": "M8 1.2 14 4.6v6.8L8 14.8 2 11.4V4.6zM2 4.6 8 8l6-3.4M8 8v6.8",
    "evaluation": "M5.5 2.5H3v12h10v-12h-2.5M5.5 1.2h5v2.6h-5zM5.4 9.2l2 2 3.4-4.2",
    "dependency": "M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM11.5 9v5M9 11.5h5",
}
_OTHER_SIGN = "M8 1.5 14.5 8 8 14.5 1.5 8z"
SIGNS = {
    "valid": "M8 1.2a6.8 6.8 0 1 0 .01 0zM4.8 8.2l2.3 2.4 4.2-5",
    "invalid": "M5.2 1.2h5.6l4 4v5.6l-4 4H5.2l-4-4V5.2zM5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2",
    "open": "M8 1.2a6.8 6.8 0 1 0 .01 0zM5 8h6",
    "none": "M4.5 8h7",
    "warning": "M8 1.6 15 14H1zM8 6v4M8 12v.1",
    "recalled": "M8 1.2a6.8 6.8 0 1 0 .01 0zM3.3 3.3l9.4 9.4",
    "refused": "M8 1 14 3.4v4.4c0 3.6-2.6 6-6 7.2-3.4-1.2-6-3.6-6-7.2V3.4zM5.2 8l2 2.1 3.7-4.3",
    "found": "M6.8 1.5a5.3 5.3 0 1 0 .01 0zM10.7 10.7 15 15",
}


def sign(outline: str, x: float, y: float, size: float, class_: str) -> Markup:
    """A sign with its upper left corner at (x, y), `size` wide and high."""
    return element(
        "svg",
        element("path", d=outline),
        x=float(x),
        y=float(y),
        width=float(size),
        height=float(size),
        viewBox="0 0 16 16",
        class_=f"pm-sign {class_}",
        aria_hidden="true",
    )


def kind_sign(kind: str) -> str:
    """The outline for a kind."""
    return _KIND_SIGNS.get(kind, _OTHER_SIGN)


def width(text: str, size: float) -> float:
    """About how wide a visible text is at a font size; rather too much than too little.

    The reader's fonts are unknown: the figures are those of a wide sans serif.
    """
    return size * sum(_advance(character) for character in text)


def fitted(text: str, room: float, size: float) -> str:
    """The visible text, its middle replaced by an ellipsis where it would be wider than `room`."""
    shown = visible(text)
    if len(shown) * 0.3 * size <= room and width(shown, size) <= room:
        return shown
    kept = min(len(shown), int(room / (0.3 * size)) + 1)
    while kept > 1:
        tail = kept // 3
        shorter = shown[: kept - tail] + ELLIPSIS + (shown[-tail:] if tail else "")
        if width(shorter, size) <= room:
            return shorter
        kept -= 1
    return ELLIPSIS


def _advance(character: str) -> float:
    if character in "iljtfrI.,:;'|!()[]- ":
        return 0.38
    if character in "mwMW@%" + ELLIPSIS:
        return 0.98
    if unicodedata.east_asian_width(character) in "WF" or ord(character) > 0x2FFF:
        return 1.1
    if unicodedata.combining(character):
        return 0.0
    return 0.7 if character.isupper() else 0.6
