"""Text from records, made safe to look at: what a person sees is what is there, on one line.

Names and reasons come from other organisations. A control character can forge a log line or repaint a
terminal, a bidirectional override can turn `exe.fdp` round, a blank letter can hide a difference. Here
each becomes a backslash escape. Escaping for HTML, XML or Mermaid is the business of those formats.
"""

from __future__ import annotations

import unicodedata

# More than this of one text is never shown; the rest is counted.
LONGEST = 10_000
ELLIPSIS = "…"

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Spaces that typography needs; every other blank would look like one of these or like nothing.
_SPACES = frozenset(" \u00a0\u202f\u3000")
# Letters and symbols without ink, which Unicode does not class as separators.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Stacked marks beyond this paint over neighbouring lines.
_MOST_MARKS = 3


def visible(text: str, longest: int = LONGEST) -> str:
    r"""The text with everything that has no ink, or moves other ink, as an escape: `\n`, `\x1b`, `\u202e`.

    Escaped are control and format characters (bidirectional and zero-width ones among them), lone
    surrogates, private and unassigned code points, line separators, blank letters, and combining marks
    after the third in a row. A backslash of the text itself stays as it is, so this form is for people
    and cannot be read back. Beyond `longest` characters only their number is given.
    """
    if len(text) > longest:
        return f"{visible(text[:longest])}{ELLIPSIS} ({len(text) - longest:,} more characters)"
    if text.isascii() and text.isprintable():
        return text
    shown, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        plain = (character.isprintable() and character not in _BLANK) or character in _SPACES
        shown.append(character if plain and marks <= _MOST_MARKS else _escape(character))
    return "".join(shown)


def shortened(text: str, longest: int) -> str:
    """The visible text in at most `longest` characters; the middle gives way, so that endings stay."""
    shown = visible(text)
    if len(shown) <= longest:
        return shown
    tail = (longest - 1) // 3
    return shown[: longest - 1 - tail] + ELLIPSIS + shown[len(shown) - tail :]


def short_id(identifier: str) -> str:
    """The first eight hexadecimal digits of `0x…`: enough to recognise, never enough to prove."""
    return shortened(identifier.removeprefix("0x")[:8], 8)


def ascii_only(text: str) -> str:
    """The text for an output that knows only ASCII; other characters become escapes."""
    return text.replace(ELLIPSIS, "...").encode("ascii", "backslashreplace").decode("ascii")


def _escape(character: str) -> str:
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
