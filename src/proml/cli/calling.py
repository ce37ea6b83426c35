"""Calls a typer command and turns the parser's complaints into ours."""

from __future__ import annotations

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError

from proml.errors import UsageProblem


def call(app: typer.Typer, arguments: list[str], name: str) -> int:
    """Run a command; its return value is the exit code.

    Raises:
        UsageProblem: when the arguments are wrong.
    """
    try:
        return int(app(arguments, prog_name=name, standalone_mode=False) or 0)
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
