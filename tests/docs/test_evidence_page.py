"""docs/evidence-format.md says what the code does: members, events, slots, limits."""

import re
from pathlib import Path

from proml.contracts.abi import SIGNATURES
from proml.contracts.shipped import artefacts_contract
from proml.core import patricia, verdict
from proml.core.event import Refused
from proml.verify import evidence, scope

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "evidence-format.md").read_text(encoding="utf-8")
TRUST = (DOCS / "trust.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def test_the_members_of_the_body_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section("The file"), re.MULTILINE)
    assert set(rows) == evidence._MEMBERS | {evidence.SINGLES}


def test_the_limits_are_those_of_the_code() -> None:
    assert f"{evidence.MAX_BYTES:,} bytes" in section("The file")
    proof = section("The proof")
    assert f"longer than {patricia.MAX_RLP_BYTES:,} bytes" in proof
    assert f"deeper than {patricia.MAX_RLP_DEPTH} lists" in proof
    assert f"at least {patricia.LEAST_HEADER_FIELDS}" in proof
    assert "0x" + patricia.EMPTY_ROOT.hex() in proof


def test_the_events_are_those_of_the_contract() -> None:
    rows = re.findall(r"^\| `([^`]+\))` \|", section("Events"), re.MULTILINE)
    assert rows == [signature for kind, signature in SIGNATURES.items() if kind is not Refused]


def test_the_slots_are_those_of_the_shipped_contract() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", section("Slots"), re.MULTILINE)
    assert {name: int(number) for name, number in rows} == dict(scope._layout())
    assert "heads" in artefacts_contract().layout


def test_the_page_about_trust_explains_every_check_by_its_number_and_name() -> None:
    rows = re.findall(r"^\| (\d) \| \*\*([^*]+)\*\*", TRUST, re.MULTILINE)
    assert {int(number): name for number, name in rows} == dict(verdict.NAMES)
