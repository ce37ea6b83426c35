"""The consortium: its members, their keys, and what they decide together."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from proml.cli.terminal import ask_passphrase, busy, emit_json, safe, say, table
from proml.core.consortium import ROLES, role_names, scope_names
from proml.core.digest import hexed
from proml.errors import UsageProblem
from proml.node.government import Government
from proml.node.motions import Motion
from proml.node.participant import Participant

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=0, help="The proposal's number.")]
Paper = Annotated[
    Path | None,
    typer.Option("--file", "-f", metavar="FILE", help="The consent or lifecycle behind it, if not here yet."),
]
consortium_command = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="The organisations that share the ledger, and what they decide together.",
)


class ChangeName(StrEnum):
    """What can be proposed."""

    ADMIT = "admit"
    REMOVE = "remove"
    ROLES = "roles"
    THRESHOLD = "threshold"
    LIFECYCLE = "lifecycle"
    RECOVER_KEY = "recover-key"
    SUCCESSOR = "successor"


@consortium_command.callback()
def _group() -> None:
    """The organisations that share the ledger, and what they decide together."""


@consortium_command.command()
def show(as_json: Json = False) -> int:
    """The members, their roles and keys, and how they decide, as the ledger has it."""
    me = Participant.open()
    government = Government(me)
    government.learn_names()
    shared = me.chronicle().shared
    rules = government.rules()
    members = [
        {
            "number": number,
            "name": me.name_of(number),
            "roles": list(role_names(organisation.roles)),
            "removed": organisation.removed,
            "keys": [
                {
                    "address": hexed(address),
                    "scope": list(scope_names(key.scope)),
                    "expires": key.expires,
                    "revoked": key.revoked,
                    "compromised since": key.compromised_since,
                }
                for address, key in shared.keys.items()
                if key.organisation == number
            ],
        }
        for number, organisation in sorted(shared.organisations.items())
    ]
    if as_json:
        emit_json({"threshold": shared.threshold, "members": members, "rules": asdict(rules)})
        return 0
    table(("no.", "organisation", "roles", "keys"), [_member_row(each) for each in members])
    say(f"{rules.threshold} of {rules.members} decide together. A proposal is open {rules.lifetime} blocks.")
    say(f"It takes effect {rules.delay} blocks after the deciding vote, a new key {rules.recovery_delay}.")
    return 0


def _member_row(member: dict[str, Any]) -> tuple[object, ...]:
    if member["removed"]:
        return member["number"], member["name"], f"no member since block {member['removed']}", 0
    usable = [key for key in member["keys"] if not key["revoked"]]
    return member["number"], member["name"], ", ".join(member["roles"]), len(usable)


@consortium_command.command()
def propose(
    change: Annotated[ChangeName, typer.Argument(metavar="CHANGE", help=" | ".join(ChangeName))],
    what: Annotated[str, typer.Argument(metavar="WHAT", help="A file, kind, member or number, as above.")],
    role: Annotated[
        list[str],
        typer.Option("--role", "-r", metavar="ROLE", help="For admit and roles; repeat it for several."),
    ] = [],
    member: Annotated[
        str, typer.Option("--member", "-m", metavar="NAME", help="For successor: who takes the place.")
    ] = "",
    as_json: Json = False,
) -> int:
    """Propose a change; that is our vote for it, too. Needs a key with the scope `govern`.

        proml consortium propose admit consent.json --role developer
        proml consortium propose remove "Acme Clinic"
        proml consortium propose roles "Acme Clinic" --role operator --role approver
        proml consortium propose threshold 3
        proml consortium propose lifecycle release.toml
        proml consortium propose recover-key consent.json
        proml consortium propose successor "Gone Lab" --member "Acme Clinic"

    The consent files come from `proml key consent`, run by whoever holds the new key. Those who vote need the
    same file to see what it is about. `roles` without --role takes them all away.
    """
    government = Government(Participant.open(passphrase=ask_passphrase))
    if role and change not in (ChangeName.ADMIT, ChangeName.ROLES):
        raise UsageProblem(f"{change} has no roles", "leave --role away")
    if bool(member) != (change is ChangeName.SUCCESSOR):
        raise UsageProblem("--member goes with successor", "it names who takes the place of who went")
    with busy("proposing …"):
        if change is ChangeName.SUCCESSOR:
            number = government.propose_successor(what, member)
        else:
            number = _propose(government, change, what, role)
    return _told(government.motion(number), as_json)


def _propose(government: Government, change: ChangeName, what: str, roles: list[str]) -> int:
    match change:
        case ChangeName.ADMIT:
            if not roles:
                raise UsageProblem("a new member needs roles", f"add --role; roles are {', '.join(ROLES)}")
            return government.propose_admission(Path(what), roles)
        case ChangeName.REMOVE:
            return government.propose_removal(what)
        case ChangeName.ROLES:
            return government.propose_roles(what, roles)
        case ChangeName.THRESHOLD:
            if not (what.isascii() and what.isdigit()):
                raise UsageProblem(f"{what!r} is no threshold", "it is a number of organisations")
            return government.propose_threshold(int(what))
        case ChangeName.LIFECYCLE:
            return government.propose_lifecycle(what)
        case _:
            return government.propose_recovery(Path(what))


@consortium_command.command()
def proposals(
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: Json = False,
) -> int:
    """What was proposed: who is for it, until when, and what is left to do."""
    motions = Government(Participant.open()).motions(closed=every)
    if as_json:
        emit_json([_document(motion) for motion in motions])
        return 0
    if not motions:
        say("no proposal" if every else "no proposal is open; --all shows those that are over")
        return 0
    rows = [
        (each.number, each.what, ", ".join(each.votes), each.state, f"block {each.closes}", each.left)
        for each in motions
    ]
    table(("no.", "to", "for it", "state", "closes", "left to do"), rows)
    return 0


@consortium_command.command()
def vote(number: Number, paper: Paper = None, as_json: Json = False) -> int:
    """Vote for a proposal, once per organisation. There is no vote against: not voting is that.

    proml consortium vote 3
    proml consortium vote 4 --file consent.json       read what you vote for
    """
    government = Government(Participant.open(passphrase=ask_passphrase))
    with busy("voting …"):
        motion = government.vote(number, paper)
    return _told(motion, as_json)


@consortium_command.command()
def execute(number: Number, paper: Paper = None, as_json: Json = False) -> int:
    """Carry out a proposal that has enough votes, once its delay is over. Any member may.

    Give your `.proml/ledger.json` to the others after an admission: it has the new name.
    """
    government = Government(Participant.open(passphrase=ask_passphrase))
    with busy("executing …"):
        motion = government.execute(number, paper)
    return _told(motion, as_json)


@consortium_command.command()
def cancel(number: Number, as_json: Json = False) -> int:
    """Withdraw a proposal of ours, or object to a recovery of our key: any of our keys may do that."""
    government = Government(Participant.open(passphrase=ask_passphrase))
    with busy("cancelling …"):
        motion = government.cancel(number)
    return _told(motion, as_json)


@consortium_command.command()
def leave(
    yes: Annotated[
        bool, typer.Option("--yes", help="Really: there is no way back but a new admission.")
    ] = False,
    as_json: Json = False,
) -> int:
    """End our membership, for good. What we put on the ledger stays there and stays valid."""
    if not yes:
        raise UsageProblem("leaving is for good", "repeat it with --yes")
    me = Participant.open(passphrase=ask_passphrase)
    with busy("leaving …"):
        Government(me).leave()
    if as_json:
        emit_json({"left": True})
    else:
        say("left; the history stays readable from here")
    return 0


def _document(motion: Motion) -> dict[str, Any]:
    shown = asdict(motion) | {"votes": list(motion.votes)}
    del shown["change"]
    return shown


def _told(motion: Motion, as_json: bool) -> int:
    if as_json:
        emit_json(_document(motion))
        return 0
    left = f"; left to do: {motion.left}" if motion.left else ""
    say(f"proposal {motion.number}, to {safe(motion.what)}: {motion.state}{left}")
    return 0
