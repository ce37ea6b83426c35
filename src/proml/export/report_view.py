"""What a report shows, as plain values; `report.py` makes the page. Every text in them may be hostile."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from proml.core.lifecycle import Lifecycle
from proml.export.view import LineageView, Timeline


class AttackResult(StrEnum):
    """How a staged attack ended."""

    REFUSED = "refused"
    FOUND = "found"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class AttackOutcome:
    """One staged attack.

    Attributes:
        name: for example `Labels flipped on purpose`.
        tried: what the attacker did, a sentence.
        result: refused: it did not happen; found: it happened and was proven; missed: neither.
        by: what refused or found it.
        organisation: who is named as its author; empty when nobody can be.
        evidence: the words of the program that say so.
    """

    name: str
    tried: str
    result: AttackResult
    by: str
    organisation: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation of the consortium; `key` is an address, `0x` and 40 hexadecimal digits."""

    number: int
    name: str
    roles: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class LedgerView:
    """The ledger that a report speaks of.

    Attributes:
        how: what kind of ledger, for example `embedded chain (anvil 1.7.1)`.
        genesis, code: `0x` and 64 hexadecimal digits.
        contract: its address.
        finality: blocks that make a block final, its own included.
        tip: number of the newest block read.
    """

    how: str
    chain_id: int
    genesis: str
    contract: str
    code: str
    finality: int
    tip: int


@dataclass(frozen=True, slots=True)
class CheckView:
    """One numbered check: `outcome` is `valid`, `invalid`, `not checked` or `not applicable`."""

    number: int
    name: str
    outcome: str
    reason: str
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerdictView:
    """A verdict under a heading of its own.

    Attributes:
        title: what is judged, in a few words; two verdicts on one artefact differ here.
        conclusion: `valid`, `invalid`, `equal content, other bytes` or `not enough evidence`.
        question: what was asked.
        grounds: what it was judged from.
    """

    title: str
    conclusion: str
    question: str
    grounds: str
    kind: str
    name: str
    artefact: str
    checks: tuple[CheckView, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LineageFigure:
    """A lineage drawing with its heading and the sentence below it."""

    title: str
    caption: str
    view: LineageView


@dataclass(frozen=True, slots=True)
class LifecycleFigure:
    """A lifecycle diagram; `present` is the number of the state to mark, 0 for none."""

    lifecycle: Lifecycle
    present: int
    caption: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number: what, how much with its unit, and what it stands beside."""

    name: str
    value: str
    compared: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """Something the reader can run, and what it will tell."""

    line: str
    tells: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything in a report; sections without content are left out.

    Attributes:
        lead: one paragraph under the title.
        made: when, whole seconds since 1970 UTC.
        program: name and version of what made it.
        artefacts: how many there are, drawn or not.
        tainted: of these, made from something recalled.
    """

    title: str
    lead: str
    made: int
    program: str
    ledger: LedgerView
    timeline: Timeline
    members: tuple[Member, ...] = ()
    lineages: tuple[LineageFigure, ...] = ()
    verdicts: tuple[VerdictView, ...] = ()
    attacks: tuple[AttackOutcome, ...] = ()
    lifecycles: tuple[LifecycleFigure, ...] = ()
    figures: tuple[Figure, ...] = ()
    commands: tuple[Command, ...] = ()
    artefacts: int = 0
    tainted: int = 0
    notes: tuple[str, ...] = ()
