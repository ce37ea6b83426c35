"""Situations in which a push once wrote the wrong thing, or lost the right one."""

from __future__ import annotations

import pytest

from proml.capture.draft import Produced, Reference, StepAsked, Used
from proml.core.event import Acted, Registered
from proml.errors import StorageProblem
from tests.unit.node.place import Place, salt, subject


def asked(action: str, kind: str = "artefact", **more: object) -> StepAsked:
    return StepAsked(kind=kind, action=action, at=1.0, **more)  # type: ignore[arg-type]


def test_an_action_of_another_lifecycle_is_never_sent_under_a_number_of_this_one(place: Place) -> None:
    made = salt()
    place.write(
        asked("collect", "dataset", salt=made, name="d", subject=subject()),
        asked("deploy", reference=Reference(salt=made), subject=subject()),
    )
    place.push()
    assert place.labels("invalid") == ["deploy artefact"]
    assert [type(event) for event in place.events()] == [Registered]


def test_a_step_on_what_is_registered_in_the_same_push_uses_its_lifecycle(place: Place) -> None:
    made = salt()
    place.write(
        asked("list", "dependency", salt=made, name="library"),
        asked("recall", reference=Reference(salt=made)),
    )
    place.push()
    assert place.labels("done") == ["list dependency library", "recall dependency"]


def test_a_run_with_an_input_that_cannot_be_told_fails_with_the_reason(place: Place) -> None:
    place.run(
        Used("", Reference(artefact="0x" + "ab" * 32), "data"), Produced("", subject(), "model", "m", salt())
    )
    place.push()
    assert place.labels("done") == ["start run train", "fail run train"]
    assert "not on the ledger" in place.reason("finish run train")


def test_an_end_refused_for_an_unusable_input_is_offered_again_when_it_is_usable(place: Place) -> None:
    data = salt()
    place.write(asked("collect", "dataset", salt=data, name="d", subject=subject(b"d")))
    place.push()
    place.run(Used("", Reference(subject=subject(b"d")), "data"))
    place.push()
    assert place.labels("refused") == ["finish run train"]
    place.push()
    assert place.labels("refused") == ["finish run train"], "not offered while nothing changed"
    place.write(asked("approve", reference=Reference(subject=subject(b"d")), subject=subject(b"d")))
    place.push()
    place.push()
    assert place.labels("done")[-1] == "finish run train"
    (finish,) = [each for each in place.events() if isinstance(each, Acted) and each.inputs]
    assert len(finish.inputs) == 1
    place.push()
    assert len(place.labels("done")) == 4, "and not a third time"


def test_a_tracked_run_cannot_be_finished_without_its_inputs(place: Place) -> None:
    data = salt()
    place.write(asked("collect", "dataset", salt=data, name="d", subject=subject(b"d")))
    place.push()
    run = place.run(Used("", Reference(subject=subject(b"d")), "data"))
    place.push()
    before = place.events()
    place.write(asked("finish", reference=Reference(salt=run)))
    place.push()
    assert "finishes with what it used" in place.reason("finish artefact")
    assert place.events() == before


def test_a_lost_outbox_is_refused_and_nothing_is_sent_twice(place: Place) -> None:
    place.run()
    place.push()
    before = place.events()
    place.path.unlink()
    with pytest.raises(StorageProblem, match="the outbox is empty"):
        place.push()
    assert place.events() == before


def test_with_a_lost_outbox_what_is_there_may_be_taken_over(place: Place) -> None:
    place.run()
    place.push()
    before = place.events()
    place.path.unlink()
    place.push(reconcile=True)
    assert place.events() == before
    assert place.labels("done") == ["start run train", "finish run train"]
