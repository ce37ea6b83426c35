"""Commands that record: exec, register, act, push."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import orjson
import typer

from proml.capture.environment import code_version
from proml.capture.run import Run
from proml.cli.terminal import ask_passphrase, busy, emit_json, safe, say, short, table
from proml.config import load
from proml.core.deadline import deadline_after
from proml.core.digest import hexed, unhexed
from proml.errors import NotFound, ProMLError, UsageProblem
from proml.node.outbox import DONE, Intent
from proml.node.participant import Content, Participant, Target
from proml.node.publisher import Published
from proml.node.targets import artefact_meant
from proml.node.watching import publish_until

REFUSED_EXIT = 6
NOT_FOUND_EXIT = 127

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Inputs = Annotated[
    list[str],
    typer.Option(
        "--input",
        "-i",
        metavar="TARGET[=PART]",
        help="What it rests on, and the part it played; repeat it for several.",
    ),
]
Parameters = Annotated[
    list[str],
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; VALUE is JSON or text."),
]
Metrics = Annotated[
    list[str], typer.Option("--metric", "-m", metavar="NAME=NUMBER", help="Something that was measured.")
]
Claims = Annotated[
    list[str], typer.Option("--claim", "-c", metavar="NAME=VALUE", help="Anything else you want to say.")
]
Push = Annotated[bool, typer.Option("--push", help="Take it to the ledger at once.")]

register_command = typer.Typer(add_completion=False, rich_markup_mode=None)
act_command = typer.Typer(add_completion=False, rich_markup_mode=None)
push_command = typer.Typer(add_completion=False, rich_markup_mode=None)
exec_command = typer.Typer(add_completion=False, rich_markup_mode=None)


@register_command.command()
def register(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="File or folder; - for an artefact without bytes.")
    ],
    kind: Annotated[
        str, typer.Option("--kind", "-k", metavar="KIND", help="dataset, model, evaluation, dependency, …")
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", "-n", metavar="NAME", help="What to call it; the file's name by default."),
    ] = None,
    inputs: Inputs = [],
    param: Parameters = [],
    claim: Claims = [],
    push: Push = False,
    as_json: Json = False,
) -> int:
    """Register a file or folder as an artefact.

    Its bytes stay here; the ledger gets a digest (or a salted commitment to it, for kinds that are not
    discoverable) and a commitment to the record.

        proml register data/ --kind dataset --name digits
        proml register - --kind dependency --name "scikit-learn 1.5.2" --claim cve=none
    """
    me = Participant.open(passphrase=ask_passphrase)
    content = Content(parameters=pairs(param), claims=pairs(claim))
    where = None if path == "-" else Path(path)
    if where is None and not name:
        raise UsageProblem("an artefact without bytes needs a name", "add --name")
    with busy("fingerprinting …") as me.progress:
        salt = me.register(where, kind, name, _inputs(me, inputs), content)
    return noted(me, {"salt": salt, "kind": kind}, f"noted: register {kind} {name or path}", push, as_json)


@act_command.command()
def act(
    action: Annotated[
        str,
        typer.Argument(metavar="ACTION", help="A verb of its lifecycle; `proml show` lists those open now."),
    ],
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="The artefact: its file, folder, id or name.")
    ],
    subject: Annotated[
        Path | None, typer.Option("--subject", "-s", metavar="PATH", help="The bytes meant, if others.")
    ] = None,
    inputs: Inputs = [],
    param: Parameters = [],
    metric: Metrics = [],
    claim: Claims = [],
    push: Push = False,
    as_json: Json = False,
) -> int:
    """Make a step: move an artefact along its lifecycle.

    The contracts decide whether it is legal: who may, in which state, after whom, from which inputs.

        proml act approve data/ --push
        proml act label 0x3fe2… --subject labels.csv
        proml act recall data/ --claim reason="labels were wrong" --push
    """
    me = Participant.open(passphrase=ask_passphrase)
    content = Content(pairs(param), pairs(metric), pairs(claim))
    with busy("fingerprinting …") as me.progress:
        me.act(_target(me, target), action, subject, _inputs(me, inputs), content)
    return noted(me, {"action": action, "target": target}, f"noted: {action} {target}", push, as_json)


@push_command.command()
def push(
    reconcile: Annotated[
        bool,
        typer.Option("--reconcile", help="Take over what the key did and the outbox does not know."),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with what is recorded from now on, until Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Take everything recorded here to the ledger, and say what became of each item.

    Safe to interrupt and to repeat: what was signed is kept, and sent again until it is final.
    Exit code 6 when the ledger refused something.

        proml push
    """
    me = Participant.open(passphrase=ask_passphrase)
    if not watch:
        return _push(me, as_json, reconcile)
    if reconcile:
        raise UsageProblem("--reconcile is for one push", "`proml push --reconcile` first, then --watch")
    return _watch(me, as_json)


