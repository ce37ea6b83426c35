"""How commands speak: tables and lines for people, one JSON document for programs."""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proml.config import PASSPHRASE_VARIABLE
from proml.errors import KeyProblem, UsageProblem

# Progress shows on anything that takes longer; a flicker on anything shorter would only distract.
PROGRESS_AFTER_SECONDS = 1.0
PROGRESS_EVERY_SECONDS = 10.0
Progress = Callable[[int, int], None]
PIPE_WIDTH = 10_000

# Characters that would let recorded text drive the terminal or reorder what is read.
_UNSAFE = {
    code: f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def safe(text: object) -> str:
    """Text from records, fit for a terminal: control and bidirectional characters shown as escapes."""
    return escape(str(text).translate(_UNSAFE))


def console() -> Console:
    """Standard output; colours only where it is a terminal, and not if NO_COLOR is set."""
    # Where nobody has a screen of some width, lines are kept whole, so that grep finds what belongs together.
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def emit_json(document: Any) -> None:
    """The answer as one JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def say(text: str) -> None:
    """A line for people; may hold rich markup, so recorded text goes through `safe` first."""
    console().print(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table of text without frames; every cell is made safe. Cells of `Markup` go as they are."""
    made = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*map(_cell, row))
    console().print(made)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, Markup) else safe(value)


class Markup(str):
    """A table cell that is rich markup already; made by commands, never out of recorded text."""

    __slots__ = ()


def short(digest: bytes | str) -> str:
    """The first digits of an id or digest, enough to name it among a ledger's artefacts."""
    text = digest if isinstance(digest, str) else "0x" + digest.hex()
    return text[:12]


def when(seconds: float) -> str:
    """A time in UTC to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))


@contextmanager
def busy(what: str) -> Iterator[Progress]:
    """Show that something goes on: a spinner on a terminal, now and then a line elsewhere.

    Gives what a fingerprint calls with the bytes and files done so far.
    """
    error = Console(stderr=True)
    if not error.is_terminal:
        yield _Lines(what).hashed
        return
    with error.status(what) as spinner:
        yield lambda size, files: spinner.update(f"{what} {_amount(size, files)}")


class _Lines:
    """Progress where nobody watches a terminal: a line after a second, then one every ten."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + PROGRESS_AFTER_SECONDS

    def hashed(self, size: int, files: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PROGRESS_EVERY_SECONDS
            sys.stderr.write(f"proml: {self._what} {_amount(size, files)}\n")


def _amount(size: int, files: int) -> str:
    return f"{size / 1e9:.2f} GB in {files} file(s) read"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all.

    Raises:
        UsageProblem: when it cannot be written there; what stood there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise UsageProblem(f"{path} cannot be written: {error.strerror}") from error


def ask_passphrase() -> str:
    """The passphrase of a key: from the file PROML_PASSPHRASE_FILE names, or asked for on the terminal.

    Raises:
        KeyProblem: when there is neither.
    """
    named = os.environ.get(PASSPHRASE_VARIABLE)
    if named:
        try:
            return Path(named).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise KeyProblem(f"the passphrase file {named} cannot be read: {error}") from error
    if not sys.stdin.isatty():
        raise KeyProblem("the key needs a passphrase", f"set {PASSPHRASE_VARIABLE} to a file that holds it")
    return getpass.getpass("Passphrase: ")


def new_passphrase() -> str:
    """A new passphrase, typed twice unless it comes from PROML_PASSPHRASE_FILE."""
    first = ask_passphrase()
    if PASSPHRASE_VARIABLE not in os.environ and getpass.getpass("Again: ") != first:
        raise KeyProblem("the two passphrases differ", "nothing was made; try again")
    if not first:
        raise KeyProblem("the passphrase is empty", "leave --passphrase away for a key without one")
    return first
