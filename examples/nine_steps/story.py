"""The paper's nine steps, from data that somebody collected to a model that somebody else audits."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from collection import (
    LABELS,
    Collected,
    digits,
    read_features,
    read_labels,
    write_features,
    write_labels,
)
from courier import check_offline, send_proof
from deployment import FormReader
from network import read_network
from stage import Stage, Surprise
from training import Job, train

from proml.core.digest import hexed, sha256
from proml.core.verdict import Conclusion, Verdict
from proml.node.participant import Content

DATASET, HELD_OUT = "digits", "digits-held-out"
NETWORK, FOREST = "digits-network", "digits-forest"
NETWORK_FILE, FOREST_FILE = f"models/{NETWORK}.npz", f"models/{FOREST}.joblib"
EVALUATION = f"{NETWORK} test"
# Fixed before anything is measured, and on the ledger before the test is run.
LEAST_ACCURACY = 0.95
FORMS_A_DAY = 100


@dataclass(frozen=True, slots=True)
class Told:
    """What the nine steps came to.

    Attributes:
        accuracy: of the deployed network on data its makers never saw, 0 to 1.
        audited: the auditor's verdict.
    """

    accuracy: float
    audited: Verdict


def nine_steps(stage: Stage) -> tuple[Told, FormReader]:
    """Play all nine; returns the client's running reader too. Surprise when a step goes otherwise."""
    cast, source = stage.consortium, digits()
    collect(stage, source.training, source.held_out)
    label(stage, source.training)
    approve_dataset(stage)
    train_candidates(stage)
    accuracy = evaluate(stage)
    approve_model(stage)
    hand_over(stage)
    reader = deploy(stage, source.held_out)
    audited = audit(stage)
    stage.table.good(f"all nine steps done; {cast.auditor.name}'s verdict: {audited.conclusion}")
    return Told(accuracy, audited), reader


def collect(stage: Stage, training: Collected, held_out: Collected) -> None:
    """1: the administrator gathers what shall be learnt from, and apart from it what shall be tested with."""
    administrator = stage.consortium.administrator
    folder = write_features(administrator.folder / DATASET, training)
    kept = write_features(administrator.folder / HELD_OUT, held_out)
    write_labels(kept / LABELS, held_out.truth)
    me = administrator.participant
    me.register(folder, "dataset", DATASET, content=Content(claims={"cases": training.count}))
    me.register(kept, "dataset", HELD_OUT, content=Content(claims={"cases": held_out.count}))
    stage.publish(administrator, "1 collect", "collected", "collected")


def label(stage: Stage, training: Collected) -> None:
    """2: another firm says what each case is, in a file of its own, and signs that it said so."""
    administrator, labeller = stage.consortium.administrator, stage.consortium.labeller
    labeller.receive(administrator.folder / DATASET)
    stage.send_records(administrator, labeller, DATASET)
    labels = write_labels(labeller.folder / "delivered" / DATASET / LABELS, training.truth)
    labeller.participant.act(stage.ids[DATASET], "label", subject=labels)
    stage.publish(labeller, "2 label", "labelled")


def approve_dataset(stage: Stage) -> None:
    """3: the administrator checks that the labels are those delivered, puts both together, and approves."""
    administrator, labeller = stage.consortium.administrator, stage.consortium.labeller
    arrived = administrator.receive(
        labeller.folder / "delivered" / DATASET / LABELS, f"arrived/{DATASET}/{LABELS}"
    )
    stage.send_records(labeller, administrator, DATASET)
    title = f"The labels, as {administrator.name} received them"
    stage.must_be(Conclusion.VALID, stage.verify_file(administrator, arrived, DATASET), title)
    folder, kept = administrator.folder / DATASET, administrator.folder / HELD_OUT
    shutil.copyfile(arrived, folder / LABELS)
    administrator.participant.act(stage.ids[DATASET], "approve", subject=folder)
    administrator.participant.act(stage.ids[HELD_OUT], "approve", subject=kept)
    stage.publish(administrator, "3 approve", "approved", "approved")


def train_candidates(stage: Stage) -> None:
    """4: the developer trains two candidates, each as a tracked run, and drops the weaker one."""
    administrator, developer = stage.consortium.administrator, stage.consortium.developer
    dataset = developer.receive(administrator.folder / DATASET)
    stage.send_records(administrator, developer, DATASET)
    title = f"The dataset, as {developer.name} received it"
    stage.must_be(Conclusion.VALID, stage.verify_file(developer, dataset), title)
    for library in ("scikit-learn", "joblib"):
        developer.participant.register(None, "dependency", library_name(library))
    stage.publish(developer, "4 train", "listed", "listed")
    one, both = [library_name("scikit-learn")], [library_name("scikit-learn"), library_name("joblib")]
    train(stage, "4 train", Job("network", DATASET, NETWORK_FILE, one), "finished", "candidate")
    train(stage, "4 train", Job("forest", DATASET, FOREST_FILE, both), "finished", "candidate")
    runs = {name: stage.metrics(developer, f"{name} run") for name in (NETWORK, FOREST)}
    reached = {name: measured["accuracy"] for name, measured in runs.items()}
    if reached[NETWORK] <= reached[FOREST]:
        raise Surprise(f"the forest did better: {reached}")
    developer.participant.act(stage.ids[FOREST], "drop", content=Content(metrics=reached))
    stage.publish(developer, "4 train", "dropped")
    stage.table.say(
        f"accuracy {reached[NETWORK]:.1%} against {reached[FOREST]:.1%}; the loser stays in the history"
    )


