"""Commands that look: show, log, lineage."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from proml.cli.approvals import document_of, show_awaited
from proml.cli.terminal import emit_json, safe, say, short, table, when, write_whole
from proml.core.chronicle import Chronicle, Transition
from proml.core.digest import ZERO, hexed
from proml.core.lineage import lineage as lineage_of
from proml.core.lineage import taints
from proml.core.recall import Due
from proml.errors import NotFound
from proml.export import mermaid, svg, text
from proml.export.reading import Names, lineage_view
from proml.node.approvals import Approvals
from proml.node.deadlines import abandoned, deadline_of
from proml.node.participant import Participant
from proml.node.recalling import obligations, told
from proml.node.targets import artefact_meant

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="A file, folder, id, first digits of an id, or name.")
]
_SHOWN = (
    "id",
    "kind",
    "state",
    "sequence",
    "creator",
    "custodian",
    "offered to",
    "contested by",
    "head",
)
show_command = typer.Typer(add_completion=False, rich_markup_mode=None)
log_command = typer.Typer(add_completion=False, rich_markup_mode=None)
lineage_command = typer.Typer(add_completion=False, rich_markup_mode=None)


class Format(StrEnum):
    """How a lineage is drawn."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"


@show_command.command()
def show(target: Target, as_json: Json = False) -> int:
    """One artefact: where it stands, what may happen next and by whom, and its history.

    proml show model.joblib
    proml show 0x3fe21a
    """
    me = Participant.open()
    chronicle = me.chronicle()
    artefact = artefact_meant(me, chronicle, target)
    document = artefact_document(me, chronicle, artefact)
    if as_json:
        emit_json(document)
        return 0
    say(f"[bold]{safe(me.title(chronicle, artefact))}[/]")
    rows = [(name, document[name]) for name in _SHOWN if document[name] is not None]
    table(("", ""), rows)
    _show_recalls(document)
    if document["deadline"]:
        state = "[red]abandoned[/]: open beyond its" if document["abandoned"] else "its"
        say(f"{state} deadline, {safe(document['deadline'])}")
    if document["next"]:
        table(("next", "by a"), [(action, ", ".join(roles)) for action, roles in document["next"].items()])
    awaited = list(Approvals(me).awaited_of(chronicle, artefact))
    if awaited:
        show_awaited(awaited)
    _show_steps(document["history"])
    return 0


@log_command.command()
def log(
    target: Annotated[
        str | None, typer.Argument(metavar="TARGET", help="Only this artefact: file, folder, id or name.")
    ] = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, metavar="N", help="How many steps.")] = 20,
    as_json: Json = False,
) -> int:
    """The latest steps of everybody, newest first, or those of one artefact.

    proml log --most 5
    proml log data/
    """
    me = Participant.open()
    chronicle = me.chronicle()
    if target is None:
        chosen = [transition for history in chronicle.histories.values() for transition in history]
    else:
        chosen = list(chronicle.histories[artefact_meant(me, chronicle, target)])
    chosen.sort(key=lambda each: (each.placed.block.number, each.placed.index), reverse=True)
    names = me.names(chronicle)
    steps = [_step_document(me, chronicle, transition, names) for transition in chosen[:most]]
    if as_json:
        emit_json(steps)
    elif steps:
        _show_steps(steps)
    else:
        say("nothing has happened yet")
    return 0


