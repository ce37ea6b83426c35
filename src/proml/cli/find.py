"""The command that searches the index: find."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from proml.capture.run import subject_of
from proml.cli.terminal import emit_json, say, short, table, when
from proml.core.digest import unhexed
from proml.errors import Busy, LedgerProblem, NotFound, UsageProblem
from proml.node.index import (
    Ask,
    FieldTest,
    Index,
    Indexer,
    View,
    Wanted,
    waiting_for,
)
from proml.node.index import (
    find as find_artefacts,
)
from proml.node.index import (
    tainted as tainted_artefacts,
)
from proml.node.index.rows import ArtefactRow, Page
from proml.node.participant import Participant

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
find_command = typer.Typer(add_completion=False, rich_markup_mode=None)
_TEST = re.compile(r"\s*([^\s=!<>]+)\s*(!=|<=|>=|=|<|>)\s*(.+?)\s*", re.DOTALL)
_DIGITS = re.compile(r"(?:0x)?((?:[0-9a-f]{2}){3,32})[0-9a-f]?", re.IGNORECASE)


@find_command.command()
def find(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="A name or its beginning, a digest, an id, or a file."),
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", "-k", metavar="KIND", help="Of this kind.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", "-s", metavar="STATE", help="In this state.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="A step of it was made by this organisation.")
    ] = None,
    custodian: Annotated[
        str | None, typer.Option("--custodian", metavar="NAME", help="In the custody of this organisation.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Changed then or later: 2026-11-20, or with a time."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Changed then or before; a day counts whole."),
    ] = None,
    where: Annotated[
        list[str],
        typer.Option("--where", "-w", metavar="TEST", help="A value in its records: metrics.accuracy>=0.9"),
    ] = [],
    recalled: Annotated[bool, typer.Option("--recalled", help="Recalled.")] = False,
    tainted: Annotated[
        bool, typer.Option("--tainted", help="Made from something recalled; alone only.")
    ] = False,
    unfinished: Annotated[
        bool,
        typer.Option("--unfinished", help="Begun and never brought to an end: runs that nobody finished."),
    ] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="What waits for you; alone only.")] = False,
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=500, metavar="N", help="How many.")] = 20,
    after: Annotated[
        str | None, typer.Option("--after", metavar="NEXT", help="Those after the page that ended with this.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Find artefacts by anything known of them, newest change first. Exit code 4 when there is none.

    proml find digits
    proml find model.joblib
    proml find --kind model --state approved --where 'metrics.accuracy>=0.9'
    proml find --kind run --unfinished --until 2026-11-01
    """
    me = Participant.open()
    if (tainted or waiting) and any(
        (text, kind, state, by, custodian, since, until, where, recalled, unfinished)
    ):
        raise UsageProblem("--tainted and --waiting stand alone", "leave the other options out")
    with looking(me) as view:
        if waiting:
            return _show_waiting(me, view, most, as_json)
        if tainted:
            rows, complete = tainted_artefacts(view, most)
            return _show(Page(tuple(rows), None if complete else ""), view, as_json)
        wanted = Wanted(
            **_named(me, text),
            kind=kind,
            state=state,
            organisation=_organisation(view, by),
            custodian=_organisation(view, custodian),
            since=_time(since, ends=False),
            until=_time(until, ends=True),
            recalled=True if recalled else None,
            unfinished=unfinished,
            fields=tuple(map(_test, where)),
        )
        return _show(find_artefacts(view, wanted, Ask(most, after)), view, as_json)


@contextmanager
def looking(me: Participant) -> Iterator[View]:
    """The index of a project, brought up to date if that can be done now; where not, as it is."""
    with closing(Index(me.config.index_url, me.ledger_file.terms, me.lifecycles, me.name_of)) as index:
        try:
            with closing(Indexer(me.config.index_url, me.ledger, me.storage)) as indexer:
                indexer.advance()
                indexer.take_documents()
        except (LedgerProblem, Busy):
            # A running node is at it, or the ledger is away: the answer says to which block it reads.
            pass
        with index.reading() as view:
            yield view


