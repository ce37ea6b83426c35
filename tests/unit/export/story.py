"""A made-up but rule-abiding history: six organisations, two candidate models, a recall at the end.

The executable specification accepts every step, so the chronicle is one a ledger could have told.
"""

from dataclasses import dataclass, field

from proml.core.call import Call, Founder, StepCall
from proml.core.chronicle import Chronicle
from proml.core.consortium import role_mask
from proml.core.digest import keccak256, sha256
from proml.core.event import Block, Event, Input, Placed
from proml.core.history import SharedHistory
from proml.core.proposal import Governance
from proml.core.refusal import Reason
from proml.export.reading import Cost, Names
from proml.lifecycles import SHIPPED, shipped

MEMBERS = (
    ("Harbour Clinics", ("operator", "approver")),
    ("Tidal Data", ("data_admin",)),
    ("Label & Sons", ("labeller",)),
    ("Northwind Models", ("developer",)),
    ("Veritas Laboratory", ("verifier",)),
    ("Aldgate Audit", ("auditor",)),
)
OPERATOR, DATA, LABELS, DEVELOPER, VERIFIER, AUDITOR = range(1, 7)
CHAIN = 1337
CONTRACT = keccak256(b"the contract of the story")[12:]
START = 1_796_032_804
LIFECYCLES = dict(enumerate(shipped(), start=1))


def key_of(organisation: int) -> bytes:
    """A key that signs nothing: steps are given to the rules directly."""
    return keccak256(f"key of {organisation}".encode())[12:]


@dataclass
class Story:
    """Tells steps to the rules and keeps what they emit."""

    rules: SharedHistory = field(default_factory=lambda: SharedHistory(CHAIN, CONTRACT))
    placed: list[Placed] = field(default_factory=list)
    ids: dict[str, bytes] = field(default_factory=dict)
    time: int = START
    block: int = 1

    def __post_init__(self) -> None:
        founders = [
            Founder(key_of(number), role_mask(roles), sha256(name.encode()))
            for number, (name, roles) in enumerate(MEMBERS, start=1)
        ]
        tables = [lifecycle.table for lifecycle in shipped()]
        self._place(self.rules.found(founders, Governance(2), tables, self.block))

    def register(self, organisation: int, kind: str, action: str, name: str, *inputs: str) -> None:
        salt = sha256(name.encode())
        number = SHIPPED.index(kind) + 1
        asked = self._asked(salt, number, action, 1, inputs)
        self.ids[name] = self.rules.id_of(Call(key_of(organisation), self.block), asked)
        self._tell(organisation, asked)

    def act(self, organisation: int, action: str, name: str, *inputs: str) -> None:
        artefact = self.ids[name]
        sequence = self.rules.artefacts[artefact].sequence + 1
        self._tell(organisation, self._asked(artefact, 0, action, sequence, inputs))

    def _asked(
        self, artefact: bytes, lifecycle: int, action: str, sequence: int, inputs: tuple[str, ...]
    ) -> StepCall:
        number = lifecycle or self.rules.artefacts[artefact].lifecycle
        record = keccak256(b"record" + self.block.to_bytes(4, "big"))
        named = tuple(Input(self.ids[each], self.rules.artefacts[self.ids[each]].sequence) for each in inputs)
        code = LIFECYCLES[number].action_number(action)
        return StepCall(artefact, lifecycle, code, sequence, record, sha256(artefact), named)

    def _tell(self, organisation: int, asked: StepCall) -> None:
        event = self.rules.step(Call(key_of(organisation), self.block), asked)
        assert not isinstance(event, Reason), event.text
        self._place([event])

    def _place(self, events: list[Event]) -> None:
        block = Block(self.block, keccak256(self.block.to_bytes(8, "big")), self.time)
        transaction = keccak256(b"transaction" + self.block.to_bytes(8, "big"))
        self.placed += [Placed(event, block, transaction, index) for index, event in enumerate(events)]
        self.block += 1
        self.time += 2 + self.block % 5

    def chronicle(self) -> Chronicle:
        return Chronicle(SharedHistory(CHAIN, CONTRACT)).take(self.placed)

    def names(self) -> Names:
        return Names(
            LIFECYCLES,
            lambda number: MEMBERS[number - 1][0],
            {identifier: name for name, identifier in self.ids.items()},
        )

    def costs(self) -> dict[bytes, Cost]:
        return {
            placed.transaction: Cost(
                gas=74_000 + 137 * (placed.block.number * 31 % 97),
                first_block=0.011 + placed.block.number % 7 / 1000,
                final=0.014 + placed.block.number % 5 / 1000,
            )
            for placed in self.placed
        }


def nine_steps() -> Story:
    """Collect, label, approve; train two candidates; evaluate; approve; hand over; deploy; audit; recall."""
    story = Story()
    story.register(DEVELOPER, "dependency", "list", "scikit-learn 1.7.2")
    story.register(DEVELOPER, "dependency", "list", "fastboost 0.4.0")
    for dataset in ("scans-2026-train", "scans-2026-test"):
        story.register(DATA, "dataset", "collect", dataset)
        story.act(LABELS, "label", dataset)
        story.act(DATA, "approve", dataset)
    for run, model, library in (
        ("train svc #14", "triage-svc", "scikit-learn 1.7.2"),
        ("train boosted #15", "triage-boosted", "fastboost 0.4.0"),
    ):
        story.register(DEVELOPER, "run", "start", run, "scans-2026-train")
        story.act(DEVELOPER, "finish", run, "scans-2026-train", library)
        story.register(DEVELOPER, "model", "propose", model, run)
    for evaluation, model in (("evaluate svc", "triage-svc"), ("evaluate boosted", "triage-boosted")):
        story.register(VERIFIER, "evaluation", "plan", evaluation, model, "scans-2026-test")
    story.act(VERIFIER, "pass", "evaluate svc", "scans-2026-test")
    story.act(VERIFIER, "fail", "evaluate boosted")
    story.act(VERIFIER, "evaluate", "triage-svc", "evaluate svc")
    story.act(DEVELOPER, "drop", "triage-boosted")
    story.act(OPERATOR, "approve", "triage-svc")
    story.act(DEVELOPER, "hand_over", "triage-svc")
    story.act(OPERATOR, "deploy", "triage-svc")
    story.act(AUDITOR, "audit", "triage-svc")
    story.act(AUDITOR, "recall", "fastboost 0.4.0")
    story.act(DATA, "recall", "scans-2026-train")
    return story
