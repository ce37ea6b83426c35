"""Keys join with their own consent, and are refused from the block on that ends them; on every ledger."""

from __future__ import annotations

import pytest

from proml.contracts.consent import consent_digest
from proml.core.call import AddKeyCall, BatchCall, RevokeKeyCall
from proml.core.consortium import SCOPES
from proml.core.event import (
    KeyAdded,
    KeyRevoked,
)
from proml.core.refusal import Reason
from proml.signing import LocalSigner, throwaway_key
from tests.conformance.ledgers import World


def consent(world: World, key: LocalSigner, scope: int, expires: int = 0, organisation: int = 1) -> bytes:
    return key.sign_digest(consent_digest(world.ledger.terms, organisation, key.address, scope, expires))


def test_a_key_that_agreed_joins_records_and_is_revoked(world, salt):
    key, scope = throwaway_key(), SCOPES["record"]
    added = world.send(AddKeyCall(key.address, scope, 0, consent(world, key, scope)))
    assert [placed.event for placed in added.events] == [KeyAdded(1, key.address, scope, 0)]
    receipt = world.send(BatchCall(steps=(world.start(salt),)), key)
    assert receipt.succeeded
    assert receipt.events[0].event.actor.organisation == 1
    revoked = world.send(RevokeKeyCall(key.address, receipt.block.number))
    assert [placed.event for placed in revoked.events] == [KeyRevoked(1, key.address, receipt.block.number)]
    refused = world.send(BatchCall(steps=(world.start(salt[::-1]),)), key)
    assert (refused.succeeded, refused.reason, refused.events) == (False, Reason.KEY_REVOKED, ())
    assert world.chronicle().illegal == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda world, key: consent(world, world.stranger, 1),
        lambda world, key: consent(world, key, 3),
        lambda world, key: consent(world, key, 1, expires=10**6),
        lambda world, key: consent(world, key, 1, organisation=2),
        lambda world, key: bytes(64) + b"\x1b",
        lambda world, key: consent(world, key, 1)[:64] + b"\x00",
        lambda world, key: consent(world, key, 1)[:64] + b"\x1d",
        lambda world, key: high_s(consent(world, key, 1)),
    ],
    ids=["by another", "scope", "end", "organisation", "zero", "v 0", "v 29", "high s"],
)
def test_a_key_that_did_not_agree_does_not_join(world, spoil):
    key = throwaway_key()
    before = world.everything()
    receipt = world.send(AddKeyCall(key.address, 1, 0, spoil(world, key)))
    assert (receipt.succeeded, receipt.reason) == (False, Reason.CONSENT_INVALID)
    assert world.everything() == before
    assert world.chronicle().shared.keys.get(key.address) is None


def high_s(signature: bytes) -> bytes:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = order - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


def test_a_key_of_another_organisation_is_not_yours_to_revoke(world):
    before = world.everything()
    receipt = world.send(RevokeKeyCall(world.other.address, world.ledger.terms.deployed))
    assert (receipt.succeeded, receipt.reason) == (False, Reason.NOT_YOUR_KEY)
    assert world.everything() == before


def test_a_key_ends_with_its_block(world, salt):
    key = throwaway_key()
    end = world.ledger.head().number + 3
    assert world.send(AddKeyCall(key.address, 1, end, consent(world, key, 1, end))).succeeded
    assert world.send(BatchCall(steps=(world.start(salt),)), key).succeeded
    refused = world.send(BatchCall(steps=(world.start(salt[::-1]),)), key)
    assert (refused.block.number, refused.reason) == (end, Reason.KEY_EXPIRED)