@exec_command.command(context_settings={"allow_interspersed_args": False})
def execute(
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="The command and its arguments, after --.")
    ],
    used: Annotated[
        list[str],
        typer.Option("--used", "-u", metavar="PATH[=PART]", help="What it reads, and the part it plays."),
    ] = [],
    produced: Annotated[
        list[str],
        typer.Option("--produced", "-o", metavar="PATH[=KIND]", help="What it makes; a model by default."),
    ] = [],
    name: Annotated[
        str | None, typer.Option("--name", "-n", metavar="NAME", help="What to call the run.")
    ] = None,
    within: Annotated[
        str | None,
        typer.Option("--within", metavar="TIME", help="Still open after 90s, 15m, 6h or 2d: abandoned."),
    ] = None,
    param: Parameters = [],
) -> int:
    """Run any command, in any language, as a tracked run.

    What it uses is fingerprinted before it starts, what it produces after it ends; a command that fails
    or is interrupted closes the run as failed. Exits with the command's own code. Arguments of the
    command are not recorded: they may hold secrets; --param records what you choose.

        proml exec --used data/ --produced model.joblib -- python train.py --depth 3
        proml exec -u data.csv="training data" -o out/=dataset -- make all
    """
    config = load()
    seconds = _seconds(within) if within else None
    made = [_named(text, "model") for text in produced]
    doing: dict[str, Any] = {"command": [Path(command[0]).name, f"({len(command) - 1} arguments)"]}
    code = code_version(config.root) if config.environment else None
    if code:
        doing["code"] = code
    for text in used:
        if not Path(_named(text, "input")[0]).exists():
            raise NotFound(f"there is no {text!r} to use", "check the path given to --used")
    run = Run(name or Path(command[0]).name, config).start(pairs(param), doing, seconds)
    for text in used:
        run.used(*_named(text, "input"))
    status = _run_child(command)
    if status == 0:
        missing = [path for path, _ in made if not Path(path).exists()]
        for path, kind in made:
            if path not in missing:
                run.produced(path, kind)
        if missing:
            run.fail("did not produce what it was said to")
            raise NotFound(
                f"the command ended well but made no {missing[0]!r}", "check the path given to --produced"
            )
        run.finish()
    else:
        run.fail(f"exit code {status}")
    return status


def _seconds(text: str) -> float:
    """A time such as 90s, 15m, 6h or 2d in seconds; of a number alone they are seconds."""
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    digits, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    if not (digits.isascii() and digits.isdigit()):
        raise UsageProblem(f"--within {text!r} is no time", "write 90s, 15m, 6h or 2d")
    seconds = int(digits) * units[unit]
    deadline_after(0, seconds)
    return seconds


def _run_child(command: list[str]) -> int:
    """Run a command with our own streams; Ctrl-C goes to it, and we wait for what it makes of that."""
    try:
        child = subprocess.Popen(command)
    except FileNotFoundError:
        sys.stderr.write(f"proml: there is no program {command[0]!r}\n")
        return NOT_FOUND_EXIT
    except OSError as error:
        sys.stderr.write(f"proml: {command[0]!r} cannot be run: {error.strerror}\n")
        return NOT_FOUND_EXIT - 1

    def forward(number: int, _frame: object) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGHUP)}
    # A terminal sends Ctrl-C to the child too; dying of it here would leave the run open.
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    # As a shell reports a command ended by a signal.
    return 128 - status if status < 0 else status


