"""The report: everything that happened, as one HTML file to look at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from attack import Attack
from poisoning import DATASET as POISONED
from stage import Stage
from story import DATASET, NETWORK, library_name

import proml
from proml.core.chronicle import Chronicle
from proml.core.digest import hexed, unhexed
from proml.core.lineage import lineage, taints
from proml.core.verdict import Verdict
from proml.export.reading import Names, lineage_view, timeline_view
from proml.export.report import render, verdict_view
from proml.export.report_view import (
    Command,
    Figure,
    LedgerView,
    LifecycleFigure,
    LineageFigure,
    Member,
    Report,
    VerdictView,
)
from proml.ledger.anvil_binary import VERSION

TITLE = "Nine steps and five attacks"
LEAD = (
    "Six organisations that do not share one boss make a model together, on real data and on a real chain. "
    "Each has its own folder, key, journal and storage; data and models go from hand to hand, and only "
    "commitments to them reach the ledger. Then the attacks of the ProML paper are staged for real."
)
LIMIT = (
    "What ProML does not see: wrong data that is recorded honestly. The flipped labels were found by a test "
    "of another organisation; the ledger proves whose labels they were, and kept the model from service."
)
CAPTIONS = {
    "dataset": "The digits end here: recalled by their administrator.",
    "model": "The network stands here. It was not moved by the recall; it is tainted by it.",
    "run": "A run is on the ledger when it starts, so that dropped and failed ones stay visible.",
    "evaluation": "Planned with its criteria before the test, by somebody who did not make the model.",
    "dependency": "A library version that runs name, so that its recall reaches what was made with it.",
}


def build(stage: Stage, attacks: Sequence[Attack], figures: Sequence[Figure]) -> Report:
    """Everything in the report, read from the ledger once more."""
    client = stage.consortium.client.participant
    chronicle = client.chronicle()
    names = _names(stage, chronicle)
    terms = client.ledger.terms
    return Report(
        title=TITLE,
        lead=LEAD,
        made=int(time.time()),
        program=f"ProML {proml.__version__}",
        ledger=LedgerView(
            how=f"embedded chain (anvil {VERSION})",
            chain_id=terms.chain_id,
            genesis=hexed(terms.genesis),
            contract=hexed(terms.contract),
            code=hexed(terms.code),
            finality=terms.finality,
            tip=client.ledger.head().number,
        ),
        timeline=timeline_view(chronicle, names, stage.costs),
        members=tuple(
            Member(each.number, each.name, each.part.roles, hexed(each.key))
            for each in stage.consortium.members
        ),
        lineages=_lineages(stage, chronicle, names),
        verdicts=tuple(_verdict(stage, title, verdict) for title, verdict in stage.verdicts),
        attacks=tuple(attack.outcome for attack in attacks),
        lifecycles=_lifecycles(stage, chronicle, names),
        figures=tuple(figures),
        commands=_commands(stage),
        artefacts=len(chronicle.histories),
        tainted=sum(bool(taints(chronicle, each)) for each in chronicle.histories),
        notes=(LIMIT,),
    )


def write(report: Report, path: Path) -> Path:
    """Write the page; returns its path."""
    path.write_text(render(report), encoding="utf-8")
    return path


def _verdict(stage: Stage, title: str, verdict: Verdict) -> VerdictView:
    """A verdict with the story's names in place of ids."""
    view = verdict_view(title, verdict, stage.name_of)
    checks = tuple(
        replace(
            check,
            reason=stage.with_names(check.reason),
            findings=tuple(map(stage.with_names, check.findings)),
        )
        for check in view.checks
    )
    return replace(view, checks=checks)


def _names(stage: Stage, chronicle: Chronicle) -> Names:
    me = stage.consortium.client.participant
    by_document = {lifecycle.table.document: lifecycle for lifecycle in me.lifecycles}
    lifecycles = {
        number: by_document[document]
        for number, document in chronicle.documents.items()
        if document in by_document
    }
    return Names(lifecycles, me.name_of, {unhexed(each): name for name, each in stage.ids.items()})


def _lineages(stage: Stage, chronicle: Chronicle, names: Names) -> tuple[LineageFigure, ...]:
    joblib = library_name("joblib")
    captions = {
        DATASET: "Both candidates, and the test of the one that was chosen: the dropped one stays visible.",
        joblib: "The dropped candidate. The forest trained afterwards is not here: its run was refused.",
        POISONED: "The model trained on flipped labels, the test it failed, and its maker's own.",
    }
    ways = lineage_view(chronicle, lineage(chronicle, stage.id_of(NETWORK)), names)
    caption = f"The recall of {DATASET} reaches the model in service along the marked way."
    reached = (
        LineageFigure(
            f"What the recall of {name} reached",
            told,
            lineage_view(chronicle, lineage(chronicle, stage.id_of(name), up=False), names),
        )
        for name, told in captions.items()
    )
    return (LineageFigure("Where the model in service comes from", caption, ways), *reached)


def _lifecycles(stage: Stage, chronicle: Chronicle, names: Names) -> tuple[LifecycleFigure, ...]:
    present = {"dataset": DATASET, "model": NETWORK}
    found = []
    for lifecycle in names.lifecycles.values():
        example = present.get(lifecycle.kind)
        state = chronicle.shared.artefacts[stage.id_of(example)].state if example else 0
        found.append(LifecycleFigure(lifecycle, state, CAPTIONS[lifecycle.kind]))
    return tuple(found)


def _commands(stage: Stage) -> tuple[Command, ...]:
    folder = stage.consortium.client.folder
    return (
        Command(f"cd {folder}", "the folder of the client, whose project hosts the chain"),
        Command(
            f"proml verify deployed/{NETWORK}.npz",
            "all nine checks of the model in service, and what taints it; exit code 1",
        ),
        Command(f"proml lineage {NETWORK}", "what it was made from, as text, Mermaid or SVG"),
        Command("proml log", "the latest steps of everybody"),
        Command("proml ledger down", "ends the chain's program again, which any of these starts"),
    )
