"""What is meant by a file, an id or a record, and whether the bytes in hand are the artefact's (check 1)."""

import pytest

from proml.core.digest import hexed, sha256
from proml.core.verdict import BYTES, Conclusion, Outcome
from proml.errors import NotFound
from proml.verify import ByDigest, ById, ByRecord
from tests.unit.verify.world import ADMIN, DEVELOPER, VERIFIER, Shelf, World, digest, outcomes


@pytest.fixture
def world() -> World:
    return World()


def test_a_model_with_everything_in_order_is_valid(world: World) -> None:
    model = world.story()
    verdict = world.verify_text("model")
    assert verdict.conclusion is Conclusion.VALID
    assert outcomes(verdict) == {}
    assert verdict.stand.artefact == model.artefact
    assert (verdict.stand.kind, verdict.stand.name, verdict.stand.state) == ("model", "my model", "candidate")
    assert [deed.bytes_match for deed in verdict.deeds] == [True]


def test_without_bytes_in_hand_check_1_does_not_apply_and_spoils_nothing(world: World) -> None:
    verdict = world.verify(ById(world.story().artefact))
    assert verdict.check(BYTES).outcome is Outcome.NOT_APPLICABLE
    assert verdict.conclusion is Conclusion.VALID


def test_bytes_nobody_registered_are_not_found_and_the_hint_says_what_may_be(world: World) -> None:
    world.story()
    with pytest.raises(NotFound, match=hexed(digest("other"))) as refused:
        world.verify_text("other")
    assert "altered" in refused.value.hint


def test_an_id_nobody_registered_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="no artefact"):
        world.verify(ById(bytes(32)))


def test_other_bytes_than_the_artefacts_are_invalid_and_nothing_else_is(world: World) -> None:
    model = world.story()
    verdict = world.verify(ById(model.artefact, digest("swapped")))
    assert outcomes(verdict) == {BYTES: "invalid"}
    assert verdict.conclusion is Conclusion.INVALID
    assert "no step names those in hand" in verdict.check(BYTES).reason


def test_an_older_version_is_recognised_and_named_by_its_step(world: World) -> None:
    first = world.step(ADMIN, "dataset", "collect", subject=digest("one"))
    world.step(ADMIN, first.artefact, "amend", subject=digest("two"))
    world.step(ADMIN, first.artefact, "approve", subject=digest("two"))
    verdict = world.verify_text("one")
    assert outcomes(verdict) == {BYTES: "invalid"}
    reason = verdict.check(BYTES).reason
    assert "step 3 (approve) names other bytes" in reason
    assert "those in hand are the bytes of step 1" in reason
    assert [deed.bytes_match for deed in verdict.deeds] == [True, False, False]


def test_a_step_that_names_no_bytes_leaves_the_present_ones_as_they_were(world: World) -> None:
    data = world.step(ADMIN, "dataset", "collect", subject=digest("one"))
    world.step(ADMIN, data.artefact, "retire")
    assert world.verify_text("one").conclusion is Conclusion.VALID


def test_an_artefact_without_bytes_cannot_be_compared_with_any(world: World) -> None:
    run = world.run(world.dataset())
    verdict = world.verify(ById(run.artefact, digest("data")))
    assert outcomes(verdict) == {BYTES: "not checked"}


# --- private subjects -----------------------------------------------------------------------


def test_private_bytes_are_found_through_the_record_that_is_here(world: World) -> None:
    data = world.dataset("secret table", private=True)
    assert world.shared.artefacts[data.artefact]
    verdict = world.verify_text("secret table")
    assert verdict.stand.artefact == data.artefact
    assert verdict.conclusion is Conclusion.VALID


def test_private_bytes_are_nobodys_where_the_record_is_not(world: World) -> None:
    world.dataset("secret table", private=True)
    with pytest.raises(NotFound, match="nothing on this ledger"):
        world.verify(ByDigest(digest("secret table")), storages=[Shelf()])


def test_private_bytes_cannot_be_compared_without_their_record(world: World) -> None:
    data = world.dataset("secret table", private=True)
    verdict = world.verify(ById(data.artefact, digest("secret table")), storages=[])
    assert verdict.check(BYTES).outcome is Outcome.NOT_CHECKED
    assert verdict.conclusion is Conclusion.NOT_ENOUGH_EVIDENCE


