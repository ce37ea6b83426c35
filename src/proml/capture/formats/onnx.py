"""ONNX models: the graph with its tensors, read from the protobuf without its library.

Part of the content is every field but who produced it, texts for people and metadata. Tensors count by
type, shape and the bytes of their elements, in whichever of the fields for elements they stand; the order
of fields of different numbers, and whether numbers are packed, do not count. Models with tensors in other
files are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from proml.capture.window import Window
from proml.core.digest import hexed

FORM = "onnx"
MAX_DEPTH = 32
MAX_FIELDS = 10_000_000
_PAGE = 64 << 10
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class _Shape:
    """A kind of message: fields that are messages, that do not count, and that may be packed."""

    messages: Mapping[int, str] = field(default_factory=dict)
    dropped: frozenset[int] = frozenset()
    packed: Mapping[int, int] = field(default_factory=dict)


# onnx.proto, version 1.18; fields not named here count as they stand.
_SHAPES = {
    "model": _Shape({7: "graph", 25: "function"}, frozenset({2, 3, 6, 14})),
    "graph": _Shape({1: "node", 5: "tensor"}, frozenset({10, 16})),
    "function": _Shape({7: "node"}, frozenset({8, 14})),
    "node": _Shape({5: "attribute"}, frozenset({6, 9})),
    "attribute": _Shape(
        {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"}, frozenset({13}), {7: FIXED32, 8: VARINT}
    ),
    "tensor": _Shape({}, frozenset({12, 16}), {1: VARINT}),
}
# Of a tensor: the field of its type, and where its elements may stand besides raw bytes.
_TYPE, _RAW, _EXTERNAL, _LOCATION = 2, 9, 13, 14
_FIXED = {4: FIXED32, 10: FIXED64}
_VARINTS = {5, 7, 11}
# Bytes of an element that stands in a field for wider integers, by the type of the tensor.
_NARROW = {
    2: 1,
    3: 1,
    4: 2,
    5: 2,
    6: 4,
    7: 8,
    9: 1,
    10: 2,
    12: 4,
    13: 8,
    16: 2,
    17: 1,
    18: 1,
    19: 1,
    20: 1,
    21: 1,
    22: 1,
    23: 1,
}
_ELEMENTS = {_RAW, *_FIXED, *_VARINTS}


def recognises(head: bytes, name: str) -> bool:  # noqa: ARG001 -- see Format
    """By the suffix: protobuf has no magic."""
    return name.endswith(".onnx")


def items(window: Window) -> Iterator[Mapping[str, Any]]:
    """One: the digest of the model."""
    if not window.size:
        raise window.refused("it is empty, so it is no ONNX model")
    yield {"blake3": hexed(_Reading(window).message(window, "model", 0))}


class _Reading:
    """One reading of a model; counts what it reads."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._fields = 0

    def message(self, window: Window, kind: str, depth: int) -> bytes:
        """BLAKE3 over the fields in ascending order of their numbers, those of one number as they come."""
        if depth > MAX_DEPTH:
            raise self._window.refused(f"its graphs are nested more than {MAX_DEPTH} times")
        shape = _SHAPES[kind]
        entries: list[tuple[int, bytes]] = []
        elements: list[tuple[int, int, Window | int]] = []
        for number, wire, value in self._fields_of(window):
            if kind == "tensor" and number in _ELEMENTS:
                elements.append((number, wire, value))
            elif kind == "tensor" and (number == _EXTERNAL or (number == _LOCATION and value)):
                raise self._window.refused(
                    "it keeps tensors in other files: take the digest of the whole folder"
                )
            elif number not in shape.dropped:
                entries += self._entries(shape, number, wire, value, depth)
        if kind == "tensor":
            kinds = [int.from_bytes(said[1:], "little") for number, said in entries if number == _TYPE]
            entries += self._values(elements, kinds[-1] if kinds else 0)
        entries.sort(key=lambda entry: entry[0])
        return blake3(b"".join(number.to_bytes(4, "little") + said for number, said in entries)).digest()

    def _entries(
        self, shape: _Shape, number: int, wire: int, value: Window | int, depth: int
    ) -> list[tuple[int, bytes]]:
        """What is hashed of one field: a letter and 4, 8 or 32 bytes."""
        if isinstance(value, int):
            return [(number, _scalar(wire, value))]
        if number in shape.messages:
            return [(number, b"m" + self.message(value, shape.messages[number], depth + 1))]
        if number in shape.packed:
            packed = shape.packed[number]
            return [(number, _scalar(packed, each)) for each in self._unpacked(value, packed)]
        return [(number, b"b" + value.blake3())]

    def _values(self, elements: list[tuple[int, int, Window | int]], kind: int) -> list[tuple[int, bytes]]:
        """The elements of a tensor as little-endian bytes, wherever they stood."""
        if not elements:
            return []
        if len({number for number, _, _ in elements}) > 1:
            raise self._window.refused("one of its tensors has elements in two places")
        hasher = blake3()
        for number, wire, value in elements:
            if isinstance(value, int):
                hasher.update(self._element(number, wire, value, kind))
            elif number in _VARINTS:
                for each in self._unpacked(value, VARINT):
                    hasher.update(self._element(number, VARINT, each, kind))
            else:
                for piece in value.pieces():
                    hasher.update(piece)
        return [(_RAW, b"b" + hasher.digest())]

    def _element(self, number: int, wire: int, value: int, kind: int) -> bytes:
        if number in _FIXED:
            return value.to_bytes(4 if wire == FIXED32 else 8, "little")
        if kind not in _NARROW:
            raise self._window.refused(
                f"one of its tensors has elements of type {kind} in a field for integers"
            )
        width = _NARROW[kind]
        return (value & (1 << 8 * width) - 1).to_bytes(width, "little")

    def _unpacked(self, window: Window, wire: int) -> Iterator[int]:
        page = _Page(window)
        while page.at < window.size:
            yield page.varint() if wire == VARINT else page.fixed(4 if wire == FIXED32 else 8)

    def _fields_of(self, window: Window) -> Iterator[tuple[int, int, Window | int]]:
        page = _Page(window)
        while page.at < window.size:
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise self._window.refused(f"it has more than {MAX_FIELDS} fields")
            tag = page.varint()
            number, wire = tag >> 3, tag & 7
            if not 0 < number < 1 << 29:
                raise self._window.refused("it is no ONNX model: a field has no number")
            if wire == VARINT:
                yield number, wire, page.varint()
            elif wire in (FIXED32, FIXED64):
                yield number, wire, page.fixed(4 if wire == FIXED32 else 8)
            elif wire == BYTES:
                size = page.varint()
                part = window.part(page.at, size)
                page.at += size
                yield number, wire, part
            else:
                raise self._window.refused("it is no ONNX model: a field of a kind that is not read here")


class _Page:
    """Reads small things from a window, a page at a time."""

    def __init__(self, window: Window) -> None:
        self.at = 0
        self._window = window
        self._start = 0
        self._page = b""

    def fixed(self, size: int) -> int:
        """An integer of so many bytes."""
        return struct.unpack("<I" if size == 4 else "<Q", self._take(size))[0]  # type: ignore[no-any-return]

    def varint(self) -> int:
        """An integer of up to 64 bits, seven of them a byte."""
        value = shift = 0
        while True:
            byte = self._take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise self._window.refused("it has an integer of more than 64 bits")
        return value & (1 << 64) - 1

    def _take(self, size: int) -> bytes:
        begin = self.at - self._start
        if begin < 0 or begin + size > len(self._page):
            self._start = self.at
            self._page = self._window.take(self.at, min(_PAGE, self._window.size - self.at))
            begin = 0
        if begin + size > len(self._page):
            raise self._window.refused("it ends within a field")
        self.at += size
        return self._page[begin : begin + size]


def _scalar(wire: int, value: int) -> bytes:
    if wire == FIXED32:
        return b"4" + value.to_bytes(4, "little")
    return (b"8" if wire == FIXED64 else b"v") + value.to_bytes(8, "little")
