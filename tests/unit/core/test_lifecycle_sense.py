"""Lifecycles that the ledger would admit and that make no sense, and what must come before what."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proml.core.consortium import role_mask
from proml.core.lifecycle import Lifecycle, Table, admission_problem
from proml.core.lifecycle_file import Problem, examine
from proml.core.lifecycle_sense import Surroundings, always_before, remarks, senseless
from proml.core.lifecycle_words import differences
from proml.core.line_numbers import lines_of
from proml.lifecycles import supplied
from tests.contracts.tables import tables
from tests.unit.core.test_lifecycle_file import FILE, changed, transition


def sense(file: dict[str, Any], around: Surroundings | None = None) -> list[Problem]:
    examined = examine(file)
    assert examined.lifecycle is not None, examined.problems
    return senseless(examined.lifecycle, examined.origins, around)


def texts(problems: list[Problem]) -> str:
    return "\n".join(problem.text for problem in problems)


# --- everything at once -----------------------------------------------------------------------


def test_every_problem_of_a_file_is_found_in_one_go_with_its_place() -> None:
    file = deepcopy(FILE)
    file["usable"] = ["ready"]
    file["author"] = "me"
    file["transitions"][0]["roles"] = ["author", "developer", "writer"]
    file["transitions"][1]["duty"] = "reading"
    file["transitions"][2]["to"] = "final"
    file["transitions"][3]["custodian"] = 1
    examined = examine(file)
    assert examined.lifecycle is None
    assert [problem.place for problem in examined.problems] == [
        ("author",),
        ("usable", 0),
        ("transitions", 0, "roles", 0),
        ("transitions", 0, "roles", 2),
        ("transitions", 1, "duty"),
        ("transitions", 2, "to"),
        ("transitions", 3, "custodian"),
    ]


def test_a_step_that_cannot_be_placed_makes_no_state_unreachable() -> None:
    # Whoever mistyped one state should not read that three others are dead ends.
    examined = examine(transition(2, to="pubilc"))
    assert [problem.text for problem in examined.problems] == ["unknown state 'pubilc'"]


def test_states_are_followed_although_a_role_is_wrong() -> None:
    file = transition(0, roles=["author"])
    file["states"] = [*FILE["states"], "lost"]
    places = [problem.place for problem in examine(file).problems]
    assert places == [("transitions", 0, "roles", 0), ("states", 4), ("states", 4)]


@pytest.mark.parametrize("lifecycle", supplied(), ids=lambda lifecycle: lifecycle.kind)
def test_what_is_shipped_makes_sense(lifecycle: Lifecycle) -> None:
    everybody = {number: role_mask([role]) for number, role in enumerate(
        ("operator", "data_admin", "labeller", "developer", "verifier", "auditor", "approver"), 1
    )}  # fmt: skip
    places = [("transitions", number) for number in range(len(lifecycle.table.rules))]
    assert senseless(lifecycle, places, Surroundings(supplied(), everybody)) == []
    assert remarks(lifecycle) == []


# --- what can never work or mean anything -----------------------------------------------------


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (changed(actions=[*FILE["actions"], "burn"]), "no transition takes the action 'burn'"),
        (changed(duties=["review", "proofreading"]), "nobody performs the duty 'proofreading'"),
        (transition(0, differs=["creator"]), "there are none before the registration"),
        (transition(0, custodian=True), "becomes the custodian by that"),
        (changed(about="all\x1b[2Jgone"), "cannot be seen"),
        (changed(about="txt.\u202egpj"), "cannot be seen"),
        (changed(about="a" * 1001), "more than 1000"),
    ],
)
def test_what_means_nothing_is_named(file: dict[str, Any], words: str) -> None:
    assert words in texts(sense(file))


def test_a_duty_that_is_performed_only_later_separates_nobody() -> None:
    file = transition(1, duty=None)
    file["transitions"][3]["duty"] = "review"
    (problem,) = sense(file)
    assert problem.place == ("transitions", 2)
    assert "separates from the duty 'review', which nobody can have performed by then" in problem.text


def test_a_kind_that_no_lifecycle_has_can_be_no_input() -> None:
    known = Surroundings([each for each in supplied() if each.kind != "model"])
    (problem,) = sense(FILE, known)
    assert "'publish' in 'draft' asks for an input of a kind that no lifecycle here has" in problem.text
    assert sense(FILE, Surroundings(supplied())) == []


def test_an_input_of_a_kind_that_is_never_usable_is_never_accepted() -> None:
    file = transition(2, inputs={"least": 1, "kind": "report", "usable": True})
    file["usable"] = []
    (problem,) = sense(file, Surroundings(supplied()))
    assert "asks for a usable report, and no state of a report is usable" in problem.text


MEMBERS = {1: role_mask(["developer"]), 2: role_mask(["verifier"]), 3: role_mask(["approver"])}


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({1: role_mask(["developer"]), 2: role_mask(["approver"])}, "for verifier, and no member has"),
        (
            {1: role_mask(["developer", "approver", "verifier"]), 2: 0},
            "another organisation than the one that registered it, and only one member",
        ),
        (MEMBERS, ""),
    ],
)
def test_what_the_members_can_never_meet_is_named(members: dict[int, int], words: str) -> None:
    found = texts(sense(FILE, Surroundings((), members)))
    assert words in found
    assert bool(words) == bool(found)


@pytest.mark.parametrize(
    ("least", "differs", "auditors", "words"),
    [
        (2, [], 1, "asks for the approval of 2 organisations, and 1 member(s) are auditor"),
        (2, [], 2, ""),
        (2, ["creator"], 2, ""),
    ],
)
def test_approvals_that_cannot_be_had_are_named(
    least: int, differs: list[str], auditors: int, words: str
) -> None:
    file = transition(2, approvals={"least": least, "roles": ["auditor"], "differs": differs})
    members = {**MEMBERS, **{4 + number: role_mask(["auditor"]) for number in range(auditors)}}
    found = texts(sense(file, Surroundings((), members)))
    assert words in found
    assert bool(words) == bool(found)


def test_who_made_it_is_no_approver_where_approvers_must_be_others() -> None:
    file = transition(2, approvals={"least": 2, "roles": ["developer"], "differs": ["creator"]})
    members = {**MEMBERS, 4: role_mask(["developer"])}
    assert "2 approvals by others than the one that registered it, and that leaves 1" in texts(
        sense(file, Surroundings((), members))
    )
    assert not sense(file, Surroundings((), {**members, 5: role_mask(["developer"])}))


def test_what_is_usable_for_ever_is_only_remarked() -> None:
    file = transition(3, **{"from": ["draft"]})
    file["terminal"] = ["withdrawn", "public"]
    lifecycle = examine(file).lifecycle
    assert lifecycle is not None
    assert remarks(lifecycle) == ["what is usable in public cannot be recalled from there"]
    assert sense(file) == []


# --- required steps ---------------------------------------------------------------------------


def test_nobody_deploys_what_was_not_evaluated_and_approved() -> None:
    (model,) = [each for each in supplied() if each.kind == "model"]
    assert always_before(model)["deploy"] == ("propose", "evaluate", "approve", "hand_over")


@given(tables())
def test_what_comes_always_before_is_what_nothing_gets_round(table: Table) -> None:
    names = tuple(f"action_{number}" for number in range(1, 240))
    lifecycle = Lifecycle("random", "", ("none", *"abcde"), names, (), table, b"")
    found = always_before(lifecycle)
    taken = {rule.action for rule in table.rules}
    for action in taken:
        if not reached(table, action, avoiding=None):
            continue  # of what nobody can do, everything is true
        expected = {other for other in taken - {action} if not reached(table, action, avoiding=other)}
        assert {names.index(name) + 1 for name in found[f"action_{action}"]} == expected


def reached(table: Table, action: int, avoiding: int | None) -> bool:
    """Whether somebody can take `action` without ever having taken the other one."""
    states, frontier = {0}, [0]
    while frontier:
        here = frontier.pop()
        for rule in table.rules:
            if rule.state == here and rule.action != avoiding and rule.following not in states:
                states.add(rule.following)
                frontier.append(rule.following)
    return any(rule.action == action and rule.state in states for rule in table.rules)


# --- differences ------------------------------------------------------------------------------


def test_a_difference_is_told_by_names() -> None:
    file = transition(2, roles=["approver"], to="public")
    file["transitions"].append({"action": "review", "from": ["public"], "to": "public", "roles": ["auditor"]})
    old, new = examine(FILE).lifecycle, examine(file).lifecycle
    assert old is not None
    assert new is not None
    assert differences(old, new, {}) == [
        "+ review in public: leads to public, open to auditor; nothing more",
        "~ publish in draft: open to: approver, role-12 → approver",
    ]


@pytest.mark.parametrize("lifecycle", supplied(), ids=lambda lifecycle: lifecycle.kind)
def test_nothing_differs_from_itself(lifecycle: Lifecycle) -> None:
    assert differences(lifecycle, lifecycle, {}) == []


# --- whatever somebody writes -----------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.sampled_from(["none", "draft", "public", "creator", "x", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["least", "kind", "a"]), inner)
    ),
    max_leaves=5,
)


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """The file with up to three places overwritten or taken away."""
    file: dict[str, Any] = deepcopy(FILE)
    for _ in range(draw(st.integers(1, 3))):
        here: Any = file
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(here[key], dict | list) and draw(st.booleans()):
                here = here[key]
            elif draw(st.booleans()):
                here[key] = draw(VALUES)
                break
            else:
                del here[key]
                break
    return file


@given(spoilt())
def test_a_spoilt_file_is_sound_or_has_problems_with_places_in_it(file: dict[str, Any]) -> None:
    examined = examine(file)
    lines = lines_of(json.dumps(file, indent=1))
    for problem in examined.problems:
        assert problem.text
        # The place is in the file, or something is missing that should be right there.
        assert problem.place[:-1] in lines or problem.place[:-2] in lines
    assert (examined.lifecycle is None) == bool(examined.problems)
    if examined.lifecycle is not None:
        assert admission_problem(examined.lifecycle.table) is None
        assert len(examined.origins) == len(examined.lifecycle.table.rules)
        senseless(examined.lifecycle, examined.origins, Surroundings(supplied(), {1: 127, 2: 8}))
