"""The `proml` command: finds the command asked for, runs it, and turns errors into a sentence and a hint.

Only the module of the command that runs is imported, and none for `proml --help`, which has to be there
at once.
"""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from proml.errors import ProMLError, UsageProblem

INTERRUPTED = 130
# Part of the interface: no number ever changes its meaning. `exec` ends with its command's own code.
EXIT_CODES = {
    0: "done; the answer is yes",
    1: "the answer is no: a verdict is invalid, a gate stays shut, something examined is wrong",
    2: "the call, a setting or a file it names is wrong; nothing was done",
    3: "not enough evidence to say yes or no",
    4: "nothing answers to that name, path or digest",
    5: "the ledger is away, or is not the one this project trusts",
    6: "the ledger refused a step, or an item could not be sent; the rest was done",
    7: "a journal is damaged, too new, or cannot be written",
    8: "a key cannot be read, unlocked or used",
    9: "stored bytes are missing or wrong, or cannot be written",
    10: "another process holds what this one needs",
    11: "the bytes are others than those recorded, and hold the same content",
    12: "a node is away, refuses a request, or answers with something else",
    70: "a fault of ProML itself",
    INTERRUPTED: "interrupted by Ctrl-C",
}


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command lives: a `typer.Typer` of its own name in `module`."""

    module: str
    about: str


SECTIONS: dict[str, dict[str, Command]] = {
    "Start": {
        "init": Command(
            "project", "Start a project here: a key, and a chain of its own or the ledger of others"
        ),
        "status": Command("project", "What waits, what is tainted, whether the ledger is well"),
        "doctor": Command(
            "project", "Look for what is wrong with this machine and project, and say what to do"
        ),
        "config": Command("project", "Every setting, and where its value comes from"),
    },
    "Record": {
        "exec": Command(
            "record", "Run any command as a tracked run: proml exec --used data/ -- python train.py"
        ),
        "register": Command("record", "Register a file or folder as an artefact"),
        "act": Command("record", "Make a step: proml act approve model.joblib"),
        "recall": Command("recall", "Declare an artefact unfit, with a reason; taints all made from it"),
        "acknowledge": Command("recall", "Say that you know what a recall did to what is in your custody"),
        "amend": Command("recall", "Correct what an earlier step said, by a new one; nothing is replaced"),
        "custody": Command("keeping", "offer, accept, withdraw: whom an artefact is with, by both"),
        "contest": Command("keeping", "Contest an artefact, for everybody to see"),
        "answer": Command("keeping", "Answer a dispute about what is with you"),
        "settle": Command("keeping", "End a dispute: whoever contested may, or an auditor"),
        "approve": Command("approvals", "Approve a step that another organisation is to take"),
        "sign": Command("delegating", "Sign what is recorded here, for another node to send and pay for"),
        "relay": Command("delegating", "Take to the ledger what others signed"),
        "journal": Command("journal", "status, verify, repair: what was recorded on this machine"),
        "push": Command("record", "Take everything recorded here to the ledger"),
    },
    "Look": {
        "find": Command("find", "Search by name, digest, kind, state, who, when, parameter or metric"),
        "show": Command("look", "One artefact: where it stands, what may happen next, its history"),
        "log": Command("look", "The latest steps of everybody, or of one artefact"),
        "approvals": Command("approvals", "Which steps need approvals, who gave theirs, and who could"),
        "lineage": Command("look", "What something was made from, and what was made from it"),
    },
    "Check": {
        "verify": Command("check", "Check a file, folder, artefact or evidence file, with numbered reasons"),
        "gate": Command("gate", "Exit code for CI: in the right state, approved, nothing tainted"),
        "evidence": Command("check", "Write one file with which anybody can check an artefact offline"),
        "prove": Command("prove", "Write one file that proves a single observation: a metric, a checkpoint"),
        "receive": Command("check", "Take over the records of an evidence file from another organisation"),
    },
    "Ledger": {
        "ledger": Command("ledger", "up, down, status, found, join: the chain and the consortium on it"),
        "consortium": Command(
            "consortium",
            "show, propose, proposals, vote, execute, cancel, leave: who takes part, and what they decide",
        ),
        "lifecycle": Command(
            "lifecycle", "check, list, show, diff, add, propose: which steps exist and who may"
        ),
        "key": Command("key", "new, list, show, consent, add, rotate, revoke: this participant's keys"),
    },
    "Share": {
        "disclose": Command("sharing", "Write a file that shows chosen fields of a record and proves them"),
        "disclosed": Command("sharing", "Check fields that somebody disclosed to you"),
        "share": Command("sharing", "Let other members fetch records, or a file, from this node"),
        "fetch": Command("sharing", "Fetch what another member shares with you"),
        "erase": Command("sharing", "Erase what a record says, with its key, from this machine"),
    },
    "Serve": {
        "node": Command("node", "up, status, fsck, backup, restore, token: this organisation's node"),
    },
}
COMMANDS = {name: command for section in SECTIONS.values() for name, command in section.items()}

INTRODUCTION = """\
ProML: one history of every dataset and model that nobody owns and nobody can rewrite.

