"""Commands of the node about its index: rebuild-index, index-digest; and fsck, which looks at all."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from proml.cli.find import looking
from proml.cli.terminal import busy, emit_json, safe, say, table
from proml.errors import UsageProblem
from proml.node.comparing import compare
from proml.node.index import Indexer, index_digest, inspect
from proml.node.index.rows import Head
from proml.node.participant import Participant

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]


def rebuild_index(as_json: Json = False) -> int:
    """Make the index again, from the ledger and the records here. Nothing else is in it, so nothing is lost.

    proml node rebuild-index
    """
    me = Participant.open()
    with (
        closing(Indexer(me.config.index_url, me.ledger, me.storage)) as indexer,
        busy("reading the ledger …"),
    ):
        advanced = indexer.rebuild()
    if as_json:
        emit_json({"block": advanced.head, "events": advanced.events})
    else:
        say(f"the index was made again: {advanced.events} events, up to block {advanced.head}")
    return 0


def digest_of_index(
    until: Annotated[
        int | None, typer.Option("--until", min=0, metavar="BLOCK", help="Up to this block, not the newest.")
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option("--compare", metavar="FILE", help="What another node's `index-digest --json` printed."),
    ] = None,
    as_json: Json = False,
) -> int:
    """The digest of what the index says of the ledger: the same on every honest node at the same block.

    Compares with another node's: exit code 1 when the two differ.

    proml node index-digest --json > ours.json
    proml node index-digest --compare theirs.json
    """
    me = Participant.open()
    theirs = _read(other) if other else None
    with looking(me) as view:
        made = index_digest(view, theirs["block"] if theirs else until)
    document = asdict(made)
    if theirs is None:
        if as_json:
            emit_json(document)
        else:
            table(("", ""), [("block", made.block), ("digest", made.digest), ("rows", made.rows)])
        return 0
    different = [name for name in made.tables if made.tables[name] != theirs["tables"].get(name)]
    same = made.digest == theirs["digest"] and not different
    if as_json:
        emit_json({**document, "same": same, "different": different})
    elif same:
        say(f"both say the same, up to block {made.block}")
    else:
        say(f"they differ up to block {made.block}, in: {safe(', '.join(different) or 'which ledger it is')}")
        say("hint: one of the two was altered, or was given a false chain; `proml node fsck` tells which")
    return 0 if same else 1


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
        fits = isinstance(content["block"], int) and isinstance(content["tables"], dict) and content["digest"]
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        fits = False
        content = {}
    if not fits:
        raise UsageProblem(f"{path} is not what `proml node index-digest --json` prints")
    return dict(content)


def problems_of_index(me: Participant) -> tuple[Head, list[str]]:
    """How far the index reads, and everything that is wrong with it; reads the whole ledger again."""
    with looking(me) as view:
        return view.head, inspect(view, me.ledger, me.storage)


def fsck(as_json: Json = False) -> int:
    """Compare everything the node keeps with the ledger. Exit code 1 when something is wrong.

    Changes nothing. The index is made again beside and compared; journal, records and outbox are read.

    proml node fsck
    """
    me = Participant.open()
    with busy("reading the ledger, and everything here …"):
        head, wrong = problems_of_index(me)
        found = [{"where": "index", "what": each} for each in wrong]
        found += [{"where": each.where, "what": each.text} for each in compare(me)]
    if as_json:
        emit_json({"block": head.number, "wrong": found})
    elif found:
        table(("where", "what is wrong"), [tuple(each.values()) for each in found])
        if wrong:
            say("hint: `proml node rebuild-index` makes the index again; find out who changed it")
    else:
        say(f"nothing is wrong, up to block {head.number}")
    return 1 if found else 0
