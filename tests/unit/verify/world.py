"""A small consortium on the ledger in memory, whose members make whatever history a test needs.

Three organisations: a data administrator, a developer, a verifier that also approves and audits. Their
keys are made from fixed secrets, so that every history is the same in every run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account

from proml.contracts.consent import consent_digest
from proml.core.artefact import artefact_id
from proml.core.call import AddKeyCall, AnchorCall, BatchCall, Founder, RevokeKeyCall, StepCall
from proml.core.consortium import role_mask
from proml.core.digest import hexed, sha256, unhexed, word
from proml.core.event import Approval, Block, Input, Placed
from proml.core.history import SharedHistory
from proml.core.lifecycle import Lifecycle
from proml.core.proof import ObservationBatch, open_batch
from proml.core.proposal import Governance
from proml.core.record import is_named, seal, subject_commitment
from proml.core.verdict import Outcome, Verdict
from proml.errors import NotFound, StorageProblem
from proml.interfaces import Ledger, Receipt, SignedTransaction, Standing, Terms, Transaction
from proml.ledger.evm import EvmLedger
from proml.ledger.memory import MemoryLedger
from proml.lifecycles import shipped
from proml.signing import LocalSigner
from proml.trust import Profile
from proml.verify import ByDigest, Target, read_ledger, verify

ADMIN, DEVELOPER, VERIFIER = 1, 2, 3
ROLES = {
    ADMIN: ["data_admin"],
    DEVELOPER: ["developer"],
    VERIFIER: ["verifier", "approver", "auditor", "labeller"],
}
PROFILES = {
    number: Profile(name, sha256(name.encode())) for number, name in enumerate(("Admin", "Dev", "Véri"), 1)
}
LIFECYCLES = {lifecycle.kind: lifecycle for lifecycle in shipped()}
START = 1_767_600_000


def digest(text: str) -> bytes:
    """The SHA-256 of a file holding this text."""
    return sha256(text.encode())


def signer(name: str) -> LocalSigner:
    """A key that is the same in every run."""
    return LocalSigner(Account.from_key(hashlib.sha256(name.encode()).digest()))


@dataclass
class Shelf:
    """A storage in memory, as careful as any other."""

    kept: dict[bytes, bytes] = field(default_factory=dict)
    careless: bool = False

    def put(self, digest: bytes, content: bytes) -> None:
        if not is_named(digest, content):
            raise StorageProblem("other bytes")
        self.kept[digest] = content

    def get(self, digest: bytes) -> bytes:
        if digest not in self.kept:
            raise NotFound("not here")
        if not self.careless and not is_named(digest, self.kept[digest]):
            raise StorageProblem(f"{hexed(digest)} names other bytes than are there")
        return self.kept[digest]

    def has(self, digest: bytes) -> bool:
        return digest in self.kept

    def digests(self) -> Iterator[bytes]:
        return iter(self.kept)


@dataclass(frozen=True)
class Made:
    """A step that was made: the artefact, its sequence, the record's commitment."""

    artefact: bytes
    sequence: int
    record: bytes

    @property
    def as_input(self) -> Input:
        return Input(self.artefact, self.sequence)


SIGNERS = {number: signer(f"member {number}") for number in ROLES}
FOUNDERS = [
    Founder(SIGNERS[number].address, role_mask(ROLES[number]), PROFILES[number].commitment)
    for number in ROLES
]
RULES = Governance(threshold=2)


