"""Whether a lifecycle makes sense: what the ledger would admit and what can still never work.

`lifecycle_file.py` finds what is malformed. Here a sound table is followed from step to step: which
actions must have been taken before which, whether a separation of duties speaks of something that
can have happened, whether the members of a consortium can ever meet what a step asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from proml.core.consortium import role_names
from proml.core.lifecycle import Lifecycle, Rule, kind_tag
from proml.core.lifecycle_file import CREATOR, Problem
from proml.core.line_numbers import Place

MAX_ABOUT = 1_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a lifecycle is to live among.

    Attributes:
        known: other lifecycles whose files are at hand.
        members: role masks of the organisations by their numbers; empty where no consortium is known.
    """

    known: Sequence[Lifecycle] = ()
    members: Mapping[int, int] | None = None


def senseless(
    lifecycle: Lifecycle, origins: Sequence[Place], around: Surroundings | None = None
) -> list[Problem]:
    """Everything in a sound lifecycle that can never work, or never mean anything.

    Args:
        lifecycle: what `examine` made.
        origins: `Examined.origins`, for the places.
        around: the lifecycles and members it is to live among, if known.
    """
    around = around or Surroundings()
    found = list(_text_problems(lifecycle))
    found += _unused(lifecycle)
    for rule, place in zip(lifecycle.table.rules, origins, strict=True):
        where = f"{lifecycle.action_name(rule.action)!r} in {lifecycle.state_name(rule.state)!r}"
        texts = [
            *_duty_problems(lifecycle, rule),
            *_kind_problems(lifecycle, rule, around.known),
            *(_member_problems(lifecycle, rule, around.members) if around.members else ()),
        ]
        found += [Problem(place, f"{where} {text}") for text in texts]
    return list(dict.fromkeys(found))


def remarks(lifecycle: Lifecycle) -> list[str]:
    """What is allowed and perhaps not meant."""
    table = lifecycle.table
    noted = []
    if not table.usable:
        noted.append("no state is usable: no step that asks for usable inputs will ever accept one of these")
    kept = [
        lifecycle.state_name(state)
        for state in range(1, len(lifecycle.states))
        if table.usable >> state & 1 and not any(rule.state == state and rule.recall for rule in table.rules)
    ]
    if kept:
        noted.append(f"what is usable in {', '.join(kept)} cannot be recalled from there")
    return noted


def always_before(lifecycle: Lifecycle) -> dict[str, tuple[str, ...]]:
    """For each action the actions without which nobody gets to it, whatever the way and the caller.

    Example: of the shipped model, `deploy` comes after `propose`, `evaluate`, `approve` and `hand_over`.
    """
    rules = lifecycle.table.rules
    needed = _on_every_way(lifecycle, {rule: rule.action for rule in rules})
    found = {}
    for action in sorted({rule.action for rule in rules}):
        ways = [needed[rule.state] for rule in rules if rule.action == action]
        before = frozenset.intersection(*ways) - {action}
        found[lifecycle.action_name(action)] = tuple(map(lifecycle.action_name, sorted(before)))
    return found


def _on_every_way(lifecycle: Lifecycle, marks: Mapping[Rule, int]) -> dict[int, frozenset[int]]:
    """For each state the marks of rules of which one at least is followed on every way to it."""
    rules = lifecycle.table.rules
    every = frozenset(marks.values())
    # From "everything" downwards until nothing changes.
    needed = {state: every for rule in rules for state in (rule.state, rule.following)}
    needed[0] = frozenset()
    changed = True
    while changed:
        changed = False
        for state in needed.keys() - {0}:
            ways = [needed[rule.state] | {marks[rule]} for rule in rules if rule.following == state]
            now = frozenset.intersection(*ways) if ways else every
            changed = changed or now != needed[state]
            needed[state] = now
    return needed


def _text_problems(lifecycle: Lifecycle) -> Iterator[Problem]:
    if len(lifecycle.about) > MAX_ABOUT:
        yield Problem(("about",), f"'about' has more than {MAX_ABOUT} characters")
    if not lifecycle.about.isprintable():
        yield Problem(("about",), "'about' holds characters that cannot be seen", "write one plain line")


