"""Docstrings as Markdown: paragraphs stay, sections such as Args become lists, examples stay code."""

import inspect
import re
import textwrap

_SECTIONS = ("Args", "Attributes", "Returns", "Raises")
_ENTRY = re.compile(r"(?:\*{0,2})([\w, ]+): (.*)", re.DOTALL)


def markdown_of(text: str) -> str:
    """A docstring, as `inspect.getdoc` gives it, in Markdown."""
    return "\n\n".join(_block(each) for each in text.split("\n\n"))


def summary_of(thing: object) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def attributes_of(thing: object) -> dict[str, str]:
    """The entries under `Attributes:` in a docstring, each on one line."""
    for block in (inspect.getdoc(thing) or "").split("\n\n"):
        if block.startswith("Attributes:\n"):
            return dict(_entries(block))
    return {}


def _block(block: str) -> str:
    title = block.partition(":\n")[0]
    if title not in _SECTIONS:
        return block
    if title == "Returns":
        return "*Returns:* " + " ".join(block.split()[1:])
    return f"*{title}:*\n\n" + "\n".join(f"- `{name}`: {about}" for name, about in _entries(block))


def _entries(block: str) -> list[tuple[str, str]]:
    """What stands under a section's title, by name; further lines of an entry are indented deeper."""
    joined: list[str] = []
    for line in textwrap.dedent(block.partition(":\n")[2]).split("\n"):
        if line.startswith(" ") and joined:
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    found = [_ENTRY.fullmatch(each) for each in joined]
    return [(match[1], match[2]) for match in found if match]
