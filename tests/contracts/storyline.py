"""What the random stories have in common: a founded consortium, time, keys that come and go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack

from boa.environment import Env
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from proml.core.call import Founder, RevokeKeyCall
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import keccak256
from proml.core.event import Refused
from proml.core.lifecycle import Table
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from tests.contracts.asking import often
from tests.contracts.cast import TABLES, Consent, account, address
from tests.contracts.deployed import Outcome
from tests.contracts.side_by_side import SideBySide
from tests.contracts.tables import tables

LONG = bool(os.environ.get("PROML_LONG"))
MOST_ROUNDS = 20

ACCOUNTS = tuple(account(2_000 + number) for number in range(12))
POOL = tuple(address(who) for who in ACCOUNTS)
FOUNDERS = tuple(
    Founder(POOL[number], roles, keccak256(b"profile %d" % number))
    for number, roles in enumerate(
        (
            role_mask(ROLES) | 1 << 63,
            role_mask(["data_admin", "labeller", "developer"]),
            role_mask(["verifier", "approver", "labeller"]),
            role_mask(["operator", "auditor", "data_admin"]),
            0,
        )
    )
)


class Storyline(RuleBasedStateMachine):
    """The beginning of a random story. Wrong arguments are made from right ones by spoiling one of them."""

    machine: Env
    shipped: tuple[Table, ...] = TABLES
    seen: Counter[str]
    founders = FOUNDERS

    def __init__(self) -> None:
        super().__init__()
        self.left_behind = ExitStack()

    @initialize(
        table=tables(),
        rules=st.builds(
            Governance, st.integers(1, 4), st.sampled_from((1, 6, 30)), st.integers(0, 2), st.integers(0, 3)
        ),
    )
    def found(self, table: Table, rules: Governance) -> None:
        self.rules = rules
        self.left_behind.enter_context(self.machine.anchor())
        self.machine.sstore_trace.clear()
        self.side = SideBySide(self.machine, FOUNDERS, self.rules, (*self.shipped, table))

    def teardown(self) -> None:
        self.left_behind.close()

    @rule(blocks=st.integers(1, 4))
    def blocks_go_by(self, blocks: int) -> None:
        self.side.advance(blocks)

    @rule(data=st.data(), scope=st.sampled_from((1, 2, 4, 5, 6, 7, 7, 0, 8)), good=often)
    def a_key_is_added(self, data: st.DataObject, scope: int, good: bool) -> None:
        caller = data.draw(self.callers(), "caller")
        index = data.draw(st.integers(0, len(POOL) - 1), "key")
        block = self.side.contract.block
        expires = data.draw(
            st.sampled_from((0, 0, block + 1, block + 2, block + 20, block, 2**40)), "expires"
        )
        known = self.side.history.keys.get(caller)
        consent = Consent(
            self.side.contract.chain_id,
            self.side.contract.address,
            known.organisation if known else 1,
            POOL[index],
            scope,
            expires,
        )
        signer = ACCOUNTS[index if good else (index + 1) % len(ACCOUNTS)]
        self.note(self.side.call(caller, consent.call(signer), consented=good))

    @rule(data=st.data(), itself=st.booleans())
    def a_key_is_revoked(self, data: st.DataObject, itself: bool) -> None:
        # Not the first three founders' own keys, or the story would end early.
        key = data.draw(st.sampled_from((*self.side.history.keys, POOL[-1])[3:]), "key")
        caller = key if itself else data.draw(self.callers(), "caller")
        block = self.side.contract.block
        known = self.side.history.keys.get(key)
        start = known.start if known else 0
        since = data.draw(
            st.sampled_from((start, block, max(start, block - 2), start - 1, block + 1)), "since"
        )
        self.note(self.side.call(caller, RevokeKeyCall(key, max(since, 0))))

    @rule()
    def a_reader_of_the_events_knows_as_much(self) -> None:
        self.side.compare_reader()

    def note(self, outcome: Outcome) -> None:
        """Count what was seen, so that a campaign that proves nothing is noticed."""
        if isinstance(outcome, Reason):
            self.seen[outcome.name] += 1
            return
        assert isinstance(outcome, list)
        for event in outcome:
            refused = isinstance(event, Refused)
            self.seen[Reason(event.reason).name if refused else type(event).__name__] += 1

    # --- what is asked for ------------------------------------------------------------------

    def callers(self) -> st.SearchStrategy[bytes]:
        """Members mostly; keys that are not, or no longer, sometimes."""
        founders = [founder.key for founder in FOUNDERS]
        return st.sampled_from((*founders[:1] * 5, *founders[:4], *self.side.history.keys, *POOL[-2:]))


def run_campaign(
    story: type[Storyline], machine: Env, wanted: Iterable[str], examples: int, length: int
) -> None:
    """Random stories until all that is `wanted` was seen; a campaign that never sees it proves nothing.

    A round has `examples` stories of `length` calls, the long form of `PROML_LONG=1` one of many more. Rounds
    are the same every time but for what the modules under test hold, which Hypothesis draws from.
    """
    story.machine, story.seen = machine, Counter()
    campaign = settings(
        max_examples=1_200 if LONG else examples,
        stateful_step_count=2 * length if LONG else length,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    for number in range(1 if LONG else MOST_ROUNDS):
        if not LONG:
            seed(number)(story)
        run_state_machine_as_test(story, settings=campaign)
        if set(wanted) <= story.seen.keys():
            return
    assert set(wanted) <= story.seen.keys(), story.seen
