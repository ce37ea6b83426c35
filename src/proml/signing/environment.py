"""A key in an environment variable, for continuous integration: nothing is written to a disk.

Whoever can read the environment of the process can sign. Give such a key the scope `record` and an end.
"""

from __future__ import annotations

import os

from eth_account import Account

from proml.core.digest import unhexed
from proml.errors import KeyProblem, RecordInvalid
from proml.interfaces import KeySource
from proml.signing import LocalSigner

VARIABLE = "PROML_SIGNER_KEY"


def open_signer(source: KeySource) -> LocalSigner:
    """The signer of the key in a variable, PROML_SIGNER_KEY if none is named: 0x and 64 digits.

    Raises:
        KeyProblem: when the variable is not set or holds no key; its value is never shown.
    """
    name = source.where or VARIABLE
    value = os.environ.get(name)
    if value is None:
        raise KeyProblem(f"the variable {name} is not set", "it must hold the key: 0x and 64 digits")
    try:
        secret = unhexed("0x" + value.strip().removeprefix("0x").lower())
    except RecordInvalid:
        secret = b""
    if secret:
        try:
            return LocalSigner(Account.from_key(secret))
        except ValueError:
            pass
    # Outside of the handlers, so that no error with the value in it is chained to this one.
    raise KeyProblem(f"the variable {name} holds no private key", "it must hold the key: 0x and 64 digits")


def signer_address(source: KeySource) -> bytes:
    """The 20-byte address of that key; raises as `open_signer`."""
    return open_signer(source).address
