"""Lifecycle files: what they become, and every way in which one can be wrong."""

import json
from copy import deepcopy
from importlib.resources import files
from typing import Any

import pytest

from proml.core.digest import sha256
from proml.core.document import canonical
from proml.core.lifecycle import MAX_RULES, kind_tag
from proml.core.lifecycle_file import read_lifecycle
from proml.errors import LifecycleInvalid, ProMLError, RecordInvalid
from proml.lifecycles import FURTHER, SHIPPED, supplied

# A small lifecycle with everything in it that a file may say.
FILE: dict[str, Any] = {
    "type": "proml/lifecycle",
    "version": 1,
    "kind": "report",
    "about": "Drafted, reviewed by somebody else, then published.",
    "states": ["none", "draft", "public", "withdrawn"],
    "usable": ["public"],
    "terminal": ["withdrawn"],
    "recalled": ["withdrawn"],
    "actions": ["draft", "review", "publish", "withdraw"],
    "duties": ["review"],
    "transitions": [
        {"action": "draft", "from": ["none"], "to": "draft", "roles": ["developer"]},
        {"action": "review", "from": ["draft"], "to": "draft", "roles": ["verifier"], "duty": "review"},
        {
            "action": "publish",
            "from": ["draft"],
            "to": "public",
            "roles": ["approver", "role-12"],
            "differs": ["creator", "review"],
            "inputs": {"least": 1, "kind": "model", "usable": True},
            "approve": True,
            "subject": True,
        },
        {
            "action": "withdraw",
            "from": ["draft", "public"],
            "to": "withdrawn",
            "roles": ["developer"],
            "custodian": True,
            "recall": True,
        },
    ],
}


def read(file: Any) -> Any:
    return read_lifecycle(json.dumps(file).encode())


def changed(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(FILE), **changes}


def transition(number: int, **changes: Any) -> dict[str, Any]:
    """The file with one transition changed; a value of None takes the member away."""
    file = deepcopy(FILE)
    members = {**file["transitions"][number], **changes}
    file["transitions"][number] = {name: value for name, value in members.items() if value is not None}
    return file


def test_names_become_numbers() -> None:
    lifecycle = read(FILE)
    table = lifecycle.table
    assert (table.usable, table.terminal, table.recalled) == (0b100, 0b1000, 0b1000)
    assert table.kind == kind_tag("report")
    assert table.document == sha256(lifecycle.document) == sha256(canonical(FILE))
    draft, review, publish, withdraw, withdraw_public = table.rules
    assert (draft.state, draft.action, draft.following, draft.roles) == (0, 1, 1, 1 << 3)
    assert (review.duty, review.differs) == (1, 0)
    assert (publish.roles, publish.differs) == (1 << 6 | 1 << 12, 0b11)
    assert (publish.least_inputs, publish.input_kind) == (1, kind_tag("model"))
    assert publish.usable
    assert publish.inputs_usable
    assert publish.approve
    assert publish.subject
    assert not publish.custodian
    assert not publish.recall
    assert (withdraw.state, withdraw_public.state) == (1, 2)
    assert withdraw.recall
    assert withdraw.custodian


def test_names_can_be_asked_for() -> None:
    lifecycle = read(FILE)
    assert lifecycle.state_name(2) == "public"
    assert lifecycle.state_name(9) == "state-9"
    assert lifecycle.action_name(1) == "draft"
    assert (lifecycle.action_name(0), lifecycle.action_name(9)) == ("action-0", "action-9")
    assert lifecycle.action_number("publish") == 3
    assert dict(lifecycle.open_actions(2)) == {"withdraw": ("developer",)}
    with pytest.raises(ProMLError, match="no action 'erase'") as problem:
        lifecycle.action_number("erase")
    assert "withdraw" in problem.value.hint


