"""The lifecycles that ship with ProML: data files, read here and nowhere else."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from proml.core.lifecycle import Lifecycle
from proml.core.lifecycle_file import read_lifecycle

# The order is the order of admission, so it gives the numbers 1..5 on a ledger founded with these.
SHIPPED = ("dataset", "run", "model", "evaluation", "dependency")


@cache
def shipped() -> tuple[Lifecycle, ...]:
    """The shipped lifecycles, in the order in which a new ledger admits them."""
    return tuple(read_lifecycle((files(__name__) / f"{kind}.json").read_bytes()) for kind in SHIPPED)
