"""Commands about this participant's node: up, status, backup, restore, tokens; more in `node_index`."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from proml.cli.node_index import digest_of_index, fsck, rebuild_index
from proml.cli.terminal import ask_passphrase, busy, emit_json, safe, say, table, when
from proml.config import TOKEN_VARIABLE, load
from proml.errors import NodeProblem, UsageProblem
from proml.node.backing_up import back_up, restore
from proml.node.client import NodeClient
from proml.node.participant import Participant
from proml.node.server.access import ALL_SCOPES, READ, Token, open_access
from proml.node.server.listening import DEFAULT_PORT, Listening
from proml.node.server.logs import LEVELS, log_to_standard_error
from proml.node.server.place import announced, is_running, node_folder
from proml.node.server.running import run_node

DAY_SECONDS = 24 * 3600
Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
node_command = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="The node of this organisation: publishes what is recorded, answers the API, shows the pages.",
)
token_command = typer.Typer(no_args_is_help=True, help="Tokens by which programs may ask the node.")
node_command.add_typer(token_command, name="token")
node_command.command("rebuild-index")(rebuild_index)
node_command.command("index-digest")(digest_of_index)
node_command.command()(fsck)


@node_command.command()
def up(
    address: Annotated[
        str, typer.Option("--address", metavar="IP", help="Listen on this address of this machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="N", help="0 for any.")
    ] = DEFAULT_PORT,
    name: Annotated[
        list[str], typer.Option("--name", metavar="HOST", help="A host name people reach the node by.")
    ] = [],
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="TLS certificate chain, PEM.")
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", metavar="FILE", help="Its key, PEM, without passphrase.")
    ] = None,
    broker: Annotated[
        str | None, typer.Option("--mqtt", metavar="URL", help="Take journals from this MQTT 5 broker too.")
    ] = None,
    level: Annotated[
        str, typer.Option("--log", metavar="LEVEL", help=f"Log from here on: {', '.join(LEVELS)}.")
    ] = "info",
) -> int:
    """Start the node and keep it running: it publishes, reads along, and answers at http://127.0.0.1:8600.

    Ctrl-C or SIGTERM stops it in good order. Listens elsewhere than on this machine only with TLS and tokens.

        proml node up
        proml node up --port 9000
        proml node up --address 0.0.0.0 --name node.clinic.example --certificate tls.pem --private-key tls.key
    """
    if level not in LEVELS:
        raise UsageProblem(f"{level!r} is no log level", f"levels are {', '.join(LEVELS)}")
    me = Participant(load(), ask_passphrase)
    log_to_standard_error(level)
    listening = Listening(address, port, tuple(name), certificate, private_key)
    run_node(me, listening, _ready, broker)
    say("stopped; nothing is lost")
    return 0


def _ready(url: str) -> None:
    say(f"the node answers at [bold]{safe(url)}[/]; Ctrl-C stops it")
    sys.stdout.flush()


@token_command.command("create")
def create_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it: who will use it.")],
    scope: Annotated[
        list[str], typer.Option("--scope", "-s", metavar="SCOPE", help=f"Out of {', '.join(ALL_SCOPES)}.")
    ] = [READ],
    days: Annotated[
        int, typer.Option("--days", min=1, max=3660, metavar="N", help="How long it is valid.")
    ] = 90,
    as_json: Json = False,
) -> int:
    """Make a token for a program. It is shown now and never again.

    proml node token create dashboard
    proml node token create trainer --scope read --scope record --days 30
    """
    with open_access(node_folder(load())) as access:
        token, secret = access.create_token(name, scope, days * DAY_SECONDS)
    if as_json:
        emit_json(
            {"token": secret, "id": token.id, "scopes": list(token.scopes), "expires": when(token.expires)}
        )
        return 0
    say(f"token {token.id} for {safe(name)}: {', '.join(token.scopes)}, until {when(token.expires)}")
    say(f"\n  {secret}\n\nIt is not kept anywhere: note it now.")
    return 0


@token_command.command("list")
def list_tokens(as_json: Json = False) -> int:
    """Every token there was, and whether it is still valid; never the secrets."""
    with open_access(node_folder(load())) as access:
        tokens = access.tokens()
    if as_json:
        emit_json([{**_document(token)} for token in tokens])
        return 0
    columns = ("id", "name", "scopes", "created", "expires", "now")
    table(columns, [list(_document(token).values()) for token in tokens])
    return 0


@token_command.command("revoke")
def revoke_token(token: Annotated[str, typer.Argument(metavar="ID", help="Its id, from the list.")]) -> int:
    """Make a token worthless from this moment on, in a node that runs too."""
    with open_access(node_folder(load())) as access:
        access.revoke_token(token)
    say(f"token {safe(token)} opens nothing any more")
    return 0


def _document(token: Token) -> dict[str, str]:
    now = "valid" if token.is_valid(time.time()) else "revoked" if token.revoked else "expired"
    scopes = ", ".join(token.scopes)
    return {
        "id": token.id,
        "name": token.name,
        "scopes": scopes,
        "created": when(token.created),
        "expires": when(token.expires),
        "now": now,
    }


@node_command.command()
def status(
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Ask this node, not this project's own.")
    ] = None,
    as_json: Json = False,
) -> int:
    """How the node is: its ledger, what waits, and which of its duties are not well. Exit code 1 if any is.

    Shows the token in PROML_TOKEN, if it is set.

        proml node status
        proml node status --url https://node.clinic.example
    """
    if url is None:
        folder = node_folder(load())
        there = announced(folder)
        if there is None or not is_running(folder):
            raise NodeProblem("no node of this project runs", "`proml node up` starts one")
        url = there.url
    with NodeClient(url, os.environ.get(TOKEN_VARIABLE)) as client:
        found = client.state()
    if as_json:
        emit_json({"url": url, **asdict(found)})
        return 0 if found.ready else 1
    waits = found.backlog
    rows: list[tuple[str, object]] = [
        ("node", url),
        ("organisation", found.organisation),
        ("key", found.key),
        ("up for", f"{found.seconds_up} s"),
        ("ledger", found.ledger.problem or f"block {found.ledger.block}"),
        ("waits", f"{waits.unread + waits.waiting}, sent {waits.sent}" if waits else "publishing just now"),
    ]
    rows += [(duty.name, duty.problem or ("well" if duty.well else "not running")) for duty in found.duties]
    table(("", ""), rows)
    for duty in found.duties:
        if duty.hint:
            say(f"  {safe(duty.name)}: {safe(duty.hint)}")
    return 0 if found.ready else 1


@node_command.command()
def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write it; never over an existing one.")
    ],
    keys: Annotated[
        bool, typer.Option("--keys", help="Also the signing keys: then keep the file as you keep those.")
    ] = False,
) -> int:
    """Write everything of this project that may not be lost into one file, while the node goes on.

    Left out: keys, unless asked for; tokens; the index, which is made again from the ledger.

        proml node backup /backups/proml-2026-11-20.tar
    """
    with busy("backing up …"):
        count = back_up(load(), file, keys)
    say(f"wrote {count} files to {safe(file)}" + ("" if keys else "; the keys are not in it"))
    return 0


@node_command.command("restore")
def restore_backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder without a project.")] = Path(),
) -> int:
    """Make a project out of a backup, after comparing everything in it with its digest.

    Put the keys back beside it, and run `proml node fsck`. Never run two copies of one project.

        proml node restore /backups/proml-2026-11-20.tar restored/
    """
    with busy("restoring …"):
        count = restore(file, folder.absolute())
    say(f"restored {count} files into {safe(folder.absolute())}; now `proml node fsck` there")
    return 0