@pytest.mark.parametrize("name", ["offer_custody", "accept_custody", "contest", "answer", "settle"])
def test_an_action_that_every_lifecycle_has_is_known_and_no_other_may_be_called_so(name: str) -> None:
    lifecycle = read(FILE)
    assert lifecycle.action_name(lifecycle.action_number(name)) == name
    with pytest.raises(LifecycleInvalid, match=f"every lifecycle has an action '{name}' already"):
        read(changed(actions=["draft", "review", "publish", "withdraw", name]))


def test_the_spelling_of_the_file_does_not_change_its_id() -> None:
    spelt_otherwise = json.dumps(dict(reversed(FILE.items())), indent=4).replace(
        '"version": 1', '"version": 1.0'
    )
    assert read_lifecycle(spelt_otherwise.encode()).table.id == read(FILE).table.id


def test_anything_it_says_changes_its_id() -> None:
    ids = {
        read(file).table.id
        for file in (
            FILE,
            changed(about="Otherwise."),
            changed(usable=[]),
            transition(0, roles=["approver"]),
            transition(2, subject=None),
            transition(2, inputs=None),
        )
    }
    assert len(ids) == 6


@pytest.mark.parametrize("kind", SHIPPED + FURTHER)
def test_shipped_files_are_lifecycles_of_their_kind(kind: str) -> None:
    content = (files("proml.lifecycles") / f"{kind}.json").read_bytes()
    lifecycle = read_lifecycle(content)
    assert lifecycle.kind == kind
    assert lifecycle == supplied()[(SHIPPED + FURTHER).index(kind)]
    assert lifecycle.about