@lineage_command.command()
def lineage(
    target: Target,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to draw it.")] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to this file.")
    ] = None,
    up: Annotated[bool, typer.Option("--up/--no-up", help="What it was made from.")] = True,
    down: Annotated[bool, typer.Option("--down/--no-down", help="What was made from it.")] = True,
    as_json: Json = False,
) -> int:
    """What something was made from, and what was made from it; recalled and tainted things stand out.

    proml lineage model.joblib
    proml lineage data/ --no-up --format svg --output reached.svg
    """
    me = Participant.open()
    chronicle = me.chronicle()
    found = lineage_of(chronicle, artefact_meant(me, chronicle, target), up, down)
    view = lineage_view(chronicle, found, names_of(me, chronicle))
    if as_json:
        emit_json(
            {
                "focus": view.focus,
                "artefacts": [_fields(each) for each in view.artefacts],
                "derivations": [_fields(each) for each in view.derivations],
                "taints": [list(path) for path in view.taint_paths],
                "acknowledgements": [_fields(each) for each in view.acknowledgements],
            }
        )
        return 0
    plain = form is Format.TEXT and (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    drawn = {Format.MERMAID: mermaid.render, Format.SVG: svg.render}.get(
        form, lambda v: text.render(v, plain)
    )(view)
    if output is None:
        sys.stdout.write(drawn if drawn.endswith("\n") else drawn + "\n")
        return 0
    write_whole(output, drawn.encode("utf-8"))
    say(f"wrote {safe(output)}")
    return 0


def names_of(me: Participant, chronicle: Chronicle) -> Names:
    """What numbers and ids are called, as far as this participant knows."""
    lifecycles = {
        number: lifecycle
        for number, document in chronicle.documents.items()
        for lifecycle in me.lifecycles
        if lifecycle.table.document == document
    }
    return Names(lifecycles, me.name_of, me.names(chronicle), frozenset(abandoned(me, chronicle)))


def artefact_document(me: Participant, chronicle: Chronicle, artefact: bytes) -> dict[str, Any]:
    """All that is known here of an artefact, for programs and for `show`."""
    if artefact not in chronicle.shared.artefacts:
        raise NotFound(f"no artefact {hexed(artefact)} on the ledger", "`proml log` lists what there is")
    standing = chronicle.shared.artefacts[artefact]
    lifecycle = me.lifecycle_of(chronicle, artefact)
    names = me.names(chronicle)
    deadline = deadline_of(me, chronicle, artefact)
    return {
        "id": hexed(artefact),
        "kind": lifecycle.kind if lifecycle else f"lifecycle {standing.lifecycle}",
        "name": names.get(artefact),
        "state": lifecycle.state_name(standing.state) if lifecycle else standing.state,
        "usable": standing.usable_from > 0,
        "recalled": chronicle.is_recalled(artefact),
        "sequence": standing.sequence,
        "creator": me.name_of(standing.creator),
        "custodian": me.name_of(standing.custodian),
        "offered to": me.name_of(standing.offered) if standing.offered else None,
        "contested by": me.name_of(standing.contester) if standing.contester else None,
        "head": hexed(standing.head),
        "next": {k: list(v) for k, v in lifecycle.open_actions(standing.state).items()} if lifecycle else {},
        "approvals": [document_of(each) for each in Approvals(me).awaited_of(chronicle, artefact)],
        "tainted by": [
            [me.title(chronicle, each) for each in taint.path] for taint in taints(chronicle, artefact)
        ],
        "recalls": [
            _recall_document(me, chronicle, recalled)
            for recalled in [artefact, *(taint.source for taint in taints(chronicle, artefact))]
            if chronicle.is_recalled(recalled)
        ],
        "to acknowledge": [_due_document(me, chronicle, each) for each in obligations(chronicle, artefact)],
        "deadline": when(deadline.timestamp()) if deadline else None,
        "abandoned": artefact in abandoned(me, chronicle),
        "history": _history_document(me, chronicle, artefact, names),
    }


def _recall_document(me: Participant, chronicle: Chronicle, recalled: bytes) -> dict[str, Any]:
    recall = told(me, chronicle, recalled)
    assert recall is not None
    return {
        "artefact": hexed(recalled),
        "title": me.title(chronicle, recalled),
        "organisation": me.name_of(recall.organisation),
        "block": recall.block,
        "time": when(recall.time),
        "reason": recall.reason or None,
        "text": recall.text or None,
        "words": recall.words or "its record, which is elsewhere, says why",
    }


def _due_document(me: Participant, chronicle: Chronicle, due: Due) -> dict[str, Any]:
    return {
        "recalled": hexed(due.source),
        "artefact": hexed(due.artefact),
        "title": me.title(chronicle, due.artefact),
        "organisation": me.name_of(due.organisation),
        "acknowledged": due.given.block.number if due.given else None,
    }


def _show_recalls(document: dict[str, Any]) -> None:
    """Why it is recalled or tainted, by which way, and who has to acknowledge that."""
    for taint in document["tainted by"]:
        say(f"[red]tainted[/]: {safe(' → '.join(taint))}")
    for each in document["recalls"]:
        who = f"{each['title']} was recalled by {each['organisation']} in block {each['block']}"
        say(f"[red]recall[/]: {safe(who)}: {safe(each['words'])}")
    rows = [
        (
            each["title"],
            each["organisation"],
            "yes, in block " + str(each["acknowledged"]) if each["acknowledged"] else "not yet",
        )
        for each in document["to acknowledge"]
    ]
    if rows:
        table(("tainted", "custodian, who must acknowledge", "acknowledged"), rows)


def _history_document(
    me: Participant, chronicle: Chronicle, artefact: bytes, names: dict[bytes, str]
) -> list[dict[str, Any]]:
    """Every step, with the steps that amend it as far as records here tell."""
    steps = [_step_document(me, chronicle, each, names) for each in chronicle.histories[artefact]]
    sequences = {each["commitment"]: each["sequence"] for each in steps}
    for each in steps:
        each["amends"] = sequences.get((each["record"] or {}).get("amends"))
    for each in steps:
        each["amended by"] = [one["sequence"] for one in steps if one["amends"] == each["sequence"]]
    return steps


def _step_document(
    me: Participant, chronicle: Chronicle, transition: Transition, names: dict[bytes, str]
) -> dict[str, Any]:
    step = transition.step
    lifecycle = me.lifecycle_of(chronicle, step.artefact)
    kept = me.storage.has(step.record)
    record = me.record(step.record) if kept else None
    return {
        "artefact": hexed(step.artefact),
        "kind": lifecycle.kind if lifecycle else "",
        "name": names.get(step.artefact),
        "sequence": step.sequence,
        "action": lifecycle.action_name(step.action) if lifecycle else step.action,
        "state": lifecycle.state_name(step.state) if lifecycle else step.state,
        "organisation": me.name_of(step.actor.organisation),
        "key": hexed(step.actor.key),
        "block": transition.placed.block.number,
        "time": when(transition.placed.block.time),
        "transaction": hexed(transition.placed.transaction),
        "commitment": hexed(step.record),
        "subject": None if step.subject == ZERO else hexed(step.subject),
        "inputs": [{"artefact": hexed(each.artefact), "sequence": each.sequence} for each in step.inputs],
        "record": record,
        "record here": "yes" if record else "ALTERED" if kept else "elsewhere",
    }


def _show_steps(steps: list[dict[str, Any]]) -> None:
    rows = [
        (
            each["time"],
            each["block"],
            each["organisation"],
            _deed(each),
            " ".join(filter(None, (each["kind"], each["name"], short(each["artefact"])))),
            each["state"],
            each["record here"],
        )
        for each in steps
    ]
    table(("block time", "block", "who", "did", "what", "now", "record"), rows)


def _deed(step: dict[str, Any]) -> str:
    """The action, with what it amends or what amends it."""
    told = [f"amends step {step['amends']}"] if step.get("amends") else []
    told += [f"amended by step {number}" for number in step.get("amended by", ())]
    return f"{step['action']} ({', '.join(told)})" if told else str(step["action"])


def _fields(view: Any) -> dict[str, Any]:
    return {name: getattr(view, name) for name in view.__slots__}