class World:
    """The ledger, one shared storage, and what the members do."""

    def __init__(
        self, lifecycles: Sequence[Lifecycle] = shipped(), ledger: MemoryLedger | EvmLedger | None = None
    ) -> None:
        self.signers = SIGNERS
        self.ledger = ledger or MemoryLedger(FOUNDERS, RULES, [each.table for each in lifecycles], START)
        self.lifecycles = tuple(lifecycles)
        self.storage = Shelf()
        self.salts = 0

    @property
    def shared(self) -> SharedHistory:
        """What the ledger holds now."""
        known = getattr(self.ledger, "shared", None)
        return known or read_ledger(self.ledger).chronicle.shared

    # --- what members do --------------------------------------------------------------------

    def step(
        self,
        who: int,
        what: bytes | str,
        action: str,
        *,
        subject: bytes | None = None,
        private: bool = False,
        inputs: Sequence[Made] = (),
        by: LocalSigner | None = None,
        record: Mapping[str, Any] | None = None,
        digests: Mapping[bytes, bytes] | None = None,
        lifecycle: Lifecycle | None = None,
        number: int = 0,
        approvals: Sequence[Approval] = (),
    ) -> Made:
        """Register (`what` is a kind) or act (`what` is an id); `record` overrides fields of the record.

        `number` is the step's subject where that is not bytes.
        """
        key = by or self.signers[who]
        self.salts += 1
        salt = sha256(b"salt %d" % self.salts)
        terms, shared = self.ledger.terms, self.shared
        if isinstance(what, str):
            lifecycle, sequence = lifecycle or LIFECYCLES[what], 1
            table = next(n for n, table in shared.tables.items() if table.id == lifecycle.table.id)
            artefact = artefact_id(terms.chain_id, terms.contract, key.address, salt)
        else:
            standing = shared.artefacts[what]
            lifecycle = next(
                each for each in self.lifecycles if each.table.id == shared.tables[standing.lifecycle].id
            )
            table, sequence, artefact = 0, standing.sequence + 1, what
        said = self._record(lifecycle, artefact, action, sequence, who, key.address)
        if subject is not None:
            said["subject"] = {"name": "it", "size": 3, "sha256": hexed(subject)}
        if inputs:
            said["inputs"] = [self._input(made, digests or {}) for made in inputs]
        said |= record or {}
        said = {name: value for name, value in said.items() if value is not None}
        record_key = sha256(b"key %d" % self.salts)
        sealed = seal(said, record_key)
        self.storage.put(sealed.commitment, sealed.content)
        asked = StepCall(
            artefact=artefact if not table else salt,
            lifecycle=table,
            action=lifecycle.action_number(action),
            sequence=sequence,
            record=sealed.commitment,
            subject=word(number)
            if subject is None
            else subject_commitment(record_key, subject)
            if private
            else subject,
            inputs=tuple(made.as_input for made in inputs),
            approvals=tuple(approvals),
        )
        self.send(key, BatchCall((), (asked,)))
        return Made(artefact, sequence, sealed.commitment)

    def _record(
        self, lifecycle: Lifecycle, artefact: bytes, action: str, sequence: int, who: int, key: bytes
    ) -> dict[str, Any]:
        return {
            "type": "proml/record",
            "version": 1,
            "artefact": hexed(artefact),
            "kind": lifecycle.kind,
            "name": f"my {lifecycle.kind}",
            "action": action,
            "sequence": sequence,
            "actor": {"organisation": who, "key": hexed(key)},
            "parameters": {"depth": 3, "rate": 0.1},
        }

    def _input(self, made: Made, digests: Mapping[bytes, bytes]) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "artefact": hexed(made.artefact),
            "sequence": made.sequence,
            "part": "training data",
        }
        if made.artefact in digests:
            entry["digest"] = hexed(digests[made.artefact])
        return entry

    def copy_record(self, who: int, artefact: bytes, action: str, subject: bytes, record: bytes) -> None:
        """A step that carries the commitment of somebody else's record."""
        standing = self.shared.artefacts[artefact]
        lifecycle = self.lifecycles[standing.lifecycle - 1]
        number = lifecycle.action_number(action)
        asked = StepCall(artefact, 0, number, standing.sequence + 1, record, subject)
        self.send(self.signers[who], BatchCall((), (asked,)))

    def observe(self, who: int, count: int = 3) -> dict[str, Any]:
        """Anchor a batch of observations and keep it; returns the entry that a record names it by."""
        batch = ObservationBatch(
            [{"step": i, "loss": 1 / (i + 2)} for i in range(count)], digest(f"batch {count}")
        )
        name = sha256(batch.content)
        self.storage.put(name, batch.content)
        self.send(self.signers[who], BatchCall((AnchorCall(batch.root, count),), ()))
        return {"root": hexed(batch.root), "count": count, "batch": hexed(name)}

    def batch_of(self, entry: Mapping[str, Any]) -> ObservationBatch:
        """The batch behind what `observe` returned."""
        return open_batch(self.storage.get(unhexed(entry["batch"])))

    def add_key(self, who: int, name: str) -> LocalSigner:
        """One more key of an organisation, with every scope."""
        key = signer(name)
        consent = key.sign_digest(consent_digest(self.ledger.terms, who, key.address, 7, 0))
        self.send(self.signers[who], AddKeyCall(key.address, 7, 0, consent))
        return key

    def revoke_key(self, who: int, key: bytes, since: int) -> None:
        self.send(self.signers[who], RevokeKeyCall(key, since))

    def send(self, key: LocalSigner, call: BatchCall | AddKeyCall | RevokeKeyCall) -> Receipt:
        """Send a call and insist that nothing of it was refused."""
        transaction = self.ledger.prepare(call, self.ledger.nonce(key.address))
        signed = key.sign_transaction(transaction)
        self.ledger.send(signed)
        receipt = self.ledger.receipt(signed.hash)
        assert receipt is not None
        assert receipt.succeeded, receipt.reason
        assert not [each for each in receipt.events if type(each.event).__name__ == "Refused"], receipt.events
        return receipt

    # --- histories --------------------------------------------------------------------------

    def dataset(self, text: str = "data", private: bool = False, sources: Sequence[Made] = ()) -> Made:
        """A dataset that was collected and approved."""
        made = self.step(ADMIN, "dataset", "collect", subject=digest(text), private=private, inputs=sources)
        return self.step(ADMIN, made.artefact, "approve", subject=digest(text), private=private)

    def run(self, *inputs: Made, digests: Mapping[bytes, bytes] | None = None, **record: Any) -> Made:
        """A run that started and finished."""
        made = self.step(DEVELOPER, "run", "start")
        return self.step(DEVELOPER, made.artefact, "finish", inputs=inputs, digests=digests, record=record)

    def model(self, run: Made, text: str = "model", private: bool = False) -> Made:
        """A model that a run produced."""
        return self.step(DEVELOPER, "model", "propose", subject=digest(text), private=private, inputs=[run])

    def story(self, text: str = "model") -> Made:
        """A dataset, a run with observations over it, and the model it gave."""
        data = self.dataset()
        observed = self.observe(DEVELOPER)
        run = self.run(data, digests={data.artefact: digest("data")}, observations=[observed])
        return self.model(run, text)

    # --- verifying --------------------------------------------------------------------------

    def verify(self, target: Target, ledger: Ledger | None = None, **others: Any) -> Verdict:
        grounds = read_ledger(ledger or self.ledger, others.pop("profiles", PROFILES))
        storages = others.pop("storages", [self.storage])
        return verify(grounds, storages, others.pop("lifecycles", self.lifecycles), target, **others)

    def verify_text(self, text: str) -> Verdict:
        return self.verify(ByDigest(digest(text)))


