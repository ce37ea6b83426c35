"""Events into rows: the executable specification judges each, its state paged in from the index.

The specification (`core.history`) holds everything in memory; a ledger with a million artefacts does not fit.
So for every lot of events only what they touch is loaded, and afterwards let go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, update

from proml.core.artefact import Artefact
from proml.core.consortium import Actor
from proml.core.digest import ZERO, word
from proml.core.event import Acted, ActedApproved, Anchored, Approved, Placed, Refused, Registered, Step
from proml.core.lifecycle import Table as Lifecycle
from proml.errors import LedgerProblem
from proml.node.index import schema
from proml.node.index.consortium import Consortium, packed
from proml.node.index.schema import PLACE_BITS

PIECE = 500
MOST_IN_BLOCK = 1 << PLACE_BITS


@dataclass(slots=True)
class _Lot:
    """Rows of one lot of events, by table, and the artefacts it touches."""

    rows: dict[Table, list[dict[str, Any]]] = field(default_factory=dict)
    places: dict[bytes, int] = field(default_factory=dict)
    new: set[bytes] = field(default_factory=set)
    changed: dict[bytes, int] = field(default_factory=dict)

    def add(self, table: Table, **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)


def place_number(placed: Placed) -> int:
    """Block and position as one number, which orders everything and fits 63 bits."""
    if placed.index >= MOST_IN_BLOCK:
        raise LedgerProblem(f"block {placed.block.number} has more logs than this program can index")
    return placed.block.number << PLACE_BITS | placed.index


def apply(connection: Connection, consortium: Consortium, events: Sequence[Placed]) -> None:
    """Write what events in chain order say, and what follows from them, in the present transaction.

    `consortium` moves along with it: after an error it is of no more use.

    Raises:
        LedgerProblem: for an event that the contracts cannot have emitted after those before it. The ledger
            has left something out, or made something up: with what is pinned, nothing else is left.
    """
    if not events:
        return
    lot, shared = _Lot(), consortium.shared
    _load(connection, consortium, lot, events)
    blocks = {placed.block.number: placed.block for placed in events}
    for placed in events:
        before = _standing(consortium, placed)
        problem = shared.accept(placed.event, placed.block.number)
        if problem is not None:
            raise LedgerProblem(
                f"the ledger's events have a gap or are not its own: {type(placed.event).__name__} "
                f"in block {placed.block.number}: {problem}",
                "ask another node of the ledger; `proml node rebuild-index` then reads everything again",
            )
        _note(lot, consortium, placed, before)
    for block in blocks.values():
        lot.add(schema.block, number=block.number, hash=block.hash, time=block.time)
    _store(connection, consortium, lot)
    shared.artefacts.clear()
    shared.approved.clear()
    shared.performed.clear()


def standing_columns(standing: Artefact, table: Lifecycle) -> dict[str, Any]:
    """What the table of artefacts says of a standing, besides its places."""
    return {
        "id": standing.id,
        "lifecycle": standing.lifecycle,
        "state": standing.state,
        "sequence": standing.sequence,
        "usable": standing.usable_from > 0,
        "recalled": bool(table.recalled >> standing.state & 1),
        "terminal": bool(table.terminal >> standing.state & 1),
        "creator": standing.creator,
        "custodian": standing.custodian,
        "contester": standing.contester,
        "word": word(standing.word),
        "head": standing.head,
    }


def standing_of(identifier: bytes, row: Any) -> Artefact:
    """Where an artefact stands, by a row with its word, head and contester."""
    return Artefact.from_word(identifier, int.from_bytes(row.word, "big"), row.head, row.contester)


# --- what events touch, from the index --------------------------------------------------------------


def _load(connection: Connection, consortium: Consortium, lot: _Lot, events: Sequence[Placed]) -> None:
    """Page in the artefacts that events name, and the approvals given for their next steps."""
    named, approved = dict[bytes, None](), dict[bytes, None]()
    for placed in events:
        event = placed.event
        if isinstance(event, Registered | Acted):
            named[event.artefact] = None
            named |= dict.fromkeys(entry.artefact for entry in event.inputs)
        if isinstance(event, Approved | ActedApproved):
            named[event.artefact] = approved[event.artefact] = None
    table, shared = schema.artefact, consortium.shared
    for piece in _pieces(list(named)):
        for row in connection.execute(select(table).where(table.c.id.in_(piece))):
            standing = standing_of(row.id, row)
            shared.artefacts[row.id] = standing
            lot.places[row.id] = row.place
            if standing.several:
                _load_performers(connection, consortium, standing, row.place)
    _load_approvals(connection, consortium, lot, [each for each in approved if each in lot.places])


def _load_performers(connection: Connection, consortium: Consortium, standing: Artefact, place: int) -> None:
    """Duties performed by others than their first performer: the word only says that there are some."""
    table, step, shared = consortium.shared.tables[standing.lifecycle], schema.step, consortium.shared
    asked = select(step.c.before, step.c.action, step.c.organisation).where(step.c.artefact == place)
    for before, action, organisation in connection.execute(asked):
        rule = table.rule(before, action)
        if rule and rule.duty and standing.performers[rule.duty - 1] != organisation:
            at = (standing.id, organisation)
            shared.performed[at] = shared.performed.get(at, 0) | 1 << rule.duty


def _load_approvals(
    connection: Connection, consortium: Consortium, lot: _Lot, artefacts: Sequence[bytes]
) -> None:
    table, target = schema.approval, schema.artefact
    for piece in _pieces([lot.places[each] for each in artefacts]):
        asked = (
            select(table, target.c.id)
            .join(target, target.c.place == table.c.artefact)
            .where(table.c.artefact.in_(piece), table.c.sequence > target.c.sequence)
        )
        for row in connection.execute(asked):
            actor, subject = Actor(row.organisation, row.key), row.subject or ZERO
            given = (row.id, row.action, row.sequence, subject, actor, row.record)
            consortium.shared.approved.add(given)


def _standing(consortium: Consortium, placed: Placed) -> int:
    """The state that the event's artefact is in before it, 0 where it has none."""
    event = placed.event
    if not isinstance(event, Acted):
        return 0
    standing = consortium.shared.artefacts.get(event.artefact)
    return standing.state if standing else 0


