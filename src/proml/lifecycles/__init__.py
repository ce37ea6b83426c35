"""The lifecycles that ship with ProML: data files, read here and nowhere else."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from proml.core.lifecycle import Lifecycle
from proml.core.lifecycle_file import read_lifecycle

# The order is the order of admission, so it gives the numbers 1..5 on a ledger founded with these.
SHIPPED = ("dataset", "run", "model", "evaluation", "dependency")
# These ship too; a ledger admits them when its members vote for them (docs/lifecycles.md).
FURTHER = ("registered_model", "licensed_dataset", "benchmark")


def shipped() -> tuple[Lifecycle, ...]:
    """The shipped lifecycles that a new ledger admits, in that order."""
    return supplied()[: len(SHIPPED)]


@cache
def supplied() -> tuple[Lifecycle, ...]:
    """Every lifecycle that comes with ProML: the `shipped` ones first, then those admitted by vote."""
    return tuple(
        read_lifecycle((files(__name__) / f"{kind}.json").read_bytes()) for kind in SHIPPED + FURTHER
    )
