"""Views made from a chronicle: the same reading for the command line, a report and a node's pages."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proml.core.chronicle import Chronicle, Transition
from proml.core.digest import hexed
from proml.core.lifecycle import Lifecycle
from proml.core.lineage import Lineage, tainted_by, taints
from proml.core.recall import due
from proml.export.view import (
    AcknowledgementView,
    ArtefactView,
    DerivationView,
    LineageView,
    Timeline,
    TimelineStep,
)

# A drawing of more says nothing to anybody, and takes long to lay out.
MOST_ARTEFACTS = 300
MOST_LINKS = 1_500


@dataclass(frozen=True, slots=True)
class Names:
    """What numbers and ids are called.

    Attributes:
        lifecycles: by number on the ledger; a missing one leaves its states and actions numbered.
        name_of: an organisation's name by its number, `LedgerFile.name_of` for one.
        artefacts: names by id, as far as records are at hand.
        abandoned: ids of what is open beyond its deadline, as far as plans are at hand.
    """

    lifecycles: Mapping[int, Lifecycle]
    name_of: Callable[[int], str]
    artefacts: Mapping[bytes, str]
    abandoned: frozenset[bytes] = frozenset()

    def kind(self, lifecycle: int) -> str:
        """The kind that a lifecycle is of."""
        known = self.lifecycles.get(lifecycle)
        return known.kind if known else f"lifecycle-{lifecycle}"

    def state(self, lifecycle: int, number: int) -> str:
        """A state's name."""
        known = self.lifecycles.get(lifecycle)
        return known.state_name(number) if known else f"state-{number}"

    def action(self, lifecycle: int, number: int) -> str:
        """An action's name."""
        known = self.lifecycles.get(lifecycle)
        return known.action_name(number) if known else f"action-{number}"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one transaction took: gas, and seconds from sending to its first block and to finality."""

    gas: int | None = None
    first_block: float | None = None
    final: float | None = None


def lineage_view(
    chronicle: Chronicle, lineage: Lineage, names: Names, most: int = MOST_ARTEFACTS
) -> LineageView:
    """The drawing of a lineage; of more than `most` artefacts, or links, those nearest to the focus.

    Every taint counts, whether the recalled artefact is in the drawing or not; taint paths to the focus
    are given as far as they are in the drawing.
    """
    shown = _in_order(chronicle, _nearest(lineage, most))
    recalled = [each for each in chronicle.histories if chronicle.is_recalled(each)]
    reached = {source: tainted_by(chronicle, source) for source in recalled}
    tainted = {each for source in recalled for each in reached[source]}
    unsafe = tainted.union(recalled)
    paths = [taint.path for taint in taints(chronicle, lineage.focus)]
    chosen = frozenset(shown)
    return LineageView(
        focus=hexed(lineage.focus),
        artefacts=tuple(_artefact(chronicle, names, each, each in tainted) for each in shown),
        derivations=tuple(
            DerivationView(
                source=hexed(each.source),
                target=hexed(each.artefact),
                source_sequence=each.source_sequence,
                sequence=each.sequence,
                action=_action(names, chronicle.histories[each.artefact][each.sequence - 1]),
                carries_taint=each.source in unsafe,
            )
            for each in lineage.derivations
            if each.source in chosen and each.artefact in chosen
        ),
        taint_paths=tuple(tuple(map(hexed, path)) for path in paths if chosen.issuperset(path)),
        left_out=len(lineage.artefacts) - len(shown),
        acknowledgements=tuple(
            AcknowledgementView(
                hexed(source),
                hexed(artefact),
                names.name_of(owed.organisation),
                owed.given.block.number if owed.given else None,
            )
            for source in recalled
            for artefact in reached[source]
            if artefact in chosen and (owed := due(chronicle, source, artefact))
        ),
    )


def timeline_view(chronicle: Chronicle, names: Names, costs: Mapping[bytes, Cost] | None = None) -> Timeline:
    """Every accepted step in chain order; `costs` by the hash of the transaction.

    Lanes are the organisations that made a step, in the order of their admission.
    """
    transitions = sorted(
        (each for history in chronicle.histories.values() for each in history),
        key=lambda each: (each.placed.block.number, each.placed.index),
    )
    shares = Counter(each.placed.transaction for each in transitions)
    actors = sorted({each.step.actor.organisation for each in transitions})
    return Timeline(
        organisations=tuple(names.name_of(number) for number in actors),
        steps=tuple(_step(chronicle, names, each, _share(costs or {}, each, shares)) for each in transitions),
    )


def _artefact(chronicle: Chronicle, names: Names, artefact: bytes, tainted: bool) -> ArtefactView:
    standing = chronicle.shared.artefacts[artefact]
    return ArtefactView(
        id=hexed(artefact),
        kind=names.kind(standing.lifecycle),
        name=names.artefacts.get(artefact, ""),
        state=names.state(standing.lifecycle, standing.state),
        organisation=names.name_of(standing.creator),
        is_recalled=chronicle.is_recalled(artefact),
        is_tainted=tainted,
        is_abandoned=artefact in names.abandoned,
    )


def _step(chronicle: Chronicle, names: Names, transition: Transition, cost: Cost) -> TimelineStep:
    step, placed, lifecycle = transition.step, transition.placed, transition.lifecycle
    return TimelineStep(
        time=placed.block.time,
        block=placed.block.number,
        transaction=hexed(placed.transaction),
        organisation=names.name_of(step.actor.organisation),
        action=_action(names, transition),
        artefact=hexed(step.artefact),
        kind=names.kind(lifecycle),
        name=names.artefacts.get(step.artefact, ""),
        state=names.state(lifecycle, step.state),
        sequence=step.sequence,
        is_recall=bool(chronicle.shared.tables[lifecycle].recalled >> step.state & 1),
        gas=cost.gas,
        first_block=cost.first_block,
        final=cost.final,
    )


def _action(names: Names, transition: Transition) -> str:
    return names.action(transition.lifecycle, transition.step.action)


def _share(costs: Mapping[bytes, Cost], transition: Transition, shares: Counter[bytes]) -> Cost:
    transaction = transition.placed.transaction
    cost = costs.get(transaction, Cost())
    gas = None if cost.gas is None else round(cost.gas / shares[transaction])
    return Cost(gas, cost.first_block, cost.final)


def _in_order(chronicle: Chronicle, artefacts: list[bytes]) -> list[bytes]:
    """By registration, so that drawings read in the order in which things happened."""
    placed = {each: chronicle.histories[each][0].placed for each in artefacts}
    return sorted(artefacts, key=lambda each: (placed[each].block.number, placed[each].index))


def _nearest(lineage: Lineage, most: int) -> list[bytes]:
    """The artefacts of a lineage by their distance from the focus, whatever the direction.

    At most `most` of them, and so many that no more than MOST_LINKS pairs among them are linked.
    """
    linked: dict[bytes, dict[bytes, int]] = {each: {} for each in lineage.artefacts}
    for source, target in {(each.source, each.artefact) for each in lineage.derivations}:
        linked[source][target] = linked[source].get(target, 0) + 1
        linked[target][source] = linked[target].get(source, 0) + 1
    place = {each: number for number, each in enumerate(lineage.artefacts)}
    found = {lineage.focus: None}
    frontier = deque([lineage.focus])
    links = 0
    while frontier:
        for other in sorted(linked[frontier.popleft()], key=place.__getitem__):
            if other in found:
                continue
            links += sum(pairs for each, pairs in linked[other].items() if each in found)
            if len(found) == most or links > MOST_LINKS:
                return list(found)
            found[other] = None
            frontier.append(other)
    return list(found)
