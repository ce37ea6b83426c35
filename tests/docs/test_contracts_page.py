"""docs/contracts.md says what the contracts do: words, calls, refusals, events, slots, caps, gas, tests."""

import json
import re
from pathlib import Path

import pytest

from proml.contracts import abi, batches
from proml.contracts.build import COMPILED, HERE, SOURCES
from proml.contracts.forms import selector
from proml.core import lifecycle
from proml.core.consortium import ROLES
from proml.core.digest import keccak256
from proml.core.refusal import Reason
from proml.ledger import evm

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
GOVERNANCE = (ROOT / "docs" / "contracts-governance.md").read_text(encoding="utf-8")
COMPILED_ABI = json.loads(COMPILED.read_text())["abi"]
STRUCTS = {
    "Input": "(bytes32,uint256)",
    "Anchor": "(bytes32,uint256)",
    "Approval": "(uint256,bytes32)",
    "Step": "(bytes32,uint16,uint8,uint256,bytes32,bytes32,uint256)",
    "SignedStep": f"(bytes32,uint256,uint256,uint256,bytes32,bytes32,{','.join(['uint256'] * 6)})",
}
# What a contract's own header says of a word, by the heading of this page.
HEADERS = {
    "Organisation word": ("consortium.vy", "Organisation word:"),
    "Key word": ("consortium.vy", "Key word, least significant bit first:"),
    "Property word": ("lifecycles.vy", "Property word, least significant bit first:"),
    "Rule word": ("lifecycles.vy", "Rule word, one per (state, action):"),
}


