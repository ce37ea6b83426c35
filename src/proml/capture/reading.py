"""The content digest of an open file: finds its format, and lets nothing but FileRefused out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from proml.capture.window import Window
from proml.core.content import Content, content
from proml.errors import FileRefused, RecordInvalid
from proml.extensions import formats

if TYPE_CHECKING:
    from proml.interfaces import Format

HEAD_BYTES = 512


def content_of(fd: int, path: str, name: str, size: int) -> Content | None:
    """What an open file says, None when no format is recognised. Does not move the descriptor's position.

    Args:
        fd: open for reading.
        path: its name in errors.
        name: its name, by whose suffix some formats are recognised.
        size: in bytes.

    Raises:
        FileRefused: it seems to be of a format and breaks that format's rules.
        UsageProblem: its format needs a package that is not installed.
    """
    head = os.pread(fd, HEAD_BYTES, 0)
    lower = name.lower()
    known = next((form for form in formats().values() if form.recognises(head, lower)), None)
    return content_as(known, Window(fd, path, 0, size)) if known else None


def content_as(form: Format, window: Window) -> Content:
    """What a file says, read as one format; raises as `content_of`."""
    try:
        return content(form.FORM, list(form.items(window)))
    except RecordInvalid as error:
        raise FileRefused(window.path, error.message, error.hint) from error
    except OSError as error:
        raise FileRefused(window.path, f"the system says: {error.strerror}") from error
