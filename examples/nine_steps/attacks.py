"""The second to fourth attack: an altered dataset, a recalled library, a swapped model."""

from __future__ import annotations

import numpy as np
from attack import FOUND, REFUSED, Attack, invalid_checks, refused, signed
from collection import FEATURES
from deployment import FormReader
from network import Network, read_network
from stage import Stage, Surprise
from story import DATASET, FOREST, NETWORK, library_name
from training import Job, train

from proml.core.refusal import Reason
from proml.core.verdict import BYTES, RECALL, Conclusion
from proml.export.report_view import AttackOutcome
from proml.node.participant import Content

AGAIN = "digits-forest-2"


def dataset_altered(stage: Stage) -> list[Attack]:
    """The administrator alters the approved dataset, serves that, and tries to have it approved as well."""
    cast, step = stage.consortium, "attack 2"
    administrator, auditor, developer = cast.administrator, cast.auditor, cast.developer
    altered = administrator.receive(administrator.folder / DATASET, f"served/{DATASET}")
    lines = (altered / FEATURES).read_text().splitlines(keepends=True)
    lines[1], lines[2] = lines[2], lines[1]  # two pictures change places, and so labels
    (altered / FEATURES).write_text("".join(lines))

    received = auditor.receive(altered, DATASET)
    stage.send_records(administrator, auditor, DATASET)
    verdict = stage.verify_file(auditor, received, DATASET)
    stage.must_be(Conclusion.INVALID, verdict, f"The dataset, as {auditor.name} received it")
    finding = verdict.check(BYTES).findings[0]
    approved = next(deed for deed in verdict.deeds if deed.sequence == finding.sequence)
    # Which file it is tells the comparison with a copy that does verify.
    stage.must_be(
        Conclusion.VALID,
        stage.verify_file(developer, developer.folder / DATASET),
        f"The dataset, as {developer.name} still has it",
    )
    files = stage.different_files(developer.folder / DATASET, received)
    if files != [FEATURES]:
        raise Surprise(f"{files} differ")
    stage.table.good(f"{', '.join(files)} is not what {signed(approved)} names")

    with stage.nothing_changes():
        administrator.participant.act(stage.ids[DATASET], "approve", subject=altered)
        (intent,) = stage.publish(administrator, step, Reason.NO_TRANSITION)
    event = stage.refusal(administrator, intent)
    assert event is not None
    found = AttackOutcome(
        name="Dataset altered after approval",
        tried=f"{administrator.name} let two pictures of the approved dataset change places, and served it.",
        result=FOUND,
        by="verification, check 1: bytes match",
        organisation=approved.organisation_name,
        evidence=f"{finding.text}; it signed the real ones in {signed(approved)}; {', '.join(files)} differs "
        f"from the copy of {developer.name}, which verifies",
    )
    again = AttackOutcome(
        name="Altered dataset approved again",
        tried=f"{administrator.name} approved the altered bytes under the same name, without an amendment.",
        result=REFUSED,
        by="the contracts: no transition from approved to approved",
        organisation=stage.name_of(event.actor.organisation),
        evidence=refused(stage, event, intent),
    )
    return [
        Attack(found, checks=invalid_checks(verdict)),
        Attack(again, reasons=(Reason(event.reason).name,)),
    ]


