"""safetensors: tensors by name. Part of the content are names, types, shapes and bytes; metadata is not.

Layout: 8 bytes length, that many of JSON, then the bytes of the tensors without gaps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from proml.capture.window import Window
from proml.core.digest import hexed
from proml.core.document import parse
from proml.errors import RecordInvalid

FORM = "safetensors"
HEADER_BYTES = 64 << 20
"""The format allows 100 million; the header of the largest models has some 10."""
# Bits per element.
WIDTHS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8,
    "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


def recognises(head: bytes, name: str) -> bool:
    """By the suffix, and the brace after the length."""
    return name.endswith(".safetensors") or (head[8:9] == b"{" and b'"data_offsets"' in head)


def items(window: Window) -> Iterator[Mapping[str, Any]]:
    """One per tensor, by name; FileRefused for a header that lies."""
    length = int.from_bytes(window.take(0, 8), "little")
    if length > HEADER_BYTES:
        raise window.refused(f"its header would have {length} bytes, more than {HEADER_BYTES}")
    try:
        header = parse(window.take(8, length), "its header", HEADER_BYTES)
    except RecordInvalid as error:
        raise window.refused(error.message) from error
    header.pop("__metadata__", None)
    body = window.part(8 + length, window.size - 8 - length)
    tensors = sorted(((_checked(window, name, entry), name) for name, entry in header.items()))
    end = 0
    for (start, stop), name in tensors:
        if start != end:
            raise window.refused(f"its tensor {name!r} overlaps another, or leaves a gap")
        end = stop
    if end != body.size:
        raise window.refused(f"{body.size - end} bytes of it belong to no tensor")
    for name in sorted(header, key=lambda name: name.encode()):
        entry = header[name]
        start, stop = entry["data_offsets"]
        yield {
            "name": name,
            "dtype": entry["dtype"],
            "shape": entry["shape"],
            "blake3": hexed(body.part(start, stop - start).blake3()),
        }


def _checked(window: Window, name: str, entry: Any) -> tuple[int, int]:
    """Where a tensor begins and ends."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise window.refused(f"its tensor {name!r} has not exactly dtype, shape and data_offsets")
    shape, offsets, dtype = entry["shape"], entry["data_offsets"], entry["dtype"]
    if not _are_whole(shape) or not _are_whole(offsets) or len(offsets) != 2 or str(dtype) not in WIDTHS:
        raise window.refused(f"its tensor {name!r} has a type, shape or place that is none")
    start, stop = offsets
    if start > stop or 8 * (stop - start) != prod(shape) * WIDTHS[dtype]:
        raise window.refused(f"its tensor {name!r} has another size than its shape")
    return start, stop


def _are_whole(values: Any) -> bool:
    return isinstance(values, list) and len(values) <= 64 and all(type(v) is int and v >= 0 for v in values)
