"""PyTorch's ZIP files (`torch.save` since 1.6): tensors in whatever dicts and lists. Never unpickled.

Part of the content are the structure, names, shapes, strides and types, and the bytes of every storage;
not the device it was on, how the pickle shares its parts, the prefix of the member names, alignment,
order, or the serialisation's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from proml.capture.archive import MAGIC as ZIP
from proml.capture.archive import Member, members
from proml.capture.pickled import MAX_BYTES, Machine, Node, tree_digest
from proml.capture.window import Window
from proml.core.digest import hexed

FORM = "torch"
PICKLE = "data.pkl"
BYTE_ORDERS = {b"little": "little", b"big": "big"}
# Names that only describe tensors, parameters and plain containers.
_NAMES = re.compile(
    r"torch\.(?:[A-Z][A-Za-z0-9]*Storage|Size|device|b?float\d+\w*|u?int\d+|bool|complex\d+|q\w+|strided)"
    r"|torch\.storage\.(?:Untyped|Typed)Storage"
    r"|torch\._utils\._rebuild_(?:tensor|tensor_v2|tensor_v3|parameter|parameter_with_state)"
    r"|torch\.nn\.parameter\.Parameter"
    r"|collections\.(?:OrderedDict|defaultdict)"
    r"|(?:builtins|__builtin__)\.(?:set|frozenset|complex|bytearray|int|float|list|dict)"
    r"|_codecs\.encode"
)


def recognises(head: bytes, name: str) -> bool:  # noqa: ARG001 -- see Format
    """By its first member, the pickle below the name of the file."""
    return head.startswith(ZIP) and b"/data.pkl" in head[30:512]


def items(window: Window) -> Iterator[Mapping[str, Any]]:
    """One: byte order, and the digest of what the pickle says with the bytes of its storages."""
    found = members(window)
    prefixes = {name.partition("/")[0] for name in found}
    if len(prefixes) != 1:
        raise window.refused("its members do not stand in one folder")
    prefix = prefixes.pop() + "/"
    if prefix + PICKLE not in found or prefix + "constants.pkl" in found:
        raise window.refused("it is a program (TorchScript), or no file of tensors")
    reading = _Storages(window, {name.removeprefix(prefix): member for name, member in found.items()})
    machine = Machine(window, reading.storage, _may_name)
    root = machine.read(found[prefix + PICKLE].content(MAX_BYTES))
    yield {"order": reading.byte_order(), "blake3": hexed(tree_digest(window, root))}


def _may_name(module: str, attribute: str) -> bool:
    return _NAMES.fullmatch(f"{module}.{attribute}") is not None


class _Storages:
    """The storages of an archive; each is hashed once."""

    def __init__(self, window: Window, found: Mapping[str, Member]) -> None:
        self._window = window
        self._found = found
        self._hashed: dict[str, bytes] = {}

    def byte_order(self) -> str:
        """Of the numbers in the storages; files before PyTorch 2.1 do not say, and are little-endian."""
        member = self._found.get("byteorder")
        order = BYTE_ORDERS.get(member.content(16)) if member else "little"
        if order is None:
            raise self._window.refused("its byte order is none")
        return order

    def storage(self, named: Node) -> Node:
        """What stands in place of ('storage', type, key, device, number of elements)."""
        parts = named.children
        if named.tag != "tuple" or len(parts) != 5 or parts[0].text != "storage" or parts[1].tag != "name":
            raise self._window.refused("its pickle points at something that is no storage")
        key = parts[2].text or ""
        member = self._found.get(f"data/{key}")
        if member is None:
            raise self._window.refused(f"its storage {key!r} is missing")
        if key not in self._hashed:
            self._hashed[key] = member.blake3()
        return Node("storage", self._hashed[key], [parts[1], parts[4]])
