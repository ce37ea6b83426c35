"""The paper's nine steps and five attacks, for real: six organisations, one chain, real data, real training.

    python examples/nine_steps/demo.py                # into build/demo, made anew
    python examples/nine_steps/demo.py --folder DIR   # somewhere else
    python examples/nine_steps/demo.py --keep         # move what an earlier run left aside

Exit code 0 when every step and every attack ended as the story says, 1 when one did not, 130 after Ctrl-C.
The chain is stopped in any case. `play` gives the same to tests.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from attack import MISSED, Attack, missed
from attacks import dataset_altered, library_recalled, model_swapped
from collection import digits
from deployment import FormReader
from organisations import chain_in, gather
from page import build, write
from poisoning import labels_flipped
from recall import Recalled, dataset_recalled
from stage import Stage, Surprise
from story import LEAST_ACCURACY, Told, nine_steps
from table import Row, Table
from tracks import tracks_covered

from proml.errors import Busy, NotFound, ProMLError, UsageProblem
from proml.export.report_view import Figure, Report

DEFAULT = Path(__file__).resolve().parents[2] / "build" / "demo"
# A folder with this file in it was made by the demo, which may therefore delete it.
MARK = ".nine-steps"
INTERRUPTED = 130
QUESTIONS = 200


@dataclass(frozen=True, slots=True)
class Played:
    """What one performance came to.

    Attributes:
        rows: of the table, in order.
        attacks: every staged attack.
        told: what the nine steps came to.
        recalled: what the recall at the end reached.
        report: everything in the report.
        page: where it was written.
        surprises: what ended differently than the story says; empty if nothing did.
        seconds: how long it took.
    """

    rows: tuple[Row, ...]
    attacks: tuple[Attack, ...]
    told: Told
    recalled: Recalled
    report: Report
    page: Path
    surprises: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Act:
    """One of the five attacks: its title, and what stages it."""

    title: str
    play: Callable[[], list[Attack]]


def main() -> int:
    """Play once; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=DEFAULT, help="where to play; build/demo by default")
    parser.add_argument("--keep", action="store_true", help="move what an earlier run left there aside")
    asked = parser.parse_args()
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal may lack an arrow
    table = Table()
    # Each organisation's project is found by its folder; settings of the caller's must not get in the way.
    for name in [name for name in os.environ if name.startswith("PROML_") and name != "PROML_ANVIL"]:
        del os.environ[name]
    # However a demo is told to end, the chain is stopped; also where a shell had it ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with room(asked.folder.absolute(), asked.keep) as root:
            played = play(root, table)
    except Surprise as surprise:
        table.plain(f"\nnot as it must be: {surprise}", "bold red")
        return 1
    except ProMLError as error:
        table.plain(f"\n{error.message}\n  hint: {error.hint}", "bold red")
        return error.exit_code
    except KeyboardInterrupt:
        table.plain("\ninterrupted; the chain is stopped")
        return INTERRUPTED
    conclude(table, played)
    return 1 if played.surprises else 0


@contextmanager
def room(root: Path, keep: bool = False) -> Iterator[Path]:
    """An empty folder to play in, for this process alone.

    Args:
        root: where; what an earlier run left there is deleted.
        keep: move it aside instead.

    Raises:
        UsageProblem: when there is something that no demo made.
        Busy: when another demo plays there.
    """
    if root.exists() and any(root.iterdir()) and not (root / MARK).exists():
        raise UsageProblem(f"{root} is not empty, and no demo made it", "name an empty folder with --folder")
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / f".{root.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                f"another demo plays in {root}", "wait for it, or name a folder with --folder"
            ) from None
        with suppress(ProMLError):
            chain_in(root).kill()
        if keep and root.exists():
            root.rename(_free_name(root))
        elif root.exists():
            shutil.rmtree(root)
        root.mkdir()
        (root / MARK).write_text("made by examples/nine_steps/demo.py\n", encoding="utf-8")
        yield root


