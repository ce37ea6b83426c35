"""Attacks by somebody who denies what was done, or tells it otherwise."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from proml.core.chronicle import Transition
from proml.core.digest import unhexed
from proml.core.verdict import ACTORS, RECORDS
from proml.node import participant
from tests.attacks.conftest import Leaves
from tests.attacks.houses import check, given, in_service, trained, with_key
from tests.scenario.members import Members

pytestmark = pytest.mark.attack
MARCH = 1_772_323_200.0  # 2026-03-01 00:00:00 UTC


def steps_of(houses: Members, artefact: str) -> list[Transition]:
    return list(houses.chronicle().histories[unhexed(artefact)])


def of_kind(houses: Members, kind: int, organisation: int) -> list[list[Transition]]:
    """Histories under a lifecycle that an organisation began."""
    return [
        list(history)
        for history in houses.chronicle().histories.values()
        if history[0].lifecycle == kind and history[0].step.actor.organisation == organisation
    ]


def test_attack_16_a_stolen_key_signs(houses: Members, leaves: Leaves) -> None:
    houses.does("Owner", "key", "new", "laptop")
    houses.does("Owner", "key", "add", "laptop")

    def collects(name: str) -> int:
        houses.file("Owner", name)
        return with_key(houses, "laptop", "Owner", "register", name, "--kind", "dataset", "--push").code

    assert collects("before.csv") == 0
    stolen = houses.participant("Owner").ledger.head().number + 1
    assert collects("between.csv") == 0
    houses.does("Owner", "key", "revoke", "laptop", "--since", str(stolen))
    assert collects("after.csv") == 6
    outcomes = {
        name: check(houses.says("Owner", "verify", name, "--json"), ACTORS)
        for name in ("before.csv", "between.csv")
    }
    assert [found["outcome"] for found in outcomes.values()] == ["valid", "not checked"]
    assert f"compromised since block {stolen}" in outcomes["between.csv"]["reason"]
    leaves(stolen=stolen, verdicts={name: found["reason"] for name, found in outcomes.items()})


def test_attack_25_a_developer_denies_having_trained(
    houses: Members, model: str, tmp_path: Path, leaves: Leaves
) -> None:
    evidence = tmp_path / "model.evidence"
    made = houses.does("Maker", "evidence", model, "-o", str(evidence), "--json").document
    ledger = houses.participant("Maker").config.ledger_file
    block = made["block"]["hash"] if isinstance(made.get("block"), dict) else made["block hash"]
    # Whoever checks has this file, the ledger file and one hash of a block: no account, node or network.
    houses.folder("stranger").mkdir(exist_ok=True)
    said = houses.says(
        *("stranger", "verify", str(evidence), "--ledger", str(ledger), "--block", block, "--json"),
    )
    found = {each["number"]: each["outcome"] for each in said.document["checks"]}
    assert found[ACTORS] == "valid", said.out
    (proposed,) = [step for step in said.document["steps"] if step["action"] == "propose"]
    assert (proposed["organisation_name"], said.document["grounds"][:13]) == ("Maker", "evidence file")
    # One bit less, and it proves nothing.
    content = bytearray(evidence.read_bytes())
    content[len(content) // 2] ^= 1
    evidence.write_bytes(content)
    spoiled = houses.says("stranger", "verify", str(evidence), "--ledger", str(ledger), "--block", block)
    assert spoiled.code != 0
    leaves(trained=proposed, checks=found)


def test_attack_26_an_approver_says_its_key_had_been_stolen(houses: Members, leaves: Leaves) -> None:
    houses.does("Audit", "key", "new", "officer")
    houses.does("Audit", "key", "add", "officer", "-s", "record", "-s", "approve")
    model = in_service(houses, "regretted", "officer")
    steps = {transition.step.action: transition for transition in steps_of(houses, model)}
    approved = next(each for each in steps.values() if each.step.actor.organisation == 5).placed.block.number
    houses.does("Audit", "key", "revoke", "officer", "--since", str(approved))
    said = houses.says("Clinic", "verify", "regretted.bin", "--as", model, "--json")
    found = check(said, ACTORS)
    assert (said.code, found["outcome"]) == (3, "not checked")
    # It says when it was signed, and that the theft was claimed only after others had relied on it.
    revoked = houses.participant("Clinic").ledger.head().number
    deployed = max(transition.placed.block.number for transition in steps.values())
    assert approved < deployed < revoked
    assert f"signed in block {approved}" in found["reason"]
    assert f"revoked in block {revoked}" in found["reason"]
    leaves(verdict=found["reason"], approved=approved, deployed=deployed, claimed=revoked)


def test_attack_27_a_test_is_dated_back(
    houses: Members, model: str, monkeypatch: pytest.MonkeyPatch, leaves: Leaves
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(participant.time, "time", lambda: MARCH)
        houses.does("Lab", "register", "-", "--kind", "evaluation", "-n", "in March", "-i", "model.bin",
                    "-c", "tested=2026-03-01")  # fmt: skip
    before = time.time()
    houses.does("Lab", "push")
    shown = houses.does("Lab", "show", "in March", "--json").document
    (placed,) = [transition.placed for transition in steps_of(houses, shown["id"])]
    assert placed.block.time >= before - 60
    record = houses.participant("Lab").record(steps_of(houses, shown["id"])[0].step.record)
    assert record is not None
    assert record["claims"] == {"tested": "2026-03-01"}
    said = houses.says("Lab", "verify", shown["id"], "--json").document
    assert "2026-03" not in said["steps"][0]["when"]
    leaves(claimed=record["claims"], begun=record.get("activity"), when=said["steps"][0]["when"])


def test_attack_28_many_outcomes_are_committed_and_one_revealed(
    houses: Members, model: str, tmp_path: Path, leaves: Leaves
) -> None:
    before = len(of_kind(houses, 4, 3))
    for number in range(5):
        houses.does(
            "Lab", "register", "-", "--kind", "evaluation", "-n", f"trial {number}", "-i", "model.bin"
        )
    houses.does("Lab", "push")
    best = houses.id_of("Lab", "trial 3")
    houses.does("Lab", "act", "pass", best, "-i", "model.bin", "-m", "accuracy=0.99", "--push")
    evidence = tmp_path / "best.evidence"
    houses.does("Lab", "evidence", best, "-o", str(evidence), "--everything")
    houses.does("Audit", "receive", str(evidence))
    # The auditor has one record, and the ledger has five commitments by the same laboratory.
    committed = of_kind(houses, 4, 3)[before:]
    auditor = houses.participant("Audit")
    disclosed = [each for each in committed if auditor.record(each[0].step.record) is not None]
    assert (len(committed), len(disclosed)) == (5, 1)
    open_ones = [each for each in committed if len(each) == 1]
    assert len(open_ones) == 4
    leaves(committed=len(committed), disclosed=len(disclosed), never_ended=len(open_ones))


def test_attack_29_a_model_is_deployed_untested(houses: Members, leaves: Leaves) -> None:
    model = trained(houses, "hasty")
    given(houses, "Maker", "Clinic", "hasty.bin")
    reasons = {
        action: houses.refused("Clinic", "act", action, "hasty.bin") for action in ("deploy", "approve")
    }
    assert all("does not allow" in reason or "no transition" in reason for reason in reasons.values()), (
        reasons
    )
    shown = houses.does("Clinic", "show", model, "--json").document
    assert shown["state"] == "candidate"
    leaves(refused=reasons, state=shown["state"], open_to=shown["next"])


def test_attack_30_failed_trainings_are_hidden(houses: Members, leaves: Leaves) -> None:
    before = len(of_kind(houses, 2, 2))
    houses.file("Maker", "luck.py", "import sys; sys.exit(int(sys.argv[1]) != 4)")
    for number in range(6):
        houses.says("Maker", "exec", "-n", f"luck {number}", "--", "python3", "luck.py", str(number))
    houses.does("Maker", "push")
    runs = of_kind(houses, 2, 2)[before:]
    # Whoever is shown the good one sees how many there were.
    states = [houses.chronicle().shared.artefacts[run[0].step.artefact].state for run in runs]
    names = [houses.participant("Audit").lifecycles[1].state_name(state) for state in states]
    assert sorted(names) == ["failed"] * 5 + ["finished"]
    leaves(runs=len(runs), states=names)


def test_attack_31_a_record_is_erased_and_the_gap_explained_away(houses: Members, leaves: Leaves) -> None:
    model = trained(houses, "erased")
    me = houses.participant("Maker")
    (proposed, *_) = steps_of(houses, model)
    whole = houses.says("Maker", "verify", "erased.bin", "--json")
    assert check(whole, RECORDS)["outcome"] == "valid" or whole.code == 3
    # The name is cut into folders somewhere.
    erased = list(me.config.storage.rglob(f"*{proposed.step.record.hex()[8:]}*"))
    assert erased
    for path in erased:
        path.unlink()
    said = houses.says("Maker", "verify", model, "--json")
    found = check(said, RECORDS)
    assert (said.code, found["outcome"]) == (3, "not checked")
    assert proposed.step.record.hex() in found["reason"]
    steps = said.document["steps"]
    assert [(step["action"], step["has_record"]) for step in steps] == [("propose", False)]
    leaves(verdict=found["reason"], step=steps[0])
