"""The lifecycles that ship with ProML: data files, read here and nowhere else."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from proml.core.lifecycle import Lifecycle, parse

# The order is the order of admission, so it gives the numbers 1..5 on a ledger founded with these.
SHIPPED = ("dataset", "run", "model", "evaluation", "dependency")


@cache
def shipped() -> tuple[Lifecycle, ...]:
    """The shipped lifecycles, in the order in which a new ledger admits them."""
    return tuple(parse(json.loads((files(__name__) / f"{kind}.json").read_text())) for kind in SHIPPED)
