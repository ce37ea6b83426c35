"""The consortium: its members, their roles and their keys."""

from __future__ import annotations

from typing import Annotated

import typer

from proml.cli.terminal import emit_json, say, table
from proml.core.consortium import role_names, scope_names
from proml.core.digest import hexed
from proml.node.participant import Participant

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
consortium_command = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="The organisations that share the ledger.",
)


@consortium_command.callback()
def _group() -> None:
    """The organisations that share the ledger."""


@consortium_command.command()
def show(as_json: Json = False) -> int:
    """The members, their roles and their keys, as the ledger has them."""
    me = Participant.open()
    shared = me.chronicle().shared
    members = [
        {
            "number": number,
            "name": me.name_of(number),
            "roles": list(role_names(organisation.roles)),
            "keys": [
                {"address": hexed(address), "scope": list(scope_names(key.scope)), "revoked": key.revoked}
                for address, key in shared.keys.items()
                if key.organisation == number
            ],
        }
        for number, organisation in sorted(shared.organisations.items())
    ]
    if as_json:
        emit_json({"threshold": shared.threshold, "members": members})
        return 0
    rows = [
        (each["number"], each["name"], ", ".join(each["roles"]), len(each["keys"]))  # type: ignore[arg-type]
        for each in members
    ]
    table(("no.", "organisation", "roles", "keys"), rows)
    say(f"{shared.threshold} of {len(members)} decide together")
    return 0
