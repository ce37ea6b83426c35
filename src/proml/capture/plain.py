"""Values of scripts as JSON values: NumPy scalars, tensors, NaN, paths and whatever else people pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from proml.core.document import EXACT_INTEGER

MAX_DEPTH = 8
MAX_TEXT = 10_000
# Beyond some 14,000 bits Python refuses to write an integer in base 10, which takes quadratic time.
DECIMAL_BITS = 10_000


def plain(value: Any, depth: int = 0) -> Any:
    """The JSON form of a value.

    Integers beyond 2**53 - 1, NaN and infinities become strings; what has `.item()` (a NumPy scalar, a
    one-element tensor) becomes its number; mappings and sequences are taken item by item; anything
    else, or deeper than 8 levels, becomes its text, cut at 10,000 characters. Raises nothing: what cannot
    even be shown becomes the name of its type.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return int(value) if abs(value) <= EXACT_INTEGER else _large(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _not_finite(value)
    try:
        return _composed(value, depth)
    except Exception:  # noqa: BLE001 -- any class of a script, with any methods
        return text(value)


def text(value: Any) -> str:
    """The text of anything, cut at 10,000 characters; what UTF-8 cannot carry becomes a question mark."""
    try:
        shown = str(value)[:MAX_TEXT]
    except Exception:  # noqa: BLE001 -- any class of a script, with any __str__
        return f"<{type(value).__name__}>"
    return shown if shown.isascii() else shown.encode("utf-8", "replace").decode()


def _composed(value: Any, depth: int) -> Any:
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {text(name): plain(item, depth + 1) for name, item in value.items()}
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in value]
    item = getattr(value, "item", None)
    # An array of several elements raises here: its text has to do.
    return plain(item(), MAX_DEPTH) if depth < MAX_DEPTH and callable(item) else text(value)


def _large(value: int) -> str:
    return str(value) if value.bit_length() <= DECIMAL_BITS else hex(value)[:MAX_TEXT]


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
