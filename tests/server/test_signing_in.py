"""Signing in with a key (attack 23), and what a sign-in may do."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from proml.core.digest import hexed, keccak256
from proml.errors import RecordInvalid
from proml.interfaces import Signer
from proml.node.server.signatures import checksummed, signer_of, text_digest
from proml.node.server.signing_in import read_sign_in
from proml.signing import throwaway_key
from tests.server.place import Place

API = "/api/v1"


def text_for(place: Place, key: Signer) -> str:
    answer = place.post(f"{API}/sign-in/texts", {"address": hexed(key.address)}, key=None)
    assert answer.status_code == 201
    return str(answer.json()["text"])


def sent(place: Place, text: str, signature: str, **more: Any) -> Any:
    return place.post(f"{API}/sign-in", {"text": text, "signature": signature, **more}, key=None)


def signed(key: Signer, text: str) -> str:
    return hexed(key.sign_digest(text_digest(text)))


def test_a_member_signs_in_with_its_key_and_out_again(place: Place):
    text = text_for(place, place.signer)
    answer = sent(place, text, signed(place.signer, text))
    assert answer.status_code == 200
    assert answer.json()["scopes"] == ["approve", "govern", "read", "record"]
    assert (answer.json()["name"], answer.json()["token"]) == ("Acme", None)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    shown = {"cookie": cookie.partition(";")[0]}
    assert place.get(f"{API}/me", shown).json()["key"] == hexed(place.signer.address)
    assert place.request("DELETE", f"{API}/sign-in", shown).status_code == 204
    assert place.get(f"{API}/me", shown).json()["caller"] == "anyone"


def test_another_members_node_signs_in_and_may_read_only(place: Place):
    text = text_for(place, place.other)
    answer = sent(place, text, signed(place.other, text), cookie=False).json()
    assert (answer["organisation"], answer["scopes"]) == (2, ["read"])
    shown = {"authorization": f"Bearer {answer['token']}"}
    assert place.get(f"{API}/state", shown).status_code == 200
    assert place.post(f"{API}/steps", {}, shown).status_code == 403


@pytest.mark.attack
def test_a_text_that_was_used_is_refused(place: Place):
    text = text_for(place, place.signer)
    assert sent(place, text, signed(place.signer, text)).status_code == 200
    again = sent(place, text, signed(place.signer, text))
    assert (again.status_code, again.json()["type"]) == (401, "urn:proml:sign-in-refused")
    assert "set-cookie" not in again.headers


@pytest.mark.attack
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("127.0.0.1", "evil.example"),
        ("URI: http://127.0.0.1", "URI: https://127.0.0.1"),
        ("Chain ID: ", "Chain ID: 1"),
        ("Version: 1", "Version: 2"),
        ("Issued At: 20", "Issued At: 21"),
        ("Sign in to", "Sign in at"),
    ],
)
def test_a_text_for_another_node_or_chain_or_time_is_refused(place: Place, old: str, new: str):
    text = text_for(place, place.signer).replace(old, new, 1)
    assert sent(place, text, signed(place.signer, text)).status_code == 401


@pytest.mark.attack
def test_a_nonce_of_ones_own_or_of_another_purpose_is_refused(place: Place):
    text = text_for(place, place.signer)
    nonce = text.partition("Nonce: ")[2][:32]
    for other in ("0" * 32, place.access.new_nonce("else")):
        forged = text.replace(nonce, other)
        assert sent(place, forged, signed(place.signer, forged)).status_code == 401


def test_a_signature_by_another_key_or_no_signature_is_refused(place: Place):
    for signature in (None, "0x", "0x" + "00" * 65, "0x" + "ff" * 65, "zz"):
        text = text_for(place, place.signer)
        by_other = signature is None
        answer = sent(place, text, signed(place.other, text) if by_other else str(signature))
        assert answer.status_code == 401


def test_a_key_that_belongs_to_no_member_is_nobody(place: Place):
    stranger = throwaway_key()
    text = text_for(place, stranger)
    answer = sent(place, text, signed(stranger, text))
    assert (answer.status_code, "no member" in answer.json()["detail"]) == (401, True)


def test_with_tls_the_cookie_goes_nowhere_without(unstarted: Place, certificate: Any):
    with unstarted.up_with_tls(certificate):
        text = text_for(unstarted, unstarted.signer)
        assert "URI: https://" in text
        cookie = sent(unstarted, text, signed(unstarted.signer, text)).headers["set-cookie"]
        assert cookie.startswith("__Host-proml-session=")
        assert "; Secure" in cookie


@given(st.text(max_size=200))
def test_a_text_is_signed_as_every_wallet_does(text: str):
    account = Account.from_key(b"\x01" * 32)
    made = account.sign_message(encode_defunct(text=text))
    assert signer_of(text_digest(text), bytes(made.signature)) == bytes.fromhex(account.address[2:])
    assert checksummed(bytes.fromhex(account.address[2:])) == account.address


@given(st.binary(min_size=63, max_size=67))
def test_any_other_bytes_are_no_signature(content: bytes):
    with suppress(RecordInvalid):
        assert len(signer_of(keccak256(b"x"), content)) == 20


@given(st.text())
def test_no_other_text_is_read_as_a_sign_in(text: str):
    with pytest.raises(RecordInvalid):
        read_sign_in(text)
