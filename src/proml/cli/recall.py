"""Commands for when something turns out to be wrong: recall, acknowledge, amend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proml.cli.record import noted
from proml.cli.terminal import ask_passphrase, busy, emit_json, safe, say, short
from proml.core.digest import hexed
from proml.core.recall import REASONS
from proml.errors import UsageProblem
from proml.node.amending import USUAL
from proml.node.amending import amend as note_amendment
from proml.node.participant import Participant
from proml.node.recalling import acknowledge as queue
from proml.node.recalling import recall as note
from proml.node.targets import artefact_meant

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Push = Annotated[bool, typer.Option("--push", help="Take it to the ledger at once.")]

recall_command = typer.Typer(add_completion=False, rich_markup_mode=None)
acknowledge_command = typer.Typer(add_completion=False, rich_markup_mode=None)
amend_command = typer.Typer(add_completion=False, rich_markup_mode=None)


@recall_command.command("recall")
def recall(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Its file, folder, id or name.")],
    reason: Annotated[
        str, typer.Option("--reason", "-r", metavar="CODE", help=f"One of {', '.join(REASONS)}.")
    ],
    text: Annotated[
        str,
        typer.Option("--text", "-t", metavar="TEXT", help="What more there is to say; stays in the record."),
    ] = "",
    push: Push = False,
    as_json: Json = False,
) -> int:
    """Declare an artefact unfit: no step that asks for usable inputs can name it, what came of it is tainted.

    It cannot be taken back. Which of its lifecycle's actions that is, is found by itself.

        proml recall data/ --reason consent_withdrawn --text "letter of 3 May" --push
    """
    me = Participant.open(passphrase=ask_passphrase)
    with busy("looking …") as me.progress:
        artefact = artefact_meant(me, me.chronicle(), target)
        action = note(me, artefact, reason, text)
    document = {"action": action, "artefact": hexed(artefact), "reason": reason}
    return noted(me, document, f"noted: {action} {target}", push, as_json)


@acknowledge_command.command("acknowledge")
def acknowledge(
    target: Annotated[
        str | None,
        typer.Argument(metavar="TARGET", help="Something tainted of yours, or what was recalled."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Whatever waits for you.")] = False,
    push: Push = False,
    as_json: Json = False,
) -> int:
    """Acknowledge what a recall did to artefacts in your custody, on the ledger, for every member to see.

    It does not lift the taint. What you do about it is another step: drop, retire, amend, recall.

        proml acknowledge model.joblib --push
        proml acknowledge --all --push
    """
    if (target is None) != everything:
        raise UsageProblem("say what to acknowledge: a TARGET, or --all", "`proml status` lists what waits")
    me = Participant.open(passphrase=ask_passphrase)
    artefact = None
    if target is not None:
        with busy("looking …") as me.progress:
            artefact = artefact_meant(me, me.chronicle(), target)
    new = queue(me, artefact)
    if not new and not push:
        if as_json:
            emit_json({"noted": []})
        else:
            say("nothing new to acknowledge; [bold]proml push[/] sends what was noted before")
        return 0
    document = {
        "acknowledged": [{"artefact": hexed(each.artefact), "recall": hexed(each.source)} for each in new]
    }
    what = ", ".join(f"{short(each.artefact)} (recall of {short(each.source)})" for each in new)
    return noted(me, document, f"noted: acknowledge {safe(what)}", push, as_json)


@amend_command.command("amend")
def amend(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Its file, folder, id or name.")],
    text: Annotated[str, typer.Option("--text", "-t", metavar="TEXT", help="What was wrong.")],
    step: Annotated[
        int | None,
        typer.Option(
            "--step", "-n", metavar="N", min=1, help="The step that is corrected; the newest if not given."
        ),
    ] = None,
    subject: Annotated[
        Path | None, typer.Option("--subject", "-s", metavar="PATH", help="The corrected bytes.")
    ] = None,
    action: Annotated[
        str, typer.Option("--action", metavar="ACTION", help="By which action of its lifecycle, or contest.")
    ] = USUAL,
    push: Push = False,
    as_json: Json = False,
) -> int:
    """Correct what an earlier step said: a step of its own, with a record of its own. Nothing is replaced.

    What it does to the state is up to the lifecycle: a dataset has to be approved anew.

        proml amend digits --step 2 --text "labels 7 and 1 were swapped" --subject labels.csv --push
    """
    me = Participant.open(passphrase=ask_passphrase)
    with busy("fingerprinting …") as me.progress:
        artefact = artefact_meant(me, me.chronicle(), target)
        number = note_amendment(me, artefact, text, step, subject, action)
    document = {"action": action, "artefact": hexed(artefact), "amends": number}
    return noted(me, document, f"noted: {action} step {number} of {target}", push, as_json)
