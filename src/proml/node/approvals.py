"""Approvals: what several organisations must agree to before a step is taken, and who has.

    Approvals(Participant.open(lab)).approve(Path("model.joblib"), "deploy")
    for each in Approvals(Participant.open(clinic)).awaited():
        print(each.action, each.given, each.missing, each.askable)

The step itself collects the approvals that stand when it is pushed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proml.capture.draft import Subject
from proml.capture.plain import plain
from proml.capture.run import subject_of
from proml.contracts.typed import sign_approval
from proml.core.call import ApproveCall
from proml.core.chronicle import Chronicle
from proml.core.digest import ZERO, hexed, unhexed
from proml.core.lifecycle import Lifecycle
from proml.core.record import KEY_BYTES, RECORD_TYPE, VERSION, seal
from proml.core.refusal import Reason
from proml.errors import StepRefused, UsageProblem
from proml.node.delegating import deadline_in
from proml.node.foresight import refusal_of
from proml.node.participant import NOTHING, Content, Participant, Target
from proml.node.signed_file import SignedFile
from proml.node.standing_approvals import agreed_subject, next_rule, standing_approvals
from proml.node.targets import artefact_meant


@dataclass(frozen=True, slots=True)
class Awaited:
    """A step that needs approvals, and how far it is.

    Attributes:
        artefact: id, 32 bytes.
        title: what the artefact is called.
        action: the step.
        sequence: the one it will get; any other step makes its approvals stale.
        subject: what they were given for: a digest, or zero for the bytes the artefact has.
        needed: how many organisations must approve.
        given: names of those that did.
        missing: how many more are needed.
        askable: names of those that could.
    """

    artefact: bytes
    title: str
    action: str
    sequence: int
    subject: bytes
    needed: int
    given: tuple[str, ...]
    missing: int
    askable: tuple[str, ...]


class Approvals:
    """The approvals of one participant's consortium, in its name."""

    def __init__(self, me: Participant) -> None:
        """Nothing is read or signed yet."""
        self._me = me

    def awaited(self, target: str | None = None) -> list[Awaited]:
        """Steps possible now that need approvals, of one artefact or of all.

        Raises:
            NotFound, UsageProblem: when nothing, or too much, answers to `target`.
        """
        chronicle = self._me.chronicle()
        if target is not None:
            return list(self.awaited_of(chronicle, artefact_meant(self._me, chronicle, target)))
        every = (self.awaited_of(chronicle, artefact) for artefact in chronicle.histories)
        return [each for found in every for each in found]

    def awaited_of(self, chronicle: Chronicle, artefact: bytes) -> Iterator[Awaited]:
        """The same of an artefact by its id, one for each subject that something was approved for."""
        shared = chronicle.shared
        present = shared.artefacts[artefact]
        lifecycle = self._me.lifecycle_of(chronicle, artefact)
        for rule in shared.tables[present.lifecycle].rules:
            if rule.state != present.state or not rule.approvals:
                continue
            able = {
                number
                for number, each in shared.organisations.items()
                if not each.removed
                and each.roles & rule.approver_roles
                and not rule.approver_differs & shared.duties(present, number)
            }
            standing = standing_approvals(shared, artefact, rule.action) or {ZERO: ()}
            for subject, approvals in sorted(standing.items(), key=lambda each: -len(each[1])):
                givers = [approval.actor.organisation for approval in approvals]
                yield Awaited(
                    artefact,
                    self._me.title(chronicle, artefact),
                    lifecycle.action_name(rule.action) if lifecycle else f"action-{rule.action}",
                    present.sequence + 1,
                    subject,
                    rule.approvals,
                    tuple(map(self._me.name_of, givers)),
                    max(rule.approvals - len(givers), 0),
                    tuple(self._me.name_of(number) for number in sorted(able - {*givers})),
                )

    def approve(
        self, target: Target, action: str, subject: Path | None = None, content: Content = NOTHING
    ) -> bytes:
        """Approve an artefact's next step, at once.

        The approval is for this artefact, action and bytes, as its very next step. Its record is kept here.

        Args:
            target: the artefact: its file, id, first digits or name.
            action: the step that shall be taken.
            subject: the bytes that the step is to speak of, where they are others than `target`'s.
            content: what else its record shall say.

        Returns:
            The commitment to the approval's record, 32 bytes.

        Raises:
            StepRefused: when the rules do not allow it; the hint says what would.
            UsageProblem: when the lifecycle has no such action, or the step's bytes are private.
            NotFound, FileRefused: when a file or artefact is missing or cannot be fingerprinted.
        """
        call, what, hints = self._asked(target, action, subject, content)
        self._me.make(call, what, hints)
        return call.record

    def sign(self, target: Target, action: str, hours: float = 24, content: Content = NOTHING) -> SignedFile:
        """The same as something signed, for another node to take to the ledger within so many hours.

        Raises:
            StepRefused, UsageProblem, NotFound, FileRefused: as `approve`.
        """
        deadline = deadline_in(hours)
        call, what, hints = self._asked(target, action, None, content)
        me, terms = self._me, self._me.ledger.terms
        reason = refusal_of(me.ledger, me.chronicle().shared, me.address, call)
        if reason is not None:
            raise StepRefused(what, reason.text, hints.get(reason, reason.hint))
        signed = sign_approval(me.signer, terms, call, deadline)
        return SignedFile(terms.chain_id, terms.contract, approvals=(signed,))

    def _asked(
        self, target: Target, action: str, subject: Path | None, content: Content
    ) -> tuple[ApproveCall, str, dict[Reason, str]]:
        """The call, its record being stored; what it is to do; and hints for reasons to refuse it."""
        me = self._me
        chronicle = me.chronicle()
        artefact = artefact_meant(me, chronicle, str(target))
        lifecycle = me.lifecycle_of(chronicle, artefact)
        if lifecycle is None:
            raise UsageProblem("the lifecycle of this artefact is not here", "see `proml lifecycle list`")
        file = subject or Path(target)
        spoken = subject_of(file, me.progress) if subject or file.exists() else None
        number = lifecycle.action_number(action)
        agreed = self._subject(chronicle, artefact, lifecycle, number, spoken)
        record: dict[str, Any] = {
            "type": RECORD_TYPE,
            "version": VERSION,
            "artefact": hexed(artefact),
            "kind": lifecycle.kind,
            "action": action,
            "sequence": chronicle.shared.artefacts[artefact].sequence + 1,
            "actor": {"organisation": me.organisation, "key": hexed(me.address)},
            "claims": {**plain(content.claims), "approves": action},
        }
        if spoken is not None and agreed != ZERO:
            record["subject"] = spoken.document()
        sealed = seal(record, secrets.token_bytes(KEY_BYTES))
        me.storage.put(sealed.commitment, sealed.content)
        call = ApproveCall(artefact, number, record["sequence"], agreed, sealed.commitment)
        what = f"approve {action} of {me.title(chronicle, artefact)}"
        return call, what, self._hints(chronicle, artefact, action)

    def _hints(self, chronicle: Chronicle, artefact: bytes, action: str) -> dict[Reason, str]:
        names = dict.fromkeys(each.action for each in self.awaited_of(chronicle, artefact))
        return {
            Reason.APPROVAL_NOT_ASKED: f"take the step itself: `proml act {action}`",
            Reason.NO_TRANSITION: f"steps that need approvals now: {', '.join(names) or 'none'}",
        }

    def _subject(
        self, chronicle: Chronicle, artefact: bytes, lifecycle: Lifecycle, action: int, spoken: Subject | None
    ) -> bytes:
        rule = next_rule(chronicle.shared, artefact, action)
        if rule is None or not rule.approvals:
            return ZERO  # refused in a moment, with a better reason
        is_public = lifecycle.kind in self._me.config.discoverable
        if rule.subject and not is_public:
            raise UsageProblem(
                f"the bytes of a {lifecycle.kind} are private here, and this step names them",
                f"add {lifecycle.kind!r} to the setting `discoverable`, here and where the step is taken",
            )
        digest = unhexed(spoken.sha256) if spoken else None
        return agreed_subject(standing_approvals(chronicle.shared, artefact, action), rule, digest, is_public)
