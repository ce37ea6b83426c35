"""Commands about this participant's keys: new, list, show, consent, add, rotate, revoke."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proml.cli.terminal import ask_passphrase, busy, emit_json, new_passphrase, safe, say, table, write_whole
from proml.config import load
from proml.core.consortium import scope_names
from proml.core.digest import hexed
from proml.errors import UsageProblem
from proml.node.government import Government
from proml.node.keyring import Keyring, key_file
from proml.node.participant import Participant
from proml.signing import create_key, key_address

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Scope = Annotated[
    list[str],
    typer.Option("--scope", "-s", metavar="SCOPE", help="record, approve or govern; repeat it for several."),
]
Expires = Annotated[
    int, typer.Option("--expires", metavar="BLOCK", min=0, help="Block from which it is refused; 0 never.")
]
key_command = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="This participant's keys: a key file each, mode 0600, under .proml/keys/.",
)


@key_command.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it; letters, digits, - and _.")],
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Encrypt the file; asks for one.")] = False,
    as_json: Json = False,
) -> int:
    """Make a new key file.

    The key may do nothing until `proml key add` gives it to the organisation; the setting `key` or
    PROML_KEY then chooses it for signing.

        proml key new laptop --passphrase
    """
    path = key_file(load().folder, name)
    address = hexed(create_key(path, new_passphrase() if passphrase else None).address)
    if as_json:
        emit_json({"name": name, "address": address, "file": str(path)})
    else:
        say(f"{address}  {path}")
    return 0


@key_command.command("list")
def list_keys(as_json: Json = False) -> int:
    """List the key files of this project; * marks the one that signs."""
    config = load()
    keys = [(path.stem, hexed(key_address(path))) for path in sorted((config.folder / "keys").glob("*.json"))]
    if as_json:
        emit_json([{"name": name, "address": address, "signs": name == config.key} for name, address in keys])
    else:
        table(
            ("", "name", "address"), [("*" if name == config.key else "", name, each) for name, each in keys]
        )
    return 0


@key_command.command()
def show(
    key: Annotated[
        str | None,
        typer.Argument(metavar="KEY", help="Name of a key file here, or a 0x address; the one that signs."),
    ] = None,
    as_json: Json = False,
) -> int:
    """What the ledger knows of a key: member, scope, dates.

    proml key show
    proml key show ci
    """
    me = Participant.open()
    keys = Keyring(me)
    address = keys.address(key) if key else me.address
    known = keys.known(address) if me.config.ledger_file.exists() else None
    document = {
        "address": hexed(address),
        "name": key or me.config.key_name,
        "organisation": me.config.organisation,
    }
    if known:
        document |= {
            "member": me.name_of(known.organisation),
            "scope": ", ".join(scope_names(known.scope)),
            "since block": str(known.start),
            "expires": f"block {known.expires}" if known.expires else "never",
            "revoked": f"block {known.revoked}" if known.revoked else "no",
        }
        if known.revoked:
            document["suspect from"] = f"block {known.compromised_since}"
    if as_json:
        emit_json(document)
    else:
        table(("", ""), list(document.items()))
        if not known:
            say("The ledger does not know this key; a member can add it.")
    return 0


@key_command.command()
def consent(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = Path(
        "consent.json"
    ),
    member: Annotated[
        str | None,
        typer.Option("--member", metavar="NAME", help="The member it shall belong to; default: a new one."),
    ] = None,
    scope: Scope = [],
    expires: Expires = 0,
    as_json: Json = False,
) -> int:
    """Write a file by which this project's key agrees to belong to an organisation.

    A newcomer sends it to a member, who proposes the admission. With --member it replaces a lost key, or
    adds one that is on another machine:

        proml key consent                                       I want to be admitted
        proml key consent --member "Acme Clinic"                our keys were lost: recover-key
        proml key consent --member "Acme Clinic" -s record      one more key: proml key add consent.json
    """
    me = Participant.open(passphrase=ask_passphrase)
    if member is not None:
        given = Keyring(me).consent(Government(me).member(member), scope, expires)
    elif scope or expires:
        raise UsageProblem("a newcomer's key has every scope and no end", "leave --scope and --expires away")
    else:
        given = Keyring(me).apply_for_admission()
    write_whole(output, given.written())
    if as_json:
        emit_json(given.document())
    else:
        say(f"wrote {safe(output)}; it is no secret")
    return 0


@key_command.command()
def add(
    name: Annotated[
        str, typer.Argument(metavar="KEY", help="Name of a key file here, or a consent file from elsewhere.")
    ],
    scope: Scope = [],
    expires: Expires = 0,
    as_json: Json = False,
) -> int:
    """Give the organisation one more key.

    The present key signs the call and needs the scope `govern`; the new one signs its consent. Without
    --scope it may `record` only. A consent file says scope and end itself.

        proml key new ci && proml key add ci --scope record
        proml key add consent.json
    """
    keys = Keyring(Participant.open(passphrase=ask_passphrase))
    if not name.endswith(".json"):
        return _done("added", keys.add(name, scope or ["record"], expires), as_json)
    if scope or expires:
        raise UsageProblem("the consent file says scope and end", "leave --scope and --expires away")
    return _done("added", keys.add_consenting(Path(name)), as_json)


@key_command.command()
def rotate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the new key.")],
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Encrypt it; asks for one.")] = False,
    as_json: Json = False,
) -> int:
    """Let a new key take the place of the one that signs.

    It gets the same scope and end and signs that it takes over; the old one is revoked, and all it signed
    stays valid. Interrupted, the same command goes on where it was.

        proml key rotate second
    """
    keys = Keyring(Participant.open(passphrase=ask_passphrase))
    secret = new_passphrase() if passphrase else None
    with busy("rotating …"):
        address = keys.rotate(name, secret)
    return _done("signs from now on", address, as_json)


@key_command.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Name of a key file here, or a 0x address.")],
    since: Annotated[
        int | None,
        typer.Option("--since", metavar="BLOCK", help="Block since which it is suspect; default: none yet."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Revoke a key for good.

    What it signed before --since stays valid, from then on it is suspect. A key may revoke itself.

        proml key revoke laptop --since 1204
    """
    keys = Keyring(Participant.open(passphrase=ask_passphrase))
    address = keys.address(key)
    keys.revoke(address, since)
    return _done("revoked", address, as_json)


def _done(what: str, key: bytes, as_json: bool) -> int:
    if as_json:
        emit_json({what: hexed(key)})
    else:
        say(f"{what}: {hexed(key)}")
    return 0
