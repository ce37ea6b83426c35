"""Writes docs/reference.md out of the code: commands, exit codes, settings, variables, lifecycles, Python.

python tools/generate_reference.py            write it anew
python tools/generate_reference.py --check    exit with 1 when it is not what is there
"""

import argparse
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path

from typer._click.core import Command

import proml
from docstring_text import attributes_of, markdown_of, summary_of
from proml import errors
from proml.cli.calling import command_of
from proml.cli.main import EXIT_CODES, SECTIONS
from proml.config import SETTINGS, VARIABLES, Config
from proml.core.consortium import ROLES, SCOPES, role_names
from proml.core.lifecycle import Lifecycle, Rule, kind_tag
from proml.core.lifecycle_words import conditions
from proml.core.refusal import Reason
from proml.lifecycles import supplied

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
OPENING = """\
# Reference

<!-- Written by tools/generate_reference.py; change the code and run it. -->

Everything on this page is taken from the code: [commands](#commands), [exit codes](#exit-codes),
[settings](#settings), [environment variables](#environment-variables), [lifecycles](#lifecycles),
[roles and scopes](#roles-and-scopes), [refusals](#refusals), [Python](#python), [errors](#errors).
[Concepts](concepts.md) says what the words mean, the [tutorial](tutorial.md) shows them at work.
"""


# Annotations come as texts.
_QUOTED = re.compile(r"(?<=: |> )'([^']*)'")


def main() -> int:
    """Write or compare the page; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    content = "\n".join(page())
    if not parser.parse_args().check:
        PAGE.write_text(content, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == content:
        return 0
    print(f"docs/{PAGE.name} is stale: run python tools/generate_reference.py")
    return 1


def page() -> Iterator[str]:
    """The lines of the page; a line may hold line breaks."""
    yield OPENING
    yield "## Commands\n"
    for section, commands in SECTIONS.items():
        yield f"### {section}\n"
        for name, command in commands.items():
            app = getattr(import_module(f"proml.cli.{command.module}"), f"{name}_command")
            yield from _command(f"proml {name}", command_of(app))
    yield "## Exit codes\n"
    yield from _table(("code", "means"), [(str(code), means) for code, means in EXIT_CODES.items()])
    yield "## Settings\n"
    yield "In `.proml/config.toml`; a variable of the environment overrides it.\n"
    yield from _settings()
    yield "## Environment variables\n"
    yield "Besides those of the settings:\n"
    yield from _table(("variable", "does"), [(f"`{name}`", does) for name, does in VARIABLES.items()])
    yield "## Lifecycles\n"
    for lifecycle in supplied():
        yield from _lifecycle(lifecycle)
    yield "## Roles and scopes\n"
    yield f"Roles of an organisation: {_codes(ROLES)}.\n"
    yield f"Scopes of a key: {_codes(SCOPES)}.\n"
    yield "## Refusals\n"
    yield "Why the contracts refuse, by number:\n"
    rows = [(str(each.value), f"`{each.name}`", each.text, each.hint) for each in Reason]
    yield from _table(("no.", "name", "because", "what to do"), rows)
    yield from _python()
    yield from _errors()


def _command(words: str, command: Command) -> Iterator[str]:
    context = command.make_context(words, [], resilient_parsing=True)
    context.terminal_width = 80
    yield f"#### `{words}`\n"
    yield f"```text\n{context.get_help().rstrip()}\n```\n"
    for name, inner in getattr(command, "commands", {}).items():
        yield from _command(f"{words} {name}", inner)


def _settings() -> Iterator[str]:
    about = attributes_of(Config)
    defaults = {field.name: field.default for field in fields(Config)}
    rows = [
        (f"`{name}`", f"`PROML_{name.upper()}`", f"`{_toml(defaults[name])}`", about[name])
        for name in SETTINGS
    ]
    yield from _table(("setting", "variable", "default", "does"), rows)
    yield "Lists are written with commas in a variable, `model,dataset`; switches are 1 or 0 there.\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{each}"' for each in value) + "]"
    return f'"{value}"'


def _lifecycle(lifecycle: Lifecycle) -> Iterator[str]:
    kind = lifecycle.kind
    yield f"### Lifecycle: {kind}\n"
    yield f"{lifecycle.about} [Picture](pictures/lifecycle-{kind}.svg).\n"
    table = lifecycle.table
    for name, mask in (("usable", table.usable), ("final", table.terminal), ("recalled", table.recalled)):
        states = [each for number, each in enumerate(lifecycle.states) if mask >> number & 1]
        yield f"- {name}: {_codes(states)}"
    yield ""
    kinds = {kind_tag(each.kind): each.kind for each in supplied()}
    moves: dict[tuple[int, int], list[Rule]] = {}
    for rule in table.rules:
        moves.setdefault((rule.action, rule.following), []).append(rule)
    rows = [
        (
            f"`{lifecycle.action_name(action)}`",
            _codes(lifecycle.state_name(rule.state) for rule in rules),
            f"`{lifecycle.state_name(following)}`",
            _codes(role_names(rules[0].roles)),
            "; ".join(conditions(lifecycle, rules[0], kinds)),
        )
        for (action, following), rules in moves.items()
    ]
    yield from _table(("action", "from", "to", "by a", "only if"), rows)


def _python() -> Iterator[str]:
    yield "## Python\n"
    yield markdown_of(inspect.getdoc(proml) or "") + "\n"
    for name in sorted(proml.__all__):
        thing = getattr(proml, name)
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            yield f"### `proml.{name}`\n"
            yield markdown_of(inspect.getdoc(thing) or "") + "\n"
            for method, function in vars(thing).items():
                if not method.startswith("_") and inspect.isfunction(function):
                    yield from _function(f"{name}.{method}", function)
        elif inspect.isfunction(thing):
            yield from _function(f"proml.{name}", thing)


def _function(name: str, function: object) -> Iterator[str]:
    assert callable(function)
    signature = _QUOTED.sub(r"\1", str(inspect.signature(function))).replace("'", '"')
    yield f"#### `{name}`\n"
    yield f"```python\n{name}{signature}\n```\n"
    yield markdown_of(inspect.getdoc(function) or "") + "\n"


def _errors() -> Iterator[str]:
    yield "## Errors\n"
    yield markdown_of(inspect.getdoc(errors) or "").replace("Tree::\n\n", "") + "\n"
    classes = [
        each
        for each in vars(errors).values()
        if inspect.isclass(each) and issubclass(each, errors.ProMLError)
    ]
    found = sorted((each.exit_code, each.__name__, summary_of(each)) for each in classes)
    rows = [(f"`{name}`", str(code), about) for code, name, about in found]
    yield from _table(("class", "exit code", "raised when"), rows)


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|---" * len(columns) + "|"
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words) or "none"


if __name__ == "__main__":
    raise SystemExit(main())
