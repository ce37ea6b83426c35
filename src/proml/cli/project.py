"""Commands about the project: init, status, doctor, config."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from proml.cli.examination import FAILED, examine
from proml.cli.terminal import busy, emit_json, new_passphrase, say, table
from proml.config import SETTINGS, load
from proml.core.chronicle import Chronicle
from proml.core.consortium import ROLES, role_names
from proml.core.digest import hexed
from proml.core.lineage import taints
from proml.core.recall import Due
from proml.errors import LedgerProblem, ProMLError, UsageProblem
from proml.node.deadlines import abandoned
from proml.node.founding import found_embedded, join, me, start_project, taken_back_on_failure
from proml.node.participant import Participant
from proml.node.recalling import obligations
from proml.signing import key_address

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
init_command = typer.Typer(add_completion=False, rich_markup_mode=None)
status_command = typer.Typer(add_completion=False, rich_markup_mode=None)
doctor_command = typer.Typer(add_completion=False, rich_markup_mode=None)
config_command = typer.Typer(add_completion=False, rich_markup_mode=None)

# The password in an address, and the user before it.
PASSWORD = re.compile(r"(://[^/@:]*:)[^/@]*@")


@init_command.command()
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where.", show_default="the current folder")
    ] = Path(),
    organisation: Annotated[
        str, typer.Option("--organisation", "-o", metavar="NAME", help="Your organisation's name.")
    ] = "me",
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Encrypt the key; asks for one.")] = False,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", metavar="FILE", help="Join the ledger of this file.")
    ] = None,
    no_ledger: Annotated[
        bool, typer.Option("--no-ledger", help="Only a key, for founding together.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Start a project: a key, and a chain of its own on this machine. No wallet, coin or account.

    proml init                                             alone, to try it
    proml init --organisation "Acme Clinic" --no-ledger    first step of founding together
    proml init --organisation Lab --ledger ledger.json     join a consortium
    """
    if ledger and no_ledger:
        raise UsageProblem("--ledger and --no-ledger exclude each other")
    secret = new_passphrase() if passphrase else None
    root = folder.absolute()
    with taken_back_on_failure(root):
        config = start_project(root, organisation, secret)
        address = hexed(key_address(config.key_file))
        document: dict[str, Any] = {"project": str(root), "organisation": organisation, "key": address}
        if not no_ledger:
            with busy("starting the chain …"):
                file = join(config, ledger) if ledger else found_embedded(config, [me(config)])
            document |= {"chain id": file.terms.chain_id, "contract": hexed(file.terms.contract)}
    if as_json:
        emit_json(document)
        return 0
    table(("", ""), list(document.items()))
    if no_ledger:
        say(
            "\nSend these lines, with the roles that you shall have, to whoever founds the consortium\n"
            f"(`proml ledger found --help`):\n\n{escape(_member_entry(organisation, address))}"
        )
    elif not ledger:
        say(
            '\nNext: put `with proml.track("train") as run:` into a script, or try\n'
            "  proml exec --used data/ --produced model.joblib -- python train.py\n  proml push"
        )
    return 0


def _member_entry(organisation: str, address: str) -> str:
    """What the members file says of an organisation; a JSON text is a TOML text too."""
    name, roles = (json.dumps(each, ensure_ascii=False) for each in (organisation, ROLES))
    return f'[[member]]\nname = {name}\nkey = "{address}"\nroles = {roles}'


@status_command.command()
def status(as_json: Json = False) -> int:
    """What waits to be published, what stands on the ledger, what is tainted, what waits for you.

    Works without the ledger too; it then says so and exits with 5.
    """
    mine = Participant.open()
    backlog = mine.backlog()
    document: dict[str, Any] = {
        "organisation": mine.config.organisation,
        "project": str(mine.config.root),
        "to publish": backlog.unread + backlog.waiting if backlog else "a push is under way",
        "sent, not final": backlog.sent if backlog else "a push is under way",
    }
    problem: ProMLError | None = None
    try:
        document |= _ledger_status(mine)
    except LedgerProblem as error:
        problem = error
        document["ledger"] = error.message
    if as_json:
        emit_json(document)
    else:
        rows = [(name, _shown(value)) for name, value in document.items() if value or name not in _RARE]
        table(("", ""), rows)
        if problem:
            say(f"hint: {problem.hint}")
    return problem.exit_code if problem else 0


