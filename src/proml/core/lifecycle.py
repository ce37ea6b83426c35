"""Lifecycles: tables of states, actions and who may act, as the ledger holds them.

The ledger holds numbers (contracts/lifecycles.vy), a lifecycle file has the names (`lifecycle_file.py`).
The two are tied together by the lifecycle's id, which covers the digest of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from proml.core.consortium import role_names
from proml.core.digest import keccak256, word
from proml.errors import LifecycleInvalid, UsageProblem

NONE = "none"
MAX_STATES = 64
# Numbers above are those of `Alike`.
MAX_ACTIONS = 239
MAX_RULES = 128
MAX_DUTIES = 6
MAX_INPUTS = 32
# Approvals that a rule can ask for, and that a step can name.
MAX_APPROVALS = 8

_FLAGS = {"custodian": 4, "subject": 8, "approve": 16, "recall": 32}
# What states and actions are called where only the ledger's numbers are known.
_STATE_NUMBERS = tuple(f"state-{number}" for number in range(MAX_STATES))
_ACTION_NUMBERS = tuple(f"action-{number}" for number in range(1, MAX_ACTIONS + 1))


class Alike(IntEnum):
    """A step that every lifecycle has alike (custody.py), by its action number.

    No lifecycle gives one of these names, in small letters, to an action of its own.
    """

    OFFER_CUSTODY = 240
    ACCEPT_CUSTODY = 241
    CONTEST = 242
    ANSWER = 243
    SETTLE = 244


_ALIKE_NAMES = {step.value: step.name.lower() for step in Alike}
ALIKE_NUMBERS = {name: number for number, name in _ALIKE_NAMES.items()}


@dataclass(frozen=True, slots=True)
class Rule:
    """One accepted move: in `state` (0: not registered), `action` by a holder of one of `roles`.

    Attributes:
        following: the next state, 1 to 63.
        usable: whether the next state may serve as an input.
        least_inputs: how many inputs the step must name, 0 to 32.
        inputs_usable: whether each input must be usable.
        input_kind: tag of the kind at least one input must have; 0 for any.
        duty: 0, or the duty 1..6 this action performs.
        differs: mask of duties (bit 0: creator) the acting organisation must not have performed.
        custodian, subject, approve, recall: the flags of docs/contracts.md.
        approvals: by how many organisations the step must be approved before, 0 to 8.
        approver_differs: mask of duties, as `differs`, that none of them must have performed.
        approver_roles: mask of roles of which each of them must hold one.
    """

    state: int
    action: int
    following: int
    roles: int
    usable: bool = False
    least_inputs: int = 0
    inputs_usable: bool = False
    input_kind: int = 0
    duty: int = 0
    differs: int = 0
    custodian: bool = False
    subject: bool = False
    approve: bool = False
    recall: bool = False
    approvals: int = 0
    approver_differs: int = 0
    approver_roles: int = 0

    @property
    def flags(self) -> int:
        """The flag byte of the contract's rule word."""
        named = sum(bit for name, bit in _FLAGS.items() if getattr(self, name))
        return named | (1 if self.usable else 0) | (2 if self.inputs_usable else 0)

    @property
    def word(self) -> int:
        """The contract's packed form."""
        return (
            self.following
            | self.flags << 8
            | self.least_inputs << 16
            | self.input_kind << 24
            | self.duty << 56
            | self.differs << 64
            | self.approvals << 72
            | self.approver_differs << 80
            | self.roles << 88
            | self.approver_roles << 152
            | self.state << 216
            | self.action << 224
        )

    @classmethod
    def from_word(cls, value: int) -> Rule:
        """The rule behind a word; reserved parts must be zero.

        Raises:
            LifecycleInvalid: for a word this version cannot have written.
        """
        flags = value >> 8 & 255
        rule = cls(
            state=value >> 216 & 255,
            action=value >> 224 & 255,
            following=value & 255,
            roles=value >> 88 & (2**64 - 1),
            usable=bool(flags & 1),
            least_inputs=value >> 16 & 255,
            inputs_usable=bool(flags & 2),
            input_kind=value >> 24 & (2**32 - 1),
            duty=value >> 56 & 255,
            differs=value >> 64 & 255,
            custodian=bool(flags & 4),
            subject=bool(flags & 8),
            approve=bool(flags & 16),
            recall=bool(flags & 32),
            approvals=value >> 72 & 255,
            approver_differs=value >> 80 & 255,
            approver_roles=value >> 152 & (2**64 - 1),
        )
        if rule.word != value:
            raise LifecycleInvalid(f"rule word {value:#066x} uses reserved bits")
        return rule


def kind_tag(kind: str) -> int:
    """The 32-bit number by which the ledger knows a kind: the first 4 bytes of its Keccak-256."""
    return int.from_bytes(keccak256(kind.encode("utf-8"))[:4], "big")


