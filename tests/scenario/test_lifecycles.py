"""Lifecycles that members wrote or chose: voted for, used, and held to on a real chain."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from proml.core.call import BatchCall, StepCall
from proml.core.digest import unhexed
from proml.core.event import Input, Refused
from proml.core.refusal import Reason
from tests.scenario.members import PARTS, Members, gathered

pytestmark = pytest.mark.slow

REPORT = """
type = "proml/lifecycle"
version = 1
kind = "report"
about = "Drafted by anybody who audits, published by somebody else."
states = ["none", "drafted", "public"]
terminal = ["public"]
actions = ["write", "publish"]

[[transitions]]
action = "write"
from = ["none"]
to = "drafted"
roles = ["auditor", "verifier"]

[[transitions]]
action = "publish"
from = ["drafted"]
to = "public"
roles = ["auditor", "verifier"]
differs = ["creator"]
"""


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Members]:
    """The consortium after it voted for the three lifecycles that wait for that."""
    for made in gathered(tmp_path_factory.mktemp("lifecycles")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PROML_DISCOVERABLE", "licensed_dataset,registered_model,benchmark,model,dataset")
            for who, kind in (
                ("Owner", "licensed_dataset"), ("Maker", "registered_model"), ("Lab", "benchmark"),
            ):  # fmt: skip
                admit(made, who, kind)
            yield made


def admit(members: Members, proposer: str, what: str, *file: str) -> None:
    """Three of five decide."""
    number = str(members.does(proposer, "lifecycle", "propose", what, "--json").document["number"])
    for who in [each for each in PARTS if each != proposer][:2]:
        members.does(who, "consortium", "vote", number, *file)
    members.does("Audit", "consortium", "execute", number, *file)


def same(members: Members, name: str, content: str, *everybody: str) -> str:
    """One file in several folders."""
    for who in everybody:
        members.file(who, name, content)
    return name


# --- a lifecycle of their own -----------------------------------------------------------------


def test_a_lifecycle_of_their_own_is_checked_proposed_voted_for_and_used(members: Members) -> None:
    for who in PARTS:
        members.file(who, "report.toml", REPORT)
    members.file("Audit", "slip.toml", REPORT.replace('roles = ["auditor", "verifier"]\ndiffers',
                                                      'roles = ["auditr"]\ndiffers'))  # fmt: skip
    slip = members.says("Audit", "lifecycle", "propose", "slip.toml")
    assert slip.code == 2
    assert "slip.toml, line 16: transitions 2, roles 1: unknown role 'auditr'" in slip.error
    assert members.does("Audit", "consortium", "proposals", "--json").document == []

    unmet = REPORT.replace('"verifier"]\ndiffers', '"role-40"]\ndiffers').replace(
        '["auditor", "verifier"]', '["auditor"]'
    )
    members.file("Audit", "unmet.toml", unmet)
    said = members.says("Audit", "lifecycle", "propose", "unmet.toml")
    assert "another organisation than the one that registered it, and only one member" in said.error
    assert said.code == 2

    admit(members, "Audit", "report.toml", "--file", "report.toml")
    entries = members.does("Owner", "lifecycle", "list", "--json").document
    assert {"report", "benchmark", "dataset"} <= {each["kind"] for each in entries if each["number"]}
    # Lab has not voted, so the file has to come to it some other way.
    missing = members.says("Lab", "register", "-", "--kind", "report", "--name", "findings")
    assert "`proml lifecycle add`" in missing.error
    members.does("Lab", "lifecycle", "add", "report.toml")
    members.does("Lab", "register", "-", "--kind", "report", "--name", "findings", "--push")
    assert "did an earlier step" in members.refused("Lab", "act", "publish", "findings")
    members.does("Audit", "act", "publish", members.id_of("Lab", "findings"), "--push")
    assert members.does("Lab", "show", "findings", "--json").document["state"] == "public"


def test_the_same_lifecycle_is_not_admitted_twice(members: Members) -> None:
    before = members.heads()
    said = members.says("Clinic", "lifecycle", "propose", "benchmark")
    assert said.code == 6
    assert "was admitted before" in said.error
    assert members.heads() == before


# --- required steps and inputs ----------------------------------------------------------------


def test_nobody_deploys_a_model_before_evaluation_and_approval(members: Members) -> None:
    members.does("Maker", "exec", "-n", "fit", "-o", "net.bin", "--", "sh", "-c", "echo net > net.bin")
    members.does("Maker", "push")
    model = members.id_of("Maker", "net.bin")
    # Who may deploy later is told the same as who never may: there is no such step yet, for anybody.
    for who in PARTS:
        members.file(who, "net.bin", "net\n")
        for action in ("deploy", "hand_over", "approve"):
            reason = members.refused(who, "act", action, model, "--subject", "net.bin")
            assert Reason.NO_TRANSITION.text in reason
    before = members.does("Lab", "lifecycle", "show", "model").out
    assert "deploy     propose, evaluate, approve, hand_over" in before


def test_a_stage_is_reached_only_with_a_passed_benchmark(members: Members) -> None:
    criteria = members.file("Lab", "criteria.json", '{"accuracy": 0.9}')
    same(members, "weights.bin", "weights", "Maker", "Lab", "Clinic")
    members.does("Maker", "register", "weights.bin", "--kind", "registered_model", "--push")
    model = members.id_of("Maker", "weights.bin")
    members.does("Lab", "register", criteria, "--kind", "benchmark", "--name", "test", "--push")

    stage = ("act", "stage", model, "--subject", "weights.bin")
    assert Reason.INPUTS_MISSING.text in members.refused("Lab", *stage)
    assert Reason.INPUT_UNUSABLE.text in members.refused("Lab", *stage, "--input", "test")
    assert Reason.INPUT_KIND.text in members.refused("Lab", *stage, "--input", model)

    # The criteria stand in a block; only now it is said what they judge, and once.
    assert Reason.NO_TRANSITION.text in members.refused("Lab", "act", "pass", "test")
    assert Reason.INPUTS_MISSING.text in members.refused("Lab", "act", "begin", "test")
    members.does("Lab", "act", "begin", "test", "--input", model, "--push")
    assert Reason.NO_TRANSITION.text in members.refused("Lab", "act", "begin", "test", "--input", model)
    assert Reason.INPUT_UNUSABLE.text in members.refused("Lab", *stage, "--input", "test")
    members.does("Lab", "act", "pass", "test", "--metric", "accuracy=0.93", "--push")

    promote = ("act", "promote", model, "--subject", "weights.bin")
    assert Reason.NO_TRANSITION.text in members.refused("Clinic", *promote)
    assert Reason.ROLE_MISSING.text in members.refused(
        "Maker", *stage, "--input", members.id_of("Lab", "test")
    )
    members.does("Lab", *stage, "--input", "test", "--push")
    assert Reason.ROLE_MISSING.text in members.refused("Lab", *promote)
    members.does("Clinic", *promote, "--push")
    assert members.does("Maker", "show", model, "--json").document["state"] == "production"

    # New bytes: everything is required again.
    members.does("Clinic", "act", "demote", model, "--push")
    members.does(
        "Maker", "act", "revise", model, "--subject", members.file("Maker", "weights2.bin"), "--push"
    )
    assert Reason.NO_TRANSITION.text in members.refused("Clinic", *promote)


def test_a_recalled_benchmark_no_longer_opens_the_way(members: Members) -> None:
    members.does(
        "Maker", "register", members.file("Maker", "tiny.bin"), "--kind", "registered_model", "--push"
    )
    model = members.id_of("Maker", "tiny.bin")
    members.does(
        "Lab", "register", members.file("Lab", "c2.json"), "--kind", "benchmark", "-n", "t2", "--push"
    )
    members.does("Lab", "act", "begin", "t2", "--input", model, "--push")
    members.does("Lab", "act", "pass", "t2", "--push")
    members.does("Lab", "recall", "t2", "--reason", "made_wrongly", "--push")
    reason = members.refused("Lab", "act", "stage", model, "--subject", "c2.json", "--input", "t2")
    assert Reason.INPUT_UNUSABLE.text in reason


# --- licence and consent ----------------------------------------------------------------------


def test_a_dataset_is_used_only_while_it_is_granted_and_a_withdrawal_taints(members: Members) -> None:
    same(members, "faces.csv", "faces", "Owner", "Maker")
    members.does("Owner", "register", "faces.csv", "--kind", "licensed_dataset", "--push")
    data = members.id_of("Owner", "faces.csv")
    derive = ("register", "model.bin", "--kind", "registered_model", "--input", "faces.csv")
    members.file("Maker", "model.bin", "of faces")
    assert Reason.INPUT_UNUSABLE.text in members.refused("Maker", *derive)

    members.does("Owner", "act", "grant", "faces.csv", "--param", "licence=CC-BY-4.0", "--push")
    members.does("Maker", *derive, "--push")
    model = members.id_of("Maker", "model.bin")

    members.does("Owner", "act", "lapse", data, "--push")
    members.file("Maker", "later.bin")
    later = ("register", "later.bin", "--kind", "registered_model", "--input", data)
    assert Reason.INPUT_UNUSABLE.text in members.refused("Maker", *later)
    assert members.does("Audit", "show", model, "--json").document["tainted by"] == []

    members.does("Owner", "act", "grant", "faces.csv", "--push")
    # Granted anew in step 4: as it was in step 2 it is not usable any more.
    assert named_at(members, data, 2) == Reason.INPUT_UNUSABLE
    assert named_at(members, data, 3) == Reason.INPUT_UNUSABLE
    assert named_at(members, data, 5) == Reason.INPUT_AHEAD
    members.does("Maker", *later, "--push")

    members.does("Owner", "recall", data, "--reason", "consent_withdrawn", "--push")
    assert members.does("Owner", "show", data, "--json").document["state"] == "withdrawn"
    assert len(members.does("Audit", "show", model, "--json").document["tainted by"]) == 1
    members.file("Maker", "never.bin")
    never = ("register", "never.bin", "--kind", "registered_model", "--input", data)
    assert Reason.INPUT_UNUSABLE.text in members.refused("Maker", *never)


def named_at(members: Members, source: str, sequence: int) -> Reason:
    """What the contracts say to a draft that names an input at a sequence; past every command."""
    me = members.participant("Maker")
    chronicle = me.chronicle()
    (lifecycle,) = [each for each in me.lifecycles if each.kind == "registered_model"]
    (number,) = [n for n, table in chronicle.shared.tables.items() if table.id == lifecycle.table.id]
    nonce = me.ledger.nonce(me.signer.address)
    salt = bytes([sequence]) * 31 + bytes([nonce])
    step = StepCall(
        salt, number, lifecycle.action_number("draft"), 1, b"\x01" * 32, b"\x02" * 32,
        (Input(unhexed(source), sequence),),
    )  # fmt: skip
    signed = me.signer.sign_transaction(me.ledger.prepare(BatchCall(steps=(step,)), nonce))
    me.ledger.send(signed)
    receipt = me.ledger.receipt(signed.hash)
    assert receipt is not None
    (event,) = [placed.event for placed in receipt.events]
    assert isinstance(event, Refused)
    return Reason(event.reason)


def test_a_newer_lifecycle_counts_for_what_is_registered_from_then_on(members: Members) -> None:
    """Runs after the first version was admitted, and admits it where it is run alone."""
    for who in PARTS:
        members.file(who, "report.toml", REPORT)
        members.file(who, "report2.toml", REPORT.replace('"publish"', '"release"'))
    kinds = [
        each["kind"]
        for each in members.does("Audit", "lifecycle", "list", "--json").document
        if each["number"]
    ]
    if "report" not in kinds:
        admit(members, "Audit", "report.toml", "--file", "report.toml")
    for who in ("Lab", "Audit"):
        members.does(who, "lifecycle", "add", "report.toml")
    members.does("Lab", "register", "-", "--kind", "report", "--name", "before", "--push")
    differing = members.says("Audit", "lifecycle", "diff", "report.toml", "report2.toml")
    assert (differing.code, "+ action release" in differing.out) == (1, True)

    admit(members, "Audit", "report2.toml", "--file", "report2.toml")
    members.does("Lab", "lifecycle", "add", "report2.toml")
    members.does("Lab", "register", "-", "--kind", "report", "--name", "after", "--push")
    before, after = members.id_of("Lab", "before"), members.id_of("Lab", "after")
    assert list(members.does("Audit", "show", before, "--json").document["next"]) == ["publish"]
    assert list(members.does("Audit", "show", after, "--json").document["next"]) == ["release"]
    members.does("Audit", "act", "publish", before, "--push")
    members.does("Audit", "act", "release", after, "--push")
    assert members.says("Audit", "act", "publish", after, "--push").code == 6


def test_evidence_of_an_own_lifecycle_is_checked_where_nobody_has_its_file(
    members: Members, tmp_path: Path
) -> None:
    for who in PARTS:
        members.file(who, "note.toml", REPORT.replace('"report"', '"note"'))
    admit(members, "Lab", "note.toml", "--file", "note.toml")
    members.does("Lab", "register", "-", "--kind", "note", "--name", "a note", "--push")
    file = tmp_path / "stranger" / "note.evidence"
    file.parent.mkdir()
    made = members.does("Lab", "evidence", "a note", "-o", str(file), "--json").document
    ledger = str(members.folder("Owner") / ".proml" / "ledger.json")
    pins = ("--ledger", ledger, "--block", made["block hash"])
    verdict = Members(tmp_path).does("stranger", "verify", "note.evidence", *pins, "--json").document
    assert verdict["conclusion"] == "valid"
    assert verdict["artefact"]["kind"] == "note"
    assert [step["action"] for step in verdict["steps"]] == ["write"]
    opened = Members(tmp_path).does("stranger", "gate", "note.evidence", *pins, "--state", "drafted")
    assert "the gate opens" in opened.out
