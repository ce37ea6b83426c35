"""Commands that check: verify, evidence, receive."""

from __future__ import annotations

import json
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
    verify_offline,
)
from proml.cli.terminal import Markup, busy, emit_json, safe, say, short, table, write_whole
from proml.core.digest import hexed
from proml.core.verdict import Conclusion, Outcome, Verdict
from proml.node.exchange import evidence_of, receive
from proml.node.participant import Participant
from proml.node.targets import artefact_meant
from proml.verify import (
    Showing,
    enough,
    read_evidence,
    read_ledger,
    verify,
)

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
evidence_command = typer.Typer(add_completion=False, rich_markup_mode=None)
receive_command = typer.Typer(add_completion=False, rich_markup_mode=None)


@verify_command.command("verify")
def verify_target(
    target: What,
    artefact: Annotated[
        str | None, typer.Option("--as", metavar="ARTEFACT", help="It must be this artefact (id or name).")
    ] = None,
    evidence: Evidence = None,
    ledger: Trusted = None,
    block: Block = None,
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
    if evidence is None and is_evidence(Path(target)):
        evidence, target = Path(target), ""
    with busy("verifying …") as hashed:
        if evidence is not None:
            held = held_of(target, hashed) if target else None
            verdict = verify_offline(held, evidence, ledger, block)
        else:
            me = Participant.open()
            me.progress = hashed
            grounds = read_ledger(me.ledger, me.ledger_file.profiles)
            verdict = verify(grounds, [me.storage], me.lifecycles, aim(me, grounds, target, artefact))
    if as_json:
        emit_json(verdict.document())
    else:
        show_verdict(verdict)
    return EXIT_CODES[verdict.conclusion]


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
        new = receive(me, read_evidence(evidence_content(file)))
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
