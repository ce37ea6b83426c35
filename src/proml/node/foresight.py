"""Foresight: how the ledger would take a call made now, by the same rules, without sending anything."""

from __future__ import annotations

import time

from proml.core.call import Call
from proml.core.history import SharedHistory
from proml.core.refusal import Reason
from proml.interfaces import Ledger
from proml.ledger.flaws import flaws_of
from proml.ledger.memory import apply
from proml.node.single_calls import SingleCall


def caller_now(ledger: Ledger, key: bytes) -> Call:
    """A key (20 bytes) that calls in the next block, now or at the newest block's time if that is later."""
    head = ledger.head()
    return Call(key, head.number + 1, max(head.time, int(time.time())))


def refusal_of(ledger: Ledger, shared: SharedHistory, key: bytes, call: SingleCall) -> Reason | None:
    """Why the call of a key would be refused as a whole, None where it would not.

    Changes `shared`, which is of no use afterwards. That a new key consented is taken for granted.
    """
    flaws = flaws_of(ledger.terms, call)
    outcome = apply(shared, caller_now(ledger, key), call, consented=True, flaws=flaws)
    return outcome if isinstance(outcome, Reason) else None
