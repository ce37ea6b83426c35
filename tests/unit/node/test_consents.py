"""Consent files: what a key agreed to, and that nothing else passes for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proml.errors import ConfigInvalid
from proml.node.consents import NEW, Consent, Joining, give_consent, read_consent
from proml.signing import throwaway_key
from proml.signing.recovery import HALF_ORDER, signer_of
from proml.trust import new_profile
from tests.unit.node.place import Place


@pytest.fixture
def given(place: Place) -> Consent:
    return give_consent(place.memory.terms, throwaway_key(), Joining(NEW, profile=new_profile("Lab")))


def test_a_consent_is_read_back_as_it_was_given(place: Place, given: Consent, folder: Path) -> None:
    path = folder / "consent.json"
    for consent in (given, give_consent(place.memory.terms, throwaway_key(), Joining(2, 1, 500))):
        path.write_bytes(consent.written())
        assert read_consent(path) == consent
        consent.check(place.memory.terms)
        assert consent.is_whole == (consent is given)


@pytest.mark.parametrize(
    "changes",
    [
        {"organisation": 3},
        {"scope": 1},
        {"expires": 9},
        {"key": bytes(20)},
        {"signature": bytes(65)},
        {"signature": bytes(64)},
    ],
)
def test_a_consent_to_one_thing_is_none_to_another(
    place: Place, given: Consent, changes: dict[str, Any]
) -> None:
    with pytest.raises(ConfigInvalid, match="did not sign this consent"):
        replace(given, **changes).check(place.memory.terms)


@pytest.mark.parametrize("changes", [{"chain_id": 9}, {"contract": bytes(20)}])
def test_a_consent_is_worth_nothing_on_another_ledger(
    place: Place, given: Consent, changes: dict[str, Any]
) -> None:
    with pytest.raises(ConfigInvalid, match="for another ledger"):
        replace(given, **changes).check(place.memory.terms)
    with pytest.raises(ConfigInvalid, match="for another ledger"):
        given.check(replace(place.memory.terms, **changes))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("type", "proml/key"),
        ("version", 2),
        ("organisation", True),
        ("organisation", -1),
        ("organisation", 2),  # a member's name is known
        ("key", "0x12"),
        ("scope", ["king"]),
        ("scope", 7),
        ("expires", "never"),
        ("signature", "0x" + "00" * 64),
        ("name", ""),
        ("name", "Acme\u202eclinic"),
        ("name", " Acme"),
        ("name", 7),
        ("salt", None),
        ("more", 1),
        ("chain_id", 1.5),
    ],
)
def test_a_file_that_says_anything_else_is_refused(
    given: Consent, folder: Path, member: str, value: object
) -> None:
    path = folder / "consent.json"
    path.write_text(json.dumps(given.document() | {member: value}))
    with pytest.raises(ConfigInvalid, match="is no consent file"):
        read_consent(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"type":1}', b"null"])
def test_a_file_of_something_else_is_refused(folder: Path, content: bytes) -> None:
    path = folder / "consent.json"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid, match="is no consent file"):
        read_consent(path)
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        read_consent(folder)


def test_the_other_form_of_a_valid_signature_is_nobodys() -> None:
    key, digest = throwaway_key(), bytes(range(32))
    signature = key.sign_digest(digest)
    assert signer_of(digest, signature) == key.address
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    order = 2 * HALF_ORDER + 1
    twin = r + (order - s).to_bytes(32, "big") + bytes([55 - v])
    for other in (twin, signature[:64] + bytes([v - 27]), signature[:64], b"\xff" * 32 + signature[32:]):
        assert signer_of(digest, other) is None
