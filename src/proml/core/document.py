"""JSON documents: strict reading and the one canonical form (RFC 8785) that digests are taken of."""

from __future__ import annotations

import json
import math
from typing import Any

import rfc8785

from proml.errors import RecordInvalid

# RFC 8785 numbers are IEEE 754 doubles: integers beyond this bound are not exact (RFC 7493 section 2.2).
EXACT_INTEGER = 2**53 - 1
MAX_DEPTH = 32
MAX_BYTES = 4 * 1024 * 1024


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785) of a value made of dict, list, str, bool, None, int and float.

    Raises:
        RecordInvalid: for NaN and infinities, integers beyond +-(2**53 - 1) (carry them as
            strings), lone surrogates, keys that are not strings, or more than 32 levels.
    """
    _check_json(value, 0)
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise RecordInvalid(f"a value has no canonical JSON form: {error}") from error


def _check_json(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise RecordInvalid(f"JSON nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list | tuple):
        for item in value:
            _check_json(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise RecordInvalid(f"JSON object key {key!r} is not a string")
            _check_json(item, depth + 1)
    else:
        _check_scalar(value)


def _check_scalar(value: Any) -> None:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, int):
        if abs(value) > EXACT_INTEGER:
            raise RecordInvalid(f"integer {value} is beyond 2**53 - 1", "carry it as a string")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise RecordInvalid("NaN and infinities have no JSON form", 'carry them as "NaN" or "Infinity"')
    else:
        raise RecordInvalid(f"a {type(value).__name__} has no JSON form")


def parse(content: bytes, what: str, limit: int = MAX_BYTES) -> dict[str, Any]:
    """Read a JSON object strictly: UTF-8, no duplicate keys, no NaN, bounded size and depth.

    Args:
        content: the bytes as received.
        what: what they claim to be, for the error.
        limit: most bytes accepted.

    Raises:
        RecordInvalid: saying which of these it breaks.
    """
    if len(content) > limit:
        raise RecordInvalid(f"{what} has {len(content)} bytes, more than the {limit} allowed")
    try:
        value = json.loads(content, object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError as error:
        raise RecordInvalid(f"{what} is nested too deeply") from error
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are both
        raise RecordInvalid(f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RecordInvalid(f"{what} is not a JSON object")
    _check_json(value, 0)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has two members of one name")
    return value


def _constant(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")
