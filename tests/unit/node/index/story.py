"""A ledger that a test writes block by block, and whose newest blocks it can exchange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from copy import copy
from dataclasses import fields, replace

from proml.core.call import BatchCall, Call, ContractCall, Founder, StepCall
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import keccak256, word
from proml.core.event import Block, Event, Header, Placed, Registered, Step
from proml.core.history import SharedHistory
from proml.core.lifecycle import Rule, Table
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from proml.errors import LedgerProblem
from proml.interfaces import Ledger, Terms
from proml.ledger.memory import apply
from proml.lifecycles import shipped
from proml.node.index import Index, View

ANYBODY = 2**64 - 1
# A lifecycle in which approvals, duties and recalls all happen; number 6, after the shipped ones.
GUARDED = Table(
    kind=7,
    usable=0b1010,
    terminal=0,
    recalled=0b10000,
    document=keccak256(b"guarded"),
    rules=(
        Rule(0, 1, 1, ANYBODY, usable=True),
        Rule(1, 2, 1, ANYBODY, usable=True, approvals=1, approver_roles=ANYBODY),
        Rule(1, 3, 2, ANYBODY, approvals=2, approver_roles=ANYBODY, subject=True),
        Rule(1, 4, 1, ANYBODY, usable=True, duty=1),
        Rule(1, 5, 4, ANYBODY, recall=True),
        Rule(2, 2, 1, ANYBODY, usable=True, differs=2),
    ),
)
GUARDED_NUMBER = 6
TABLES = (*(lifecycle.table for lifecycle in shipped()), GUARDED)
KEYS = tuple(keccak256(b"key %d" % number)[:20] for number in range(6))
FOUNDERS = tuple(Founder(key, role_mask(ROLES) | 1 << 63, keccak256(b"profile" + key)) for key in KEYS[:4])


class Story:
    """Holds every block it ever had, so that a chain can come back to one it left.

    Attributes:
        shared: what the contracts hold at the head.
    """

    def __init__(self, finality: int = 1, threshold: int = 2) -> None:
        contract = keccak256(b"story")[12:]
        self.terms = Terms(31337, keccak256(b"genesis"), contract, 1, keccak256(b"code"), finality)
        self.shared = SharedHistory(31337, contract)
        self.headers_held = [Header(Block(0, self.terms.genesis, 1_000), bytes(32))]
        self._events: list[list[Placed]] = [[]]
        self._shared = [_copied(self.shared)]
        self._branch = 0
        self._mine(self.shared.found(FOUNDERS, Governance(threshold, 50, 0, 2), TABLES, 1))

    # --- writing ----------------------------------------------------------------------------

    def add(self, *calls: tuple[bytes, ContractCall]) -> list[Event]:
        """One block with the calls of these keys; what they emitted."""
        events: list[Event] = []
        for key, asked in calls:
            outcome = apply(self.shared, Call(key, len(self.headers_held)), asked, True)
            if not isinstance(outcome, Reason):
                events += outcome if isinstance(outcome, list) else [outcome]
        self._mine(events)
        return events

    def step(self, key: bytes, asked: StepCall) -> Step:
        """One block with one step, which must be accepted."""
        (event,) = self.add((key, BatchCall((), (asked,))))
        assert not hasattr(event, "reason"), event
        return event  # type: ignore[return-value]

    def register(
        self, key: bytes = KEYS[0], salt: bytes = b"", lifecycle: int = GUARDED_NUMBER
    ) -> Registered:
        """A new artefact that anybody may do anything with."""
        salt = salt or keccak256(b"salt %d" % len(self._events))
        asked = StepCall(salt, lifecycle, 1, 1, keccak256(salt), keccak256(b"subject" + salt))
        made = self.step(key, asked)
        assert isinstance(made, Registered)
        return made

    def rewind(self, depth: int) -> None:
        """The newest `depth` blocks are no more; what is written next are others."""
        for held in (self.headers_held, self._events, self._shared):
            del held[len(held) - depth :]
        self.shared = _copied(self._shared[-1])
        self._branch += 1

    def _mine(self, events: Sequence[Event]) -> None:
        before, number = self.headers_held[-1].block, len(self.headers_held)
        name = keccak256(before.hash + word(self._branch) + repr(events).encode())
        block = Block(number, name, before.time + 12)
        self.headers_held.append(Header(block, before.hash))
        self._events.append(
            [Placed(event, block, keccak256(name + word(index)), index) for index, event in enumerate(events)]
        )
        self._shared.append(_copied(self.shared))

    # --- reading, as `proml.interfaces.Ledger` has it -----------------------------------------

    def head(self) -> Block:
        return self.headers_held[-1].block

    def block(self, number: int) -> Block | None:
        return self.headers_held[number].block if number < len(self.headers_held) else None

    def headers(self, first: int, last: int) -> list[Header]:
        if last >= len(self.headers_held):
            raise LedgerProblem(f"the ledger does not have block {last}")
        return self.headers_held[first : last + 1]

    def events(self, first: int, last: int) -> Iterator[Placed]:
        return iter([placed for events in self._events[first : last + 1] for placed in events])

    def events_of(self, blocks: Sequence[Block]) -> Iterator[Placed]:
        if any(self.block(block.number) != block for block in blocks):
            raise LedgerProblem("the ledger does not have one of these blocks")
        return iter([placed for block in blocks for placed in self._events[block.number]])


def _copied(shared: SharedHistory) -> SharedHistory:
    """Whatever the containers hold is never changed, so that they need copying only."""
    return replace(shared, **{each.name: copy(getattr(shared, each.name)) for each in fields(shared)})


@contextmanager
def looking(url: str, ledger: Ledger) -> Iterator[View]:
    """A view of an index that is closed afterwards."""
    index = Index(url, ledger.terms, shipped(), lambda number: f"organisation {number}")
    with closing(index), index.reading() as view:
        yield view
