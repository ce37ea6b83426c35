"""NumPy `.npy` and `.npz`: arrays by name. Objects, which are pickles, are refused.

Part of the content are names, types with their byte order, memory order, shapes and bytes; not the version of
the header, its padding, the order of the members or their compression.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from blake3 import blake3

from proml.capture.archive import MAGIC as ZIP
from proml.capture.archive import Member, members
from proml.capture.window import Window
from proml.core.digest import hexed
from proml.errors import FileRefused

FORM = "numpy"
MAGIC = b"\x93NUMPY"
HEADER_BYTES = 64 << 10
_PLAIN = re.compile(r"[<>|]([biufcmMSUV])([0-9]{1,9})(\[[0-9A-Za-z]{1,16}\])?")
_SUFFIX = ".npy"


def recognises(head: bytes, name: str) -> bool:
    """An array by its magic, several by the suffix of their archive."""
    return head.startswith(MAGIC) or (name.endswith(".npz") and head.startswith(ZIP))


def items(window: Window) -> Iterator[Mapping[str, Any]]:
    """One per array, by name; the array of an `.npy` file has none."""
    if window.take(0, len(MAGIC)) == MAGIC:
        yield _array(window, window.size, window.pieces())
        return
    found = members(window)
    for name in sorted(found, key=lambda name: name.encode()):
        if not name.endswith(_SUFFIX):
            raise window.refused(f"its member {name!r} is no array")
        yield {"name": name.removesuffix(_SUFFIX), **_member(window, found[name])}


def _member(window: Window, member: Member) -> Mapping[str, Any]:
    try:
        return _array(window, member.size, member.pieces())
    except FileRefused as error:
        raise window.refused(f"{error.reason}, in {member.name!r}") from error


def _array(window: Window, size: int, pieces: Iterator[bytes]) -> Mapping[str, Any]:
    first = next(pieces, b"")
    while len(first) < HEADER_BYTES + 12 and (piece := next(pieces, b"")):
        first += piece
    start, header = _header(window, first)
    descr, order, shape = header.get("descr"), header.get("fortran_order"), header.get("shape")
    fits = isinstance(shape, tuple) and len(shape) <= 64 and all(type(n) is int and n >= 0 for n in shape)
    if set(header) != {"descr", "fortran_order", "shape"} or type(order) is not bool or not fits:
        raise window.refused("the header of its array has not exactly descr, fortran_order and shape")
    assert isinstance(shape, tuple)
    width = _width(window, descr, 0)
    if start + width * prod(shape) != size:
        raise window.refused("its array has another size than its shape")
    hasher = blake3(first[start:])
    for piece in pieces:
        hasher.update(piece)
    return {
        "dtype": _listed(descr),
        "order": "F" if order else "C",
        "shape": list(shape),
        "blake3": hexed(hasher.digest()),
    }


def _header(window: Window, first: bytes) -> tuple[int, dict[Any, Any]]:
    """Where the array's bytes begin, and what is said before them."""
    version = first[6:8]
    wide = 2 if version == b"\1\0" else 4
    if not first.startswith(MAGIC) or version not in (b"\1\0", b"\2\0", b"\3\0"):
        raise window.refused("it is no array of a version that is known")
    length = int.from_bytes(first[8 : 8 + wide], "little")
    start = 8 + wide + length
    if length > HEADER_BYTES or start > len(first):
        raise window.refused(f"the header of its array is cut short, or longer than {HEADER_BYTES} bytes")
    raw = first[8 + wide : start]
    try:
        # A literal: names, calls and operators do not pass, and so many brackets fit any stack.
        text = raw.decode("latin-1" if wide == 2 else "utf-8")
        few = sum(text.count(bracket) for bracket in "([{") <= 1_000
        header = ast.literal_eval(text.strip()) if few else None
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise window.refused("the header of its array cannot be read") from error
    if not isinstance(header, dict):
        raise window.refused("the header of its array is none")
    return start, header


def _width(window: Window, descr: Any, depth: int) -> int:
    """Bytes of one element."""
    if isinstance(descr, str):
        found = _PLAIN.fullmatch(descr)
        if found is None:
            kind = (
                "Python objects, which are a pickle" if "O" in descr else f"elements of type {descr[:40]!r}"
            )
            raise window.refused(f"its array holds {kind}")
        return int(found[2]) * (4 if found[1] == "U" else 1)
    if not isinstance(descr, list) or not descr or depth > 8:
        raise window.refused("its array holds elements of no type that is known")
    width = 0
    for field in descr:
        if not isinstance(field, tuple) or len(field) not in (2, 3):
            raise window.refused("its array holds elements of no type that is known")
        repeated = field[2] if len(field) == 3 else ()
        sizes = repeated if isinstance(repeated, tuple) else (repeated,)
        if not all(type(size) is int and size >= 0 for size in sizes):
            raise window.refused("its array holds elements of no type that is known")
        width += _width(window, field[1], depth + 1) * prod(sizes)
    return width


def _listed(descr: Any) -> Any:
    """A type as JSON: tuples become arrays."""
    return [_listed(part) for part in descr] if isinstance(descr, list | tuple) else descr