# Said only where there is something to say.
_RARE = frozenset({"to acknowledge", "unacknowledged", "abandoned"})


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value)


def _ledger_status(mine: Participant) -> dict[str, Any]:
    chronicle = mine.chronicle()
    shared = chronicle.shared
    key = shared.keys.get(mine.address)
    counts: dict[str, int] = {}
    tainted: list[str] = []
    open_to_me: list[str] = []
    roles = shared.organisations[key.organisation].roles if key else 0
    for artefact, standing in shared.artefacts.items():
        lifecycle = mine.lifecycle_of(chronicle, artefact)
        name = f"{lifecycle.kind} {lifecycle.state_name(standing.state)}" if lifecycle else "unknown"
        counts[name] = counts.get(name, 0) + 1
        title = mine.title(chronicle, artefact)
        if not chronicle.is_recalled(artefact) and taints(chronicle, artefact):
            tainted.append(title)
        if lifecycle and key and _waits_for(chronicle, artefact, roles, key.organisation):
            open_to_me.append(title)
    owed = [each for each in obligations(chronicle) if each.given is None]

    def own(each: Due) -> bool:
        return key is not None and each.organisation == key.organisation

    head = mine.ledger.head()
    return {
        "ledger": f"block {head.number}, {len(shared.organisations)} member(s)",
        "roles": ", ".join(role_names(roles)) or "none: this key belongs to no member",
        "artefacts": counts,
        "tainted": tainted,
        "abandoned": sorted(mine.title(chronicle, each) for each in abandoned(mine, chronicle)),
        "waits for you": open_to_me,
        "offered to you": [
            mine.title(chronicle, artefact)
            for artefact, standing in shared.artefacts.items()
            if key and standing.offered == key.organisation
        ],
        "contested": [
            mine.title(chronicle, artefact)
            for artefact, standing in shared.artefacts.items()
            if standing.contester
        ],
        "to acknowledge": sorted({mine.title(chronicle, each.artefact) for each in owed if own(each)}),
        "unacknowledged": dict(Counter(mine.name_of(each.organisation) for each in owed if not own(each))),
        "illegal events": len(chronicle.illegal),
    }


def _waits_for(chronicle: Chronicle, artefact: bytes, roles: int, organisation: int) -> bool:
    """Whether a step towards use is open that this organisation may make and another made possible."""
    shared = chronicle.shared
    if chronicle.histories[artefact][-1].step.actor.organisation == organisation:
        return False
    standing = shared.artefacts[artefact]
    table_ = shared.tables[standing.lifecycle]
    return any(
        rule.state == standing.state
        and rule.following != standing.state
        and rule.roles & roles
        and not rule.recall
        and not table_.terminal >> rule.following & 1
        and not rule.differs & shared.duties(standing, organisation)
        and (not rule.custodian or standing.custodian == organisation)
        for rule in table_.rules
    )


@doctor_command.command()
def doctor(as_json: Json = False) -> int:
    """Look at this machine and project, and say of each thing whether it is well. Exit code 1 if not."""
    findings = examine()
    if as_json:
        emit_json([asdict(finding) for finding in findings])
    else:
        rows = [(each.outcome, each.what, each.found, each.hint) for each in findings]
        table(("", "what", "found", "what to do"), rows)
    return 1 if any(each.outcome == FAILED for each in findings) else 0


@config_command.command()
def config(as_json: Json = False) -> int:
    """Every setting of this project, its value, and where the value comes from."""
    loaded = load()
    values = {name: _without_password(getattr(loaded, name)) for name in SETTINGS}
    if as_json:
        emit_json({name: {"value": values[name], "origin": loaded.origins[name]} for name in SETTINGS})
    else:
        rows = [(name, _setting(values[name]), loaded.origins[name]) for name in SETTINGS]
        table(("setting", "value", "from"), rows)
    return 0


def _without_password(value: Any) -> Any:
    """An address may carry one (of the index's database, of a signer); what is shown gets copied about."""
    return PASSWORD.sub(r"\1…@", value) if isinstance(value, str) else value


def _setting(value: Any) -> str:
    """As the settings file would say it, without the quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)
