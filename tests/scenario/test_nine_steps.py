"""The paper's nine steps as the example plays them: on a real chain, with real data, training and tests."""

import json
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from attack import Attack
from demo import DEFAULT, MARK, Act, Played, chain_in, room, stage_all
from recall import Recalled
from stage import Surprise
from story import DATASET, FOREST, HELD_OUT, NETWORK
from table import COLUMNS, Row, Table

from proml.core.verdict import RECALL, Conclusion, Outcome
from proml.errors import Busy, UsageProblem
from proml.export.report_view import AttackResult

pytestmark = pytest.mark.slow

DEMO = Path(__file__).resolve().parents[2] / "examples" / "nine_steps" / "demo.py"
JOBLIB, SKLEARN = (f"{library} {version(library)}" for library in ("joblib", "scikit-learn"))


def steps_of(played: Played) -> list[tuple[str, str, str, str]]:
    """Step, organisation, action and state of every row of the nine steps, without the anchors."""
    rows = [row for row in played.rows if row.step[0].isdigit() and row.state != "anchored"]
    return [(row.step, row.organisation, row.action, row.state) for row in rows]


def test_nine_steps_lead_from_collected_data_to_an_audited_model_in_service(played: Played) -> None:
    training, forest = f"{NETWORK} run", f"{FOREST} run"
    assert steps_of(played) == [
        ("1 collect", "Tidal Data", f"collect {DATASET}", "collected"),
        ("1 collect", "Tidal Data", f"collect {HELD_OUT}", "collected"),
        ("2 label", "Label & Sons", f"label {DATASET}", "labelled"),
        ("3 approve", "Tidal Data", f"approve {DATASET}", "approved"),
        ("3 approve", "Tidal Data", f"approve {HELD_OUT}", "approved"),
        ("4 train", "Northwind Models", f"list {SKLEARN}", "listed"),
        ("4 train", "Northwind Models", f"list {JOBLIB}", "listed"),
        ("4 train", "Northwind Models", f"start {training}", "started"),
        ("4 train", "Northwind Models", f"finish {training}", "finished"),
        ("4 train", "Northwind Models", f"propose {NETWORK}", "candidate"),
        ("4 train", "Northwind Models", f"start {forest}", "started"),
        ("4 train", "Northwind Models", f"finish {forest}", "finished"),
        ("4 train", "Northwind Models", f"propose {FOREST}", "candidate"),
        ("4 train", "Northwind Models", f"drop {FOREST}", "dropped"),
        ("5 evaluate", "Veritas Laboratory", f"plan {NETWORK} test", "planned"),
        ("5 evaluate", "Veritas Laboratory", f"pass {NETWORK} test", "passed"),
        ("5 evaluate", "Veritas Laboratory", f"evaluate {NETWORK}", "evaluated"),
        ("6 approve", "Harbour Clinics", f"approve {NETWORK}", "approved"),
        ("7 hand over", "Northwind Models", f"hand over {NETWORK}", "handed over"),
        ("8 deploy", "Harbour Clinics", f"deploy {NETWORK}", "deployed"),
        ("9 audit", "Aldgate Audit", f"audit {NETWORK}", "deployed"),
    ]


def test_nothing_ends_otherwise_than_the_story_says(played: Played) -> None:
    assert played.surprises == ()
    assert {attack.outcome.result for attack in played.attacks} == {
        AttackResult.FOUND,
        AttackResult.REFUSED,
    }


def test_every_row_says_who_what_where_and_at_what_cost(played: Played) -> None:
    assert [name for name, _ in COLUMNS] == [
        "step", "who", "action", "state", "block", "gas", "1st block", "final",
    ]  # fmt: skip
    blocks = []
    for row in played.rows:
        assert row.block is not None
        assert row.first_block is not None
        assert row.final is not None
        assert 0 < row.first_block <= row.final
        assert (row.gas is None) == (row.state == "anchored")
        assert row.gas is None or 21_000 < row.gas < 250_000
        assert len(row.cells()) == len(COLUMNS)
        blocks.append(row.block)
    assert blocks == sorted(blocks)
    # Block 1 founds the consortium; no block is without a row.
    assert set(blocks) == set(range(2, blocks[-1] + 1))


def test_the_model_was_tested_on_what_it_never_saw_and_by_somebody_else(played: Played) -> None:
    assert 0.95 <= played.told.accuracy <= 1
    by = {step.action: step.organisation for step in played.report.timeline.steps if step.name == NETWORK}
    assert by["propose"] == "Northwind Models"
    assert by["evaluate"] == "Veritas Laboratory"
    assert by["approve"] == "Harbour Clinics"


def test_the_auditor_calls_it_valid_by_nine_checks_of_an_evidence_file(played: Played) -> None:
    audited = played.told.audited
    assert audited.grounds.startswith("evidence file 0x")
    assert audited.conclusion is Conclusion.VALID
    assert {check.outcome for check in audited.checks} == {Outcome.VALID}
    assert audited.stand.name == NETWORK


def test_the_dropped_candidate_stays_visible(played: Played) -> None:
    title = f"What the recall of {DATASET} reached"
    (figure,) = [each for each in played.report.lineages if each.title == title]
    states = {artefact.name: artefact.state for artefact in figure.view.artefacts}
    assert states[FOREST] == "dropped"
    assert states[NETWORK] == "deployed"