def test_other_bytes_than_the_private_ones_are_invalid(world: World) -> None:
    data = world.dataset("secret table", private=True)
    assert outcomes(world.verify(ById(data.artefact, digest("other")))) == {BYTES: "invalid"}


def test_bytes_are_recognised_by_blake3_too(world: World) -> None:
    fast = sha256(b"stands for a BLAKE3")
    said = {"subject": {"sha256": hexed(digest("one")), "blake3": hexed(fast)}}
    data = world.step(ADMIN, "dataset", "collect", subject=digest("one"), record=said)
    assert world.verify(ById(data.artefact, fast)).conclusion is Conclusion.VALID
    assert world.verify(ByDigest(fast)).stand.artefact == data.artefact


# --- several that answer --------------------------------------------------------------------


def test_of_twins_the_first_is_verified_and_the_other_is_named(world: World) -> None:
    first = world.dataset("same")
    second = world.dataset("same")
    verdict = world.verify_text("same")
    assert verdict.stand.artefact == first.artefact
    assert [twin.artefact for twin in verdict.twins] == [second.artefact]
    assert verdict.conclusion is Conclusion.VALID
    assert "1 more" in verdict.notes[0]


def test_a_twin_that_has_the_bytes_now_goes_before_one_that_had_them(world: World) -> None:
    first = world.step(ADMIN, "dataset", "collect", subject=digest("same"))
    world.step(ADMIN, first.artefact, "amend", subject=digest("different"))
    second = world.dataset("same")
    verdict = world.verify_text("same")
    assert verdict.stand.artefact == second.artefact
    assert [(twin.artefact, twin.present) for twin in verdict.twins] == [(first.artefact, False)]


def test_a_recalled_twin_is_noted_and_takes_nothing_from_the_first(world: World) -> None:
    world.dataset("same")
    copy = world.dataset("same")
    world.step(ADMIN, copy.artefact, "recall")
    verdict = world.verify_text("same")
    assert verdict.conclusion is Conclusion.VALID
    assert verdict.twins[0].recalled
    assert any("recalled" in note for note in verdict.notes)


def test_a_record_leads_to_the_step_it_was_made_for(world: World) -> None:
    data = world.dataset()
    verdict = world.verify(ByRecord(data.record))
    assert verdict.stand.artefact == data.artefact
    assert "step 2" in verdict.question


def test_whoever_copies_a_record_does_not_take_it_over(world: World) -> None:
    data = world.dataset()
    copied = world.storage.kept[data.record]
    thief = world.step(ADMIN, "dataset", "collect", subject=digest("theirs"))
    world.copy_record(ADMIN, thief.artefact, "approve", digest("theirs"), data.record)
    assert world.storage.kept[data.record] == copied
    verdict = world.verify(ByRecord(data.record))
    assert verdict.stand.artefact == data.artefact
    assert verdict.conclusion is Conclusion.VALID
    assert "copied" in verdict.notes[0]
    # Without the record nobody says which step it was made for: then the first one is meant.
    assert world.verify(ByRecord(data.record), storages=[]).stand.artefact == data.artefact
    assert world.verify(ById(thief.artefact)).conclusion is Conclusion.INVALID


def test_a_record_nobody_put_on_the_ledger_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="no step"):
        world.verify(ByRecord(bytes(32)))


def test_all_that_is_shown_of_a_step_is_what_the_ledger_says(world: World) -> None:
    data = world.dataset()
    run = world.run(data)
    model = world.model(run)
    evaluation = world.step(VERIFIER, "evaluation", "plan", inputs=[model])
    evaluation = world.step(VERIFIER, evaluation.artefact, "pass", inputs=[model])
    world.step(VERIFIER, model.artefact, "evaluate", subject=digest("model"), inputs=[evaluation])
    verdict = world.verify(ById(model.artefact))
    assert [(deed.action, deed.state, deed.organisation_name) for deed in verdict.deeds] == [
        ("propose", "candidate", "Dev"),
        ("evaluate", "evaluated", "Véri"),
    ]
    assert verdict.deeds[0].key == world.signers[DEVELOPER].address
    assert verdict.deeds[0].when == "not after block 6 (2026-01-05 08:00:06 UTC)"
    assert verdict.stand.custodian == DEVELOPER
