"""A model that was saved again: other bytes, the same tensors. Told as just that, never as valid."""

from typing import Any

import pytest

from proml.core.content import Content
from proml.core.digest import hexed
from proml.core.verdict import BYTES, RECALL, RECORDS, Conclusion, Outcome, Verdict
from proml.errors import NotFound
from proml.node.gatekeeping import Policy, decide
from proml.verify import ByDigest, ById, Pins, Showing, check_evidence, enough, make_evidence, read_ledger
from tests.unit.verify.world import ADMIN, DEVELOPER, PROFILES, Made, World, digest

SAID = Content("safetensors", digest("these tensors"))


def subject(text: str, said: Content | None = SAID) -> dict[str, Any]:
    named = {"form": said.form, "content": hexed(said.digest)} if said else {}
    return {"subject": {"name": "model.safetensors", "sha256": hexed(digest(text)), **named}}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def model(world: World) -> Made:
    run = world.run(world.dataset())
    return world.step(
        DEVELOPER, "model", "propose", subject=digest("model"), inputs=[run], record=subject("model")
    )


def verify(world: World, text: str, said: Content | None = SAID, **others: Any) -> Verdict:
    return world.verify(ByDigest(digest(text), said), **others)


def test_the_recorded_bytes_are_valid_whatever_they_say(world: World, model: Made) -> None:
    assert verify(world, "model").conclusion is Conclusion.VALID
    assert verify(world, "model", None).conclusion is Conclusion.VALID


def test_saved_again_it_is_found_and_neither_valid_nor_invalid(world: World, model: Made) -> None:
    verdict = verify(world, "saved again")
    assert verdict.stand.artefact == model.artefact
    assert verdict.conclusion is Conclusion.EQUAL_CONTENT
    check = verdict.check(BYTES)
    assert check.outcome is Outcome.EQUAL_CONTENT
    assert "names other bytes that say the same" in check.reason
    assert verdict.document()["conclusion"] == "equal content, other bytes"
    assert not any(deed.bytes_match for deed in verdict.deeds)


def test_the_gate_stays_shut_for_equal_content(world: World, model: Made) -> None:
    verdict = verify(world, "saved again")
    demands = decide(Policy(), verdict)
    assert [demand.text for demand in demands if not demand.met] == ["1. bytes match"]


@pytest.mark.parametrize(
    "said",
    [None, Content("safetensors", digest("other tensors")), Content("numpy", SAID.digest)],
    ids=["no content digest", "another", "of another form"],
)
def test_whatever_says_something_else_is_unknown_or_invalid(
    world: World, model: Made, said: Content | None
) -> None:
    with pytest.raises(NotFound):
        verify(world, "swapped", said)
    verdict = world.verify(ById(model.artefact, digest("swapped"), said))
    assert verdict.conclusion is Conclusion.INVALID
    assert verdict.check(BYTES).outcome is Outcome.INVALID


def test_what_an_earlier_step_said_is_not_what_the_artefact_says(world: World) -> None:
    data = world.step(ADMIN, "dataset", "collect", subject=digest("a"), record=subject("a"))
    other = Content("safetensors", digest("amended"))
    world.step(ADMIN, data.artefact, "amend", subject=digest("b"), record=subject("b", other))
    assert verify(world, "a again").conclusion is Conclusion.INVALID
    assert verify(world, "b again", other).conclusion is Conclusion.EQUAL_CONTENT


def test_equal_content_hides_nothing_else_that_is_wrong(world: World) -> None:
    data = world.step(ADMIN, "dataset", "collect", subject=digest("a"), record=subject("a"))
    world.step(ADMIN, data.artefact, "approve", subject=digest("a"), record=subject("a"))
    world.step(ADMIN, data.artefact, "recall")
    verdict = verify(world, "saved again")
    assert verdict.conclusion is Conclusion.INVALID
    assert verdict.check(RECALL).outcome is Outcome.INVALID
    assert verdict.check(BYTES).outcome is Outcome.EQUAL_CONTENT


def test_without_the_record_nobody_knows_what_the_bytes_said(world: World, model: Made) -> None:
    del world.storage.kept[model.record]
    with pytest.raises(NotFound):
        verify(world, "saved again")
    verdict = world.verify(ById(model.artefact, digest("saved again"), SAID))
    assert verdict.check(BYTES).outcome is Outcome.NOT_CHECKED
    assert verdict.check(RECORDS).outcome is Outcome.NOT_CHECKED


def test_an_evidence_file_tells_equal_content_too(world: World, model: Made) -> None:
    grounds = read_ledger(world.ledger, PROFILES)
    made = make_evidence(grounds, [world.storage], world.lifecycles, model.artefact, Showing(choice=enough))
    pins = Pins(world.ledger.terms, None, PROFILES)
    verdict = check_evidence(made.content, pins, world.lifecycles, digest("saved again"), SAID)
    assert verdict.check(BYTES).outcome is Outcome.EQUAL_CONTENT
    # Nothing is proven without a pinned block, and equal content does not make up for that.
    assert verdict.conclusion is Conclusion.NOT_ENOUGH_EVIDENCE


def test_a_private_subject_is_found_by_what_it_says(world: World) -> None:
    world.step(ADMIN, "dataset", "collect", subject=digest("a"), private=True, record=subject("a"))
    assert verify(world, "a").conclusion is Conclusion.VALID
    assert verify(world, "a again").conclusion is Conclusion.EQUAL_CONTENT
