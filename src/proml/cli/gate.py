"""The command gate: a verdict turned into a yes or no for a pipeline."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from proml.cli.aim import (
    Block,
    Evidence,
    Trusted,
    aim,
    evidence_content,
    held_of,
    is_evidence,
    own_project,
    verify_offline,
)
from proml.cli.terminal import Markup, busy, emit_json, safe, say, table
from proml.core.lifecycle import Lifecycle
from proml.core.verdict import Verdict, not_after
from proml.errors import NotFound, UsageProblem
from proml.lifecycles import supplied
from proml.node.gatekeeping import Policy, decide
from proml.node.participant import Participant
from proml.verify import read_evidence, read_ledger, verify

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
gate_command = typer.Typer(add_completion=False, rich_markup_mode=None)


@gate_command.command("gate")
def gate(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A file, folder, id, first digits of an id, or name.")
    ],
    state: Annotated[
        list[str], typer.Option("--state", "-s", metavar="STATE", help="It must stand in one of these.")
    ] = [],
    performed: Annotated[
        list[str],
        typer.Option(
            "--performed", "-p", metavar="ACTION[=N]", help="It was done, by at least N organisations (1)."
        ),
    ] = [],
    complete: Annotated[bool, typer.Option("--complete", help="Every record must be here too.")] = False,
    evidence: Evidence = None,
    ledger: Trusted = None,
    block: Block = None,
    as_json: Json = False,
) -> int:
    """Exit code for CI: 0 when the artefact may go on, 1 when it may not.

    Always asked: the bytes are the recorded ones, history complete and legal, every actor entitled,
    nothing recalled upstream, final. On top, what you ask for:

        proml gate model.joblib --state approved --performed evaluate --performed approve=1

    With an evidence file no node, chain or project is needed, and it answers for the time of its block:

        proml gate model.joblib -e model.evidence --ledger ledger.json --block 0x5f0c… --state approved
    """
    policy = Policy(tuple(state), dict(map(_performed, performed)), complete)
    if evidence is None and is_evidence(Path(target)):
        evidence, target = Path(target), ""
    if evidence is None and (ledger or block):
        raise UsageProblem("--ledger and --block say what of an evidence file is trusted", "add --evidence")
    verdict, lifecycles = (
        _from_ledger(target) if evidence is None else _from_file(target, evidence, ledger, block)
    )
    _check_words(policy, lifecycles)
    demands = decide(policy, verdict)
    opens = all(demand.met for demand in demands)
    if as_json:
        documents = [demand.document() for demand in demands]
        emit_json({"opens": opens, "demands": documents, "grounds": verdict.grounds})
        return 0 if opens else 1
    rows = [
        (Markup("[green]met[/]" if each.met else "[bold red]NOT MET[/]"), each.text, each.found)
        for each in demands
    ]
    table(("", "demand", "found"), rows)
    if evidence is not None:
        say(f"by {safe(verdict.grounds)}, {not_after(verdict.tip)}; what came later is not in it")
    say("[bold green]the gate opens[/]" if opens else "[bold red]the gate stays shut[/]")
    return 0 if opens else 1


def _from_ledger(target: str) -> tuple[Verdict, tuple[Lifecycle, ...]]:
    me = Participant.open()
    with busy("verifying …") as me.progress:
        grounds = read_ledger(me.ledger, me.ledger_file.profiles)
        verdict = verify(grounds, [me.storage], me.lifecycles, aim(me, grounds, target, None))
    own = me.lifecycle_of(grounds.chronicle, verdict.stand.artefact)
    return verdict, (own,) if own else ()


def _from_file(
    target: str, evidence: Path, ledger: Path | None, block: str | None
) -> tuple[Verdict, tuple[Lifecycle, ...]]:
    if target and not os.path.lexists(target):
        raise NotFound(
            f"there is no file or folder {target!r}", "an evidence file is about one artefact; give its bytes"
        )
    with busy("verifying …") as hashed:
        verdict = verify_offline(held_of(target, hashed) if target else None, evidence, ledger, block)
    me = own_project()
    known = me.lifecycles if me else supplied()
    told = read_evidence(evidence_content(evidence)).lifecycles
    return verdict, tuple(each for each in (*told, *known) if each.kind == verdict.stand.kind)


def _performed(text: str) -> tuple[str, int]:
    action, equals, count = text.partition("=")
    if equals and not (count.isdecimal() and int(count) > 0):
        raise UsageProblem(f"--performed {text!r} is not ACTION or ACTION=N")
    return action, int(count) if equals else 1


def _check_words(policy: Policy, lifecycles: Sequence[Lifecycle]) -> None:
    """A state or action that cannot be would shut the gate for ever; say so instead.

    `lifecycles` are those that may be the artefact's; of none nothing is known.
    """
    states = dict.fromkeys(name for each in lifecycles for name in each.states[1:])
    actions = dict.fromkeys(name for each in lifecycles for name in each.actions)
    for what, asked, known in (("state", policy.states, states), ("action", policy.performed, actions)):
        for name in asked:
            if known and name not in known:
                raise UsageProblem(
                    f"its lifecycle has no {what} {name!r}", f"its {what}s are {', '.join(known)}"
                )
