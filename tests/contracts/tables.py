"""Lifecycles made at random, within what the contract admits."""

from __future__ import annotations

from hypothesis import strategies as st

from proml.core.digest import keccak256
from proml.core.lifecycle import Rule, Table, kind_tag

KINDS = ("dataset", "run", "model", "evaluation", "dependency", "random")
ROLE_BITS = (*range(7), 63)
masks = st.lists(st.sampled_from(ROLE_BITS), min_size=1, max_size=8, unique=True).map(
    lambda bits: sum(1 << bit for bit in bits)
)


@st.composite
def rules(draw: st.DrawFn, state: int, action: int, states: int, usable: int, recalled: int) -> Rule:
    """One rule from `state` by `action`; its flags agree with the masks over states."""
    asked = draw(st.sampled_from((0, 0, 0, 1, 2))) if state else 0
    following = draw(st.integers(1, states - 1))
    least = draw(st.sampled_from((0, 0, 0, 1, 2)))
    return Rule(
        state=state,
        action=action,
        following=following,
        roles=draw(masks),
        usable=bool(usable >> following & 1),
        recall=bool(recalled >> following & 1),
        least_inputs=least,
        inputs_usable=draw(st.booleans()),
        input_kind=kind_tag(draw(st.sampled_from(KINDS))) if least and draw(st.booleans()) else 0,
        duty=draw(st.integers(0, 6)),
        differs=draw(st.sampled_from((0, 0, 1, 2, 4, 64, 127))),
        custodian=draw(st.booleans()),
        subject=draw(st.booleans()),
        approve=draw(st.booleans()),
        approvals=asked,
        approver_differs=draw(st.sampled_from((0, 0, 1, 2, 127))) if asked else 0,
        approver_roles=draw(masks) if asked else 0,
    )


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A lifecycle of 2 to 6 states; states may be unreachable, as the contract does not mind."""
    states = draw(st.integers(2, 6))
    every = (1 << states) - 2
    recalled = draw(st.integers(0, every)) & every & draw(st.integers(0, every))
    usable = draw(st.integers(0, every)) & every & ~recalled
    # Every place of a word is used: the last possible state and action are no special case.
    terminal = draw(st.integers(0, every)) & every & draw(st.integers(0, every))
    pairs = draw(
        st.lists(
            st.tuples(st.integers(0, states - 1), st.sampled_from((1, 2, 3, 239))),
            min_size=3,
            max_size=12,
            unique=True,
        )
    )
    open_pairs = {pair for pair in pairs if not terminal >> pair[0] & 1} | {(0, 1)}
    made = tuple(draw(rules(state, action, states, usable, recalled)) for state, action in sorted(open_pairs))
    document = keccak256(repr((states, made)).encode())
    return Table(kind_tag("random"), usable, terminal, recalled, document, made)
