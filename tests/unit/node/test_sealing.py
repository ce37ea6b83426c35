"""What a record and its step say that the script could not know: ids, sequences, whose bytes were used."""

from __future__ import annotations

from dataclasses import replace

from proml.capture.draft import Produced, Reference, RunEnded, RunStarted, StepAsked, Used
from proml.core.call import BatchCall, StepCall
from proml.core.digest import ZERO, hexed, sha256, unhexed
from proml.core.event import Acted, Registered
from proml.core.record import open_sealed, subject_commitment
from proml.journal import Journal
from proml.lifecycles import shipped
from tests.unit.node.place import Place, asked, collected, encode, produced, salt, subject, used

TABLE = sha256(b"table")


def steps(place: Place) -> list[Registered | Acted]:
    return [event for event in place.events() if isinstance(event, Registered | Acted)]


def of_other(place: Place, action: str, content: bytes, salt_: bytes | None = None) -> bytes:
    """The other organisation registers a dataset, its subject open for all to see; returns its id."""
    (dataset,) = [lifecycle for lifecycle in shipped() if lifecycle.kind == "dataset"]
    call = StepCall(
        salt_ or unhexed(salt()), 1, dataset.action_number(action), 1, unhexed(salt()), sha256(content)
    )
    (event,) = place.send(BatchCall(steps=(call,)), place.other)
    assert isinstance(event, Registered)
    return event.artefact


# --- records ---------------------------------------------------------------------------------------


def test_a_record_is_what_its_commitment_on_the_ledger_opens(place):
    place.write(collected())
    place.push()
    (event,) = steps(place)
    sealed = open_sealed(place.storage.get(event.record))
    assert sealed.commitment == event.record
    assert sealed.record["artefact"] == hexed(event.artefact)
    assert sealed.record["sequence"] == 1
    assert sealed.record["action"] == "collect"
    assert sealed.record["actor"] == {"organisation": 1, "key": hexed(place.signer.address)}
    assert sealed.record["subject"]["sha256"] == hexed(TABLE)


def test_two_records_of_the_same_words_have_nothing_in_common(place):
    place.write(collected(), collected())
    place.push()
    first, second = steps(place)
    assert first.record != second.record
    assert first.subject != second.subject


def test_a_dataset_is_private_and_a_model_discoverable(place):
    place.write(collected())
    place.run(produced(b"weights"))
    place.push()
    dataset = next(event for event in steps(place) if isinstance(event, Registered) and event.lifecycle == 1)
    model = steps(place)[-1]
    sealed = open_sealed(place.storage.get(dataset.record))
    assert dataset.subject == subject_commitment(sealed.key, TABLE) != TABLE
    assert model.subject == sha256(b"weights")


def test_a_step_without_a_subject_says_zero(place):
    place.run()
    place.push()
    assert {event.subject for event in steps(place)} == {ZERO}


# --- sequences -------------------------------------------------------------------------------------


def test_steps_queued_together_expect_the_sequences_they_will_find(place):
    place.write(
        collected(),
        asked("approve"),
        asked("amend", subject=subject(b"better")),
        asked("approve", reference=Reference(subject=subject(b"better")), subject=subject(b"better")),
    )
    place.push()
    assert [event.sequence for event in steps(place)] == [1, 2, 3, 4]
    assert len({event.artefact for event in steps(place)}) == 1
    place.check()


def test_steps_queued_in_one_push_and_sent_in_the_next_go_on_counting(place):
    place.write(collected())
    place.seal()
    place.write(asked("approve"))
    place.seal()
    assert [intent.call["sequence"] for intent in place.intents()] == [1, 2]
    place.push()
    assert place.labels("done") == ["collect dataset digits", "approve dataset"]
    place.check()


def test_after_a_refusal_the_count_is_that_of_the_ledger(place):
    place.write(collected(), asked("retire"), asked("approve"))
    place.push()
    assert place.labels("refused") == ["approve dataset"]
    place.write(collected(b"second", name="second"), asked("approve", b"second"))
    place.push()
    assert place.labels("done")[-2:] == ["collect dataset second", "approve dataset"]
    place.check()


def test_a_step_by_another_organisation_in_between_is_counted(place):
    place.write(collected())
    place.push()
    (registered,) = steps(place)
    label = StepCall(registered.artefact, 0, 2, 2, unhexed(salt()), sha256(b"labelled"))
    place.send(BatchCall(steps=(label,)), place.other)
    place.write(asked("approve"))
    place.push()
    assert [event.sequence for event in steps(place)] == [1, 2, 3]
    place.check()


def test_whoever_moved_the_artefact_first_wins_and_the_other_is_told(place):
    place.write(collected())
    place.push()
    place.write(asked("approve"))
    place.seal()
    (registered,) = steps(place)
    label = StepCall(registered.artefact, 0, 2, 2, unhexed(salt()), sha256(b"labelled"))
    place.send(BatchCall(steps=(label,)), place.other)
    place.push()
    assert place.labels("refused") == ["approve dataset"]
    assert "somebody else moved the artefact first" in place.reason("approve dataset")
    place.check()


# --- inputs ----------------------------------------------------------------------------------------


def test_bytes_mean_the_artefact_that_had_them_first(place):
    first = of_other(place, "collect", b"table")
    of_other(place, "collect", b"table")
    place.run(used(), outcome="failed")
    place.push()
    entry = place.records()["fail run train"]["inputs"][0]
    assert (entry["artefact"], entry["sequence"], entry["digest"]) == (hexed(first), 1, hexed(TABLE))


