"""Government: how a participant takes part in the decisions of its consortium.

    own = Government(Participant.open())
    number = own.propose_roles("Lab", ["verifier"])      # at once, and our vote for it
    other = Government(Participant.open(other_folder))
    other.vote(number)
    other.execute(number)

What the rules do not allow is refused before anything is sent (`Participant.make`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from proml.core.call import (
    CancelCall,
    ExecuteCall,
    ExecuteLifecycleCall,
    GovernanceCall,
    LeaveCall,
    ProposeCall,
    VoteCall,
)
from proml.core.consortium import role_mask
from proml.core.digest import ZERO, hexed
from proml.core.event import GovernanceSet, ProposalMade
from proml.core.history import SharedHistory
from proml.core.lifecycle import Lifecycle
from proml.core.proposal import KEYED, Change, ChangeKind
from proml.core.refusal import Reason
from proml.errors import LedgerProblem, NotFound, UsageProblem
from proml.node.consents import Consent, read_consent
from proml.node.motions import OPEN, PASSED, Motion, in_words, motion_of
from proml.node.outbox import Intent
from proml.node.papers import Papers
from proml.node.participant import Participant

Paper = TypeVar("Paper", Consent, Lifecycle)


@dataclass(frozen=True, slots=True)
class Rules:
    """How the consortium decides: organisations that decide together, members, and the pace in blocks."""

    threshold: int
    members: int
    lifetime: int
    delay: int
    recovery_delay: int


def rules_of(shared: SharedHistory) -> Rules:
    """The rules as they stand; without a pace, all zero, before the founding is complete."""
    pace = shared.pace or GovernanceSet(0, 0, 0)
    return Rules(shared.threshold, shared.member_count, pace.lifetime, pace.delay, pace.recovery_delay)


class Government:
    """The decisions of one participant's consortium, in its name."""

    def __init__(self, me: Participant) -> None:
        """Nothing is read or signed yet."""
        self._me = me
        self._papers = Papers(me.config)

    # --- looking ----------------------------------------------------------------------------

    def rules(self) -> Rules:
        """How it is decided now.

        Raises:
            LedgerProblem: when the ledger is away.
        """
        shared = self._me.chronicle().shared
        if shared.pace is None:
            raise LedgerProblem("the founding of this ledger is not complete", "ask whoever founded it")
        return rules_of(shared)

    def motions(self, closed: bool = False) -> list[Motion]:
        """The proposals that something can still be done about, oldest first; all of them with `closed`."""
        shared, block = self._now()
        every = [self._motion(shared, number, block) for number in sorted(shared.proposals)]
        return [motion for motion in every if closed or motion.state in (OPEN, PASSED)]

    def motion(self, number: int) -> Motion:
        """One proposal.

        Raises:
            NotFound: when there is none of that number.
        """
        shared, block = self._now()
        if number not in shared.proposals:
            raise NotFound(f"there is no proposal {number}", self._known(shared))
        return self._motion(shared, number, block)

    def member(self, text: str, removed: bool = False) -> int:
        """The number of the member that a name or number means; with `removed`, of one that went.

        Raises:
            NotFound: when it means none; the hint names the nearest.
        """
        shared = self._me.chronicle().shared
        fitting = [n for n, each in shared.organisations.items() if bool(each.removed) == removed]
        names = {self._me.name_of(number): number for number in fitting}
        if text in names:
            return names[text]
        if text.isascii() and text.isdigit() and int(text) in fitting:
            return int(text)
        close = difflib.get_close_matches(text, names, n=1)
        which = "organisations that went" if removed else "members"
        hint = f"did you mean {close[0]!r}?" if close else f"{which} are {', '.join(names) or 'none'}"
        what = "organisation that went" if removed else "member"
        raise NotFound(f"no {what} is called {text!r}", hint)

    # --- proposing: each returns the proposal's number --------------------------------------

    def propose_admission(self, consent: Path, roles: Iterable[str]) -> int:
        """Propose to admit the organisation whose consent file this is, with these roles.

        Raises:
            UsageProblem: for an unknown role or a consent to something else.
            StepRefused: as all that follow, when the rules do not allow it.
        """
        given = self._consent(consent)
        if given.profile is None:
            raise UsageProblem(
                f"{consent} is for a key of an organisation that is a member",
                "a newcomer makes one with `proml key consent`, without --member",
            )
        self._refuse_namesake(given.profile.name)
        mask = role_mask(roles)
        self._papers.keep_consent(given)
        return self._propose(Change(ChangeKind.ADMIT, 0, mask, given.key, given.profile.commitment))

    def propose_removal(self, member: str) -> int:
        """Propose to end a membership."""
        return self._propose(Change(ChangeKind.REMOVE, self.member(member)))

    def propose_roles(self, member: str, roles: Iterable[str]) -> int:
        """Propose that a member has these roles and no others; none at all is possible."""
        return self._propose(Change(ChangeKind.SET_ROLES, self.member(member), role_mask(roles)))

    def propose_threshold(self, threshold: int) -> int:
        """Propose how many organisations decide together; executed, it lapses every other open proposal."""
        members = self._me.chronicle().shared.member_count
        if not 1 <= threshold <= members:
            raise UsageProblem(f"a threshold of {threshold} is out of range", f"it is 1 to {members} here")
        return self._propose(Change(ChangeKind.SET_THRESHOLD, setting=threshold))

    def propose_lifecycle(self, what: str) -> int:
        """Propose to admit the lifecycle of a file, or of a kind at hand; who votes should read it."""
        lifecycle = self._papers.lifecycle_meant(what)
        self._papers.keep_lifecycle(lifecycle)
        return self._propose(Change(ChangeKind.ADMIT_LIFECYCLE, profile=lifecycle.table.id))

    def propose_recovery(self, consent: Path) -> int:
        """Propose to give a member a new key; any key it still has can cancel that within the delay."""
        given = self._consent(consent)
        if given.profile is not None:
            raise UsageProblem(
                f"{consent} is for an organisation yet to be admitted",
                "the member makes one with `proml key consent --member NAME`",
            )
        self._papers.keep_consent(given)
        return self._propose(Change(ChangeKind.RECOVER_KEY, given.organisation, key=given.key))

    def propose_successor(self, gone: str, member: str) -> int:
        """Propose which member stands in for an organisation that is none any more, as a custodian."""
        return self._propose(
            Change(ChangeKind.NAME_SUCCESSOR, self.member(gone, removed=True), self.member(member))
        )

    # --- deciding ---------------------------------------------------------------------------

    def vote(self, number: int, paper: Path | None = None) -> Motion:
        """Vote for a proposal; `paper` is the file behind it, which is compared with it and kept.

        Raises:
            StepRefused: when the rules do not allow it; the hint says what would.
            NotFound, UsageProblem: for an unknown number, or another file than was proposed.
        """
        self._take(number, paper)
        self._make(VoteCall(number))
        return self.motion(number)

    def execute(self, number: int, paper: Path | None = None) -> Motion:
        """Carry out a proposal that has passed; `paper` is the file behind it, where it is not here yet.

        Raises:
            NotFound: also when the file behind it is needed and not here.
            StepRefused, UsageProblem: as `vote`.
        """
        self._take(number, paper)
        change = self.motion(number).change
        if change.kind == ChangeKind.ADMIT_LIFECYCLE:
            table = self._behind(number, self._papers.lifecycle(change), "lifecycle").table
            rules = tuple(rule.word for rule in table.rules)
            self._make(ExecuteLifecycleCall(number, table.properties, table.document, rules))
        elif change.kind in KEYED:
            consent = self._behind(number, self._papers.consent(change), "consent")
            consent.check(self._me.ledger.terms)
            self._make(ExecuteCall(number, change, consent.signature))
        else:
            self._make(ExecuteCall(number, change))
        self.learn_names()
        return self.motion(number)

    def cancel(self, number: int) -> Motion:
        """Withdraw our own proposal, or object to a recovery of our own key."""
        self.motion(number)
        self._make(CancelCall(number))
        return self.motion(number)

    def leave(self) -> None:
        """End our own membership, for good; what is on the ledger stays."""
        self._make(LeaveCall())

    def learn_names(self) -> dict[int, str]:
        """Put names that papers here prove into the ledger file; returns what was new, by number."""
        found = {}
        for number, consent in self._papers.names(self._me.chronicle().shared).items():
            if number not in self._me.ledger_file.profiles and consent.profile:
                self._me.learn_name(number, consent.profile)
                found[number] = consent.profile.name
        return found

    def _refuse_namesake(self, name: str) -> None:
        """Two members of one name could not be told apart, whatever their keys."""
        shared = self._me.chronicle().shared
        for number, member in shared.organisations.items():
            if not member.removed and self._me.name_of(number).casefold() == name.casefold():
                raise UsageProblem(
                    f"there is a member called {self._me.name_of(number)!r} already",
                    "the newcomer needs another name: `proml init --organisation NAME`",
                )

    # --- behind all of them -----------------------------------------------------------------

    def _now(self) -> tuple[SharedHistory, int]:
        """The rules' state, and the earliest block a transaction made now can be in."""
        return self._me.chronicle().shared, self._me.ledger.head().number + 1

    def _motion(self, shared: SharedHistory, number: int, block: int) -> Motion:
        return motion_of(shared, number, block, self._papers, self._me.name_of)

    def _consent(self, path: Path) -> Consent:
        consent = read_consent(path)
        consent.check(self._me.ledger.terms)
        if not consent.is_whole:
            raise UsageProblem(
                f"{path} does not agree to every scope without end",
                "a vote gives a key no less: make it again",
            )
        return consent

    def _take(self, number: int, paper: Path | None) -> None:
        change = self.motion(number).change
        if paper is not None:
            self._papers.take(change, paper)

    def _behind(self, number: int, paper: Paper | None, what: str) -> Paper:
        if paper is None:
            raise NotFound(
                f"the {what} file behind proposal {number} is not here",
                "get it from whoever proposed it, and name it with --file",
            )
        return paper

    def _propose(self, change: Change) -> int:
        what = f"propose to {in_words(change, self._papers, self._me.name_of)}"
        intent = self._make(ProposeCall(change), what)
        receipt = self._me.ledger.receipt(intent.tx or ZERO)
        made = (
            [p.event.number for p in receipt.events if isinstance(p.event, ProposalMade)] if receipt else []
        )
        if not made:
            raise LedgerProblem(
                f"the receipt of transaction {hexed(intent.tx or ZERO)} is gone",
                "`proml consortium proposals` shows whether it was proposed",
            )
        return made[0]

    def _make(self, call: GovernanceCall, what: str = "") -> Intent:
        return self._me.make(call, what, self._hints(call))

    def _hints(self, call: GovernanceCall) -> dict[Reason, str]:
        """What can be said beyond a reason's own hint."""
        shared, block = self._now()
        number = getattr(call, "number", 0)
        if number not in shared.proposals:
            own = shared.keys.get(self._me.address)
            pending = [
                motion.number
                for motion in (self._motion(shared, each, block) for each in shared.proposals)
                if motion.state in (OPEN, PASSED)
                and own
                and shared.proposals[motion.number].proposer == own.organisation
            ]
            open_ = f"`proml consortium cancel {pending[0]}` withdraws it" if pending else ""
            return {Reason.UNKNOWN_PROPOSAL: self._known(shared)} | (
                {Reason.PROPOSAL_OPEN: open_} if open_ else {}
            )
        motion = self._motion(shared, number, block)
        over = block >= motion.closes
        lapsed = (
            f"it closed with block {motion.closes}" if over else "a member or the threshold changed since"
        )
        return {
            Reason.VOTES_MISSING: f"it needs {motion.left}",
            Reason.TOO_EARLY: f"from block {motion.executable} on; the newest is {block - 1}",
            Reason.PROPOSAL_LAPSED: f"{lapsed}; propose it again",
            Reason.PROPOSAL_CLOSED: f"it was {motion.state}; propose it again if need be",
            Reason.NOT_YOUR_PROPOSAL: f"it is {motion.proposer}'s; {Reason.NOT_YOUR_PROPOSAL.hint}",
        }

    def _known(self, shared: SharedHistory) -> str:
        if not shared.proposals:
            return "nothing was proposed yet"
        return f"they are counted from 1 to {len(shared.proposals)}: `proml consortium proposals --all`"
