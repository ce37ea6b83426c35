"""Commands that check: verify, gate, evidence, receive."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from proml.capture.run import subject_of
from proml.cli.terminal import Markup, busy, emit_json, safe, say, short, table
from proml.core.digest import unhexed
from proml.core.verdict import Conclusion, Outcome, Verdict
from proml.errors import UsageProblem
from proml.node.gatekeeping import Policy, decide
from proml.node.participant import Participant
from proml.node.targets import artefact_meant
from proml.verify import ByDigest, ById, LedgerGrounds, Target, read_ledger, verify

EXIT_CODES = {Conclusion.VALID: 0, Conclusion.INVALID: 1, Conclusion.NOT_ENOUGH_EVIDENCE: 3}
SIGNS = {
    Outcome.VALID: "[green]valid[/]",
    Outcome.INVALID: "[bold red]INVALID[/]",
    Outcome.NOT_CHECKED: "[yellow]not checked[/]",
    Outcome.NOT_APPLICABLE: "[dim]not applicable[/]",
}

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
What = Annotated[str, typer.Argument(help="A file, folder, id, first digits of an id, or name.")]
verify_command = typer.Typer(add_completion=False, rich_markup_mode=None)
gate_command = typer.Typer(add_completion=False, rich_markup_mode=None)


@verify_command.command("verify")
def verify_target(
    target: What,
    artefact: Annotated[
        str | None, typer.Option("--as", help="It must be this artefact (id or name).")
    ] = None,
    as_json: Json = False,
) -> int:
    """Check a file, folder or artefact against the ledger: nine numbered checks, each with its reason.

    Exit code 0 valid, 1 invalid, 3 not enough evidence (something could not be checked; it says what).
    A file is found by its digest, so it need not be where it was recorded.

        proml verify model.joblib
        proml verify deployed.joblib --as "fraud model"
    """
    me = Participant.open()
    with busy("verifying …"):
        grounds = read_ledger(me.ledger, me.ledger_file.profiles)
        verdict = verify(grounds, [me.storage], me.lifecycles, _aim(me, grounds, target, artefact))
    if as_json:
        emit_json(verdict.document())
    else:
        show_verdict(verdict)
    return EXIT_CODES[verdict.conclusion]


@gate_command.command("gate")
def gate(
    target: What,
    state: Annotated[list[str], typer.Option("--state", "-s", help="It must stand in one of these.")] = [],
    performed: Annotated[
        list[str], typer.Option("--performed", "-p", help="ACTION or ACTION=N: made by N organisations.")
    ] = [],
    complete: Annotated[bool, typer.Option("--complete", help="Every record must be here too.")] = False,
    as_json: Json = False,
) -> int:
    """Exit code for CI: 0 when the artefact may go on, 1 when it may not.

    Always asked: the bytes are the recorded ones, history complete and legal, every actor entitled,
    nothing recalled upstream, final. On top, what you ask for:

        proml gate model.joblib --state approved --performed evaluate --performed approve=1
    """
    me = Participant.open()
    policy = Policy(tuple(state), dict(map(_performed, performed)), complete)
    with busy("verifying …"):
        grounds = read_ledger(me.ledger, me.ledger_file.profiles)
        verdict = verify(grounds, [me.storage], me.lifecycles, _aim(me, grounds, target, None))
    lifecycle = me.lifecycle_of(grounds.chronicle, verdict.stand.artefact)
    _check_words(policy, lifecycle.states if lifecycle else (), lifecycle.actions if lifecycle else ())
    demands = decide(policy, verdict, grounds.chronicle, lifecycle)
    opens = all(demand.met for demand in demands)
    if as_json:
        emit_json({"opens": opens, "demands": [demand.document() for demand in demands]})
    else:
        rows = [
            (Markup("[green]met[/]" if each.met else "[bold red]NOT MET[/]"), each.text, each.found)
            for each in demands
        ]
        table(("", "demand", "found"), rows)
        say("[bold green]the gate opens[/]" if opens else "[bold red]the gate stays shut[/]")
    return 0 if opens else 1


def show_verdict(verdict: Verdict) -> None:
    """A verdict for people."""
    stand = verdict.stand
    title = " ".join(filter(None, (stand.kind, stand.name, short(stand.artefact))))
    say(f"[bold]{safe(title)}[/], {safe(stand.state)}, after {stand.sequence} step(s)")
    steps = [
        (
            each.sequence,
            each.action,
            each.organisation_name,
            each.when,
            "these bytes" if each.bytes_match else "",
        )
        for each in verdict.deeds
    ]
    table(("step", "action", "by", "when", ""), steps)
    say("")
    rows = [(each.number, each.name, Markup(SIGNS[each.outcome]), each.reason) for each in verdict.checks]
    table(("no.", "check", "outcome", "because"), rows)
    for check in verdict.checks:
        if check.outcome in (Outcome.INVALID, Outcome.NOT_CHECKED):
            for finding in check.findings[1:]:
                say(f"  {check.number}: {safe(finding.text)}")
    for note in verdict.notes:
        say(f"note: {safe(note)}")
    colour = {Conclusion.VALID: "green", Conclusion.INVALID: "red"}.get(verdict.conclusion, "yellow")
    say(f"[bold {colour}]{verdict.conclusion.value}[/]")


def _aim(me: Participant, grounds: LedgerGrounds, target: str, artefact: str | None) -> Target:
    """Bytes in hand by their digest, anything else by the artefact it means."""
    digest = unhexed(subject_of(Path(target)).sha256) if os.path.lexists(target) else None
    if artefact is not None:
        if digest is None:
            raise UsageProblem("--as says which artefact a file must be", "name a file or folder to verify")
        return ById(artefact_meant(me, grounds.chronicle, artefact), digest)
    return ByDigest(digest) if digest else ById(artefact_meant(me, grounds.chronicle, target))


def _performed(text: str) -> tuple[str, int]:
    action, equals, count = text.partition("=")
    if equals and not (count.isdecimal() and int(count) > 0):
        raise UsageProblem(f"--performed {text!r} is not ACTION or ACTION=N")
    return action, int(count) if equals else 1


def _check_words(policy: Policy, states: tuple[str, ...], actions: tuple[str, ...]) -> None:
    """A state or action that cannot be would shut the gate for ever; say so instead."""
    for state in policy.states:
        if states and state not in states:
            raise UsageProblem(
                f"its lifecycle has no state {state!r}", f"its states are {', '.join(states[1:])}"
            )
    for action in policy.performed:
        if actions and action not in actions:
            raise UsageProblem(
                f"its lifecycle has no action {action!r}", f"its actions are {', '.join(actions)}"
            )
