"""Calls a typer command and turns the parser's complaints into ours; knows how examples in help are kept."""

from __future__ import annotations

import inspect
import textwrap

import typer
from typer._click.core import Command
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError

from proml.errors import UsageProblem

# The parser leaves the lines of a paragraph as they are where this stands before them.
_AS_WRITTEN = "\b\n"


def call(app: typer.Typer, arguments: list[str], name: str) -> int:
    """Run a command; its return value is the exit code.

    Raises:
        UsageProblem: when the arguments are wrong.
    """
    try:
        return int(command_of(app)(arguments, prog_name=name, standalone_mode=False) or 0)
    except NoArgsIsHelpError as help_text:
        typer.echo(help_text.format_message())
        return 0
    except UsageError as error:
        context = error.ctx.command_path if error.ctx else name
        raise UsageProblem(error.format_message().rstrip("."), f"`{context} --help` shows how") from None
    except ClickException as error:
        raise UsageProblem(error.format_message()) from None
    except typer.Abort:
        raise KeyboardInterrupt from None


def command_of(app: typer.Typer) -> Command:
    """The command or group behind a typer application; examples in its help keep their lines."""
    made = typer.main.get_command(app)
    _keep_examples(made)
    return made


def _keep_examples(command: Command) -> None:
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(map(_kept, paragraphs))
    for each in getattr(command, "commands", {}).values():
        _keep_examples(each)


def _kept(paragraph: str) -> str:
    """An example is indented in its docstring; where nothing else follows the first line, that is lost."""
    if paragraph.startswith("proml "):
        return _AS_WRITTEN + textwrap.indent(paragraph, "    ")
    return _AS_WRITTEN + paragraph if paragraph.startswith(" ") else paragraph