@dataclass(frozen=True, slots=True)
class Table:
    """What the ledger knows of a lifecycle: masks over states, rules, and the digest of its file."""

    kind: int
    usable: int
    terminal: int
    recalled: int
    document: bytes
    rules: tuple[Rule, ...]

    @property
    def properties(self) -> int:
        """The contract's property word."""
        return self.kind | self.usable << 32 | self.terminal << 96 | self.recalled << 160

    @property
    def id(self) -> bytes:
        """keccak256(abi_encode(properties, document, rules)), 32 bytes."""
        return self.id_of(self.properties, self.document, [rule.word for rule in self.rules])

    @staticmethod
    def id_of(properties: int, document: bytes, rules: Sequence[int]) -> bytes:
        """The id of a table by its words, whether they can be admitted or not."""
        head = word(properties) + document + word(96) + word(len(rules))
        return keccak256(head + b"".join(word(rule) for rule in rules))

    @classmethod
    def from_words(cls, properties: int, document: bytes, rules: tuple[int, ...]) -> Table:
        """The table behind the words of a `LifecycleAdmitted` event.

        Raises:
            LifecycleInvalid: for words the contracts do not admit.
        """
        mask = 2**64 - 1
        table = cls(
            kind=properties & (2**32 - 1),
            usable=properties >> 32 & mask,
            terminal=properties >> 96 & mask,
            recalled=properties >> 160 & mask,
            document=document,
            rules=tuple(Rule.from_word(value) for value in rules),
        )
        problem = admission_problem(table)
        if problem or table.properties != properties:
            raise LifecycleInvalid(problem or f"property word {properties:#066x} uses reserved bits")
        return table

    def rule(self, state: int, action: int) -> Rule | None:
        """The rule for an action in a state, or None when there is no such transition."""
        return next((rule for rule in self.rules if rule.state == state and rule.action == action), None)


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A table together with its names.

    Attributes:
        kind: what it is the lifecycle of, for example `dataset`.
        states: names by number; `states[0]` is `none`.
        actions: names by number minus 1.
        duties: names by number minus 1.
        document: the canonical JSON of its file; `table.document` is its SHA-256.
    """

    kind: str
    about: str
    states: tuple[str, ...]
    actions: tuple[str, ...]
    duties: tuple[str, ...]
    table: Table
    document: bytes

    def state_name(self, number: int) -> str:
        """Name of a state, or `state-N` where the table has no such number."""
        return self.states[number] if number < len(self.states) else f"state-{number}"

    def action_name(self, number: int) -> str:
        """Name of an action, those of `Alike` among them, or `action-N`."""
        if 0 < number <= len(self.actions):
            return self.actions[number - 1]
        return _ALIKE_NAMES.get(number, f"action-{number}")

    def action_number(self, name: str) -> int:
        """Number of an action, those of `Alike` among them.

        Raises:
            UsageProblem: when the lifecycle has no such action; the hint lists those it has.
        """
        if name in ALIKE_NUMBERS:
            return ALIKE_NUMBERS[name]
        if name not in self.actions:
            raise UsageProblem(
                f"a {self.kind} has no action {name!r}", f"its actions are {', '.join(self.actions)}"
            )
        return self.actions.index(name) + 1

    def open_actions(self, state: int) -> Mapping[str, tuple[str, ...]]:
        """What may be done in a state: action name to the names of the roles that may."""
        return MappingProxyType(
            {self.action_name(r.action): role_names(r.roles) for r in self.table.rules if r.state == state}
        )


def admission_problem(
    table: Table, states: tuple[str, ...] = _STATE_NUMBERS, actions: tuple[str, ...] = _ACTION_NUMBERS
) -> str | None:
    """Why the contracts do not admit a table (lifecycles.vy, `_admit`), or None; the names are for the text.

    Not checked, there as here: that a state can be reached, that a rule can ever be met.
    """
    return next((text for _, text in admission_problems(table, states, actions)), None)


def admission_problems(
    table: Table, states: tuple[str, ...] = _STATE_NUMBERS, actions: tuple[str, ...] = _ACTION_NUMBERS
) -> Iterator[tuple[int | None, str]]:
    """Every reason for `admission_problem`, with the place of the rule it is about, None for the whole."""
    if not 1 <= len(table.rules) <= MAX_RULES:
        yield None, f"a lifecycle has 1 to {MAX_RULES} transitions, not {len(table.rules)}"
    if not 0 < table.kind < 2**32:
        yield None, "the kind has no tag"
    if table.usable & (table.recalled | 1):
        yield None, "a recalled state, or none, cannot be usable"
    seen: set[tuple[int, int]] = set()
    for place, rule in enumerate(table.rules):
        if rule.state >= MAX_STATES or rule.following >= MAX_STATES or not 1 <= rule.action <= MAX_ACTIONS:
            yield place, f"a transition from state {rule.state} by action {rule.action} is out of range"
            continue
        where = f"{actions[rule.action - 1]!r} in {states[rule.state]!r}"
        if (rule.state, rule.action) in seen:
            yield place, f"two transitions for {where}"
        seen.add((rule.state, rule.action))
        problem = _rule_problem(table, rule)
        if problem:
            yield place, f"{where} {problem}"


def _rule_problem(table: Table, rule: Rule) -> str | None:
    if table.terminal >> rule.state & 1:
        return "leaves a terminal state"
    if rule.following == 0:
        return f"leads back to {NONE!r}"
    if rule.usable != bool(table.usable >> rule.following & 1):
        return "disagrees with the usable states"
    # A recall that leads elsewhere, or an entry into a recalled state that is no recall, would let two
    # readers disagree on what is tainted.
    if rule.recall != bool(table.recalled >> rule.following & 1):
        return "is a recall exactly when it leads to a recalled state"
    if rule.duty > MAX_DUTIES or (rule.differs | rule.approver_differs) >> MAX_DUTIES + 1:
        return "names a duty that does not exist"
    return _approvals_problem(rule)


def _approvals_problem(rule: Rule) -> str | None:
    if rule.approvals > MAX_APPROVALS:
        return f"asks for more than {MAX_APPROVALS} approvals"
    if rule.approvals and rule.state == 0:
        return "asks for approvals of what does not exist yet"
    if bool(rule.approvals) != bool(rule.approver_roles) or (rule.approver_differs and not rule.approvals):
        return "must say how many approvals it needs and by whom, or neither"
    return None