def library_recalled(stage: Stage) -> list[Attack]:
    """A weak library is recalled; the developer goes on training with it."""
    cast, step = stage.consortium, "attack 3"
    developer, auditor = cast.developer, cast.auditor
    joblib = library_name("joblib")
    advisory = Content(claims={"advisory": "staged for this story: reading its files can run code (CWE-502)"})
    auditor.participant.act(stage.ids[joblib], "recall", content=advisory)
    stage.publish(auditor, step, "recalled")

    job = Job("forest", DATASET, f"models/{AGAIN}.joblib", [library_name("scikit-learn"), joblib])
    # The run cannot finish, and so never reaches the sequence that its model names.
    intents = train(stage, step, job, Reason.INPUT_UNUSABLE, Reason.INPUT_AHEAD)
    finish = next(each for each in intents if each.label.startswith("finish"))
    event = stage.refusal(developer, finish)
    assert event is not None
    # The run stays on the ledger: started, and never finished. Its maker may only own up.
    developer.participant.act(
        stage.ids[f"{AGAIN} run"], "fail", content=Content(claims={"reason": "refused"})
    )
    stage.publish(developer, step, "failed")

    verdict = stage.verify_file(developer, developer.folder / f"models/{FOREST}.joblib")
    stage.must_be(
        Conclusion.INVALID, verdict, "The dropped forest, after the recall of a library it was made with"
    )
    tainted = next(each for each in verdict.check(RECALL).findings if each.path)
    stage.table.good(f"tainted by the recall: {stage.way(tainted.path)}")
    outcome = AttackOutcome(
        name="Recalled library used after all",
        tried=f"After {auditor.name} recalled {joblib}, {developer.name} trained another forest with it.",
        result=REFUSED,
        by="the contracts: with a recalled input no run finishes",
        organisation=stage.name_of(event.actor.organisation),
        evidence=f"{refused(stage, event, finish)}; what was made with it before is tainted: "
        f"{stage.way(tainted.path)}",
    )
    return [Attack(outcome, reasons=(Reason(event.reason).name,), checks=invalid_checks(verdict))]


def model_swapped(stage: Stage, reader: FormReader, questions: np.ndarray) -> list[Attack]:
    """Somebody at the operator's puts another model where the reader looks for its own."""
    client, developer = stage.consortium.client, stage.consortium.developer
    before, loads = reader.answer(questions), reader.loads
    original = reader.file.read_bytes()
    swapped(read_network(original)).write(reader.file)
    try:
        verdict = reader.start(NETWORK)
    finally:
        alien = reader.file.read_bytes()
        reader.file.write_bytes(original)
    stage.must_be(Conclusion.INVALID, verdict, "The swapped model, before it could be loaded")
    if reader.loads != loads or not np.array_equal(reader.answer(questions), before):
        raise Surprise("the swapped model was loaded")
    if np.array_equal(read_network(alien).predict(questions), before):
        raise Surprise("the swapped model answers as the real one does, so that nothing was shown")
    stage.must_be(
        Conclusion.VALID,
        stage.verify_file(client, client.folder / f"inspected/{NETWORK}.npz", NETWORK),
        f"The model, as {client.name} still has it from {developer.name}",
    )
    finding = verdict.check(BYTES).findings[0]
    # Auditor and client both signed the real bytes since; whoever deploys them answers for them.
    deployed = next(deed for deed in verdict.deeds if deed.action == "deploy")
    stage.table.good(
        f"not loaded: other bytes than {signed(deployed)} names; the reader goes on with the real model"
    )
    outcome = AttackOutcome(
        name="Model swapped at deployment",
        tried=f"Somebody at {client.name} put a network that takes 1 for 7 in place of the approved one.",
        result=FOUND,
        by="verification, check 1: bytes match; the file was never loaded",
        organisation=deployed.organisation_name,
        evidence=f"{finding.text}; the operator itself signed the real bytes: {signed(deployed)}",
    )
    return [Attack(outcome, checks=invalid_checks(verdict))]


def swapped(network: Network) -> Network:
    """The same network with the answers for 1 and 7 exchanged: right on everything else."""
    order = np.arange(len(network.classes))
    one, seven = (int(np.flatnonzero(network.classes == digit)[0]) for digit in ("1", "7"))
    order[[one, seven]] = order[[seven, one]]
    weights = (network.weights[0], network.weights[1][:, order])
    biases = (network.biases[0], network.biases[1][order])
    return Network(network.classes, network.mean, network.scale, weights, biases)
