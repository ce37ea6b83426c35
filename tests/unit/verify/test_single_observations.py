"""Single observations in an evidence file: one metric proven, the others not told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proml.core.digest import hexed
from proml.core.document import canonical
from proml.core.event import Anchored
from proml.core.proof import ObservationBatch, Proof
from proml.core.verdict import Conclusion
from proml.errors import RecordInvalid, WrongLedger
from proml.ledger.evm import EvmLedger
from proml.verify import (
    Evidence,
    Pins,
    Showing,
    check_evidence,
    enough,
    make_evidence,
    read_evidence,
    read_ledger,
)
from tests.unit.verify.chain import chain_world
from tests.unit.verify.test_evidence_format import altered, body_of, change, leaves, sealed_with
from tests.unit.verify.world import DEVELOPER, PROFILES, Made, World, digest, outcomes


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with chain_world(tmp_path_factory.mktemp("chain")) as world:
        yield world


class Observed:
    """A run with two batches, of which one observation shall be proven."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.entries = [world.observe(DEVELOPER, 5), world.observe(DEVELOPER, 4)]
        data = world.dataset("observed")
        self.run = world.run(data, digests={data.artefact: digest("observed")}, observations=self.entries)
        self.single = self.batch(0).prove(2)
        self.evidence = self.proven(self.single)

    def batch(self, number: int) -> ObservationBatch:
        return self.world.batch_of(self.entries[number])

    def proven(self, *singles: Proof, made: Made | None = None, **showing: Any) -> Evidence:
        assert isinstance(self.world.ledger, EvmLedger)
        chosen = Showing(
            **({"choice": enough, "singles": singles, "prover": self.world.ledger.prove} | showing)
        )
        grounds = read_ledger(self.world.ledger, PROFILES)
        focus = (made or self.run).artefact
        return make_evidence(grounds, [self.world.storage], self.world.lifecycles, focus, chosen)

    def check(self, content: bytes) -> Any:
        pins = Pins(self.world.ledger.terms, self.evidence.tip.hash, PROFILES)
        return check_evidence(content, pins, self.world.lifecycles)


@pytest.fixture(scope="module")
def observed(world: World) -> Observed:
    return Observed(world)


def test_one_observation_is_valid_by_one_file_and_one_pinned_block(observed: Observed) -> None:
    verdict = observed.check(observed.evidence.content)
    assert verdict.conclusion is Conclusion.VALID
    assert verdict.singles == (observed.single,)
    assert verdict.document()["observations"] == [observed.single.document()]
    assert any("only those shown" in note for note in verdict.notes)
    assert read_evidence(observed.evidence.content) == observed.evidence


def test_nothing_of_the_other_observations_is_told(observed: Observed) -> None:
    content = observed.evidence.content
    others = {canonical(dict(each)) for number in (0, 1) for each in observed.batch(number).observations}
    assert [each for each in others if each in content] == [canonical(dict(observed.single.observation))]
    for number in (0, 1):
        assert hexed(observed.batch(number).key).encode() not in content


def test_without_the_pinned_block_a_single_observation_is_its_makers_word(observed: Observed) -> None:
    verdict = check_evidence(
        observed.evidence.content, Pins(observed.world.ledger.terms), observed.world.lifecycles
    )
    assert verdict.conclusion is Conclusion.NOT_ENOUGH_EVIDENCE


def test_without_a_single_observation_the_missing_batches_are_missed(observed: Observed) -> None:
    assert outcomes(observed.check(observed.proven().content)) == {9: "not checked"}


def test_every_flipped_bit_of_the_proof_is_refused(observed: Observed) -> None:
    content = bytearray(observed.evidence.content)
    start = content.index(b'"singles"')
    for at in [*range(100), *range(start, len(content))]:
        for bit in range(8):
            content[at] ^= 1 << bit
            with pytest.raises(RecordInvalid):
                read_evidence(bytes(content))
            content[at] ^= 1 << bit
    # The digest is over every other byte alike; here for those that hold the state proof and the history.
    for at in range(100, start, 7):
        content[at] ^= 1 << at % 8
        with pytest.raises(RecordInvalid):
            read_evidence(bytes(content))
        content[at] ^= 1 << at % 8


def test_an_observation_altered_by_somebody_who_makes_the_digest_anew_is_refused(observed: Observed) -> None:
    body = body_of(observed.evidence.content)
    paths = [path for path in leaves(body) if path[0] == "singles"]
    assert len(paths) > 10
    for path in paths:
        with pytest.raises(RecordInvalid):
            observed.check(sealed_with(altered(body, path, change)))


def test_an_altered_anchor_is_no_valid_proof(observed: Observed) -> None:
    body = body_of(observed.evidence.content)
    events = observed.evidence.events
    anchors = [number for number, each in enumerate(events) if isinstance(each.event, Anchored)]
    assert len(anchors) >= 2
    for number in anchors:
        for part in ("topics", "data"):
            path = ("events", number, part, *([2] if part == "topics" else []))
            try:
                verdict = observed.check(sealed_with(altered(body, path, change)))
            except (RecordInvalid, WrongLedger):
                continue
            assert verdict.conclusion is not Conclusion.VALID, (number, part)


def cut(single: dict[str, Any]) -> Any:
    return single | {"path": single["path"][:-1]}


@pytest.mark.parametrize(
    "forge",
    [
        lambda single, other: [],
        lambda single, other: single,
        lambda single, other: [single, single],
        lambda single, other: [cut(single)],
        lambda single, other: [other],
        lambda single, other: [single | {"extra": 1}],
        lambda single, other: [single | {"index": True}],
        lambda single, other: [{}],
        lambda single, other: [None],
        lambda single, other: None,
    ],
)
def test_a_proof_of_something_else_is_refused(observed: Observed, forge: Callable[[Any, Any], Any]) -> None:
    foreign = ObservationBatch([{"loss": 0.0, "step": 2}], bytes(32)).prove(0).document()
    body = body_of(observed.evidence.content)
    forged = body | {"singles": forge(body["singles"][0], foreign)}
    with pytest.raises(RecordInvalid):
        observed.check(sealed_with(forged))


def test_an_observation_of_a_batch_that_is_there_whole_is_refused(observed: Observed) -> None:
    both = observed.proven(observed.single, batches=True)
    with pytest.raises(RecordInvalid, match="it has whole"):
        observed.check(both.content)


def test_an_observation_of_somebody_upstream_is_refused(observed: Observed) -> None:
    model = observed.world.model(observed.run, "observed model")
    evidence = observed.proven(observed.single, made=model)
    with pytest.raises(RecordInvalid, match="no batch"):
        observed.check(evidence.content)


def test_an_anchor_that_is_hidden_leaves_no_valid_proof(observed: Observed) -> None:
    events = tuple(each for each in observed.evidence.events if not isinstance(each.event, Anchored))
    assert len(events) < len(observed.evidence.events)
    with pytest.raises(RecordInvalid, match="nothing needs"):
        observed.check(replace(observed.evidence, events=events).content)


def test_the_file_is_the_same_on_disk(observed: Observed, tmp_path: Path) -> None:
    file = tmp_path / "loss.proof"
    file.write_bytes(observed.evidence.content)
    assert observed.check(file.read_bytes()).conclusion is Conclusion.VALID
