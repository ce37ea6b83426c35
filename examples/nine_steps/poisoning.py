"""The first attack: labels flipped on purpose, and what its victims and profiteers then try.

ProML does not see that a label is wrong: honest hashes of wrong labels are valid. What finds it is a test by
somebody else, on data the labelling firm never had; what ProML adds is who delivered which labels, that
nobody can pass or deploy the model all the same, and a recall that reaches everything made of it.
"""

from __future__ import annotations

import shutil

import numpy as np
from attack import FOUND, REFUSED, Attack, invalid_checks, refused, signed, with_bytes
from collection import LABELS, Collected, read_features, read_labels, tumours, write_features, write_labels
from network import read_network
from stage import Stage, Surprise
from story import library_name
from training import Job, train

from proml.core.refusal import Reason
from proml.core.verdict import RECALL, Conclusion
from proml.export.report_view import AttackOutcome
from proml.node.participant import Content

DATASET, HELD_OUT, MODEL = "tumours", "tumours-held-out", "tumours-network"
MODEL_FILE = f"models/{MODEL}.npz"
STEP = "attack 1"
FLIPPED_SHARE = 0.5
SAMPLE = 60
LEAST_FOUND = 0.9
BAD, HARMLESS = "malignant", "benign"


def labels_flipped(stage: Stage) -> list[Attack]:
    """Flip labels, train on them, be found out; then try to pass and to deploy the model regardless."""
    source = tumours()
    _deliver_flipped(stage, source.training, source.held_out)
    _train(stage)
    recall = _evaluate(stage)
    regardless = [_evaluate_own_model(stage), _deploy_unapproved(stage)]
    return [_name_the_labeller(stage, source.training, recall), *regardless]


def _deliver_flipped(stage: Stage, training: Collected, held_out: Collected) -> None:
    cast = stage.consortium
    administrator, labeller = cast.administrator, cast.labeller
    folder = write_features(administrator.folder / DATASET, training)
    kept = write_features(administrator.folder / HELD_OUT, held_out)
    write_labels(kept / LABELS, held_out.truth)
    administrator.participant.register(folder, "dataset", DATASET)
    administrator.participant.register(kept, "dataset", HELD_OUT)
    stage.publish(administrator, STEP, "collected", "collected")

    labeller.receive(folder)
    labels = write_labels(labeller.folder / "delivered" / DATASET / LABELS, flipped(training.truth))
    labeller.participant.act(stage.ids[DATASET], "label", subject=labels)
    stage.publish(labeller, STEP, "labelled")

    # The administrator checks that these are the labels delivered. They are; that is all it can see.
    stage.send_records(labeller, administrator, DATASET)
    arrived = administrator.receive(labels, f"arrived/{DATASET}/{LABELS}")
    title = f"The flipped labels, as {administrator.name} received them"
    stage.must_be(Conclusion.VALID, stage.verify_file(administrator, arrived, DATASET), title)
    shutil.copyfile(arrived, folder / LABELS)
    administrator.participant.act(stage.ids[DATASET], "approve", subject=folder)
    administrator.participant.act(stage.ids[HELD_OUT], "approve", subject=kept)
    stage.publish(administrator, STEP, "approved", "approved")


def flipped(truth: np.ndarray) -> list[str]:
    """Labels in which a share of the malignant cases is called benign."""
    bad = np.flatnonzero(truth == BAD)
    chosen = np.random.default_rng(1).choice(bad, int(FLIPPED_SHARE * len(bad)), replace=False)
    labels = truth.astype(object)
    labels[chosen] = HARMLESS
    return [str(label) for label in labels]


def _train(stage: Stage) -> None:
    administrator, developer = stage.consortium.administrator, stage.consortium.developer
    developer.receive(administrator.folder / DATASET)
    stage.send_records(administrator, developer, DATASET)
    job = Job("network", DATASET, MODEL_FILE, [library_name("scikit-learn")])
    train(stage, STEP, job, "finished", "candidate")


def _evaluate(stage: Stage) -> float:
    """The verifier's test on data the firm never had; returns the share of malignant cases found."""
    cast = stage.consortium
    model = cast.verifier.receive(cast.developer.folder / MODEL_FILE)
    kept = cast.verifier.receive(cast.administrator.folder / HELD_OUT)
    stage.send_records(cast.administrator, cast.verifier, HELD_OUT)
    stage.send_records(cast.developer, cast.verifier, MODEL)
    me = cast.verifier.participant
    criteria = Content(parameters={"share of malignant cases found, at least": LEAST_FOUND})
    plan = me.register(None, "evaluation", f"{MODEL} test", [(model, "model"), (kept, "test data")], criteria)
    stage.publish(cast.verifier, STEP, "planned")
    predicted = read_network(model.read_bytes()).predict(read_features(kept))
    truth = np.array(read_labels(kept / LABELS))
    recall = float(np.mean(predicted[truth == BAD] == BAD))
    if recall >= LEAST_FOUND:
        raise Surprise(f"the poisoned model still finds {recall:.1%} of the malignant cases")
    me.act(plan, "fail", content=Content(metrics={"share of malignant cases found": recall}))
    stage.publish(cast.verifier, STEP, "failed")
    stage.table.say(f"finds {recall:.0%} of the malignant cases, {LEAST_FOUND:.0%} were asked: failed")
    return recall


