"""Commands about this participant's keys: new, list, show, consent, add, revoke."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proml.cli.terminal import ask_passphrase, emit_json, new_passphrase, safe, say, table, write_whole
from proml.config import Config, load
from proml.core.call import AddKeyCall, RevokeKeyCall
from proml.core.consortium import ALL_SCOPES, scope_mask, scope_names
from proml.core.digest import hexed, unhexed
from proml.errors import RecordInvalid, UsageProblem
from proml.node.consents import NEW, Joining, give_consent, read_consent
from proml.node.government import Government
from proml.node.papers import Papers
from proml.node.participant import Participant
from proml.signing import create_key, key_address
from proml.trust import new_profile

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
    path = _key_file(load(), name)
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
def show(as_json: Json = False) -> int:
    """What the ledger knows of this project's key: member, scope, dates."""
    me = Participant.open()
    address = me.address
    known = me.chronicle().shared.keys.get(address) if me.config.ledger_file.exists() else None
    document = {"address": hexed(address), "name": me.config.key, "organisation": me.config.organisation}
    if known:
        document |= {
            "member": me.name_of(known.organisation),
            "scope": ", ".join(scope_names(known.scope)),
            "since block": str(known.start),
            "expires": f"block {known.expires}" if known.expires else "never",
            "revoked": f"block {known.revoked}" if known.revoked else "no",
        }
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
    mask = scope_mask(scope) if scope else ALL_SCOPES
    if member is None:
        if scope or expires:
            raise UsageProblem(
                "a newcomer's key has every scope and no end", "leave --scope and --expires away"
            )
        joining = Joining(NEW, profile=new_profile(me.config.organisation))
    else:
        joining = Joining(Government(me).member(member), mask, expires)
    given = give_consent(me.ledger.terms, me.signer, joining)
    if given.profile:
        Papers(me.config).keep_consent(given)
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
    me = Participant.open(passphrase=ask_passphrase)
    if name.endswith(".json"):
        if scope or expires:
            raise UsageProblem("the consent file says scope and end", "leave --scope and --expires away")
        given = read_consent(Path(name))
        given.check(me.ledger.terms)
        if given.organisation != me.organisation:
            raise UsageProblem(f"{name} agrees to belong to another organisation", "ask for one of your own")
    else:
        fresh = me.other_key(_key_file(me.config, name))
        joining = Joining(me.organisation, scope_mask(scope or ["record"]), expires)
        given = give_consent(me.ledger.terms, fresh, joining)
    call = AddKeyCall(given.key, given.scope, given.expires, given.signature)
    return _send(me, call, "added", as_json)


@key_command.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Name of a key file here, or a 0x address.")],
    since: Annotated[
        int | None,
        typer.Option("--since", metavar="BLOCK", help="Block since which it is suspect; default: now."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Revoke a key for good.

    What it signed before --since stays valid, from then on it is suspect. A key may revoke itself.

        proml key revoke laptop --since 1204
    """
    me = Participant.open(passphrase=ask_passphrase)
    path = _key_file(me.config, key) if not key.startswith("0x") else None
    try:
        address = key_address(path) if path else unhexed(key, 20)
    except RecordInvalid:
        raise UsageProblem(f"{key!r} is no address", "an address is 0x and 40 lower-case digits") from None
    boundary = since if since is not None else me.ledger.head().number
    return _send(me, RevokeKeyCall(address, boundary), "revoked", as_json)


def _send(me: Participant, call: AddKeyCall | RevokeKeyCall, done: str, as_json: bool) -> int:
    me.make(call)
    if as_json:
        emit_json({done: hexed(call.key)})
    else:
        say(f"{done} {hexed(call.key)}")
    return 0


def _key_file(config: Config, name: str) -> Path:
    if not name.replace("-", "").replace("_", "").isalnum() or len(name) > 64:
        raise UsageProblem(f"{name!r} cannot name a key", "use letters, digits, - and _")
    return config.folder / "keys" / f"{name}.json"
