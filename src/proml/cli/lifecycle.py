"""Commands about lifecycles: check, list, show, diff, add, propose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from proml.cli.terminal import ask_passphrase, busy, emit_json, safe, say, short, table, write_whole
from proml.core.chronicle import Chronicle
from proml.core.consortium import role_names
from proml.core.digest import hexed
from proml.core.lifecycle import Lifecycle, Rule, kind_tag
from proml.core.lifecycle_file import Problem
from proml.core.lifecycle_sense import Surroundings, always_before, remarks, senseless
from proml.core.lifecycle_words import conditions, differences
from proml.errors import LedgerProblem, LifecycleInvalid, NotFound, ProjectMissing, UsageProblem
from proml.export import lifecycle_diagram
from proml.lifecycles import supplied
from proml.lifecycles.own import Written, keep, read_written, sound
from proml.node.government import Government
from proml.node.participant import Participant

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A lifecycle file, JSON or TOML.")]
What = Annotated[
    str, typer.Argument(metavar="WHAT", help="A file, a kind, a number on the ledger, or digits of an id.")
]
lifecycle_command = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="The tables that say which steps exist and who may take them.",
)


class Format(StrEnum):
    """How a lifecycle is shown."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known here: files at hand, and the ledger where there is one that answers."""

    lifecycles: tuple[Lifecycle, ...]
    chronicle: Chronicle | None = None
    problem: LedgerProblem | None = None

    def number(self, lifecycle: Lifecycle) -> int | None:
        """Its number on the ledger, None when it has none or nobody can tell."""
        tables = self.chronicle.shared.tables if self.chronicle else {}
        return next((number for number, each in tables.items() if each.id == lifecycle.table.id), None)

    @property
    def members(self) -> dict[int, int]:
        """Roles of the present members by their numbers."""
        organisations = self.chronicle.shared.organisations if self.chronicle else {}
        return {number: each.roles for number, each in organisations.items() if not each.removed}

    @property
    def kinds(self) -> dict[int, str]:
        """Kinds by their tags."""
        return {kind_tag(each.kind): each.kind for each in self.lifecycles}


