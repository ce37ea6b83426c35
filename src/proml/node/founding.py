"""Start a project, found a consortium, or join one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from proml.config import CHAIN, CONFIG_FILE, FOLDER, LEDGER_FILE, Config, load
from proml.core.call import Founder
from proml.core.consortium import ROLES, role_mask
from proml.core.lifecycle import Table
from proml.core.proposal import MAX_BLOCKS, Governance
from proml.errors import ConfigInvalid, ProMLError, UsageProblem
from proml.extensions import open_ledger
from proml.interfaces import Signer
from proml.ledger.anvil import EmbeddedChain
from proml.ledger.embedded import RevivingRpc, send_through
from proml.ledger.founding import Founding, found
from proml.ledger.rpc import Rpc
from proml.lifecycles import shipped
from proml.signing import create_key, key_address, throwaway_key
from proml.trust import LedgerFile, Profile, can_be_called, new_profile, read_ledger_file, write_ledger_file

# One sealer and its log: a block is final as soon as it is there (docs/decisions/0002-embedded-chain.md).
EMBEDDED_FINALITY = 1
ALONE = Governance(threshold=1)


@dataclass(frozen=True, slots=True)
class Member:
    """A founding organisation: its name, the 20-byte address of its first key, its roles."""

    name: str
    key: bytes
    roles: tuple[str, ...] = ROLES


def start_project(root: Path, organisation: str, passphrase: str | None = None) -> Config:
    """Make the project's folder, settings and key; no ledger yet.

    A project of that organisation that has no ledger yet is taken up as it is: an earlier start was
    interrupted.

    Raises:
        UsageProblem: when there is another project or one with a ledger, or the name cannot be one.
        ConfigInvalid: when the folder cannot be written.
    """
    if not can_be_called(organisation):
        raise UsageProblem(
            f"{organisation!r} cannot be an organisation's name", "use 1 to 64 printable characters"
        )
    folder = root / FOLDER
    if (folder / LEDGER_FILE).exists():
        raise UsageProblem(f"there is a project in {root} already", "proml status shows it")
    if (folder / CONFIG_FILE).exists():
        _check_same(root, organisation)
    else:
        _write_settings(folder, organisation)
    config = load(root, {})
    if not config.key_file.exists():
        create_key(config.key_file, passphrase)
    return config


def _check_same(root: Path, organisation: str) -> None:
    """Whoever waits for the others to found must not found alone by a slip."""
    there = load(root, {}).organisation
    if there != organisation:
        raise UsageProblem(
            f"there is a project of {there!r} in {root}, without a ledger yet",
            "`proml ledger found` or `proml ledger join` gives it one",
        )


def _write_settings(folder: Path, organisation: str) -> None:
    quoted = organisation.replace("\\", "\\\\").replace('"', '\\"')
    text = f'# Settings of this ProML project; `proml config` shows them all.\norganisation = "{quoted}"\n'
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
        (folder / CONFIG_FILE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigInvalid(f"{folder} cannot be written: {error.strerror}") from error


@contextmanager
def taken_back_on_failure(root: Path) -> Iterator[None]:
    """Leave no half-made project behind: whoever could not found or join tries again with the same command.

    Only what was made inside the block goes; a `.proml` folder that was there before stays as it is.
    """
    folder = root / FOLDER
    fresh = not folder.exists()
    try:
        yield
    except BaseException:
        if fresh:
            with suppress(ProMLError):
                EmbeddedChain(folder / CHAIN).kill()
            shutil.rmtree(folder, ignore_errors=True)
        raise


def found_embedded(config: Config, members: Sequence[Member], rules: Governance = ALONE) -> LedgerFile:
    """Found a consortium on an embedded chain in this project, and pin it.

    Raises:
        UsageProblem: for an unknown role, or a threshold, lifetime or delay out of range.
        LedgerProblem: when the chain cannot be started or there is one already.
    """
    founders, profiles = _founders(members, rules)
    if not config.ledger_file.exists():
        # Nothing is pinned, so a chain that is here was never more than begun.
        _clear(config.folder / CHAIN)
    chain = EmbeddedChain.create(config.chain)
    chain.up()
    terms = found(
        RevivingRpc(chain),
        lambda raw: send_through(chain, raw),
        throwaway_key(),
        Founding(founders, rules, _tables()),
        EMBEDDED_FINALITY,
    )
    return _pin(config, LedgerFile(terms, "embedded", str(chain.folder), profiles))


def found_remote(
    config: Config,
    url: str,
    members: Sequence[Member],
    rules: Governance,
    finality: int,
    deployer: Signer,
) -> LedgerFile:
    """Found a consortium on a chain behind a JSON-RPC address, and pin it.

    Args:
        config: the project that pins it.
        url: the address; everybody who gets the ledger file needs it or one of their own.
        members: the founders.
        rules: how they decide together.
        finality: blocks until final on that chain, its own included.
        deployer: pays for the deployment and gets no right.
    """
    founders, profiles = _founders(members, rules)
    rpc = Rpc(url)

    def send(raw: bytes) -> None:
        rpc.call("eth_sendRawTransaction", ["0x" + raw.hex()])

    terms = found(rpc, send, deployer, Founding(founders, rules, _tables()), finality)
    return _pin(config, LedgerFile(terms, "rpc", url, profiles))


def join(config: Config, path: Path) -> LedgerFile:
    """Pin the ledger of a file got from a member, after comparing it with the ledger itself.

    Raises:
        ConfigInvalid: when the file is damaged, or another ledger is pinned already.
        LedgerProblem, WrongLedger: when the ledger is away, or is not what the file says.
    """
    file = read_ledger_file(path)
    if config.ledger_file.exists() and read_ledger_file(config.ledger_file).terms != file.terms:
        raise ConfigInvalid("this project trusts another ledger already", "start a project in another folder")
    open_ledger(file)
    return _pin(config, file)


def _clear(folder: Path) -> None:
    if folder.exists():
        with suppress(ProMLError):
            EmbeddedChain(folder).kill()
        shutil.rmtree(folder, ignore_errors=True)


def _pin(config: Config, file: LedgerFile) -> LedgerFile:
    write_ledger_file(config.ledger_file, file)
    return file


def me(config: Config) -> Member:
    """This project's organisation as a founding member with every role."""
    return Member(config.organisation, key_address(config.key_file))


def _founders(members: Sequence[Member], rules: Governance) -> tuple[list[Founder], dict[int, Profile]]:
    names = [member.name for member in members]
    keys = [member.key for member in members]
    if len(set(names)) != len(names) or len(set(keys)) != len(keys):
        raise UsageProblem("two founders have the same name or key", "each organisation needs its own")
    if not 1 <= rules.threshold <= len(members):
        raise UsageProblem(
            f"a threshold of {rules.threshold} is out of range", f"it is 1 to {len(members)} here"
        )
    if rules.lifetime < 1 or not all(
        0 <= blocks <= MAX_BLOCKS for blocks in (rules.lifetime, rules.delay, rules.recovery_delay)
    ):
        raise UsageProblem(
            "the lifetime of proposals or a delay is out of range",
            f"both are counted in blocks, up to {MAX_BLOCKS}; the lifetime is at least 1",
        )
    profiles = {number: new_profile(member.name) for number, member in enumerate(members, start=1)}
    founders = [
        Founder(member.key, role_mask(member.roles), profiles[number].commitment)
        for number, member in enumerate(members, start=1)
    ]
    return founders, profiles


def _tables() -> list[Table]:
    return [lifecycle.table for lifecycle in shipped()]
