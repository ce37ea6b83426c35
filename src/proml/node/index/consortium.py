"""The consortium as the index knows it: its decisions, replayed by the executable specification.

There are few of them, so no table holds what follows from them: nothing to roll back, nothing to tamper with.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, func, select

from proml.contracts.abi import decode_event, encode_event
from proml.core.event import Event, ProposalMade
from proml.core.history import SharedHistory
from proml.errors import IndexProblem
from proml.interfaces import Terms
from proml.node.index import schema
from proml.node.index.schema import PLACE_BITS

_WORD = 32


@dataclass(slots=True)
class Consortium:
    """What all decisions up to a place add up to.

    Attributes:
        shared: the specification's state: members, keys, lifecycles and proposals; no artefacts.
        proposed: place of each proposal, by its number.
    """

    shared: SharedHistory
    proposed: dict[int, int] = field(default_factory=dict)

    def note(self, event: Event, place: int) -> None:
        """Remember where a proposal was made."""
        if isinstance(event, ProposalMade):
            self.proposed[event.number] = place


def packed(event: Event) -> tuple[bytes, bytes]:
    """Topics, one after the other, and data of the log that carries an event."""
    topics, content = encode_event(event)
    return b"".join(topics), content


def unpacked(topics: bytes, content: bytes) -> Event:
    """The event behind what `packed` gave."""
    words = [topics[start : start + _WORD] for start in range(0, len(topics), _WORD)]
    return decode_event(words, content)


def last_decision(connection: Connection) -> tuple[int, bytes]:
    """Place of the newest decision, and hash of its block, which fixes all before it; (0, b"") for none."""
    place = connection.execute(select(func.max(schema.decision.c.place))).scalar()
    if place is None:
        return 0, b""
    number = place >> PLACE_BITS
    asked = select(schema.block.c.hash).where(schema.block.c.number == number)
    return place, connection.execute(asked).scalar_one()


def replay(connection: Connection, terms: Terms) -> Consortium:
    """All decisions in the index, replayed.

    Raises:
        IndexProblem: when they are not what the contracts can have decided: somebody changed the index.
    """
    made = Consortium(SharedHistory(terms.chain_id, terms.contract))
    table = schema.decision
    asked = select(table.c.place, table.c.topics, table.c.content).order_by(table.c.place)
    for place, topics, content in connection.execute(asked):
        event = unpacked(topics, content)
        problem = made.shared.accept(event, place >> PLACE_BITS)
        if problem is not None:
            raise IndexProblem(
                f"the index was changed by something else than ProML: {problem}",
                "`proml node rebuild-index` makes it again from the chain",
            )
        made.note(event, place)
    return made


def resume(connection: Connection, terms: Terms) -> Consortium:
    """The same, with what organisations anchored: all that the next events need besides artefacts."""
    made, table = replay(connection, terms), schema.anchor
    newest = select(func.max(table.c.place)).group_by(table.c.organisation)
    for row in connection.execute(select(table).where(table.c.place.in_(newest))):
        organisation = made.shared.organisations[row.organisation]
        made.shared.organisations[row.organisation] = replace(organisation, anchors=row.number)
        made.shared.anchor_heads[row.organisation] = row.head
    return made
