"""Lifecycle files: JSON with names, read into the table that the ledger holds (docs/format.md).

Read strictly: a misspelt key, a flag that is neither true nor false or a name that does not exist would
otherwise give a lifecycle that asks for less than its author wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from proml.core.consortium import role_mask
from proml.core.digest import sha256
from proml.core.document import canonical, is_of_type, parse
from proml.core.lifecycle import (
    MAX_ACTIONS,
    MAX_APPROVALS,
    MAX_DUTIES,
    MAX_INPUTS,
    MAX_STATES,
    NONE,
    Lifecycle,
    Rule,
    Table,
    admission_problem,
    kind_tag,
)
from proml.errors import LifecycleInvalid, UsageProblem

LIFECYCLE_TYPE = "proml/lifecycle"
# Stands in `differs` for whoever registered the artefact, so no duty may be called so.
CREATOR = "creator"
_NAME = re.compile(r"[a-z0-9_]{1,32}")
_KIND = re.compile(r"[a-z0-9_]{1,64}")
_MASKS = ("usable", "terminal", "recalled")
_FLAGS = ("custodian", "subject", "approve", "recall")
_FILE_MEMBERS = {
    "type", "version", "kind", "about", "states", *_MASKS, "actions", "duties", "transitions",
}  # fmt: skip
_TRANSITION_MEMBERS = {"action", "from", "to", "roles", "differs", "duty", "inputs", "approvals", *_FLAGS}
_INPUTS_MEMBERS = {"least", "kind", "usable"}
_APPROVALS_MEMBERS = {"least", "roles", "differs"}


@dataclass(frozen=True, slots=True)
class _Names:
    """The names a transition may use, and the mask of usable states."""

    states: tuple[str, ...]
    actions: tuple[str, ...]
    duties: tuple[str, ...]
    usable: int


def read_lifecycle(content: bytes) -> Lifecycle:
    """Read the bytes of a lifecycle file.

    Checks names, bounds, one rule per (state, action), that every state can be reached, that a
    state without exit is declared terminal, and that roles exist. Does not check that the roles are
    held by anybody, nor that a kind asked for as an input exists.

    Raises:
        LifecycleInvalid: naming the first thing that is wrong.
        RecordInvalid: when it is not strict JSON.
    """
    file = parse(content, "a lifecycle file")
    _check_members(file, _FILE_MEMBERS, "lifecycle")
    if not is_of_type(file, LIFECYCLE_TYPE):
        raise LifecycleInvalid(
            "not a lifecycle file of version 1", f'it needs "type": "{LIFECYCLE_TYPE}", "version": 1'
        )
    about = file.get("about", "")
    if not isinstance(about, str):
        raise LifecycleInvalid("'about' must be a text")
    states = _names(file, "states", MAX_STATES)
    if not states or states[0] != NONE:
        raise LifecycleInvalid(f"the first state must be {NONE!r}")
    masks = {name: _state_mask(file, name, states) for name in _MASKS}
    names = _Names(
        states, _names(file, "actions", MAX_ACTIONS), _names(file, "duties", MAX_DUTIES), masks["usable"]
    )
    if CREATOR in names.duties:
        raise LifecycleInvalid(f"a duty cannot be called {CREATOR!r}", "that name is reserved for 'differs'")
    rules = [rule for transition in _list(file, "transitions") for rule in _rules(transition, names)]
    document = canonical(file)
    kind = _kind(file)
    table = Table(kind_tag(kind), **masks, document=sha256(document), rules=tuple(rules))
    problem = admission_problem(table, states, names.actions)
    if problem:
        raise LifecycleInvalid(problem)
    _check_states(table, states)
    return Lifecycle(kind, about, states, names.actions, names.duties, table, document)


def _rules(transition: Any, names: _Names) -> list[Rule]:
    """One rule for each state that the transition leads from."""
    _check_members(transition, _TRANSITION_MEMBERS, "transition")
    action = _index(transition.get("action"), names.actions, "action")
    following = _index(transition.get("to"), names.states, "state")
    left = _list(transition, "from")
    if not left:
        raise LifecycleInvalid(f"{names.actions[action]!r} leads from no state", "name them in 'from'")
    least, kind, inputs_usable = _inputs(transition)
    duty = _index(transition["duty"], names.duties, "duty") + 1 if "duty" in transition else 0
    return [
        Rule(
            state=_index(state, names.states, "state"),
            action=action + 1,
            following=following,
            roles=_roles(transition, names.actions[action]),
            usable=bool(names.usable >> following & 1),
            least_inputs=least,
            inputs_usable=inputs_usable,
            input_kind=kind,
            duty=duty,
            differs=_mask(_list(transition, "differs"), (CREATOR, *names.duties), "duty"),
            **{flag: _truth(transition, flag) for flag in _FLAGS},
            **_approvals(transition, names),
        )
        for state in left
    ]


def _inputs(transition: Mapping[str, Any]) -> tuple[int, int, bool]:
    """How many inputs a transition asks for, the tag of their kind (0: any), and whether usable ones."""
    asked = transition.get("inputs", {})
    _check_members(asked, _INPUTS_MEMBERS, "inputs")
    least = asked.get("least", 0)
    if type(least) is not int or not 0 <= least <= MAX_INPUTS:
        raise LifecycleInvalid(f"least inputs must be 0 to {MAX_INPUTS}, not {least!r}")
    if "kind" in asked and not least:
        raise LifecycleInvalid("an input kind without least inputs would never be asked for")
    kind = kind_tag(_kind(asked)) if "kind" in asked else 0
    return least, kind, _truth(asked, "usable")


def _approvals(transition: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    """What a transition asks of others before it: how many organisations, of which roles, who not."""
    if "approvals" not in transition:
        return {}
    asked = transition["approvals"]
    _check_members(asked, _APPROVALS_MEMBERS, "approvals")
    least = asked.get("least")
    if type(least) is not int or not 1 <= least <= MAX_APPROVALS:
        raise LifecycleInvalid(f"least approvals must be 1 to {MAX_APPROVALS}, not {least!r}")
    return {
        "approvals": least,
        "approver_roles": _roles(asked, "approve"),
        "approver_differs": _mask(_list(asked, "differs"), (CREATOR, *names.duties), "duty"),
    }


def _roles(content: Mapping[str, Any], action: str) -> int:
    names = _list(content, "roles")
    if not names:
        raise LifecycleInvalid(f"nobody may {action!r}: give it roles")
    try:
        return role_mask(names)
    except UsageProblem as problem:
        raise LifecycleInvalid(problem.message, problem.hint) from problem


def _check_members(value: object, known: set[str], what: str) -> None:
    if not isinstance(value, Mapping):
        raise LifecycleInvalid(f"{what!r} must be a JSON object")
    unknown = sorted(set(value) - known)
    if unknown:
        raise LifecycleInvalid(
            f"unknown {what} member {unknown[0]!r}", f"known are {', '.join(sorted(known))}"
        )


def _list(content: Mapping[str, Any], member: str) -> list[Any]:
    value = content.get(member, [])
    if not isinstance(value, list):
        raise LifecycleInvalid(f"{member!r} must be an array")
    return value


def _truth(content: Mapping[str, Any], member: str) -> bool:
    value = content.get(member, False)
    if not isinstance(value, bool):
        raise LifecycleInvalid(f"{member!r} must be true or false, not {value!r}")
    return value


def _kind(content: Mapping[str, Any]) -> str:
    kind = content.get("kind")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise LifecycleInvalid(f"the kind {kind!r} is not 1 to 64 lower-case letters, digits or _")
    return kind


def _names(content: Mapping[str, Any], member: str, limit: int) -> tuple[str, ...]:
    names = _list(content, member)
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise LifecycleInvalid(f"{member}: {name!r} is not 1 to 32 lower-case letters, digits or _")
    if len(set(names)) != len(names) or len(names) > limit:
        raise LifecycleInvalid(f"{member} must be at most {limit} different names")
    return tuple(names)


def _index(name: object, names: tuple[str, ...], what: str) -> int:
    if not isinstance(name, str) or name not in names:
        raise LifecycleInvalid(f"unknown {what} {name!r}", f"known are {', '.join(names)}")
    return names.index(name)


def _mask(chosen: Iterable[object], names: tuple[str, ...], what: str) -> int:
    mask = 0
    for name in chosen:
        mask |= 1 << _index(name, names, what)
    return mask


def _state_mask(file: Mapping[str, Any], member: str, states: tuple[str, ...]) -> int:
    mask = _mask(_list(file, member), states, "state")
    if mask & 1:
        raise LifecycleInvalid(f"{NONE!r} cannot be {member}", "nothing stands in it")
    return mask


def _check_states(table: Table, states: tuple[str, ...]) -> None:
    reached, frontier = {0}, [0]
    while frontier:
        state = frontier.pop()
        new = {rule.following for rule in table.rules if rule.state == state} - reached
        reached |= new
        frontier.extend(new)
    for number, name in enumerate(states):
        if number not in reached:
            raise LifecycleInvalid(f"state {name!r} cannot be reached")
        if not table.terminal >> number & 1 and not any(rule.state == number for rule in table.rules):
            raise LifecycleInvalid(
                f"state {name!r} is a dead end", "declare it terminal or give it an action"
            )
