"""The story as a report and as single drawings, for tests and for looking at.

    python -m tests.unit.export.sample_report FOLDER

Given `tests/golden/export`, renews the golden files that are there.
"""

import sys
from pathlib import Path

from proml.core.digest import hexed, keccak256
from proml.core.lineage import lineage, tainted_by
from proml.core.verdict import NAMES
from proml.export import lanes, lifecycle_diagram, mermaid, report, svg, text
from proml.export.reading import lineage_view, timeline_view
from proml.export.report_view import (
    AttackOutcome,
    AttackResult,
    CheckView,
    Command,
    Figure,
    LedgerView,
    LifecycleFigure,
    LineageFigure,
    Member,
    Report,
    VerdictView,
)
from proml.export.view import LineageView
from tests.unit.export.story import CHAIN, CONTRACT, LIFECYCLES, MEMBERS, START, Story, key_of, nine_steps

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "export"
GOOD = {
    1: "SHA-256 and BLAKE3 of triage-svc.joblib are those of step 6",
    2: "13 records belong to their commitments",
    3: "6 steps give the head the ledger holds",
    4: "every step is in the lifecycle, by a holder of its role",
    5: "4 organisations, each with an unrevoked key when it acted",
    6: "4 inputs, verified in turn",
    7: "nothing upstream has been recalled",
    8: "block 25 is final (1 block)",
    9: "612 observations are under 2 anchored roots",
}


def lineage_of(story: Story, name: str) -> LineageView:
    chronicle = story.chronicle()
    return lineage_view(chronicle, lineage(chronicle, story.ids[name]), story.names())


def verdict(
    story: Story, title: str, name: str, wrong: dict[int, tuple[str, str, tuple[str, ...]]]
) -> VerdictView:
    checks = tuple(
        CheckView(number, NAMES[number], *wrong.get(number, ("valid", GOOD[number], ()))) for number in NAMES
    )
    outcomes = {check.outcome for check in checks}
    conclusion = "invalid" if "invalid" in outcomes else "valid"
    if conclusion == "valid" and "not checked" in outcomes:
        conclusion = "not enough evidence"
    view = lineage_of(story, name)
    return VerdictView(
        title=title,
        conclusion=conclusion,
        question=f"Is {name} what its history says, and may it be relied on?",
        grounds="ledger, up to block 27",
        kind=view.artefact(view.focus).kind,
        name=name,
        artefact=view.focus,
        checks=checks,
    )


