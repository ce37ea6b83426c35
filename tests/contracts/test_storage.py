"""Where what lies in storage: what `eth_getProof` is asked for when a history is proven offline."""

import pytest

from proml.contracts.abi import ARTEFACT
from proml.contracts.forms import arrays, selector
from proml.contracts.shipped import artefacts_contract
from proml.core.artefact import artefact_id
from proml.core.call import AnchorCall
from proml.core.digest import ZERO, keccak256, word
from proml.core.event import next_head
from proml.core.refusal import Reason
from tests.contracts.cast import (
    CONGLOMERATE,
    DATA,
    DEVELOPER,
    KEYS,
    LABELLER,
    NUMBERS,
    ORGANISATION,
    STRANGER,
    TABLES,
    act,
    fresh,
    register,
)
from tests.contracts.deployed import address_number
from tests.contracts.side_by_side import SideBySide
from tests.contracts.stories import collected, evaluated

# docs/contracts.md, "Storage".
SLOTS = {
    "consortium.organisations": 0,
    "consortium.keys": 1,
    "consortium.member_count": 2,
    "consortium.threshold": 3,
    "lifecycles.rules": 4,
    "lifecycles.tables": 5,
    "lifecycles.numbers": 6,
    "lifecycles.lifecycle_count": 7,
    "artefacts": 8,
    "heads": 9,
    "performed": 10,
    "anchor_heads": 11,
    "governance.pace": 12,
    "governance.organisation_count": 13,
    "governance.proposal_count": 14,
    "governance.proposals": 15,
    "governance.digests": 16,
    "governance.votes": 17,
    "governance.newest": 18,
    "approved": 19,
    "custody.disputes": 20,
    "custody.successors": 21,
}


def test_the_layout_is_the_documented_one() -> None:
    found = {}
    for name, entry in artefacts_contract().layout.items():
        nested = {name: entry} if "slot" in entry else {f"{name}.{inner}": e for inner, e in entry.items()}
        for full, each in nested.items():
            found[full] = each["slot"]
            assert each["n_slots"] == 1
    assert found == SLOTS


def test_the_slot_of_a_head_is_keccak_of_nine_and_the_id(side: SideBySide) -> None:
    """Slot first, key second: the other way round than Solidity's mappings."""
    start = register("run", "start")
    step = side.make(DEVELOPER, start)
    identity = artefact_id(side.contract.chain_id, side.contract.address, DEVELOPER, start.artefact)
    assert step.artefact == identity
    at = int.from_bytes(keccak256((9).to_bytes(32, "big") + identity), "big")
    head = next_head(identity, step)
    assert side.contract.slot(at) == int.from_bytes(head, "big")
    written_out = keccak256(
        identity
        + word(1)
        + ORGANISATION[DEVELOPER].to_bytes(12, "big")
        + DEVELOPER
        + word(1)
        + step.record
        + step.subject
        + ZERO
    )
    assert head == written_out


def test_the_slot_of_a_word_is_keccak_of_eight_and_the_id(side: SideBySide) -> None:
    step = collected(side)
    step = side.make(LABELLER, act("dataset", "label", step))
    step = side.make(DATA, act("dataset", "approve", step))
    at = int.from_bytes(keccak256((8).to_bytes(32, "big") + step.artefact), "big")
    # Written out: state 3, lifecycle 1, sequence 3, usable from 3, custodian and creator 1, labeller 2.
    assert side.contract.slot(at) == (
        3 | 1 << 8 | 3 << 24 | 3 << 64 | ORGANISATION[DATA] << 104 | ORGANISATION[DATA] << 136 | 2 << 152
    )


def test_a_second_performer_has_a_slot_in_a_map_of_maps(side: SideBySide) -> None:
    step = side.make(LABELLER, act("dataset", "label", collected(side)))
    step = side.make(CONGLOMERATE, act("dataset", "label", step))
    outer = keccak256((10).to_bytes(32, "big") + step.artefact)
    at = int.from_bytes(keccak256(outer + word(ORGANISATION[CONGLOMERATE])), "big")
    assert side.contract.slot(at) == 2
    word_at = int.from_bytes(keccak256((8).to_bytes(32, "big") + step.artefact), "big")
    assert side.contract.slot(word_at) >> 248 == 1


def test_the_getters_return_what_storage_holds(side: SideBySide) -> None:
    model = evaluated(side)
    side.single(DEVELOPER, AnchorCall(fresh(), 9))
    standing = side.history.artefacts[model.artefact]
    view = side.contract.view
    assert view(ARTEFACT + model.artefact) == word(standing.word) + standing.head
    assert view(ARTEFACT + fresh()) == bytes(64)
    for key in KEYS:
        organisation = side.history.organisations[ORGANISATION[key]]
        at = word(organisation.number)
        assert view(selector("key(address)") + word(address_number(key))) == word(side.history.keys[key].word)
        assert view(selector("organisation(uint256)") + at) == word(organisation.word)
        head = side.history.anchor_heads.get(organisation.number, ZERO)
        assert view(selector("anchor_head(uint256)") + at) == head
    assert view(selector("key(address)") + word(address_number(STRANGER))) == ZERO
    for missing in (0, len(KEYS) + 1, 2**255):
        assert view(selector("organisation(uint256)") + word(missing)) == ZERO
    assert view(selector("member_count()")) == word(len(KEYS))
    assert view(selector("threshold()")) == word(2)


def test_lifecycles_are_found_by_number_and_by_id(side: SideBySide) -> None:
    view = side.contract.view
    assert view(selector("lifecycle_count()")) == word(len(TABLES))
    for admitted, table in zip(NUMBERS.values(), TABLES, strict=True):
        assert view(selector("lifecycle(uint256)") + word(admitted)) == word(table.properties)
        assert view(selector("lifecycle_number(bytes32)") + table.id) == word(admitted)
        for state in range(len(table.rules)):
            for action in range(12):
                rule = table.rule(state, action)
                call = selector("rule(uint16,uint8,uint8)") + arrays([admitted, state, action])
                assert view(call) == word(rule.word if rule else 0)
    assert view(selector("lifecycle_number(bytes32)") + fresh()) == ZERO
    assert view(selector("lifecycle(uint256)") + word(6)) == ZERO


@pytest.mark.parametrize("creator", [DEVELOPER, STRANGER, bytes(20)])
def test_an_id_can_be_asked_for_before_it_is_registered(side: SideBySide, creator: bytes) -> None:
    salt = fresh()
    call = selector("artefact_id(address,bytes32)") + arrays([address_number(creator), salt])
    expected = artefact_id(side.contract.chain_id, side.contract.address, creator, salt)
    assert side.contract.view(call) == expected


def test_an_id_is_another_one_on_another_chain(side: SideBySide) -> None:
    start = register("run", "start")
    here = side.make(DEVELOPER, start)
    side.contract.env.evm.patch.chain_id = 77
    there = artefact_id(77, side.contract.address, DEVELOPER, start.artefact)
    call = selector("artefact_id(address,bytes32)") + arrays([address_number(DEVELOPER), start.artefact])
    assert side.contract.view(call) == there != here.artefact
    side.history.chain_id = side.reader.chain_id = 77
    # The fork's first step on what existed before the fork goes on; a new registration is another id.
    assert side.make(DEVELOPER, start).artefact == there
    assert side.refusal(DEVELOPER, start) is Reason.EXISTS
