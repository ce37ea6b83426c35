"""Attacks on bytes: of datasets, of models, of a node's own memory."""

from __future__ import annotations

import os
import shutil

import pytest

from proml.capture.fingerprint import fingerprint
from proml.core.verdict import BYTES
from tests.attacks.conftest import Leaves
from tests.attacks.houses import check, given
from tests.scenario.members import Members

pytestmark = pytest.mark.attack


def test_attack_01_a_file_is_altered_after_approval(houses: Members, leaves: Leaves) -> None:
    folder = houses.folder("Owner") / "pictures"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.png").write_bytes(bytes([number]) * 100)
    houses.does("Owner", "register", "pictures", "--kind", "dataset", "--push")
    houses.does("Owner", "act", "approve", "pictures", "--push")
    shutil.copytree(folder, houses.folder("Audit") / "pictures")
    artefact = houses.id_of("Owner", "pictures")
    (folder / "7.png").write_bytes(bytes([8]) * 100)

    served = houses.says("Owner", "verify", "pictures", "--as", artefact, "--json")
    assert (served.code, check(served, BYTES)["outcome"]) == (1, "invalid")
    good = houses.says("Audit", "verify", "pictures", "--as", artefact, "--json")
    assert check(good, BYTES)["outcome"] == "valid"
    before, after = (
        dict(fingerprint(houses.folder(who) / "pictures").manifest.files) for who in ("Audit", "Owner")
    )
    changed = [path for path in before if before[path] != after[path]]
    assert changed == ["7.png"]
    (approved,) = [deed for deed in served.document["steps"] if deed["action"] == "approve"]
    assert approved["organisation_name"] == "Owner"
    leaves(verdict=check(served, BYTES)["reason"], changed=changed, approved=approved)


def test_attack_02_one_label_among_a_million_rows_is_flipped(houses: Members, leaves: Leaves) -> None:
    rows = "".join(f"{number},{number % 2}\n" for number in range(10**6))
    houses.file("Owner", "labels.csv", rows)
    houses.does("Owner", "register", "labels.csv", "--kind", "dataset", "--push")
    artefact = houses.id_of("Owner", "labels.csv")
    given(houses, "Owner", "Audit", "labels.csv")
    flipped = rows.replace("\n654321,1\n", "\n654321,0\n")
    assert len(flipped) == len(rows)
    houses.file("Owner", "labels.csv", flipped)
    said = houses.says("Owner", "verify", "labels.csv", "--as", artefact, "--json")
    assert (said.code, check(said, BYTES)["outcome"]) == (1, "invalid")
    good = (houses.folder("Audit") / "labels.csv").read_text().splitlines()
    (differing,) = [
        at for at, pair in enumerate(zip(good, flipped.splitlines(), strict=True)) if pair[0] != pair[1]
    ]
    assert differing == 654321
    leaves(verdict=check(said, BYTES)["reason"], row=differing)


def test_attack_04_a_model_is_swapped_at_deployment(houses: Members, model: str, leaves: Leaves) -> None:
    file = houses.folder("Clinic") / "model.bin"
    assert houses.says("Clinic", "gate", "model.bin", "--state", "deployed").code == 0
    real = file.read_bytes()
    file.write_bytes(b"weights of somebody else")
    loaded = []
    try:
        gate = houses.says("Clinic", "gate", "model.bin", "--state", "deployed")
        if gate.code == 0:  # what a deployment script does
            loaded.append(file.read_bytes())
        verdict = houses.says("Clinic", "verify", "model.bin", "--as", model, "--json")
    finally:
        file.write_bytes(real)
    assert (gate.code != 0, loaded) == (True, [])
    assert (verdict.code, check(verdict, BYTES)["outcome"]) == (1, "invalid")
    (deployed,) = [deed for deed in verdict.document["steps"] if deed["action"] == "deploy"]
    assert deployed["organisation_name"] == "Clinic"
    leaves(gate=gate.error or gate.out, verdict=check(verdict, BYTES)["reason"], deployed=deployed)


def test_attack_06_weights_change_and_size_and_time_do_not(
    houses: Members, model: str, leaves: Leaves
) -> None:
    file = houses.folder("Clinic") / "model.bin"
    assert (
        check(houses.says("Clinic", "verify", "model.bin", "--as", model, "--json"), BYTES)["outcome"]
        == "valid"
    )
    before, real = file.stat(), file.read_bytes()
    file.write_bytes(real.replace(b"weights", b"weighed"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    said = houses.says("Clinic", "verify", "model.bin", "--as", model, "--json")
    file.write_bytes(real)
    assert (said.code, check(said, BYTES)["outcome"]) == (1, "invalid")
    leaves(verdict=check(said, BYTES)["reason"], size=after.st_size, time=after.st_mtime_ns)


def test_attack_58_a_node_is_set_back_to_an_old_backup(houses: Members, leaves: Leaves) -> None:
    project, backup = houses.folder("Owner") / ".proml", houses.root / "backup"
    houses.file("Owner", "first.csv")
    houses.does("Owner", "register", "first.csv", "--kind", "dataset", "--push")
    backup.mkdir()
    for name in ("outbox.sqlite",):
        shutil.copy(project / name, backup / name)
    houses.does("Owner", "key", "new", "traveller")
    houses.does("Owner", "key", "add", "traveller")
    houses.does("Owner", "key", "revoke", "traveller")
    houses.file("Owner", "second.csv")
    houses.does("Owner", "register", "second.csv", "--kind", "dataset", "--push")

    for file in backup.iterdir():
        shutil.copy(file, project / file.name)
    before = houses.heads()
    houses.file("Owner", "third.csv")
    houses.does("Owner", "register", "third.csv", "--kind", "dataset")
    refused = houses.says("Owner", "push")
    assert refused.code != 0
    assert "proml push --reconcile" in refused.error
    assert houses.heads() == before
    # The revocation is on the ledger, and no backup brings the key back.
    assert houses.does("Owner", "key", "show", "traveller", "--json").document["revoked"]
    # What waits in the journal of then is asked for again, and refused: it was done.
    assert houses.says("Owner", "push", "--reconcile").code in (0, 6)
    records = [placed.step.record for each in houses.chronicle().histories.values() for placed in each]
    assert len(records) == len(set(records)), "something was done twice"
    assert len(houses.heads()) == len(before) + 1
    leaves(said=refused.error, steps=len(records))
