"""What a node's answers hold: numbers, bytes and the rest, or LedgerProblem; never another exception."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from proml.errors import LedgerProblem, RecordInvalid

_QUANTITY = re.compile("0x[0-9a-fA-F]{1,64}")
_CONTENT = re.compile("0x(?:[0-9a-fA-F]{2})*")


def quantity(answer: Any) -> int:
    """An unsigned integer (execution-apis, "quantity"); leading zeros, which some nodes write, may pass."""
    if isinstance(answer, str) and _QUANTITY.fullmatch(answer):
        return int(answer, 16)
    raise LedgerProblem(f"the ledger answered {str(answer)[:40]!r} where a number belongs")


def content(answer: Any) -> bytes:
    """Bytes (execution-apis, "bytes"): `0x` and two digits each."""
    if isinstance(answer, str) and _CONTENT.fullmatch(answer):
        return bytes.fromhex(answer[2:])
    raise LedgerProblem(f"the ledger answered {str(answer)[:40]!r} where bytes belong")


@contextmanager
def strictly(what: str) -> Iterator[None]:
    """Whatever in an answer is missing or of another form is a LedgerProblem that names what was asked."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RecordInvalid) as error:
        raise LedgerProblem(f"the ledger answered {what} with something this program cannot read") from error