def section(title: str) -> str:
    """From one heading to the next of the same rank or a higher one."""
    found = re.search(rf"^(#+) {re.escape(title)}\n", PAGE, re.MULTILINE)
    assert found is not None, title
    rank = len(found[1])
    return re.split(rf"^#{{1,{rank}}} ", PAGE[found.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> list[list[str]]:
    """The cells of every table row below a heading, without the rows of headings and dashes."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    dashes = [index for index, row in enumerate(cells) if set("".join(row)) <= {"-"}]
    headings = {index - 1 for index in dashes}
    return [row for index, row in enumerate(cells) if index not in headings and index not in dashes]


def canonical(signature: str) -> str:
    """`batch(Step[] steps, uint256 x)` as the selector wants it: types only."""
    name, _, inside = signature.replace("†", "").partition("(")
    kinds = [parameter.split()[0] for parameter in inside.rstrip(")").split(",") if parameter.strip()]
    expanded = [re.sub(r"^[A-Z]\w+", lambda found: STRUCTS[found[0]], kind) for kind in kinds]
    return f"{name}({','.join(expanded)})"


def type_of(field: dict[str, object]) -> str:
    parts = field.get("components")
    if not isinstance(parts, list):
        return str(field["type"])
    return f"({','.join(type_of(part) for part in parts)}){str(field['type'])[5:]}"


def test_every_refusal_is_listed_with_its_number_and_text() -> None:
    assert rows("Refusals") == [[str(reason.value), reason.name, reason.text] for reason in Reason]


def test_the_order_of_checks_names_every_reason_a_step_or_anchor_can_get() -> None:
    named = set(re.findall(r"\b[A-Z]{2,}_[A-Z_]+|\bEXISTS\b", section("Order of checks")))
    steps = {reason.name for reason in Reason if 20 <= reason < 40 or reason <= 5}
    assert named == steps - {"INPUTS_UNBALANCED"}
    other = set(re.findall(r"\b[A-Z]{2,}_[A-Z_]+", section("Writing")))
    assert {reason.name for reason in Reason if reason < 40} == named | other
    alike = set(re.findall(r"\b[A-Z]{2,}_[A-Z_]+", section("Steps that every lifecycle has")))
    assert {reason.name for reason in Reason if 60 <= reason < 70} <= alike
    signed = set(re.findall(r"\b[A-Z]{2,}_[A-Z_]+", section("Signed by one key, sent by another")))
    assert {reason.name for reason in Reason if reason >= 70} <= signed
    assert {reason.name for reason in Reason if 40 <= reason < 60} <= set(
        re.findall(r"\b[A-Z]{2,}_[A-Z_]+", GOVERNANCE)
    )


def test_every_call_is_listed_with_its_selector() -> None:
    listed = {}
    for row in rows("Calls"):
        if row[0].startswith("`0x"):
            signature = re.match(r"`(.*?\))`", row[1])
            assert signature is not None, row
            listed[row[0].strip("`")] = canonical(signature[1])
    assert all("0x" + selector(text).hex() == key for key, text in listed.items())
    functions = [entry for entry in COMPILED_ABI if entry["type"] == "function"]
    made = {f"{each['name']}({','.join(map(type_of, each['inputs']))})" for each in functions}
    assert set(listed.values()) == made


def test_every_event_is_listed_with_its_topics_and_sizes() -> None:
    listed = {}
    for signature, size, topic in rows("Events"):
        text = signature.strip("`")
        assert topic == f"`0x{keccak256(canonical(text).encode()).hex()}`"
        listed[canonical(text)] = re.findall(r"(\w+)†", text)
        plain = re.findall(r"(\w+(?:\[\])?) \w+(?=[,)])", text)
        static = 32 * sum(1 for kind in plain if not kind.endswith("[]"))
        arrays = [kind for kind in plain if kind.endswith("[]")]
        assert int(size.split(" ")[0]) == static + 64 * len(arrays)
    assert set(listed) == set(abi.SIGNATURES.values())
    for entry in COMPILED_ABI:
        if entry["type"] == "event":
            name = f"{entry['name']}({','.join(map(type_of, entry['inputs']))})"
            assert listed[name] == [field["name"] for field in entry["inputs"] if field["indexed"]]


@pytest.mark.parametrize("title", HEADERS)
def test_words_have_the_fields_that_the_sources_say(title: str) -> None:
    file, start = HEADERS[title]
    source = (HERE / file).read_text()
    text = source[source.index(start) + len(start) :]
    widths = [int(width) for width in re.findall(r" (\d+)(?= \||\n|$)", text.split("\n        `")[0][:400])]
    listed = [(int(offset), int(width)) for offset, width, _ in rows(title)]
    assert listed == contiguous([width for _, width in listed])
    assert [width for _, width in listed] == widths[: len(listed)]


def contiguous(widths: list[int]) -> list[tuple[int, int]]:
    """Fields one after another from bit 0."""
    return [(sum(widths[:index]), width) for index, width in enumerate(widths)]


def test_the_artefact_word_has_the_fields_that_the_source_says() -> None:
    listed = [(int(offset), int(width)) for offset, width, _ in rows("Artefact word")]
    assert listed == contiguous([8, 16, 40, 40, 16, 16, 16, 6 * 16, 6, 1])
    header = (HERE / "artefacts.vy").read_text()
    assert "state 8 | lifecycle 16 | sequence 40 | usable from 40 | custodian 16 | offered to 16" in header
    assert (
        "creator 16 | first performer of duty 1..6, 16 each | several performed duty 1..6, 1 bit each\n"
        "          | disputed 1\n"
    ) in header


def test_roles_have_the_bits_they_are_said_to_have() -> None:
    said = re.search(r"The bits of the role mask.*?\n\n", PAGE, re.DOTALL)
    assert said is not None
    assert re.findall(r"(\d+)\s`(\w+)`", said[0]) == [(str(bit), name) for bit, name in enumerate(ROLES)]


def test_slots_are_those_of_the_compiled_contract() -> None:
    found = {}
    for name, entry in json.loads(COMPILED.read_text())["layout"].items():
        inner = {name: entry} if "slot" in entry else {f"{name}.{key}": each for key, each in entry.items()}
        found.update({each["slot"]: full for full, each in inner.items()})
    assert {int(slot): name for slot, name, _, _ in rows("Storage")} == found


def test_caps_are_those_of_the_code() -> None:
    assert [row[1].replace(",", "") for row in rows("Caps")] == [
        str(cap)
        for cap in (
            lifecycle.MAX_INPUTS,
            batches.MAX_STEPS,
            batches.MAX_ANCHORS,
            batches.MAX_BATCH_INPUTS,
            lifecycle.MAX_APPROVALS,
            batches.MAX_BATCH_APPROVALS,
            batches.MAX_SIGNED_STEPS,
            batches.MAX_SIGNED_INPUTS,
            32,
            16,
            lifecycle.MAX_RULES,
            512,
            2**16 - 1,
        )
    ]
    assert f"actions 1 to {lifecycle.MAX_ACTIONS};" in PAGE


def test_every_text_of_the_constructor_is_listed() -> None:
    sources = "".join((HERE / name).read_text() for name in SOURCES)
    texts = set(re.findall(r'"((?:consortium|governance|lifecycles): [^"]+)"', sources))
    assert {row[0].strip("`") for row in rows("Deployment")} == texts


def test_gas_is_as_it_was_last_kept() -> None:
    kept = json.loads((ROOT / "tests" / "contracts" / "gas.json").read_text())
    for what, figure in rows("Gas"):
        name = re.match(r"`(\w+)`", what)
        assert name is not None
        # Ids differ from chain to chain, and a zero byte more or less costs 12.
        assert int(figure.replace(",", "")) == pytest.approx(kept[name[1]], rel=0.001)


def test_what_clients_offer_is_as_said() -> None:
    said = section("Gas")
    offered = (evm.GAS_CALL, evm.GAS_ANCHOR, evm.GAS_REGISTER, evm.GAS_ACT, evm.GAS_INPUT, 2 * evm.GAS_CALL)
    offered += (evm.GAS_SIGNATURE,)
    assert all(f"{gas:,}" in said for gas in offered)


def test_every_invariant_names_tests_that_exist() -> None:
    listed = rows("Invariants")
    assert [row[0] for row in listed] == [f"C{number}" for number in range(1, 16)]
    tests = {
        name
        for path in (ROOT / "tests" / "contracts").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    for row in listed:
        named = re.findall(r"`(test_\w+)`", row[3])
        assert named, row
        assert set(named) <= tests, set(named) - tests
