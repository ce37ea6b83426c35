"""Cases of the test vectors on ids, heads and lifecycles."""

from collections.abc import Iterator
from typing import Any

from proml.core.digest import ZERO, hexed
from proml.lifecycles import shipped
from vector_answers import Case
from vector_cases import KEY, address, bad, edited, good, key


def ledger_cases() -> Iterator[Case]:
    """Ids and heads."""
    asked = {"contract": address("contract"), "creator": address("creator"), "salt": hexed(KEY)}
    for chain_id in (1, 1337, 2**64):
        yield good(f"on chain {chain_id}", "artefact id", chain_id=chain_id, **asked)
    by_another = {**asked, "creator": address("another")}
    yield good("by another creator", "artefact id", chain_id=1, **by_another)
    step = {"organisation": 2, "key": address("admin"), "action": 1, "record": hexed(key("record 1"))}
    first = {**step, "subject": hexed(key("bytes")), "inputs": []}
    second = {
        **first,
        "organisation": 65_535,
        "action": 255,
        "subject": hexed(ZERO),
        "inputs": [[hexed(key("one")), 1], [hexed(key("two")), 2**40 - 1], [hexed(key("one")), 1]],
    }
    yield good("three steps", "heads", artefact=hexed(key("model")), steps=[first, second, first])
    anchors = [
        {"organisation": 3, "key": address("developer"), "root": hexed(key(f"root {count}")), "count": count}
        for count in (1, 10_000)
    ]
    yield good("two anchors", "anchor heads", anchors=anchors)


def lifecycle_cases() -> Iterator[Case]:
    """Lifecycle files and their ledger form."""
    for lifecycle in shipped():
        yield good(f"the shipped {lifecycle.kind}", "lifecycle", text=lifecycle.document.decode())
    yield good("everything a file may say", "lifecycle", text=edited(REPORT))
    yield good("spelt otherwise", "lifecycle", text=edited(REPORT).replace('"version":1', ' "version" : 1.0'))
    changed_by: dict[str, Case] = {
        "a newer version": {"version": 2},
        "an unknown member": {"author": "x"},
        "a kind in capitals": {"kind": "Report"},
        "no state none": {"states": ["draft", "public"]},
        "one state twice": {"states": ["none", "draft", "draft"]},
        "a duty called creator": {"duties": ["review", "creator"]},
        "usable and recalled": {"usable": ["withdrawn"]},
        "none is usable": {"usable": ["none"]},
        "an unknown state": {"terminal": ["gone"]},
        "no rule": {"transitions": []},
        "a dead end": {"terminal": []},
        "an exit from a terminal state": {"terminal": ["public", "withdrawn"]},
        "two rules for one step": {"transitions": REPORT["transitions"] * 2},
        "recalled by no recall": {"recalled": []},
        "too many duties": {"duties": ["review", "a", "b", "c", "d", "e", "f"]},
    }
    for name, changes in changed_by.items():
        yield bad(name, "lifecycle", text=edited(REPORT, **changes))
    for name, number, change in (
        ("an unknown role", 0, {"roles": ["author"]}),
        ("no role", 0, {"roles": []}),
        ("from nowhere", 0, {"from": []}),
        ("an unknown action", 0, {"action": "write"}),
        ("an unknown duty", 1, {"duty": "labelling"}),
        ("back to none", 1, {"to": "none"}),
        ("a state that is never reached", 2, {"to": "draft"}),
        ("a flag that is 1", 2, {"approve": 1}),
        ("a role with a leading zero", 2, {"roles": ["role-012"]}),
        ("a kind of no inputs", 2, {"inputs": {"kind": "model"}}),
        ("too many inputs", 2, {"inputs": {"least": 33}}),
        ("a recall elsewhere", 1, {"recall": True}),
        ("an unknown performer", 2, {"differs": ["labelling"]}),
    ):
        transitions = [dict(each) for each in REPORT["transitions"]]
        transitions[number] |= change
        yield bad(name, "lifecycle", text=edited(REPORT, transitions=transitions))


REPORT: dict[str, Any] = {
    "type": "proml/lifecycle",
    "version": 1,
    "kind": "report",
    "about": "Reviewed, then published: “ü”.",
    "states": ["none", "draft", "public", "withdrawn"],
    "usable": ["public"],
    "terminal": ["withdrawn"],
    "recalled": ["withdrawn"],
    "actions": ["draft", "review", "publish", "withdraw"],
    "duties": ["review"],
    "transitions": [
        {"action": "draft", "from": ["none"], "to": "draft", "roles": ["developer", "role-0"]},
        {"action": "review", "from": ["draft"], "to": "draft", "roles": ["verifier"], "duty": "review"},
        {
            "action": "publish",
            "from": ["draft"],
            "to": "public",
            "roles": ["approver", "role-12", "role-63"],
            "differs": ["creator", "review", "creator"],
            "approve": True,
            "subject": True,
            "inputs": {"least": 2, "kind": "model", "usable": True},
        },
        {
            "action": "withdraw",
            "from": ["public", "draft"],
            "to": "withdrawn",
            "roles": ["developer"],
            "custodian": True,
            "recall": True,
        },
    ],
}
