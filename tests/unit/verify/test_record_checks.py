"""What records say, each check failing alone: 2 (records), 6 (inputs), 9 (observations)."""

import pytest

from proml.core.digest import hexed, sha256
from proml.core.lifecycle_file import read_lifecycle
from proml.core.verdict import (
    INPUTS,
    OBSERVATIONS,
    RECALL,
    RECORDS,
    Conclusion,
    Outcome,
)
from proml.interfaces import Standing
from proml.verify import ById, judging
from proml.verify.sheet import MAX_FINDINGS
from tests.unit.verify.world import (
    ADMIN,
    DEVELOPER,
    LIFECYCLES,
    LyingLedger,
    Made,
    Shelf,
    World,
    digest,
    outcomes,
)


@pytest.fixture
def world() -> World:
    return World()


def signs(said: str) -> bytes:
    """Bytes that are no sealed record."""
    return b'{"type":"%s"}' % said.encode()


# --- 2: records ------------------------------------------------------------------------------


def test_2_a_missing_record_is_named_and_proves_nothing_either_way(world: World) -> None:
    data = world.dataset()
    del world.storage.kept[data.record]
    verdict = world.verify(ById(data.artefact))
    # Whether it names observations is not known either.
    assert outcomes(verdict) == {RECORDS: "not checked", OBSERVATIONS: "not checked"}
    (finding,) = verdict.check(RECORDS).findings
    assert "step 2 (approve)" in finding.text
    assert hexed(data.record) in finding.text
    assert (finding.artefact, finding.sequence, finding.organisation) == (data.artefact, 2, ADMIN)
    assert [deed.has_record for deed in verdict.deeds] == [True, False]


@pytest.mark.parametrize("careless", [False, True])
def test_2_a_record_edited_in_storage_is_found(world: World, careless: bool) -> None:
    data = world.dataset()
    kept = world.storage.kept[data.record]
    world.storage.kept[data.record] = kept.replace(b'"depth":3', b'"depth":4')
    world.storage.careless = careless
    verdict = world.verify(ById(data.artefact))
    assert verdict.check(RECORDS).outcome is Outcome.INVALID
    assert "tampered" in verdict.check(RECORDS).reason
    assert verdict.conclusion is Conclusion.INVALID


HOSTILE = {
    "empty": b"",
    "not JSON": b"\x00\xff",
    "another document": b'{"type":"proml/sealed-record"}',
    "deep": b'{"record":' + b"[" * 100_000,
    "NaN": b'{"record":NaN}',
    "duplicates": b'{"record":1,"record":2}',
    "giant": b'{"record":"' + b"a" * (5 * 1024 * 1024) + b'"}',
    "giant number": b'{"record":' + b"9" * 100_000 + b"}",
    "half a surrogate pair": b'{"record":"\\ud800"}',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_2_hostile_bytes_in_place_of_a_record_are_found_and_do_no_harm(world: World, content: bytes) -> None:
    data = world.dataset()
    world.storage.kept[data.record] = content
    world.storage.careless = True
    verdict = world.verify(ById(data.artefact))
    assert verdict.check(RECORDS).outcome is Outcome.INVALID
    assert len(verdict.check(RECORDS).reason) < 1_000


def test_2_a_storage_that_keeps_something_else_is_passed_over_and_noted(world: World) -> None:
    data = world.dataset()
    bad = Shelf({data.record: signs("no record")}, careless=True)
    verdict = world.verify(ById(data.artefact), storages=[bad, world.storage])
    assert verdict.conclusion is Conclusion.VALID
    assert "another copy was used" in verdict.notes[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("artefact", hexed(bytes(32))),
        ("kind", "model"),
        ("action", "amend"),
        ("sequence", 7),
        ("actor", {"organisation": DEVELOPER, "key": "0x" + "11" * 20}),
        ("actor", {"organisation": ADMIN, "key": "0x" + "11" * 20}),
        ("subject", {"sha256": hexed(digest("other"))}),
        ("subject", None),
        ("inputs", [{"artefact": hexed(bytes(32)), "sequence": 1}]),
    ],
)
def test_2_a_record_that_disagrees_with_its_event_is_found(world: World, field: str, value: object) -> None:
    data = world.step(ADMIN, "dataset", "collect", subject=digest("data"), record={field: value})
    assert outcomes(world.verify(ById(data.artefact))) == {RECORDS: "invalid"}


