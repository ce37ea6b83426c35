"""Values of scripts as JSON values: NumPy scalars, tensors, NaN, paths and whatever else people pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from proml.core.document import EXACT_INTEGER

MAX_DEPTH = 8
MAX_TEXT = 10_000


def is_plain_number(value: Any) -> bool:
    """Whether a value is a finite float or exact int as it stands; the common case, so it is quick."""
    kind = value.__class__
    if kind is float:
        return bool(value - value == 0.0)
    return kind is int and -EXACT_INTEGER <= value <= EXACT_INTEGER


def plain(value: Any, depth: int = 0) -> Any:
    """The JSON form of a value.

    Integers beyond 2**53 - 1, NaN and infinities become strings; what has `.item()` (a NumPy scalar, a
    one-element tensor) becomes its number; mappings and sequences are taken item by item; anything
    else, or deeper than 8 levels, becomes its text, cut at 10,000 characters.
    """
    if value is None or isinstance(value, bool | str):
        return value[:MAX_TEXT] if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value) if abs(value) <= EXACT_INTEGER else str(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _not_finite(value)
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {str(name): plain(item, depth + 1) for name, item in value.items()}
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in value]
    return _foreign(value, depth)


def _foreign(value: Any, depth: int) -> Any:
    item = getattr(value, "item", None)
    if depth < MAX_DEPTH and callable(item):
        try:
            return plain(item(), MAX_DEPTH)
        except (TypeError, ValueError, RuntimeError):
            pass  # an array of several elements: its text has to do
    return str(value)[:MAX_TEXT]


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
