"""Makes docs/vectors/evidence/ on a real chain; run it by hand when the contract's code changes.

python -m tests.golden.make_evidence
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from proml.core.digest import hexed
from proml.ledger.evm import EvmLedger
from proml.lifecycles import shipped
from proml.verify import Evidence, Pins, Showing, check_evidence, enough, make_evidence, read_ledger
from proml.verify.scope import anchor_chains, scope_of, slots_of
from tests.golden.second_evidence import findings
from tests.golden.second_json import Refused
from tests.unit.verify.chain import chain_world
from tests.unit.verify.world import ADMIN, DEVELOPER, PROFILES, Made, World, digest

FOLDER = Path(__file__).parent.parent.parent / "docs" / "vectors" / "evidence"
ABOUT = "Evidence files made on a real chain, and what must come of them (docs/evidence-format.md)."


class Maker:
    """Makes files about artefacts of one world, and remembers what must come of them."""

    def __init__(self, world: World) -> None:
        assert isinstance(world.ledger, EvmLedger)
        self.world = world
        self.ledger = world.ledger
        self.cases: list[dict[str, Any]] = []

    def evidence(self, made: Made, **showing: Any) -> Evidence:
        chosen = Showing(**({"batches": True, "prover": self.ledger.prove} | showing))
        grounds = read_ledger(self.ledger, PROFILES)
        return make_evidence(grounds, [self.world.storage], self.world.lifecycles, made.artefact, chosen)

    def proven_now(self, old: Evidence) -> Evidence:
        grounds = read_ledger(self.ledger)
        scope = scope_of(grounds.chronicle, old.focus)
        slots = slots_of(grounds.chronicle, scope, anchor_chains(old.events))
        return replace(old, tip=grounds.tip, proof=self.ledger.prove(slots, grounds.tip.number))

    def case(self, name: str, evidence: Evidence, text: str | None) -> None:
        """A file and what must come of it; `text` is what the bytes in hand say, None for none in hand."""
        (FOLDER / f"{name}.json").write_bytes(evidence.content)
        pins = Pins(self.ledger.terms, evidence.tip.hash, PROFILES)
        verdict = check_evidence(evidence.content, pins, shipped(), digest(text) if text else None)
        case: dict[str, Any] = {
            "file": f"{name}.json",
            "block": hexed(evidence.tip.hash),
            "digest": hexed(digest(text)) if text else None,
            "conclusion": verdict.conclusion.value,
            "outcomes": [check.outcome.value for check in verdict.checks],
        }
        try:
            case |= findings(evidence.content)
        except Refused:
            case["contradicted"] = True  # the proof holds another head than the events give
        self.cases.append(case)

    def refused(self, name: str, content: bytes) -> None:
        """A file that must not be read."""
        (FOLDER / f"{name}.json").write_bytes(content)
        self.cases.append({"file": f"{name}.json", "refused": True})


def main() -> None:
    """Write every file and expected.json."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chain_world(Path(folder)) as world:
        maker = Maker(world)
        data = world.dataset("data", private=True)
        observed = world.observe(DEVELOPER)
        run = world.run(data, digests={data.artefact: digest("data")}, observations=[observed])
        model = world.model(run)
        genuine = maker.evidence(model)
        maker.case("valid", genuine, "model")
        maker.case("disclosed", maker.evidence(model, choice=enough), "model")
        maker.case("unproven", maker.evidence(model, prover=None), "model")
        single = maker.world.batch_of(observed).prove(1)
        maker.case("single", maker.evidence(run, choice=enough, batches=False, singles=(single,)), None)
        maker.case("private", maker.evidence(data, choice=enough), "data")
        maker.case("other-bytes", maker.evidence(data), "altered data")
        before = genuine
        world.step(ADMIN, data.artefact, "recall")
        maker.case("recalled", maker.evidence(model), "model")
        maker.case("hidden-recall", maker.proven_now(before), "model")
        damaged = bytearray(genuine.content)
        damaged[len(damaged) // 2] ^= 1
        maker.refused("damaged", bytes(damaged))
        assert genuine.proof is not None
        maker.refused("no-account", replace(genuine, proof=replace(genuine.proof, nodes=())).content)
    expected = {
        "about": ABOUT,
        "terms": json.loads(genuine.content)["evidence"]["terms"],
        "cases": maker.cases,
    }
    (FOLDER / "expected.json").write_text(
        json.dumps(expected, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
