"""Evidence with a proof from a real chain: one file and one block hash instead of a node."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proml.contracts.shipped import artefacts_contract
from proml.core.call import AnchorCall, BatchCall
from proml.core.digest import sha256, word
from proml.core.event import Acted, Anchored, KeyRevoked, Placed
from proml.core.patricia import ProvenStorage, state_proof
from proml.core.verdict import (
    ACTORS,
    BYTES,
    FINAL,
    HEAD,
    INPUTS,
    LEGAL,
    OBSERVATIONS,
    RECALL,
    Conclusion,
    Verdict,
)
from proml.errors import LedgerProblem, RecordInvalid, WrongLedger
from proml.ledger.evm import EvmLedger
from proml.verify import (
    Evidence,
    Pins,
    Showing,
    check_evidence,
    enough,
    make_evidence,
    read_evidence,
    read_ledger,
)
from proml.verify.scope import anchor_chains, scope_of, slot, slots_of
from tests.unit.verify.chain import chain_world
from tests.unit.verify.test_evidence_format import altered, body_of, change, leaves, sealed_with
from tests.unit.verify.world import (
    ADMIN,
    DEVELOPER,
    LIFECYCLES,
    PROFILES,
    VERIFIER,
    Made,
    World,
    digest,
    outcomes,
)

RESTING_ON_LEDGER = dict.fromkeys((HEAD, ACTORS, INPUTS, RECALL, FINAL, OBSERVATIONS), "not checked")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with chain_world(tmp_path_factory.mktemp("chain")) as world:
        yield world


@pytest.fixture(scope="module")
def model(world: World) -> Made:
    return world.story()


@pytest.fixture(scope="module")
def evidence(world: World, model: Made) -> Evidence:
    return made(world, model)


def made(world: World, artefact: Made, **showing: Any) -> Evidence:
    assert isinstance(world.ledger, EvmLedger)
    chosen = Showing(**({"batches": True, "prover": world.ledger.prove} | showing))
    grounds = read_ledger(world.ledger, PROFILES)
    return make_evidence(grounds, [world.storage], world.lifecycles, artefact.artefact, chosen)


def proven_now(world: World, old: Evidence) -> Evidence:
    """An older file under a proof of the present: what somebody makes who leaves out what came since."""
    assert isinstance(world.ledger, EvmLedger)
    grounds = read_ledger(world.ledger)
    scope = scope_of(grounds.chronicle, old.focus)
    slots = slots_of(grounds.chronicle, scope, anchor_chains(old.events))
    return replace(old, tip=grounds.tip, proof=world.ledger.prove(slots, grounds.tip.number))


def check(world: World, evidence: Evidence, text: str | None = None, **pins: Any) -> Verdict:
    return check_bytes(world, evidence.content, text, **{"block": evidence.tip.hash} | pins)


def check_bytes(world: World, content: bytes, text: str | None = None, **pins: Any) -> Verdict:
    pinned = Pins(**({"terms": world.ledger.terms, "profiles": PROFILES} | pins))
    return check_evidence(content, pinned, world.lifecycles, digest(text) if text else None)


def test_one_file_and_one_pinned_block_are_a_valid_verdict_without_a_node(
    world: World, evidence: Evidence
) -> None:
    verdict = check(world, evidence, "model")
    assert verdict.conclusion is Conclusion.VALID
    assert [check.number for check in verdict.checks] == list(range(1, 10))
    assert f"proven is that all is not after block {evidence.tip.number}" in verdict.notes[0]
    assert read_evidence(evidence.content) == evidence


def test_disclosures_are_enough_for_a_valid_verdict(world: World, model: Made) -> None:
    assert check(world, made(world, model, choice=enough), "model").conclusion is Conclusion.VALID


def test_other_bytes_are_invalid_and_nothing_else_is(world: World, evidence: Evidence) -> None:
    assert outcomes(check(world, evidence, "swapped")) == {BYTES: "invalid"}


def test_without_a_pinned_block_the_proof_hangs_in_the_air(world: World, evidence: Evidence) -> None:
    for block, reason in ((None, "no block was pinned"), (bytes(32), "another block")):
        verdict = check(world, evidence, block=block)
        assert outcomes(verdict) == RESTING_ON_LEDGER
        assert reason in verdict.check(HEAD).reason


def test_without_pinned_terms_the_contract_is_the_makers_choice(world: World, evidence: Evidence) -> None:
    verdict = check(world, evidence, terms=None)
    assert outcomes(verdict) == RESTING_ON_LEDGER


def test_a_lifecycle_the_checker_does_not_know_is_proven_by_its_number(
    world: World, evidence: Evidence
) -> None:
    pins = Pins(world.ledger.terms, evidence.tip.hash, PROFILES)
    assert check_evidence(evidence.content, pins, []).conclusion is Conclusion.VALID
    without = replace(evidence, lifecycles=())
    assert outcomes(check_evidence(without.content, pins, [])) == {
        LEGAL: "not checked",
        INPUTS: "not checked",
    }


# --- the slots are the contract's -----------------------------------------------------------


def test_what_is_proven_is_what_the_contract_answers(world: World, evidence: Evidence, model: Made) -> None:
    assert evidence.proof is not None
    terms = world.ledger.terms
    assert terms.code == artefacts_contract().code_digest
    storage = ProvenStorage(evidence.proof, terms.contract, terms.code)
    held = world.ledger.standing(model.artefact)
    assert held is not None
    assert storage.word(slot("artefacts", model.artefact)) == held.word
    assert word(storage.word(slot("heads", model.artefact))) == held.head
    shared = world.shared
    key = world.signers[DEVELOPER].address
    assert storage.word(slot("keys", key)) == shared.keys[key].word
    assert storage.word(slot("organisations", DEVELOPER)) == shared.organisations[DEVELOPER].word
    assert word(storage.word(slot("anchor_heads", DEVELOPER))) == shared.anchor_heads[DEVELOPER]
    assert storage.word(slot("numbers", LIFECYCLES["model"].table.id)) == 3
    assert storage.block == evidence.tip


def test_a_block_that_is_not_there_has_no_proof(world: World) -> None:
    assert isinstance(world.ledger, EvmLedger)
    with pytest.raises(LedgerProblem):
        world.ledger.prove([bytes(32)], world.ledger.head().number + 10)


# --- what is left out -----------------------------------------------------------------------


def test_a_recall_left_out_is_found(world: World) -> None:
    data = world.dataset("to be recalled")
    model = world.model(world.run(data), "tainted")
    before = made(world, model)
    assert check(world, before, "tainted").conclusion is Conclusion.VALID
    world.step(ADMIN, data.artefact, "recall")
    assert outcomes(check(world, made(world, model), "tainted")) == {RECALL: "invalid"}
    assert outcomes(check(world, proven_now(world, before), "tainted")) == {INPUTS: "invalid"}


def test_a_step_left_out_is_found(world: World) -> None:
    data = world.dataset("amended later")
    before = made(world, data)
    world.step(ADMIN, data.artefact, "amend", subject=digest("other"))
    assert outcomes(check(world, proven_now(world, before))) == {HEAD: "invalid"}


def test_a_revocation_left_out_is_found(world: World) -> None:
    key = world.add_key(ADMIN, "laptop")
    data = world.step(ADMIN, "dataset", "collect", subject=digest("by laptop"), by=key)
    before = made(world, data)
    assert check(world, before).conclusion is Conclusion.VALID
    world.revoke_key(ADMIN, key.address, before.tip.number)
    hidden = check(world, proven_now(world, before))
    assert outcomes(hidden) == {ACTORS: "invalid"}
    assert hidden.check(ACTORS).findings[0].organisation == ADMIN
    suspect = made(world, data)
    assert any(isinstance(placed.event, KeyRevoked) for placed in suspect.events)
    assert outcomes(check(world, suspect)) == {ACTORS: "not checked"}


def test_in_which_block_a_revoked_key_signed_is_not_proven_so_nothing_is_concluded(world: World) -> None:
    key = world.add_key(VERIFIER, "phone")
    label = world.step(ADMIN, "dataset", "collect", subject=digest("unlabelled"))
    world.step(VERIFIER, label.artefact, "label", subject=digest("labelled"), by=key)
    since = world.ledger.head().number + 1
    world.dataset("unrelated")
    world.revoke_key(VERIFIER, key.address, since)
    verdict = check(world, made(world, label))
    assert outcomes(verdict) == {ACTORS: "not checked"}
    assert "when it signed is the file's word" in verdict.check(ACTORS).reason


def test_a_key_that_was_only_retired_spoils_nothing(world: World) -> None:
    key = world.add_key(ADMIN, "retired")
    data = world.step(ADMIN, "dataset", "collect", subject=digest("by retired"), by=key)
    world.revoke_key(ADMIN, key.address, world.ledger.head().number + 1)
    assert check(world, made(world, data)).conclusion is Conclusion.VALID


def test_an_anchor_left_out_is_found(world: World) -> None:
    run = world.run(world.dataset("observed"), observations=[world.observe(DEVELOPER, count=7)])
    before = made(world, run)
    world.send(world.signers[DEVELOPER], BatchCall((AnchorCall(sha256(b"one more"), 1),), ()))
    after = made(world, run)
    assert check(world, after).conclusion is Conclusion.VALID
    *_, last = (placed for placed in after.events if isinstance(placed.event, Anchored))
    without = replace(after, events=tuple(placed for placed in after.events if placed is not last))
    assert outcomes(check(world, without)) == {ACTORS: "invalid", OBSERVATIONS: "invalid"}
    assert check(world, proven_now(world, before)).conclusion is Conclusion.INVALID


def test_a_slot_the_proof_does_not_show_leaves_its_check_open(world: World, evidence: Evidence) -> None:
    assert isinstance(world.ledger, EvmLedger)
    grounds = read_ledger(world.ledger)
    scope = scope_of(grounds.chronicle, evidence.focus)
    slots = slots_of(grounds.chronicle, scope, anchor_chains(evidence.events))
    *_, numbers = (index for index, _ in enumerate(slots))
    expected = {0: {HEAD}, 2: {INPUTS}, numbers: {LEGAL}}
    for left_out, checks in expected.items():
        shown = [each for index, each in enumerate(slots) if index != left_out]
        partial = replace(evidence, proof=world.ledger.prove(shown, evidence.tip.number))
        assert outcomes(check(world, partial)) == dict.fromkeys(checks, "not checked")


# --- what is altered ------------------------------------------------------------------------


def verdict_or_refusal(world: World, content: bytes, block: bytes) -> Verdict | None:
    try:
        return check_bytes(world, content, block=block)
    except (RecordInvalid, WrongLedger):
        return None


def placed_kind(placed: Placed) -> str:
    return type(placed.event).__name__


def test_whatever_is_altered_and_still_valid_is_what_the_verdict_calls_the_files_word(
    world: World, evidence: Evidence
) -> None:
    body = body_of(evidence.content)
    stood: set[tuple[str, str]] = set()
    for path in leaves(body):
        verdict = verdict_or_refusal(world, sealed_with(altered(body, path, change)), evidence.tip.hash)
        if verdict is not None and verdict.conclusion is Conclusion.VALID:
            where = placed_kind(evidence.events[path[1]]) if path[0] == "events" else ""
            stood.add((where, path[2] if len(path) > 2 else path[0]))
    everything = {placed_kind(placed) for placed in evidence.events}
    # Where and when something happened, and what there is of members who had no part in it.
    place = {(kind, part) for kind in everything for part in ("index", "transaction")}
    others = {
        ("KeyAdded", "topics"),
        ("KeyAdded", "data"),
        ("ThresholdSet", "data"),
        ("GovernanceSet", "data"),
    }
    assert stood <= place | others | {("", "hash"), ("", "time")}
    assert stood & others


def test_a_proof_with_more_than_it_needs_is_refused(world: World, evidence: Evidence) -> None:
    assert isinstance(world.ledger, EvmLedger)
    assert evidence.proof is not None
    more = world.ledger.prove([slot("keys", world.signers[VERIFIER].address)], evidence.tip.number)
    both = state_proof(evidence.proof.header, (*evidence.proof.nodes, *more.nodes))
    assert len(both.nodes) > len(evidence.proof.nodes)
    with pytest.raises(RecordInvalid, match="nothing needs"):
        check(world, replace(evidence, proof=both))


def test_a_proof_of_another_block_than_the_tip_is_refused(world: World, evidence: Evidence) -> None:
    moved = replace(evidence, tip=replace(evidence.tip, number=evidence.tip.number + 1))
    with pytest.raises(RecordInvalid, match="another block"):
        check(world, moved)


def test_a_contract_this_program_cannot_read_proves_nothing(world: World, evidence: Evidence) -> None:
    terms = replace(evidence.terms, code=bytes(32))
    verdict = check(world, replace(evidence, terms=terms), terms=terms)
    assert outcomes(verdict) == RESTING_ON_LEDGER
    assert "not one whose storage" in verdict.check(FINAL).reason


def test_steps_in_another_order_under_the_same_proof_are_found(world: World) -> None:
    data = world.step(ADMIN, "dataset", "collect", subject=digest("a"))
    world.step(ADMIN, data.artefact, "amend", subject=digest("b"))
    world.step(ADMIN, data.artefact, "amend", subject=digest("c"))
    evidence = made(world, data)
    *before, second, third = evidence.events
    assert isinstance(second.event, Acted)
    assert isinstance(third.event, Acted)
    swapped = (
        replace(second, event=replace(third.event, sequence=2)),
        replace(third, event=replace(second.event, sequence=3)),
    )
    forged = replace(evidence, events=(*before, *swapped))
    verdict = check(world, forged)
    assert verdict.check(HEAD).outcome.value == "invalid"


def test_evidence_made_without_a_proof_needs_no_prover(world: World, model: Made, tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_bytes(made(world, model, prover=None).content)
    assert outcomes(check_bytes(world, file.read_bytes())) == RESTING_ON_LEDGER