def test_2_a_record_that_names_bytes_where_the_event_names_none_is_found(world: World) -> None:
    run = world.step(DEVELOPER, "run", "start", record={"subject": {"sha256": hexed(digest("data"))}})
    assert outcomes(world.verify(ById(run.artefact))) == {RECORDS: "invalid"}


def test_2_a_private_subject_that_is_not_what_the_record_says_is_found(world: World) -> None:
    said = {"subject": {"sha256": hexed(digest("claimed"))}}
    data = world.step(ADMIN, "dataset", "collect", subject=digest("real"), private=True, record=said)
    assert outcomes(world.verify(ById(data.artefact))) == {RECORDS: "invalid"}


def test_2_one_input_may_play_two_parts(world: World) -> None:
    data = world.dataset()
    entry = {"artefact": hexed(data.artefact), "sequence": data.sequence}
    said = [{**entry, "part": "training data"}, {**entry, "part": "test data"}]
    run = world.run(data, inputs=said)
    assert world.verify(ById(run.artefact)).conclusion is Conclusion.VALID


def test_2_findings_without_number_do_not_fill_the_memory(world: World) -> None:
    data = world.step(ADMIN, "dataset", "collect", subject=digest("0"))
    for number in range(30):
        world.step(ADMIN, data.artefact, "amend", subject=digest(str(number)))
    check = world.verify(ById(data.artefact), storages=[]).check(RECORDS)
    assert len(check.findings) == MAX_FINDINGS
    assert check.more == 31 - MAX_FINDINGS


# --- 6: inputs -------------------------------------------------------------------------------


def test_6_other_bytes_than_the_input_had_are_found(world: World) -> None:
    data = world.dataset()
    run = world.run(data, digests={data.artefact: digest("not the data")})
    verdict = world.verify(ById(run.artefact))
    assert outcomes(verdict) == {INPUTS: "invalid"}
    assert "were not its bytes then" in verdict.check(INPUTS).reason


def test_6_the_bytes_an_input_had_at_that_sequence_count_not_those_it_has_now(world: World) -> None:
    data = world.dataset("old")
    run = world.run(data, digests={data.artefact: digest("old")})
    world.step(ADMIN, data.artefact, "amend", subject=digest("new"))
    assert world.verify(ById(run.artefact)).conclusion is Conclusion.VALID


def test_6_a_private_input_is_compared_through_its_own_record(world: World) -> None:
    data = world.dataset("secret", private=True)
    right = world.run(data, digests={data.artefact: digest("secret")})
    wrong = world.run(data, digests={data.artefact: digest("other")})
    assert world.verify(ById(right.artefact)).conclusion is Conclusion.VALID
    assert outcomes(world.verify(ById(wrong.artefact))) == {INPUTS: "invalid"}
    del world.storage.kept[data.record]
    assert outcomes(world.verify(ById(right.artefact))) == {INPUTS: "not checked"}


def test_6_an_input_on_no_ledger_is_not_enough_evidence_and_named(world: World) -> None:
    data = world.dataset()
    entry = {"artefact": hexed(data.artefact), "sequence": 2}
    stray = {"sha256": hexed(digest("from the web")), "part": "dictionary"}
    run = world.run(data, inputs=[entry, stray])
    verdict = world.verify(ById(run.artefact))
    assert outcomes(verdict) == {INPUTS: "not checked"}
    assert "dictionary" in verdict.check(INPUTS).reason
    assert hexed(digest("from the web")) in verdict.check(INPUTS).reason