def sample() -> Report:
    story = nine_steps()
    chronicle = story.chronicle()
    focus = lineage_of(story, "triage-svc")
    recalled = story.ids["scans-2026-train"]
    recall_path = "dataset scans-2026-train → run train svc #14 → model triage-svc"
    swapped = "the file's SHA-256 0x8c41…e9 is no subject of this artefact; the present one is 0x1f07…3a"
    return Report(
        title="Nine steps of a triage model",
        lead="Six organisations that do not share one boss made, tested and deployed a model. This is what "
        "the ledger says of it, what was tried against it, and what a recalled dataset did to it.",
        made=START + 180,
        program="ProML 0.1.0",
        ledger=LedgerView(
            how="embedded chain (anvil 1.7.1)",
            chain_id=CHAIN,
            genesis=hexed(keccak256(b"genesis")),
            contract=hexed(CONTRACT),
            code=hexed(keccak256(b"code")),
            finality=1,
            tip=27,
        ),
        timeline=timeline_view(chronicle, story.names(), story.costs()),
        members=tuple(
            Member(number, name, roles, hexed(key_of(number)))
            for number, (name, roles) in enumerate(MEMBERS, start=1)
        ),
        lineages=(
            LineageFigure(
                "Where the deployed model came from",
                "Sources on the left. The dashed lines carry the recall of the training data on.",
                focus,
            ),
            LineageFigure(
                "Everything the recalled dataset reached",
                "Both candidates, the one in use and the one that was dropped.",
                lineage_of(story, "scans-2026-train"),
            ),
        ),
        verdicts=(
            verdict(story, "The deployed model, before the recall", "triage-svc", {}),
            verdict(
                story,
                "The file found on the server",
                "triage-svc",
                {1: ("invalid", swapped, ("deployed by Harbour Clinics at step 6",))},
            ),
            verdict(
                story,
                "The training data, without its records",
                "scans-2026-train",
                {
                    2: (
                        "not checked",
                        "the records of 2 steps are nowhere to be had",
                        ("step 2 (Label & Sons)",),
                    ),
                    9: ("not applicable", "no observations were anchored", ()),
                },
            ),
            verdict(
                story,
                "The deployed model, after the recall",
                "triage-svc",
                {7: ("invalid", f"recalled upstream: {recall_path}", ("recalled at step 4 (Tidal Data)",))},
            ),
        ),
        attacks=(
            AttackOutcome(
                "Labels flipped on purpose",
                "Label & Sons turned 40 of 1,437 labels before handing them over.",
                AttackResult.FOUND,
                "an audit sample of 200 rows",
                "Label & Sons",
                "rows 12, 88, 301 disagree with the labels agreed by two others; step 2 is signed by it",
            ),
            AttackOutcome(
                "Dataset altered after approval",
                "Tidal Data replaced train.csv once it had been approved.",
                AttackResult.FOUND,
                "verify, check 1: bytes match",
                "Tidal Data",
                "train.csv has another digest than step 3 approved",
            ),
            AttackOutcome(
                "Training with a recalled library",
                "Northwind Models finished a run that used fastboost 0.4.0 after its recall.",
                AttackResult.REFUSED,
                "the contracts",
                "Northwind Models",
                "INPUT_UNUSABLE: an input is not in a usable state",
            ),
            AttackOutcome(
                "Model swapped at deployment",
                "Harbour Clinics put another file on its server.",
                AttackResult.FOUND,
                "proml gate, exit code 3",
                "Harbour Clinics",
                swapped,
            ),
            AttackOutcome(
                "Tracks covered",
                "Northwind Models edited its journal, its storage and its index.",
                AttackResult.FOUND,
                "the journal's chain, digests in storage, the head on the ledger",
                "Northwind Models",
                "entry 41 of run-0003.journal does not follow entry 40",
            ),
        ),
        lifecycles=tuple(
            LifecycleFigure(LIFECYCLES[number], present, caption)
            for number, present, caption in (
                (1, 4, "The training data now."),
                (3, 5, "The deployed model now."),
            )
        ),
        figures=(
            Figure("run.log, mean on the training thread", "2.9 µs", "MLflow, file store: 317 µs"),
            Figure("Verifying 1,000 records offline", "0.41 s"),
        ),
        commands=(
            Command(
                "proml verify triage-svc.joblib",
                "Finds the artefact by the file in hand; nine numbered checks.",
            ),
            Command("proml lineage triage-svc --format svg", "Draws the lineage again from the ledger."),
            Command(
                "proml gate triage-svc.joblib --state deployed", "Exit code 0 only where nothing is tainted."
            ),
        ),
        artefacts=len(chronicle.histories),
        tainted=len(tainted_by(chronicle, recalled)),
        notes=("The names and steps in this sample are made up.",),
    )


def drawings() -> dict[str, str]:
    """Everything but the report, by file name."""
    story = nine_steps()
    timeline = timeline_view(story.chronicle(), story.names(), story.costs())
    drawn = {"timeline.svg": lanes.render(timeline)}
    for name, focus in (("model", "triage-svc"), ("dataset", "scans-2026-train")):
        view = lineage_of(story, focus)
        drawn |= {
            f"lineage-{name}.svg": svg.render(view),
            f"lineage-{name}.mmd": mermaid.render(view),
            f"lineage-{name}.txt": text.render(view),
            f"lineage-{name}-plain.txt": text.render(view, plain=True),
        }
    for number, present in ((1, 4), (2, None), (3, 5), (4, None), (5, 1)):
        lifecycle = LIFECYCLES[number]
        drawn[f"lifecycle-{lifecycle.kind}.svg"] = lifecycle_diagram.render(lifecycle, present)
        drawn[f"lifecycle-{lifecycle.kind}.mmd"] = lifecycle_diagram.render_mermaid(lifecycle, present)
    return drawn


def write(folder: Path) -> None:
    """Everything, or, in the folder of golden files, only those that are there."""
    content = drawings() | {"report.html": report.render(sample())}
    if folder.resolve() == GOLDEN:
        content = {name: text for name, text in content.items() if (folder / name).exists()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, written in content.items():
        (folder / name).write_text(written, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "build/export-sample"))