Usage: proml COMMAND [OPTIONS]     proml COMMAND --help shows examples

"""
FIRST_STEPS = """
First steps:
  proml init                                        a key and a chain, no wallet, coin or account
  proml exec --used data/ --produced model.joblib -- python train.py
  proml push                                        from this machine to the shared history
  proml verify model.joblib                         who made it, from what, and is it still so
"""


def help_text() -> str:
    """What `proml --help` prints."""
    lines = [INTRODUCTION]
    for section, commands in SECTIONS.items():
        lines.append(f"{section}:\n")
        lines.extend(f"  {name:<11} {command.about}\n" for name, command in commands.items())
    return "".join(lines) + FIRST_STEPS


def run() -> None:
    """Entry point of the `proml` program; ends the process."""
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has gone, as in `proml log | head`; nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(help_text())
        return 0
    if arguments[0] in ("--version", "-V"):
        sys.stdout.write(f"proml {import_module('proml').__version__}\n")
        return 0
    try:
        return _dispatch(arguments[0], arguments[1:])
    except ProMLError as error:
        _complain(error, "--json" in arguments)
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("proml: interrupted; what was recorded is kept\n")
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except Exception:  # noqa: BLE001 -- the last place where a fault of ours can be told as one
        traceback.print_exc()
        sys.stderr.write(
            "proml: this is a fault of ProML, not of yours; please report it with the text above\n"
        )
        return ProMLError.exit_code


def _dispatch(name: str, arguments: list[str]) -> int:
    command = COMMANDS.get(name)
    if command is None:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean `proml {close[0]}`?" if close else "`proml --help` lists the commands"
        raise UsageProblem(f"there is no command {name!r}", hint)
    module = _commands_in(command.module)
    # A Python name for `exec`, which is a word of the language.
    app = getattr(module, f"{name}_command")
    code: int = import_module("proml.cli.calling").call(app, arguments, f"proml {name}")
    return code


def _commands_in(name: str) -> ModuleType:
    """A module of commands; those that need more than a training script's machine has say so."""
    try:
        return import_module(f"proml.cli.{name}")
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.startswith("proml"):
            raise
        raise UsageProblem(
            f"this command needs {missing.name}, which is not installed",
            "`pip install 'proml[node]'` adds what a node needs",
        ) from missing


def _complain(error: ProMLError, as_json: bool) -> None:
    if as_json:
        # The same channel as every other answer, so that a program reads one place only.
        terminal = import_module("proml.cli.terminal")
        kind = type(error).__name__
        terminal.emit_json({"error": {"kind": kind, "message": error.message, "hint": error.hint}})
        return
    sys.stderr.write(f"proml: {error.message}\n")
    if error.hint:
        sys.stderr.write(f"  hint: {error.hint}\n")
