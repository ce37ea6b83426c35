"""An artefact changes hands with both signatures, and is contested, answered and settled, on a real chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proml.node import keeping
from tests.scenario.consortium import Consortium


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Consortium]:
    """A maker with a dataset, a buyer, an auditor and one that looks on."""
    made = Consortium(tmp_path, monkeypatch, capsys)
    made.found(
        {"maker": ["data_admin"], "buyer": ["operator"], "auditor": ["auditor"], "other": ["labeller"]}
    )
    (made.root / "maker" / "digits.csv").write_text("1,2\n")
    made.did("maker", "register", "digits.csv", "--kind", "dataset", "--push")
    yield made
    made.close()


def name(house: Consortium) -> str:
    return str(house.did("maker", "show", "digits.csv")["id"])


def said(house: Consortium, who: str, *arguments: str) -> str:
    found = house.refused(who, *arguments)
    assert found["code"] in ("4", "6")
    return f"{found['message']} / {found['hint']}"


def test_custody_changes_with_both_signatures(house: Consortium) -> None:
    data = name(house)
    assert "it is with maker" in said(house, "buyer", "custody", "offer", data, "buyer")
    assert "maker has to offer it to you" in said(house, "buyer", "custody", "accept", data)
    house.did("maker", "custody", "offer", "digits.csv", "buyer", "--text", "as ordered", "--push")
    shown = house.did("buyer", "show", data)
    assert (shown["custodian"], shown["offered to"]) == ("maker", "buyer")
    assert len(house.did("buyer", "status")["offered to you"]) == 1
    assert house.did("maker", "status")["offered to you"] == []
    assert "maker has to offer it" in said(house, "other", "custody", "accept", data)

    house.did("buyer", "custody", "accept", data, "--push")
    shown = house.did("maker", "show", data)
    assert (shown["custodian"], shown["offered to"], shown["state"]) == ("buyer", None, "collected")
    assert [step["action"] for step in shown["history"]] == ["collect", "offer_custody", "accept_custody"]
    assert shown["history"][1]["record"]["claims"] == {"text": "as ordered"}
    assert "it is with buyer" in said(house, "maker", "custody", "offer", "digits.csv", "other")
    checks = house.run("maker", "verify", "digits.csv")[1]["checks"]
    # The record of who accepted is with that organisation, until it is received.
    assert {check["outcome"] for check in checks} == {"valid", "not checked"}


def test_an_offer_that_was_withdrawn_cannot_be_accepted(house: Consortium) -> None:
    data = name(house)
    house.did("maker", "custody", "offer", data, "buyer", "--push")
    house.did("maker", "custody", "withdraw", data, "--push")
    assert "has to offer it to you" in said(house, "buyer", "custody", "accept", data)
    assert house.did("buyer", "show", data)["offered to"] is None
    assert "did you mean 'buyer'" in said(house, "maker", "custody", "offer", data, "bayer")


def test_a_dispute_is_answered_by_the_custodian_and_settled_by_who_may(house: Consortium) -> None:
    data = name(house)
    assert "nobody contests it" in said(house, "maker", "answer", data, "--text", "what?")
    house.did("other", "contest", data, "--text", "half of it is machine-made", "--push")
    assert house.did("buyer", "show", data)["contested by"] == "other"
    assert len(house.did("maker", "status")["contested"]) == 1
    assert "one dispute at a time" in said(house, "buyer", "contest", data, "--text", "me too")
    assert "it is with maker" in said(house, "buyer", "answer", data, "--text", "not me")
    house.did("maker", "answer", "digits.csv", "--text", "it was redone", "--push")
    assert "other may, or an auditor" in said(house, "maker", "settle", data, "--text", "enough")
    house.did("auditor", "settle", data, "--text", "200 labels checked", "--push")
    shown = house.did("maker", "show", data)
    assert shown["contested by"] is None
    assert [step["action"] for step in shown["history"]] == ["collect", "contest", "answer", "settle"]
    assert shown["history"][2]["record"]["claims"] == {"text": "it was redone"}


def test_what_the_command_line_can_do_python_can_do(house: Consortium) -> None:
    data = bytes.fromhex(name(house)[2:])
    maker, buyer = (house.participant(who) for who in ("maker", "buyer"))
    keeping.offer(maker, data, "buyer")
    maker.push()
    keeping.accept(buyer, data)
    keeping.contest(buyer, data, "the second column is missing")
    buyer.push()
    shared = house.participant("other").chronicle().shared
    assert (shared.artefacts[data].custodian, shared.artefacts[data].contester) == (2, 2)
