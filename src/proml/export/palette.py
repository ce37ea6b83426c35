"""Colours, for light and for dark surroundings, and the style sheet rules that name them.

Every text colour has a contrast of at least 4.5 : 1 on every surface it is used on, every line and mark
3 : 1 (WCAG 2.2, 1.4.3 and 1.4.11; a test computes them). Kinds differ in lightness too, so that people
who do not tell red from green keep them apart, and each also has its own sign: colour is never alone.
"""

from __future__ import annotations

import re

# Name: (light, dark).
COLOURS = {
    "page": ("#f6f6f3", "#121417"),
    "surface": ("#ffffff", "#1b1e23"),
    "sunken": ("#eff0ec", "#262a31"),
    "line": ("#dcdeda", "#363b44"),
    "link": ("#858d99", "#79828f"),
    "ink": ("#1b1e22", "#eceef1"),
    "muted": ("#575e69", "#a9b1bd"),
    "accent": ("#0b57d0", "#8ab4f8"),
    "good": ("#136c3b", "#6fd394"),
    "good-tint": ("#e3f3e9", "#16301f"),
    "bad": ("#961a14", "#fa8a7c"),
    "bad-tint": ("#fdeae8", "#3d1c19"),
    "open": ("#7a5600", "#e8c15a"),
    "open-tint": ("#fbf1d8", "#352a10"),
    "dataset": ("#0b3a84", "#a4d5fb"),
    "run": ("#08775a", "#4fdcae"),
    "model": ("#b02fb0", "#d683f0"),
    "evaluation": ("#806900", "#e8c440"),
    "dependency": ("#5a6372", "#989da8"),
}
KINDS = ("dataset", "run", "model", "evaluation", "dependency")

_USED = re.compile(r"([a-z-]+):([^;{}]*)var\(--pm-([a-z-]+)\)([^;{}]*);")


def properties(selector: str) -> str:
    """The custom properties, set on `selector`, with the reader's own choice of light or dark."""
    light = "".join(f"--pm-{name}:{pair[0]};" for name, pair in COLOURS.items())
    dark = "".join(f"--pm-{name}:{pair[1]};" for name, pair in COLOURS.items())
    return (
        f"{selector}{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{{selector}{{{dark}}}}}\n"
    )


def with_fallbacks(rules: str) -> str:
    """Each declaration that names a colour, preceded by its light value.

    A program that knows no custom properties (a thumbnailer, a type-setter) then draws in light colours
    instead of in black.
    """
    return _USED.sub(
        lambda found: (
            f"{found[1]}:{found[2]}{COLOURS[found[3]][0]}{found[4]};"
            f"{found[1]}:{found[2]}var(--pm-{found[3]}){found[4]};"
        ),
        rules,
    )


def kind_class(kind: str) -> str:
    """The style class of a kind; one for all kinds that have no colour of their own."""
    return f"pm-{kind}" if kind in KINDS else "pm-other"