@dataclass
class LyingLedger:
    """A node that passes on what the honest ledger says, except where it was told to lie."""

    honest: MemoryLedger
    told: Sequence[Placed] | None = None
    standings: Mapping[bytes, Standing | None] = field(default_factory=dict)
    newest: Block | None = None
    pinned: Terms | None = None

    @property
    def terms(self) -> Terms:
        return self.pinned or self.honest.terms

    def head(self) -> Block:
        return self.newest or self.honest.head()

    def block(self, number: int) -> Block | None:
        return self.honest.block(number)

    def events(self, first: int, last: int) -> Iterator[Placed]:
        if self.told is None:
            return self.honest.events(first, last)
        return iter([placed for placed in self.told if first <= placed.block.number <= last])

    def standing(self, artefact: bytes) -> Standing | None:
        return self.standings[artefact] if artefact in self.standings else self.honest.standing(artefact)

    def nonce(self, key: bytes) -> int:
        return self.honest.nonce(key)

    def prepare(self, call: Any, nonce: int) -> Transaction:
        return self.honest.prepare(call, nonce)

    def send(self, signed: SignedTransaction) -> None:
        self.honest.send(signed)

    def receipt(self, transaction: bytes) -> Receipt | None:
        return self.honest.receipt(transaction)


def all_events(world: World) -> list[Placed]:
    return list(world.ledger.events(0, world.ledger.head().number))


def outcomes(verdict: Verdict) -> dict[int, str]:
    """Number to outcome of the checks that are neither valid nor inapplicable."""
    fine = (Outcome.VALID, Outcome.NOT_APPLICABLE)
    return {check.number: check.outcome.value for check in verdict.checks if check.outcome not in fine}