def test_6_a_digest_of_an_input_that_names_no_bytes_cannot_be_compared(world: World) -> None:
    run = world.run(world.dataset())
    model = world.step(
        DEVELOPER,
        "model",
        "propose",
        subject=digest("model"),
        inputs=[run],
        digests={run.artefact: digest("log")},
    )
    assert outcomes(world.verify(ById(model.artefact))) == {INPUTS: "not checked"}


def test_6_a_record_upstream_that_is_missing_matters_where_it_names_inputs(world: World) -> None:
    data = world.dataset()
    run = world.run(data)
    model = world.model(run)
    del world.storage.kept[data.record]
    assert world.verify(ById(model.artefact)).conclusion is Conclusion.VALID
    del world.storage.kept[run.record]
    verdict = world.verify(ById(model.artefact))
    assert outcomes(verdict) == {INPUTS: "not checked"}
    assert f"run {hexed(run.artefact)}: step 2 (finish)" in verdict.check(INPUTS).reason


def test_6_a_record_upstream_that_was_edited_is_found(world: World) -> None:
    data = world.dataset()
    run = world.run(data)
    model = world.model(run)
    world.storage.kept[run.record] = world.storage.kept[run.record].replace(b'"depth":3', b'"depth":4')
    assert outcomes(world.verify(ById(model.artefact))) == {INPUTS: "invalid"}


def test_6_a_false_head_upstream_is_found(world: World) -> None:
    data = world.dataset()
    model = world.model(world.run(data))
    word = world.shared.artefacts[data.artefact].word
    lying = LyingLedger(world.ledger, standings={data.artefact: Standing(word, bytes(32))})
    verdict = world.verify(ById(model.artefact), lying)
    assert outcomes(verdict) == {INPUTS: "invalid"}
    assert f"dataset {hexed(data.artefact)}" in verdict.check(INPUTS).reason


def test_6_a_suspect_key_upstream_leaves_too_little_evidence(world: World) -> None:
    key = world.add_key(ADMIN, "laptop")
    data = world.step(ADMIN, "dataset", "collect", subject=digest("data"), by=key)
    since = world.ledger.head().number
    data = world.step(ADMIN, data.artefact, "approve", subject=digest("data"))
    model = world.model(world.run(data))
    world.revoke_key(ADMIN, key.address, since)
    assert outcomes(world.verify(ById(model.artefact))) == {INPUTS: "not checked"}


def test_6_a_lifecycle_upstream_whose_file_nobody_has_is_not_enough_evidence(world: World) -> None:
    model = world.story()
    known = [LIFECYCLES["model"], LIFECYCLES["run"]]
    assert outcomes(world.verify(ById(model.artefact), lifecycles=known)) == {INPUTS: "not checked"}


def test_6_more_upstream_than_is_walked_is_not_enough_evidence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "MAX_ARTEFACTS", 3)
    verdict = world.verify(ById(world.story().artefact))
    assert outcomes(verdict) == {INPUTS: "not checked", RECALL: "not checked"}


def test_6_a_lineage_deeper_than_any_stack_is_walked(world: World) -> None:
    data = world.dataset("0")
    for number in range(1, 600):
        data = world.dataset(str(number), sources=[data])
    verdict = world.verify_text("599")
    assert verdict.conclusion is Conclusion.VALID
    assert "599 artefacts upstream" in verdict.check(INPUTS).reason


# --- 9: observations -------------------------------------------------------------------------


def observed_run(world: World, **changes: object) -> Made:
    return world.run(world.dataset(), observations=[{**world.observe(DEVELOPER), **changes}])


def test_9_observations_that_were_anchored_are_valid(world: World) -> None:
    run = observed_run(world)
    assert world.verify(ById(run.artefact)).conclusion is Conclusion.VALID


def test_9_observations_that_nobody_anchored_are_found(world: World) -> None:
    run = observed_run(world, root=hexed(sha256(b"made up")))
    assert outcomes(world.verify(ById(run.artefact))) == {OBSERVATIONS: "invalid"}