@lifecycle_command.command("check")
def check(
    file: File,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw its state diagram into this file.")
    ] = None,
    mermaid: Annotated[
        Path | None, typer.Option("--mermaid", metavar="FILE", help="The same as Mermaid source.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Look for everything that is wrong with a lifecycle, and say where. Exit code 1 when something is.

    Whether it is deterministic, every state can be reached and left or is terminal, roles and names exist,
    separation of duties speaks of what can have happened; with a ledger of several members also whether
    they can meet what it asks for.

    proml lifecycle check release.toml --svg release.svg
    """
    written = read_written(file)
    known = _known()
    problems, noted = judged(written, known.lifecycles, known.members)
    lifecycle = written.examined.lifecycle
    if lifecycle is not None:
        for path, render in ((svg, lifecycle_diagram.render), (mermaid, lifecycle_diagram.render_mermaid)):
            if path is not None:
                write_whole(path, render(lifecycle).encode("utf-8"))
    if as_json:
        emit_json(_check_document(written, problems, noted))
        return 1 if problems else 0
    if problems:
        rows = [(written.place(each.place), each.text, each.hint) for each in problems]
        table(("where", "what is wrong", "what to do"), rows)
        say(f"[bold red]{len(problems)} problem(s)[/]")
    for each in noted:
        say(f"note: {safe(each)}")
    if lifecycle is not None and not problems:
        _show_order(lifecycle)
        say(f"[bold green]{lifecycle.kind} can be proposed[/]; its id is {hexed(lifecycle.table.id)}")
    return 1 if problems else 0


@lifecycle_command.command("list")
def list_all(as_json: Json = False) -> int:
    """The lifecycles whose files are here, and those the ledger has admitted."""
    known = _known()
    came = {each.table.id for each in supplied()}
    tables = known.chronicle.shared.tables if known.chronicle else {}
    stands = known.chronicle.shared.artefacts.values() if known.chronicle else ()
    numbers = {each.table.id: known.number(each) for each in known.lifecycles}
    entries: list[dict[str, Any]] = [
        {
            "number": numbers[each.table.id],
            "kind": each.kind,
            "id": hexed(each.table.id),
            "from": "ProML" if each.table.id in came else "this project",
            "artefacts": sum(1 for stand in stands if stand.lifecycle == numbers[each.table.id]),
            "about": each.about,
        }
        for each in known.lifecycles
    ]
    entries += [
        {
            "number": number,
            "kind": known.kinds.get(admitted.kind),
            "id": hexed(admitted.id),
            "from": None,
            "artefacts": sum(1 for stand in stands if stand.lifecycle == number),
            "about": None,
        }
        for number, admitted in tables.items()
        if admitted.id not in numbers
    ]
    entries.sort(key=lambda each: (each["number"] is None, each["number"] or 0))
    if as_json:
        emit_json(entries)
        return 0
    rows = [
        (
            "not admitted" if each["number"] is None else each["number"],
            each["kind"] or "?",
            short(each["id"]),
            each["from"] or "nobody here: get its file from a member",
            each["artefacts"],
        )
        for each in entries
    ]
    table(("on the ledger", "kind", "id", "file from", "artefacts"), rows)
    if known.problem:
        say(f"note: the ledger does not answer: {safe(known.problem.message)}")
    return 0


@lifecycle_command.command("show")
def show(
    what: What,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to show it.")] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to this file.")
    ] = None,
) -> int:
    """One lifecycle: its steps, what each asks for, and what must come before; or its state diagram.

    proml lifecycle show model
    proml lifecycle show release.toml --format svg --output release.svg
    """
    known = _known()
    lifecycle = _meant(what, known)
    drawn = {
        Format.MERMAID: lifecycle_diagram.render_mermaid,
        Format.SVG: lifecycle_diagram.render,
        Format.JSON: lambda each: each.document.decode("utf-8") + "\n",
    }.get(form)
    if drawn is not None and output is not None:
        write_whole(output, drawn(lifecycle).encode("utf-8"))
        say(f"wrote {safe(output)}")
    elif drawn is not None:
        typer.echo(drawn(lifecycle), nl=False)
    elif output is not None:
        raise UsageProblem("text is for the terminal", "choose --format svg, mermaid or json for a file")
    else:
        _show(lifecycle, known)
    return 0


@lifecycle_command.command("diff")
def diff(old: What, new: What, as_json: Json = False) -> int:
    """What one lifecycle decides otherwise than another: + came, - went, ~ changed. Exit code 1 if anything.

    proml lifecycle diff model our-model.toml
    """
    known = _known()
    found = differences(_meant(old, known), _meant(new, known), known.kinds)
    if as_json:
        emit_json(found)
    else:
        for line in found or ["they decide alike"]:
            say(safe(line))
    return 1 if found else 0


@lifecycle_command.command("add")
def add(file: File) -> int:
    """Keep a lifecycle file in this project, one got from another member for instance.

    proml lifecycle add release.json
    """
    me = Participant.open()
    lifecycle = sound(read_written(file))
    path = keep(me.config.lifecycles, lifecycle)
    say(f"kept {safe(lifecycle.kind)} {short(lifecycle.table.id)} as {safe(path)}")
    return 0


@lifecycle_command.command("propose")
def propose(
    what: What,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Although `check` finds that something cannot work.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Propose to admit a lifecycle, after checking it; that is our vote for it, too.

    The others read the file, vote and execute: `proml consortium vote NUMBER --file FILE`.

    proml lifecycle propose release.toml
    proml lifecycle propose benchmark
    """
    known = _known()
    if Path(what).is_file():
        written = read_written(Path(what))
        sound(written)
        problems, _ = judged(written, known.lifecycles, known.members)
        if problems and not anyway:
            first, more = problems[0], len(problems) - 1
            raise LifecycleInvalid(
                f"{what}, {written.place(first.place)}: {first.text}{f', and {more} more' if more else ''}",
                f"`proml lifecycle check {what}` tells everything; --anyway proposes it all the same",
            )
    government = Government(Participant.open(passphrase=ask_passphrase))
    with busy("proposing …"):
        motion = government.motion(government.propose_lifecycle(what))
    if as_json:
        emit_json({"number": motion.number, "state": motion.state, "left": motion.left, "to": motion.what})
    else:
        say(f"proposal {motion.number}, to {safe(motion.what)}: {motion.state}; left to do: {motion.left}")
    return 0


def judged(
    written: Written, known: Sequence[Lifecycle], members: dict[int, int]
) -> tuple[list[Problem], list[str]]:
    """All that is wrong with a file, and what is only to be noted.

    What the present members cannot meet is wrong where there are several; alone, nobody can be another
    organisation, and that is only noted.
    """
    examined = written.examined
    if examined.lifecycle is None:
        return list(examined.problems), []
    lifecycle, origins = examined.lifecycle, examined.origins
    alone = len(members) < 2
    wrong = senseless(lifecycle, origins, Surroundings(known, None if alone else members))
    noted = remarks(lifecycle)
    if members and alone:
        unmet = senseless(lifecycle, origins, Surroundings(known, members))
        noted += [f"with one member: {each.text}" for each in unmet if each not in wrong]
    return wrong, noted


def _known() -> _Known:
    """What is at hand; a project, and a ledger that answers, are welcome and not needed."""
    try:
        me = Participant.open()
    except ProjectMissing:
        return _Known(supplied())
    try:
        return _Known(me.lifecycles, me.chronicle())
    except LedgerProblem as problem:
        return _Known(me.lifecycles, problem=problem)


def _meant(what: str, known: _Known) -> Lifecycle:
    path = Path(what)
    if path.is_file():
        return sound(read_written(path))
    digits = what.removeprefix("0x")
    found = [
        each
        for each in known.lifecycles
        if what == each.kind
        or (what.isdecimal() and known.number(each) == int(what))
        or (what.startswith("0x") and digits and each.table.id.hex().startswith(digits))
    ]
    if not found:
        kinds = ", ".join(dict.fromkeys(each.kind for each in known.lifecycles))
        raise NotFound(
            f"{what!r} is neither a file, a kind, a number on the ledger nor an id", f"kinds are {kinds}"
        )
    # Of several of a kind the one that counts: the newest on the ledger, else the one added last.
    return max(enumerate(found), key=lambda each: (known.number(each[1]) or 0, each[0]))[1]


def _show(lifecycle: Lifecycle, known: _Known) -> None:
    number = known.number(lifecycle)
    say(f"[bold]{safe(lifecycle.kind)}[/], {f'number {number} on the ledger' if number else 'not admitted'}")
    say(safe(lifecycle.about))
    masks = lifecycle.table
    rows: list[tuple[object, ...]] = [("id", hexed(masks.id))]
    for name, mask in (("usable", masks.usable), ("final", masks.terminal), ("recalled", masks.recalled)):
        states = [each for place, each in enumerate(lifecycle.states) if mask >> place & 1]
        rows.append((name, ", ".join(states) or "none"))
    table(("", ""), rows)
    moves: dict[tuple[int, int], list[Rule]] = {}
    for rule in masks.rules:
        moves.setdefault((rule.action, rule.following), []).append(rule)
    table(
        ("action", "from", "to", "by a", "only if"),
        [
            (
                lifecycle.action_name(action),
                ", ".join(lifecycle.state_name(rule.state) for rule in rules),
                lifecycle.state_name(following),
                ", ".join(role_names(rules[0].roles)),
                "; ".join(conditions(lifecycle, rules[0], known.kinds)),
            )
            for (action, following), rules in moves.items()
        ],
    )
    _show_order(lifecycle)


def _show_order(lifecycle: Lifecycle) -> None:
    """Required steps: what nobody gets round, whoever calls."""
    ordered = [(action, ", ".join(before)) for action, before in always_before(lifecycle).items() if before]
    if ordered:
        table(("action", "never before"), ordered)


def _check_document(written: Written, problems: list[Problem], noted: list[str]) -> dict[str, Any]:
    lifecycle = written.examined.lifecycle
    return {
        "file": written.name,
        "kind": lifecycle.kind if lifecycle else None,
        "id": hexed(lifecycle.table.id) if lifecycle else None,
        "problems": [
            {"where": written.place(each.place), "text": each.text, "hint": each.hint} for each in problems
        ],
        "notes": noted,
        "always before": always_before(lifecycle) if lifecycle else {},
    }