def _show(page: Page[ArtefactRow], view: View, as_json: bool) -> int:
    if as_json:
        emit_json(
            {"block": view.head.number, "artefacts": [asdict(row) for row in page.rows], "next": page.next}
        )
    elif page.rows:
        columns = ("id", "kind", "name", "state", "changed", "custodian", "certainty")
        table(columns, [_cells(row) for row in page.rows])
        if page.next is not None:
            say(f"there are more: --after {page.next}" if page.next else "there are more")
    else:
        say(f"nothing is like that, up to block {view.head.number}")
    return 0 if page.rows or page.next is not None else NotFound.exit_code


def _cells(row: ArtefactRow) -> tuple[str, ...]:
    state = f"{row.state} (recalled)" if row.recalled and row.state != "recalled" else row.state
    place = row.changed
    certain = place.certainty if place.certainty != "confirmed" else f"confirmed {place.confirmations}"
    return (short(row.id), row.kind, row.name, state, when(place.time), row.custodian.name, certain)


def _show_waiting(me: Participant, view: View, most: int, as_json: bool) -> int:
    key = view.consortium.shared.keys.get(me.signer.address)
    if key is None:
        raise NotFound("this project's key belongs to no member, so nothing waits for it")
    rows = waiting_for(view, key.organisation, most)
    if as_json:
        emit_json({"block": view.head.number, "waiting": [asdict(row) for row in rows]})
        return 0
    if not rows:
        say("nothing waits for you")
        return 0
    shown: list[tuple[Any, ...]] = []
    for row in rows:
        if row.artefact is not None:
            what = " ".join(filter(None, (row.artefact.kind, row.artefact.name, short(row.artefact.id))))
            shown.append((row.what, ", ".join(row.actions), what))
        elif row.proposal is not None:
            shown.append(
                (row.what, ", ".join(row.actions), f"proposal {row.proposal.number}: {row.proposal.change}")
            )
    table(("", "you may", "on"), shown)
    return 0


# --- what is asked for ------------------------------------------------------------------------------


def _named(me: Participant, text: str | None) -> dict[str, Any]:
    """By what a text means: a file that exists, a digest or how an id begins, else a name."""
    if text is None:
        return {}
    if os.path.lexists(text):
        return {"digest": unhexed(subject_of(Path(text), me.progress).sha256)}
    digits = _DIGITS.fullmatch(text)
    return {"digest": bytes.fromhex(digits[1])} if digits else {"name": text}


def _organisation(view: View, text: str | None) -> int | None:
    if text is None:
        return None
    members = view.consortium.shared.organisations
    names = {view.names.name_of(number): number for number in members}
    if text.isascii() and text.isdecimal() and int(text) in members:
        return int(text)
    if text not in names:
        raise UsageProblem(f"no organisation is called {text!r}", f"organisations are {', '.join(names)}")
    return names[text]


def _time(text: str | None, ends: bool) -> int | None:
    """Seconds since 1970; a day alone is its first second, or its last."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageProblem(f"{text!r} is no time", "write 2026-11-20, or 2026-11-20T19:30 (UTC)") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole_day = len(text) == len("2026-11-20")
    return int(moment.timestamp()) + (86_399 if ends and whole_day else 0)


def _test(text: str) -> FieldTest:
    """`metrics.accuracy>=0.9`; what is no number, or is in quotes, is a text."""
    found = _TEST.fullmatch(text)
    if found is None:
        raise UsageProblem(f"{text!r} is no test of a value", "write one as metrics.accuracy>=0.9")
    path, comparison, value = found.groups()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return FieldTest(path, comparison, value[1:-1])
    try:
        return FieldTest(path, comparison, float(value))
    except ValueError:
        return FieldTest(path, comparison, value)
