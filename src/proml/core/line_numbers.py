"""In which line of a JSON text each of its values begins, for people who have to correct it."""

from __future__ import annotations

import json
import re

_PIECE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
# Where something stands: ("transitions", 2, "roles", 0) is the first role of the third transition.
Place = tuple[str | int, ...]


def lines_of(text: str) -> dict[Place, int]:
    """Line numbers, from 1, by place: keys of objects and positions in arrays from the outside inwards.

    Args:
        text: JSON that a strict reader has taken; of anything else the answer means nothing.

    Of an object's member it is the line of its name, where a correction begins.
    """
    found: dict[Place, int] = {(): 1}
    here: list[str | int] = []
    named = False  # whether the next piece is the value of a member whose name was seen
    line, at = 1, 0
    for match in _PIECE.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        piece = match[0]
        if piece in ("}", "]"):
            here.pop()
        elif piece == ",":
            if isinstance(here[-1], int):
                here[-1] += 1
            named = False
        elif piece == ":":
            named = True
        elif here and isinstance(here[-1], str) and not named:
            here[-1] = json.loads(piece)
            found[tuple(here)] = line
        else:
            found.setdefault(tuple(here), line)
            if piece in ("{", "["):
                here.append("" if piece == "{" else 0)
                named = False
    return found
