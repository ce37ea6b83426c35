"""Commands that check: verify, gate, evidence, receive."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from proml.capture.fingerprint import fingerprint
from proml.cli.terminal import Markup, Progress, busy, emit_json, safe, say, short, table, write_whole
from proml.core.content import Content
from proml.core.digest import hexed, unhexed
from proml.core.verdict import Conclusion, Outcome, Verdict
from proml.errors import NotFound, ProjectMissing, ProMLError, RecordInvalid, UsageProblem
from proml.lifecycles import supplied
from proml.node.exchange import evidence_of, receive
from proml.node.gatekeeping import Policy, decide
from proml.node.participant import Participant
from proml.node.targets import artefact_meant
from proml.trust import LedgerFile, read_ledger_file
from proml.verify import (
    ByDigest,
    ById,
    LedgerGrounds,
    Pins,
    Showing,
    Target,
    check_evidence,
    enough,
    read_evidence,
    read_ledger,
    verify,
)
from proml.verify.evidence import MAX_BYTES as MAX_EVIDENCE_BYTES

EXIT_CODES = {
    Conclusion.VALID: 0,
    Conclusion.INVALID: 1,
    Conclusion.NOT_ENOUGH_EVIDENCE: 3,
    Conclusion.EQUAL_CONTENT: 11,
}
SIGNS = {
    Outcome.VALID: "[green]valid[/]",
    Outcome.INVALID: "[bold red]INVALID[/]",
    Outcome.EQUAL_CONTENT: "[yellow]equal content[/]",
    Outcome.NOT_CHECKED: "[yellow]not checked[/]",
    Outcome.NOT_APPLICABLE: "[dim]not applicable[/]",
}

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
What = Annotated[
    str, typer.Argument(metavar="TARGET", help="A file, folder, id, first digits of an id, or name.")
]
verify_command = typer.Typer(add_completion=False, rich_markup_mode=None)
gate_command = typer.Typer(add_completion=False, rich_markup_mode=None)
evidence_command = typer.Typer(add_completion=False, rich_markup_mode=None)
receive_command = typer.Typer(add_completion=False, rich_markup_mode=None)

# SHA-256 and content digest of bytes in hand.
Held = tuple[bytes, Content | None]
# An evidence file begins like this (docs/evidence-format.md), so it need not be announced.
EVIDENCE_BEGINS = b'{"digest":"0x'


@verify_command.command("verify")
def verify_target(
    target: What,
    artefact: Annotated[
        str | None, typer.Option("--as", metavar="ARTEFACT", help="It must be this artefact (id or name).")
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(
            "--evidence", "-e", metavar="FILE", help="Check against this evidence file, without a node."
        ),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", metavar="FILE", help="With --evidence: the ledger file you trust."),
    ] = None,
    block: Annotated[
        str | None,
        typer.Option("--block", metavar="HASH", help="With --evidence: hash of a block you trust."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Check a file, folder or artefact against the ledger: nine numbered checks, each with its reason.

    Exit code 0 valid, 1 invalid, 3 not enough evidence (something could not be checked; it says what), 11
    equal content: the bytes are others, but hold the same tensors or table, as after saving them again.
    A file is found by its digest, so it need not be where it was recorded.

        proml verify model.joblib
        proml verify deployed.joblib --as "fraud model"
        proml verify model.joblib --evidence model.evidence --block 0x5f0c…
        proml verify model.evidence
    """
    if evidence is None and _is_evidence(Path(target)):
        evidence, target = Path(target), ""
    with busy("verifying …") as hashed:
        if evidence is not None:
            held = _held(target, hashed) if target else None
            verdict = _verify_offline(held, evidence, ledger, block)
        else:
            me = Participant.open()
            me.progress = hashed
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
    as_json: Json = False,
) -> int:
    """Exit code for CI: 0 when the artefact may go on, 1 when it may not.

    Always asked: the bytes are the recorded ones, history complete and legal, every actor entitled,
    nothing recalled upstream, final. On top, what you ask for:

        proml gate model.joblib --state approved --performed evaluate --performed approve=1
    """
    me = Participant.open()
    policy = Policy(tuple(state), dict(map(_performed, performed)), complete)
    with busy("verifying …") as me.progress:
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


