"""The end of the story: the dataset is recalled, and that reaches the model in service."""

from __future__ import annotations

from dataclasses import dataclass

from deployment import FormReader
from stage import Stage, Surprise
from story import DATASET, NETWORK

from proml.core.lineage import tainted_by
from proml.core.recall import dues_after
from proml.core.verdict import RECALL, Conclusion, Verdict
from proml.export.wording import counted
from proml.node.recalling import acknowledge, recall


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the recall reached.

    Attributes:
        path: names from the recalled dataset to the deployed model.
        tainted: names of everything that derives from it.
        verdict: on the deployed model.
    """

    path: tuple[str, ...]
    tainted: tuple[str, ...]
    verdict: Verdict


def dataset_recalled(stage: Stage, reader: FormReader) -> Recalled:
    """Recall the dataset, and ask what became of the model that the operator serves."""
    administrator, client = stage.consortium.administrator, stage.consortium.client
    recall(administrator.participant, stage.id_of(DATASET), "consent_withdrawn", "one of the writers")
    stage.publish(administrator, "recall", "recalled")

    loads = reader.loads
    verdict = reader.start(NETWORK)
    stage.must_be(Conclusion.INVALID, verdict, "The model in service, after the recall of its dataset")
    if reader.loads != loads:
        raise Surprise("a tainted model was loaded")
    (finding,) = [each for each in verdict.check(RECALL).findings if each.path]
    path = tuple(stage.called(each) for each in finding.path)
    chronicle = client.participant.chronicle()
    tainted = tuple(stage.called(each) for each in tainted_by(chronicle, stage.id_of(DATASET)))
    stage.table.good(f"{NETWORK} is tainted: {stage.way(finding.path)}")
    stage.table.good(
        f"{client.name}'s reader refuses to load it again; in all {len(tainted)} artefacts are reached"
    )
    developer = stage.consortium.developer
    owed = acknowledge(developer.participant)
    stage.push(developer, "acknowledge")
    waiting = [each for each in dues_after(developer.participant.chronicle(), stage.id_of(DATASET))
               if each.given is None]  # fmt: skip
    if not owed or {each.organisation for each in waiting} != {stage.consortium.verifier.number}:
        raise Surprise("the acknowledgements are not on the ledger")
    stage.table.good(
        f"{developer.name} acknowledged that for its {counted(len(owed), 'artefact')}, for all to see"
    )
    return Recalled(path, tainted, verdict)
