"""Commands about the ledger: the embedded chain, founding a consortium, joining one."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from proml.cli.terminal import ask_passphrase, busy, emit_json, safe, say, table, when
from proml.config import load
from proml.core.consortium import ROLES, role_mask
from proml.core.digest import hexed, unhexed
from proml.core.proposal import Governance
from proml.errors import ConfigInvalid, LedgerProblem, RecordInvalid, UsageProblem
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.rpc import without_secrets
from proml.node.founding import Member, found_embedded, found_remote, join
from proml.node.participant import Participant
from proml.node.signers import open_signer, signer_address
from proml.trust import LedgerFile

_PACE = ("lifetime", "delay", "recovery_delay")
Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
ledger_command = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="The shared ledger: the embedded chain of one machine, or the chain of a consortium.",
)


@ledger_command.command()
def up(as_json: Json = False) -> int:
    """Start the embedded chain. Commands that need it start it by themselves."""
    with busy("starting the chain …"):
        status = _chain(_pinned()).up()
    return _answer({"running": True, "url": status.url, "blocks": status.blocks}, as_json)


@ledger_command.command()
def down(as_json: Json = False) -> int:
    """Stop the embedded chain. It saves its state first; nothing is lost either way."""
    with busy("stopping the chain …"):
        _chain(_pinned()).down()
    return _answer({"running": False}, as_json)


@ledger_command.command()
def status(as_json: Json = False) -> int:
    """What the project pins, how the ledger is reached, and how it is. Exit code 5 when it is away."""
    file = _pinned()
    document: dict[str, Any] = {
        "reach": file.reach,
        "location": file.location if file.reach == "embedded" else without_secrets(file.location),
        "chain id": file.terms.chain_id,
        "contract": hexed(file.terms.contract),
        "final after": f"{file.terms.finality} block(s)",
    }
    if file.reach == "embedded":
        chain = _chain(file).status()
        document |= {"running": chain.pid is not None, "blocks": chain.blocks, "url": chain.url or "-"}
        if chain.set_aside:
            document["set aside"] = ", ".join(str(path) for path in chain.set_aside)
        if chain.pid is None:
            _answer(document, as_json)
            return LedgerProblem.exit_code
    head = Participant.open().ledger.head()
    document |= {"newest block": head.number, "its time": when(head.time)}
    return _answer(document, as_json)


@ledger_command.command()
def found(
    members: Annotated[Path, typer.Argument(metavar="FILE", help="TOML file with the founders, as above.")],
    url: Annotated[
        str | None,
        typer.Option("--rpc", metavar="URL", help="Found it on this chain, not on an embedded one."),
    ] = None,
    finality: Annotated[
        int, typer.Option("--finality", metavar="N", help="Blocks until final, with --rpc.")
    ] = 12,
    threshold: Annotated[
        int | None, typer.Option("--threshold", metavar="N", help="How many decide; overrides the file.")
    ] = None,
    lifetime: Annotated[
        int | None, typer.Option("--lifetime", metavar="BLOCKS", help="The same for the file's lifetime.")
    ] = None,
    delay: Annotated[
        int | None, typer.Option("--delay", metavar="BLOCKS", help="The same for its delay.")
    ] = None,
    recovery_delay: Annotated[
        int | None,
        typer.Option("--recovery-delay", metavar="BLOCKS", help="The same for its recovery_delay."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Found a consortium: deploy the contracts, write the ledger file.

    Each founder runs `proml init --no-ledger` and sends you the lines it prints. Together they are the
    members file; how many of them decide together is the threshold, more than half by default. The other
    three are blocks: how long a proposal is open, and the least time between the deciding vote and its
    effect, for keys recovered and for all else:

        threshold = 2
        lifetime = 100000
        delay = 0
        recovery_delay = 100

        [[member]]
        name = "Acme Clinic"
        key = "0x52908400098527886e0f7030069857d2e4169ee7"
        roles = ["operator", "approver"]
    """
    config = load()
    if config.ledger_file.exists():
        raise UsageProblem(
            "this project has a ledger already", "start another project for another consortium"
        )
    founders, rules = read_members(members)
    asked = {"threshold": threshold, "lifetime": lifetime, "delay": delay, "recovery_delay": recovery_delay}
    rules = replace(rules, **{name: given for name, given in asked.items() if given is not None})
    with busy("founding the consortium …"):
        if url:
            deployer = open_signer(config, ask_passphrase)
            file = found_remote(config, url, founders, rules, finality, deployer)
        else:
            file = found_embedded(config, founders, rules)
    contract = hexed(file.terms.contract)
    if as_json:
        emit_json({"file": str(config.ledger_file), "contract": contract, "chain id": file.terms.chain_id})
        return 0
    say(f"founded with {len(founders)} organisations; give {safe(config.ledger_file)} to each of them")
    say(f"contract {contract} on chain {file.terms.chain_id}")
    return 0


@ledger_command.command("join")
def join_ledger(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The ledger file, got from a member.")],
    as_json: Json = False,
) -> int:
    """Take part in a ledger by the file of a member.

    The file is compared with the chain it names and then pinned: this project trusts no other ledger.
    """
    config = load()
    joined = join(config, file)
    shared = Participant.open().chronicle().shared
    known = shared.keys.get(signer_address(config))
    if as_json:
        emit_json({"joined": True, "member": joined.name_of(known.organisation) if known else None})
    elif known:
        say(f"joined as {safe(joined.name_of(known.organisation))}")
    else:
        say("joined for reading: this project's key belongs to no member yet")
    return 0


def read_members(path: Path) -> tuple[list[Member], Governance]:
    """The founders of a members file, and how they decide.

    Raises:
        ConfigInvalid: naming what is wrong in it.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        members = []
        for entry in content["member"]:
            roles = tuple(entry.get("roles", ROLES))
            role_mask(roles)
            members.append(Member(str(entry["name"]), unhexed(str(entry["key"]).lower(), 20), roles))
        rules = Governance(int(content.get("threshold", len(members) // 2 + 1)))
        given = {name: int(content[name]) for name in _PACE if name in content}
    except OSError as error:
        raise ConfigInvalid(f"the members file {path} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise ConfigInvalid(
            f"the members file {path} lacks {error}", "see `proml ledger found --help`"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecordInvalid, TypeError, ValueError) as error:
        raise ConfigInvalid(f"the members file {path} is wrong: {error}") from None
    if not members:
        raise ConfigInvalid(f"the members file {path} names no member", "see `proml ledger found --help`")
    return members, replace(rules, **given)


def _pinned() -> LedgerFile:
    return Participant.open().ledger_file


def _chain(file: LedgerFile) -> EmbeddedChain:
    if file.reach != "embedded":
        raise UsageProblem(
            f"the ledger is a chain at {without_secrets(file.location)}",
            "only an embedded chain is started here",
        )
    return EmbeddedChain(Path(file.location))


def _answer(document: dict[str, Any], as_json: bool) -> int:
    if as_json:
        emit_json(document)
    else:
        table(("", ""), list(document.items()))
    return 0