def test_the_shipped_lifecycles_have_not_changed() -> None:
    # Their ids stand in every ledger that was founded with them.
    assert {lifecycle.kind: lifecycle.table.id.hex() for lifecycle in supplied()} == {
        "dataset": "b24002d563ea8b170dd5fedf1a40d27c1569bfee26a0402a3055571f956a3a88",
        "run": "50c54ebde81bebedfbe19c5e06c1039f97c84b09bfe30721132217f76404148d",
        "model": "391e9b5cde518ca3f7e2dc5e92f55023004e1612e15be3eaec993251e136f9b5",
        "evaluation": "22602d1ab5aa2d0bdb18f30015231a1e68ab64f138edfbe945536f4cedb564c9",
        "dependency": "03c47df24512f4526b2450ecc0ee08bb472911a2931c3e382c7c067f2590b4a0",
        "registered_model": "0d9c48e4264cb10171ee76891c3a9aa686bb759494719c4bbcd80cf2b54cfc5b",
        "licensed_dataset": "c724619b982aabf25b3315646b5081ce7e50b8d31e27fa1b135ec2dbe91b790a",
        "benchmark": "c21d4343db74d4de21496158c2e665c3ba5c45ee5f6f8026df04d2932e8ff2f3",
    }


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "words"),
    [
        # The file itself.
        (changed(type="proml/record"), "not a lifecycle file of version 1"),
        (changed(version=2), "not a lifecycle file of version 1"),
        (changed(version=True), "not a lifecycle file of version 1"),
        (changed(author="me"), "unknown lifecycle member 'author'"),
        (changed(about=7), "'about' must be a text"),
        (changed(kind=None), "kind None is not"),
        (changed(kind=""), "kind '' is not"),
        (changed(kind="Report"), "kind 'Report' is not"),
        (changed(kind="répórt"), "kind 'répórt' is not"),
        (changed(kind="a" * 65), "is not 1 to 64"),
        # Names.
        (changed(states="none"), "'states' must be an array"),
        (changed(states=[]), "first state must be 'none'"),
        (changed(states=["draft", "none"]), "first state must be 'none'"),
        (changed(states=["none", "Draft"]), "states: 'Draft' is not"),
        (changed(states=["none", "in review"]), "states: 'in review' is not"),
        (changed(states=["none", 7]), "states: 7 is not"),
        (changed(states=["none", ""]), "states: '' is not"),
        (changed(states=["none", "a" * 33]), "is not 1 to 32"),
        (changed(states=["none", "draft", "draft"]), "64 different names"),
        (changed(states=["none", *(f"s{number}" for number in range(64))]), "64 different names"),
        (changed(actions=["draft", "draft"]), "239 different names"),
        (changed(actions=[f"a{number}" for number in range(240)]), "239 different names"),
        (changed(duties=[f"d{number}" for number in range(7)]), "6 different names"),
        (changed(duties=["review", "creator"]), "cannot be called 'creator'"),
        # Masks.
        (changed(usable=["ready"]), "unknown state 'ready'"),
        (changed(usable="public"), "'usable' must be an array"),
        (changed(usable=[["public"]]), "unknown state"),
        (changed(usable=["none"]), "'none' cannot be usable"),
        (changed(terminal=["none"]), "'none' cannot be terminal"),
        (changed(recalled=["none"]), "'none' cannot be recalled"),
        (changed(usable=["withdrawn"]), "recalled state, or none, cannot be usable"),
        # The shape of the graph.
        (changed(transitions=[]), "1 to 128 transitions, not 0"),
        (transition(2, to="draft"), "'public' cannot be reached"),
        (changed(transitions=FILE["transitions"][:3]), "'public' is a dead end"),
        (changed(terminal=[]), "'withdrawn' is a dead end"),
        (changed(transitions=FILE["transitions"][1:]), "'none' is a dead end"),
        (changed(terminal=["public", "withdrawn"]), "'withdraw' in 'public' leaves a terminal state"),
        (changed(recalled=[]), "is a recall exactly when"),
        (changed(transitions=FILE["transitions"] * 2), "two transitions for 'draft' in 'none'"),
        (transition(3, **{"from": ["draft", "draft"]}), "two transitions for 'withdraw' in 'draft'"),
        (transition(1, to="none"), "'review' in 'draft' leads back to 'none'"),
        (transition(3, recall=None), "'withdraw' in 'draft' is a recall exactly when"),
        (transition(1, recall=True), "'review' in 'draft' is a recall exactly when"),
        # One transition.
        (changed(transitions=["draft"]), "'transition' must be a JSON object"),
        (changed(transitions={}), "'transitions' must be an array"),
        (transition(0, note="x"), "unknown transition member 'note'"),
        (transition(0, action="write"), "unknown action 'write'"),
        (transition(0, action=None), "unknown action None"),
        (transition(0, to="final"), "unknown state 'final'"),
        (transition(0, to=["draft"]), "unknown state"),
        (transition(0, **{"from": ["somewhere"]}), "unknown state 'somewhere'"),
        (transition(0, **{"from": [1]}), "unknown state 1"),
        (transition(0, **{"from": "none"}), "'from' must be an array"),
        (transition(0, **{"from": []}), "'draft' leads from no state"),
        (transition(0, **{"from": None}), "'draft' leads from no state"),
        (transition(0, roles=["author"]), "unknown role 'author'"),
        (transition(0, roles=[5]), "unknown role 5"),
        (transition(0, roles=[["developer"]]), "unknown role"),
        (transition(0, roles=["role-64"]), "unknown role 'role-64'"),
        (transition(0, roles=["role-012"]), "unknown role 'role-012'"),
        (transition(0, roles=["role-١٢"]), "unknown role"),
        (transition(0, roles="developer"), "'roles' must be an array"),
        (transition(0, roles=[]), "nobody may 'draft'"),
        (transition(0, roles=None), "nobody may 'draft'"),
        (transition(1, duty="labelling"), "unknown duty 'labelling'"),
        (transition(1, duty=1), "unknown duty 1"),
        (transition(1, duty="creator"), "unknown duty 'creator'"),
        (transition(2, differs=["labelling"]), "unknown duty 'labelling'"),
        (transition(2, differs="creator"), "'differs' must be an array"),
        (transition(2, inputs=[]), "'inputs' must be a JSON object"),
        (transition(2, inputs={"most": 3}), "unknown inputs member 'most'"),
        (transition(2, inputs={"least": 33}), "least inputs must be 0 to 32"),
        (transition(2, inputs={"least": -1}), "least inputs must be 0 to 32"),
        (transition(2, inputs={"least": True}), "least inputs must be 0 to 32"),
        (transition(2, inputs={"least": "1"}), "least inputs must be 0 to 32"),
        (transition(2, inputs={"kind": "model"}), "without least inputs"),
        (transition(2, inputs={"least": 1, "kind": ""}), "kind '' is not"),
        (transition(2, inputs={"least": 1, "kind": 7}), "kind 7 is not"),
        (transition(2, inputs={"usable": "true"}), "'usable' must be true or false"),
        (transition(2, approvals=[]), "'approvals' must be a JSON object"),
        (transition(2, approvals={}), "least approvals must be 1 to 8, not None"),
        *(
            (transition(2, approvals={"least": least, "roles": ["auditor"]}), "approvals must be 1 to 8")
            for least in (0, 9, True, "2", -1)
        ),
        (transition(2, approvals={"least": 1}), "nobody may 'approve'"),
        (transition(2, approvals={"least": 1, "roles": ["judge"]}), "unknown role 'judge'"),
        (transition(2, approvals={"least": 1, "roles": ["auditor"], "most": 2}), "unknown approvals member"),
        (
            transition(2, approvals={"least": 1, "roles": ["auditor"], "differs": ["writing"]}),
            "unknown duty 'writing'",
        ),
        (transition(0, approvals={"least": 1, "roles": ["auditor"]}), "of what does not exist yet"),
        # A flag that is nearly true must not be read as false.
        *(
            (transition(2, **{flag: value}), f"'{flag}' must be true or false")
            for flag in ("custodian", "subject", "approve", "recall")
            for value in (1, "true", [])
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_by_the_name_of_what_is_wrong(file: dict[str, Any], words: str) -> None:
    with pytest.raises(LifecycleInvalid, match=words):
        read(file)


def test_approvals_become_a_number_and_two_masks() -> None:
    asked = {"least": 2, "roles": ["auditor", "role-12"], "differs": ["review", "creator"]}
    rule = read(transition(2, approvals=asked)).table.rule(1, 3)
    assert (rule.approvals, rule.approver_roles, rule.approver_differs) == (2, 1 << 5 | 1 << 12, 0b11)


def test_more_transitions_than_a_table_holds_are_refused() -> None:
    actions = [f"a{number}" for number in range(MAX_RULES)]
    steps = [{"action": name, "from": ["draft"], "to": "draft", "roles": ["developer"]} for name in actions]
    file = changed(actions=["draft", *actions], states=["none", "draft"], usable=[], terminal=[], recalled=[])
    file["transitions"] = [FILE["transitions"][0], *steps[1:]]
    assert len(read(file).table.rules) == MAX_RULES
    file["transitions"] = [FILE["transitions"][0], *steps]
    with pytest.raises(LifecycleInvalid, match=f"not {MAX_RULES + 1}"):
        read(file)


def test_a_performer_named_twice_stays_itself() -> None:
    # Added up instead of united, creator and creator would be the first duty.
    twice = read(transition(2, differs=["creator", "creator"]))
    assert twice.table.rules[2].differs == 1


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"type":1,"type":1}', b'{"x":NaN}', b"\xff"])
def test_what_is_not_strict_json_is_no_lifecycle(content: bytes) -> None:
    with pytest.raises(RecordInvalid):
        read_lifecycle(content)


@pytest.mark.parametrize("member", ["type", "version", "kind", "states", "actions", "transitions"])
def test_what_a_lifecycle_needs_cannot_be_left_out(member: str) -> None:
    file = deepcopy(FILE)
    del file[member]
    with pytest.raises(LifecycleInvalid):
        read(file)


@pytest.mark.parametrize("member", ["about", "usable", "duties"])
def test_what_a_lifecycle_may_leave_out_is_empty(member: str) -> None:
    file = transition(1, duty=None)
    file["transitions"][2]["differs"] = ["creator"]
    del file[member]
    read(file)
