"""The journal: status, verify, repair."""

from __future__ import annotations

from typing import Annotated

import typer

from proml.cli.terminal import emit_json, safe, say, table
from proml.config import load
from proml.errors import Busy, JournalProblem, NotFound
from proml.journal import files, repair, scan
from proml.node.participant import Participant

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
DAMAGED = 1
journal_command = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="What was recorded on this machine, before and after it is published.",
)


@journal_command.command()
def status(as_json: Json = False) -> int:
    """How many files and entries there are, and how many entries are not published yet."""
    me = Participant.open()
    found = files(me.config.journal)
    backlog = me.backlog()
    document = {
        "folder": str(me.config.journal),
        "files": len(found),
        "not taken in yet": backlog.unread if backlog else "a push is under way",
    }
    if as_json:
        emit_json(document)
    else:
        table(("", ""), list(document.items()))
    return 0


@journal_command.command()
def verify(as_json: Json = False) -> int:
    """Read every file from its first byte to its last. Exit code 1 when one is damaged. Changes nothing.

    proml journal verify
    """
    rows = []
    damaged = False
    for file in files(load().journal):
        try:
            found = scan(file)
        except JournalProblem as problem:
            rows.append({"file": file.name, "entries": 0, "sound": False, "found": problem.message})
            damaged = True
            continue
        what = found.damage.what if found.damage else "being written" if found.writing else "complete"
        rows.append(
            {"file": file.name, "entries": found.frames, "sound": found.damage is None, "found": what}
        )
        damaged = damaged or found.damage is not None
    if as_json:
        emit_json(rows)
    else:
        table(("file", "entries", "sound", "found"), [tuple(row.values()) for row in rows])
    return DAMAGED if damaged else 0


@journal_command.command("repair")
def repair_files(as_json: Json = False) -> int:
    """Set the damaged end of every damaged file aside; the sound entries before it stay.

    Nothing is deleted: what was set aside lies beside the file, as FILE.damaged-OFFSET. Exit code 7 when a
    file could not be put in order, such as one of a newer version, which is left as it is.

        proml journal repair
    """
    aside: list[str] = []
    left: list[JournalProblem] = []
    for file in files(load().journal):
        try:
            made = repair(file)
        except Busy:
            continue  # its writer is alive: what looks cut short is being written
        except NotFound:
            continue  # removed since the folder was listed
        except JournalProblem as problem:
            left.append(problem)
            continue
        if made is not None:
            aside.append(str(made))
    if as_json:
        emit_json({"set aside": aside, "left as they are": [problem.message for problem in left]})
    else:
        for name in aside:
            say(f"set aside {safe(name)}")
        for each in left:
            say(f"left as it is: {safe(each.message)}")
            say(f"  hint: {safe(each.hint)}")
        if not aside and not left:
            say("nothing is damaged")
    return JournalProblem.exit_code if left else 0