# --- rows -----------------------------------------------------------------------------------------


def _note(lot: _Lot, consortium: Consortium, placed: Placed, before: int) -> None:
    where, event = place_number(placed), placed.event
    match event:
        case Registered() | Acted():
            _note_step(lot, consortium, placed, before)
        case Approved():
            lot.add(
                schema.approval,
                place=where,
                artefact=lot.places[event.artefact],
                sequence=event.sequence,
                action=event.action,
                subject=_subject(event.subject),
                organisation=event.actor.organisation,
                key=event.actor.key,
                record=event.record,
                transaction=placed.transaction,
            )
        case Anchored():
            lot.add(
                schema.anchor,
                place=where,
                organisation=event.actor.organisation,
                number=event.number,
                root=event.root,
                leaves=str(event.count),
                key=event.actor.key,
                head=consortium.shared.anchor_heads[event.actor.organisation],
                transaction=placed.transaction,
            )
        case Refused():
            lot.add(
                schema.refusal,
                place=where,
                name=event.artefact,
                organisation=event.actor.organisation,
                key=event.actor.key,
                item=event.item,
                reason=event.reason,
                transaction=placed.transaction,
            )
        case _:
            topics, content = packed(event)
            name = type(event).__name__
            lot.add(
                schema.decision,
                place=where,
                event=name,
                topics=topics,
                content=content,
                transaction=placed.transaction,
            )
            consortium.note(event, where)


def _note_step(lot: _Lot, consortium: Consortium, placed: Placed, before: int) -> None:
    where, event = place_number(placed), placed.event
    assert isinstance(event, Registered | Acted)
    if isinstance(event, Registered):
        lot.places[event.artefact] = where
        lot.new.add(event.artefact)
    artefact, now = lot.places[event.artefact], consortium.shared.artefacts[event.artefact]
    lot.changed[event.artefact] = where
    lot.add(
        schema.step,
        place=where,
        artefact=artefact,
        sequence=event.sequence,
        action=event.action,
        before=before,
        state=event.state,
        lifecycle=now.lifecycle,
        organisation=event.actor.organisation,
        key=event.actor.key,
        record=event.record,
        subject=_subject(event.subject),
        word=word(now.word),
        head=now.head,
        contester=now.contester,
        transaction=placed.transaction,
    )
    _note_grounds(lot, event, where, artefact)


def _note_grounds(lot: _Lot, event: Step, where: int, artefact: int) -> None:
    """What a step rests on: inputs and approvals."""
    for ordinal, entry in enumerate(event.inputs):
        lot.add(
            schema.derivation,
            step=where,
            ordinal=ordinal,
            artefact=artefact,
            source=lot.places[entry.artefact],
            source_sequence=entry.sequence,
        )
    if isinstance(event, ActedApproved):
        for approval in event.approvals:
            actor = approval.actor
            lot.add(
                schema.reliance,
                step=where,
                organisation=actor.organisation,
                key=actor.key,
                record=approval.record,
            )


def _subject(subject: bytes) -> bytes | None:
    return None if subject == ZERO else subject


def _store(connection: Connection, consortium: Consortium, lot: _Lot) -> None:
    shared, changes = consortium.shared, list[dict[str, Any]]()
    for artefact, changed in lot.changed.items():
        standing = shared.artefacts[artefact]
        columns = standing_columns(standing, shared.tables[standing.lifecycle])
        if artefact in lot.new:
            lot.add(schema.artefact, **columns, place=lot.places[artefact], changed=changed)
        else:
            changes.append({**columns, "at": lot.places[artefact], "changed": changed})
    for table, rows in lot.rows.items():
        connection.execute(insert(table), rows)
    store_standings(connection, changes)
    _forget_displaced(connection, [row["record"] for row in lot.rows.get(schema.step, ())])


def store_standings(connection: Connection, changes: list[dict[str, Any]]) -> None:
    """Change artefacts: `standing_columns`, `changed`, and their place as `at`."""
    if changes:
        connection.execute(update(schema.artefact).where(schema.artefact.c.place == bindparam("at")), changes)


def _forget_displaced(connection: Connection, records: Sequence[bytes]) -> None:
    """Steps that a reorganisation had displaced, and that stand in a block again."""
    if connection.execute(select(func.count()).select_from(schema.displaced)).scalar_one():
        for piece in _pieces(records):
            connection.execute(delete(schema.displaced).where(schema.displaced.c.record.in_(piece)))


def _pieces(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + PIECE] for start in range(0, len(values), PIECE))
