"""Lifecycle files: JSON with names, read into the table that the ledger holds (docs/format.md).

Read strictly: a misspelt key, a flag that is neither true nor false or a name that does not exist would
otherwise give a lifecycle that asks for less than its author wrote. Everything that is wrong is found in
one go, each with its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proml.core.consortium import role_mask
from proml.core.digest import sha256
from proml.core.document import canonical, is_of_type, parse
from proml.core.lifecycle import (
    ALIKE_NUMBERS,
    MAX_ACTIONS,
    MAX_APPROVALS,
    MAX_DUTIES,
    MAX_INPUTS,
    MAX_STATES,
    NONE,
    Lifecycle,
    Rule,
    Table,
    admission_problems,
    kind_tag,
)
from proml.core.line_numbers import Place
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
class Problem:
    """One thing that is wrong with a lifecycle file: where, what, and what to do about it."""

    place: Place
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """What a lifecycle file came to.

    Attributes:
        lifecycle: what it describes; None when anything is wrong.
        problems: all that is wrong, in the order of the file's members.
        origins: for each rule of the table, the place of the transition it comes from.
    """

    lifecycle: Lifecycle | None
    problems: tuple[Problem, ...]
    origins: tuple[Place, ...]


def read_lifecycle(content: bytes) -> Lifecycle:
    """Read the bytes of a lifecycle file; `examine` says what is checked.

    Raises:
        LifecycleInvalid: naming the first thing that is wrong.
        RecordInvalid: when it is not strict JSON.
    """
    examined = examine(parse(content, "a lifecycle file"))
    if examined.lifecycle is None:
        first = examined.problems[0]
        raise LifecycleInvalid(first.text, first.hint)
    return examined.lifecycle


def examine(file: Mapping[str, Any]) -> Examined:
    """Check a lifecycle file, which has a canonical form, and make its table.

    Checks names, bounds, one rule per (state, action), that every state can be reached, that a
    state without exit is declared terminal, and that roles exist. Does not check that the roles are
    held by anybody, that a kind asked for as an input exists, nor whether the whole makes sense:
    `lifecycle_sense.py` does.
    """
    reading = _Reading()
    _check_members(reading, file, _FILE_MEMBERS, "lifecycle", ())
    if not is_of_type(file, LIFECYCLE_TYPE):
        reading.wrong(
            ("type",),
            "not a lifecycle file of version 1",
            f'it needs "type": "{LIFECYCLE_TYPE}", "version": 1',
        )
        return Examined(None, tuple(reading.problems), ())
    about = file.get("about", "")
    if not isinstance(about, str):
        reading.wrong(("about",), "'about' must be a text")
    states = _names(reading, file, "states", MAX_STATES)
    if not states or states[0] != NONE:
        reading.wrong(("states",), f"the first state must be {NONE!r}")
    masks = {name: _state_mask(reading, file, name, states) for name in _MASKS}
    names = _Names(
        states,
        _names(reading, file, "actions", MAX_ACTIONS),
        _names(reading, file, "duties", MAX_DUTIES),
        masks["usable"],
    )
    for number, action in enumerate(names.actions):
        if action in ALIKE_NUMBERS:
            text = f"every lifecycle has an action {action!r} already"
            reading.wrong(("actions", number), text, "give this one another name")
    if CREATOR in names.duties:
        place = ("duties", names.duties.index(CREATOR))
        reading.wrong(place, f"a duty cannot be called {CREATOR!r}", "that name is reserved for 'differs'")
    for number, transition in enumerate(_list(reading, file, "transitions", ())):
        _read_transition(reading, transition, names, ("transitions", number))
    kind = _kind(reading, file, ())
    document = canonical(dict(file))
    table = Table(kind_tag(kind), **masks, document=sha256(document), rules=tuple(reading.rules))
    _check_table(reading, table, names)
    lifecycle = Lifecycle(kind, str(about), states, names.actions, names.duties, table, document)
    found = tuple(reading.problems)
    return Examined(None if found else lifecycle, found, tuple(reading.origins))


@dataclass(frozen=True, slots=True)
class _Names:
    """The names a transition may use, and the mask of usable states."""

    states: tuple[str, ...]
    actions: tuple[str, ...]
    duties: tuple[str, ...]
    usable: int


@dataclass(slots=True)
class _Reading:
    """What was found so far.

    Attributes:
        gaps: whether a transition could not be placed, so that nothing is known of who leads where.
    """

    problems: list[Problem] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    origins: list[Place] = field(default_factory=list)
    gaps: bool = False

    def wrong(self, place: Place, text: str, hint: str = "") -> None:
        self.problems.append(Problem(place, text, hint))


def _read_transition(reading: _Reading, transition: Any, names: _Names, at: Place) -> None:
    """One rule for each state that the transition leads from, as far as they can be told."""
    if not _check_members(reading, transition, _TRANSITION_MEMBERS, "transition", at):
        reading.gaps = True
        return
    action = _index(reading, transition.get("action"), names.actions, "action", (*at, "action"))
    following = _index(reading, transition.get("to"), names.states, "state", (*at, "to"))
    left = _list(reading, transition, "from", at)
    called = "it" if action is None else repr(names.actions[action])
    if not left and transition.get("from", []) == []:
        reading.wrong((*at, "from"), f"{called} leads from no state", "name them in 'from'")
    sources = [
        _index(reading, state, names.states, "state", (*at, "from", place))
        for place, state in enumerate(left)
    ]
    least, kind, inputs_usable = _inputs(reading, transition, at)
    duty = None
    if "duty" in transition:
        duty = _index(reading, transition["duty"], names.duties, "duty", (*at, "duty"))
    roles = _roles(reading, transition, called, at)
    asked = {
        "differs": _mask(reading, transition, "differs", (CREATOR, *names.duties), at),
        **{flag: _truth(reading, transition, flag, at) for flag in _FLAGS},
        **_approvals(reading, transition, names, at),
    }
    if action is None or following is None or None in sources or not sources:
        reading.gaps = True
        return
    for state in sources:
        assert state is not None
        rule = Rule(
            state=state,
            action=action + 1,
            following=following,
            roles=roles,
            usable=bool(names.usable >> following & 1),
            least_inputs=least,
            inputs_usable=inputs_usable,
            input_kind=kind,
            duty=0 if duty is None else duty + 1,
            **asked,
        )
        reading.rules.append(rule)
        reading.origins.append(at)


def _inputs(reading: _Reading, transition: Mapping[str, Any], at: Place) -> tuple[int, int, bool]:
    """How many inputs a transition asks for, the tag of their kind (0: any), and whether usable ones."""
    at = (*at, "inputs")
    asked = transition.get("inputs", {})
    if not _check_members(reading, asked, _INPUTS_MEMBERS, "inputs", at):
        return 0, 0, False
    least = asked.get("least", 0)
    if type(least) is not int or not 0 <= least <= MAX_INPUTS:
        reading.wrong((*at, "least"), f"least inputs must be 0 to {MAX_INPUTS}, not {least!r}")
        least = 1
    if "kind" in asked and not least:
        reading.wrong((*at, "kind"), "an input kind without least inputs would never be asked for")
    kind = kind_tag(_kind(reading, asked, at)) if "kind" in asked else 0
    return least, kind, _truth(reading, asked, "usable", at)


def _approvals(reading: _Reading, transition: Mapping[str, Any], names: _Names, at: Place) -> dict[str, Any]:
    """What a transition asks of others before it: how many organisations, of which roles, who not."""
    at = (*at, "approvals")
    if "approvals" not in transition:
        return {}
    asked = transition["approvals"]
    if not _check_members(reading, asked, _APPROVALS_MEMBERS, "approvals", at):
        return {}
    least = asked.get("least")
    if type(least) is not int or not 1 <= least <= MAX_APPROVALS:
        reading.wrong((*at, "least"), f"least approvals must be 1 to {MAX_APPROVALS}, not {least!r}")
        return {}
    roles = _roles(reading, asked, "'approve'", at)
    differs = _mask(reading, asked, "differs", (CREATOR, *names.duties), at)
    # Without a role there is a problem already, and another about the same would only confuse.
    return {"approvals": least, "approver_roles": roles, "approver_differs": differs} if roles else {}


def _roles(reading: _Reading, content: Mapping[str, Any], called: str, at: Place) -> int:
    names = _list(reading, content, "roles", at)
    if not names and content.get("roles", []) == []:
        reading.wrong((*at, "roles"), f"nobody may {called}: give it roles")
    mask = 0
    for place, name in enumerate(names):
        try:
            mask |= role_mask([name])
        except UsageProblem as problem:
            reading.wrong((*at, "roles", place), problem.message, problem.hint)
    return mask


def _check_members(reading: _Reading, value: object, known: set[str], what: str, at: Place) -> bool:
    """Whether it is an object; that it has no other members than the known ones."""
    if not isinstance(value, Mapping):
        reading.wrong(at, f"{what!r} must be a JSON object")
        return False
    for name in sorted(set(value) - known):
        reading.wrong((*at, name), f"unknown {what} member {name!r}", f"known are {', '.join(sorted(known))}")
    return True


def _list(reading: _Reading, content: Mapping[str, Any], member: str, at: Place) -> list[Any]:
    value = content.get(member, [])
    if not isinstance(value, list):
        reading.wrong((*at, member), f"{member!r} must be an array")
        return []
    return value


def _truth(reading: _Reading, content: Mapping[str, Any], member: str, at: Place) -> bool:
    value = content.get(member, False)
    if not isinstance(value, bool):
        reading.wrong((*at, member), f"{member!r} must be true or false, not {value!r}")
        return False
    return value


def _kind(reading: _Reading, content: Mapping[str, Any], at: Place) -> str:
    kind = content.get("kind")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        reading.wrong((*at, "kind"), f"the kind {kind!r} is not 1 to 64 lower-case letters, digits or _")
        return "unknown"
    return kind


def _names(reading: _Reading, content: Mapping[str, Any], member: str, limit: int) -> tuple[str, ...]:
    names = _list(reading, content, member, ())
    for place, name in enumerate(names):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            reading.wrong(
                (member, place), f"{member}: {name!r} is not 1 to 32 lower-case letters, digits or _"
            )
    known = [name for name in names if isinstance(name, str)]
    if len(set(known)) != len(known) or len(names) > limit:
        reading.wrong((member,), f"{member} must be at most {limit} different names")
    return tuple(known)[:limit]


def _index(reading: _Reading, name: object, names: tuple[str, ...], what: str, at: Place) -> int | None:
    if not isinstance(name, str) or name not in names:
        reading.wrong(at, f"unknown {what} {name!r}", f"known are {', '.join(names)}")
        return None
    return names.index(name)


def _mask(
    reading: _Reading, content: Mapping[str, Any], member: str, names: tuple[str, ...], at: Place
) -> int:
    """The mask of those of `names` that a member lists: duties, or the states of a file."""
    what = "state" if member in _MASKS else "duty"
    mask = 0
    for place, name in enumerate(_list(reading, content, member, at)):
        index = _index(reading, name, names, what, (*at, member, place))
        mask |= 0 if index is None else 1 << index
    return mask


def _state_mask(reading: _Reading, file: Mapping[str, Any], member: str, states: tuple[str, ...]) -> int:
    mask = _mask(reading, file, member, states, ())
    if mask & 1:
        reading.wrong((member,), f"{NONE!r} cannot be {member}", "nothing stands in it")
    return mask & ~1


def _check_table(reading: _Reading, table: Table, names: _Names) -> None:
    """What the ledger would refuse, then states that nobody can reach or leave."""
    sound = not reading.problems
    for number, text in admission_problems(table, names.states, names.actions):
        if number is not None:
            reading.wrong(reading.origins[number], text)
        elif sound or not reading.gaps:
            reading.wrong((), text)
    if not reading.gaps:
        _check_states(reading, table, names.states)


def _check_states(reading: _Reading, table: Table, states: Iterable[str]) -> None:
    reached, frontier = {0}, [0]
    while frontier:
        state = frontier.pop()
        new = {rule.following for rule in table.rules if rule.state == state} - reached
        reached |= new
        frontier.extend(new)
    for number, name in enumerate(states):
        place = ("states", number)
        if number not in reached:
            reading.wrong(place, f"state {name!r} cannot be reached")
        if not table.terminal >> number & 1 and not any(rule.state == number for rule in table.rules):
            reading.wrong(place, f"state {name!r} is a dead end", "declare it terminal or give it an action")