def evaluate(stage: Stage) -> float:
    """5: an organisation that did not make the model plans its test, runs it, and says what came of it."""
    cast = stage.consortium
    kept = cast.verifier.receive(cast.administrator.folder / HELD_OUT)
    model = cast.verifier.receive(cast.developer.folder / NETWORK_FILE)
    stage.send_records(cast.administrator, cast.verifier, HELD_OUT)
    stage.send_records(cast.developer, cast.verifier, NETWORK)
    stage.must_be(
        Conclusion.VALID,
        stage.verify_file(cast.verifier, model),
        f"The model, as {cast.verifier.name} received it",
    )
    me = cast.verifier.participant
    criteria = Content(
        parameters={"accuracy at least": LEAST_ACCURACY, "cases": len(read_labels(kept / LABELS))}
    )
    plan = me.register(None, "evaluation", EVALUATION, [(model, "model"), (kept, "test data")], criteria)
    stage.publish(cast.verifier, "5 evaluate", "planned")
    predicted = read_network(model.read_bytes()).predict(read_features(kept))
    accuracy = float(np.mean(predicted == read_labels(kept / LABELS)))
    if accuracy < LEAST_ACCURACY:
        raise Surprise(f"the network reaches {accuracy:.3f} only")
    me.act(plan, "pass", inputs=[(kept, "test data")], content=Content(metrics={"accuracy": accuracy}))
    me.act(model, "evaluate", inputs=[(plan, "evaluation")])
    stage.publish(cast.verifier, "5 evaluate", "passed", "evaluated")
    stage.table.say(
        f"{accuracy:.1%} right on {len(predicted)} cases nobody trained on, {LEAST_ACCURACY:.0%} were asked"
    )
    return accuracy


def approve_model(stage: Stage) -> None:
    """6: the client, who neither made nor evaluated it, looks at it all and approves."""
    cast = stage.consortium
    model = cast.client.receive(cast.developer.folder / NETWORK_FILE, f"inspected/{NETWORK}.npz")
    stage.send_records(cast.developer, cast.client, NETWORK)
    stage.send_records(cast.verifier, cast.client, NETWORK)
    stage.must_be(
        Conclusion.VALID,
        stage.verify_file(cast.client, model),
        f"The model, as {cast.client.name} inspected it",
    )
    cast.client.participant.act(model, "approve")
    stage.publish(cast.client, "6 approve", "approved")


def hand_over(stage: Stage) -> None:
    """7: the developer hands the approved model to the operator."""
    cast = stage.consortium
    cast.developer.participant.act(cast.developer.folder / NETWORK_FILE, "hand_over")
    stage.publish(cast.developer, "7 hand over", "handed_over")
    cast.client.receive(cast.developer.folder / NETWORK_FILE, f"deployed/{NETWORK}.npz")
    stage.send_records(cast.developer, cast.client, NETWORK)


def deploy(stage: Stage, forms: Collected) -> FormReader:
    """8: the operator verifies the file in hand, loads exactly those bytes, and puts them to work."""
    client = stage.consortium.client
    reader = FormReader(stage, client.folder / f"deployed/{NETWORK}.npz")
    verdict = reader.start()
    stage.must_be(Conclusion.VALID, verdict, "The model, before it was loaded for service")
    if not reader.loads:
        raise Surprise("the gate stayed shut for the approved model")
    read = reader.answer(forms.features[:FORMS_A_DAY])
    right = int(np.sum(read == forms.truth[:FORMS_A_DAY]))
    client.participant.act(
        reader.file, "deploy", content=Content(metrics={"forms": FORMS_A_DAY, "right": right})
    )
    stage.publish(client, "8 deploy", "deployed")
    stage.table.say(f"read {right} of the first {FORMS_A_DAY} forms rightly")
    return reader


def audit(stage: Stage) -> Verdict:
    """9: an outside auditor gets the file and the evidence, and checks both without asking anybody's node."""
    client, auditor = stage.consortium.client, stage.consortium.auditor
    model = auditor.receive(client.folder / f"deployed/{NETWORK}.npz", f"audited/{NETWORK}.npz")
    evidence = send_proof(client, auditor, stage.id_of(NETWORK), NETWORK)
    verdict = check_offline(auditor, evidence, sha256(model.read_bytes()))
    stage.must_be(Conclusion.VALID, verdict, f"The model in service, as {auditor.name} audited it offline")
    claims = {"verdict": verdict.conclusion.value, "evidence": hexed(sha256(evidence.read_bytes()))}
    auditor.participant.act(model, "audit", content=Content(claims=claims))
    stage.publish(auditor, "9 audit", "deployed")
    stage.send_records(auditor, client, NETWORK)
    return verdict


def library_name(distribution: str) -> str:
    """What a library is called on the ledger: its name and the version that is really installed."""
    return f"{distribution} {version(distribution)}"