@evidence_command.command("evidence")
def make_evidence_file(
    target: What,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    everything: Annotated[
        bool, typer.Option("--everything", help="Whole records with their keys, not only what checks need.")
    ] = False,
    observations: Annotated[bool, typer.Option("--observations", help="Add the observations too.")] = False,
    as_json: Json = False,
) -> int:
    """Write one file with which anybody can check an artefact offline, without an account or a node.

    It holds the history of the artefact and of all it derives from, and of the records that are here the
    fields that the checks need. --everything adds the rest: another member can then `proml receive` it.

        proml evidence model.joblib -o model.evidence
        proml evidence data/ -o data.evidence --everything
    """
    me = Participant.open()
    showing = Showing(batches=observations) if everything else Showing(choice=enough, batches=observations)
    with busy("collecting evidence …"):
        artefact = artefact_meant(me, me.chronicle(), target)
        made = evidence_of(me, artefact, showing)
        content = made.content
    write_whole(output, content)
    document = {
        "file": str(output),
        "bytes": len(content),
        "artefact": hexed(artefact),
        "records": len(made.records),
        "block": made.tip.number,
        "block hash": hexed(made.tip.hash),
    }
    if as_json:
        emit_json(document)
    else:
        table(("", ""), list(document.items()))
        say("Whoever trusts that block hash, got from another member, needs no node to check the file.")
    return 0


@receive_command.command("receive")
def receive_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An evidence file made with --everything.")],
    as_json: Json = False,
) -> int:
    """Take over the records of an evidence file from another organisation.

    Only records that the ledger has a commitment to are kept. Afterwards their artefacts are found here
    by name and by file, private ones too.

        proml receive data.evidence
    """
    me = Participant.open()
    with busy("comparing with the ledger …"):
        new = receive(me, read_evidence(_content(file)))
    if as_json:
        emit_json({"new": new})
    else:
        say(f"{new} new record(s) and batch(es) kept")
    return 0


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
    for single in verdict.singles:
        place = f"observation {single.index + 1} of {single.count} under {short(single.root)}"
        say(f"{place}: {safe(json.dumps(dict(single.observation), ensure_ascii=False))}")
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


def _verify_offline(held: Held | None, evidence: Path, ledger: Path | None, block: str | None) -> Verdict:
    """Check an evidence file with what is pinned: a ledger file given, else the project's, if any."""
    me = _own_project()
    pinned = read_ledger_file(ledger) if ledger else _own_ledger_file(me)
    try:
        trusted = unhexed(block) if block else None
    except RecordInvalid as error:
        raise UsageProblem(f"--block {error.message}") from None
    pins = Pins(pinned.terms, trusted, pinned.profiles) if pinned else Pins(block=trusted)
    digest, said = held or (None, None)
    return check_evidence(_content(evidence), pins, me.lifecycles if me else supplied(), digest, said)


def _own_project() -> Participant | None:
    try:
        return Participant.open()
    except ProjectMissing:  # the file is then checked on its own
        return None


def _own_ledger_file(me: Participant | None) -> LedgerFile | None:
    try:
        return me.ledger_file if me else None
    except ProMLError:  # none, or one that cannot be read
        return None


def _held(target: str, progress: Progress | None) -> Held:
    """The digests of bytes in hand."""
    found = fingerprint(Path(target), progress)
    return found.sha256, found.content


def _is_evidence(path: Path) -> bool:
    try:
        if not path.is_file():
            return False  # opening a pipe would wait for whoever writes to it
        with path.open("rb") as file:
            return file.read(len(EVIDENCE_BEGINS)) == EVIDENCE_BEGINS
    except OSError:
        return False


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_EVIDENCE_BYTES + 1)
    except OSError as error:
        raise NotFound(f"the evidence file {path} cannot be read: {error.strerror}") from error


def _aim(me: Participant, grounds: LedgerGrounds, target: str, artefact: str | None) -> Target:
    """Bytes in hand by their digest, anything else by the artefact it means."""
    held = _held(target, me.progress) if os.path.lexists(target) else None
    if artefact is not None:
        if held is None:
            raise UsageProblem("--as says which artefact a file must be", "name a file or folder to verify")
        return ById(artefact_meant(me, grounds.chronicle, artefact), *held)
    return ByDigest(*held) if held else ById(artefact_meant(me, grounds.chronicle, target))


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
