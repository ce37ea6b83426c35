"""CSV and TSV: rows of cells, as text. Part of the content is each cell as it is spelt.

Not part of it: quotes that need not be, the kind of line ends, a byte order mark, a missing last line end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from blake3 import blake3

from proml.capture.window import PIECE, Window
from proml.core.digest import hexed

FORM = "csv"
LINE = 1 << 20
"""Most characters in a line; a cell has at most an eighth of that, where the script sets no other limit."""
CELL = 1 << 17


def recognises(head: bytes, name: str) -> bool:
    """By the suffix: there is nothing else to tell them by."""
    return name.endswith((".csv", ".tsv")) and b"\0" not in head


def items(window: Window) -> Iterator[Mapping[str, Any]]:
    """One: the number of rows, and BLAKE3 over each row as a JSON array of texts and a line feed."""
    separator = "\t" if _separated_by_tabs(window) else ","
    hasher = blake3()
    rows = 0
    with io.TextIOWrapper(io.BufferedReader(window, PIECE), encoding="utf-8-sig", newline="") as text:
        try:
            for row in csv.reader(_lines(window, text), delimiter=separator, strict=True):
                if max(map(len, row), default=0) > CELL:
                    raise window.refused(f"row {rows + 1} has a cell of more than {CELL} characters")
                hasher.update(orjson.dumps(row) + b"\n")
                rows += 1
        except (csv.Error, UnicodeError) as error:
            raise window.refused(f"after row {rows} it is no CSV in UTF-8: {error}") from error
    yield {"rows": rows, "separator": separator, "blake3": hexed(hasher.digest())}


def _separated_by_tabs(window: Window) -> bool:
    """A first line with tabs and without commas."""
    first = window.take(0, min(window.size, LINE)).partition(b"\n")[0]
    return b"\t" in first and b"," not in first


def _lines(window: Window, text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LINE):
        if len(line) == LINE:
            raise window.refused(f"it has a line of more than {LINE} characters")
        if "\0" in line:
            raise window.refused("it holds zero bytes, so it is no CSV")
        yield line
