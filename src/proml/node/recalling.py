"""Recalling an artefact with a reason, and acknowledging what a recall did to one's own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proml.core.call import AnchorCall
from proml.core.chronicle import Chronicle
from proml.core.digest import hexed
from proml.core.recall import REASONS, Due, dues, dues_after
from proml.errors import KeyProblem, NotFound, UsageProblem
from proml.node.batching import ANCHOR
from proml.node.outbox import SENT, WAITING, open_outbox
from proml.node.participant import Content, Participant
from proml.node.sealing import anchor_document


@dataclass(frozen=True, slots=True)
class RecallTold:
    """What is known here of a recall.

    Attributes:
        organisation: who recalled, by number.
        block: where.
        time: of that block, seconds since 1970.
        reason: code out of `REASONS`, or what the record says instead; empty when it is not here.
        text: what the record says besides.
    """

    organisation: int
    block: int
    time: int
    reason: str
    text: str

    @property
    def words(self) -> str:
        """Reason and text for people; empty where the record is elsewhere."""
        return ": ".join(filter(None, (self.reason, self.text)))


def recall(me: Participant, artefact: bytes, reason: str, text: str = "") -> str:
    """Note in the journal that an artefact shall be recalled; `push` takes it to the ledger.

    Args:
        me: who recalls; whether that may be is for the contracts to say.
        artefact: its 32-byte id.
        reason: one of the codes of `proml.core.recall.REASONS`.
        text: anything more there is to say, for the record.

    Returns:
        The action of its lifecycle that recalls.

    Raises:
        UsageProblem: for another reason, or where nothing recalls it as it stands.
    """
    if reason not in REASONS:
        raise UsageProblem(f"{reason!r} is no reason for a recall", f"reasons are {', '.join(REASONS)}")
    chronicle = me.chronicle()
    if chronicle.is_recalled(artefact):
        raise UsageProblem(f"{me.title(chronicle, artefact)} is recalled already", "`proml show` says why")
    lifecycle = me.lifecycle_of(chronicle, artefact)
    if lifecycle is None:
        raise NotFound(f"the lifecycle of {hexed(artefact)} is not known here", "see `proml lifecycle list`")
    state = chronicle.shared.artefacts[artefact].state
    actions = [rule.action for rule in lifecycle.table.rules if rule.state == state and rule.recall]
    if not actions:
        raise UsageProblem(
            f"a {lifecycle.kind} that is {lifecycle.state_name(state)} cannot be recalled",
            f"`proml lifecycle show {lifecycle.kind}` says from where it can",
        )
    action = lifecycle.action_name(actions[0])
    claims = {"reason": reason, **({"text": text} if text else {})}
    me.act(hexed(artefact), action, content=Content(claims=claims))
    return action


def told(me: Participant, chronicle: Chronicle, recalled: bytes) -> RecallTold | None:
    """What is known here of the recall of an artefact; None when it is not recalled."""
    transition = chronicle.recall_of(recalled)
    if transition is None:
        return None
    claims: Mapping[str, Any] = (me.record(transition.step.record) or {}).get("claims", {})
    block = transition.placed.block
    said = {name: str(claims[name]) for name in ("reason", "text") if name in claims}
    return RecallTold(
        transition.step.actor.organisation,
        block.number,
        block.time,
        said.get("reason", ""),
        said.get("text", ""),
    )


def acknowledge(me: Participant, artefact: bytes | None = None) -> list[Due]:
    """Queue what this organisation has to acknowledge; `push` takes it to the ledger.

    Args:
        me: who acknowledges.
        artefact: a tainted artefact of its own, or a recalled one for all it tainted here; None for all.

    Returns:
        What was queued; without what was queued before and is not settled yet.

    Raises:
        UsageProblem: when there is nothing to acknowledge there, or another organisation has to.
        KeyProblem: when the key belongs to no member.
    """
    chronicle = me.chronicle()
    key = chronicle.shared.keys.get(me.address)
    if key is None:
        raise KeyProblem("this project's key belongs to no member", "use the key of a member")
    found = obligations(chronicle, artefact)
    own = [each for each in found if each.organisation == key.organisation]
    if artefact is not None and not own:
        raise _nothing_to_say(me, chronicle, artefact, found)
    waiting = [each for each in own if each.given is None]
    with open_outbox(me.config.outbox) as outbox:
        queued = {each.artefact for state in (WAITING, SENT) for each in outbox.intents(state)}
        new = [each for each in waiting if each.root not in queued]
        with outbox.together():
            for each in new:
                label = f"acknowledge for {hexed(each.artefact)[:12]} the recall of {hexed(each.source)[:12]}"
                call = anchor_document(AnchorCall(each.root, 1))
                outbox.add_intent(ANCHOR, label, each.root, call, time.time())
    return new


def obligations(chronicle: Chronicle, artefact: bytes | None = None) -> list[Due]:
    """What has to be acknowledged, or was: for one tainted artefact, after one recall, or after all."""
    if artefact is None:
        recalled = [each for each in chronicle.histories if chronicle.is_recalled(each)]
        return [each for source in recalled for each in dues_after(chronicle, source)]
    if chronicle.is_recalled(artefact):
        return dues_after(chronicle, artefact)
    return dues(chronicle, artefact)


def _nothing_to_say(me: Participant, chronicle: Chronicle, artefact: bytes, found: list[Due]) -> UsageProblem:
    title = me.title(chronicle, artefact)
    if not found and chronicle.is_recalled(artefact):
        return UsageProblem(f"nothing was made from {title}, so its recall obliges nobody")
    if not found:
        return UsageProblem(f"{title} is not tainted", "`proml status` lists what is")
    who = ", ".join(sorted({me.name_of(each.organisation) for each in found}))
    return UsageProblem(f"you have nothing to acknowledge there: {who} has custody", "ask them")
