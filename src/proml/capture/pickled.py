"""What a pickle says, without running it: its opcodes build a tree of inert nodes instead of objects.

A pickle is a program. Here its names stand for nothing, its calls are noted and not made, and names that
are not in a list of the caller's are refused. The digest of the tree does not depend on how the pickle
shares or memoises parts, on its protocol or its frames.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from proml.capture.window import Window

MAX_BYTES = 64 << 20
MAX_NODES = 5_000_000
_MARK = object()


@dataclass(slots=True, eq=False)
class Node:
    """A part of what a pickle says: a tag, some bytes, and other nodes."""

    tag: str
    atom: bytes = b""
    children: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str | None:
        """The text it is, None for anything else."""
        return self.atom.decode("utf-8", "surrogatepass") if self.tag == "text" else None


# What a persistent id stands for; given the node of the id.
Resolve = Callable[[Node], Node]
# Whether a name (module, attribute) may stand in the pickle.
MayName = Callable[[str, str], bool]

_CONSTANTS = {"NONE": "none", "NEWTRUE": "true", "NEWFALSE": "false"}
_EMPTY = {"EMPTY_LIST": "list", "EMPTY_DICT": "dict", "EMPTY_SET": "set", "EMPTY_TUPLE": "tuple"}
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"}
_BYTES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_INTEGERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
_NUMBERED = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUT = {"PUT", "BINPUT", "LONG_BINPUT"}
_GET = {"GET", "BINGET", "LONG_BINGET"}


class Machine:
    """Reads one pickle. FileRefused names an opcode, name or size that is not read here."""

    def __init__(self, window: Window, resolve: Resolve, may_name: MayName) -> None:
        self._window = window
        self._resolve = resolve
        self._may_name = may_name
        self._stack: list[Any] = []
        self._memo: dict[int, Node] = {}
        self._nodes = 0

    def read(self, content: bytes) -> Node:
        """The tree of a whole pickle."""
        try:
            for opcode, argument, position in pickletools.genops(content):
                if opcode.name == "STOP":
                    if (position or 0) + 1 != len(content):
                        raise self._window.refused("its pickle goes on after its end")
                    return self._only()
                self._take(opcode.name, argument)
        except (
            ValueError,
            IndexError,
            KeyError,
            UnicodeError,
            AttributeError,
            TypeError,
            struct.error,
        ) as error:
            raise self._window.refused(f"its pickle is damaged: {error}") from error
        raise self._window.refused("its pickle has no end")

    def _only(self) -> Node:
        if len(self._stack) != 1 or self._stack[0] is _MARK:
            raise self._window.refused("its pickle leaves more than one thing")
        return self._pop()

    def _take(self, name: str, argument: Any) -> None:
        if name in ("PROTO", "FRAME"):
            return
        if name == "MARK":
            self._stack.append(_MARK)
        elif name in _PUT or name == "MEMOIZE":
            top = self._stack[-1]
            if top is _MARK:
                raise ValueError("a mark cannot be kept")
            self._memo[len(self._memo) if name == "MEMOIZE" else int(argument)] = top
        elif name in _GET:
            self._stack.append(self._memo[int(argument)])
        elif name in ("POP", "POP_MARK"):
            self._pop() if name == "POP" else self._since_mark()
        elif not self._is_value(name, argument) and not self._is_change(name):
            self._compose(name, argument)

    def _is_value(self, name: str, argument: Any) -> bool:
        """A value that stands for itself."""
        if name in _CONSTANTS:
            self._push(_CONSTANTS[name])
        elif name in _EMPTY:
            self._push(_EMPTY[name])
        elif name in _TEXTS:
            self._push("text", argument.encode("utf-8", "surrogatepass"))
        elif name in _BYTES:
            self._push("bytes", bytes(argument))
        elif name in _INTEGERS:
            # The oldest protocol writes truth as an integer; text of an integer has no limit of its own.
            self._push(str(argument).lower() if isinstance(argument, bool) else "int", _decimal(argument))
        elif name in ("BINFLOAT", "FLOAT"):
            self._push("float", struct.pack(">d", argument))
        else:
            return False
        return True

    def _is_change(self, name: str) -> bool:
        """Something put into what is already there."""
        if name == "APPEND":
            self._add(self._stack[-2], [self._pop()], "append")
        elif name in ("APPENDS", "ADDITEMS"):
            values = self._since_mark()
            self._add(self._stack[-1], values, "append")
        elif name == "SETITEM":
            value, key = self._pop(), self._pop()
            self._add(self._stack[-1], [key, value], "set")
        elif name == "SETITEMS":
            values = self._since_mark()
            if len(values) % 2:
                raise ValueError("a key without a value")
            self._add(self._stack[-1], values, "set")
        elif name == "BUILD":
            state = self._pop()
            self._stack[-1].children.append(self._node("state", b"", [state]))
        else:
            return False
        return True

    def _compose(self, name: str, argument: Any) -> None:
        """Something made of what is there."""
        if name in _NUMBERED:
            self._push("tuple", b"", [self._pop() for _ in range(_NUMBERED[name])][::-1])
        elif name in ("TUPLE", "LIST", "DICT", "FROZENSET"):
            self._push(name.lower(), b"", self._since_mark())
        elif name == "GLOBAL":
            self._name(*argument.split(" ", 1))
        elif name == "STACK_GLOBAL":
            attribute, module = self._pop(), self._pop()
            if module.text is None or attribute.text is None:
                raise ValueError("a name that is no text")
            self._name(module.text, attribute.text)
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, called = self._pop(), self._pop()
            self._push("call" if name == "REDUCE" else "new", b"", [called, arguments])
        elif name == "NEWOBJ_EX":
            keywords, arguments, called = self._pop(), self._pop(), self._pop()
            self._push("new", b"", [called, arguments, keywords])
        elif name == "BINPERSID":
            self._stack.append(self._resolve(self._pop()))
        else:
            raise self._window.refused(f"its pickle has the opcode {name}, which is not read here")

    def _name(self, module: str, attribute: str) -> None:
        if not self._may_name(module, attribute):
            raise self._window.refused(f"loading it would run or need {module}.{attribute}")
        self._push("name", f"{module}\n{attribute}".encode())

    def _add(self, node: Node, values: list[Node], how: str) -> None:
        if (node.tag, how) in (("list", "append"), ("set", "append"), ("dict", "set")):
            node.children.extend(values)
        elif node.tag in ("call", "new"):
            node.children.append(self._node(how, b"", values))
        else:
            raise ValueError(f"{how} on a {node.tag}")

    def _node(self, tag: str, atom: bytes, children: list[Node]) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._window.refused(f"its pickle says more than {MAX_NODES} things")
        return Node(tag, atom, children)

    def _push(self, tag: str, atom: bytes = b"", children: list[Node] | None = None) -> None:
        self._stack.append(self._node(tag, atom, children if children is not None else []))

    def _pop(self) -> Node:
        node = self._stack.pop()
        if not isinstance(node, Node):
            raise TypeError("a mark where a value belongs")
        return node

    def _since_mark(self) -> list[Node]:
        values: list[Node] = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]


def tree_digest(window: Window, root: Node) -> bytes:
    """The digest of a tree, 32 bytes; every node is hashed once however often it is shared.

    digest(node) = BLAKE3(tag as ASCII, zero byte, length of its bytes as 8 bytes little-endian, its bytes,
    the digests of its children), the children's digests in ascending order for sets.

    Raises:
        FileRefused: when it holds itself.
    """
    done: dict[int, bytes] = {}
    open_: set[int] = set()
    todo = [(root, False)]
    while todo:
        node, entered = todo.pop()
        if id(node) in done:
            continue
        if entered:
            below = [done[id(child)] for child in node.children]
            if node.tag in ("set", "frozenset"):
                below.sort()
            head = node.tag.encode("ascii") + b"\0" + len(node.atom).to_bytes(8, "little")
            done[id(node)] = blake3(head + node.atom + b"".join(below)).digest()
            open_.discard(id(node))
            continue
        open_.add(id(node))
        todo.append((node, True))
        for child in node.children:
            if id(child) in open_:
                raise window.refused("its pickle holds something that holds itself")
            todo.append((child, False))
    return done[id(root)]


def _decimal(value: int) -> bytes:
    if isinstance(value, bool):
        return b""
    if value.bit_length() > 8_192:
        raise ValueError("an integer of more than 8,192 bits")
    return str(value).encode()
