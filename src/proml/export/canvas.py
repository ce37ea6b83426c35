"""The frame of every drawing: root element, title and description for screen readers, style sheet."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from proml.export.markup import element, own
from proml.export.palette import properties, with_fallbacks


class Drawing:
    """A finished drawing, to be written as a file of its own or placed in a page.

    Attributes:
        width, height: in pixels at natural size.
    """

    __slots__ = ("_children", "_description", "_title", "height", "width")

    def __init__(
        self, title: str, description: str, extent: tuple[float, float], children: Iterable[Markup]
    ) -> None:
        self._title = title
        self._description = description
        self.width, self.height = round(extent[0]), round(extent[1])
        self._children = Markup("\n").join(children)

    def document(self) -> str:
        """A complete SVG file with its style sheet; no script, nothing from outside."""
        style = element("style", own("\n" + properties("svg.pm") + drawing_rules()))
        return str(self._root("drawing", style)) + "\n"

    def figure(self, identifier: str) -> Markup:
        """The `svg` element for a page that has the rules and properties in its own style sheet.

        `identifier` must be unique in the page: letters, digits and hyphens, the program's own words.
        """
        return self._root(identifier)

    def _root(self, identifier: str, *style: Markup) -> Markup:
        newline = Markup("\n")
        return element(
            "svg",
            newline,
            element("title", self._title, id=f"{identifier}-title"),
            newline,
            element("desc", self._description, id=f"{identifier}-description"),
            newline,
            *style,
            self._children,
            newline,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {self.width} {self.height}",
            width=self.width,
            height=self.height,
            class_="pm",
            role="img",
            aria_labelledby=f"{identifier}-title {identifier}-description",
        )


@cache
def drawing_rules() -> str:
    """The style rules that every drawing needs, without the custom properties."""
    rules = (files(__package__) / "drawing.css").read_text(encoding="ascii")
    return with_fallbacks(rules)
