"""What the lint of the contracts' sources finds, rule by rule; the sources themselves are clean."""

from pathlib import Path

import pytest

from tools.lint_contracts import CONTRACTS, PRAGMAS, violations

HEAD = "\n".join(PRAGMAS) + "\n"
CLEAN = """
MAX_ITEMS: constant(uint256) = 32
HALF: immutable(uint256)
kept: HashMap[uint256, uint256]

@external
def keep(items: DynArray[uint256, MAX_ITEMS]):
    for item: uint256 in items:
        self.kept[item] = self._double(item)

@internal
@pure
def _double(item: uint256) -> uint256:
    return 2 * item
""".replace("HALF: immutable(uint256)\n", "")


def found(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "tried.vy"
    file.write_text(text)
    return list(violations([file]))


def test_the_contracts_break_no_rule() -> None:
    files = sorted(CONTRACTS.glob("*.vy"))
    assert len(files) >= 4
    assert list(violations(files)) == []


def test_a_plain_source_breaks_no_rule(tmp_path: Path) -> None:
    assert found(tmp_path, HEAD + CLEAN) == []


BODY = "        self.kept[item] = self._double(item)\n"


def test_only_a_deadline_is_compared_with_the_time(tmp_path: Path) -> None:
    deadline = "        deadline: uint256 = item\n        assert block.timestamp <= deadline, 'no'\n"
    assert found(tmp_path, HEAD + CLEAN.replace(BODY, deadline + BODY)) == []


# What stands in the clean source, what stands there instead, and what is said of it.
SPOILED = {
    "calls another contract by hand": (BODY, '        raw_call(msg.sender, b"")\n', "raw_call"),
    "sends ether": (BODY, "        send(msg.sender, item)\n", "send"),
    "destroys itself": (BODY, "        selfdestruct(msg.sender)\n", "selfdestruct"),
    "makes a clone": (
        BODY,
        "        x: address = create_minimal_proxy_to(self)\n",
        "create_minimal_proxy_to",
    ),
    "calls an interface": (BODY, "        extcall Other(msg.sender).take(item)\n", "another contract"),
    "asks an interface": (
        BODY,
        "        self.kept[item] = staticcall Other(self).asked()\n",
        "another contract",
    ),
    "wraps round": (BODY, "        self.kept[item] = unsafe_add(item, 1)\n", "unsafe_add"),
    "reads the clock": (BODY, "        self.kept[item] = block.timestamp\n", "block.timestamp"),
    "reckons with the clock": (BODY, "        assert item < block.timestamp + 9, 'no'\n", "block.timestamp"),
    "asks who began the transaction": (BODY, "        assert tx.origin == msg.sender, 'no'\n", "tx.origin"),
    "looks at ether": (BODY, "        self.kept[item] = self.balance\n", "self.balance"),
    "asserts without a reason": (BODY, "        assert item > 0\n", "without a reason"),
    "chooses by a ternary": (BODY, "        self.kept[item] = 1 if item > 0 else 2\n", "ternaries"),
    "slices what is computed": (
        BODY,
        "        x: Bytes[2] = slice(convert(item, bytes32), 0, 2)\n",
        "side effects",
    ),
    "takes ether": ("@external\n", "@external\n@payable\n", "@payable"),
    "locks": ("@external\n", "@external\n@nonreentrant\n", "@nonreentrant"),
    "answers every call": ("def keep(items: DynArray[uint256, MAX_ITEMS])", "def __default__()", "fallback"),
    "has defaults": ("MAX_ITEMS]):", "MAX_ITEMS] = []):", "default arguments"),
    "loops over storage": ("in items:", "in self.kept[1]:", "neither a range nor a local list"),
    "loops without a bound": ("in items:", "in range(items[0], items[1]):", "without a bound"),
    "loops too long": ("in items:", "in range(513):", "without a bound"),
    "takes a list without a name for its cap": (
        "uint256, MAX_ITEMS]",
        "uint256, len_of_it]",
        "cap of a list",
    ),
    "takes a list that is too long": ("= 32", "= 513", "more than 512"),
    "keeps something in the code": ("kept: HashMap", "HALF: immutable(uint256)\nkept: HashMap", "immutable"),
    "keeps something for a moment": (
        "kept: HashMap[uint256, uint256]",
        "kept: transient(uint256)",
        "transient",
    ),
    "leaves code lie": (BODY, "        self.kept[item] = item\n", "nobody calls _double"),
    "is for another compiler": ("0.4.3", "0.4.2", "its pragmas are"),
    "is made by Venom": (PRAGMAS[2], PRAGMAS[2] + "\n# pragma experimental-codegen", "its pragmas are"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_source_is_refused_that(name: str, tmp_path: Path) -> None:
    good, bad, said = SPOILED[name]
    text = HEAD + CLEAN
    assert good in text
    assert said in "\n".join(found(tmp_path, text.replace(good, bad, 1)))
