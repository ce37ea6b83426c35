"""Checking an evidence file without any proof: what is checked, what is left open, and what is found."""

import json
from dataclasses import replace
from typing import Any

import pytest

from proml.core.digest import hexed, sha256
from proml.core.verdict import (
    ACTORS,
    BYTES,
    FINAL,
    HEAD,
    INPUTS,
    LEGAL,
    OBSERVATIONS,
    RECALL,
    RECORDS,
    Conclusion,
    Outcome,
    Verdict,
)
from proml.errors import RecordInvalid, WrongLedger
from proml.trust import Profile
from proml.verify import Evidence, Pins, Showing, check_evidence, enough, make_evidence, read_ledger
from proml.verify.evidence import Shown
from tests.unit.verify.world import ADMIN, DEVELOPER, LIFECYCLES, PROFILES, Made, World, digest, outcomes

# What nobody can say without the ledger.
OPEN = dict.fromkeys((HEAD, ACTORS, INPUTS, RECALL, FINAL, OBSERVATIONS), "not checked")


@pytest.fixture
def world() -> World:
    return World()


def made(world: World, artefact: Made, showing: Showing | None = None) -> Evidence:
    grounds = read_ledger(world.ledger, PROFILES)
    chosen = showing or Showing(batches=True)
    return make_evidence(grounds, [world.storage], world.lifecycles, artefact.artefact, chosen)


def check(world: World, evidence: Evidence, text: str | None = None, **pins: Any) -> Verdict:
    pinned = Pins(**({"terms": world.ledger.terms, "profiles": PROFILES} | pins))
    wanted = digest(text) if text else None
    return check_evidence(evidence.content, pinned, world.lifecycles, wanted)


def salts(evidence: Evidence) -> list[bytes | None]:
    return [record.subject_salt for record in evidence.records if isinstance(record, Shown)]


def with_salt(evidence: Evidence, salt: bytes | None) -> Evidence:
    shown = [replace(record, subject_salt=salt) for record in evidence.records if isinstance(record, Shown)]
    return replace(evidence, records=tuple(shown))


def test_without_a_proof_only_the_file_itself_can_be_checked(world: World) -> None:
    verdict = check(world, made(world, world.story()), "model")
    assert outcomes(verdict) == OPEN
    assert verdict.conclusion is Conclusion.NOT_ENOUGH_EVIDENCE
    assert "maker's word" in verdict.check(HEAD).reason
    assert verdict.check(RECORDS).outcome is Outcome.VALID
    assert not verdict.deeds[0].block_known
    assert verdict.deeds[0].when.startswith("as the file says")


def test_the_verdict_names_the_file_it_is_about(world: World) -> None:
    evidence = made(world, world.story())
    body = evidence.content[90:-1]
    assert check(world, evidence).grounds == f"evidence file {hexed(sha256(body))}"


def test_without_pins_the_file_only_speaks_for_itself(world: World) -> None:
    evidence = made(world, world.story())
    verdict = check_evidence(evidence.content, Pins(), world.lifecycles)
    assert outcomes(verdict) == OPEN
    assert "nobody pinned the ledger" in verdict.check(FINAL).reason
    assert "names of organisations are the file's word: 1, 2, 3" in verdict.notes


def test_evidence_of_another_ledger_is_refused(world: World) -> None:
    evidence = made(world, world.story())
    with pytest.raises(WrongLedger):
        check(world, evidence, terms=replace(world.ledger.terms, chain_id=1))


def test_a_lifecycle_only_the_file_knows_is_not_taken_for_the_ledgers(world: World) -> None:
    evidence = made(world, world.story())
    verdict = check_evidence(evidence.content, Pins(world.ledger.terms), [LIFECYCLES["dataset"]])
    assert outcomes(verdict) == OPEN | {LEGAL: "not checked"}
    assert "only the file says" in verdict.check(LEGAL).reason
    assert verdict.deeds[0].action == "propose"


def test_bytes_in_hand_are_compared(world: World) -> None:
    evidence = made(world, world.story())
    assert outcomes(check(world, evidence, "other")) == OPEN | {BYTES: "invalid"}
    assert check(world, evidence).check(BYTES).outcome is Outcome.NOT_APPLICABLE


def test_what_was_found_on_the_ledger_is_found_in_the_file(world: World) -> None:
    data = world.dataset()
    run = world.run(data, digests={data.artefact: digest("other")})
    model = world.model(run)
    world.step(ADMIN, data.artefact, "recall")
    verdict = check(world, made(world, model))
    assert outcomes(verdict) == OPEN | {INPUTS: "invalid", RECALL: "invalid"}
    assert verdict.check(RECALL).findings[0].path == (data.artefact, run.artefact, model.artefact)


def test_a_member_under_a_false_name_is_found(world: World) -> None:
    evidence = made(world, world.story())
    false = replace(evidence, profiles={**PROFILES, ADMIN: Profile("Somebody Respected", bytes(32))})
    verdict = check(world, false, profiles={})
    assert verdict.check(ACTORS).outcome is Outcome.INVALID
    # The checker's own names go before those of the file.
    verdict = check(world, evidence, profiles={DEVELOPER: Profile("Wrong", bytes(32))})
    assert "Wrong" in verdict.check(ACTORS).reason
    assert verdict.check(ACTORS).outcome is Outcome.INVALID


