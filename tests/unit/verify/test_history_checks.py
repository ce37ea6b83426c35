"""What the ledger says, each check failing alone: 3 (head), 4 (legal), 5 (actors), 7 (recall), 8 (final)."""

import json
from dataclasses import replace

import pytest

from proml.core.call import ApproveCall
from proml.core.consortium import Actor
from proml.core.digest import hexed, sha256
from proml.core.event import Acted, Approval, Block, KeyAdded, LifecycleAdmitted, Placed, next_head
from proml.core.lifecycle_file import read_lifecycle
from proml.core.verdict import (
    ACTORS,
    FINAL,
    HEAD,
    LEGAL,
    RECALL,
    RECORDS,
    Conclusion,
    Outcome,
)
from proml.errors import LedgerProblem
from proml.interfaces import Standing
from proml.trust import Profile
from proml.verify import ById, read_ledger, verify
from tests.unit.verify.world import (
    ADMIN,
    DEVELOPER,
    LIFECYCLES,
    PROFILES,
    VERIFIER,
    LyingLedger,
    Made,
    World,
    all_events,
    digest,
    outcomes,
)

# Drafted by a developer, published once a verifier approved.
RELEASE = {
    "type": "proml/lifecycle",
    "version": 1,
    "kind": "release",
    "states": ["none", "drafted", "public"],
    "terminal": ["public"],
    "actions": ["draft", "publish"],
    "transitions": [
        {"action": "draft", "from": ["none"], "to": "drafted", "roles": ["developer"]},
        {
            "action": "publish",
            "from": ["drafted"],
            "to": "public",
            "roles": ["developer"],
            "approvals": {"least": 1, "roles": ["verifier"]},
        },
    ],
}


@pytest.fixture
def world() -> World:
    return World()


def signs(said: str) -> bytes:
    """Bytes that are no sealed record."""
    return b'{"type":"%s"}' % said.encode()


# --- 3: head ---------------------------------------------------------------------------------


def test_3_a_head_that_the_steps_do_not_give_is_found(world: World) -> None:
    data = world.dataset()
    word = world.shared.artefacts[data.artefact].word
    lying = LyingLedger(world.ledger, standings={data.artefact: Standing(word, sha256(b"another history"))})
    verdict = world.verify(ById(data.artefact), lying)
    assert outcomes(verdict) == {HEAD: "invalid"}
    assert "missing, added or altered" in verdict.check(HEAD).reason


def test_3_a_step_that_the_node_leaves_out_is_found(world: World) -> None:
    data = world.dataset()
    told = [placed for placed in all_events(world) if not isinstance(placed.event, Acted)]
    verdict = world.verify(ById(data.artefact), LyingLedger(world.ledger, told))
    assert outcomes(verdict) == {HEAD: "invalid"}


def test_3_an_artefact_the_ledger_does_not_hold_is_found(world: World) -> None:
    data = world.dataset()
    verdict = world.verify(ById(data.artefact), LyingLedger(world.ledger, standings={data.artefact: None}))
    assert outcomes(verdict) == {HEAD: "invalid"}


def test_3_a_standing_that_the_steps_do_not_lead_to_is_found(world: World) -> None:
    data = world.dataset()
    present = world.shared.artefacts[data.artefact]
    other = replace(present, custodian=DEVELOPER)
    lying = LyingLedger(world.ledger, standings={data.artefact: Standing(other.word, present.head)})
    assert outcomes(world.verify(ById(data.artefact), lying)) == {HEAD: "invalid"}


def test_3_a_step_made_while_the_ledger_is_read_is_taken_in(world: World) -> None:
    data = world.dataset()
    grounds = read_ledger(world.ledger, PROFILES)
    world.step(ADMIN, data.artefact, "retire")
    model = world.story()
    for artefact, steps in ((data.artefact, 3), (model.artefact, 1)):
        verdict = verify(grounds, [world.storage], world.lifecycles, ById(artefact))
        assert verdict.conclusion is Conclusion.VALID
        assert len(verdict.deeds) == steps
    assert grounds.tip == world.ledger.head()


def test_3_a_chain_that_was_reorganised_meanwhile_is_no_verdict(world: World) -> None:
    data = world.dataset()
    grounds = read_ledger(world.ledger, PROFILES)
    grounds.tip = replace(grounds.tip, hash=bytes(32))
    world.step(ADMIN, data.artefact, "retire")
    with pytest.raises(LedgerProblem, match="reorganised"):
        verify(grounds, [world.storage], world.lifecycles, ById(data.artefact))


# --- 4: legal --------------------------------------------------------------------------------


def test_4_a_lifecycle_whose_file_nobody_has_cannot_be_read(world: World) -> None:
    data = world.dataset()
    verdict = world.verify(ById(data.artefact), lifecycles=[LIFECYCLES["model"]])
    assert outcomes(verdict) == {LEGAL: "not checked"}
    assert verdict.stand.kind == "lifecycle 1"
    assert verdict.deeds[0].action == "action-1"


