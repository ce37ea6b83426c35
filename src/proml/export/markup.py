"""Elements of SVG, built so that text can never become markup.

`element` is the only way a drawing makes a tag: children and attribute values that are not themselves
made by `element` are first made visible, then escaped.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from proml.export.visible import visible

Attribute = str | float | None


def element(tag: str, *children: str, **attributes: Attribute) -> Markup:
    """One element. `tag` and the attribute names are the program's own words, never text of a record.

    An underscore in an attribute's name stands for a hyphen and a last one is dropped (`class_`); an
    attribute that is None is left out.
    """
    words = [tag]
    for name, value in attributes.items():
        if value is not None:
            words.append(f'{name.rstrip("_").replace("_", "-")}="{_safe(_text(value))}"')
    opening = " ".join(words)
    if not children:
        return own(f"<{opening}/>")
    return own(f"<{opening}>{''.join(_safe(child) for child in children)}</{tag}>")


def group(children: Iterable[str], **attributes: Attribute) -> Markup:
    """A `g` element with one child per line."""
    return element("g", *(Markup("\n") + _safe(child) for child in children), Markup("\n"), **attributes)


def own(markup: str) -> Markup:
    """Markup that the program wrote itself: tags, style rules. Never for text of a record."""
    return Markup(markup)  # noqa: S704


def _text(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)


def _safe(text: str) -> Markup:
    return text if isinstance(text, Markup) else escape(visible(text))
