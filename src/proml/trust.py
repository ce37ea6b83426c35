"""The ledger file: what a participant pins about a ledger, how to reach it, and who its members are.

Everybody of a consortium keeps the same file (docs/format.md, "Ledger file"). It is the trust root of
every verification: an answer that does not fit it is refused. Member names are not on the chain; the
file carries them with their salts, and the chain has a commitment to each.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proml.core.digest import hexed, unhexed
from proml.core.document import canonical, parse
from proml.core.merkle import leaf_hash
from proml.errors import ConfigInvalid, RecordInvalid
from proml.interfaces import Terms

LEDGER_TYPE = "proml/ledger"
VERSION = 1
_KEYS = {
    "type",
    "version",
    "chain_id",
    "genesis",
    "contract",
    "deployed",
    "code",
    "finality",
    "reach",
    "organisations",
}
_MEMBER_KEYS = {"number", "name", "salt"}
_NAME = re.compile(r"[^\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]{1,64}")
REACHES = ("embedded", "rpc")


@dataclass(frozen=True, slots=True)
class Profile:
    """A member's name and the 32-byte salt under which the chain commits to it."""

    name: str
    salt: bytes

    @property
    def commitment(self) -> bytes:
        """SHA-256(0x00 || salt || canonical JSON of ["name", name]), 32 bytes."""
        return leaf_hash(self.salt + canonical(["name", self.name]))


def can_be_called(name: str) -> bool:
    """Whether an organisation may have this name: 1 to 64 characters that people can see."""
    return bool(_NAME.fullmatch(name)) and name == name.strip()


def new_profile(name: str) -> Profile:
    """A profile with a fresh random salt."""
    return Profile(name, secrets.token_bytes(32))


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A ledger's terms, the way to it, and its members' profiles by organisation number.

    Attributes:
        reach: `embedded` (a folder on this machine) or `rpc` (a JSON-RPC endpoint).
        location: the folder's path or the endpoint's URL.
    """

    terms: Terms
    reach: str
    location: str
    profiles: Mapping[int, Profile]

    def name_of(self, organisation: int) -> str:
        """The name of a member, or `organisation N` where the file has none."""
        profile = self.profiles.get(organisation)
        return profile.name if profile else f"organisation {organisation}"

    def document(self) -> dict[str, Any]:
        """The file as a JSON object."""
        terms = self.terms
        return {
            "type": LEDGER_TYPE,
            "version": VERSION,
            "chain_id": terms.chain_id,
            "genesis": hexed(terms.genesis),
            "contract": hexed(terms.contract),
            "deployed": terms.deployed,
            "code": hexed(terms.code),
            "finality": terms.finality,
            "reach": {self.reach: self.location},
            "organisations": [
                {"number": number, "name": profile.name, "salt": hexed(profile.salt)}
                for number, profile in sorted(self.profiles.items())
            ],
        }


def write_ledger_file(path: Path, ledger: LedgerFile) -> None:
    """Write the file, replacing it as a whole; on the disk on return.

    Raises:
        ConfigInvalid: when it cannot be written; an older one stays as it is.
    """
    temporary = path.with_suffix(".tmp")
    content = json.dumps(ledger.document(), indent=2, ensure_ascii=False) + "\n"
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigInvalid(f"the ledger file {path} cannot be written: {error.strerror}") from error


def read_ledger_file(path: Path) -> LedgerFile:
    """Read a ledger file. A relative embedded folder is taken from the file's own folder.

    Raises:
        ConfigInvalid: when it is missing, or anything in it is not what docs/format.md says.
    """
    try:
        content = parse(path.read_bytes(), f"the ledger file {path}")
        return _from_document(content, path.parent)
    except FileNotFoundError:
        raise ConfigInvalid(
            f"there is no ledger file {path}", "get it from a member of the consortium"
        ) from None
    except OSError as error:
        raise ConfigInvalid(f"the ledger file {path} cannot be read: {error.strerror}") from error
    except (RecordInvalid, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigInvalid(
            f"the ledger file {path} is damaged: {error}", "get it again from a member"
        ) from None


def _from_document(content: Mapping[str, Any], folder: Path) -> LedgerFile:
    if content.get("type") != LEDGER_TYPE or _whole(content, "version") != VERSION or set(content) != _KEYS:
        raise RecordInvalid("not a ledger file of version 1")
    ((reach, location),) = content["reach"].items()
    if reach not in REACHES or not isinstance(location, str):
        raise RecordInvalid(f"a ledger is reached by {' or '.join(REACHES)}, not by {str(reach)[:40]!r}")
    if reach == "embedded":
        location = str((folder / location).resolve())
    terms = Terms(
        chain_id=_whole(content, "chain_id"),
        genesis=unhexed(content["genesis"]),
        contract=unhexed(content["contract"], 20),
        deployed=_whole(content, "deployed"),
        code=unhexed(content["code"]),
        finality=_whole(content, "finality"),
    )
    return LedgerFile(terms, reach, location, _profiles(content["organisations"]))


def _profiles(entries: Any) -> dict[int, Profile]:
    profiles: dict[int, Profile] = {}
    if not isinstance(entries, list):
        raise RecordInvalid("organisations must be a list")
    for entry in entries:
        number, name = _whole(entry, "number"), entry["name"]
        if set(entry) != _MEMBER_KEYS or not isinstance(name, str) or not name or number in profiles:
            raise RecordInvalid(f"organisation {number} needs a name and a salt, and stands there once")
        profiles[number] = Profile(name, unhexed(entry["salt"]))
    return profiles


def _whole(content: Mapping[str, Any], name: str) -> int:
    value = content[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RecordInvalid(f"{name} must be a whole number above 0, not {value!r}")
    return value
