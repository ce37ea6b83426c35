"""JSON documents: strict reading and the one canonical form (RFC 8785) that digests are taken of.

A number is a value, not a spelling: `1`, `1.0` and `1e0` are read as the same number and have the same
canonical form, so that every reader, whatever its language, sees the same document. Reading what
`canonical` wrote and writing it again gives the same bytes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import rfc8785

from proml.errors import RecordInvalid

# RFC 8785 numbers are IEEE 754 doubles: integers beyond this bound are not exact (RFC 7493 section 2.2).
EXACT_INTEGER = 2**53 - 1
# How many arrays and objects a value may lie inside: of a whole document, and of what is embedded in
# others (records, observations), which must leave room for those.
MAX_DEPTH = 32
CONTENT_DEPTH = 24
MAX_BYTES = 4 * 1024 * 1024
# Writes canonical JSON many times faster than rfc8785, of values that `_check_json` finds ordinary.
_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
# A string as a whole, so that brackets inside it do not count, or one bracket.
_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def canonical(value: Any, depth: int = MAX_DEPTH) -> bytes:
    """Canonical JSON (RFC 8785) of a value made of dict, list, str, bool, None, int and float.

    Args:
        value: what to write.
        depth: how many arrays and objects any part of it may lie inside.

    Raises:
        RecordInvalid: for NaN and infinities, integers beyond +-(2**53 - 1) (carry them as
            strings), lone surrogates, keys that are not strings, or more levels than `depth`.
    """
    return _write(value, _check_json(value, depth))


def _write(value: Any, ordinary: bool) -> bytes:
    """The canonical form of a value for which `_check_json` said this."""
    if ordinary:
        return _WRITER.encode(value).encode()
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise RecordInvalid(f"a value has no canonical JSON form: {error}") from error


def parse(content: bytes, what: str, limit: int = MAX_BYTES) -> dict[str, Any]:
    """Read a JSON object strictly: UTF-8, no duplicate keys, no NaN, bounded size and depth.

    A number comes back as an int where it is whole and within +-(2**53 - 1), else as a float.

    Args:
        content: the bytes as received.
        what: what they claim to be, for the error.
        limit: most bytes accepted.

    Raises:
        RecordInvalid: saying which of these it breaks. What is returned has a canonical form.
    """
    return _read(content, what, limit, MAX_DEPTH)[0]


def parse_canonical(
    content: bytes, what: str, limit: int = MAX_BYTES, depth: int = MAX_DEPTH
) -> dict[str, Any]:
    """The same for documents of which there is one spelling only: the canonical form, byte for byte."""
    value, ordinary = _read(content, what, limit, depth)
    if _write(value, ordinary) != content:
        raise RecordInvalid(f"{what} is not in canonical form")
    return value


def _read(content: bytes, what: str, limit: int, depth: int) -> tuple[dict[str, Any], bool]:
    """The object, and what `_check_json` says of it."""
    if len(content) > limit:
        raise RecordInvalid(f"{what} has {len(content)} bytes, more than the {limit} allowed")
    try:
        # Decoded here: json.loads would guess UTF-16 and UTF-32, and let encoded surrogates through.
        text = content.decode("utf-8")
        _check_nesting(text)
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_fraction,
        )
    except RecursionError as error:
        raise RecordInvalid(f"{what} is nested too deeply") from error
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are both
        raise RecordInvalid(f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RecordInvalid(f"{what} is not a JSON object")
    return value, _check_json(value, depth)


def is_of_type(document: Mapping[str, Any], name: str, version: int = 1) -> bool:
    """Whether a document says that it is of this type and version (`true` is no version)."""
    stated = document.get("version")
    return document.get("type") == name and type(stated) is int and stated == version


def _check_nesting(text: str) -> None:
    # json.loads recurses in C: where a program has raised Python's recursion limit, enough opening
    # brackets end the process. A thousand levels fit any stack.
    if text.count("[") + text.count("{") <= 1_000:
        return
    depth = 0
    for match in _BRACKET.finditer(text):
        bracket = match[0]
        if bracket in ("[", "{"):
            depth += 1
        elif bracket in ("]", "}"):
            depth -= 1
        if depth > MAX_DEPTH + 1:
            raise RecordInvalid("JSON nested too deeply")


def _check_json(value: Any, depth: int) -> bool:
    """Raise unless `value` has a canonical form; return whether `_WRITER` writes it too."""
    if depth < 0:
        raise RecordInvalid("JSON nested too deeply")
    if type(value) is str and value.isascii():
        return True  # most of what there is, without another call
    ordinary = True
    if isinstance(value, list | tuple):
        for item in value:
            ordinary = _check_json(item, depth - 1) and ordinary
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise RecordInvalid(f"JSON object key {key!r} is not a string")
            if not key.isascii():
                # The order may differ: code points there, UTF-16 units in RFC 8785.
                _check_text(key)
                ordinary = False
            ordinary = _check_json(item, depth - 1) and ordinary
    else:
        return _check_scalar(value)
    return ordinary


def _check_scalar(value: Any) -> bool:
    if isinstance(value, str):
        _check_text(value)
        return type(value) is str
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int):
        if abs(value) > EXACT_INTEGER:
            raise RecordInvalid("an integer is beyond +-(2**53 - 1)", "carry it as a string")
        return type(value) is int
    if isinstance(value, float):
        if not math.isfinite(value):
            raise RecordInvalid("NaN and infinities have no JSON form", 'carry them as "NaN" or "Infinity"')
        # Python's shortest digits are ECMAScript's; only outside this range it turns to exponents earlier.
        return 1e-4 <= abs(value) < 1e16 and not value.is_integer()
    raise RecordInvalid(f"a {type(value).__name__} has no JSON form")


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RecordInvalid("a string holds half of a surrogate pair, which is no character") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has two members of one name")
    return value


def _constant(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")


def _integer(text: str) -> int | float:
    # Up to 17 characters, a sign and the 16 digits of the bound included, int() is exact and cheap.
    if len(text) <= 17 and abs(int(text)) <= EXACT_INTEGER:
        return int(text)
    # RFC 8785 writes doubles below 1e21 without an exponent: 1e20 comes back as 100000000000000000000.
    value = float(text)
    if not math.isfinite(value) or rfc8785.dumps(value) != text.encode("ascii"):
        raise ValueError(f"the integer {text[:40]} is beyond 2**53 - 1")
    return value


def _fraction(text: str) -> int | float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return int(value) if value.is_integer() and abs(value) <= EXACT_INTEGER else value
