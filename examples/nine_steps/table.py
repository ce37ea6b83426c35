"""The compact table that grows while the story runs; colours and a spinner on a terminal only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from proml.export.wording import duration

# Title and width of each column; numbers stand on the right.
COLUMNS = (
    ("step", 11),
    ("who", 18),
    ("action", 34),
    ("state", 11),
    ("block", 5),
    ("gas", 7),
    ("1st block", 9),
    ("final", 7),
)
NUMBERS = ("block", "gas", "1st block", "final")


@dataclass(frozen=True, slots=True)
class Row:
    """One item that reached the ledger.

    Attributes:
        step: which step of the story, for example `3 approve`.
        organisation: who made it.
        action: what it was, with the artefact: `approve dataset digits`.
        state: where it led; `anchored` for observations, `refused` where the contracts said no.
        block: number of the block.
        gas: its equal share of what the steps of its transaction took; None for anchors, which ride along.
        first_block, final: seconds from signing to the first block, and to finality.
        reason: why it was refused, empty otherwise.
    """

    step: str
    organisation: str
    action: str
    state: str
    block: int | None = None
    gas: int | None = None
    first_block: float | None = None
    final: float | None = None
    reason: str = ""

    def cells(self) -> tuple[str, ...]:
        """One text per column."""
        return (
            self.step,
            self.organisation,
            self.action,
            self.state,
            "" if self.block is None else f"{self.block}",
            "" if self.gas is None else f"{self.gas:,}",
            "" if self.first_block is None else duration(self.first_block),
            "" if self.final is None else duration(self.final),
        )


class Table:
    """Writes the story line by line. `quiet` writes nothing, for tests."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(highlight=False, soft_wrap=True, quiet=quiet)

    def chapter(self, title: str, columns: bool = True) -> None:
        """Begin a part of the story, with the titles of the columns if there are rows to come."""
        self._console.print(Text(f"\n{title}", style="bold"))
        if columns:
            self._console.print(Text(_line(tuple(name for name, _ in COLUMNS)), style="dim"))

    def row(self, row: Row) -> None:
        """One line of the table, and the reason below it where something was refused."""
        self._console.print(Text(_line(row.cells()), style="yellow" if row.reason else ""))
        if row.reason:
            self.say(f"refused by the contracts: {row.reason}", "yellow")

    def say(self, text: str, style: str = "dim") -> None:
        """A remark below a row."""
        self._console.print(Text(" " * 12 + text, style=style))

    def good(self, text: str) -> None:
        """Something that came out as it should."""
        self._console.print(Text(" " * 12 + text, style="green"))

    def plain(self, text: str, style: str = "") -> None:
        """A line of its own."""
        self._console.print(Text(text, style=style))

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Show on a terminal that something goes on."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(what):
            yield


def _line(cells: tuple[str, ...]) -> str:
    parts = []
    for (name, width), cell in zip(COLUMNS, cells, strict=True):
        parts.append(cell.rjust(width) if name in NUMBERS else cell.ljust(width))
    return " ".join(parts).rstrip()
