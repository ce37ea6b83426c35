"""What `proml doctor` looks at: machine, project, key, journal, storage, ledger."""

from __future__ import annotations

import platform
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from proml.config import load
from proml.contracts.shipped import artefacts_contract
from proml.core.digest import hexed
from proml.errors import JournalProblem, ProMLError
from proml.journal import files, scan
from proml.ledger.anvil_binary import find_anvil
from proml.node.comparing import compare
from proml.node.participant import Participant

WELL, ODD, FAILED = "ok", "warning", "wrong"
# Less free space than this and a chain, a journal or SQLite may stop in the middle of something.
FREE_BYTES = 200 * 1024 * 1024
# SQLite before this version can corrupt a database in WAL mode; the outbox does not use that mode.
WAL_RESET_MENDED = (3, 51, 3)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `ok`, `warning` or `wrong`, what was found, and what to do."""

    outcome: str
    what: str
    found: str
    hint: str = ""


def examine() -> list[Finding]:
    """Look at everything; a thing that is wrong does not hide the next."""
    findings = [Finding(WELL, "Python", platform.python_version()), _sqlite(), _guarded("anvil", _anvil)]
    try:
        participant = Participant(load())
    except ProMLError as error:
        return [*findings, Finding(FAILED, "project", error.message, error.hint)]
    findings.append(Finding(WELL, "project", str(participant.config.root)))
    checks: list[tuple[str, Callable[[Participant], Finding]]] = [
        ("disk", _disk),
        ("key", _key),
        ("journal", _journal),
        ("storage", _storage),
        ("ledger", _ledger),
        ("membership", _membership),
        ("agreement", _agreement),
    ]
    for what, check in checks:
        findings.append(_guarded(what, partial(check, participant)))
    return findings


def _guarded(what: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except ProMLError as error:
        return Finding(FAILED, what, error.message, error.hint)


def _sqlite() -> Finding:
    if sqlite3.sqlite_version_info < WAL_RESET_MENDED:
        return Finding(
            WELL, "SQLite", f"{sqlite3.sqlite_version} (used without WAL, whose reset defect it has)"
        )
    return Finding(WELL, "SQLite", sqlite3.sqlite_version)


def _anvil() -> Finding:
    return Finding(WELL, "anvil", str(find_anvil()))


def _disk(me: Participant) -> Finding:
    free = shutil.disk_usage(me.config.root).free
    found = f"{free / 1e9:.1f} GB free"
    if free < FREE_BYTES:
        return Finding(FAILED, "disk", found, "make room: what is recorded must reach the disk")
    return Finding(WELL, "disk", found)


def _key(me: Participant) -> Finding:
    return Finding(WELL, "key", f"{me.config.key_name}: {hexed(me.address)}")


def _journal(me: Participant) -> Finding:
    frames, damaged = 0, []
    for file in files(me.config.journal):
        try:
            found = scan(file)
        except JournalProblem as problem:
            return Finding(FAILED, "journal", problem.message, problem.hint)
        frames += found.frames
        if found.damage:
            damaged.append(found.damage.problem())
    if damaged:
        return Finding(FAILED, "journal", damaged[0].message, damaged[0].hint)
    return Finding(WELL, "journal", f"{frames} entries, all sound")


def _storage(me: Participant) -> Finding:
    count = 0
    for digest in me.storage.digests():
        me.storage.get(digest)
        count += 1
    return Finding(WELL, "storage", f"{count} objects, each the bytes its name says")


def _ledger(me: Participant) -> Finding:
    head = me.ledger.head()
    if me.ledger.terms.code != artefacts_contract().code_digest:
        return Finding(ODD, "ledger", "its contract is not the one this version ships", "update ProML")
    return Finding(WELL, "ledger", f"block {head.number}; chain, genesis and contract are the pinned ones")


def _membership(me: Participant) -> Finding:
    shared = me.chronicle().shared
    key = shared.keys.get(me.address)
    if key is None:
        return Finding(ODD, "membership", "this key belongs to no member", "ask a member to add it")
    profile = me.ledger_file.profiles.get(key.organisation)
    if profile is None or profile.commitment != shared.organisations[key.organisation].profile:
        return Finding(
            FAILED, "membership", "the ledger file names members wrongly", "get it again from a member"
        )
    return Finding(WELL, "membership", f"member {key.organisation}, {profile.name}")


def _agreement(me: Participant) -> Finding:
    found = compare(me)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        hint = "somebody edited these files, or another machine publishes with this key"
        return Finding(FAILED, "agreement", f"{found[0].where}: {found[0].text}{more}", hint)
    return Finding(WELL, "agreement", "journal, storage and outbox say what the ledger has")
