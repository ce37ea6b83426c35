"""Encrypting for named recipients, and opening that: age files with X25519 keys (extra `sharing`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proml.errors import KeyProblem, UsageProblem
from proml.extensions import optional

_BEGINS = b"age-encryption.org/v1\n"


def encrypt(content: bytes, recipients: Sequence[str]) -> bytes:
    """An age file that each recipient (`age1…`) can open, and nobody else. It does not say who made it.

    Raises:
        UsageProblem: for a recipient that is none.
    """
    pyrage = optional("pyrage", "sharing")
    keys = []
    for each in recipients:
        try:
            keys.append(pyrage.x25519.Recipient.from_str(each.strip()))
        except pyrage.RecipientError:
            raise UsageProblem(f"{each[:80]!r} is no age recipient", "one begins with age1") from None
    return bytes(pyrage.encrypt(content, keys))


def is_encrypted(content: bytes) -> bool:
    """Whether this is an age file."""
    return content.startswith(_BEGINS)


def decrypt(content: bytes, identity: Path) -> bytes:
    """What an age file holds.

    Args:
        content: the file.
        identity: a file with a line `AGE-SECRET-KEY-1…`, as age-keygen writes it.

    Raises:
        KeyProblem: when the identity is none, or the file was not encrypted for it, or was changed.
    """
    pyrage = optional("pyrage", "sharing")
    try:
        lines = identity.read_text(encoding="ascii").splitlines()
        keys = [
            pyrage.x25519.Identity.from_str(line.strip())
            for line in lines
            if line.startswith("AGE-SECRET-KEY-")
        ]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError) as error:
        raise KeyProblem(f"the identity {identity} cannot be used: {error}") from None
    if not keys:
        raise KeyProblem(f"there is no age identity in {identity}", "age-keygen makes one")
    try:
        return bytes(pyrage.decrypt(content, keys))
    except pyrage.DecryptError as error:
        raise KeyProblem(
            f"this identity does not open the file: {error}", "was it encrypted for you?"
        ) from None
