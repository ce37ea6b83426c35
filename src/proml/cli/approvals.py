"""Commands about approvals: approve, approvals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from proml.cli.record import Claims, pairs
from proml.cli.terminal import ask_passphrase, busy, emit_json, safe, say, table, write_whole
from proml.core.digest import ZERO, hexed
from proml.node.approvals import Approvals, Awaited
from proml.node.participant import Content, Participant

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
approve_command = typer.Typer(add_completion=False, rich_markup_mode=None)
approvals_command = typer.Typer(add_completion=False, rich_markup_mode=None)


@approve_command.command()
def approve(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="The artefact: its file, folder, id or name.")
    ],
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="The step to approve; `proml approvals` lists them.")
    ],
    subject: Annotated[
        Path | None,
        typer.Option("--subject", "-s", metavar="PATH", help="The bytes meant, if others."),
    ] = None,
    claim: Claims = [],
    sign: Annotated[
        Path | None,
        typer.Option("--sign", metavar="FILE", help="Sign it into this file, for another node to relay."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Approve a step that another organisation is to take. Needs a key with the scope `approve`.

    It goes to the ledger at once. It is for this action, on these bytes, as the artefact's very next step:
    any other step in between makes it stale.

        proml approve model.joblib deploy
        proml approve 0x3fe21a deploy --claim "reviewed=all findings closed"
    """
    me = Participant.open(passphrase=ask_passphrase)
    approvals = Approvals(me)
    if sign:
        return _signed(approvals, target, action, Content(claims=pairs(claim)), sign, as_json)
    with busy("approving …") as me.progress:
        record = approvals.approve(target, action, subject, Content(claims=pairs(claim)))
    awaited = [each for each in approvals.awaited(target) if each.action == action]
    if as_json:
        emit_json({"record": hexed(record), "awaited": [document_of(each) for each in awaited]})
        return 0
    say(f"approved {safe(action)}")
    show_awaited(awaited)
    return 0


def _signed(
    approvals: Approvals, target: str, action: str, content: Content, file: Path, as_json: bool
) -> int:
    signed = approvals.sign(target, action, content=content)
    write_whole(file, signed.written())
    if as_json:
        emit_json({"signed": 1, "file": str(file)})
    else:
        say(f"signed into {safe(file)}; `proml relay {safe(file)}` gives it")
    return 0


@approvals_command.command()
def approvals(
    target: Annotated[
        str | None, typer.Argument(metavar="TARGET", help="Only this artefact: file, folder, id or name.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Steps that need approvals: who gave theirs, how many are missing, and who could give them.

    proml approvals
    proml approvals model.joblib
    """
    awaited = Approvals(Participant.open()).awaited(target)
    if as_json:
        emit_json([document_of(each) for each in awaited])
    elif awaited:
        show_awaited(awaited)
    else:
        say("no step that is possible now needs approvals")
    return 0


def document_of(awaited: Awaited) -> dict[str, Any]:
    """For programs: a step that needs approvals, and how far it is."""
    return {
        "artefact": hexed(awaited.artefact),
        "title": awaited.title,
        "action": awaited.action,
        "sequence": awaited.sequence,
        "subject": None if awaited.subject == ZERO else hexed(awaited.subject),
        "needed": awaited.needed,
        "given": list(awaited.given),
        "missing": awaited.missing,
        "askable": list(awaited.askable),
    }


def show_awaited(awaited: list[Awaited]) -> None:
    """The same for people."""
    rows = [
        (
            each.title,
            each.action,
            ", ".join(each.given) or "nobody",
            f"{each.missing} of {each.needed}" if each.missing else "none: it can be taken",
            ", ".join(each.askable) if each.missing else "",
        )
        for each in awaited
    ]
    table(("what", "step", "approved by", "missing", "who could"), rows)
