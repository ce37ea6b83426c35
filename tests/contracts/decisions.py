"""One change of each kind, and short ways to a proposal that has passed."""

from __future__ import annotations

from dataclasses import replace

from proml.core.call import (
    ProposeCall,
    VoteCall,
)
from proml.core.consortium import role_mask
from proml.core.event import (
    ProposalMade,
)
from proml.core.lifecycle import Rule, Table
from proml.core.proposal import Change, ChangeKind
from tests.contracts.cast import (
    DATA,
    GUEST,
    LABELLER,
    ORGANISATION,
    SPARE,
    Consent,
    account,
    address,
    fresh,
)
from tests.contracts.side_by_side import SideBySide

NEW = address(SPARE)
NARROW = account(101)
TABLE = Table(1, 0, 2, 0, fresh(), (Rule(0, 1, 1, 1),))
ROLES = Change(ChangeKind.SET_ROLES, ORGANISATION[GUEST], role_mask(["developer"]))
REMOVE = Change(ChangeKind.REMOVE, ORGANISATION[GUEST])
THRESHOLD = Change(ChangeKind.SET_THRESHOLD, setting=3)
ADMIT = Change(ChangeKind.ADMIT, setting=role_mask(["developer"]), key=NEW, profile=fresh())
RECOVER = Change(ChangeKind.RECOVER_KEY, ORGANISATION[GUEST], key=NEW)
LIFECYCLE = Change(ChangeKind.ADMIT_LIFECYCLE, profile=TABLE.id)


def consent(side: SideBySide, organisation: int, **changed: object) -> bytes:
    made = Consent(side.contract.chain_id, side.contract.address, organisation, NEW)
    return replace(made, **changed).signature(SPARE)


def passed(side: SideBySide, change: Change, proposer: bytes = DATA, voter: bytes = LABELLER) -> int:
    """A proposal with the votes it needs; its delay has begun."""
    (made,) = side.accepted(proposer, ProposeCall(change))
    assert isinstance(made, ProposalMade)
    side.accepted(voter, VoteCall(made.number))
    return made.number


def give_narrow_key(side: SideBySide, scope: int, owner: bytes = DATA) -> bytes:
    asked = Consent(
        side.contract.chain_id, side.contract.address, ORGANISATION[owner], address(NARROW), scope
    )
    side.accepted(owner, asked.call(NARROW))
    return asked.key
