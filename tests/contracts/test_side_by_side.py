"""Contract and specification driven through the same random story, compared whole after every call.

Organisations with all roles, some and none; keys that are narrow, expired, revoked or nobody's; the
shipped lifecycles and one made at random; right and wrong arguments at every guard. `SideBySide`
compares outcome, storage and reader. A short campaign by default; `PROML_LONG=1` makes it a long one.
"""

import os
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace

from boa.environment import Env
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from proml.core.call import AnchorCall, BatchCall, Founder, RevokeKeyCall
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import ZERO, keccak256
from proml.core.event import Refused
from proml.core.lifecycle import Table
from proml.core.refusal import Reason
from tests.contracts.asking import digests, often, steps
from tests.contracts.cast import TABLES, Consent, account, address
from tests.contracts.deployed import Outcome
from tests.contracts.side_by_side import SideBySide
from tests.contracts.tables import tables

LONG = bool(os.environ.get("PROML_LONG"))
CAMPAIGN = settings(
    max_examples=1_500 if LONG else 45,
    stateful_step_count=120 if LONG else 60,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)

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

roots = often.flatmap(lambda good: digests if good else st.just(ZERO))


class Story(RuleBasedStateMachine):
    """One random story. Wrong arguments are made from right ones by spoiling one of them."""

    machine: Env
    seen: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.left_behind = ExitStack()

    @initialize(table=tables())
    def found(self, table: Table) -> None:
        self.left_behind.enter_context(self.machine.anchor())
        self.machine.sstore_trace.clear()
        self.side = SideBySide(self.machine, FOUNDERS, 3, (*TABLES, table))

    def teardown(self) -> None:
        self.left_behind.close()

    # --- what happens -----------------------------------------------------------------------

    @rule(blocks=st.integers(1, 4))
    def blocks_go_by(self, blocks: int) -> None:
        self.side.advance(blocks)

    @rule(data=st.data())
    def a_step_alone(self, data: st.DataObject) -> None:
        caller = data.draw(self.callers(), "caller")
        asked = data.draw(steps(self.side.history, caller), "step")
        if asked.lifecycle:
            asked = replace(asked, sequence=1)  # `register` has no such argument
        self.note(self.side.single(caller, asked))

    @rule(data=st.data())
    def another_step_alone(self, data: st.DataObject) -> None:
        self.a_step_alone(data)

    @rule(data=st.data())
    def a_full_day(self, data: st.DataObject) -> None:
        for _ in range(3):
            self.a_batch(data, [], 4)

    @rule(data=st.data(), root=roots, count=st.sampled_from((1, 7, 10_000, 10_000, 2**256 - 1, 0)))
    def an_anchor_alone(self, data: st.DataObject, root: bytes, count: int) -> None:
        self.note(self.side.single(data.draw(self.callers()), AnchorCall(root, count)))

    @rule(data=st.data(), roots=st.lists(roots, max_size=2), size=st.integers(1, 6))
    def a_batch(self, data: st.DataObject, roots: list[bytes], size: int) -> None:
        caller = data.draw(self.callers(), "caller")
        asked = tuple(data.draw(steps(self.side.history, caller)) for _ in range(size))
        anchors = tuple(AnchorCall(root, number) for number, root in enumerate(roots, start=1))
        self.note(self.side.call(caller, BatchCall(anchors, asked)))

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


# What no call of the story can bring about: nobody can be removed yet, and the encoder makes no batch
# whose inputs do not add up. test_refusals.py and test_batches.py have them.
ELSEWHERE = {Reason.ORGANISATION_REMOVED, Reason.INPUTS_UNBALANCED}


def test_contract_and_specification_never_disagree(env: Env) -> None:
    Story.machine, Story.seen = env, Counter()
    run_state_machine_as_test(Story, settings=CAMPAIGN)
    # A campaign that reaches no guard proves nothing.
    assert {reason.name for reason in Reason if reason not in ELSEWHERE} <= Story.seen.keys()
    assert {"Registered", "Acted", "Anchored", "KeyAdded", "KeyRevoked"} <= Story.seen.keys()
    assert Story.seen["Registered"] + Story.seen["Acted"] > sum(Story.seen.values()) / 6
