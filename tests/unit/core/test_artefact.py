"""Artefact ids, packed words and heads."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from proml.core.artefact import Artefact, artefact_id, unregistered
from proml.core.consortium import Actor
from proml.core.digest import ZERO, keccak256
from proml.core.event import (
    Acted,
    Anchored,
    Input,
    Registered,
    inputs_digest,
    next_anchor_head,
    next_head,
)
from proml.core.lifecycle import Rule

ID = keccak256(b"artefact")
digests = st.binary(min_size=32, max_size=32)
ACTOR = Actor(4, b"\x22" * 20)
STEP = Acted(ID, b"\x05" * 32, ACTOR, 2, 3, 4, b"\x06" * 32, (Input(b"\x07" * 32, 8),))


def test_an_id_depends_on_chain_contract_creator_and_salt() -> None:
    made = artefact_id(1337, b"\xc0" * 20, b"\x22" * 20, b"\x33" * 32)
    preimage = (1337).to_bytes(32, "big") + bytes(12) + b"\xc0" * 20 + bytes(12) + b"\x22" * 20 + b"\x33" * 32
    assert made == keccak256(preimage)
    others = {
        artefact_id(1338, b"\xc0" * 20, b"\x22" * 20, b"\x33" * 32),
        artefact_id(1337, b"\xc1" * 20, b"\x22" * 20, b"\x33" * 32),
        artefact_id(1337, b"\xc0" * 20, b"\x23" * 20, b"\x33" * 32),
        artefact_id(1337, b"\xc0" * 20, b"\x22" * 20, b"\x34" * 32),
    }
    assert len(others | {made}) == 5


def test_the_parts_of_a_word_stand_where_the_contract_has_them() -> None:
    artefact = Artefact(
        id=ID, lifecycle=0x1111, state=0x22, sequence=0x33, usable_from=0x44, custodian=0x5555,
        creator=0x6666, performers=(1, 2, 3, 4, 5, 6), several=0b101010, head=ZERO,
    )  # fmt: skip
    # From the top: several and two spare bits, performers 6 to 1, creator, offered to, custodian, ...
    parts = "2a 0006 0005 0004 0003 0002 0001 6666 0000 5555 0000000044 0000000033 1111 22"
    assert artefact.word == int(parts.replace(" ", ""), 16)


def test_a_head_covers_everything_its_step_says() -> None:
    head = next_head(ID, STEP)
    changed = [
        replace(STEP, subject=ZERO),
        replace(STEP, actor=Actor(5, ACTOR.key)),
        replace(STEP, actor=Actor(4, bytes(20))),
        replace(STEP, sequence=3),
        replace(STEP, action=4),
        replace(STEP, record=ZERO),
        replace(STEP, inputs=()),
        replace(STEP, inputs=(Input(b"\x07" * 32, 9),)),
        replace(STEP, inputs=(Input(b"\x08" * 32, 8),)),
        replace(STEP, inputs=STEP.inputs * 2),
    ]
    assert len({head, next_head(ZERO, STEP), *(next_head(ID, step) for step in changed)}) == 12


def test_a_head_is_what_the_page_says() -> None:
    inputs = keccak256(ZERO + b"\x07" * 32 + (8).to_bytes(32, "big"))
    actor = (4 << 160 | int.from_bytes(ACTOR.key, "big")).to_bytes(32, "big")
    words = [ID, (2).to_bytes(32, "big"), actor, (3).to_bytes(32, "big"), STEP.record, STEP.subject, inputs]
    assert next_head(ID, STEP) == keccak256(b"".join(words))


def test_a_registration_has_sequence_one() -> None:
    registered = Registered(ID, STEP.subject, ACTOR, 1, STEP.action, 1, STEP.record, STEP.inputs)
    assert next_head(ID, registered) == next_head(ID, replace(STEP, sequence=1))


@given(st.lists(st.builds(Input, digests, st.integers(1, 2**40 - 1)), max_size=6))
def test_inputs_are_folded_in_their_order(inputs: list[Input]) -> None:
    folded = ZERO
    for entry in inputs:
        folded = keccak256(folded + entry.artefact + entry.sequence.to_bytes(32, "big"))
    assert inputs_digest(tuple(inputs)) == folded


def test_no_inputs_are_zero() -> None:
    assert inputs_digest(()) == ZERO


def test_an_anchor_head_is_what_the_page_says() -> None:
    anchor = Anchored(ACTOR, b"\x09" * 32, 3, 500)
    words = [b"\x01" * 32, (3).to_bytes(32, "big"), ACTOR.word.to_bytes(32, "big"), b"\x09" * 32]
    assert next_anchor_head(b"\x01" * 32, anchor) == keccak256(b"".join(words) + (500).to_bytes(32, "big"))


def test_before_it_is_registered_an_artefact_has_its_id_as_head() -> None:
    artefact = unregistered(ID, 3, 7)
    assert (artefact.head, artefact.state, artefact.sequence, artefact.custodian) == (ID, 0, 0, 7)


def test_usable_counts_from_the_step_since_which_it_has_been_so_without_a_break() -> None:
    usable = Rule(state=1, action=1, following=1, roles=1, usable=True)
    unusable = replace(usable, usable=False)
    artefact = unregistered(ID, 1, 1)
    since = []
    for rule in (unusable, usable, usable, unusable, usable):
        artefact = artefact.moved(rule, 1, ZERO)
        since.append(artefact.usable_from)
    assert since == [0, 2, 2, 0, 5]


def test_the_first_performer_of_a_duty_is_kept_and_a_second_one_is_marked() -> None:
    rule = Rule(state=1, action=1, following=1, roles=1, duty=2)
    first = unregistered(ID, 1, 9).moved(rule, 4, ZERO)
    assert (first.performers, first.several) == ((0, 4, 0, 0, 0, 0), 0)
    assert first.moved(rule, 4, ZERO).several == 0
    second = first.moved(rule, 5, ZERO)
    assert (second.performers, second.several) == (first.performers, 0b10)


def test_a_step_leaves_custodian_and_creator_alone() -> None:
    artefact = unregistered(ID, 1, 9).moved(Rule(state=0, action=1, following=1, roles=1), 9, ID)
    moved = artefact.moved(Rule(state=1, action=2, following=2, roles=1), 4, ZERO)
    assert (moved.custodian, moved.creator, moved.sequence, moved.state) == (9, 9, 2, 2)
    assert (artefact.sequence, artefact.state) == (1, 1)