def _unused(lifecycle: Lifecycle) -> Iterator[Problem]:
    """Names that no transition uses: a slip, or a step that was forgotten."""
    taken = {rule.action for rule in lifecycle.table.rules}
    for number, name in enumerate(lifecycle.actions, start=1):
        if number not in taken:
            yield Problem(("actions", number - 1), f"no transition takes the action {name!r}")
    performed = {rule.duty for rule in lifecycle.table.rules}
    for number, name in enumerate(lifecycle.duties, start=1):
        if number not in performed:
            yield Problem(
                ("duties", number - 1), f"nobody performs the duty {name!r}", "give it to a transition"
            )


def _duty_problems(lifecycle: Lifecycle, rule: Rule) -> Iterator[str]:
    """Separation of duties from what nobody can have done yet separates nobody."""
    names = (CREATOR, *lifecycle.duties)
    if rule.state == 0 and rule.differs:
        yield "separates from earlier steps, and there are none before the registration"
        return
    if rule.state == 0 and rule.custodian:
        yield "is for the custodian, and whoever registers becomes the custodian by that"
    earlier = {0, *(each.duty for each in _before(lifecycle, rule.state) if each.duty)}
    for bit, name in enumerate(names):
        if (rule.differs | rule.approver_differs) >> bit & 1 and bit not in earlier:
            yield f"separates from the duty {name!r}, which nobody can have performed by then"


def _before(lifecycle: Lifecycle, state: int) -> list[Rule]:
    """Every rule that may have been followed on some way to a state."""
    reaching = {state}
    while True:
        more = {rule.state for rule in lifecycle.table.rules if rule.following in reaching} - reaching
        if not more:
            return [rule for rule in lifecycle.table.rules if rule.following in reaching]
        reaching |= more


def _kind_problems(lifecycle: Lifecycle, rule: Rule, known: Sequence[Lifecycle]) -> Iterator[str]:
    if not rule.input_kind or not known:
        return
    of_kind = [each for each in (*known, lifecycle) if kind_tag(each.kind) == rule.input_kind]
    if not of_kind:
        kinds = sorted({each.kind for each in known})
        yield f"asks for an input of a kind that no lifecycle here has; known are {', '.join(kinds)}"
    elif rule.inputs_usable and not any(each.table.usable for each in of_kind):
        yield f"asks for a usable {of_kind[0].kind}, and no state of a {of_kind[0].kind} is usable"


def _member_problems(lifecycle: Lifecycle, rule: Rule, members: Mapping[int, int]) -> Iterator[str]:
    """What the present members can never meet; a necessary condition each, not a sufficient one."""
    may_act = _holders(members, rule.roles)
    if not may_act:
        yield f"is for {_either(rule.roles)}, and no member has that role"
    for bit, others in _separated(lifecycle, rule, rule.differs, members):
        if may_act and len(may_act | others) < 2:
            yield (
                f"must be taken by another organisation than {_performer(lifecycle, bit)}, "
                "and only one member has either role"
            )
    if not rule.approvals:
        return
    may_approve = _holders(members, rule.approver_roles)
    if len(may_approve) < rule.approvals:
        yield (
            f"asks for the approval of {rule.approvals} organisations, "
            f"and {len(may_approve)} member(s) are {_either(rule.approver_roles)}"
        )
        return
    for bit, others in _separated(lifecycle, rule, rule.approver_differs, members):
        # Whoever else could have performed it leaves all of them free.
        if others <= may_approve and len(may_approve) - 1 < rule.approvals:
            yield (
                f"asks for {rule.approvals} approvals by others than {_performer(lifecycle, bit)}, "
                f"and that leaves {len(may_approve) - 1}"
            )


def _separated(
    lifecycle: Lifecycle, rule: Rule, differs: int, members: Mapping[int, int]
) -> Iterator[tuple[int, frozenset[int]]]:
    """Each duty (bit 0: registering) of a mask that was surely performed before, and who could have."""
    rules = lifecycle.table.rules
    surely = _on_every_way(lifecycle, {each: each.duty for each in rules})[rule.state] | {0}
    for bit in range(len(lifecycle.duties) + 1):
        if differs >> bit & 1 and bit in surely:
            roles = 0
            for each in rules:
                roles |= each.roles if (each.duty == bit if bit else each.state == 0) else 0
            yield bit, _holders(members, roles)


def _performer(lifecycle: Lifecycle, bit: int) -> str:
    return f"who did the {lifecycle.duties[bit - 1]}" if bit else "the one that registered it"


def _holders(members: Mapping[int, int], roles: int) -> frozenset[int]:
    return frozenset(number for number, held in members.items() if held & roles)


def _either(roles: int) -> str:
    return " or ".join(role_names(roles))
