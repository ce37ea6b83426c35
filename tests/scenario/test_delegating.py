"""A laptop signs, another node takes it to the ledger and pays, on a real chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proml.node.delegating import relay, sign_waiting
from proml.node.signed_file import read_signed_file
from tests.scenario.consortium import Consortium


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Consortium]:
    """A maker with a laptop, and a node of somebody else."""
    made = Consortium(tmp_path, monkeypatch, capsys)
    made.found({"maker": ["data_admin"], "node": ["operator"]})
    yield made
    made.close()


def register(house: Consortium, name: str) -> None:
    (house.root / "maker" / name).write_text(name)
    house.did("maker", "register", name, "--kind", "dataset")


def sent_by(house: Consortium, who: str) -> int:
    me = house.participant(who)
    return me.ledger.nonce(me.address)


def outcomes(answer: Any) -> list[str]:
    return [each["outcome"] for each in answer]


def test_steps_of_a_laptop_reach_the_ledger_by_another_node_that_pays(house: Consortium) -> None:
    register(house, "digits.csv")
    house.did("maker", "act", "approve", "digits.csv")
    assert house.did("maker", "sign", "../steps.json")["signed"] == 2
    assert outcomes(house.did("node", "relay", "../steps.json")) == ["done", "done"]
    assert (sent_by(house, "maker"), sent_by(house, "node")) == (0, 1)

    shown = house.did("maker", "show", "digits.csv")
    assert (shown["state"], shown["creator"]) == ("approved", "maker")
    assert {step["key"] for step in shown["history"]} == {house.address("maker")}
    assert house.did("maker", "verify", "digits.csv")["conclusion"] == "valid"
    assert outcomes(house.did("node", "relay", "../steps.json")) == ["known", "known"]
    assert sent_by(house, "node") == 1
    assert house.did("maker", "sign", "../more.json")["signed"] == 0
    assert not (house.root / "more.json").exists()
    register(house, "more.csv")
    house.did("maker", "push")
    assert house.did("maker", "show", "more.csv")["state"] == "collected"


def test_what_was_not_relayed_is_signed_again_and_happens_once(house: Consortium) -> None:
    register(house, "digits.csv")
    house.did("maker", "sign", "../lost.json")
    assert house.did("maker", "sign", "../steps.json")["signed"] == 1
    house.did("node", "relay", "../steps.json")
    assert outcomes(house.did("node", "relay", "../lost.json")) == ["known"]
    assert len(house.did("maker", "show", "digits.csv")["history"]) == 1


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("record", "0x" + "11" * 32, "not the named signer's"),
        ("subject", "0x" + "11" * 32, "not the named signer's"),
        ("deadline", 1, "not the named signer's"),
        ("signer", "0x" + "11" * 20, "not the named signer's"),
        ("signature", "0x" + "11" * 65, "not in the one form"),
    ],
)
def test_what_was_changed_on_the_way_is_not_sent(
    house: Consortium, member: str, value: object, said: str
) -> None:
    register(house, "digits.csv")
    house.did("maker", "sign", "../steps.json")
    file = house.root / "steps.json"
    content = json.loads(file.read_text())
    content["steps"][0][member] = value
    file.write_text(json.dumps(content))
    before = house.events()
    code, (told,) = house.run("node", "relay", "../steps.json")
    assert (code, told["outcome"]) == (6, "refused")
    assert said in told["reason"]
    assert (house.events(), sent_by(house, "node")) == (before, 0)


def test_what_comes_too_late_is_told_and_can_be_signed_anew(house: Consortium) -> None:
    register(house, "digits.csv")
    maker = house.participant("maker")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("proml.node.delegating.time.time", lambda: 1_000_000.0)
        late = sign_waiting(maker, hours=1)
    (told,) = relay(house.participant("node"), late)
    assert (told.outcome, told.reason) == ("refused", "its signer's deadline has passed")
    house.did("maker", "sign", "../steps.json")
    assert outcomes(house.did("node", "relay", "../steps.json")) == ["done"]


def test_a_step_that_another_took_first_is_settled_and_holds_nothing_up(house: Consortium) -> None:
    register(house, "digits.csv")
    house.did("maker", "push")
    house.did("maker", "act", "amend", "digits.csv")
    house.did("maker", "sign", "../steps.json")
    artefact = house.did("maker", "show", "digits.csv")["id"]
    house.did("node", "contest", artefact, "--text", "who made this?", "--push")
    code, (told,) = house.run("node", "relay", "../steps.json")
    assert (code, told["reason"]) == (6, "somebody else moved the artefact first")
    code, again = house.run("maker", "sign", "../steps.json")
    assert (code, again["signed"], again["file"]) == (6, 0, None)
    assert "somebody else moved the artefact first" in again["not signed"][0]["reason"]
    house.did("maker", "act", "amend", "digits.csv")
    assert house.did("maker", "sign", "../steps.json")["signed"] == 1
    assert outcomes(house.did("node", "relay", "../steps.json")) == ["done"]


def test_a_file_is_worth_nothing_on_another_ledger_or_as_anything_else(house: Consortium) -> None:
    register(house, "digits.csv")
    house.did("maker", "sign", "../steps.json")
    file = house.root / "steps.json"
    good = json.loads(file.read_text())
    for changes, said in (
        ({"chain_id": 1}, "was signed for another ledger"),
        ({"contract": "0x" + "00" * 20}, "was signed for another ledger"),
        ({"type": "proml/consent"}, "is no file of signed steps"),
        ({"more": 1}, "is no file of signed steps"),
        ({"steps": [{}]}, "is no file of signed steps"),
        ({"steps": [good["steps"][0] | {"sequence": "1"}]}, "is no file of signed steps"),
        ({"approvals": 7}, "is no file of signed steps"),
    ):
        file.write_text(json.dumps(good | changes))
        assert said in house.refused("node", "relay", "../steps.json")["message"]
    assert "cannot be read" in house.refused("node", "relay", "none.json")["message"]
    assert "is no deadline" in house.refused("maker", "sign", "x.json", "--hours", "0")["message"]


def test_many_steps_go_in_as_few_transactions_as_fit(house: Consortium) -> None:
    maker, node = house.participant("maker"), house.participant("node")
    for number in range(53):
        maker.register(None, "dependency", f"library {number}")
    file = house.root / "steps.json"
    file.write_bytes(sign_waiting(maker).written())
    told = relay(node, read_signed_file(file))
    # Nobody but a developer lists libraries: all are refused, and none was sent.
    assert {each.outcome for each in told} == {"refused"}
    assert {each.reason for each in told} == {"the organisation lacks the role for this"}
    assert sent_by(house, "node") == 0
    for number in range(53):
        register(house, f"{number}.csv")
    house.did("maker", "sign", "../steps.json")
    assert outcomes(house.run("node", "relay", "../steps.json")[1]).count("done") == 53
    assert sent_by(house, "node") == 2
