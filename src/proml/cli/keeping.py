"""Commands about whom an artefact is with, and about disputes: custody, contest, answer, settle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from proml.cli.record import noted
from proml.cli.terminal import ask_passphrase, busy
from proml.core.digest import hexed
from proml.node import keeping
from proml.node.participant import Participant
from proml.node.targets import artefact_meant

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Push = Annotated[bool, typer.Option("--push", help="Take it to the ledger at once.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="Its file, folder, id or name.")]
Why = Annotated[str, typer.Option("--text", "-t", metavar="TEXT", help="Why; it stays in the record.")]
More = Annotated[str, typer.Option("--text", "-t", metavar="TEXT", help="What there is to say of it.")]

custody_command = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Whom an artefact is with: handed over by the one who has it and the one who takes it.",
)
contest_command = typer.Typer(add_completion=False, rich_markup_mode=None)
answer_command = typer.Typer(add_completion=False, rich_markup_mode=None)
settle_command = typer.Typer(add_completion=False, rich_markup_mode=None)


@custody_command.command()
def offer(
    target: Target,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="Whom to, by name or number.")],
    text: More = "",
    push: Push = False,
    as_json: Json = False,
) -> int:
    """Offer an artefact to another member. It stays with you until that member accepts.

    proml custody offer model.joblib "Acme Clinic" --push
    """
    return _note("offer", target, partial(keeping.offer, member=member, text=text), push, as_json)


@custody_command.command()
def accept(target: Target, text: More = "", push: Push = False, as_json: Json = False) -> int:
    """Accept an artefact that was offered to you: from then on it is with you.

    proml custody accept 0x3fe21a --text "received and verified" --push
    """
    return _note("accept", target, partial(keeping.accept, text=text), push, as_json)


@custody_command.command()
def withdraw(target: Target, text: More = "", push: Push = False, as_json: Json = False) -> int:
    """Withdraw an offer that nobody accepted yet."""
    return _note("withdraw the offer of", target, partial(keeping.withdraw, text=text), push, as_json)


@contest_command.command()
def contest(target: Target, text: Why, push: Push = False, as_json: Json = False) -> int:
    """Contest an artefact. Any member may; it stops nothing, and everybody sees it.

    proml contest data/ --text "half of the labels are machine-made" --push
    """
    return _note("contest", target, partial(keeping.contest, text=text), push, as_json)


@answer_command.command()
def answer(target: Target, text: Why, push: Push = False, as_json: Json = False) -> int:
    """Answer a dispute about an artefact that is with you.

    proml answer data/ --text "see step 5: they were redone" --push
    """
    return _note("answer the dispute about", target, partial(keeping.answer, text=text), push, as_json)


@settle_command.command()
def settle(target: Target, text: Why, push: Push = False, as_json: Json = False) -> int:
    """Settle a dispute: whoever contested may, or an auditor that the artefact is not with.

    proml settle data/ --text "200 labels checked by hand" --push
    """
    return _note("settle the dispute about", target, partial(keeping.settle, text=text), push, as_json)


def _note(
    what: str, target: str, act: Callable[[Participant, bytes], None], push: bool, as_json: bool
) -> int:
    me = Participant.open(passphrase=ask_passphrase)
    with busy("looking …") as me.progress:
        artefact = artefact_meant(me, me.chronicle(), target)
        act(me, artefact)
    document = {"did": what, "artefact": hexed(artefact)}
    return noted(me, document, f"noted: {what} {target}", push, as_json)
