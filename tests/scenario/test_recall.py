"""A recall with its reason: what it refuses, whom it reaches, who has to acknowledge it, and who did."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from proml.core.call import AnchorCall, BatchCall
from proml.core.digest import unhexed
from proml.core.recall import REASONS, acknowledgement
from tests.scenario.members import Members, gathered

pytestmark = pytest.mark.slow
WORDS = "wrong_data: two columns changed places"


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Members]:
    """A dataset of Owner, a run and a model that Maker made from it; then Owner recalls the dataset."""
    for made in gathered(tmp_path_factory.mktemp("recall")):
        with pytest.MonkeyPatch.context() as patch:
            # So that Maker's copy of the file is recognised as the registered one.
            patch.setenv("PROML_DISCOVERABLE", "dataset,model")
            for who in ("Owner", "Maker"):
                made.file(who, "data.csv", "1,2\n")
            made.does("Owner", "register", "data.csv", "--kind", "dataset", "--push")
            made.does("Owner", "act", "approve", "data.csv", "--push")
            made.does("Maker", "exec", "-n", "fit", "-u", "data.csv", "-o", "model.bin",
                      "--", "sh", "-c", "echo model > model.bin")  # fmt: skip

            made.does("Maker", "push")
            made.does("Owner", "recall", "data.csv", "-r", "wrong_data", "-t", WORDS[12:], "--push")
            yield made


def anchor(members: Members, who: str, root: bytes) -> None:
    """Put a root on the ledger by somebody's key, past every command."""
    me = members.participant(who)
    call = BatchCall((AnchorCall(root, 1),))
    signed = me.signer.sign_transaction(me.ledger.prepare(call, me.ledger.nonce(me.signer.address)))
    me.ledger.send(signed)


def test_a_reason_out_of_the_list_is_asked_for(members: Members) -> None:
    said = members.says("Maker", "recall", "model.bin", "--reason", "dislike")
    assert said.code == 2
    assert all(code in said.error for code in REASONS)
    assert "to publish       0" in members.does("Maker", "status").out


def test_what_was_recalled_cannot_be_recalled_again(members: Members) -> None:
    said = members.says("Owner", "recall", "data.csv", "--reason", "other")
    assert said.code == 2
    assert "is recalled already" in said.error


def test_the_contracts_refuse_every_new_derivation(members: Members) -> None:
    reason = members.refused("Maker", "act", "amend", "model.bin", "--input", "data.csv")
    assert "not in a usable state" in reason


def test_show_tells_path_reason_and_who_must_acknowledge(members: Members) -> None:
    model = members.id_of("Maker", "model.bin")
    # Whoever has no record of Owner's sees everything but the reason.
    for who, words in (("Audit", "its record, which is elsewhere, says why"), ("Owner", WORDS)):
        said = members.does(who, "show", model, "--json").document
        (path,) = said["tainted by"]
        assert [title.split()[0] for title in path] == ["dataset", "run", "model"]
        (recall,) = said["recalls"]
        assert (recall["organisation"], recall["words"]) == ("Owner", words)
        (due,) = said["to acknowledge"]
        assert (due["organisation"], due["artefact"]) == ("Maker", model)


def test_verify_gate_and_lineage_tell_it_too(members: Members) -> None:
    verdict = members.says("Maker", "verify", "model.bin", "--json")
    assert verdict.code == 1
    (check,) = [each for each in verdict.document["checks"] if each["number"] == 7]
    assert "was recalled by Owner, and it derives from that: dataset 0x" in check["reason"]
    assert "Maker has to acknowledge that" in check["reason"] or "Maker acknowledged" in check["reason"]
    gate = members.says("Maker", "gate", "model.bin")
    assert gate.code == 1
    assert "NOT MET  7. nothing recalled" in gate.out
    assert "TAINTED" in members.does("Owner", "lineage", "data.csv").out


def test_only_the_custodian_acknowledges_and_everybody_sees_it(members: Members) -> None:
    model = members.id_of("Maker", "model.bin")
    data = members.id_of("Owner", "data.csv")
    assert members.does("Owner", "status", "--json").document["unacknowledged"] == {"Maker": 2}
    assert len(members.does("Maker", "status", "--json").document["to acknowledge"]) == 2
    other = members.says("Lab", "acknowledge", model)
    assert other.code == 2
    assert "Maker has custody" in other.error
    # What somebody else anchors in its place counts for nobody.
    recall = members.chronicle().recall_of(unhexed(data))
    assert recall is not None
    anchor(members, "Lab", acknowledgement(recall.head, unhexed(model)))
    assert (
        members.does("Audit", "show", model, "--json").document["to acknowledge"][0]["acknowledged"] is None
    )

    heads = members.heads()
    members.does("Maker", "acknowledge", "model.bin", "--push")
    (due,) = members.does("Audit", "show", model, "--json").document["to acknowledge"]
    assert due["acknowledged"] > recall.placed.block.number
    assert members.heads() == heads, "an acknowledgement is no step"
    assert "Maker acknowledged that in block" in members.says("Maker", "verify", "model.bin").out
    assert "Maker must acknowledge: run" in members.does("Audit", "lineage", data).out

    members.does("Maker", "acknowledge", "--all")
    assert "nothing new" in members.does("Maker", "acknowledge", "--all").out, (
        "what is queued is not queued twice"
    )
    members.does("Maker", "push")
    assert members.does("Owner", "status", "--json").document["unacknowledged"] == {}
    # The taint stays: to know of it is not to be rid of it.
    assert members.says("Maker", "gate", "model.bin").code == 1


def test_what_is_not_tainted_obliges_nobody(members: Members) -> None:
    members.does("Owner", "register", members.file("Owner", "clean.csv"), "--kind", "dataset", "--push")
    said = members.says("Owner", "acknowledge", "clean.csv")
    assert said.code == 2
    assert "is not tainted" in said.error
    assert members.says("Owner", "acknowledge").code == 2
    assert members.says("Owner", "acknowledge", "clean.csv", "--all").code == 2


def test_an_evidence_file_says_who_must_acknowledge(members: Members, tmp_path: Path) -> None:
    file = str(tmp_path / "model.evidence")
    members.does("Maker", "evidence", "model.bin", "-o", file)
    verdict = members.says("Audit", "verify", file, "--json").document
    (check,) = [each for each in verdict["checks"] if each["number"] == 7]
    assert check["outcome"] == "invalid"
    assert check["findings"][0]["text"].endswith("Maker has to acknowledge that")
