"""What every HTML page of ProML is made with: templates that print no hostile text, and one style sheet."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import BaseLoader, Environment, StrictUndefined
from markupsafe import Markup

from proml.export.canvas import drawing_rules
from proml.export.markup import own
from proml.export.palette import kind_class, properties, with_fallbacks
from proml.export.signs import SIGNS, kind_sign, sign
from proml.export.visible import short_id, visible
from proml.export.wording import counted, duration, moment, time_of

# Of a longer text a page shows the beginning; nobody reads more, and it would bury the rest.
_LONGEST_TEXT = 1_000


def environment(loader: BaseLoader) -> Environment:
    """Templates in which every value that is no markup of this program is made visible and escaped."""
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    made.globals |= {"icon": _icon, "kind_icon": _kind_icon}
    made.filters |= {
        "moment": moment,
        "time_of": time_of,
        "duration": duration,
        "short_id": short_id,
        "kind_class": kind_class,
        "spaced": lambda text: text.replace("_", " "),
        "counted": counted,
    }
    return made


@cache
def page_rules() -> Markup:
    """The style rules of a page and of every drawing in it."""
    page = (files(__package__) / "templates" / "report.css").read_text(encoding="utf-8")
    return own(properties(":root") + drawing_rules() + with_fallbacks(page))


def _icon(name: str, style: str = "") -> Markup:
    return sign(SIGNS[name], 0, 0, 16, style)


def _kind_icon(kind: str) -> Markup:
    return sign(kind_sign(kind), 0, 0, 16, kind_class(kind))


def _shown(value: object) -> object:
    """What the template may print: markup of this program as it is, all else made visible."""
    return value if isinstance(value, Markup) else visible(str(value), _LONGEST_TEXT)
