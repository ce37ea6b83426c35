"""A run that nobody ended: shown as abandoned once the chain's own time is beyond its deadline."""

import time
from collections.abc import Iterator

import pytest

from proml.capture.run import Run
from proml.core.lineage import lineage
from proml.node.reporting import report_of
from proml.verify import ById, read_ledger, verify
from tests.scenario.members import Members, gathered

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Members]:
    """Maker began three runs: one in time, one whose deadline is past, one that was finished after it."""
    for made in gathered(tmp_path_factory.mktemp("abandoned")):
        config = made.participant("Maker").config
        started = {name: Run(name, config).start(within=within) for name, within in
                   (("patient", 3600.0), ("left", 0.01), ("late", 0.01))}  # fmt: skip
        made.does("Maker", "push")
        # The deadline is a whole second, and so is the time of a block.
        time.sleep(2.1)
        started["late"].finish()
        made.does("Maker", "push")
        yield made
        for run in started.values():
            run.finish()


def shown(members: Members, name: str) -> tuple[object, bool]:
    document = members.does("Maker", "show", name, "--json").document
    return document["state"], document["abandoned"]


def test_only_what_is_open_beyond_its_deadline_is_abandoned(members: Members) -> None:
    assert shown(members, "patient") == ("started", False)
    assert shown(members, "left") == ("started", True)
    assert shown(members, "late") == ("finished", False)


def test_show_status_lineage_and_report_say_so(members: Members) -> None:
    left = members.id_of("Maker", "left")
    assert "abandoned: open beyond its deadline, 20" in members.does("Maker", "show", "left").out
    assert "its deadline, 20" in members.does("Maker", "show", "patient").out
    assert "abandoned        run left" in members.does("Maker", "status").out
    assert "ABANDONED" in members.does("Maker", "lineage", "left").out
    assert "ABANDONED" in members.does("Maker", "lineage", "left", "-f", "mermaid").out
    assert "abandoned: open beyond its deadline" in members.does("Maker", "lineage", "left", "-f", "svg").out
    assert "ABANDONED" not in members.does("Maker", "lineage", "patient").out

    me = members.participant("Maker")
    grounds = read_ledger(me.ledger, me.ledger_file.profiles)
    verdict = verify(grounds, [me.storage], me.lifecycles, ById(bytes.fromhex(left[2:])))
    notes = " ".join(report_of(me, me.chronicle(), verdict).notes)
    assert "Abandoned: run left" in notes
    assert "run patient" not in notes
    assert lineage(grounds.chronicle, verdict.stand.artefact).artefacts == (verdict.stand.artefact,)


def test_without_the_plan_nobody_claims_that_it_is_abandoned(members: Members) -> None:
    left = members.id_of("Maker", "left")
    document = members.does("Audit", "show", left, "--json").document
    assert (document["state"], document["deadline"], document["abandoned"]) == ("started", None, False)
    assert members.does("Audit", "status", "--json").document["abandoned"] == []


def test_a_command_may_have_a_deadline_and_a_slip_is_named(members: Members) -> None:
    members.does("Maker", "exec", "-n", "quick", "--within", "6h", "--", "true")
    members.does("Maker", "push")
    record = members.does("Maker", "show", "quick", "--json").document["history"][0]["record"]
    assert record["activity"]["deadline"] > record["activity"]["start"]
    for wrong in ("soon", "0s", "-5m", "9999d"):
        said = members.says("Maker", "exec", "--within", wrong, "--", "true")
        assert said.code == 2, said
    assert "write 90s, 15m, 6h or 2d" in members.says("Maker", "exec", "--within", "soon", "--", "true").error
