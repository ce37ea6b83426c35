"""Find a ledger, and later exporters and integrations, by name: the one dynamic door of the house."""

from __future__ import annotations

from importlib import import_module

from proml.errors import ConfigInvalid
from proml.interfaces import Ledger
from proml.trust import LedgerFile

# How a ledger is reached, and the module that knows how. A module gives `open_ledger(LedgerFile)`.
LEDGERS = {"embedded": "proml.ledger.embedded", "rpc": "proml.ledger.evm"}


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
