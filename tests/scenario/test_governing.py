"""A consortium rules itself: organisations in their own folders, on a real chain, by the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proml.core.consortium import ROLES
from proml.node.government import Government
from tests.scenario.consortium import Consortium

DELAY = 3


@pytest.fixture
def three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Consortium]:
    """Three founders; two decide; a recovered key waits three blocks."""
    made = Consortium(tmp_path, monkeypatch, capsys)
    made.found({"clinic": list(ROLES), "lab": ["verifier"], "firm": ["labeller"]}, recovery_delay=DELAY)
    yield made
    made.close()


def test_a_newcomer_is_admitted_by_two_of_three_and_then_takes_part(three: Consortium) -> None:
    three.did("newcomer", "init", "--organisation", "Newcomer", "--ledger", str(three.ledger_file))
    three.did("newcomer", "key", "consent", "-o", "../consent.json")
    proposed = three.did(
        "clinic", "consortium", "propose", "admit", "../consent.json", "--role", "data_admin"
    )
    assert (
        proposed["what"]
        == f"admit Newcomer with the key {three.address('newcomer')} and the roles data_admin"
    )
    assert (proposed["state"], proposed["left"], proposed["votes"]) == ("open", "1 more vote", ["clinic"])

    unseen, *none = three.did("lab", "consortium", "proposals")
    assert none == []
    assert "an organisation not named here" in unseen["what"]
    seen = three.did("lab", "consortium", "vote", "1", "--file", "../consent.json")
    assert (seen["what"], seen["state"], seen["left"]) == (proposed["what"], "passed", "execute it")
    assert seen["votes"] == ["clinic", "lab"]

    assert "is not here" in three.refused("firm", "consortium", "execute", "1")["message"]
    three.did("lab", "consortium", "execute", "1")
    assert three.did("lab", "consortium", "proposals") == []
    for who in ("lab", "newcomer"):
        members = three.did(who, "consortium", "show")["members"]
        assert [each["name"] for each in members] == ["clinic", "lab", "firm", "Newcomer"]
    (three.root / "newcomer" / "digits.csv").write_text("1,2\n")
    three.did("newcomer", "register", "digits.csv", "--kind", "dataset", "--push")
    assert three.did("newcomer", "show", "digits.csv")["creator"] == "Newcomer"


def test_a_newcomer_needs_a_name_of_its_own(three: Consortium) -> None:
    three.did("twin", "init", "--organisation", "Clinic", "--ledger", str(three.ledger_file))
    three.did("twin", "key", "consent", "-o", "../consent.json")
    same = three.refused("lab", "consortium", "propose", "admit", "../consent.json", "--role", "auditor")
    assert same["message"] == "there is a member called 'clinic' already"


def test_a_consent_for_another_ledger_or_of_less_than_all_is_refused(three: Consortium) -> None:
    three.did("apart", "init", "--organisation", "Apart")
    try:
        three.did("apart", "key", "consent", "-o", "../apart.json")
        foreign = three.refused("lab", "consortium", "propose", "admit", "../apart.json", "--role", "auditor")
        assert foreign["message"] == "the consent is for another ledger"
    finally:
        three.did("apart", "ledger", "down")
    three.did("firm", "key", "new", "fresh")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROML_KEY", "fresh")
        three.did("firm", "key", "consent", "--member", "firm", "-s", "record", "-o", "../less.json")
        three.did("firm", "key", "consent", "--member", "firm", "-o", "../whole.json")
    less = three.refused("lab", "consortium", "propose", "recover-key", "../less.json")
    assert "every scope without end" in less["message"]
    member = three.refused("lab", "consortium", "propose", "admit", "../whole.json", "--role", "auditor")
    assert "without --member" in member["hint"]


def test_the_rules_of_the_founding_can_be_given_in_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Consortium(tmp_path, monkeypatch, capsys)
    made.names = ["clinic"]
    key = made.did("clinic", "init", "--organisation", "clinic", "--no-ledger")["key"]
    (tmp_path / "clinic" / "members.toml").write_text(
        f"delay = 9\n[[member]]\nname = 'clinic'\nkey = '{key}'\n"
    )
    code, wrong = made.run("clinic", "ledger", "found", "members.toml", "--threshold", "2")
    assert (code, wrong["error"]["hint"]) == (2, "it is 1 to 1 here")
    code, wrong = made.run("clinic", "ledger", "found", "members.toml", "--lifetime", "0")
    assert (code, wrong["error"]["message"]) == (2, "the lifetime of proposals or a delay is out of range")
    made.did("clinic", "ledger", "found", "members.toml", "--lifetime", "50", "--recovery-delay", "7")
    rules = made.did("clinic", "consortium", "show")["rules"]
    assert rules == {"threshold": 1, "members": 1, "lifetime": 50, "delay": 9, "recovery_delay": 7}
    made.close()


def test_a_proposal_that_nobody_decided_in_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Consortium(tmp_path, monkeypatch, capsys)
    made.found({"clinic": list(ROLES), "lab": ["verifier"]}, lifetime=3)
    made.did("clinic", "consortium", "propose", "threshold", "1")
    closes = made.did("lab", "consortium", "proposals")[0]["closes"]
    made.pass_blocks(3)
    late = made.refused("lab", "consortium", "vote", "1")
    assert late["hint"] == f"it closed with block {closes}; propose it again"
    assert made.did("lab", "consortium", "proposals") == []
    (over,) = made.did("lab", "consortium", "proposals", "--all")
    assert (over["state"], over["left"]) == ("lapsed", "")
    made.close()


def test_a_lost_key_is_replaced_after_a_delay_in_which_the_old_key_can_object(three: Consortium) -> None:
    three.did("firm", "key", "new", "fresh")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROML_KEY", "fresh")
        three.did("firm", "key", "consent", "--member", "firm", "-o", "../consent.json")
    three.did("clinic", "consortium", "propose", "recover-key", "../consent.json")
    three.did("lab", "consortium", "vote", "1")
    early = three.refused("clinic", "consortium", "execute", "1")
    assert "the delay after the deciding vote is not over" in early["message"]
    assert early["hint"].startswith("from block ")
    assert three.did("firm", "consortium", "cancel", "1")["state"] == "cancelled"
    assert "it was cancelled" in three.refused("clinic", "consortium", "execute", "1")["hint"]

    three.did("clinic", "consortium", "propose", "recover-key", "../consent.json")
    three.did("lab", "consortium", "vote", "2")
    three.pass_blocks(DELAY)
    three.did("clinic", "consortium", "execute", "2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROML_KEY", "fresh")
        three.did("firm", "key", "revoke", "default")
    keys = {
        each["address"]: each["revoked"]
        for each in three.did("lab", "consortium", "show")["members"][2]["keys"]
    }
    assert [bool(revoked) for revoked in keys.values()] == [True, False]


def test_roles_threshold_and_membership_change_by_vote_and_nobody_decides_alone(three: Consortium) -> None:
    three.did("lab", "consortium", "propose", "roles", "firm", "--role", "labeller", "--role", "data_admin")
    alone = three.refused("lab", "consortium", "execute", "1")
    assert alone["message"] == (
        "the ledger refused to execute proposal 1: too few organisations voted for this"
    )
    assert (alone["hint"], alone["code"]) == ("it needs 1 more vote", "6")
    three.did("clinic", "consortium", "vote", "1")
    assert "voted for this already" in three.refused("clinic", "consortium", "vote", "1")["message"]
    three.did("firm", "consortium", "execute", "1")
    assert three.did("clinic", "consortium", "show")["members"][2]["roles"] == ["data_admin", "labeller"]

    three.did("clinic", "consortium", "propose", "threshold", "3")
    assert three.refused("clinic", "consortium", "propose", "remove", "lab")["hint"] == (
        "`proml consortium cancel 2` withdraws it"
    )
    three.did("lab", "consortium", "propose", "remove", "firm")
    three.did("firm", "consortium", "vote", "2")
    three.did("firm", "consortium", "execute", "2")
    lapsed = three.refused("clinic", "consortium", "vote", "3")
    assert lapsed["hint"] == "a member or the threshold changed since; propose it again"
    assert three.did("lab", "consortium", "show")["threshold"] == 3
    assert (
        "fewer members than the threshold" in three.refused("firm", "consortium", "leave", "--yes")["message"]
    )


def test_a_lifecycle_is_voted_for_and_used_then(three: Consortium) -> None:
    proposed = three.did("clinic", "consortium", "propose", "lifecycle", "licensed_dataset")
    assert proposed["what"].endswith(" of the kind licensed_dataset")
    three.did("lab", "consortium", "vote", "1")
    three.did("lab", "consortium", "execute", "1")
    (three.root / "clinic" / "scans.csv").write_text("1,2\n")
    three.did("clinic", "register", "scans.csv", "--kind", "licensed_dataset", "--push")
    assert three.did("clinic", "show", "scans.csv")["kind"] == "licensed_dataset"
    again = three.refused("clinic", "consortium", "propose", "lifecycle", "licensed_dataset")
    assert "was admitted before" in again["message"]


def test_whoever_leaves_can_read_and_no_longer_write(three: Consortium) -> None:
    assert three.refused("firm", "consortium", "leave")["hint"] == "repeat it with --yes"
    three.did("firm", "consortium", "leave", "--yes")
    member = three.did("firm", "consortium", "show")["members"][2]
    assert member["removed"] > 0
    gone = three.refused("firm", "consortium", "propose", "threshold", "1")
    assert "no longer a member" in gone["message"]


def test_a_member_stands_in_for_one_that_went(three: Consortium) -> None:
    unknown = three.refused("clinic", "consortium", "propose", "successor", "firm", "--member", "lab")
    assert unknown["hint"] == "organisations that went are none"
    nobody = three.refused("clinic", "consortium", "propose", "successor", "firm")
    assert "goes with successor" in nobody["message"]
    three.did("firm", "consortium", "leave", "--yes")
    named = three.did("clinic", "consortium", "propose", "successor", "firm", "--member", "lab")
    assert named["what"] == "let lab stand in as the custodian for firm"
    three.did("lab", "consortium", "vote", "1")
    assert three.did("lab", "consortium", "execute", "1")["state"] == "executed"


def test_a_slip_is_told_in_a_sentence_and_changes_nothing(three: Consortium) -> None:
    def hint(*arguments: str) -> str:
        return three.refused("lab", "consortium", *arguments)["hint"]

    assert hint("propose", "remove", "clinik") == "did you mean 'clinic'?"
    assert hint("propose", "threshold", "4") == "it is 1 to 3 here"
    assert hint("propose", "threshold", "many") == "it is a number of organisations"
    assert "roles are operator" in hint("propose", "roles", "firm", "--role", "king")
    assert "proml key consent" in hint("propose", "admit", "missing.json", "--role", "auditor")
    assert "add --role" in hint("propose", "admit", "missing.json")
    assert hint("vote", "7") == "nothing was proposed yet"
    assert "--help" in hint("propose", "abolish", "everything")


def test_what_the_command_line_can_do_python_can_do(three: Consortium) -> None:
    lab, clinic = (Government(three.participant(who)) for who in ("lab", "clinic"))
    number = lab.propose_roles("lab", ["verifier", "auditor"])
    assert clinic.vote(number).left == "execute it"
    assert clinic.execute(number).state == "executed"
    assert [motion.number for motion in lab.motions(closed=True)] == [1]
    assert lab.motions() == []
    rules = lab.rules()
    assert (rules.threshold, rules.members, rules.recovery_delay) == (2, 3, DELAY)
