"""Steps, approvals and decisions over the API: once each, in scope, and signed for where that is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from proml.core.digest import hexed, sha256, unhexed
from proml.core.proposal import ChangeKind
from proml.node.government import Government
from proml.node.participant import Content
from proml.signing import throwaway_key
from tests.server.place import Place

API = "/api/v1"
SUBJECT = {"name": "m.bin", "size": 5, "sha256": hexed(sha256(b"model"))}
COLLECT = {"kind": "dataset", "action": "collect", "name": "digits", "subject": SUBJECT}


@pytest.fixture(scope="module")
def dataset(place: Place) -> str:
    """The id of a dataset that was registered over the API."""
    answer = place.post(f"{API}/steps", COLLECT, place.token("record"), key="first")
    assert answer.status_code == 202
    place.push()
    return str(answer.json()["artefact"])


def journal(place: Place) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(place.me.config.journal.glob("*.journal")))


def sequence(place: Place, artefact: str) -> int:
    return int(place.get(f"{API}/artefacts/{artefact}").json()["artefact"]["sequence"])


def test_what_is_noted_gets_the_id_that_was_told(place: Place, dataset: str):
    row = place.get(f"{API}/artefacts/{dataset}").json()["artefact"]
    assert (row["kind"], row["state"]) == ("dataset", "collected")


def test_the_same_key_and_request_have_one_effect_and_one_answer(place: Place):
    headers = place.token("record")
    first = place.post(f"{API}/steps", COLLECT, headers, key="once")
    before = journal(place)
    again = place.post(f"{API}/steps", COLLECT, headers, key="once")
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = place.post(f"{API}/steps", {**COLLECT, "name": "other"}, headers, key="once")
    assert (other.status_code, other.json()["type"]) == (422, "urn:proml:idempotency-key-reused")
    assert place.post(f"{API}/steps", COLLECT, headers, key=None).status_code == 400
    assert journal(place) == before
    # Another caller's key is another key.
    assert place.post(f"{API}/steps", COLLECT, place.token("record"), key="once").json() != first.json()


@pytest.mark.parametrize(
    "change",
    [
        {"action": "nothing"},
        {"kind": "nothing"},
        {"kind": None},
        {"artefact": "0x" + "ab" * 32},
        {"kind": None, "artefact": "0x12"},
        {"subject": {"name": "m", "size": -1, "sha256": SUBJECT["sha256"]}},
        {"subject": {"name": "m", "size": 1, "sha256": "0x12"}},
        {"inputs": [{"part": "data"}]},
        {"parameters": []},
        {"unknown": 1, "kind": 7},
    ],
)
def test_a_step_that_makes_no_sense_is_refused_and_nothing_noted(place: Place, change: dict[str, Any]):
    before = journal(place)
    answer = place.post(f"{API}/steps", {**COLLECT, **change}, place.token("record"))
    assert answer.status_code in (404, 422)
    assert journal(place) == before
    # Nothing came of it, so the key is free.
    assert (
        place.post(f"{API}/steps", {**COLLECT, **change}, place.token("record")).status_code
        == answer.status_code
    )


@pytest.mark.attack
def test_a_token_that_records_cannot_approve(place: Place, dataset: str):
    before = journal(place)
    approve = {"artefact": dataset, "action": "approve", "subject": SUBJECT}
    recorder = place.token("read", "record")
    answer = place.post(f"{API}/steps", approve, recorder)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:proml:signature-needed")
    assert place.post(f"{API}/approvals", approve, recorder).status_code == 403
    # Nor may one that approves, without the signature.
    assert place.post(f"{API}/steps", approve, place.token("record", "approve")).status_code == 403
    assert journal(place) == before


def test_an_approval_is_made_by_a_signature_over_what_it_says(place: Place, dataset: str):
    approver = place.token("approve")
    asked = place.post(
        f"{API}/approvals", {"artefact": dataset, "action": "approve", "subject": SUBJECT}, approver
    )
    to_sign = asked.json()
    assert dataset in to_sign["text"]
    assert to_sign["typed"]["message"]["text"] == to_sign["text"]
    where = f"{API}/approvals/{to_sign['id']}/signature"
    before = journal(place)
    for key in (place.other, throwaway_key()):
        wrong = {"signature": hexed(key.sign_digest(unhexed(to_sign["id"])))}
        assert place.post(where, wrong, approver, key=hexed(key.address)).status_code == 403
    assert place.post(where, {"signature": "0x00"}, approver, key="bad").status_code == 403
    assert journal(place) == before
    right = {"signature": hexed(place.signer.sign_digest(unhexed(to_sign["id"])))}
    assert place.post(where, right, approver, key="good").status_code == 202
    # The statement is used up.
    assert place.post(where, right, approver, key="more").status_code == 404
    place.push()
    steps = place.get(f"{API}/artefacts/{dataset}/history").json()["rows"]
    assert [step["action"] for step in steps] == ["collect", "approve"]
    record = place.me.record(unhexed(steps[1]["record"]))
    assert record is not None
    assert record["claims"]["approval"]["signed by"] == hexed(place.signer.address)
    assert record["claims"]["approval"]["text"] == to_sign["text"]


def test_an_approval_of_what_moved_on_meanwhile_is_refused(place: Place):
    place.me.register(None, "dependency", name="lib", content=Content())
    place.push()
    (row,) = place.get(f"{API}/artefacts?kind=dependency").json()["rows"]
    approver = place.token("approve")
    lifecycle = next(each for each in place.me.lifecycles if each.kind == "dependency")
    action = next(name for name in lifecycle.open_actions(1))
    to_sign = place.post(
        f"{API}/approvals", {"artefact": row["id"], "action": action}, approver, key="a"
    ).json()
    place.me.act(row["id"], action)
    place.push()
    assert sequence(place, row["id"]) == 2
    right = {"signature": hexed(place.signer.sign_digest(unhexed(to_sign["id"])))}
    late = place.post(f"{API}/approvals/{to_sign['id']}/signature", right, approver, key="b")
    assert (late.status_code, late.json()["type"]) == (409, "urn:proml:moved-on")
    place.push()
    assert sequence(place, row["id"]) == 2


def test_a_wallet_signs_the_same_digest(place: Place):
    approver = place.token("govern")
    number = Government(place.me).propose_threshold(2)
    place.catch_up()
    to_sign = place.post(
        f"{API}/decisions", {"decision": "cancel", "proposal": number}, approver, key="w"
    ).json()
    account = Account.from_key(b"\x07" * 32)
    made = account.sign_message(encode_typed_data(full_message=to_sign["typed"]))
    assert hexed(bytes(made.message_hash)) == to_sign["id"]


def test_a_decision_is_made_by_a_signature_and_told_in_words(place: Place):
    governor = place.token("govern")
    (row,) = place.get(f"{API}/proposals").json()
    assert row["change"] == ChangeKind.SET_THRESHOLD.name.lower()
    asked = {"decision": "execute", "proposal": row["number"]}
    assert place.post(f"{API}/decisions", asked, place.token("approve", "record")).status_code == 403
    to_sign = place.post(f"{API}/decisions", asked, governor, key="d").json()
    where = f"{API}/decisions/{to_sign['id']}/signature"
    # What was asked as a decision is not signed for as an approval.
    right = {"signature": hexed(place.signer.sign_digest(unhexed(to_sign["id"])))}
    elsewhere = where.replace("decisions", "approvals")
    assert place.post(elsewhere, right, place.token("approve"), key="e").status_code == 404
    assert place.post(where, right, governor, key="f").json()["text"] == to_sign["text"]
    place.catch_up()
    assert place.get(f"{API}/proposals/{row['number']}").json()["state"] == "executed"
    late = place.post(
        f"{API}/decisions", {"decision": "vote", "proposal": row["number"]}, governor, key="g"
    ).json()
    again = {"signature": hexed(place.signer.sign_digest(unhexed(late["id"])))}
    refused = place.post(f"{API}/decisions/{late['id']}/signature", again, governor, key="h")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:proml:step-refused")


def test_no_key_or_token_is_in_any_file_of_the_node(place: Place):
    secret = place.token("read")["authorization"].partition(" ")[2].encode()
    found = [
        path
        for path in Path(place.me.config.root).rglob("*")
        if path.is_file() and secret in path.read_bytes()
    ]
    assert found == []
