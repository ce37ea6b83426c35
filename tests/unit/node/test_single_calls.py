"""Calls that go alone: what is kept of them is what was asked, and each is found again in its block."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.call import (
    AddKeyCall,
    ApproveCall,
    CancelCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    LeaveCall,
    ProposeCall,
    RevokeKeyCall,
    VoteCall,
)
from proml.core.consortium import Actor
from proml.core.digest import word
from proml.core.event import Anchored, VoteCast
from proml.core.proposal import Change
from proml.node.single_calls import SingleCall, call_document, label_of, name_in, name_of_call, read_call

numbers = st.integers(0, 2**64)
words, keys = st.binary(min_size=32, max_size=32), st.binary(min_size=20, max_size=20)
signatures = st.binary(min_size=65, max_size=65)
changes = st.builds(Change, st.integers(0, 9), numbers, numbers, keys, words)
calls: st.SearchStrategy[Any] = st.one_of(
    st.builds(AddKeyCall, keys, numbers, numbers, signatures),
    st.builds(RevokeKeyCall, keys, numbers),
    st.builds(ApproveCall, words, numbers, numbers, words, words),
    st.builds(ProposeCall, changes),
    st.builds(VoteCall, numbers),
    st.builds(ExecuteCall, numbers, changes, signatures),
    st.builds(ExecuteLifecycleCall, numbers, numbers, words, st.tuples(st.integers(0, 2**256 - 1))),
    st.builds(CancelCall, numbers),
    st.just(LeaveCall()),
)


@given(calls)
def test_a_kept_call_is_read_back_as_it_was_asked(call: SingleCall) -> None:
    assert read_call(json.loads(json.dumps(call_document(call)))) == call
    assert len(name_of_call(call)) == 32
    assert label_of(call)


def test_a_vote_is_found_in_its_block_and_an_anchor_is_none_of_these() -> None:
    actor = Actor(1, bytes(20))
    assert name_in(VoteCast(7, actor)) == name_of_call(VoteCall(7)) == word(7)
    assert name_in(Anchored(actor, bytes(32), 1, 1)) is None


@pytest.mark.parametrize("call", [VoteCall(3), CancelCall(3), ExecuteCall(3, Change(2, 1))])
def test_a_call_about_a_proposal_is_called_by_its_number(call: SingleCall) -> None:
    assert label_of(call).endswith("proposal 3")