def test_9_observations_that_another_organisation_anchored_are_found(world: World) -> None:
    run = world.run(world.dataset(), observations=[world.observe(ADMIN)])
    assert outcomes(world.verify(ById(run.artefact))) == {OBSERVATIONS: "invalid"}


def test_9_whoever_anchors_the_same_root_first_does_not_take_it_away(world: World) -> None:
    world.observe(ADMIN)
    run = observed_run(world)
    assert world.verify(ById(run.artefact)).conclusion is Conclusion.VALID


def test_9_a_false_count_is_found(world: World) -> None:
    run = observed_run(world, count=2)
    assert outcomes(world.verify(ById(run.artefact))) == {OBSERVATIONS: "invalid"}


@pytest.mark.parametrize("careless", [False, True])
def test_9_a_batch_edited_in_storage_is_found(world: World, careless: bool) -> None:
    entry = world.observe(DEVELOPER)
    run = world.run(world.dataset(), observations=[entry])
    name = bytes.fromhex(entry["batch"][2:])
    world.storage.kept[name] = world.storage.kept[name].replace(b'"loss":0.5', b'"loss":0.1')
    world.storage.careless = careless
    verdict = world.verify(ById(run.artefact))
    assert outcomes(verdict) == {OBSERVATIONS: "invalid"}
    assert "tampered" in verdict.check(OBSERVATIONS).reason


def test_9_a_batch_of_other_observations_is_found(world: World) -> None:
    other = world.observe(DEVELOPER, count=4)
    run = observed_run(world, batch=other["batch"])
    verdict = world.verify(ById(run.artefact))
    assert outcomes(verdict) == {OBSERVATIONS: "invalid"}
    assert "keeps others" in verdict.check(OBSERVATIONS).reason


def test_9_a_batch_that_is_missing_matters_for_the_run_and_not_for_its_model(world: World) -> None:
    entry = world.observe(DEVELOPER)
    run = world.run(world.dataset(), observations=[entry])
    model = world.model(run)
    del world.storage.kept[bytes.fromhex(entry["batch"][2:])]
    assert outcomes(world.verify(ById(run.artefact))) == {OBSERVATIONS: "not checked"}
    assert world.verify(ById(model.artefact)).conclusion is Conclusion.VALID


def test_9_a_batch_edited_upstream_is_found(world: World) -> None:
    entry = world.observe(DEVELOPER)
    model = world.model(world.run(world.dataset(), observations=[entry]))
    name = bytes.fromhex(entry["batch"][2:])
    world.storage.kept[name] = world.storage.kept[name].replace(b'"loss":0.5', b'"loss":0.1')
    assert outcomes(world.verify(ById(model.artefact))) == {OBSERVATIONS: "invalid"}


def test_the_file_of_a_lifecycle_is_known_by_what_it_says_not_by_who_wrote_it(world: World) -> None:
    data = world.dataset()
    again = read_lifecycle(LIFECYCLES["dataset"].document)
    assert world.verify(ById(data.artefact), lifecycles=[again]).conclusion is Conclusion.VALID


@pytest.mark.parametrize("names", ["itself ahead", "another's", "nobody's"])
def test_2_an_amendment_corrects_an_earlier_step_of_the_same_artefact(world: World, names: str) -> None:
    data, other = world.dataset(), world.dataset("other")
    wrong = {"itself ahead": b"\x01" * 32, "another's": other.record, "nobody's": b"\x02" * 32}[names]
    good = world.step(
        ADMIN, data.artefact, "amend", subject=digest("mended"), record={"amends": hexed(data.record)}
    )
    assert world.verify(ById(good.artefact)).check(RECORDS).outcome is Outcome.VALID
    world.step(ADMIN, data.artefact, "amend", subject=digest("again"), record={"amends": hexed(wrong)})
    check = world.verify(ById(good.artefact)).check(RECORDS)
    assert check.outcome is Outcome.INVALID
    assert (
        f"step 4 (amend) has a record that amends {hexed(wrong)}, which is of no earlier step" in check.reason
    )
