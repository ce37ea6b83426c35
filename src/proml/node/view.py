"""What a participant sees of the ledger when it is about to write: the chronicle, and who it is there."""

from __future__ import annotations

from dataclasses import dataclass

from proml.core.artefact import artefact_id
from proml.core.chronicle import Chronicle
from proml.core.event import Block
from proml.core.history import SharedHistory
from proml.core.lifecycle import Lifecycle
from proml.errors import KeyProblem, LedgerProblem, UsageProblem
from proml.interfaces import Ledger, Terms


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What sealing needs to know of the ledger and of who writes to it.

    Attributes:
        terms: the pinned terms.
        chronicle: all events up to the moment.
        lifecycles: those whose files are at hand.
        organisation: number of the writing organisation.
        key: 20-byte address of the writing key.
    """

    terms: Terms
    chronicle: Chronicle
    lifecycles: tuple[Lifecycle, ...]
    organisation: int
    key: bytes

    def id_of(self, salt: bytes) -> bytes:
        """The id that a salt gives under this key."""
        return artefact_id(self.terms.chain_id, self.terms.contract, self.key, salt)

    def lifecycle_for(self, kind: str, action: str | None = None) -> Lifecycle:
        """The lifecycle under which something of a kind is registered, by this action if it says one.

        Where the ledger has admitted several, the newest: that is what the members decided last.

        Raises:
            UsageProblem: when there is none of that kind here, or the ledger has not admitted it.
        """
        found = [lifecycle for lifecycle in self.lifecycles if lifecycle.kind == kind]
        if not found:
            kinds = ", ".join(lifecycle.kind for lifecycle in self.lifecycles)
            raise UsageProblem(f"there is no lifecycle for the kind {kind!r}", f"kinds are {kinds}")
        numbers = {document: number for number, document in self.chronicle.documents.items()}
        admitted = [each for each in found if each.table.document in numbers]
        if not admitted:
            raise UsageProblem(
                f"the ledger has not admitted a lifecycle of the kind {kind!r}",
                "`proml lifecycle propose` asks the members for it",
            )
        fitting = [each for each in admitted if action is None or action in registering_actions(each)]
        if not fitting:
            raise UsageProblem(
                f"no {kind} is registered by {action!r}", "`proml lifecycle show` says by what"
            )
        return max(fitting, key=lambda each: numbers[each.table.document])

    def lifecycle_of(self, artefact: bytes) -> Lifecycle | None:
        """The lifecycle of a registered artefact, None when it is not registered or its file is not here."""
        return lifecycle_in(self.chronicle, self.lifecycles, artefact)

    def lifecycle_numbered(self, number: int) -> Lifecycle | None:
        """The lifecycle that the ledger knows by a number, None when its file is not here."""
        document = self.chronicle.documents.get(number)
        return next((each for each in self.lifecycles if each.table.document == document), None)

    def number_of(self, lifecycle: Lifecycle) -> int:
        """The number under which the ledger knows a lifecycle.

        Raises:
            UsageProblem: when the ledger has not admitted it.
        """
        for number, table in self.chronicle.shared.tables.items():
            if table.id == lifecycle.table.id:
                return number
        raise UsageProblem(
            f"the ledger has not admitted this lifecycle of {lifecycle.kind!r}",
            "it was made with other lifecycle files",
        )

    def age(self, artefact: bytes) -> tuple[int, int]:
        """Sorts artefacts by when they were registered; those not on the ledger yet come last."""
        history = self.chronicle.histories.get(artefact)
        return (history[0].placed.block.number, history[0].placed.index) if history else (1 << 62, 0)


def registering_actions(lifecycle: Lifecycle) -> list[str]:
    """The actions that register, by name."""
    return sorted({lifecycle.action_name(rule.action) for rule in lifecycle.table.rules if rule.state == 0})


def registering_action(lifecycle: Lifecycle) -> str:
    """The action that registers, where a lifecycle has exactly one.

    Raises:
        UsageProblem: when it has several, so that one must be chosen.
    """
    names = registering_actions(lifecycle)
    if len(names) != 1:
        raise UsageProblem(
            f"a {lifecycle.kind} can be registered by {', '.join(names)}", "choose one of them"
        )
    return names[0]


def lifecycle_in(
    chronicle: Chronicle, lifecycles: tuple[Lifecycle, ...], artefact: bytes
) -> Lifecycle | None:
    """Which of `lifecycles` a registered artefact has; None when it is none of them."""
    standing = chronicle.shared.artefacts.get(artefact)
    document = chronicle.documents.get(standing.lifecycle) if standing else None
    return next((each for each in lifecycles if each.table.document == document), None)


def chronicle_of(ledger: Ledger) -> Chronicle:
    """Every history of a ledger, from its first block to its newest."""
    return chronicle_until(ledger, ledger.head().number)


def chronicle_until(ledger: Ledger, last: int) -> Chronicle:
    """Every history of a ledger, from its first block to this one."""
    terms = ledger.terms
    chronicle = Chronicle(SharedHistory(terms.chain_id, terms.contract))
    return chronicle.take(ledger.events(terms.deployed, last))


class Reading:
    """The chronicle of a ledger, read on from where it was read last."""

    def __init__(self, ledger: Ledger) -> None:
        """Nothing is read before `chronicle`."""
        self._ledger = ledger
        self._chronicle: Chronicle | None = None
        self._at: Block | None = None

    def chronicle(self) -> Chronicle:
        """Every history up to the newest block; the same object as before unless the chain changed behind it.

        Raises:
            LedgerProblem: when it cannot be read, or moves meanwhile; what was read is then kept or forgotten
                as a whole.
        """
        head = self._ledger.head()
        if self._chronicle is None or self._at is None or not self._still_there(self._at, head):
            self._chronicle, self._at = chronicle_until(self._ledger, head.number), None
        elif head.number > self._at.number:
            # As a list: half of it taken would be worse than none.
            self._chronicle.take(list(self._ledger.events(self._at.number + 1, head.number)))
        if self._ledger.block(head.number) != head:
            self.forget()
            raise LedgerProblem(f"block {head.number} was replaced while it was read", "try again")
        self._at = head
        return self._chronicle

    def forget(self) -> None:
        """Read everything anew next time."""
        self._chronicle = self._at = None

    def _still_there(self, block: Block, head: Block) -> bool:
        return block.number <= head.number and self._ledger.block(block.number) == block


def view_in(chronicle: Chronicle, terms: Terms, lifecycles: tuple[Lifecycle, ...], key: bytes) -> LedgerView:
    """What the holder of `key` (20 bytes) sees of a ledger.

    Raises:
        KeyProblem: when the key belongs to no member.
    """
    known = chronicle.shared.keys.get(key)
    if known is None:
        raise KeyProblem(
            f"the key 0x{key.hex()} belongs to no member of this consortium", "ask a member to add it"
        )
    return LedgerView(terms, chronicle, lifecycles, known.organisation, key)
