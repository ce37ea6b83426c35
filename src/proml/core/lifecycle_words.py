"""A lifecycle's rules in words, and the difference of two lifecycles, for people who decide on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from proml.core.consortium import role_names
from proml.core.lifecycle import Lifecycle, Rule

_MASKS = ("usable", "terminal", "recalled")


def conditions(lifecycle: Lifecycle, rule: Rule, kinds: Mapping[int, str]) -> Iterator[str]:
    """What a rule asks for besides a role; `kinds` names kinds by their tags."""
    if rule.custodian:
        yield "the organisation is the custodian"
    for done in _performed(lifecycle, rule.differs):
        yield f"another organisation {done}"
    if rule.approve:
        yield "the key has the scope `approve`"
    if rule.subject:
        yield "it names bytes"
    if rule.least_inputs:
        kind = f" `{kinds.get(rule.input_kind, f'kind {rule.input_kind:#010x}')}`" if rule.input_kind else ""
        yield f"at least {rule.least_inputs}{kind} among its inputs"
    if rule.inputs_usable:
        yield "its inputs are usable"
    if rule.approvals:
        done = " or ".join(_performed(lifecycle, rule.approver_differs))
        roles = ", ".join(role_names(rule.approver_roles))
        others = f", none of which {done}" if done else ""
        yield f"{rule.approvals} organisation(s) approved it first ({roles}){others}"


def _performed(lifecycle: Lifecycle, duties: int) -> Iterator[str]:
    performers = ["registered it", *(f"did the {duty}" for duty in lifecycle.duties)]
    return (done for bit, done in enumerate(performers) if duties >> bit & 1)


def differences(old: Lifecycle, new: Lifecycle, kinds: Mapping[int, str]) -> list[str]:
    """What changed from one lifecycle to another, a line each: `+` came, `-` went, `~` is otherwise.

    Compared by names; empty when the two decide alike, though their texts or numbers may differ.
    """
    lines = [] if old.kind == new.kind else [f"~ kind: {old.kind} → {new.kind}"]
    for what, before, after in (
        ("state", old.states[1:], new.states[1:]),
        ("action", old.actions, new.actions),
        ("duty", old.duties, new.duties),
        *((f"{mask} state", _masked(old, mask), _masked(new, mask)) for mask in _MASKS),
    ):
        lines += [f"- {what} {name}" for name in before if name not in after]
        lines += [f"+ {what} {name}" for name in after if name not in before]
    rules = [_rules(each, kinds) for each in (old, new)]
    lines += [f"- {_said(*move, rules[0][move])}" for move in rules[0] if move not in rules[1]]
    lines += [f"+ {_said(*move, rules[1][move])}" for move in rules[1] if move not in rules[0]]
    for (action, state), said in rules[0].items():
        now = rules[1].get((action, state), said)
        lines += [
            f"~ {action} in {state}: {part}: {said[part]} → {now[part]}"
            for part in said
            if said[part] != now[part]
        ]
    return lines


def _masked(lifecycle: Lifecycle, mask: str) -> tuple[str, ...]:
    value = getattr(lifecycle.table, mask)
    return tuple(name for number, name in enumerate(lifecycle.states) if value >> number & 1)


def _rules(lifecycle: Lifecycle, kinds: Mapping[int, str]) -> dict[tuple[str, str], dict[str, str]]:
    """By action and state what a transition says, each part in words."""
    return {
        (lifecycle.action_name(rule.action), lifecycle.state_name(rule.state)): {
            "leads to": lifecycle.state_name(rule.following),
            "open to": ", ".join(role_names(rule.roles)),
            "performs": lifecycle.duties[rule.duty - 1] if rule.duty else "no duty",
            "only if": "; ".join(conditions(lifecycle, rule, kinds)) or "nothing more",
        }
        for rule in lifecycle.table.rules
    }


def _said(action: str, state: str, parts: Mapping[str, str]) -> str:
    return (
        f"{action} in {state}: leads to {parts['leads to']}, open to {parts['open to']}; {parts['only if']}"
    )
