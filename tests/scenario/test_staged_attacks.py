"""The attacks that the nine-step story stages: each refused or found, with the organisation named."""

import pytest
from attack import Attack
from attacks import AGAIN
from demo import Played
from poisoning import DATASET as TUMOURS
from poisoning import MODEL as POISONED
from story import FOREST, NETWORK

from proml.core.verdict import BYTES, OBSERVATIONS, RECALL, RECORDS
from proml.export.report_view import AttackResult, CheckView

pytestmark = [pytest.mark.attack, pytest.mark.slow]


def attack(played: Played, name: str) -> Attack:
    (found,) = [each for each in played.attacks if each.outcome.name == name]
    return found


def named(found: Attack) -> tuple[AttackResult, str]:
    return found.outcome.result, found.outcome.organisation


def rows_of(played: Played, step: str) -> list[tuple[str, str]]:
    return [(row.action, row.state) for row in played.rows if row.step == step and row.state != "anchored"]


def checks(played: Played, title: str) -> dict[int, CheckView]:
    (verdict,) = [each for each in played.report.verdicts if each.title == title]
    return {check.number: check for check in verdict.checks}


def test_flipped_labels_are_found_by_a_test_and_traced_to_the_firm_that_delivered_them(
    played: Played,
) -> None:
    found = attack(played, "Labels flipped on purpose")
    assert named(found) == (AttackResult.FOUND, "Label & Sons")
    evidence = found.outcome.evidence
    assert "all malignant called benign" in evidence
    assert "step 2 (label) by Label & Sons" in evidence
    assert (f"fail {POISONED} test", "failed") in rows_of(played, "attack 1")


def test_flipped_labels_recorded_honestly_verify_until_somebody_recalls_them(played: Played) -> None:
    """What ProML cannot see it does not pretend to: the bytes are those that the firm signed."""
    before = checks(played, "The flipped labels, as Tidal Data received them")
    assert {check.outcome for check in before.values()} == {"valid"}
    after = checks(played, "The poisoned model, after the recall of its dataset")
    assert [number for number, check in after.items() if check.outcome == "invalid"] == [RECALL]
    assert f"{TUMOURS} -> run {POISONED} run -> model {POISONED}" in after[RECALL].reason


def test_a_maker_who_may_verify_models_cannot_pass_its_own(played: Played) -> None:
    found = attack(played, "Own model passed by its maker")
    assert named(found) == (AttackResult.REFUSED, "Northwind Models")
    assert found.reasons == ("DUTY_CONFLICT",)
    assert (f"evaluate {POISONED}", "refused") in rows_of(played, "attack 1")
    (member,) = [each for each in played.report.members if each.name == "Northwind Models"]
    assert "verifier" in member.roles  # so that it was not the missing role that stopped it


def test_a_model_nobody_approved_is_not_deployed(played: Played) -> None:
    found = attack(played, "Deployed before approval")
    assert named(found) == (AttackResult.REFUSED, "Harbour Clinics")
    assert found.reasons == ("NO_TRANSITION",)
    assert (f"deploy {POISONED}", "refused") in rows_of(played, "attack 1")


def test_a_dataset_altered_after_approval_is_found_and_the_file_is_named(played: Played) -> None:
    found = attack(played, "Dataset altered after approval")
    assert named(found) == (AttackResult.FOUND, "Tidal Data")
    assert found.checks == (BYTES,)
    evidence = found.outcome.evidence
    assert "step 3 (approve)" in evidence
    assert "features.csv differs from the copy of Northwind Models, which verifies" in evidence


def test_altered_bytes_are_not_approved_under_an_approved_name(played: Played) -> None:
    found = attack(played, "Altered dataset approved again")
    assert named(found) == (AttackResult.REFUSED, "Tidal Data")
    assert found.reasons == ("NO_TRANSITION",)


def test_a_run_with_a_recalled_library_does_not_finish_and_yields_no_model(played: Played) -> None:
    found = attack(played, "Recalled library used after all")
    assert named(found) == (AttackResult.REFUSED, "Northwind Models")
    assert found.reasons == ("INPUT_UNUSABLE",)
    _, *rest = rows_of(played, "attack 3")
    assert rest == [
        (f"start {AGAIN} run", "started"),
        (f"finish {AGAIN} run", "refused"),
        (f"propose {AGAIN}", "refused"),
        (f"fail {AGAIN} run", "failed"),
    ]


def test_what_was_made_with_a_library_before_its_recall_is_tainted(played: Played) -> None:
    found = attack(played, "Recalled library used after all")
    assert found.checks == (RECALL,)
    assert found.outcome.evidence.endswith(f"→ {FOREST} run → {FOREST}")


def test_a_swapped_model_is_never_loaded(played: Played) -> None:
    """That it was not, and would have answered otherwise, the story itself makes sure of."""
    found = attack(played, "Model swapped at deployment")
    assert named(found) == (AttackResult.FOUND, "Harbour Clinics")
    assert found.checks == (BYTES,)
    assert "step 5 (deploy) by Harbour Clinics" in found.outcome.evidence
    others = checks(played, "The swapped model, before it could be loaded")
    assert [number for number, check in others.items() if check.outcome != "valid"] == [BYTES]


def test_an_edited_journal_is_found_even_when_its_hash_chain_is_made_anew(played: Played) -> None:
    found = attack(played, "Tracks covered: journal edited")
    assert named(found) == (AttackResult.FOUND, "Northwind Models")
    in_place, anew = found.outcome.evidence.split("; and made anew: ")
    assert "is damaged at byte" in in_place
    assert f"an observation of run {FOREST} run was anchored in block" in anew
    assert "the journal has it as accuracy 0.999" in anew


def test_resealed_records_and_raised_observations_are_found(played: Played) -> None:
    found = attack(played, "Tracks covered: storage edited")
    assert named(found) == (AttackResult.FOUND, "Northwind Models")
    assert found.checks == (RECORDS, OBSERVATIONS)
    assert found.outcome.evidence.count("tampered with") == 2


def test_steps_deleted_from_a_project_are_still_on_the_ledger_and_change_no_verdict(played: Played) -> None:
    found = attack(played, "Tracks covered: outbox edited")
    assert named(found) == (AttackResult.FOUND, "Northwind Models")
    assert found.outcome.evidence.endswith(f"{FOREST} still stands on the ledger as dropped")


def test_every_attack_of_the_paper_was_staged_and_every_author_named(played: Played) -> None:
    assert [each.outcome.name for each in played.attacks] == [
        "Labels flipped on purpose",
        "Own model passed by its maker",
        "Deployed before approval",
        "Dataset altered after approval",
        "Altered dataset approved again",
        "Recalled library used after all",
        "Model swapped at deployment",
        "Tracks covered: journal edited",
        "Tracks covered: storage edited",
        "Tracks covered: outbox edited",
    ]
    assert all(each.outcome.organisation and each.outcome.evidence for each in played.attacks)


def test_the_story_goes_on_with_the_real_model_while_others_are_attacked(played: Played) -> None:
    recalls = [row.action for row in played.rows if row.state == "recalled"]
    assert recalls[-1] == "recall digits"
    last = checks(played, "The model in service, after the recall of its dataset")
    assert last[BYTES].outcome == "valid", NETWORK
