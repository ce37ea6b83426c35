"""Checks the contracts' sources for what Vyper 0.4.3 gets wrong and for what these contracts must never do.

    python tools/lint_contracts.py [file.vy ...]

The sources are read by the compiler's own parser. That they hold printable ASCII only and compile to what is
shipped, tools/check_house.py and `python -m proml.contracts.build --check` see to. Prints one line for each
violation and exits with 1 when there is any.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vyper import ast as vy
from vyper.ast import parse_to_ast

CONTRACTS = Path(__file__).resolve().parent.parent / "src" / "proml" / "contracts"
PRAGMAS = ("# pragma version 0.4.3", "# pragma evm-version cancun", "# pragma optimize gas")
# C12: no ether, no code but this, nobody else's code.
FORBIDDEN_CALLS = {
    **dict.fromkeys(("raw_call", "send", "selfdestruct", "raw_log", "raw_create"), "C12: it reaches outside"),
    **dict.fromkeys(
        ("create_minimal_proxy_to", "create_copy_of", "create_from_blueprint"),
        "C12: it makes other contracts (and CVE-2026-114118 deploys empty code)",
    ),
    **dict.fromkeys(("sqrt", "isqrt"), "rounding was undefined once (CVE-2025-26622)"),
    **dict.fromkeys(
        ("unsafe_add", "unsafe_sub", "unsafe_mul", "unsafe_div"), "arithmetic must not wrap round"
    ),
    **dict.fromkeys(("blockhash", "blobhash"), "validators choose it"),
}
FORBIDDEN_NAMES = {
    "tx.origin": "the sender may be any contract in between",
    "block.timestamp": "blocks count, clocks do not; only a deadline is compared with the sealer's time",
    "block.prevrandao": "validators choose it",
    "block.coinbase": "validators choose it",
    "self.balance": "C12: no ether is held",
    "msg.value": "C12: no ether is held",
}
DECORATORS = {"external", "internal", "view", "pure", "deploy"}
# A list that is looped over, or a bound, is never longer: C8.
LONGEST = 512
# Zero-length parts once lost side effects (fixed in 0.4.2), so parts have none.
PLAIN_PARTS = {"concat", "slice"}


def calls_of_the_outside(tree: Any) -> Iterator[tuple[int, str]]:
    """C12: no builtin that calls, creates, destroys or sends, and no call of an interface."""
    for node in tree.get_descendants(vy.Call):
        name = _name(node.func)
        if name in FORBIDDEN_CALLS:
            yield node.lineno, f"{name}: {FORBIDDEN_CALLS[name]}"
    for node in tree.get_descendants((vy.ExtCall, vy.StaticCall)):
        yield node.lineno, "C12: a call of another contract"


def names_of_the_outside(tree: Any) -> Iterator[tuple[int, str]]:
    """Nothing that a sealer, a contract in between or a sender of ether decides."""
    for node in tree.get_descendants(vy.Attribute):
        if _name(node) in FORBIDDEN_NAMES and not _is_deadline(node):
            yield node.lineno, f"{_name(node)}: {FORBIDDEN_NAMES[_name(node)]}"


def _is_deadline(node: Any) -> bool:
    """Whether this is the time, compared with a deadline: a signature must run out by the clock."""
    compared = node.get_ancestor()
    sides = (compared.left, compared.right) if isinstance(compared, vy.Compare) else ()
    return _name(node) == "block.timestamp" and any(_name(side).endswith("deadline") for side in sides)


def decorators(tree: Any) -> Iterator[tuple[int, str]]:
    """No payable, no nonreentrant (there is no call to re-enter by), no fallback, no default arguments."""
    for node in tree.get_descendants(vy.FunctionDef):
        for decorator in node.decorator_list:
            if _name(decorator) not in DECORATORS:
                yield node.lineno, f"@{_name(decorator)} is not one of {', '.join(sorted(DECORATORS))}"
        if node.name == "__default__":
            yield node.lineno, "a fallback answers calls that do not exist"
        if node.args.defaults:
            yield node.lineno, "default arguments make several functions of one"


def loops(tree: Any) -> Iterator[tuple[int, str]]:
    """C8: every loop is over a list argument or variable, whose type has a cap, or has a bound itself."""
    for node in tree.get_descendants(vy.For):
        over = node.iter
        if isinstance(over, vy.Call) and _name(over.func) == "range":
            bounds = [keyword.value for keyword in over.keywords] or list(over.args)
            literal = all(isinstance(bound, vy.Int) and bound.value <= LONGEST for bound in bounds)
            if not literal and not (over.keywords and all(_is_constant(bound) for bound in bounds)):
                yield node.lineno, "C8: a range without a bound that can be read here"
        elif not isinstance(over, vy.Name):
            yield node.lineno, "C8: a loop over something that is neither a range nor a local list"


def caps(tree: Any) -> Iterator[tuple[int, str]]:
    """C8: every list type has a cap, and none is higher than 512."""
    constants = {
        node.target.id: node.value.value
        for node in tree.get_descendants(vy.VariableDecl)
        if node.is_constant and isinstance(node.value, vy.Int)
    }
    for name, value in constants.items():
        if name.startswith("MAX_") and value > LONGEST and name != "MAX_BLOCKS":
            yield 1, f"C8: {name} is {value}, more than {LONGEST}"
    for node in tree.get_descendants(vy.Subscript):
        if _name(node.value) == "DynArray" and isinstance(node.slice, vy.Tuple):
            cap = node.slice.elements[-1]
            if not _is_constant(cap):
                yield node.lineno, "C8: the cap of a list is no named constant"


def expressions(tree: Any) -> Iterator[tuple[int, str]]:
    """Forms that this compiler got wrong, or that hide what happens."""
    for node in tree.get_descendants(vy.IfExp):
        yield node.lineno, "no ternaries: those between nested lists corrupt values (CVE-2026-114115)"
    for node in tree.get_descendants(vy.AugAssign):
        if isinstance(node.target, vy.Subscript) and isinstance(node.target.slice, vy.Call):
            yield node.lineno, "an assignment to a computed place once wrote out of bounds (CVE-2025-27105)"
    for node in tree.get_descendants(vy.Call):
        if _name(node.func) in PLAIN_PARTS and any(isinstance(part, vy.Call) for part in node.args):
            yield (
                node.lineno,
                f"{_name(node.func)} takes plain names here, for their side effects were once lost",
            )
    for node in tree.get_descendants(vy.Assert):
        if node.msg is None:
            yield node.lineno, "an assert without a reason"


def storage(tree: Any) -> Iterator[tuple[int, str]]:
    """Nothing in the code itself and nothing that is gone after a transaction: the runtime code is pinned."""
    for node in tree.get_descendants(vy.VariableDecl):
        if node.is_immutable:
            yield (
                node.lineno,
                f"{_name(node.target)} is immutable: the runtime code would differ by deployment",
            )
        if node.is_transient:
            yield node.lineno, f"{_name(node.target)} is transient"


RULES: tuple[Callable[[Any], Iterator[tuple[int, str]]], ...] = (
    *(calls_of_the_outside, names_of_the_outside, decorators, loops, caps, expressions, storage),
)


def pragmas(text: str) -> Iterator[tuple[int, str]]:
    """Compiler, machine and optimiser are pinned in the file itself; never the Venom generator."""
    found = [line for line in text.split("\n") if "pragma" in line]
    if tuple(found) != PRAGMAS:
        yield 1, f"its pragmas are {found}, not {list(PRAGMAS)}"


def unused(trees: dict[str, Any]) -> Iterator[tuple[str, int, str]]:
    """An internal function that nobody calls, in any of the modules."""
    called = {
        _name(node.func).rpartition(".")[2]
        for tree in trees.values()
        for node in tree.get_descendants(vy.Call)
    }
    for name, tree in trees.items():
        for node in tree.get_descendants(vy.FunctionDef):
            internal = any(_name(decorator) == "internal" for decorator in node.decorator_list)
            if internal and node.name not in called:
                yield name, node.lineno, f"nobody calls {node.name}"


def violations(files: list[Path]) -> Iterator[str]:
    """Every violation in these files, as `file:line: what`."""
    trees = {}
    for path in files:
        wrong = list(pragmas(path.read_text()))
        for line, what in wrong:
            yield f"{path.name}:{line}: {what}"
        # Another compiler's source is not ours to read.
        if not wrong:
            trees[path.name] = parse_to_ast(path.read_text())
    for name, tree in trees.items():
        for rule in RULES:
            for line, what in rule(tree):
                yield f"{name}:{line}: {what}"
    for name, line, what in unused(trees):
        yield f"{name}:{line}: {what}"


def _name(node: Any) -> str:
    if isinstance(node, vy.Name):
        return str(node.id)
    if isinstance(node, vy.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    if isinstance(node, vy.Call):
        return _name(node.func)
    return ""


def _is_constant(node: Any) -> bool:
    return isinstance(node, vy.Int) or _name(node).rpartition(".")[2].isupper()


def main() -> int:
    """Check the contracts, or the files named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="*", type=Path, default=sorted(CONTRACTS.glob("*.vy")))
    found = list(violations(parser.parse_args().files))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
