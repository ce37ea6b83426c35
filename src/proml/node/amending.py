"""Amending: a step that corrects what an earlier one said. It adds a record and replaces none."""

from __future__ import annotations

from pathlib import Path

from proml.core.digest import hexed
from proml.errors import NotFound, UsageProblem
from proml.node.keeping import contest
from proml.node.participant import Content, Participant

USUAL = "amend"
# For what has no action to correct it: it keeps the state, and is open until it is settled.
CONTEST = "contest"


def amend(
    me: Participant,
    artefact: bytes,
    text: str,
    sequence: int | None = None,
    subject: Path | None = None,
    action: str = USUAL,
) -> int:
    """Note in the journal that a step shall be corrected by a new one; `push` takes it to the ledger.

    Args:
        me: who amends; whether that may be is for the contracts to say.
        artefact: its 32-byte id.
        text: what was wrong; it stands in the new record.
        sequence: of the step that is corrected, the newest if not given.
        subject: the corrected bytes, where the action asks for bytes.
        action: the action of its lifecycle by which it is done.

    Returns:
        The sequence of the step that is corrected.

    Raises:
        UsageProblem: when there is no such step, or its lifecycle has no such action as it stands.
        NotFound: when its lifecycle's file is not here.
        StepRefused: for `contest`, where it is contested already.
    """
    chronicle = me.chronicle()
    history = chronicle.histories[artefact]
    number = len(history) if sequence is None else sequence
    if not 1 <= number <= len(history):
        raise UsageProblem(
            f"{me.title(chronicle, artefact)} has no step {number}", f"its steps are 1 to {len(history)}"
        )
    lifecycle = me.lifecycle_of(chronicle, artefact)
    if lifecycle is None:
        raise NotFound(f"the lifecycle of {hexed(artefact)} is not known here", "see `proml lifecycle list`")
    record = history[number - 1].step.record
    if action == CONTEST:
        contest(me, artefact, text, record)
        return number
    state = chronicle.shared.artefacts[artefact].state
    may = lifecycle.open_actions(state)
    if action not in may:
        raise UsageProblem(
            f"a {lifecycle.kind} that is {lifecycle.state_name(state)} has no action {action!r}",
            f"--action says by which one it is amended: {', '.join([*may, CONTEST])}",
        )
    rule = chronicle.shared.tables[history[0].lifecycle].rule(state, lifecycle.action_number(action))
    if rule is not None and rule.subject and subject is None:
        raise UsageProblem(f"{action!r} names the corrected bytes", "add --subject")
    content = Content(claims={"text": text}, amends=record)
    me.act(hexed(artefact), action, subject, content=content)
    return number
