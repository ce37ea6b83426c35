"""Keys of an organisation come, expire, are rotated, lost and stolen; the history says what each is worth."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proml.core.consortium import ROLES
from proml.core.verdict import ACTORS
from proml.node.keyring import Keyring
from tests.scenario.consortium import Consortium
from tests.unit.signing_server import signing_server


@pytest.fixture
def alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Consortium]:
    made = Consortium(tmp_path, monkeypatch, capsys)
    made.found({"clinic": list(ROLES), "firm": ["labeller"]})
    yield made
    made.close()


def with_key(name: str, house: Consortium, *arguments: str) -> tuple[int, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROML_KEY", name)
        return house.run("clinic", *arguments)


def collect(house: Consortium, name: str, key: str) -> None:
    (house.root / "clinic" / name).write_text(name)
    code, answer = with_key(key, house, "register", name, "--kind", "dataset", "--push")
    assert code == 0, answer


def actors(house: Consortium, name: str) -> tuple[str, str]:
    """The outcome of the check of actors, and what it found."""
    verdict = house.run("clinic", "verify", name)[1]
    (check,) = [check for check in verdict["checks"] if check["number"] == ACTORS]
    return check["outcome"], json.dumps(check["findings"])


def test_a_stolen_key_is_believed_before_suspect_between_and_refused_after(alone: Consortium) -> None:
    alone.did("clinic", "key", "new", "laptop")
    alone.did("clinic", "key", "add", "laptop")
    collect(alone, "before.csv", "laptop")
    stolen = alone.participant("clinic").ledger.head().number + 1
    collect(alone, "between.csv", "laptop")
    alone.did("clinic", "key", "revoke", "laptop", "--since", str(stolen))

    assert actors(alone, "before.csv")[0] == "valid"
    outcome, found = actors(alone, "between.csv")
    assert outcome == "not checked"
    assert f"reported as compromised since block {stolen}" in found
    (alone.root / "clinic" / "after.csv").write_text("after")
    code, answer = with_key("laptop", alone, "register", "after.csv", "--kind", "dataset", "--push")
    assert code == 6, answer
    assert alone.did("clinic", "key", "show", "laptop")["suspect from"] == f"block {stolen}"


def test_a_key_that_is_revoked_without_a_boundary_leaves_nothing_suspect(alone: Consortium) -> None:
    alone.did("clinic", "key", "new", "laptop")
    alone.did("clinic", "key", "add", "laptop")
    collect(alone, "last.csv", "laptop")
    alone.did("clinic", "key", "revoke", "laptop")
    assert actors(alone, "last.csv")[0] == "valid"


def test_a_key_gives_way_to_a_new_one_that_signs_for_it(alone: Consortium) -> None:
    collect(alone, "old.csv", "default")
    before = alone.did("clinic", "key", "show")
    settings = alone.root / "clinic" / ".proml" / "config.toml"
    settings.write_text(settings.read_text() + "strict = true\n")
    address = alone.did("clinic", "key", "rotate", "second")["signs from now on"]
    now = alone.did("clinic", "key", "show")
    assert (now["address"], now["name"], now["scope"]) == (address, "second", before["scope"])
    assert alone.did("clinic", "config")["strict"]["value"] is True
    assert alone.did("clinic", "key", "show", "default")["revoked"] != "no"
    collect(alone, "new.csv", "second")
    assert actors(alone, "old.csv")[0] == actors(alone, "new.csv")[0] == "valid"
    again = alone.refused("clinic", "key", "rotate", "second")
    assert "is the key that signs now" in again["message"]


@pytest.mark.parametrize("after", ["added", "revoked"])
def test_an_interrupted_rotation_goes_on_where_it_was(alone: Consortium, after: str) -> None:
    alone.did("clinic", "key", "new", "second")
    alone.did("clinic", "key", "add", "second", "-s", "record", "-s", "approve", "-s", "govern")
    if after == "revoked":
        alone.did("clinic", "key", "revoke", "default")
    alone.did("clinic", "key", "rotate", "second")
    assert alone.did("clinic", "key", "show")["name"] == "second"
    collect(alone, "new.csv", "second")


def test_what_is_in_the_journal_when_a_key_is_rotated_goes_out_with_the_new_one(alone: Consortium) -> None:
    me = alone.participant("clinic")
    (alone.root / "clinic" / "draft.csv").write_text("1")
    me.register(alone.root / "clinic" / "draft.csv", "dataset")
    alone.did("clinic", "key", "rotate", "second")
    alone.did("clinic", "push")
    (step,) = alone.did("clinic", "show", "draft.csv")["history"]
    assert step["key"] == alone.did("clinic", "key", "show")["address"]


def test_a_key_for_machines_records_until_its_block_and_nothing_else(alone: Consortium) -> None:
    end = alone.participant("clinic").ledger.head().number + 4
    alone.did("clinic", "key", "new", "ci")
    alone.did("clinic", "key", "add", "ci", "--expires", str(end))
    collect(alone, "nightly.csv", "ci")
    code, answer = with_key("ci", alone, "consortium", "propose", "threshold", "1")
    assert (code, answer["error"]["message"]) == (
        6,
        "the ledger refused to propose to let 1 decide together: the key's scope does not cover this",
    )
    collect(alone, "a.csv", "default")
    collect(alone, "b.csv", "default")
    code, answer = with_key("ci", alone, "consortium", "leave", "--yes")
    assert "the key has expired" in answer["error"]["message"]


def test_a_key_on_another_machine_consents_by_a_file(alone: Consortium) -> None:
    other = alone.root / "elsewhere"
    alone.did("elsewhere", "init", "--organisation", "clinic", "--ledger", str(alone.ledger_file))
    alone.did("elsewhere", "key", "consent", "--member", "clinic", "-s", "record", "-o", "../consent.json")
    assert "another organisation" in alone.refused("firm", "key", "add", "../consent.json")["message"]
    added = alone.did("clinic", "key", "add", "../consent.json")["added"]
    shown = alone.did("elsewhere", "key", "show")
    assert (shown["address"], shown["member"], shown["scope"]) == (added, "clinic", "record")
    assert (
        "belongs to an organisation already"
        in (alone.refused("clinic", "key", "add", "../consent.json")["message"])
    )
    assert Keyring(alone.participant("clinic")).known(bytes.fromhex(added[2:])) is not None
    assert other.is_dir()


def test_a_key_that_is_never_on_this_machine_signs_like_any_other(alone: Consortium) -> None:
    secret = secrets.token_bytes(32)
    with signing_server(secret) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROML_SIGNER", f"web3signer:{server.url}")
        alone.did("clinic", "key", "consent", "--member", "clinic", "-s", "record", "-o", "../consent.json")
        patch.delenv("PROML_SIGNER")
        added = alone.did("clinic", "key", "add", "../consent.json")["added"]
        patch.setenv("PROML_SIGNER", f"web3signer:{server.url}")
        shown = alone.did("clinic", "key", "show")
        assert (shown["address"], shown["name"], shown["scope"]) == (added, "web3signer", "record")
        collect(alone, "vault.csv", "default")
        assert alone.did("clinic", "show", "vault.csv")["history"][0]["key"] == added
        patch.setenv("PROML_SIGNER", "environment")
        patch.setenv("PROML_SIGNER_KEY", "0x" + secret.hex())
        collect(alone, "ci.csv", "default")
        assert alone.did("clinic", "show", "ci.csv")["history"][0]["key"] == added
        server.mood = "refuse"
        patch.setenv("PROML_SIGNER", f"web3signer:{server.url}")
        (alone.root / "clinic" / "late.csv").write_text("late")
        assert alone.refused("clinic", "register", "late.csv", "--kind", "dataset", "--push")["code"] == "8"
        server.mood = ""
        alone.did("clinic", "push")
        assert alone.did("clinic", "show", "late.csv")["state"] == "collected"
    written = [path for path in alone.root.rglob("*") if path.is_file()]
    assert len(written) > 20
    for path in written:
        content = path.read_bytes()
        assert secret not in content
        assert secret.hex().encode() not in content.lower()


def test_slips_with_keys_are_told_in_a_sentence(alone: Consortium) -> None:
    def error(*arguments: str) -> str:
        found = alone.refused("clinic", "key", *arguments)
        return f"{found['message']}: {found['hint']}"

    assert "scopes are record, approve, govern" in error("add", "default", "--scope", "everything")
    assert "belongs to an organisation already" in error("add", "default")
    assert "proml key new" in error("add", "nobody")
    assert "the key belongs to another organisation" in error("revoke", alone.address("firm"))
    assert "the key began in block 1" in error("revoke", "default", "--since", "99")
    assert "40 lower-case digits" in error("revoke", "0x12")
    assert "cannot name a key" in error("new", "../escape")
    assert "every scope and no end" in error("consent", "--scope", "record")
    assert "did you mean 'clinic'" in error("consent", "--member", "clinc")
