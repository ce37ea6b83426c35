"""The stage: publishes what an organisation noted, tells it, and compares it with what must come of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from courier import send_records
from organisations import Consortium, Organisation
from table import Row, Table

from proml.capture.fingerprint import fingerprint
from proml.capture.run import subject_of
from proml.core.chronicle import Chronicle
from proml.core.digest import hexed, unhexed
from proml.core.event import Refused
from proml.core.refusal import Reason
from proml.core.verdict import Conclusion, Verdict
from proml.export.reading import Cost
from proml.export.wording import counted
from proml.node.outbox import DONE, Intent, open_outbox
from proml.node.transactions import FINAL, Sent
from proml.verify import ByDigest, ById, Target, read_ledger, verify

# The state that a step led to, or why the contracts refused it.
Outcome = str | Reason


class Surprise(Exception):
    """Something ended differently than the story says."""


@dataclass
class Stage:
    """Where the story happens.

    Attributes:
        consortium: who takes part.
        table: where it is told.
        rows: every row so far.
        ids: id of an artefact, `0x` and 64 digits, by the name the story has for it.
        costs: what each transaction took, by its hash.
        verdicts: those the report shall show, each with its heading.
    """

    consortium: Consortium
    table: Table
    rows: list[Row] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    costs: dict[bytes, Cost] = field(default_factory=dict)
    verdicts: list[tuple[str, Verdict]] = field(default_factory=list)

    # --- writing ----------------------------------------------------------------------------

    def publish(self, who: Organisation, step: str, *outcomes: Outcome) -> list[Intent]:
        """Push what an organisation noted, and tell it.

        Args:
            who: the organisation.
            step: what the first column says.
            outcomes: what must become of the steps, in order: the name of a state, or why it is refused.

        Returns:
            The items that were published, anchors among them.

        Raises:
            Surprise: when anything else came of it.
        """
        published = self.push(who, step)
        self.compare(step, published, outcomes)
        return [intent for intent, _ in published]

    def push(self, who: Organisation, step: str) -> list[tuple[Intent, Outcome]]:
        """Push what an organisation noted, whatever comes of it, and tell it."""
        with self.table.busy(f"{who.name} publishes …"):
            settled = who.participant.push().settled
        chronicle = who.participant.chronicle()
        published = []
        for intent in settled:
            outcome = self._outcome(who, chronicle, intent)
            self._tell(who, step, intent, outcome)
            published.append((intent, outcome))
        return published

    def compare(
        self, step: str, published: Iterable[tuple[Intent, Outcome]], outcomes: Sequence[Outcome]
    ) -> None:
        """Surprise unless exactly this came of what was published, anchors apart."""
        found = [outcome for intent, outcome in published if intent.what == "step"]
        if found != list(outcomes):
            raise Surprise(f"{step}: {_words(found)}, where the story has {_words(outcomes)}")

    def _outcome(self, who: Organisation, chronicle: Chronicle, intent: Intent) -> Outcome:
        if intent.what == "anchor" and intent.state == DONE:
            return "anchored"
        if intent.state != DONE:
            refusal = self.refusal(who, intent)
            return Reason(refusal.reason) if refusal else f"{intent.state}: {intent.reason}"
        transition = chronicle.with_record(unhexed(intent.call["record"]))
        lifecycle = who.participant.lifecycle_of(chronicle, intent.artefact)
        if transition is None or lifecycle is None:
            raise Surprise(f"the ledger does not show: {intent.label}")
        return lifecycle.state_name(transition.step.state)

    def _tell(self, who: Organisation, step: str, intent: Intent, outcome: Outcome) -> None:
        carrier, steps = _carrier(who, intent)
        cost = Cost()
        if carrier is not None:
            first = None if carrier.included is None else carrier.included - carrier.signed
            final = None if carrier.final is None else carrier.final - carrier.signed
            cost = self.costs[carrier.hash] = Cost(carrier.gas, first, final)
        reason = f"{outcome.text} ({outcome.name})" if isinstance(outcome, Reason) else ""
        row = Row(
            step=step,
            organisation=who.name,
            action=self.action_of(intent),
            state="refused" if reason else str(outcome).replace("_", " "),
            block=carrier.block if carrier else None,
            gas=None if cost.gas is None or intent.what != "step" else round(cost.gas / steps),
            first_block=cost.first_block,
            final=cost.final,
            reason=reason,
        )
        self.rows.append(row)
        self.table.row(row)

    def action_of(self, intent: Intent) -> str:
        """What an item was, with the name of its artefact; a name met for the first time is remembered."""
        if intent.label.startswith("acknowledge"):
            return f"acknowledge {counted(1, 'recall')}"
        if intent.what == "anchor":
            return f"anchor {counted(intent.call['count'], 'observation')}"
        action, _, *named = intent.label.split(" ", 2)
        if named:
            self.ids.setdefault(named[0], hexed(intent.artefact))
        return f"{action.replace('_', ' ')} {self.called(intent.artefact)}"

    def refusal(self, who: Organisation, intent: Intent) -> Refused | None:
        """The event in which the contracts refused an item; it names organisation, key and reason."""
        carrier, _ = _carrier(who, intent)
        if carrier is None or carrier.block is None:
            return None
        for placed in who.participant.ledger.events(carrier.block, carrier.block):
            event = placed.event
            if isinstance(event, Refused) and placed.transaction == intent.tx and event.item == intent.item:
                return event
        return None

    # --- looking ----------------------------------------------------------------------------

    def id_of(self, name: str) -> bytes:
        """The 32-byte id of an artefact of the story."""
        return unhexed(self.ids[name])

    def name_of(self, organisation: int) -> str:
        """What a member is called."""
        return self.consortium.client.participant.name_of(organisation)

    def called(self, artefact: bytes) -> str:
        """The story's name for an artefact, its first digits where it has none."""
        found = (name for name, known in self.ids.items() if known == hexed(artefact))
        return next(found, hexed(artefact)[:10])

    def way(self, path: Iterable[bytes]) -> str:
        """A way from artefact to artefact, in words."""
        return " → ".join(map(self.called, path))

    def with_names(self, text: str) -> str:
        """A sentence with the story's names in place of ids, and other digests cut short."""
        for name, known in self.ids.items():
            text = text.replace(known, name)
        return re.sub(r"(0x[0-9a-f]{8})[0-9a-f]{56}", r"\1…", text)

    def different_files(self, one: Path, other: Path) -> list[str]:
        """Paths of files that are not the same in two copies of a folder."""
        manifests = [fingerprint(each).manifest for each in (one, other)]
        first, second = ({path: digest.sha256 for path, digest in each.files} for each in manifests if each)
        return sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))

    def metrics(self, who: Organisation, name: str) -> Mapping[str, float]:
        """What the newest record of an artefact that an organisation has says was measured."""
        history = who.participant.chronicle().histories[self.id_of(name)]
        record = who.participant.record(history[-1].step.record) or {}
        measured: Mapping[str, float] = record.get("metrics", {})
        return measured

    def ask(self, who: Organisation, target: Target) -> Verdict:
        """What `proml verify` tells an organisation: from the ledger and its own storage."""
        me = who.participant
        return verify(read_ledger(me.ledger, me.ledger_file.profiles), [me.storage], me.lifecycles, target)

    def verify_file(self, who: Organisation, path: Path, name: str = "") -> Verdict:
        """Verify the bytes of a file or folder; as an artefact of the story where a name is given."""
        digest = unhexed(subject_of(path).sha256)
        return self.ask(who, ById(self.id_of(name), digest) if name else ByDigest(digest))

    def must_be(self, conclusion: Conclusion, verdict: Verdict, title: str) -> Verdict:
        """Keep a verdict for the report; Surprise unless it is what it has to be."""
        self.verdicts.append((title, verdict))
        if verdict.conclusion is not conclusion:
            wrong = [f"{check.number} {check.reason}" for check in verdict.checks if check.outcome != "valid"]
            raise Surprise(f"{title}: {verdict.conclusion}, not {conclusion}: {'; '.join(wrong)}")
        return verdict

    # --- sending ----------------------------------------------------------------------------

    def send_records(self, sender: Organisation, receiver: Organisation, name: str) -> None:
        """Send the records behind an artefact and all it derives from."""
        with self.table.busy(f"{sender.name} sends its records of {name} to {receiver.name} …"):
            send_records(sender, receiver, self.id_of(name), name)

    @contextmanager
    def nothing_changes(self) -> Iterator[None]:
        """Surprise unless every artefact stands afterwards as it stood before."""
        before = self._heads()
        yield
        if self._heads() != before:
            raise Surprise("an artefact moved that should not have")

    def _heads(self) -> dict[bytes, bytes]:
        artefacts = self.consortium.auditor.participant.chronicle().shared.artefacts
        return {artefact: standing.head for artefact, standing in artefacts.items()}


def _carrier(who: Organisation, intent: Intent) -> tuple[Sent | None, int]:
    """The transaction that carried an item, and how many steps it carried in all."""
    if intent.tx is None:
        return None, 1
    with open_outbox(who.participant.config.outbox) as outbox:
        carrier = next((each for each in outbox.txs(FINAL) if each.hash == intent.tx), None)
        steps = sum(each.what == "step" for each in outbox.intents(tx=intent.tx))
    return carrier, max(1, steps)


def _words(outcomes: Iterable[Outcome]) -> str:
    return ", ".join(each.name if isinstance(each, Reason) else str(each) for each in outcomes) or "nothing"
