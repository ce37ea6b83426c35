"""Motions: proposals as people need to see them: in words, with votes, dates, and what is left to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from proml.core.consortium import role_names
from proml.core.digest import hexed
from proml.core.history import SharedHistory
from proml.core.proposal import Change, ChangeKind, Proposal, ProposalState
from proml.node.papers import Papers

Name = Callable[[int], str]
OPEN, PASSED, EXECUTED, CANCELLED, LAPSED = "open", "passed", "executed", "cancelled", "lapsed"


@dataclass(frozen=True, slots=True)
class Motion:
    """A proposal and where it stands.

    Attributes:
        number: of the proposal, from 1.
        what: what it would change, in words.
        change: the same, as the ledger has it.
        state: open, passed, executed, cancelled or lapsed.
        proposer: who made it.
        votes: names of the organisations that spoke for it, the proposer first.
        missing: how many more are needed.
        executable: first block in which it may be executed; 0 while it has not passed.
        closes: first block in which it is over if nothing is done.
        left: what is left to do, empty when it is over.
    """

    number: int
    what: str
    change: Change
    state: str
    proposer: str
    votes: tuple[str, ...]
    missing: int
    executable: int
    closes: int
    left: str


def motion_of(shared: SharedHistory, number: int, block: int, papers: Papers, name: Name) -> Motion:
    """The proposal of a number as it stands for a transaction in `block`; KeyError when there is none."""
    proposal = shared.proposals[number]
    state = _state(shared, proposal, block)
    executable = proposal.passed + shared.delay(proposal) if proposal.passed else 0
    missing = 0 if proposal.passed else max(shared.threshold - proposal.votes, 0)
    left = ""
    if state == OPEN:
        left = f"{missing} more vote{'s' * (missing != 1)}"
    elif state == PASSED:
        left = "execute it" if block >= executable else f"execute it from block {executable} on"
    return Motion(
        number,
        in_words(proposal.change, papers, name),
        proposal.change,
        state,
        name(proposal.proposer),
        tuple(name(each) for each in (proposal.proposer, *sorted(proposal.voters))),
        missing,
        executable,
        shared.end(proposal),
        left,
    )


def _state(shared: SharedHistory, proposal: Proposal, block: int) -> str:
    if proposal.state == ProposalState.EXECUTED:
        return EXECUTED
    if proposal.state == ProposalState.CANCELLED:
        return CANCELLED
    if block >= shared.end(proposal) or proposal.epoch != shared.epoch:
        return LAPSED
    return PASSED if proposal.passed else OPEN


def in_words(change: Change, papers: Papers, name: Name) -> str:
    """What a change does, as one says it after `to`; names that only a paper tells are told if it is here."""
    key, roles = hexed(change.key), ", ".join(role_names(change.setting)) or "none"
    match change.kind:
        case ChangeKind.ADMIT:
            consent = papers.consent(change)
            who = consent.profile.name if consent and consent.profile else "an organisation not named here"
            return f"admit {who} with the key {key} and the roles {roles}"
        case ChangeKind.REMOVE:
            return f"remove {name(change.organisation)}"
        case ChangeKind.SET_ROLES:
            return f"give {name(change.organisation)} the roles {roles}"
        case ChangeKind.SET_THRESHOLD:
            return f"let {change.setting} decide together"
        case ChangeKind.ADMIT_LIFECYCLE:
            lifecycle = papers.lifecycle(change)
            kind = f" of the kind {lifecycle.kind}" if lifecycle else ""
            return f"admit the lifecycle {hexed(change.profile)}{kind}"
        case ChangeKind.NAME_SUCCESSOR:
            return f"let {name(change.setting)} stand in as the custodian for {name(change.organisation)}"
    return f"give {name(change.organisation)} the new key {key}"