def _free_name(root: Path) -> Path:
    number = 1
    while (aside := root.with_name(f"{root.name}-{number}")).exists():
        number += 1
    return aside


def play(root: Path, table: Table) -> Played:
    """The whole story in an empty folder.

    Raises:
        Surprise: when one of the nine steps, or the recall at the end, goes otherwise than it must. An
            attack that does is in the result.
    """
    begun = time.monotonic()
    try:
        with table.busy("founding the consortium …"):
            consortium = gather(root)
        stage = Stage(consortium, table)
        names = ", ".join(member.name for member in consortium.members)
        table.chapter(f"Six organisations on one chain: {names}", columns=False)
        table.chapter("The nine steps")
        told, reader = nine_steps(stage)
        attacks, surprises = stage_all(table, five_attacks(stage, reader))
        table.chapter("The dataset is recalled", columns=False)
        recalled = dataset_recalled(stage, reader)
        seconds = time.monotonic() - begun
        report = build(stage, attacks, _figures(stage, told, seconds))
        page = write(report, root / "report.html")
        return Played(
            tuple(stage.rows), tuple(attacks), told, recalled, report, page, tuple(surprises), seconds
        )
    finally:
        with suppress(NotFound):
            chain_in(root).down()


def five_attacks(stage: Stage, reader: FormReader) -> tuple[Act, ...]:
    """The paper's attacks, ready to be staged."""
    questions = digits().held_out.features[:QUESTIONS]
    return (
        Act("Labels flipped on purpose", lambda: labels_flipped(stage)),
        Act("Dataset altered after approval", lambda: dataset_altered(stage)),
        Act("Library used after its recall", lambda: library_recalled(stage)),
        Act("Model swapped at deployment", lambda: model_swapped(stage, reader, questions)),
        Act("Tracks covered", lambda: tracks_covered(stage)),
    )


def stage_all(table: Table, acts: Sequence[Act]) -> tuple[list[Attack], list[str]]:
    """Stage every act, and say what surprised; one that surprises does not hold up the others."""
    attacks: list[Attack] = []
    surprises = []
    for number, act in enumerate(acts, start=1):
        table.chapter(f"Attack {number}: {act.title[0].lower()}{act.title[1:]}", columns=False)
        try:
            attacks += act.play()
        except Surprise as surprise:
            table.plain(f"not as it must be: {surprise}", "bold red")
            attacks.append(missed(act.title, act.title, surprise))
            surprises.append(f"{act.title}: {surprise}")
    return attacks, surprises


def _figures(stage: Stage, told: Told, seconds: float) -> tuple[Figure, ...]:
    anchors = [row for row in stage.rows if row.state == "anchored"]
    observations = sum(int(row.action.split()[1]) for row in anchors)
    return (
        Figure(
            "Right answers of the deployed model, on data nobody trained on",
            f"{told.accuracy:.1%}",
            f"{LEAST_ACCURACY:.0%} were asked before the test",
        ),
        Figure(
            "Measurements during training",
            f"{observations}",
            f"in {len(anchors)} anchors, each provable alone",
        ),
        Figure("Transactions", f"{len(stage.costs)}", "zero gas price: no wallet, coin or account"),
        Figure("The whole story, training and tests included", f"{seconds:.0f} s"),
    )


def conclude(table: Table, played: Played) -> None:
    """The closing summary."""
    table.chapter("What came of it", columns=False)
    for attack in played.attacks:
        outcome = attack.outcome
        bad = outcome.result is MISSED
        line = f"{outcome.name:<32} {outcome.result:<8} {outcome.organisation:<17} {outcome.by}"
        table.plain(line, "bold red" if bad else "green")
    held = sum(attack.outcome.result is not MISSED for attack in played.attacks)
    table.plain(f"\n{held} of {len(played.attacks)} attacks were refused or found, each with a name to it.")
    table.plain(f"The model in service is tainted: {' → '.join(played.recalled.path)}.")
    table.plain(f"{len(played.rows)} items in {played.seconds:.0f} s. The report: {played.page}")


if __name__ == "__main__":
    sys.exit(main())
