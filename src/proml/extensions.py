"""Find a ledger, a container format or an optional part by name: the one dynamic door of the house."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
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
    names = sorted(found.name for found in iter_modules(import_module(FORMATS).__path__))
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
