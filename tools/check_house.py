"""Checks the rules of the house that neither ruff, mypy nor import-linter can see.

    python tools/check_house.py

1. No module is longer than 400 lines.
2. No file or class carries one of the banned names (see the list below): they say nothing, so they
   collect everything. And the word is "artefact", spelt so. Files of others, kept below a folder
   `vendor`, keep their names.
3. A `.vy` file holds printable ASCII and line feeds only. Vyper 0.4.3 ends a comment at a form feed, a
   vertical tab, NEL or U+2028 and compiles what follows: a contract then does what no reader sees.
4. `proml.core` imports nothing that reads a clock, a disk, a socket or chance, and of the outside only
   the libraries for canonical JSON and keccak.

Prints one line per violation and exits with 1 when there is any.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 400
TREES = ("src", "tests", "tools", "bench", "examples")
# Without their plural s.
BANNED = frozenset({
    "manager", "service", "handler", "helper", "util", "common", "misc", "base", "data", "info",
})  # fmt: skip
AMERICAN = "arti" + "fact"

CORE = ROOT / "src" / "proml" / "core"
CORE_MAY_USE = frozenset({"proml", "rfc8785", "sha3"})
CORE_MAY_NOT_USE = frozenset({
    "asyncio", "concurrent", "fcntl", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib",
    "platform", "random", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess",
    "sys", "tempfile", "threading", "time", "urllib", "uuid",
})  # fmt: skip
CLOCKS = frozenset({"now", "utcnow", "today"})
Check = Callable[[Path], Iterator[str]]
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def main() -> int:
    """Check every source file; return the exit code."""
    violations = [
        f"{path.relative_to(ROOT)}: {violation}" for path, check in _work() for violation in check(path)
    ]
    for line in violations:
        print(line)
    return 1 if violations else 0


def _work() -> Iterator[tuple[Path, Check]]:
    for tree in TREES:
        for path in sorted((ROOT / tree).rglob("*")):
            if not path.is_file() or {"__pycache__", "vendor"} & set(path.parts):
                continue
            yield path, banned_file_name
            if path.suffix == ".py":
                yield path, too_long
                yield path, banned_class_names
            if path.suffix in {".vy", ".vyi"}:
                yield path, hidden_bytes
    for path in sorted(CORE.rglob("*.py")):
        yield path, outside_of_core


def too_long(path: Path) -> Iterator[str]:
    """Rule 1."""
    lines = len(path.read_bytes().splitlines())
    if lines > LONGEST:
        yield f"{lines} lines, {LONGEST} at most: split it along its nouns"


def banned_file_name(path: Path) -> Iterator[str]:
    """Rule 2, for the file and its folders below the root."""
    for part in path.relative_to(ROOT).parts:
        yield from _banned_in(part.split(".")[0], "name")


def banned_class_names(path: Path) -> Iterator[str]:
    """Rule 2, for classes."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.ClassDef):
            yield from _banned_in(node.name, f"class {node.name} in line {node.lineno}")


def hidden_bytes(path: Path) -> Iterator[str]:
    """Rule 3."""
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        for column, byte in enumerate(line, 1):
            if not 0x20 <= byte <= 0x7E:
                yield f"byte 0x{byte:02x}, line {number}, column {column}: printable ASCII and LF only"


def outside_of_core(path: Path) -> Iterator[str]:
    """Rule 4."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        for line, name in _imported(node):
            root = name.split(".")[0]
            known = root in sys.stdlib_module_names or root in CORE_MAY_USE
            if root in CORE_MAY_NOT_USE or not known:
                yield f"line {line}: the rules may not import {root}"
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            yield f"line {node.lineno}: the rules may not read the clock (.{node.attr})"


def _imported(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of each module that this statement imports."""
    if isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.lineno, node.module or ""


def _banned_in(name: str, what: str) -> Iterator[str]:
    for word in WORDS.findall(name):
        if word.lower().removesuffix("s") in BANNED:
            yield f"{what}: the word {word!r} says nothing; find the noun that is missing"
    if AMERICAN in name.lower():
        yield f"{what}: spell it artefact"


if __name__ == "__main__":
    raise SystemExit(main())
