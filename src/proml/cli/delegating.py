"""Commands about delegated writes: sign, relay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proml.cli.terminal import ask_passphrase, busy, emit_json, safe, say, short, table, write_whole
from proml.core.digest import hexed
from proml.node.delegating import REFUSED, relay, sign_waiting
from proml.node.outbox import DONE as OUTBOX_DONE
from proml.node.outbox import Intent
from proml.node.participant import Participant
from proml.node.signed_file import read_signed_file

REFUSED_EXIT = 6
Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Hours = Annotated[
    float, typer.Option("--hours", metavar="N", help="How long from now the ledger shall take it.")
]
sign_command = typer.Typer(add_completion=False, rich_markup_mode=None)
relay_command = typer.Typer(add_completion=False, rich_markup_mode=None)


@sign_command.command("sign")
def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")],
    hours: Hours = 24,
    as_json: Json = False,
) -> int:
    """Sign what is recorded here, for another node to take to the ledger. Exit code 6 if some cannot be.

    For a laptop or CI key without coins. The steps wait here until they are seen on the ledger; observations
    are anchored by a push of one's own. Any member's node relays the file.

        proml sign steps.json --hours 6
    """
    me = Participant.open(passphrase=ask_passphrase)
    settled: list[Intent] = []
    with busy("signing …"):
        signed = sign_waiting(me, hours, settled.append)
    lost = [each for each in settled if each.state != OUTBOX_DONE]
    if signed.steps:
        write_whole(file, signed.written())
    if as_json:
        refused = [{"item": each.label, "outcome": each.state, "reason": each.reason} for each in lost]
        where = str(file) if signed.steps else None
        emit_json({"signed": len(signed.steps), "file": where, "not signed": refused})
    elif signed.steps:
        say(f"signed {len(signed.steps)} step(s) into {safe(file)}; `proml relay {safe(file)}` sends them")
    else:
        say("nothing waits to be signed")
    if lost and not as_json:
        table(("", "not signed", "why"), [(each.state, each.label, each.reason or "") for each in lost])
    return REFUSED_EXIT if lost else 0


@relay_command.command("relay")
def send(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What somebody signed.")],
    as_json: Json = False,
) -> int:
    """Take to the ledger what others signed, and pay for it. Exit code 6 when any of it was refused.

    It can be done by any key, once: relaying the same file again does nothing twice. What the ledger would
    refuse is not sent.

        proml relay steps.json
    """
    me = Participant.open(passphrase=ask_passphrase)
    signed = read_signed_file(file)
    with busy("relaying …"):
        told = relay(me, signed)
    if as_json:
        emit_json(
            [
                {
                    "what": each.what,
                    "artefact": hexed(each.artefact),
                    "signer": hexed(each.signer),
                    "outcome": each.outcome,
                    "reason": each.reason or None,
                }
                for each in told
            ]
        )
    else:
        rows = [(each.outcome, each.what, short(each.signer), each.reason) for each in told]
        table(("", "what", "signed by", "why"), rows) if rows else say("there is nothing in it")
    return REFUSED_EXIT if any(each.outcome == REFUSED for each in told) else 0