def test_4_a_table_that_is_not_what_its_file_says_is_found() -> None:
    honest = LIFECYCLES["dataset"]
    lax = replace(honest, table=replace(honest.table, rules=honest.table.rules[:1]))
    world = World(lifecycles=(lax,))
    data = world.step(ADMIN, "dataset", "collect", subject=digest("data"), lifecycle=lax)
    verdict = world.verify(ById(data.artefact), lifecycles=[honest])
    assert verdict.check(LEGAL).outcome is Outcome.INVALID
    assert "not what its file" in verdict.check(LEGAL).reason


def illegal_step(world: World, data: Made, **changes: object) -> LyingLedger:
    """A ledger that tells of one more step, which the contracts cannot have accepted, and stands by it."""
    *_, last = [placed for placed in all_events(world) if isinstance(placed.event, Acted)]
    newest = world.ledger.head()
    assert isinstance(last.event, Acted)
    step = replace(last.event, sequence=last.event.sequence + 1, **changes)
    placed = Placed(step, newest, bytes(32), 99)
    present = world.shared.artefacts[data.artefact]
    standing = Standing(present.word, next_head(present.head, step))
    return LyingLedger(world.ledger, [*all_events(world), placed], {data.artefact: standing})


def test_4_a_step_that_the_lifecycle_forbids_is_found(world: World) -> None:
    data = world.dataset()
    verdict = world.verify(ById(data.artefact), illegal_step(world, data, action=2))  # label in approved
    assert outcomes(verdict) == {LEGAL: "invalid"}
    assert "step 3 (label)" in verdict.check(LEGAL).reason


def test_4_an_impossible_lifecycle_is_found_whomever_it_is_for(world: World) -> None:
    data = world.dataset()
    admitted = next(e.event for e in all_events(world) if isinstance(e.event, LifecycleAdmitted))
    extra = Placed(replace(admitted, number=9), world.ledger.head(), bytes(32), 99)
    lying = LyingLedger(world.ledger, [*all_events(world), extra])
    assert outcomes(world.verify(ById(data.artefact), lying)) == {LEGAL: "invalid"}


# --- 5: actors -------------------------------------------------------------------------------


def test_5_a_step_by_somebody_without_the_role_is_found(world: World) -> None:
    data = world.dataset()
    actor = replace(
        next(e.event for e in all_events(world) if isinstance(e.event, Acted)).actor,
        organisation=DEVELOPER,
        key=world.signers[DEVELOPER].address,
    )
    amend = LIFECYCLES["dataset"].action_number("amend")
    verdict = world.verify(ById(data.artefact), illegal_step(world, data, action=amend, actor=actor))
    assert outcomes(verdict) == {ACTORS: "invalid"}
    assert verdict.check(ACTORS).findings[0].organisation == DEVELOPER


def test_5_an_impossible_key_is_found_whosever_it_is(world: World) -> None:
    data = world.dataset()
    extra = Placed(KeyAdded(9, bytes(20), 7, 0), world.ledger.head(), bytes(32), 99)
    lying = LyingLedger(world.ledger, [*all_events(world), extra])
    assert outcomes(world.verify(ById(data.artefact), lying)) == {ACTORS: "invalid"}


def test_5_before_the_compromise_valid_between_suspect_after_refused(world: World) -> None:
    key = world.add_key(ADMIN, "laptop")
    before = world.step(ADMIN, "dataset", "collect", subject=digest("before"), by=key)
    since = world.ledger.head().number + 1
    between = world.step(ADMIN, "dataset", "collect", subject=digest("between"), by=key)
    world.revoke_key(ADMIN, key.address, since)
    after = world.step(ADMIN, "dataset", "collect", subject=digest("after"))
    assert world.verify(ById(before.artefact)).conclusion is Conclusion.VALID
    assert world.verify(ById(after.artefact)).conclusion is Conclusion.VALID
    verdict = world.verify(ById(between.artefact))
    assert outcomes(verdict) == {ACTORS: "not checked"}
    assert "suspect" in verdict.check(ACTORS).reason
    assert f"since block {since}" in verdict.check(ACTORS).reason
    assert verdict.conclusion is Conclusion.NOT_ENOUGH_EVIDENCE