def test_ones_own_private_bytes_are_known_again(place):
    place.write(collected(), asked("approve"))
    place.push()
    place.run(used())
    place.push()
    (entry,) = place.records()["finish run train"]["inputs"]
    assert entry == {
        "part": "data",
        "artefact": hexed(steps(place)[0].artefact),
        "sequence": 2,
        "digest": hexed(TABLE),
    }
    assert place.labels("done")[-1] == "finish run train"


def test_a_copy_registered_later_does_not_take_the_history_over(place):
    place.write(collected(name="original"), asked("approve"))
    place.push()
    of_other(place, "collect", b"table")
    place.run(used(), outcome="failed")
    place.push()
    entry = place.records()["fail run train"]["inputs"][0]
    assert entry["artefact"] == place.records()["collect dataset original"]["artefact"]


def test_bytes_nobody_registered_stand_in_the_record_and_not_on_the_ledger(place):
    place.run(used(b"a", "data"), used(b"b", "labels"))
    place.push()
    listed = place.records()["finish run train"]["inputs"]
    assert [(entry["part"], entry["sha256"]) for entry in listed] == [
        ("data", hexed(sha256(b"a"))),
        ("labels", hexed(sha256(b"b"))),
    ]
    assert steps(place)[-1].inputs == ()


def test_an_input_named_twice_is_one_input_and_another_part_is_listed_again(place):
    place.write(collected(), asked("approve"))
    place.push()
    place.run(used(part="train"), used(part="train"), used(part="test"))
    place.push()
    assert [entry["part"] for entry in place.records()["finish run train"]["inputs"]] == ["train", "test"]
    assert len(steps(place)[-1].inputs) == 1


def test_what_was_registered_a_moment_ago_can_be_named_by_its_salt(place):
    run, model, evaluation = salt(), salt(), salt()
    place.write(
        RunStarted(run, "train", 1.0),
        Produced(run, subject(), "model", "m", model),
        RunEnded(run, 2.0, "finished"),
        StepAsked(
            "evaluation", "plan", 2.0, salt=evaluation, name="e", inputs=((Reference(salt=model), "model"),)
        ),
        StepAsked("evaluation", "pass", 2.0, reference=Reference(salt=evaluation)),
    )
    place.push()
    assert place.labels("done")[-2:] == ["plan evaluation e", "pass evaluation"]
    chronicle_ids = {label: record["artefact"] for label, record in place.records().items()}
    (entry,) = place.records()["plan evaluation e"]["inputs"]
    assert entry["artefact"] == chronicle_ids["propose model m"]
    place.check()


def test_an_artefact_can_be_named_by_its_id_or_by_the_digest_of_its_bytes(place):
    place.write(collected())
    place.push()
    artefact = hexed(steps(place)[0].artefact)
    place.write(asked("approve", reference=Reference(artefact=artefact)))
    place.push()
    place.write(asked("amend", reference=Reference(artefact=hexed(TABLE)), subject=subject(b"better")))
    place.push()
    assert [hexed(event.artefact) for event in steps(place)] == [artefact] * 3


def test_an_input_by_an_id_of_nobody_is_refused_here(place):
    nobody = salt()
    place.run(Used("", Reference(artefact=nobody), "data"))
    place.push()
    assert place.labels("invalid") == ["finish run train", "name the inputs of run train"]
    assert "fail run train" in place.labels("done")
    assert nobody in place.reason("finish run train")


def test_more_inputs_than_the_contract_takes_are_refused_here_and_block_nothing(place):
    salts = [salt() for _ in range(33)]
    place.write(*[collected(bytes([n]), f"d{n}", each) for n, each in enumerate(salts)])
    place.push()
    place.run(*[Used("", Reference(salt=each), "data") for each in salts], outcome="failed", name="wide")
    place.run(name="narrow")
    place.push()
    assert place.labels("invalid") == ["name the inputs of run wide"]
    assert "32 registered inputs at most" in place.reason("name the inputs of run wide")
    assert "fail run wide" in place.labels("done")
    assert "finish run narrow" in place.labels("done")


def test_bytes_of_a_refused_step_are_not_those_of_the_step_that_took_its_place(place):
    place.write(collected())
    place.push()
    place.write(asked("label", subject=subject(b"mine")))
    place.seal()
    (registered,) = steps(place)
    label = StepCall(registered.artefact, 0, 2, 2, unhexed(salt()), sha256(b"theirs"))
    place.send(BatchCall(steps=(label,)), place.other)
    place.push()
    assert place.labels("refused") == ["label dataset"]
    place.run(used(b"mine"))
    place.push()
    (entry,) = place.records()["finish run train"]["inputs"]
    assert "artefact" not in entry


def test_a_run_whose_start_was_refused_ends_here(place):
    with Journal(place.folder) as journal:
        run = salt()
        journal.append(encode(RunStarted(run, "train", 1.0)))
        place.seal()
        # The start meets an artefact that has its id: somebody restored an older outbox, say.
        call = StepCall(unhexed(run), 2, 1, 1, unhexed(salt()), ZERO)
        place.send(BatchCall(steps=(call,)), place.signer)
        place.push(reconcile=True)
        journal.append(encode(RunEnded(run, 2.0, "finished")))
    place.push()
    assert place.labels("refused") == ["start run train"]
    # The other start is this key's too, so its run can be ended.
    assert place.labels("done") == ["step found on the ledger", "finish run train"]


def test_an_end_without_a_registration_is_refused_here(place):
    place.write(replace(asked("approve"), reference=Reference(salt=salt())))
    place.push()
    assert [intent.state for intent in place.intents()] == ["invalid"]
    assert place.events() == []