def _name_the_labeller(stage: Stage, training: Collected, recall: float) -> Attack:
    """Compare a sample of the labels with what is known of those cases, and ask who delivered them."""
    cast = stage.consortium
    labels = cast.verifier.receive(
        cast.administrator.folder / DATASET / LABELS, f"checked/{DATASET}/{LABELS}"
    )
    stage.send_records(cast.administrator, cast.verifier, DATASET)
    delivered = read_labels(labels)
    sample = np.random.default_rng(2).choice(training.count, SAMPLE, replace=False)
    wrong = [number for number in sample if delivered[number] != training.truth[number]]
    if not wrong or any(training.truth[number] != BAD for number in wrong):
        raise Surprise(f"{len(wrong)} wrong labels in the sample, and not all of one kind")
    deed = with_bytes(stage.verify_file(cast.verifier, labels, DATASET))
    stage.table.good(
        f"{len(wrong)} of {SAMPLE} labels wrong, all {BAD} called {HARMLESS}: delivered in {signed(deed)}"
    )

    claims = Content(claims={"reason": "labels were flipped", "found by": cast.verifier.name})
    cast.administrator.participant.act(stage.ids[DATASET], "recall", content=claims)
    stage.publish(cast.administrator, STEP, "recalled")
    verdict = stage.verify_file(cast.verifier, cast.verifier.folder / f"{MODEL}.npz", MODEL)
    stage.must_be(Conclusion.INVALID, verdict, "The poisoned model, after the recall of its dataset")
    tainted = next(finding for finding in verdict.check(RECALL).findings if finding.path)
    stage.table.good(f"tainted by the recall: {stage.way(tainted.path)}")
    outcome = AttackOutcome(
        name="Labels flipped on purpose",
        tried=f"{deed.organisation_name} delivered labels that call half of the {BAD} tumours {HARMLESS}.",
        result=FOUND,
        by="another organisation's test, and a history that says whose labels",
        organisation=deed.organisation_name,
        evidence=f"finds {recall:.0%} of the {BAD} cases; {len(wrong)} of {SAMPLE} sampled labels are wrong, "
        f"all {BAD} called {HARMLESS}; exactly this file is named by {signed(deed)}; the recall taints "
        f"{stage.way(tainted.path)}",
    )
    return Attack(outcome, checks=invalid_checks(verdict))


def _evaluate_own_model(stage: Stage) -> Attack:
    """The developer, a verifier of other people's models, passes its own."""
    developer = stage.consortium.developer
    me = developer.participant
    model = developer.folder / MODEL_FILE
    plan = me.register(None, "evaluation", f"{DATASET} own test", [(model, "model")])
    me.act(plan, "pass", content=Content(metrics={"accuracy": 0.99}))
    stage.publish(developer, STEP, "planned", "passed")
    with stage.nothing_changes():
        me.act(model, "evaluate", inputs=[(plan, "evaluation")])
        (intent,) = stage.publish(developer, STEP, Reason.DUTY_CONFLICT)
    event = stage.refusal(developer, intent)
    assert event is not None
    outcome = AttackOutcome(
        name="Own model passed by its maker",
        tried=f"{developer.name} evaluated the poisoned model itself, being entitled to verify models.",
        result=REFUSED,
        by="the contracts: separation of duties",
        organisation=stage.name_of(event.actor.organisation),
        evidence=refused(stage, event, intent),
    )
    return Attack(outcome, reasons=(Reason(event.reason).name,))


def _deploy_unapproved(stage: Stage) -> Attack:
    """The operator deploys the model as it is: failed by its verifier and approved by nobody."""
    client = stage.consortium.client
    model = client.receive(stage.consortium.developer.folder / MODEL_FILE, f"hasty/{MODEL}.npz")
    with stage.nothing_changes():
        client.participant.act(model, "deploy")
        (intent,) = stage.publish(client, STEP, Reason.NO_TRANSITION)
    event = stage.refusal(client, intent)
    assert event is not None
    outcome = AttackOutcome(
        name="Deployed before approval",
        tried=f"{client.name} deployed the poisoned model without evaluation, approval or hand-over.",
        result=REFUSED,
        by="the contracts: no transition from candidate to deployed",
        organisation=stage.name_of(event.actor.organisation),
        evidence=refused(stage, event, intent),
    )
    return Attack(outcome, reasons=(Reason(event.reason).name,))