def test_a_step_left_out_or_altered_is_found(world: World) -> None:
    data = world.dataset()
    evidence = made(world, data)
    *before, last = evidence.events
    shorter = replace(evidence, events=tuple(before))
    with pytest.raises(RecordInvalid, match="no step"):
        check(world, shorter)  # its record is still there
    shorter = replace(shorter, records=evidence.records[:1])
    # Nothing in the file contradicts this one: only the ledger's head could, and it is not proven.
    assert outcomes(check(world, shorter)) == dict.fromkeys(OPEN, "not checked")
    assert not isinstance(last.event, tuple)
    forged = replace(last, event=replace(last.event, record=evidence.records[0].commitment))  # type: ignore[call-arg]
    verdict = check(world, replace(evidence, events=(*before, forged), records=evidence.records[:1]))
    assert verdict.check(RECORDS).outcome is Outcome.INVALID


# --- disclosures ----------------------------------------------------------------------------


def test_a_disclosure_of_what_the_checks_need_is_enough_and_shows_nothing_else(world: World) -> None:
    data = world.dataset("secret", private=True)
    model = world.model(world.run(data, digests={data.artefact: digest("secret")}), private=True)
    evidence = made(world, model, Showing(enough))
    assert outcomes(check(world, evidence, "model")) == OPEN
    assert check(world, evidence, "model").check(BYTES).outcome is Outcome.VALID
    assert b"depth" not in evidence.content
    assert b"my model" not in evidence.content
    assert (
        sum(record.subject_salt is not None for record in evidence.records if isinstance(record, Shown)) == 3
    )


def test_a_part_of_a_record_that_is_not_shown_is_named(world: World) -> None:
    data = world.dataset()
    shown = Showing(lambda _: ("artefact", "sequence", "subject"))
    verdict = check(world, made(world, data, shown))
    assert outcomes(verdict) == OPEN | {RECORDS: "not checked"}
    assert "kind, action, actor, inputs is not shown" in verdict.check(RECORDS).reason


def test_a_private_subject_without_its_salt_leaves_the_event_unopened(world: World) -> None:
    data = world.dataset("secret", private=True)
    evidence = made(world, data, Showing(enough))
    verdict = check(world, with_salt(evidence, None), "secret")
    assert outcomes(verdict) == OPEN | {RECORDS: "not checked"}
    # The record says which bytes, and the event commits to the record.
    assert verdict.check(BYTES).outcome is Outcome.VALID


def test_a_false_salt_is_found(world: World) -> None:
    data = world.dataset("secret", private=True)
    evidence = made(world, data, Showing(enough))
    false = tuple(
        replace(each, subject_salt=bytes(32)) for each in evidence.records if isinstance(each, Shown)
    )
    assert check(world, replace(evidence, records=false)).check(RECORDS).outcome is Outcome.INVALID


def test_a_hidden_subject_leaves_the_bytes_open(world: World) -> None:
    data = world.dataset("secret", private=True)
    verdict = check(world, made(world, data, Showing(lambda _: ("name",))), "secret")
    assert verdict.check(BYTES).outcome is Outcome.NOT_CHECKED


def test_a_record_left_out_is_named(world: World) -> None:
    data = world.dataset()
    verdict = check(
        world, made(world, data, Showing(lambda commitment: () if commitment == data.record else None))
    )
    assert outcomes(verdict) == OPEN | {RECORDS: "not checked"}
    assert hexed(data.record) in verdict.check(RECORDS).reason


# --- observations ---------------------------------------------------------------------------


def test_observations_that_were_left_out_are_missed_where_their_run_is_the_matter(world: World) -> None:
    run = world.run(world.dataset(), observations=[world.observe(DEVELOPER)])
    verdict = check(world, made(world, run, Showing(batches=False)))
    assert "not to be had" in verdict.check(OBSERVATIONS).reason
    assert "not to be had" not in check(world, made(world, run)).check(OBSERVATIONS).reason


def test_anchors_that_were_left_out_are_missed_and_not_called_false(world: World) -> None:
    run = world.run(world.dataset(), observations=[world.observe(DEVELOPER)])
    evidence = made(world, run)
    without = tuple(each for each in evidence.events if type(each.event).__name__ != "Anchored")
    verdict = check(world, replace(evidence, events=without))
    assert verdict.check(OBSERVATIONS).outcome is Outcome.NOT_CHECKED
    assert "their anchor is not here" in verdict.check(OBSERVATIONS).reason


def test_anchors_out_of_turn_are_found(world: World) -> None:
    world.observe(DEVELOPER, count=5)
    run = world.run(world.dataset(), observations=[world.observe(DEVELOPER)])
    evidence = made(world, run)
    first = next(each for each in evidence.events if type(each.event).__name__ == "Anchored")
    without = tuple(each for each in evidence.events if each is not first)
    verdict = check(world, replace(evidence, events=without))
    assert verdict.check(OBSERVATIONS).outcome is Outcome.INVALID


def test_a_copied_record_is_in_the_file_once(world: World) -> None:
    data = world.dataset()
    thief = world.step(ADMIN, "dataset", "collect", subject=digest("theirs"), inputs=[data])
    world.copy_record(ADMIN, thief.artefact, "approve", digest("theirs"), data.record)
    evidence = made(world, thief)
    assert len(evidence.records) == 3
    assert check(world, evidence).check(RECORDS).outcome is Outcome.INVALID


def test_evidence_is_plain_json(world: World) -> None:
    document = json.loads(made(world, world.story()).content)
    assert set(document) == {"digest", "evidence"}
    assert document["evidence"]["proof"] is None
