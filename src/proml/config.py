"""Configuration: one frozen value from project file, environment and defaults, and where each came from.

A project is a folder with `.proml/` in it, found from the current folder upwards, or named by
PROML_PROJECT. Its settings stand in `.proml/config.toml`; the environment overrides them.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proml.errors import ConfigInvalid, ProjectMissing

FOLDER = ".proml"
CONFIG_FILE = "config.toml"
LEDGER_FILE = "ledger.json"
CHAIN = "chain"
PROJECT_VARIABLE = "PROML_PROJECT"
OFF_VARIABLE = "PROML_OFF"
PASSPHRASE_VARIABLE = "PROML_PASSPHRASE_FILE"  # noqa: S105 -- the name of a variable, not a secret
SIGNER_KEY_VARIABLE = "PROML_SIGNER_KEY"
ANVIL_VARIABLE = "PROML_ANVIL"
TOKEN_VARIABLE = "PROML_TOKEN"  # noqa: S105 -- the name of a variable, not a secret
# Environment variables besides those of the settings, and what each does.
VARIABLES = {
    PROJECT_VARIABLE: "the folder of the project, in place of the nearest one with `.proml/` upwards",
    OFF_VARIABLE: "set to anything but 0, false, no or off, capture records nothing and says nothing",
    PASSPHRASE_VARIABLE: "a file whose content is the passphrase of the key, where nobody can be asked",
    SIGNER_KEY_VARIABLE: "the key of the signer `environment`: 0x and 64 digits",
    ANVIL_VARIABLE: "the program of the embedded chain, in place of the one on PATH or ProML's own copy",
    TOKEN_VARIABLE: "a token to show to the node that a command asks",
    "XDG_CACHE_HOME": "where ProML's own copy of that program is kept, in `proml/`; `~/.cache` if not set",
    "NO_COLOR": "set to anything, terminals get no colours",
}

_SETS_KEY = re.compile(r"""\s*["']?key["']?\s*=""")
_FALSE = ("", "0", "false", "no", "off")
_TRUE = ("1", "true", "yes", "on")


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one project for one participant.

    Attributes:
        root: the project's folder, absolute.
        organisation: the participant's name, as members call it.
        key: name of the key file under `.proml/keys/`, without its ending.
        signer: what signs: `file` (the key file), `environment` or `web3signer:URL` (docs/keys.md).
        strict: capture raises instead of warning when it cannot record.
        durable: capture waits for the disk at every record.
        environment: capture records packages, hardware and the like.
        discoverable: kinds whose subjects go on the ledger as plain digests, so that whoever has the
            file finds its history; others go as salted commitments.
        index: address of the node's index; empty for a SQLite file in the project.
        origins: for each setting, the file or variable it came from, or `default`.
    """

    root: Path
    organisation: str = "me"
    key: str = "default"
    signer: str = "file"
    strict: bool = False
    durable: bool = False
    environment: bool = True
    discoverable: tuple[str, ...] = ("model",)
    index: str = ""
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The project's `.proml` folder."""
        return self.root / FOLDER

    @property
    def journal(self) -> Path:
        """Folder of the journal files."""
        return self.folder / "journal"

    @property
    def storage(self) -> Path:
        """Folder of stored records and batches."""
        return self.folder / "storage"

    @property
    def known(self) -> Path:
        """Folder of what is known of files hashed before."""
        return self.folder / "known"

    @property
    def lifecycles(self) -> Path:
        """Folder of the lifecycles that did not come with ProML."""
        return self.folder / "lifecycles"

    @property
    def papers(self) -> Path:
        """Folder of the consents that proposals speak of."""
        return self.folder / "papers"

    @property
    def chain(self) -> Path:
        """Folder of the embedded chain, where this project is the one that has it."""
        return self.folder / CHAIN

    @property
    def outbox(self) -> Path:
        """The publisher's database."""
        return self.folder / "outbox.sqlite"

    @property
    def index_url(self) -> str:
        """Address of the node's index."""
        return self.index or f"sqlite:///{self.folder / 'index.sqlite'}"

    @property
    def ledger_file(self) -> Path:
        """The pinned terms of the ledger."""
        return self.folder / LEDGER_FILE

    @property
    def key_name(self) -> str:
        """What to call the key that signs: the name of its file, or of the signer that has it."""
        return self.key if self.signer == "file" else self.signer.partition(":")[0]

    @property
    def key_file(self) -> Path:
        """The file of the participant's key."""
        return self.folder / "keys" / f"{self.key}.json"


SETTINGS = ("organisation", "key", "signer", "strict", "durable", "environment", "discoverable", "index")


def find_root(start: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The project folder for `start`: PROML_PROJECT if set, else the nearest with `.proml/` upwards."""
    named = environment.get(PROJECT_VARIABLE)
    if named:
        return Path(named).absolute()
    start = start.absolute()
    return next((folder for folder in (start, *start.parents) if (folder / FOLDER).is_dir()), None)


def load(start: Path | None = None, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration that holds in a folder (the current one by default).

    Raises:
        ProjectMissing: when there is no project there or above.
        ConfigInvalid: naming the setting that is wrong and where it stands.
    """
    try:
        start = start or Path.cwd()
        root = find_root(start, environment)
    except FileNotFoundError:
        raise ProjectMissing("a folder that was removed") from None
    if root is None or not (root / FOLDER).is_dir():
        raise ProjectMissing(str(root or start))
    values, origins = _from_file(root / FOLDER / CONFIG_FILE)
    for name in SETTINGS:
        variable = f"PROML_{name.upper()}"
        if variable in environment:
            values[name] = _from_text(name, environment[variable], variable)
            origins[name] = f"environment {variable}"
    return Config(root=root, **values, origins={name: origins.get(name, "default") for name in SETTINGS})


def is_off(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether capture is switched off by PROML_OFF."""
    return environment.get(OFF_VARIABLE, "").lower() not in _FALSE


def is_on(text: str) -> bool:
    """Whether a setting's text means on."""
    return text.lower() in _TRUE


def _from_file(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, {}
    except OSError as error:
        raise ConfigInvalid(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(
            f"{path} is not TOML: {error}", "correct it, or run `proml init` elsewhere"
        ) from None
    values: dict[str, Any] = {}
    for name, value in content.items():
        if name not in SETTINGS:
            raise ConfigInvalid(f"{path}: unknown setting {name!r}", f"settings are {', '.join(SETTINGS)}")
        values[name] = _checked(name, value, str(path))
    return values, dict.fromkeys(values, str(path))


def _from_text(name: str, text: str, where: str) -> Any:
    if name == "discoverable":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if name in ("strict", "durable", "environment"):
        if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
        raise ConfigInvalid(f"{where}={text!r} is neither on nor off", "use 1 or 0")
    return _checked(name, text, where)


def _checked(name: str, value: Any, where: str) -> Any:
    if name == "discoverable":
        if not isinstance(value, list) or not all(isinstance(kind, str) for kind in value):
            raise ConfigInvalid(f"{where}: {name} must be a list of kinds")
        return tuple(value)
    expected = str if name in ("organisation", "key", "signer", "index") else bool
    if not isinstance(value, expected):
        raise ConfigInvalid(f"{where}: {name} must be a {expected.__name__}, not {value!r}")
    if name == "key" and not _is_name(str(value)):
        raise ConfigInvalid(f"{where}: {value!r} is not the name of a key", "see `proml key list`")
    return value


def choose_key(config: Config, name: str) -> None:
    """Write into the settings file which key signs; the rest of the file stays as it is.

    Raises:
        ConfigInvalid: when it cannot be written, or that is not the name of a key.
    """
    path = config.folder / CONFIG_FILE
    line = f'key = "{_checked("key", name, str(path))}"\n'
    temporary = path.with_suffix(".new")
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        kept = [each for each in lines if not _SETS_KEY.match(each)]
        temporary.write_text(line + "".join(kept), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ConfigInvalid(
            f"{path} cannot be written: {error.strerror}", f"set {line.strip()} there"
        ) from error


def _is_name(text: str) -> bool:
    return bool(text) and "/" not in text and not text.startswith(".") and text.isprintable()
