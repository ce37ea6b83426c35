"""What each field of a record may hold (docs/format.md, "Record").

Known members are checked, members that are not known are left alone: a later version may add some,
and this one must still read the rest. The names at the top of a record are closed (`record.FIELDS`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from proml.core.document import EXACT_INTEGER
from proml.errors import RecordInvalid

# What is wrong with a value, as the end of a sentence that begins with its name; None when it fits.
Check = Callable[[Any], str | None]

MAX_SEQUENCE = 2**40 - 1
MAX_ORGANISATION = 2**16 - 1
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def check_field(name: str, value: Any) -> None:
    """Raise RecordInvalid unless `value` has the shape that the field `name`, one of `FIELDS`, has.

    Does not check that it is true, nor that the ledger says the same.
    """
    problem = _FIELDS[name](value)
    if problem:
        raise RecordInvalid(f"the field {name!r} {problem}")


def _object(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return "is not an object"
        for name in required:
            if name not in value:
                return f"has no {name!r}"
        for name, member in {**required, **optional}.items():
            problem = member(value[name]) if name in value else None
            if problem:
                return f"holds a {name!r} that {problem}"
        return None

    return check


def _array(of: Check) -> Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, list | tuple):
            return "is not an array"
        for index, item in enumerate(value):
            problem = of(item)
            if problem:
                return f"holds an item, number {index}, that {problem}"
        return None

    return check


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> str | None:
        fits = type(value) is int and least <= value <= most
        return None if fits else f"is not a whole number from {least} to {most}"

    return check


def _matching(pattern: re.Pattern[str], words: str) -> Check:
    def check(value: Any) -> str | None:
        return None if isinstance(value, str) and pattern.fullmatch(value) else f"is not {words}"

    return check


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "is not a text of at least one character"


def _truth(value: Any) -> str | None:
    return None if isinstance(value, bool) else "is not true or false"


def _command(value: Any) -> str | None:
    texts = value if isinstance(value, list | tuple) else [value]
    return None if all(isinstance(text, str) for text in texts) else "is not a text or an array of texts"


def _input(value: Any) -> str | None:
    registered = isinstance(value, Mapping) and "artefact" in value
    return _REGISTERED_INPUT(value) if registered else _UNREGISTERED_INPUT(value)


_free = _object({}, {})
_digest = _matching(re.compile("0x[0-9a-f]{64}"), "0x and 64 lower-case hexadecimal digits")
_key = _matching(re.compile("0x[0-9a-f]{40}"), "0x and 40 lower-case hexadecimal digits")
_time = _matching(_TIME, "a time such as 2026-01-05T09:30:00.25Z")
_size = _whole(0, EXACT_INTEGER)
_sequence = _whole(1, MAX_SEQUENCE)

# What is known of the bytes of a file or folder besides its SHA-256.
_BYTES: Mapping[str, Check] = {
    "name": _text,
    "size": _size,
    "blake3": _digest,
    "files": _size,
    "form": _text,
    "content": _digest,
}
_REGISTERED_INPUT = _object(
    {"artefact": _digest, "sequence": _sequence}, {"digest": _digest, "name": _text, "part": _text}
)
_UNREGISTERED_INPUT = _object({"sha256": _digest}, {**_BYTES, "part": _text})

_FIELDS: Mapping[str, Check] = {
    "type": _matching(re.compile("proml/record"), "'proml/record'"),
    "version": _whole(1, 1),
    "artefact": _digest,
    "kind": _text,
    "name": _text,
    "action": _text,
    "sequence": _sequence,
    "actor": _object({"organisation": _whole(1, MAX_ORGANISATION), "key": _key}, {}),
    "subject": _object({"sha256": _digest}, _BYTES),
    "inputs": _array(_input),
    "activity": _object(
        {},
        {
            "start": _time,
            "end": _time,
            "deadline": _time,
            "command": _command,
            "code": _object(
                {},
                {
                    "commit": _matching(_COMMIT, "40 or 64 lower-case hexadecimal digits"),
                    "dirty": _truth,
                    "diff": _digest,
                },
            ),
            "environment": _free,
            "outcome": _text,
        },
    ),
    "parameters": _free,
    "metrics": _free,
    "claims": _free,
    "observations": _array(
        _object({"root": _digest, "count": _whole(1, EXACT_INTEGER), "batch": _digest}, {})
    ),
    "amends": _digest,
}
