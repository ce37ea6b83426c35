"""The organisations and keys of the contract tests, and short ways to say what they ask for.

Organisations as in the nine-step story with one role each, one that holds several roles at once, and
one that holds none. All keys are made from small numbers, so that a failing test shows the same bytes
every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from proml.core.call import AddKeyCall, Founder, StepCall
from proml.core.consortium import role_mask
from proml.core.digest import keccak256
from proml.core.event import Input, Step
from proml.core.lifecycle import Lifecycle, Table
from proml.core.proposal import Governance
from proml.lifecycles import shipped

LIFECYCLES: dict[str, Lifecycle] = {lifecycle.kind: lifecycle for lifecycle in shipped()}
NUMBERS = {kind: number for number, kind in enumerate(LIFECYCLES, start=1)}
TABLES: tuple[Table, ...] = tuple(lifecycle.table for lifecycle in LIFECYCLES.values())

_numbers = count(1)


def account(number: int) -> LocalAccount:
    """The account whose private key is the number."""
    made: LocalAccount = Account.from_key(number.to_bytes(32, "big"))
    return made


def address(who: LocalAccount) -> bytes:
    """Its 20 bytes."""
    return bytes.fromhex(who.address[2:])


def fresh() -> bytes:
    """32 bytes that were not used before."""
    return keccak256(b"fresh %d" % next(_numbers))


ACCOUNTS = tuple(account(number) for number in range(1, 10))
KEYS = tuple(address(who) for who in ACCOUNTS)
DATA, LABELLER, DEVELOPER, VERIFIER, APPROVER, OPERATOR, AUDITOR, GUEST, CONGLOMERATE = KEYS
# The organisation's number of each key.
ORGANISATION = {key: number for number, key in enumerate(KEYS, start=1)}
SPARE = account(100)
STRANGER = address(account(999))

FOUNDERS = tuple(
    Founder(key, role_mask(roles), keccak256(b"profile" + key))
    for key, roles in zip(
        KEYS,
        (
            ["data_admin"],
            ["labeller"],
            ["developer"],
            ["verifier"],
            ["approver"],
            ["operator"],
            ["auditor"],
            [],
            ["data_admin", "labeller", "developer", "verifier", "approver"],
        ),
        strict=True,
    )
)

# Short, so that tests need not let many blocks go by.
RULES = Governance(threshold=2, lifetime=50, delay=3, recovery_delay=10)


def register(
    kind: str, action: str, inputs: Sequence[Step | Input] = (), *, subject: bytes | None = None
) -> StepCall:
    """A registration with a fresh salt, record and subject."""
    lifecycle = LIFECYCLES[kind]
    return StepCall(
        artefact=fresh(),
        lifecycle=NUMBERS[kind],
        action=lifecycle.action_number(action),
        sequence=1,
        record=fresh(),
        subject=fresh() if subject is None else subject,
        inputs=named(inputs),
    )


def act(kind: str, action: str, after: Step, inputs: Sequence[Step | Input] = ()) -> StepCall:
    """The step that follows `after` on the same artefact."""
    return StepCall(
        artefact=after.artefact,
        lifecycle=0,
        action=LIFECYCLES[kind].action_number(action),
        sequence=after.sequence + 1,
        record=fresh(),
        subject=fresh(),
        inputs=named(inputs),
    )


def named(inputs: Sequence[Step | Input]) -> tuple[Input, ...]:
    """Inputs by the steps they stand for."""
    return tuple(
        entry if isinstance(entry, Input) else Input(entry.artefact, entry.sequence) for entry in inputs
    )


@dataclass(frozen=True, slots=True)
class Consent:
    """What a key signs to let an organisation have it, through a library that is not the product's."""

    chain_id: int
    contract: bytes
    organisation: int
    key: bytes
    scope: int = 7
    expires: int = 0

    def signature(self, who: LocalAccount) -> bytes:
        """65 bytes r, s, v by EIP-712."""
        message = encode_typed_data(
            domain_data={
                "name": "ProML",
                "version": "1",
                "chainId": self.chain_id,
                "verifyingContract": "0x" + self.contract.hex(),
            },
            message_types={
                "KeyConsent": [
                    {"name": "organisation", "type": "uint256"},
                    {"name": "key", "type": "address"},
                    {"name": "scope", "type": "uint256"},
                    {"name": "expires", "type": "uint256"},
                ]
            },
            message_data={
                "organisation": self.organisation,
                "key": "0x" + self.key.hex(),
                "scope": self.scope,
                "expires": self.expires,
            },
        )
        return bytes(who.sign_message(message).signature)

    def call(self, who: LocalAccount) -> AddKeyCall:
        """The call that adds the key with that signature."""
        return AddKeyCall(self.key, self.scope, self.expires, self.signature(who))
