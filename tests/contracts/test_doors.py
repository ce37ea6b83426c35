"""What can be called at all, by whom, and that nobody has a door of their own."""

import json

import pytest

from proml.contracts.build import COMPILED
from proml.contracts.forms import arrays, selector
from proml.contracts.shipped import artefacts_contract
from proml.core.digest import keccak256
from proml.core.refusal import Reason
from tests.contracts.cast import DATA, DEVELOPER, GUEST, KEYS, ORGANISATION, STRANGER, act, fresh, register
from tests.contracts.deployed import Reverted, address_number, place, signature
from tests.contracts.side_by_side import SideBySide
from tests.contracts.stories import approved

ENTRIES = [entry for entry in json.loads(COMPILED.read_text())["abi"] if entry["type"] == "function"]
WRITING = {
    *("register", "act", "approve", "anchor", "batch", "add_key", "revoke_key"),
    *("act_for", "batch_for", "approve_for"),
    *("propose", "vote", "execute", "execute_lifecycle", "cancel", "leave"),
}


def test_the_calls_that_write_are_these_and_none_takes_ether() -> None:
    assert {e["name"] for e in ENTRIES if e["stateMutability"] not in ("view", "pure")} == WRITING
    assert "payable" not in {entry["stateMutability"] for entry in ENTRIES}


def test_no_call_speaks_of_an_owner_a_pause_or_an_upgrade() -> None:
    """C15, by listing everything there is."""
    assert {entry["name"] for entry in ENTRIES} - WRITING == {
        *("artefact", "artefact_id", "anchor_head", "key", "organisation", "member_count", "threshold"),
        *("proposal", "has_voted", "proposal_count", "organisation_count", "pace"),
        *("dispute", "successor"),
        *("lifecycle", "lifecycle_number", "lifecycle_count", "rule", "VERSION"),
        *("MAX_INPUTS", "MAX_STEPS", "MAX_ANCHORS", "MAX_BATCH_INPUTS", "MAX_BATCH_APPROVALS"),
        *("MAX_SIGNED_STEPS", "MAX_SIGNED_INPUTS"),
        *("SCOPE_RECORD", "SCOPE_APPROVE", "SCOPE_GOVERN"),
    }


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_ether_is_refused_by_every_call(side: SideBySide, entry: dict[str, object]) -> None:
    side.contract.env.set_balance("0x" + DEVELOPER.hex(), 10)
    before = side.contract.storage()
    data = selector(signature(entry)) + bytes(32 * 12)
    assert side.contract.send(DEVELOPER, data, value=1) == Reverted(b"")
    assert side.contract.balance == 0
    assert side.contract.storage() == before


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", b"\xde\xad\xbe\xef", bytes(100)])
@pytest.mark.parametrize("value", [0, 1])
def test_what_is_no_call_is_refused(side: SideBySide, data: bytes, value: int) -> None:
    side.contract.env.set_balance("0x" + DEVELOPER.hex(), 10)
    before = side.contract.storage()
    assert side.contract.send(DEVELOPER, data, value=value) == Reverted(b"")
    assert side.contract.balance == 0
    assert side.contract.storage() == before


@pytest.mark.parametrize("name", ["owner()", "pause()", "upgradeTo(address)", "transferOwnership(address)"])
def test_the_usual_doors_of_administrators_do_not_exist(side: SideBySide, name: str) -> None:
    for key in (*KEYS, STRANGER, bytes.fromhex("de" * 20)):
        assert side.contract.send(key, selector(name) + bytes(32)) == Reverted(b"")


def test_a_dirty_address_reverts(side: SideBySide) -> None:
    dirty = address_number(DEVELOPER) | 1 << 160
    for name, rest in (("revoke_key(address,uint256)", [1]), ("key(address)", [])):
        assert side.contract.send(DEVELOPER, selector(name) + arrays([dirty, *rest])) == Reverted(b"")


@pytest.mark.parametrize(
    "words",
    [[2**16, 1], [2, 2**8], [2**256 - 1, 1]],
)
def test_a_number_out_of_its_types_range_reverts_in_the_single_forms(
    side: SideBySide, words: list[int]
) -> None:
    row = [*words, fresh(), fresh(), fresh()]
    data = selector("register(uint16,uint8,bytes32,bytes32,bytes32,(bytes32,uint256)[])") + arrays(row, [])
    before = side.contract.storage()
    assert side.contract.send(DEVELOPER, data) == Reverted(b"")
    assert side.contract.storage() == before


def test_registering_under_lifecycle_0_is_no_transition_whoever_asks(side: SideBySide) -> None:
    """An argument check like that of a type: before it is even known who calls."""
    data = selector("register(uint16,uint8,bytes32,bytes32,bytes32,(bytes32,uint256)[])")
    for key in (DEVELOPER, STRANGER):
        call = data + arrays([0, 1, fresh(), fresh(), fresh()], [])
        assert side.contract.send(key, call) is Reason.NO_TRANSITION


def test_the_registering_call_returns_the_id(side: SideBySide) -> None:
    salt = fresh()
    data = selector("register(uint16,uint8,bytes32,bytes32,bytes32,(bytes32,uint256)[])")
    computation = side.contract.env.execute_code(
        to_address="0x" + side.contract.address.hex(),
        sender="0x" + DEVELOPER.hex(),
        data=data + arrays([2, 1, salt, fresh(), fresh()], []),
    )
    expected = arrays(
        [side.contract.chain_id, address_number(side.contract.address), address_number(DEVELOPER), salt]
    )
    assert bytes(computation.output) == keccak256(expected)


def test_a_call_touches_nothing_of_what_belongs_to_others(side: SideBySide) -> None:
    """C5: one step changes the word, the head and no other slot; one anchor the caller's own two."""
    theirs, own = approved(side), side.make(DEVELOPER, register("run", "start"))
    before = side.contract.storage()
    side.make(DEVELOPER, act("run", "finish", own, [theirs]))
    after = side.contract.storage()
    changed = {at for at in before | after if before.get(at) != after.get(at)}
    assert changed == {place(8, own.artefact), place(9, own.artefact)}
    before = after
    side.contract.send(GUEST, selector("anchor(bytes32,uint256)") + arrays([fresh(), 5]))
    after = side.contract.storage()
    changed = {at for at in before | after if before.get(at) != after.get(at)}
    assert changed == {place(0, ORGANISATION[GUEST]), place(11, ORGANISATION[GUEST])}


def test_the_code_says_nothing_of_who_deployed_it(side: SideBySide) -> None:
    assert bytes.fromhex("de" * 20) not in side.contract.code
    assert side.contract.code == artefacts_contract().runtime
    assert DATA not in side.contract.code
