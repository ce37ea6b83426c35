"""Find a ledger, signer, container format or optional part by name: the one dynamic door of the house."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from proml.errors import ConfigInvalid, UsageProblem

if TYPE_CHECKING:  # a training script opens this door too, and needs none of these
    from proml.interfaces import Format, Ledger
    from proml.trust import LedgerFile

# How a ledger is reached, and the module that knows how. A module gives `open_ledger(LedgerFile)`.
LEDGERS = {"embedded": "proml.ledger.embedded", "rpc": "proml.ledger.evm"}
# Every module in here is a `proml.interfaces.Format`.
FORMATS = "proml.capture.formats"


def open_ledger(file: LedgerFile) -> Ledger:
    """Open the ledger a ledger file pins, checked against its terms.

    Raises:
        ConfigInvalid: when nothing here knows that way of reaching a ledger.
        LedgerProblem, WrongLedger: when it cannot be reached, or is another one.
    """
    module = LEDGERS.get(file.reach)
    if module is None:
        raise ConfigInvalid(f"no ledger is reached by {file.reach!r}", f"known are {', '.join(LEDGERS)}")
    ledger: Ledger = import_module(module).open_ledger(file)
    return ledger


@cache
def formats() -> MappingProxyType[str, Format]:
    """The container formats whose content digest is known, by the name of their form."""
    # Not imported above: a script that never names a file does without it.
    listing = import_module("pkgutil").iter_modules(import_module(FORMATS).__path__)
    names = sorted(found.name for found in listing)
    modules: list[Any] = [import_module(f"{FORMATS}.{name}") for name in names]
    return MappingProxyType({module.FORM: module for module in modules})


def optional(module: str, extra: str) -> ModuleType:
    """A module that needs an extra of this package.

    Raises:
        UsageProblem: when that is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise UsageProblem(f"this needs {missing.name}", f"pip install 'proml[{extra}]'") from missing


# What signs, and the module that knows how. A module gives `open_signer(KeySource)` and
# `signer_address(KeySource)`; other packages announce theirs as entry points of the group below.
SIGNERS = {
    "file": "proml.signing",
    "environment": "proml.signing.environment",
    "web3signer": "proml.signing.web3signer",
}
SIGNER_GROUP = "proml.signers"


def signer_module(name: str) -> ModuleType:
    """The module of a signer: one that comes with ProML, or that an installed package announces.

    Raises:
        ConfigInvalid: when no signer has that name.
    """
    module = SIGNERS.get(name)
    if module is not None:
        return import_module(module)
    # Not at the top: a training script opens this door too, and that takes longer than all it needs.
    installed = import_module("importlib.metadata").entry_points(group=SIGNER_GROUP)
    found = {each.name: each for each in installed}
    if name not in found:
        raise ConfigInvalid(f"there is no signer {name[:40]!r}", f"known are {', '.join((*SIGNERS, *found))}")
    loaded: ModuleType = found[name].load()
    return loaded
