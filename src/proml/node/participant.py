"""A participant: one project with its key, journal, storage and ledger, opened together.

What the command line, a script or the node does for an organisation, it does through this:

    me = Participant.open()
    me.register(Path("digits.csv"), "dataset", name="digits")
    me.push()
    me.act(Path("digits.csv"), "approve")
    me.push()
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from proml.capture.draft import Reference, StepAsked, Subject, encode
from proml.capture.hashing import Progress
from proml.capture.known import Known
from proml.capture.plain import plain
from proml.capture.run import journal_of, new_salt, subject_known
from proml.config import Config, load
from proml.core.chronicle import Chronicle, Transition
from proml.core.digest import hexed, unhexed
from proml.core.lifecycle import Lifecycle
from proml.core.record import Record, is_named, open_sealed
from proml.core.refusal import Reason
from proml.errors import (
    Busy,
    JournalProblem,
    KeyProblem,
    LedgerProblem,
    NotFound,
    RecordInvalid,
    StepRefused,
    StorageProblem,
    UsageProblem,
)
from proml.extensions import open_ledger
from proml.interfaces import Ledger, Signer
from proml.journal import read
from proml.lifecycles import supplied
from proml.lifecycles.own import kept
from proml.node.foresight import refusal_of
from proml.node.outbox import WAITING, Intent, Outbox, open_outbox
from proml.node.publisher import Published, Publisher, Settings
from proml.node.sending import Memory
from proml.node.signers import confined, open_signer, signer_address
from proml.node.single_calls import SingleCall, label_of
from proml.node.view import Reading, chronicle_of, lifecycle_in, registering_action
from proml.signing import Passphrase, open_key
from proml.storage.file import FileStorage
from proml.trust import LedgerFile, Profile, read_ledger_file, write_ledger_file


@dataclass(frozen=True, slots=True)
class Content:
    """What a step says besides its subject and inputs; names to JSON values.

    `amends` is the commitment of the record that the step corrects, 32 bytes.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    amends: bytes | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits: journal entries no push has seen, items taken in, items sent and not final."""

    unread: int
    waiting: int
    sent: int


# What a caller may name an artefact by: a file or folder, its id, or its digest.
Target = Path | str
NOTHING = Content()


class Participant:
    """One organisation's project. Make it with `open`; nothing is connected before it is needed."""

    def __init__(self, config: Config, passphrase: Passphrase | None = None) -> None:
        """Use a loaded configuration; `passphrase` is asked when an encrypted key has to sign."""
        self.config = config
        self.progress: Progress | None = None  # called with bytes and files while something is hashed
        self._passphrase = passphrase
        self._salts: set[str] = set()

    @classmethod
    def open(cls, start: Path | None = None, passphrase: Passphrase | None = None) -> Participant:
        """Open the project of a folder (the current one by default).

        Raises:
            ProjectMissing, ConfigInvalid: see `config.load`.
        """
        return cls(load(start), passphrase)

    @cached_property
    def ledger_file(self) -> LedgerFile:
        """The pinned terms, and the members' names."""
        if not self.config.ledger_file.exists():
            raise LedgerProblem(
                "this project has no ledger yet",
                "`proml ledger found` founds one, `proml ledger join` takes part in one by a member's file",
            )
        file = read_ledger_file(self.config.ledger_file)
        own = self.config.chain
        if file.reach == "embedded" and own.is_dir() and not Path(file.location).exists():
            # The project was moved, and its chain with it; that it is the pinned one is checked as always.
            return replace(file, location=str(own))
        return file

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, connected and compared with the pinned terms."""
        return open_ledger(self.ledger_file)

    @property
    def address(self) -> bytes:
        """The 20-byte address of the participant's key, without opening it."""
        return signer_address(self.config)

    @cached_property
    def signer(self) -> Signer:
        """The participant's key, as the setting `signer` says; it signs for this project's ledger only."""
        return confined(open_signer(self.config, self._passphrase), self.ledger_file.terms)

    @cached_property
    def storage(self) -> FileStorage:
        """The project's own storage of records and batches."""
        return FileStorage(self.config.storage, is_named)

    @property
    def lifecycles(self) -> tuple[Lifecycle, ...]:
        """The lifecycles whose files are at hand: those that come with ProML, then the project's own."""
        return (*supplied(), *kept(self.config.lifecycles))

    def chronicle(self) -> Chronicle:
        """Every history of the ledger, as it is now."""
        return chronicle_of(self.ledger)

    def name_of(self, organisation: int) -> str:
        """The name of a member by its number."""
        return self.ledger_file.name_of(organisation)

    def learn_name(self, organisation: int, profile: Profile) -> None:
        """Write a member's name into the ledger file."""
        named = {**self.ledger_file.profiles, organisation: profile}
        kept = replace(read_ledger_file(self.config.ledger_file), profiles=named)
        write_ledger_file(self.config.ledger_file, kept)
        self.ledger_file = replace(self.ledger_file, profiles=named)

    def lifecycle_of(self, chronicle: Chronicle, artefact: bytes) -> Lifecycle | None:
        """The lifecycle of a registered artefact, None when its file is not at hand."""
        return lifecycle_in(chronicle, self.lifecycles, artefact)

    def record(self, commitment: bytes) -> Record | None:
        """The record behind a commitment, None when its bytes are not in this storage, or other bytes are."""
        try:
            return open_sealed(self.storage.get(commitment)).record
        except (NotFound, RecordInvalid, StorageProblem):
            return None

    def title(self, chronicle: Chronicle, artefact: bytes) -> str:
        """What to call an artefact: kind, name as far as its records are here, and the id's first digits."""
        lifecycle = self.lifecycle_of(chronicle, artefact)
        kind = lifecycle.kind if lifecycle else "artefact"
        name = next(
            (
                record["name"]
                for transition in reversed(chronicle.histories.get(artefact, []))
                if (record := self.record(transition.step.record)) and record.get("name")
            ),
            "",
        )
        return " ".join(filter(None, (kind, str(name), hexed(artefact)[:12])))

    def names(self, chronicle: Chronicle) -> dict[bytes, str]:
        """Names of artefacts by id, as far as the records here tell them; the newest name counts."""
        found: dict[bytes, str] = {}
        for transition, record in self._own_records(chronicle):
            if record.get("name"):
                found[transition.step.artefact] = str(record["name"])
        return found

    def private_subjects(self, chronicle: Chronicle) -> dict[bytes, list[bytes]]:
        """Digests of bytes that only records here tell, and the artefacts that had them."""
        found: dict[bytes, list[bytes]] = {}
        for transition, record in self._own_records(chronicle):
            subject = record.get("subject")
            if subject:
                found.setdefault(unhexed(subject["sha256"]), []).append(transition.step.artefact)
        return found

    def _own_records(self, chronicle: Chronicle) -> Iterator[tuple[Transition, Record]]:
        """Every step whose record is here, histories in the order of registration."""
        for history in chronicle.histories.values():
            for transition in history:
                if self.storage.has(transition.step.record):
                    record = self.record(transition.step.record)
                    if record is not None:
                        yield transition, record

    def backlog(self) -> Backlog | None:
        """What was recorded and is not settled yet; None while a push is at it."""
        try:
            with open_outbox(self.config.outbox, patience=0) as outbox:
                problems: list[JournalProblem] = []
                unread = sum(1 for _ in read(self.config.journal, outbox.cursors(), problems))
                return Backlog(unread, outbox.count(WAITING) + outbox.count_drafts(), outbox.count("sent"))
        except Busy:
            return None

    # --- writing ----------------------------------------------------------------------------

    def register(
        self,
        path: Path | None,
        kind: str,
        name: str | None = None,
        inputs: Sequence[tuple[Target, str]] = (),
        content: Content = NOTHING,
    ) -> str:
        """Note in the journal that an artefact shall be registered; `push` takes it to the ledger.

        Args:
            path: the file or folder it is, None where there is none (an evaluation, a dependency).
            kind: the kind of its lifecycle, which must register by exactly one action.
            name: what to call it; the file's name if not given.
            inputs: what it derives from, each with the part it played.
            content: parameters, metrics and claims for its record.

        Returns:
            Its salt, `0x` and 64 digits, by which later steps can name it before it has an id.

        Raises:
            UsageProblem: for a kind without a lifecycle, or one that several actions register.
            NotFound, FileRefused: when a file is missing or cannot be fingerprinted.
        """
        lifecycle = self._lifecycle(kind)
        subject = self._subject_of(path) if path else None
        salt = new_salt()
        draft = StepAsked(
            kind=kind,
            action=registering_action(lifecycle),
            at=time.time(),
            salt=salt,
            name=name or (subject.name if subject else None),
            subject=subject,
            inputs=tuple((self.reference(target), part) for target, part in inputs),
            parameters=plain(content.parameters),
            metrics=plain(content.metrics),
            claims=plain(content.claims),
        )
        self.note(draft)
        return salt

    def act(
        self,
        target: Target,
        action: str,
        subject: Path | None = None,
        inputs: Sequence[tuple[Target, str]] = (),
        content: Content = NOTHING,
    ) -> None:
        """Note in the journal that an artefact shall make a step; `push` takes it to the ledger.

        Args:
            target: the artefact: its file or folder, its id, its salt, or its digest.
            action: a verb of its lifecycle.
            subject: the bytes the step speaks of, where they are others than `target`'s (a labelled
                version, for one); by default `target`, if that is a file or folder.
            inputs: what the step rests on, each with the part it played.
            content: parameters, metrics and claims for its record.

        Raises:
            UsageProblem: for an action that no lifecycle has.
            NotFound, FileRefused: when a file is missing or cannot be fingerprinted.
        """
        kinds = [lifecycle.kind for lifecycle in self.lifecycles if action in lifecycle.actions]
        if not kinds:
            known = sorted({name for lifecycle in self.lifecycles for name in lifecycle.actions})
            raise UsageProblem(f"no lifecycle has an action {action!r}", f"actions are {', '.join(known)}")
        reference = self.reference(target)
        spoken_of = self._subject_of(subject) if subject else reference.subject
        draft = StepAsked(
            kind=kinds[0] if len(kinds) == 1 else "artefact",
            action=action,
            at=time.time(),
            reference=reference,
            subject=spoken_of,
            inputs=tuple((self.reference(each), part) for each, part in inputs),
            parameters=plain(content.parameters),
            metrics=plain(content.metrics),
            claims=plain(content.claims),
            amends=hexed(content.amends) if content.amends else None,
        )
        self.note(draft)

    def push(
        self, told: Callable[[Intent], None] = lambda _: None, reconcile: bool = False, wait: bool = True
    ) -> Published:
        """Publish what is in the journal; see `Publisher.push`, and `Settings` for `reconcile`."""
        with open_outbox(self.config.outbox) as outbox:
            return self._publisher(outbox, reconcile).push(told, wait)

    @cached_property
    def _memory(self) -> Memory:
        return Memory(Reading(self.ledger))

    def seal(self, told: Callable[[Intent], None] = lambda _: None) -> list[Intent]:
        """Seal what is in the journal, send nothing, and give what waits: see `Publisher.seal`."""
        with open_outbox(self.config.outbox) as outbox:
            return self._publisher(outbox).seal(told)

    def make(self, call: SingleCall, what: str = "", hints: Mapping[Reason, str] = {}) -> Intent:
        """Make one call at once, not through the journal, and wait until it is final.

        It is judged here first by the same rules as on the ledger: what cannot succeed is never sent.

        Args:
            call: what to ask of the contracts.
            what: what it is to do, as one says it after `to`.
            hints: what to say beyond a reason's own hint.

        Raises:
            StepRefused: when the rules or the contracts refuse it; nothing changed.
            Busy: while something is being published: it is the same key's next transaction.
        """
        reason = refusal_of(self.ledger, self.chronicle().shared, self.address, call)
        if reason is not None:
            raise StepRefused(what or label_of(call), reason.text, hints.get(reason, reason.hint))
        with open_outbox(self.config.outbox) as outbox:
            return self._publisher(outbox).make(call)

    def _publisher(self, outbox: Outbox, reconcile: bool = False) -> Publisher:
        known = self.config.journal, self.config.discoverable, self.lifecycles
        settings = Settings(*known, reconcile=reconcile)
        return Publisher(outbox, self.ledger, self.signer, self.storage, settings, self._memory)

    @property
    def organisation(self) -> int:
        """The number of the member this project's key belongs to.

        Raises:
            KeyProblem: when it belongs to none.
        """
        own = self.chronicle().shared.keys.get(self.address)
        if own is None:
            raise KeyProblem("this project's key belongs to no member", "use the key of a member")
        return own.organisation

    def other_key(self, path: Path) -> Signer:
        """Another key file of this project, opened."""
        return confined(open_key(path, self._passphrase), self.ledger_file.terms)

    def reference(self, target: Target) -> Reference:
        """What a file, folder, id, salt or digest means as a reference in a draft."""
        if isinstance(target, Path):
            return Reference(subject=self._subject_of(target))
        try:
            unhexed(target)
        except RecordInvalid:
            raise NotFound(
                f"{target!r} is neither a file here nor an id", "ids are 0x and 64 digits"
            ) from None
        return Reference(salt=target) if target in self._salts else Reference(artefact=target)

    def note(self, draft: StepAsked) -> None:
        """Write a step to the journal, on the disk on return; `push` takes it to the ledger.

        Not checked: that the step makes sense. What cannot be sealed is told by `push`.
        """
        journal = journal_of(self.config)
        journal.append(encode(draft))
        journal.sync()
        if draft.salt:
            self._salts.add(draft.salt)

    def _subject_of(self, path: Path) -> Subject:
        return subject_known(path, Known(self.config.known), self.progress)

    def _lifecycle(self, kind: str) -> Lifecycle:
        for lifecycle in reversed(self.lifecycles):
            if lifecycle.kind == kind:
                return lifecycle
        kinds = ", ".join(lifecycle.kind for lifecycle in self.lifecycles)
        raise UsageProblem(
            f"there is no lifecycle for the kind {kind!r}",
            f"kinds are {kinds}; `proml lifecycle add` takes the file of another",
        )
