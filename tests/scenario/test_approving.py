"""Several organisations approve a step before it is taken, on a real chain, each from its own folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proml.lifecycles.own import keep, read_written, sound
from proml.node.approvals import Approvals
from tests.scenario.consortium import Consortium

RELEASE = {
    "type": "proml/lifecycle",
    "version": 1,
    "kind": "release",
    "states": ["none", "built", "public"],
    "usable": ["public"],
    "terminal": [],
    "recalled": [],
    "actions": ["build", "rebuild", "publish", "reissue"],
    "duties": ["publishing"],
    "transitions": [
        {"action": "build", "from": ["none"], "to": "built", "roles": ["developer"], "subject": True},
        {"action": "rebuild", "from": ["built"], "to": "built", "roles": ["developer"], "subject": True},
        {
            "action": "publish",
            "from": ["built"],
            "to": "public",
            "roles": ["developer"],
            "approvals": {"least": 2, "roles": ["auditor"], "differs": ["creator"]},
        },
        {
            "action": "reissue",
            "from": ["public"],
            "to": "public",
            "roles": ["developer"],
            "subject": True,
            "approvals": {"least": 1, "roles": ["auditor"]},
        },
    ],
}
ROLES = {
    "maker": ["developer", "auditor"],
    "first": ["auditor"],
    "second": ["auditor"],
    "third": ["auditor"],
    "reader": ["operator"],
}


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Consortium]:
    """One develops, three others audit; the lifecycle of releases was voted for; a release is built."""
    made = Consortium(tmp_path, monkeypatch, capsys)
    made.found(ROLES, threshold=1)
    file = tmp_path / "release.json"
    file.write_text(json.dumps(RELEASE))
    made.did("maker", "consortium", "propose", "lifecycle", str(file))
    made.did("maker", "consortium", "execute", "1")
    lifecycle = sound(read_written(file))
    for who in ROLES:
        keep(made.participant(who).config.lifecycles, lifecycle)
    build(made, "one")
    yield made
    made.close()


def build(house: Consortium, content: str) -> None:
    """Everybody has the package; the maker registers it."""
    for who in ROLES:
        (house.root / who / "app.whl").write_text(content)
    house.did("maker", "register", "app.whl", "--kind", "release", "--push")


def release(house: Consortium) -> str:
    """The first digits of its id: the others do not have the maker's records."""
    (shown,) = house.did("first", "approvals")
    return str(shown["artefact"])


def shown(house: Consortium, who: str = "reader") -> Any:
    return house.did(who, "show", release(house))


def test_a_step_is_taken_once_two_others_approved_it(house: Consortium) -> None:
    name = release(house)
    (before,) = shown(house)["approvals"]
    assert (before["action"], before["needed"], before["missing"]) == ("publish", 2, 2)
    assert (before["given"], before["askable"]) == ([], ["first", "second", "third"])

    code, pushed = house.run("maker", "act", "publish", "app.whl", "--push")
    assert code == 6, pushed
    assert "too few organisations approved this step" in json.dumps(pushed)

    house.did("second", "approve", name, "publish", "--claim", "reviewed=all")
    (half,) = house.did("reader", "approvals", name)
    assert (half["given"], half["missing"], half["askable"]) == (["second"], 1, ["first", "third"])
    (told,) = house.did("first", "approve", name, "publish")["awaited"]
    assert (told["given"], told["missing"]) == (["first", "second"], 0)
    house.did("maker", "act", "publish", "app.whl", "--push")
    after = house.did("maker", "show", "app.whl")
    assert after["state"] == "public"
    assert house.did("maker", "verify", "app.whl")["conclusion"] == "valid"


def test_an_approval_is_signed_by_one_and_relayed_by_another(house: Consortium) -> None:
    name = release(house)
    house.did("first", "approve", name, "publish", "--sign", "../approval.json")
    assert house.did("reader", "approvals", name)[0]["given"] == []
    (told,) = house.did("reader", "relay", "../approval.json")
    assert (told["outcome"], told["signer"]) == ("done", house.address("first"))
    assert house.did("reader", "approvals", name)[0]["given"] == ["first"]
    assert house.did("reader", "relay", "../approval.json")[0]["outcome"] == "known"
    denied = house.refused("maker", "approve", "app.whl", "publish", "--sign", "../other.json")
    assert "an earlier step may not do this one" in denied["message"]
    assert not (house.root / "other.json").exists()


def test_an_approval_is_stale_after_any_other_step(house: Consortium) -> None:
    name = release(house)
    house.did("first", "approve", name, "publish")
    house.did("second", "approve", name, "publish")
    (house.root / "maker" / "next.whl").write_text("two")
    house.did("maker", "act", "rebuild", name, "--subject", "next.whl", "--push")
    (now,) = house.did("reader", "approvals")
    assert (now["given"], now["missing"]) == ([], 2)
    code, _ = house.run("maker", "act", "publish", name, "--push")
    assert code == 6


def test_an_approval_of_a_member_that_went_or_of_a_revoked_key_counts_no_more(house: Consortium) -> None:
    name = release(house)
    for who in ("first", "second", "third"):
        house.did(who, "approve", name, "publish")
    house.did("third", "key", "revoke", "default")
    house.did("second", "consortium", "leave", "--yes")
    (now,) = house.did("reader", "approvals")
    assert (now["given"], now["missing"], now["askable"]) == (["first"], 1, ["third"])
    code, _ = house.run("maker", "act", "publish", name, "--push")
    assert code == 6


def test_whoever_may_not_approve_is_told_why(house: Consortium) -> None:
    name = release(house)

    def error(who: str, *arguments: str) -> str:
        found = house.refused(who, "approve", *arguments)
        return f"{found['message']} / {found['hint']}"

    assert "an earlier step may not do this one" in error("maker", "app.whl", "publish")
    assert "lacks the role" in error("reader", name, "publish")
    assert "take the step itself: `proml act rebuild`" in error("first", name, "rebuild")
    assert "steps that need approvals now: publish" in error("first", name, "reissue", "--subject", "app.whl")
    assert "its actions are build, rebuild, publish, reissue" in error("first", name, "publsh")
    assert "nothing here is called 'nothing'" in error("first", "nothing", "publish")
    house.did("first", "key", "new", "clerk")
    house.did("first", "key", "add", "clerk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROML_KEY", "clerk")
        assert "scope does not cover this" in error("first", name, "publish")


def test_bytes_are_approved_only_where_they_may_be_told(house: Consortium) -> None:
    name = release(house)
    for who in ("first", "second"):
        house.did(who, "approve", name, "publish")
    house.did("maker", "act", "publish", "app.whl", "--push")
    for who in ROLES:
        (house.root / who / "patched.whl").write_text("patched")
    private = house.refused("first", "approve", name, "reissue", "--subject", "patched.whl")
    assert "are private here" in private["message"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROML_DISCOVERABLE", "model,release")
        house.did("first", "approve", name, "reissue", "--subject", "patched.whl")
        code, _ = house.run("maker", "act", "reissue", name, "--subject", "app.whl", "--push")
        assert code == 6, "other bytes than were approved"
        house.did("maker", "act", "reissue", name, "--subject", "patched.whl", "--push")
        assert house.did("reader", "show", "patched.whl")["id"] == name


def test_what_the_command_line_can_do_python_can_do(house: Consortium) -> None:
    name = release(house)
    for who in ("first", "third"):
        Approvals(house.participant(who)).approve(name, "publish")
    (each,) = Approvals(house.participant("reader")).awaited()
    assert (each.given, each.missing, each.askable) == (("first", "third"), 0, ("second",))
