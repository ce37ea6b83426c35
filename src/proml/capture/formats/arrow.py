"""Tables in Parquet and Arrow files: columns by name, values by value. Needs pyarrow (extra `arrow`).

Part of the content are the columns in their order, with names, types and values, and the order of the
rows; not how they are cut into row groups or batches, encoded, compressed or described, nor whether text
has 32- or 64-bit offsets or is kept as a dictionary. So a table has one digest in both formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from proml.capture.window import Window
from proml.extensions import optional

FORM = "table"
MAGIC = (b"PAR1", b"ARROW1\0\0")


def recognises(head: bytes, name: str) -> bool:  # noqa: ARG001 -- see Format
    """By their magic."""
    return head.startswith(MAGIC)


def items(window: Window) -> Iterable[Mapping[str, Any]]:
    """One per column; loads pyarrow, so not before there is a table."""
    tables: Any = optional("proml.capture.tables", "arrow")
    columns: Iterable[Mapping[str, Any]] = tables.columns(window, window.take(0, 4) == MAGIC[0])
    return columns
