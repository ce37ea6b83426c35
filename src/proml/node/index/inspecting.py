"""Inspecting an index: whether the chain says what it says, and what it derives follows from that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import func, select

from proml.core.artefact import Artefact
from proml.core.digest import hexed
from proml.core.record import open_sealed
from proml.errors import NotFound, RecordInvalid, StorageProblem
from proml.interfaces import Ledger, Storage
from proml.lifecycles import shipped
from proml.node.index import schema
from proml.node.index.applying import standing_columns
from proml.node.index.digesting import index_digest
from proml.node.index.indexer import Indexer
from proml.node.index.opening import Index, View

# More of a kind say nothing more.
MOST = 20


def inspect(view: View, ledger: Ledger, storage: Storage | None = None) -> list[str]:
    """Everything that is wrong with an index, in words; empty when it is as the chain says.

    Reads the whole chain once more, up to the block that the index has, into an index beside it.
    """
    problems = [*_standings(view), *_documents(view, storage)]
    with TemporaryDirectory(prefix="proml-index-") as folder:
        url = f"sqlite:///{Path(folder) / 'index.sqlite'}"
        made = Indexer(url, ledger)
        made.advance(until=view.head.number)
        other = Index(url, ledger.terms, shipped(), view.names.name_of)
        with other.reading() as fresh:
            problems += differences(view, fresh)
        other.close()
        made.close()
    return problems


def differences(view: View, other: View) -> list[str]:
    """How two indexes differ in what they say of the chain, up to the last block that both have."""
    until = min(view.head.number, other.head.number)
    here, there = index_digest(view, until), index_digest(other, until)
    return [
        f"{name}: {here.tables[name]} here, {there.tables[name]} from the chain, up to block {until}"
        for name in here.tables
        if here.tables[name] != there.tables[name]
    ]


def _standings(view: View) -> Iterator[str]:
    """Artefacts that do not stand where their last step led."""
    table, step = schema.artefact, schema.step
    count = view.connection.execute(select(func.count(step.c.artefact.distinct()))).scalar_one()
    if count != view.connection.execute(select(func.count()).select_from(table)).scalar_one():
        yield "artefact: there are more or fewer than have steps"
    newest = (
        select(step.c.artefact, func.max(step.c.place).label("last")).group_by(step.c.artefact).subquery()
    )
    asked = (
        select(
            table,
            newest.c.last,
            step.c.word.label("last_word"),
            step.c.head.label("last_head"),
            step.c.contester.label("last_contester"),
        )
        .join(newest, newest.c.artefact == table.c.place)
        .join(step, step.c.place == newest.c.last)
    )
    wrong = 0
    for row in view.connection.execute(asked):
        word = int.from_bytes(row.last_word, "big")
        standing = Artefact.from_word(row.id, word, row.last_head, row.last_contester)
        lifecycle = view.consortium.shared.tables.get(standing.lifecycle)
        expected: dict[str, Any] = standing_columns(standing, lifecycle) if lifecycle else {}
        told = {name: getattr(row, name) for name in expected}
        if not lifecycle or told != expected or row.changed != row.last:
            wrong += 1
            if wrong <= MOST:
                yield f"artefact: {hexed(row.id)} does not stand where its last step led"


def _documents(view: View, storage: Storage | None) -> Iterator[str]:
    """Whole records that are not those in storage."""
    if storage is None:
        return
    table = schema.document
    asked = select(table.c.record, table.c.content).where(table.c.disclosed.is_(False))
    for row in view.connection.execute(asked):
        try:
            held = open_sealed(storage.get(row.record)).record
        except (NotFound, StorageProblem, RecordInvalid):
            yield f"document: the record {hexed(row.record)} is in the index, and not whole in storage"
            continue
        if json.loads(row.content)["fields"] != held:
            yield f"document: the record {hexed(row.record)} is another one in storage"