def noted(me: Participant, document: dict[str, Any], text: str, push: bool, as_json: bool) -> int:
    """Say that something waits for the next push, or make that push."""
    if push:
        return _push(me, as_json)
    if as_json:
        emit_json({"noted": document})
    else:
        say(f"{safe(text)}; [bold]proml push[/] takes it to the ledger")
    return 0


def _push(me: Participant, as_json: bool, reconcile: bool = False) -> int:
    me.signer  # noqa: B018 -- asks for the passphrase, if there is one, before the spinner turns
    with busy("publishing …"):
        published = me.push(reconcile=reconcile)
    unregistered = {
        intent.label: names for intent in published.settled if (names := _unregistered(me, intent))
    }
    if as_json:
        emit_json({**push_document(published), "unregistered": unregistered})
    else:
        _show_push(published)
        for item, names in unregistered.items():
            listed = safe(", ".join(names))
            say(f"note: {safe(item)} rests on what nobody registered, and no recall reaches it: {listed}")
    return 0 if all(intent.state == DONE for intent in published.settled) else REFUSED_EXIT


def _watch(me: Participant, as_json: bool) -> int:
    """Publish as it comes, a line for each item, until Ctrl-C or SIGTERM."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    def told(intent: Intent) -> None:
        why = f": {intent.reason}" if intent.reason else ""
        emit_json(_intent_document(intent)) if as_json else say(safe(f"{intent.state} {intent.label}{why}"))

    def alarmed(problem: ProMLError) -> None:
        sys.stderr.write(f"proml: {problem.message}\n")

    publish_until(me, stop, told, alarmed)
    return 0


def _show_push(published: Published) -> None:
    for problem in published.damage:
        sys.stderr.write(f"proml: {problem.message}\n  hint: {problem.hint}\n")
    if not published.settled:
        say("nothing to publish")
        return
    rows = [
        (
            intent.label,
            intent.state,
            short(intent.artefact) if intent.what == "step" and any(intent.artefact) else "",
            intent.reason or "",
        )
        for intent in published.settled
    ]
    table(("item", "outcome", "artefact", "why"), rows)


def _unregistered(me: Participant, intent: Intent) -> list[str]:
    """What the record of a step that was accepted lists as its inputs and no artefact stands for."""
    if intent.what != "step" or intent.state != DONE:
        return []
    record = me.record(unhexed(intent.call["record"])) or {}
    return [
        str(each.get("name", each["sha256"])) for each in record.get("inputs", ()) if "artefact" not in each
    ]


def push_document(published: Published) -> dict[str, Any]:
    """What a push came to, for programs."""
    return {
        "settled": [_intent_document(intent) for intent in published.settled],
        "damage": [problem.message for problem in published.damage],
    }


def _intent_document(intent: Intent) -> dict[str, Any]:
    return {
        "item": intent.label,
        "what": intent.what,
        "artefact": hexed(intent.artefact),
        "outcome": intent.state,
        "reason": intent.reason,
        "transaction": hexed(intent.tx) if intent.tx else None,
    }


def _target(me: Participant, text: str) -> Target:
    """A path where there is one, an id as it is, and anything else looked up on the ledger."""
    if os.path.lexists(text):
        return Path(text)
    if len(text) == 66 and text.startswith("0x"):
        return text
    return hexed(artefact_meant(me, me.chronicle(), text))


def _named(text: str, default: str) -> tuple[str, str]:
    """PATH=NAME in its two parts; a path that holds `=` itself is taken whole when it exists."""
    if os.path.lexists(text) or "=" not in text:
        return text, default
    path, _, name = text.rpartition("=")
    return path, name or default


def _inputs(me: Participant, texts: list[str]) -> list[tuple[Target, str]]:
    return [(_target(me, path), part) for path, part in (_named(text, "input") for text in texts)]


def pairs(texts: list[str]) -> dict[str, Any]:
    """NAME=VALUE; a value that is JSON is taken as such, anything else as text."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageProblem(f"{text!r} is not NAME=VALUE")
        try:
            found[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            found[name] = value
    return found