def test_recalling_the_dataset_taints_the_model_in_service_and_shows_the_way(played: Played) -> None:
    recalled: Recalled = played.recalled
    assert recalled.path == (DATASET, f"{NETWORK} run", NETWORK)
    assert set(recalled.tainted) == {
        f"{NETWORK} run", NETWORK, f"{FOREST} run", FOREST, f"{NETWORK} test",
    }  # fmt: skip
    assert recalled.verdict.conclusion is Conclusion.INVALID
    wrong = [check.number for check in recalled.verdict.checks if check.outcome is not Outcome.VALID]
    assert wrong == [RECALL]
    (way,) = played.report.lineages[0].view.taint_paths
    names = [played.report.lineages[0].view.artefact(each).name for each in way]
    assert tuple(names) == recalled.path


def test_the_report_is_one_file_that_asks_nobody(played: Played) -> None:
    page = played.page.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", page)
    for attack in played.attacks:
        assert attack.outcome.name in page
    for title in ("Where the model in service comes from", "Verdicts", "Who takes part", "What it cost"):
        assert title in page
    for name in ("Harbour Clinics", "Tidal Data", "Label &amp; Sons", "Northwind Models", "Aldgate Audit"):
        assert name in page
    assert "16 s" in page
    assert page.count("<svg") > 10


def test_the_report_counts_what_the_ledger_has(played: Played) -> None:
    report = played.report
    accepted = [row for row in played.rows if row.state not in ("anchored", "refused")]
    assert len(report.timeline.steps) == len(accepted)
    registered = [step for step in report.timeline.steps if step.sequence == 1]
    assert report.artefacts == len(registered)
    assert report.tainted == len({*played.recalled.tainted}) + 4  # and four of the tumours
    assert report.ledger.tip == played.rows[-1].block
    assert all(step.gas and step.first_block and step.final for step in report.timeline.steps)


def test_what_the_report_tells_the_reader_to_run_does_what_it_says(played: Played) -> None:
    go, verify, *others, down = (command.line for command in played.report.commands)
    folder = Path(go.removeprefix("cd "))

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *line.split()], cwd=folder, capture_output=True, text=True, check=False
        )

    try:
        found = run(f"{verify} --json")
        assert found.returncode == 1, found.stderr
        verdict = json.loads(found.stdout)
        assert [check["number"] for check in verdict["checks"] if check["outcome"] != "valid"] == [RECALL]
        assert len(verdict["checks"][RECALL - 1]["findings"][0]["path"]) == 3
        for line in others:
            done = run(line)
            assert done.returncode == 0, done.stderr
            assert done.stdout
    finally:
        assert run(down).returncode == 0
    assert chain_in(folder.parent).status().pid is None


# --- the frame around the story -------------------------------------------------------------


def test_a_folder_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageProblem, match="no demo made it"), room(tmp_path):
        pytest.fail("it went in")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    done = subprocess.run(
        [sys.executable, DEMO, "--folder", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no demo made it" in done.stdout


def test_an_earlier_demo_is_replaced_or_moved_aside(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    with room(root):
        (root / "first").touch()
    with room(root):
        assert [each.name for each in root.iterdir()] == [MARK]
        (root / "second").touch()
    with room(root, keep=True):
        assert [each.name for each in root.iterdir()] == [MARK]
    assert (tmp_path / "demo-1" / "second").exists()


def test_two_demos_do_not_play_in_one_folder(tmp_path: Path) -> None:
    with (
        room(tmp_path / "demo"),
        pytest.raises(Busy, match="another demo plays"),
        room(tmp_path / "demo"),
    ):
        pytest.fail("it went in")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_stops_its_chain(tmp_path: Path, number: signal.Signals) -> None:
    root = tmp_path / "demo"
    with subprocess.Popen(
        [sys.executable, DEMO, "--folder", root], stdout=subprocess.PIPE, text=True, bufsize=1
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("2 label"):
                break
        assert chain_in(root).status().pid is not None
        demo.send_signal(number)
        rest = demo.stdout.read()
    assert demo.returncode == 130
    assert "interrupted; the chain is stopped" in rest
    assert chain_in(root).status().pid is None


def test_an_attack_that_is_neither_refused_nor_found_is_missed_and_holds_up_no_other() -> None:
    def unnoticed() -> list[Attack]:
        raise Surprise("nobody noticed")

    acts = (Act("Quiet theft", unnoticed), Act("Loud theft", list))
    (attack,), surprises = stage_all(Table(quiet=True), acts)
    assert attack.outcome.result is AttackResult.MISSED
    assert attack.outcome.evidence == "nobody noticed"
    assert surprises == ["Quiet theft: nobody noticed"]


def test_the_usual_folder_is_below_build() -> None:
    assert DEFAULT.parts[-2:] == ("build", "demo")


def test_rows_are_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table()
    table.chapter("The nine steps")
    table.row(Row("1 collect", "Tidal Data", "collect digits", "collected", 2, 70_041, 0.023, 0.034))
    table.row(Row("8 deploy", "Harbour Clinics", "deploy x", "refused", 3, 44_589, 0.02, 0.03, "too early"))
    with table.busy("training …"):
        pass
    told = capsys.readouterr().out
    assert "\x1b" not in told
    _, chapter, titles, accepted, refused, why = told.splitlines()
    assert chapter == "The nine steps"
    assert titles.split() == ["step", "who", "action", "state", "block", "gas", "1st", "block", "final"]
    assert accepted.startswith("1 collect   Tidal Data         collect digits ")
    assert accepted.endswith(" collected       2  70,041     23 ms   34 ms")
    assert refused.endswith(" refused         3  44,589     20 ms   30 ms")
    assert why.strip() == "refused by the contracts: too early"
    assert len(titles) == len(accepted) == len(refused) <= 110