def test_5_an_approval_by_a_key_that_was_compromised_leaves_too_little_evidence() -> None:
    lifecycle = read_lifecycle(json.dumps(RELEASE).encode())
    world = World([lifecycle])
    key = world.add_key(VERIFIER, "laptop")
    draft = world.step(DEVELOPER, "release", "draft", subject=digest("draft"), lifecycle=lifecycle)
    since = world.ledger.head().number + 1
    asked = ApproveCall(draft.artefact, 2, 2, digest("public"), digest("why"))
    world.send(key, asked)
    approval = Approval(Actor(VERIFIER, key.address), asked.record)
    world.step(DEVELOPER, draft.artefact, "publish", subject=asked.subject, approvals=[approval])
    assert world.verify(ById(draft.artefact)).conclusion is Conclusion.VALID
    world.revoke_key(VERIFIER, key.address, since)
    verdict = world.verify(ById(draft.artefact))
    assert outcomes(verdict) == {ACTORS: "not checked"}
    assert "relies on an approval that is suspect" in verdict.check(ACTORS).reason


def test_5_a_member_under_a_false_name_is_found(world: World) -> None:
    data = world.dataset()
    false = {**PROFILES, ADMIN: Profile("Somebody Respected", PROFILES[ADMIN].salt)}
    verdict = world.verify(ById(data.artefact), profiles=false)
    assert outcomes(verdict) == {ACTORS: "invalid"}
    assert "Somebody Respected" in verdict.check(ACTORS).reason


def test_5_a_false_name_of_a_member_who_did_nothing_here_does_not_matter(world: World) -> None:
    data = world.dataset()
    false = {**PROFILES, VERIFIER: Profile("Somebody", bytes(32))}
    assert world.verify(ById(data.artefact), profiles=false).conclusion is Conclusion.VALID


def test_5_without_names_members_are_numbers(world: World) -> None:
    verdict = world.verify(ById(world.dataset().artefact), profiles={})
    assert verdict.conclusion is Conclusion.VALID
    assert verdict.deeds[0].organisation_name == "organisation 1"


# --- 7: recall -------------------------------------------------------------------------------


def test_7_its_own_recall_is_found(world: World) -> None:
    data = world.dataset()
    world.step(ADMIN, data.artefact, "recall")
    verdict = world.verify(ById(data.artefact))
    assert outcomes(verdict) == {RECALL: "invalid"}
    assert "step 3 (recall) recalled it, by Admin" in verdict.check(RECALL).reason


def test_custody_and_a_dispute_are_part_of_a_valid_history(world: World) -> None:
    data = world.dataset()
    world.step(ADMIN, data.artefact, "offer_custody", number=DEVELOPER)
    world.step(DEVELOPER, data.artefact, "accept_custody")
    world.step(VERIFIER, data.artefact, "contest")
    world.step(DEVELOPER, data.artefact, "answer")
    world.step(VERIFIER, data.artefact, "settle")
    verdict = world.verify(ById(data.artefact))
    assert verdict.conclusion is Conclusion.VALID
    assert [deed.action for deed in verdict.deeds][-2:] == ["answer", "settle"]


def test_2_a_record_of_an_offer_that_names_bytes_is_found(world: World) -> None:
    data = world.dataset()
    named = {"name": "it", "size": 3, "sha256": hexed(sha256(b"it"))}
    world.step(ADMIN, data.artefact, "offer_custody", number=DEVELOPER, record={"subject": named})
    assert (
        "names bytes, where the ledger names none" in world.verify(ById(data.artefact)).check(RECORDS).reason
    )


def test_7_a_recall_two_levels_up_is_found_with_the_way_it_came(world: World) -> None:
    data = world.dataset()
    run = world.run(data)
    model = world.model(run)
    world.step(ADMIN, data.artefact, "recall")
    verdict = world.verify(ById(model.artefact))
    assert outcomes(verdict) == {RECALL: "invalid"}
    (finding,) = verdict.check(RECALL).findings
    assert finding.path == (data.artefact, run.artefact, model.artefact)
    assert (finding.organisation, finding.sequence) == (ADMIN, 3)
    assert "Admin" in finding.text


def test_7_a_recall_downstream_taints_nothing_upstream(world: World) -> None:
    data = world.dataset()
    run = world.run(data)
    world.step(DEVELOPER, run.artefact, "recall")
    assert world.verify(ById(data.artefact)).conclusion is Conclusion.VALID


# --- 8: final --------------------------------------------------------------------------------


def test_8_a_step_that_is_not_deep_enough_is_not_final_yet(world: World) -> None:
    data = world.dataset()
    patient = LyingLedger(world.ledger, pinned=replace(world.ledger.terms, finality=3))
    verdict = world.verify(ById(data.artefact), patient)
    assert outcomes(verdict) == {FINAL: "not checked"}
    assert len(verdict.check(FINAL).findings) == 2
    newest = world.ledger.head()
    patient.newest = Block(newest.number + 1, sha256(b"later"), newest.time + 1)
    assert len(world.verify(ById(data.artefact), patient).check(FINAL).findings) == 1
    patient.newest = Block(newest.number + 2, sha256(b"later"), newest.time + 1)
    assert world.verify(ById(data.artefact), patient).conclusion is Conclusion.VALID
